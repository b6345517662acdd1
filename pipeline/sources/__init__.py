"""Where releases come from: the embedded example's kiosk, or a folder that someone filled.

Add here: one more place to find archives. Keep out: what an archive must satisfy (`archive/`).
"""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.archive.fetch import Fetched, Offer, Validators
from pipeline.errors import ComexError, SettingError
from pipeline.paths import Paths
from pipeline.settings import Settings
from pipeline.sources import example, folder


@dataclass(frozen=True)
class Source:
    """A place that offers archives: `id` names its folder in the store, `label` is for people."""

    id: str
    label: str
    offers: list[Offer]
    notices: list[ComexError] = field(default_factory=list)  # what does not stop a run

    def fetch(self, offer: Offer, folder: Path, known: Validators | None) -> Fetched | None:
        """The offer's bytes; None when they are unchanged since `known`. A folder's lie there already."""
        assert offer.path, "no source without files so far"
        return Fetched(offer.path, Validators())


def source_id(settings: Settings) -> str:
    """The folder of the settings' source in the store; nothing is read or asked for."""
    if settings.source == "example":
        return "example"
    place = Path(settings.source).expanduser().resolve()
    # Two folders of the same name are two sources: the digest of the path tells their archives apart.
    mark = hashlib.sha256(str(place).encode()).hexdigest()[:8]
    return f"{re.sub(r'[^a-z0-9]+', '-', place.name.lower()).strip('-') or 'dossier'}-{mark}"


def open_source(settings: Settings, paths: Paths) -> Source:
    """The source that the settings name, with what it offers now (at least one archive).

    Raises SettingError for a source that does not exist, ReleaseError for one that offers nothing.
    """
    if settings.source == "example":
        made_by = hashlib.sha256(
            b"".join(Path(__file__).with_name(f"{name}.py").read_bytes() for name in ("example", "example_profils"))
        ).hexdigest()
        mark = paths.kiosk / "generator.sha256"
        if not mark.exists() or mark.read_text(encoding="utf-8") != made_by:
            example.generate(paths.kiosk)
            mark.write_text(made_by, encoding="utf-8")
        return Source(source_id(settings), "embedded example", folder.offers(paths.kiosk))
    place = Path(settings.source).expanduser().resolve()
    if not place.is_dir():
        raise SettingError(
            f"A source is `example` or a folder of archives; {settings.source!r} is neither.",
            where="--source or COMEX_SOURCE",
            cause="a typing error, or a folder that is not mounted",
            remedy="give the path of the folder that holds the ZIP archives",
        )
    return Source(source_id(settings), str(place), folder.offers(place))
