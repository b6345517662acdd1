"""Processes as tests see them from outside: started with a mark in their environment, which all that comes from them inherits.

Add here: another look at processes. Keep out: what a test expects of them.
"""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

BOUND_S = 20  # what ends within five seconds on a quiet machine
PARTS = ("where:", "likely cause:", "what to do:")


@dataclass
class Marked:
    """A command, in a process group of its own, with its output in a file."""

    command: list[str]
    output: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.mark = f"COMEX_TEST_MARK={uuid.uuid4()}"
        name, _, value = self.mark.partition("=")
        with self.output.open("w") as said:
            self.process = subprocess.Popen(
                self.command,
                stdout=said,
                stderr=said,
                start_new_session=True,
                env=os.environ | self.environment | {name: value},
            )

    def alive(self) -> dict[int, str]:
        """Processes that carry the mark and live: their command lines by number."""
        found = {}
        for place in Path("/proc").glob("[0-9]*"):
            try:
                marked = self.mark.encode() in (place / "environ").read_bytes()
                state = (place / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
                if marked and state not in "ZX":
                    found[int(place.name)] = (place / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
        return found

    def said(self) -> str:
        """Standard output and error so far."""
        return self.output.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, ready: Callable[["Marked"], bool], seconds: float = 900) -> None:
        """Until `ready`; fails when the command ends before."""
        end = time.monotonic() + seconds
        while not ready(self):
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"not ready: {self.said()} {self.end()}")
            time.sleep(0.05)

    def interrupt(self, number: signal.Signals, *, group: bool = False, times: int = 1) -> int:
        """Send a signal, and return the exit code; kills everything and fails where nothing ends within BOUND_S."""
        for each in range(times):
            if each:
                time.sleep(0.2)
            (os.killpg if group else os.kill)(self.process.pid, number)
        try:
            return self.process.wait(BOUND_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it hangs: {self.end()}") from None

    def end(self) -> dict[int, str]:
        """Kill everything that carries the mark, and return what that was."""
        left = self.alive()
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        return left


def supervised(stand_in: Path, function: str, output: Path, **environment: str) -> Marked:
    """A function of a Python file as work of the supervisor, which keeps its temporary files beside `output`."""
    command = [sys.executable, "-m", "pipeline.supervisor", f"{stand_in.stem}:{function}"]
    return Marked(command, output, {"PYTHONPATH": str(stand_in.parent), "TMPDIR": str(output.parent)} | environment)
