"""A folder of archives, with or without an index page: the kiosk of the example, or what an office downloaded by hand.

Add here: ways in which people lay out such a folder. Keep out: reading the archives (`archive/`).
"""

from html.parser import HTMLParser
from os.path import normpath
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline.archive.fetch import Offer
from pipeline.archive.inspect import is_archive_name
from pipeline.errors import ReleaseError


class _Links(HTMLParser):
    """Collects the targets of a page's links."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.targets += [value for key, value in attrs if key == "href" and value]


def offers(place: Path) -> list[Offer]:
    """The archives in `place`, by name: those that its index.html links, or without one every ZIP.

    Raises ReleaseError when there is none: an unreadable page is not « nothing new ».
    """
    index = place / "index.html"
    if index.exists():
        names = linked_archives(index.read_text(encoding="utf-8", errors="replace"))
        found = [Offer(name, link, _beside(place, link)) for name, link in sorted(names.items())]
    else:
        found = [
            Offer(path.name, str(path), path)
            for path in sorted(place.iterdir())
            if path.suffix.lower() == ".zip" and path.is_file() and not path.name.startswith(".")  # ._x.zip: a Mac's shadow
        ]
    if not found:
        raise ReleaseError(
            f"Links or files such as 202502-Regional-2024-export.zip were expected; {place} offers none"
            f" ({'its index.html has no such link' if index.exists() else 'no ZIP file in it'}).",
            where=str(index if index.exists() else place),
            cause="the page's layout or the naming of the archives changed, or the folder is the wrong one",
            remedy="look at the page; if the archives are there under other names, adapt ARCHIVE in archive/inspect.py",
        )
    return found


def linked_archives(page: str) -> dict[str, str]:
    """File name → link, of the links of an HTML page that look like regional releases."""
    parser = _Links()
    parser.feed(page)
    named = ((Path(unquote(urlsplit(link).path)).name, link) for link in parser.targets)
    return {name: link for name, link in named if is_archive_name(name)}


def _beside(place: Path, link: str) -> Path:
    """Where a linked archive lies: along the link, never outside `place`, else under its name (a page saved from the web)."""
    linked = unquote(urlsplit(link).path)
    along = Path(normpath(place / linked.lstrip("/")))
    path = along if along.is_file() and Path(normpath(place)) in along.parents else place / Path(linked).name
    if not path.is_file():
        raise ReleaseError(
            f"The index page links {link!r}; there is no file {path.name} beside it.",
            where=str(place / "index.html"),
            cause="the archive was not downloaded with the page, or was withdrawn",
            remedy="put the archive into the folder, or take its link out of the page",
        )
    return path
