"""The process that works, as `supervisor.py` starts it: it speaks any encoding, and listens to the line that it was given.

Add here: what must stand before anything else is loaded. Keep out: commands (`cli.py`), and when a process is ended.
"""

import os
import signal
import sys
import threading
from importlib import import_module

from pipeline import memory, supervisor, terminal
from pipeline.errors import ComexError, OutputError


def main() -> None:
    """Call what the arguments name (line, module:function) with the rest of them; too little memory ends in words."""
    line, (module, _, function) = int(sys.argv.pop(1)), sys.argv.pop(1).partition(":")
    supervisor.adopt_orphans()
    threading.Thread(target=_listen, args=(line,), daemon=True).start()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a script's shell had it ignored
    terminal.speak_plainly()
    try:
        try:
            sys.exit(getattr(import_module(module), function)())
        finally:
            terminal.flush()
    except OutputError as error:
        _end(error)
    except Exception as error:
        if not memory.is_shortage(error):
            raise
        _end(memory.shortage("`comex`", f"process {os.getpid()}", f"{type(error).__name__}: {error}"))


def _end(error: ComexError) -> None:
    sys.stderr.write(f"error: {error}\n")
    sys.exit(1)


def _listen(line: int) -> None:
    """A byte: fall silent, since the parent speaks, and interrupt. The end of the line: the parent is dead, and so is this."""
    os.set_inheritable(line, False)
    if os.read(line, 1):
        terminal.fall_silent()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    if not os.read(line, 1):
        supervisor.end_descendants(os.getpid(), reap=False)
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
