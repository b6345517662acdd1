"""A folder of archives, with or without an index page: the kiosk of the example, or what an office downloaded by hand.

Add here: ways in which people lay out such a folder. Keep out: reading the archives (`archive/`).
"""

import re
import zipfile
from os.path import normpath
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline.archive.fetch import Offer, decoded
from pipeline.archive.inspect import DATA_MEMBER
from pipeline.errors import ReleaseError, SourceError
from pipeline.settings import ARCHIVE
from pipeline.sources.arrival import in_order
from pipeline.sources.page import archive_name, nothing_on_offer, targets
from pipeline.sources.passed import Passed, in_folder, named


def offers(place: Path, pattern: re.Pattern[str] = ARCHIVE) -> list[Offer]:
    """The archives in `place`, in their order of arrival: those that its index.html links, or without one every ZIP but other products.

    Raises ReleaseError when there is none: an unreadable page is not « nothing new ». SourceError when it may not be read.
    """
    index = place / "index.html"
    try:
        if index.exists():
            return _linked(place, index, pattern)
        found = [
            Offer(path.name, str(path), path, path.stat().st_mtime)
            for path in sorted(place.iterdir())
            if path.suffix.lower() == ".zip" and path.is_file() and not path.name.startswith(".")  # ._x.zip: a Mac's shadow
            if pattern.search(path.name) or not _is_another_product(path)
        ]
    except OSError as error:
        raise unreadable(place, error) from error
    if not found:
        beside = passed_over(place, [])
        raise ReleaseError(
            f"Files such as 202502-Regional-2024-export.zip were expected; {place} offers none (no ZIP file of regional rows in it)."
            + (f" Passed over: {named(beside)}." if beside else ""),
            where=str(place),
            cause="another folder than meant, archives of another product, or archives that were unpacked",
            remedy="give the folder that holds the ZIP archives as they were downloaded",
        )
    return in_order(found)


def passed_over(place: Path, found: list[Offer]) -> list[Passed]:
    """What lies in `place` beside the archives `found` there, with the reasons. SourceError when it may not be read."""
    page = place / "index.html"
    try:
        return in_folder(place, [offer.path for offer in found if offer.path], page if page.exists() else None)
    except (OSError, zipfile.BadZipFile) as error:
        raise unreadable(place, error if isinstance(error, OSError) else OSError(str(error))) from error


def _is_another_product(path: Path) -> bool:
    """Is this whole ZIP, which is not named like a regional archive, none: a national or per-region base saved beside them?"""
    try:
        with zipfile.ZipFile(path) as archive:
            return not any(DATA_MEMBER.search(name) for name in archive.namelist())
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError):
        return False  # damaged: what it was is not known, and its verdict says so


def unreadable(place: Path, error: OSError) -> SourceError:
    """What is said of a folder or archive that this user may not read, or that its disk does not give."""
    return SourceError(
        f"Archives that can be read were expected; the system answered: {error.strerror or error}.",
        where=str(error.filename or place),
        cause="a folder or file that belongs to another user, or a network drive that went away",
        remedy="let this user read it (for a folder: chmod a+rx; for an archive: chmod a+r), then run again",
    )


def _linked(place: Path, index: Path, pattern: re.Pattern[str]) -> list[Offer]:
    links = targets(decoded(index.read_bytes()))
    named = sorted((name, link) for link in links if (name := archive_name(link, pattern)))
    if not named:
        raise nothing_on_offer(str(index), links, pattern)
    # Several links may lead to one file (./x.zip, or the same name in two folders of the site): it is offered once.
    found = {
        path: Offer(name, link, path, path.stat().st_mtime)
        for name, link in reversed(named)
        if (path := _beside(place, link, name))
    }
    return in_order(found.values())


def _beside(place: Path, link: str, name: str) -> Path:
    """Where a linked archive lies: along the link, never outside `place`, else under its name (a page saved from the web)."""
    along = Path(normpath(place / unquote(urlsplit(link).path).lstrip("/")))
    path = along if along.is_file() and Path(normpath(place)) in along.parents else place / name
    if not path.is_file():
        raise ReleaseError(
            f"The index page links {link!r}; there is no file {path.name} beside it.",
            where=str(place / "index.html"),
            cause="the archive was not downloaded with the page, or was withdrawn",
            remedy="put the archive into the folder, or take its link out of the page",
        )
    return path
