"""The outputs as a place: one run at a time in it, and what is said when it cannot be written.

Add here: another way in which a disk fails its user. Keep out: what is written (`archive/`, `charts/`, `fiche/`).
"""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from pipeline.errors import OutputError
from pipeline.paths import Paths

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.ENOTDIR, errno.ENOENT)


@contextmanager
def writable(paths: Paths) -> Iterator[None]:
    """Tell a full, read-only or forbidden disk in four parts. Raises OutputError."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        there = next(folder for folder in (paths.home, *paths.home.parents) if folder.exists())
        raise OutputError(
            f"Room to write in was expected; the system answered: {error.strerror}"
            f" ({shutil.disk_usage(there).free / 1024**3:.1f} GiB free).",
            where=str(error.filename or paths.home),
            cause="a full or read-only disk, a quota, or a folder that belongs to another user",
            remedy="make room (the whole country needs about 1.5 GiB), or give another place with COMEX_HOME, and run again",
        ) from error


@contextmanager
def hold(paths: Paths) -> Iterator[None]:
    """Keep every other run away from these outputs. Raises OutputError when one is at work, or nothing can be written."""
    with writable(paths):
        paths.home.mkdir(parents=True, exist_ok=True)
        lock = FileLock(paths.home / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise OutputError(
                "The outputs were expected to be free; another run holds them (1 run at a time).",
                where=str(paths.home / ".lock"),
                cause="a second `make fiches`, a schedule or a run launched from the Dagster UI is still at work",
                remedy="wait for it to end, or give this run a place of its own with COMEX_HOME",
            ) from error
    try:
        yield
    finally:
        lock.release()
