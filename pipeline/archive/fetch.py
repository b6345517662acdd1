"""How an archive on offer gets here: a path that is there already, or a download.

Add here: manners towards a server. Keep out: which archives are on offer (`sources/`), what they must hold (`inspect.py`).
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Offer:
    """One archive on offer: published as `name` at `origin`, its bytes at `path`, or to be downloaded when None."""

    name: str
    origin: str
    path: Path | None = None


@dataclass(frozen=True)
class Validators:
    """What a server said of a file, to ask later whether it changed. `size` in bytes."""

    etag: str | None = None
    last_modified: str | None = None
    size: int | None = None


@dataclass(frozen=True)
class Fetched:
    """Bytes that are whole and on this disk, and what their server said of them."""

    path: Path
    validators: Validators
