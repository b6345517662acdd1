"""What a person at a terminal sees while a run is at work; a plain line per stage elsewhere.

Add here: nothing, ideally. Keep out: what the steps do.
"""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import track as rich_track

T = TypeVar("T")


@contextmanager
def stage(label: str) -> Iterator[None]:
    """Show that `label` is under way, then how long it took."""
    console = Console(stderr=True)
    start = time.perf_counter()
    with console.status(label):
        yield
    console.print(f"{label:<34}{time.perf_counter() - start:6.1f} s", highlight=False)


def track(items: Iterable[T], *, total: int, label: str) -> Iterator[T]:
    """Yield `items`, showing how many of `total` are done when standard error is a terminal, then how long it took."""
    start = time.perf_counter()
    if sys.stderr.isatty():
        yield from rich_track(items, description=f"{label:<34}", total=total, console=Console(stderr=True), transient=True)
    else:
        yield from items
    Console(stderr=True).print(f"{label:<34}{time.perf_counter() - start:6.1f} s  ({total:,})", highlight=False)
