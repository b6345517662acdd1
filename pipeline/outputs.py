"""The outputs as a place: one run at a time in it, files that appear whole, and what is said when it cannot be written.

Add here: another way in which a disk fails its user. Keep out: what is written (`archive/`, `charts/`, `fiche/`).
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

from pipeline import memory
from pipeline.errors import OutputError
from pipeline.paths import Paths

LEAST_GIB = 0.3  # a few fiches of a small source
MAKE_ROOM = "make room (the whole country needs about 1.5 GiB), or give another place with --home (COMEX_HOME)"


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Say in four parts what a disk refused while something was written at `place`.

    Raises OutputError for an OSError, Python's or DuckDB's; MachineError when it was memory that was refused.
    """
    try:
        yield
    except (OSError, MemoryError, duckdb.IOException, duckdb.OutOfMemoryException) as error:
        if memory.is_shortage(error):
            raise memory.shortage("The work", str(place), f"{type(error).__name__}: {error}") from error
        raise OutputError(
            f"A place that can be written was expected; the system answered: {getattr(error, 'strerror', None) or error}"
            f" ({_free_gib(place):.1f} GiB free).",
            where=str(getattr(error, "filename", None) or place),
            cause="a full or read-only disk, a quota, or a folder that belongs to another user",
            remedy=MAKE_ROOM,
        ) from error


def ensure_room(place: Path) -> None:
    """Raise OutputError before anything is begun on a disk that is all but full."""
    free = _free_gib(place)
    if free < LEAST_GIB:
        raise OutputError(
            f"At least {LEAST_GIB} GiB of free space were expected; {free:.2f} GiB are left.",
            where=str(place),
            cause="a disk that is all but full",
            remedy=MAKE_ROOM,
        )


def _free_gib(place: Path) -> float:
    there = next(folder for folder in (place, *place.parents) if folder.exists())
    return shutil.disk_usage(there).free / 1024**3


@contextmanager
def hold(paths: Paths) -> Iterator[None]:
    """Keep every other run away from these outputs. Raises OutputError when one is at work, or nothing can be written."""
    lock = FileLock(paths.home / ".lock")
    with writing(paths.home):
        paths.home.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            lock = None
    if lock is None:
        raise OutputError(
            "The outputs were expected to be free; another run holds them (1 run at a time).",
            where=str(paths.home / ".lock"),
            cause="a second `make fiches`, a schedule or a run launched from the Dagster UI is still at work",
            remedy="wait for it to end, or give this run a place of its own with COMEX_HOME",
        )
    try:
        yield
    finally:
        lock.release()


def write_whole(path: Path, text: str) -> None:
    """Write aside, sync, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".part")
    aside.write_text(text, encoding="utf-8")
    move_whole(aside, path)


def put_whole(path: Path, content: bytes) -> None:
    """The same without a sync, for what the next run makes again; a file that holds these bytes is left alone."""
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.part")
    aside.write_bytes(content)
    aside.replace(path)


def move_whole(aside: Path, target: Path) -> None:
    """Sync a file written aside, and rename it to its place."""
    _sync(aside)
    aside.replace(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
