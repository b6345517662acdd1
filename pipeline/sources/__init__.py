"""Where releases come from: the customs, any index page, a folder that someone filled, the embedded example's kiosk.

Add here: one more place to find archives. Keep out: what an archive must satisfy, and how it is downloaded (`archive/`).
"""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from pipeline.archive.fetch import Fetched, Http, Offer, Validators, bare, is_address
from pipeline.errors import ComexError, SettingError
from pipeline.paths import Paths
from pipeline.settings import Settings
from pipeline.sources import douane, example, folder, page, passed
from pipeline.sources.folder import unreadable
from pipeline.sources.passed import Passed


@dataclass(frozen=True)
class Source:
    """A place that offers archives: `id` names its folder in the store, `label` is for people.

    `notices` are told to the operator and stop nothing: a second place that did not answer. `http` downloads, where needed.
    `passed_over` is what is there and not offered, with the reasons.
    """

    id: str
    label: str
    offers: list[Offer]
    notices: list[ComexError] = field(default_factory=list)
    http: Http | None = None
    passed_over: list[Passed] = field(default_factory=list)

    @property
    def told(self) -> list[ComexError]:
        """All that the operator is told of the source itself."""
        return [*self.notices, *passed.notice(self.passed_over, self.label, is_page=self.http is not None)]

    def fetch(self, offer: Offer, folder: Path, known: Validators | None = None) -> Fetched | None:
        """The bytes of `offer`; downloads go below `folder`. None: they are still those that `known` was said of.

        Raises what `Http.fetch` raises, and SourceError for a file that cannot be read.
        """
        if offer.path is None:
            assert self.http, "offers without a path come with a client"
            return self.http.fetch(offer, folder, known)
        try:
            offer.path.open("rb").close()
        except OSError as error:
            raise unreadable(offer.path, error) from error
        return Fetched(offer.path, Validators())


def source_id(settings: Settings) -> str:
    """The folder of the settings' source in the store; nothing is read or asked for.

    Raises SettingError for an address that is none.
    """
    if settings.source in ("example", "douane"):
        return settings.source
    if is_address(settings.source):
        address = _address(settings)
        return _id(address.partition("://")[2], address)
    place = Path(settings.source).expanduser().resolve()
    return _id(place.name, str(place))


def open_source(settings: Settings, paths: Paths) -> Source:
    """The source that the settings name, with what it offers now (at least one archive).

    Raises SettingError for a source that does not exist, SourceError for one that cannot be reached or read, ReleaseError
    for one that offers nothing.
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
    if settings.source == "douane":
        http = Http(settings)
        found, notices, beside = douane.offers(http, settings)
        return Source(source_id(settings), settings.douane_page, found, notices, http, beside)
    if is_address(settings.source):
        http = Http(settings)
        address = _address(settings)
        found, beside = page.offers(http, address, settings.archive_pattern)
        return Source(source_id(settings), address, found, http=http, passed_over=beside)
    place = Path(settings.source).expanduser().resolve()
    try:
        if not place.is_dir():
            raise _no_source(settings.source, "no folder of that name")
    except OSError as error:
        raise unreadable(place, error) from error
    found = folder.offers(place, settings.archive_pattern)
    return Source(source_id(settings), str(place), found, passed_over=folder.passed_over(place, found))


def _address(settings: Settings) -> str:
    try:
        return bare(settings.source)
    except httpx.InvalidURL as error:
        raise _no_source(settings.source, str(error)) from error


def _id(name: str, address: str) -> str:
    """A name for a folder of the store; the digest tells apart two sources that are called alike."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:80].strip("-") or "source"
    return f"{slug}-{hashlib.sha256(address.encode()).hexdigest()[:8]}"


def _no_source(given: str, found: str) -> SettingError:
    return SettingError(
        f"A source is `example`, `douane`, the http(s) address of an index page, or a folder of archives;"
        f" {given!r} is none of them ({found}).",
        where="--source or COMEX_SOURCE",
        cause="a typing error, an address without https://, or a folder that is not mounted",
        remedy="give the path of the folder that holds the ZIP archives, or the whole address of the page that links them",
    )
