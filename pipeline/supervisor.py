"""A small parent of the process that works: it ends it whole, whatever it is doing, and says so in words.

`comex` starts here. The work is done by `worker.py` in a session of its own, so that Ctrl-C, which a terminal sends to all,
comes to this process alone. On a first signal the worker is asked to end, and has some seconds to close what it holds; after
that, or on a second signal, it is killed with all that it started: browsers and dbt among them, wherever they hid. Outputs
appear whole and the lock is the kernel's, so that being killed costs no more than what was under way. A worker that the
system ends (memory, a fault of a library) is told here too: it cannot do so itself.
Exit codes: the worker's; 128 and the signal when interrupted (130 SIGINT, 143 SIGTERM); 1 when the system ended it.
Add here: another way in which a process ends. Keep out: what is worked on, and every import that is not needed to wait.
"""

import os
import select
import signal
import sys
from contextlib import suppress

ENDS = [signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)]
GRACE_S = 2.5  # between a first signal and the end by force; closing a run takes less than one


def _come(*_: object) -> None:
    """What signals are handled by: the main loop reads which came from the wakeup pipe."""


def main() -> None:
    """The command `comex`."""
    sys.exit(supervise("pipeline.cli:main", sys.argv[1:], f"`{' '.join(['comex', *sys.argv[1:2]])}`"))


def supervise(work: str, arguments: list[str], what: str) -> int:
    """Have `work` (module:function) done by a worker, and return the exit code; signals are handled from now on."""
    for number in range(3):  # closed by who called: what is opened next would take its place
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    signals, wake = os.pipe()
    for end in (signals, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in (*ENDS, signal.SIGCHLD, signal.SIGTSTP, signal.SIGCONT):
        # What `nohup` has ignored stays so; SIGINT does not, which a shell has ignored for all that a script begins with `&`.
        if number in (signal.SIGINT, signal.SIGCHLD) or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _come)
    import shutil
    import tempfile

    try:
        scratch = tempfile.mkdtemp(prefix="comex-")
    except OSError as error:
        _say(_no_scratch(error))
        return 1
    adopt_orphans()
    try:
        return _watch([work, *arguments], what, scratch, signals)
    finally:
        end_descendants(os.getpid())
        shutil.rmtree(scratch, ignore_errors=True)
        for number in ENDS:  # the code is settled; while Python ends it would give way to the default, which is another code
            signal.signal(number, signal.SIG_IGN)


def _watch(arguments: list[str], what: str, scratch: str, signals: int) -> int:
    import subprocess
    import time

    from pipeline import memory

    start, killed_before = time.monotonic(), memory.killed_so_far()
    theirs, ours = os.pipe()  # when it closes, or brings a byte, the worker knows
    try:
        worker = subprocess.Popen(
            [sys.executable, "-P", "-m", "pipeline.worker", str(theirs), *arguments],
            pass_fds=[theirs],
            start_new_session=True,
            env=os.environ | {"TMPDIR": scratch, "PYTHONUTF8": "1"} | _voice() | _own_home(scratch),
        )
    except OSError as error:
        _say(_not_begun(what, error))
        return 1
    with worker:
        os.close(theirs)
        came: list[int] = []
        deadline = None
        while worker.poll() is None:
            wait = None if deadline is None else max(0.0, deadline - time.monotonic())
            select.select([signals], [], [], wait)
            for number in _read(signals):
                if number in ENDS:
                    came.append(number)
                elif number == signal.SIGTSTP:
                    _signal_all(signal.SIGSTOP)
                    os.kill(os.getpid(), signal.SIGSTOP)
                elif number == signal.SIGCONT:
                    _signal_all(signal.SIGCONT)
            if came and deadline is None:
                deadline = time.monotonic() + GRACE_S
                _ask(ours, worker.pid)
            if len(came) > 1 or (deadline and time.monotonic() >= deadline):
                end_descendants(os.getpid(), reap=False)
                worker.kill()  # where there is no /proc
        os.close(ours)
    came += [number for number in _read(signals) if number in ENDS]
    if came:
        _say(_interrupted(what, signal.Signals(came[0]), time.monotonic() - start))
        return 128 + came[0]
    if worker.returncode < 0:
        _say(_ended(what, signal.Signals(-worker.returncode), killed_before))
        return 1
    return worker.returncode


def _read(signals: int) -> bytes:
    try:
        return os.read(signals, 256)
    except BlockingIOError:
        return b""


def _ask(line: int, worker: int) -> None:
    """The worker falls silent and interrupts itself; a program that took its place gets the signal."""
    try:
        os.write(line, b"!")
    except BrokenPipeError:
        _kill(worker, signal.SIGINT)


def _voice() -> dict[str, str]:
    """The worker speaks in the terminal's encoding, whatever it reads and writes files in."""
    streams = (sys.stdout, sys.stderr)
    return {"PYTHONIOENCODING": next((stream.encoding for stream in streams if stream), "utf-8")}


def _own_home(scratch: str) -> dict[str, str]:
    """A home folder for libraries that want one, where the user has none: in containers, and for users of services."""
    return {} if os.path.isdir(os.path.expanduser("~")) else {"HOME": scratch}  # noqa: PTH111, PTH112


def adopt_orphans() -> None:
    """What a descendant leaves behind becomes a child of this process (Linux), and does not escape it."""
    with suppress(ImportError, OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def descendants(root: int) -> list[int]:
    """Processes that come from `root` and are alive, by /proc; none where there is no /proc."""
    children: dict[int, list[int]] = {}
    states = {}
    for name in filter(str.isdigit, os.listdir("/proc") if os.path.isdir("/proc") else ()):  # noqa: PTH112, PTH208 without pathlib
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
                state, parent = file.read().rpartition(")")[2].split()[:2]
        except (OSError, ValueError):  # no process, or one that has just ended
            continue
        children.setdefault(int(parent), []).append(int(name))
        states[int(name)] = state
    found, at = [], [root]
    while at:
        at = [child for parent in at for child in children.get(parent, ())]
        found += at
    return [process for process in found if states[process] not in "ZX"]


def end_descendants(root: int, *, reap: bool = True) -> None:
    """Kill all that comes from `root`, and wait until it is gone."""
    import time

    for _ in range(100):
        left = descendants(root)
        for process in left:
            _kill(process, signal.SIGKILL)
        if reap:
            _bury()
        if not left:
            return
        time.sleep(0.01)


def _signal_all(number: int) -> None:
    for process in descendants(os.getpid()):
        _kill(process, number)


def _kill(process: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(process, number)


def _bury() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _say(error: object) -> None:
    """On standard error, below a progress bar that nobody closed."""
    clean = "\r\x1b[K\x1b[?25h" if os.isatty(2) else ""
    encoding = sys.stderr.encoding if sys.stderr else "utf-8"
    with suppress(OSError):  # nobody listens
        os.write(2, f"{clean}error: {error}\n".encode(encoding, "replace"))


def _interrupted(what: str, number: signal.Signals, seconds: float) -> object:
    from pipeline.errors import MachineError

    senders = {
        signal.SIGINT: "Ctrl-C, or a program that sends what Ctrl-C sends",
        signal.SIGTERM: "`kill`, a service manager, a time limit, or a machine that is being stopped",
    }
    return MachineError(
        f"{what} was expected to run to its end; it was interrupted by {number.name} after {seconds:.0f} s (exit code {128 + number}).",
        where=f"process {os.getpid()}; nothing that it started is left",
        cause=senders.get(number, "the terminal was closed, or Ctrl-\\ pressed"),
        remedy="run it again: each file of the outputs is whole, old or new, kept archives stay, and a download goes on where it was",
    )


def _ended(what: str, number: signal.Signals, killed_before: int) -> object:
    from pipeline import memory
    from pipeline.errors import MachineError

    killed = memory.killed_so_far() - killed_before
    limit = memory.address_space()
    if number == signal.SIGKILL and killed > 0:
        cause = f"too little memory: the kernel ended {killed} process(es) for want of it meanwhile"
        remedy = memory.MODEST
    elif number in (signal.SIGKILL, *ENDS):
        cause = "somebody's `kill`, or a service manager: the kernel counts no process ended for want of memory meanwhile"
        remedy = (
            "run it again; if nobody killed it, look into the log of the machine (`journalctl -k`, or that of its containers)"
        )
    elif limit:
        cause = f"an address space limited to {limit // memory.MIB:,} MiB (`ulimit -v`): libraries that get no more of it abort"
        remedy = (
            "take that limit away (`ulimit -v unlimited`); to bound memory, bound what is used: `systemd-run -p MemoryMax=3G`"
        )
    else:
        cause = f"a fault of a library or of the machine ({number.name})"
        remedy = "run it again; if it ends so again, report it with the lines above"
    return MachineError(
        f"{what} was expected to run to its end; the system ended it with {number.name}."
        f" Taken by its largest process: {memory.largest():,} MiB; {memory.there()}.",
        where=f"process {os.getpid()}; nothing that it started is left",
        cause=cause,
        remedy=remedy,
    )


def _not_begun(what: str, error: OSError) -> object:
    from pipeline import memory
    from pipeline.errors import MachineError

    if memory.is_shortage(error):
        return memory.shortage(what, sys.executable, str(error))
    return MachineError(
        f"{what} was expected to begin in a process of its own; the system answered: {error}.",
        where=sys.executable,
        cause="an interpreter that this user may not run, or a limit on the number of processes (`ulimit -u`)",
        remedy="make the installation readable and executable for this user, or raise that limit",
    )


def _no_scratch(error: OSError) -> object:
    from pipeline.errors import OutputError

    return OutputError(
        f"A folder for temporary files was expected; the system answered: {error}.",
        where=os.environ.get("TMPDIR") or "/tmp, /var/tmp, /usr/tmp or the folder at hand",
        cause="a full or read-only disk, or a TMPDIR that is not there or belongs to another user",
        remedy="make room, or name another folder in TMPDIR",
    )


if __name__ == "__main__":
    sys.exit(supervise(sys.argv[1], sys.argv[2:], f"`{sys.argv[1].partition(':')[0]}`"))
