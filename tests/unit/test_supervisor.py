"""The small parent: whatever the work does, a signal ends all of it, in words, and what the system ends is told."""

import os
import signal
import sys
from pathlib import Path

import pytest

from pipeline import supervisor
from tests.processes import PARTS, Marked, supervised

STAND_IN = """
import os, resource, signal, subprocess, sys, tempfile, threading, time

CHILD = [sys.executable, "-c", "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; time.sleep(600)"]

def ready(folder="."):
    sys.stderr.write("ready\\n")
    sys.stderr.flush()

def with_children():
    subprocess.Popen(CHILD)
    subprocess.Popen(CHILD, start_new_session=True)
    # whose parent ends: it belongs to nobody that we know
    subprocess.run([sys.executable, "-c", f"import subprocess; subprocess.Popen({CHILD!r}, start_new_session=True)"])
    tempfile.mkdtemp()

def obedient():
    with_children()
    ready()
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        print("tidied up", flush=True)
        os.write(2, b"tidied up")
        raise

def deaf():
    with_children()
    ready()
    while True:
        try:
            time.sleep(600)
        except KeyboardInterrupt:
            pass

def busy():
    with_children()
    ready()
    int("9" * 4000) ** 200000  # holds the interpreter: no handler, no thread runs

def well():
    with_children()
    print("made")
    return 3

def killed():
    with_children()
    os.kill(os.getpid(), signal.SIGKILL)

def aborted():
    os.abort()

def without_memory():
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    bytearray(4 << 30)

def orphaned():
    with_children()
    ready()
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    path = tmp_path / "stand_in.py"
    path.write_text(STAND_IN, encoding="utf-8")
    return path


def scratch(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("comex-*")]


def ready(work: Marked) -> bool:
    return "ready" in work.said()


@pytest.mark.parametrize("function", ["obedient", "deaf", "busy"])
@pytest.mark.parametrize(
    ("number", "group", "times"),
    [
        (signal.SIGINT, False, 1),
        (signal.SIGINT, True, 2),
        (signal.SIGTERM, True, 1),
        (signal.SIGTERM, False, 2),
        (signal.SIGHUP, False, 1),
    ],
)
def test_a_signal_ends_everything_in_one_sentence(
    stand_in: Path, tmp_path: Path, function: str, number: signal.Signals, group: bool, times: int
) -> None:
    work = supervised(stand_in, function, tmp_path / "said")
    work.wait_for(ready)
    assert len(work.alive()) >= 5  # parent, worker and its three
    assert work.interrupt(number, group=group, times=times) == 128 + number
    assert work.alive() == {}
    said = work.said()
    assert said.count("error: ") == 1 and f"interrupted by {number.name}" in said
    assert all(part in said for part in PARTS)
    assert "Traceback" not in said and "tidied up" not in said
    assert scratch(tmp_path) == []


def test_work_that_ends_gives_its_exit_code_and_leaves_nothing(stand_in: Path, tmp_path: Path) -> None:
    work = supervised(stand_in, "well", tmp_path / "said")
    assert (work.process.wait(60), work.said(), work.alive(), scratch(tmp_path)) == (3, "made\n", {}, [])


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("killed", ["ended it with SIGKILL", "no process ended for want of memory"]),
        ("aborted", ["ended it with SIGABRT", "a fault of a library"]),
        ("without_memory", ["MemoryError", "limited to 1,024 MiB", "ulimit -v unlimited"]),
    ],
)
def test_what_the_system_ends_is_told_with_its_true_cause(
    stand_in: Path, tmp_path: Path, function: str, words: list[str]
) -> None:
    work = supervised(stand_in, function, tmp_path / "said")
    assert work.process.wait(60) == 1
    said = work.said()
    assert [word for word in (*words, *PARTS) if word not in said] == []
    assert work.alive() == {} and "Traceback" not in said


def test_want_of_memory_is_the_cause_only_where_the_kernel_counted_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.memory.killed_so_far", lambda: 5)
    assert "the kernel ended 2 process(es) for want of it" in str(supervisor._ended("x", signal.SIGKILL, 3))
    assert "for want of it" not in str(supervisor._ended("x", signal.SIGKILL, 5))


def test_a_parent_that_is_killed_takes_the_work_with_it(stand_in: Path, tmp_path: Path) -> None:
    work = supervised(stand_in, "orphaned", tmp_path / "said")
    assert work.process.wait(60) == -signal.SIGKILL
    for _ in range(200):
        if not work.alive():
            break
        os.sched_yield()
        signal.sigtimedwait([], 0.05)
    assert work.alive() == {}


def test_no_place_for_temporary_files_is_told(tmp_path: Path) -> None:
    nowhere = "import tempfile; tempfile._candidate_tempdir_list = lambda: ['/nowhere']"
    call = "from pipeline.supervisor import supervise; raise SystemExit(supervise('x:y', [], 'x'))"
    work = Marked([sys.executable, "-c", f"{nowhere}; {call}"], tmp_path / "said")
    assert work.process.wait(60) == 1
    assert "A folder for temporary files was expected" in work.said() and all(part in work.said() for part in PARTS)


def test_a_user_without_a_home_gets_one_for_the_time_being(stand_in: Path, tmp_path: Path) -> None:
    stand_in.write_text("import os\ndef at(): print(os.path.isdir(os.environ['HOME']), os.environ['HOME'])\n")
    work = supervised(stand_in, "at", tmp_path / "said", HOME=str(tmp_path / "none"))
    assert work.process.wait(60) == 0
    assert work.said().startswith(f"True {tmp_path}/comex-")


def test_a_signal_that_a_script_s_shell_had_ignored_ends_it_too(stand_in: Path, tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        work = supervised(stand_in, "obedient", tmp_path / "said")
    finally:
        signal.signal(signal.SIGINT, before)
    work.wait_for(ready)
    assert work.interrupt(signal.SIGINT) == 130
    assert work.alive() == {}


def test_work_that_cannot_be_begun_is_told(tmp_path: Path) -> None:
    call = "import sys; sys.executable = '/nowhere/python'; from pipeline.supervisor import supervise"
    work = Marked([sys.executable, "-c", f"{call}; raise SystemExit(supervise('x:y', [], '`x`'))"], tmp_path / "said")
    assert work.process.wait(60) == 1
    assert "`x` was expected to begin in a process of its own" in work.said() and all(part in work.said() for part in PARTS)
