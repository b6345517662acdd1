"""What a server said of a file. Add here: the download. Keep out: where releases come from (`sources/`)."""

from dataclasses import dataclass

WITHDRAWN = "release_is_still_published"  # the check that an archive fails whose link leads nowhere any more


@dataclass(frozen=True)
class Validators:
    """What a server said of a file."""

    etag: str | None = None
    last_modified: str | None = None
    size: int | None = None


class Http:
    """Stands in for FETCH's client until the merge."""

    def __init__(self, settings: object) -> None: ...

    def head(self, url: str) -> Validators:
        """What the server says of the file at `url`."""
        raise NotImplementedError
