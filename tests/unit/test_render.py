"""The browser's life in `render.py`: what ends it, and that nothing waits for one that answers nothing. No browser here."""

import asyncio
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pipeline.charts import render


class Deaf:
    """A browser that is alive and answers nothing: its process sleeps, and what waits for it does not hear of being cancelled."""

    def __init__(self) -> None:
        self.subprocess = subprocess.Popen(["sh", "-c", "sleep 600 & wait"], start_new_session=True)

    async def never(self) -> None:
        while True:
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    def left(self) -> list[str]:
        """What is alive of its session."""
        self.subprocess.wait(10)
        told = subprocess.run(["ps", "-s", str(self.subprocess.pid), "-o", "stat="], capture_output=True, text=True, check=False)
        return [state for state in told.stdout.split() if "Z" not in state]


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deaf]:
    browser = Deaf()

    async def waiting(*arguments: Any) -> None:
        arguments[-1].append(browser)
        await browser.never()

    monkeypatch.setattr(render, "_seance", waiting)
    yield browser
    with suppress(ProcessLookupError):
        os.killpg(browser.subprocess.pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_drawing_though_the_browser_answers_nothing(deaf: Deaf, number: int, tmp_path: Path) -> None:
    class Stopped(BaseException):
        pass

    def stop(*_: object) -> None:
        raise Stopped

    former = signal.signal(number, stop)
    begin = time.monotonic()
    try:
        threading.Timer(0.3, os.kill, (os.getpid(), number)).start()
        with pytest.raises(Stopped):
            list(render.render([render.Figure("a", {}, tmp_path / "a.svg")]))
        assert signal.getsignal(number) is stop
    finally:
        signal.signal(number, former)
    assert time.monotonic() - begin < 20
    assert deaf.left() == []


def test_a_signal_that_its_handler_only_notes_stops_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    figure, came = render.Figure("a", {}, tmp_path / "a.svg"), []

    async def slow(*arguments: Any) -> None:
        await asyncio.sleep(0.6)
        await arguments[2].put(render.Rendu(figure))
        await arguments[2].put(None)

    monkeypatch.setattr(render, "_seance", slow)
    former = signal.signal(signal.SIGINT, lambda *_: came.append(True))
    try:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        assert list(render.render([figure])) == [render.Rendu(figure)]
    finally:
        signal.signal(signal.SIGINT, former)
    assert came == [True]


def test_who_leaves_the_drawing_halfway_leaves_no_browser(deaf: Deaf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    figure = render.Figure("a", {}, tmp_path / "a.svg")

    async def one_and_silence(*arguments: Any) -> None:
        arguments[-1].append(deaf)
        await arguments[2].put(render.Rendu(figure))
        await deaf.never()

    monkeypatch.setattr(render, "_seance", one_and_silence)
    drawing: Any = render.render([figure])
    next(drawing)
    drawing.close()
    assert deaf.left() == []


@pytest.mark.parametrize(
    ("killed", "limit", "cause"),
    [
        ([3, 4], None, "the kernel ended 1 process(es) for want of it"),
        ([3, 3], 2 * 1024**3, "an address space limited to 2,048 MiB"),
        ([3, 3], None, "no process was ended for want of memory"),
    ],
)
def test_the_cause_of_a_browser_s_death_is_looked_up(killed, limit, cause, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render.memory, "killed_so_far", lambda: killed[1])
    monkeypatch.setattr(render.memory, "address_space", lambda: limit)
    assert cause in render._mort("gone", "figure a", killed[0]).cause
