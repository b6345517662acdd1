"""What is on offer, and how its bytes come to a folder of this machine.

Add here: what must be known of a transfer. Keep out: where offers are found (`sources/`), what is kept (`store.py`).
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Offer:
    """One archive on offer: `origin` is its address, or its link or path as text; `path` is where its bytes already lie."""

    name: str
    origin: str
    path: Path | None = None


@dataclass(frozen=True)
class Validators:
    """What a server said of a file, for asking later whether it changed."""

    etag: str | None = None
    last_modified: str | None = None
    size: int | None = None


@dataclass(frozen=True)
class Fetched:
    """The bytes of an offer, on this machine."""

    path: Path
    validators: Validators
