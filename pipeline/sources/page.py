"""An index page with links to archives: the customs' own, a mirror's, a web server's listing of a folder, a saved page.

Add here: another way in which a page names its archives. Keep out: requests (`archive/fetch.py`).
"""

import re
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import PurePosixPath
from urllib.parse import parse_qsl, unquote, urldefrag, urljoin, urlsplit

import httpx

from pipeline.archive.fetch import Http, Offer, bare
from pipeline.errors import ReleaseError
from pipeline.sources.arrival import in_order
from pipeline.sources.passed import Passed, named, of_links


class _Links(HTMLParser):
    """Collects the targets of a page's links, and the base they start from."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = re.sub(r"[\t\r\n]", "", dict(attrs).get("href") or "").strip()
        if tag in ("a", "area") and href:
            self.targets.append(href)
        elif tag == "base":
            self.base = self.base or href


def offers(http: Http, url: str, pattern: re.Pattern[str]) -> tuple[list[Offer], list[Passed]]:
    """The archives that the page at `url` links, in their order of arrival as far as names and addresses tell it; and the ZIP
    files that it links and that are passed over.

    Raises SourceError for a page that cannot be had, ReleaseError for one without archives: it is not « nothing new ».
    """
    page = http.page(url)
    links = targets(page.text, page.url)
    found = {Offer(name, _address(link, page.url)) for link in links if (name := archive_name(link, pattern))}
    if not found:
        raise nothing_on_offer(page.url, links, pattern)
    return in_order(found), of_links(links, [offer.name for offer in found], pattern.pattern)


def targets(text: str, address: str = "") -> list[str]:
    """Where the links of an HTML page lead, in its order, each once; absolute if its own `address` is given."""
    parser = _Links()
    parser.feed(text)
    base = _joined(address, parser.base)
    return list(dict.fromkeys(urldefrag(_joined(base, target)).url for target in parser.targets))


def archive_name(link: str, pattern: re.Pattern[str]) -> str | None:
    """The name of the archive that a link leads to, in its path or its query; None when it leads to something else."""
    parts = urlsplit(link)
    named = (PurePosixPath(unquote(unquote(text))).name for text in (parts.path, *(value for _, value in parse_qsl(parts.query))))
    return next((name for name in named if pattern.search(name) and name.isprintable()), None)


def nothing_on_offer(place: str, links: Iterable[str], pattern: re.Pattern[str]) -> ReleaseError:
    """What is said of a page whose `links` lead to no archive."""
    links = list(links)
    zips = of_links(links, [], pattern.pattern)
    shown = f": {named(zips)}" if zips else ""
    return ReleaseError(
        f"Links such as 202502-Regional-2024-export.zip were expected; {place} offers none: it has {len(links)} links,"
        f" {len(zips)} of them to ZIP files, passed over{shown}.",
        where=place,
        cause="the page's layout or the naming of the archives changed, or this is another page than meant",
        remedy="look at the page; if the archives are there under other names, set COMEX_ARCHIVE_PATTERN to a regular"
        f" expression that these names hold; now it is {pattern.pattern}",
    )


def _joined(base: str, target: str) -> str:
    try:
        joined = urljoin(base, target)
        _ = urlsplit(joined).port  # raises too: without a base, urljoin looks at nothing
        return joined
    except ValueError:  # brackets that are no IPv6 address, a port that is no number: a link to nowhere
        return base


def _address(link: str, page: str) -> str:
    """The link in one spelling; as secret as its page: old links to http are common on pages that moved to https."""
    secret = urlsplit(page).scheme == "https" and not urlsplit(link).port
    try:
        return bare(re.sub(r"(?i)^http:", "https:", link) if secret else link)
    except httpx.InvalidURL:
        return link
