"""What a person at a terminal sees while a run is at work; a plain line per stage elsewhere.

Add here: nothing, ideally. Keep out: what the steps do.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import track as rich_track

T = TypeVar("T")
CONSOLE = Console(stderr=True)  # one for all: a bar inside a stage is drawn below its line only when they share it


@contextmanager
def stage(label: str) -> Iterator[None]:
    """Show that `label` is under way, then how long it took."""
    start = time.perf_counter()
    with CONSOLE.status(label, spinner="dots" if CONSOLE.encoding.startswith("utf") else "line"):
        yield
    CONSOLE.print(f"{label:<34}{time.perf_counter() - start:6.1f} s", highlight=False)


def track(items: Iterable[T], *, total: int, label: str) -> Iterator[T]:
    """Yield `items`, showing how many of `total` are done when standard error is a terminal, then how long it took."""
    start = time.perf_counter()
    if sys.stderr.isatty():
        yield from rich_track(items, description=f"{label:<34}", total=total, console=CONSOLE, transient=True)
    else:
        yield from items
    CONSOLE.print(f"{label:<34}{time.perf_counter() - start:6.1f} s  ({total:,})", highlight=False)


@contextmanager
def download(label: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar of bytes when standard error is a terminal; to be called with the bytes so far and in all (None: unknown)."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=CONSOLE, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
