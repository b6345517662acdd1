"""What a source holds and does not offer, named with the reason: a file that was passed over in silence would be missed too late.

Add here: another kind of file that is not taken, and how it is told apart. Keep out: what is taken (`folder.py`, `page.py`).
A reason is what was tested: a member's name, a suffix, the pattern that a name does not match.
"""

import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from pipeline.archive.inspect import DATA_MEMBER
from pipeline.errors import ReleaseError

SHOWN = 12  # named in one message
# Other products of the customs, by what their names or members say; each with what it is.
OTHERS = (
    (re.compile(r"(?i)national"), "a national base"),
    (re.compile(r"(?i)drom"), "the base of the DROM"),
    (re.compile(r"(?i)(^|[/\\_-])region_\d{1,2}\b|\.xlsx?$"), "a per-region workbook"),
)
BESIDE = {".html", ".htm", ".css", ".js", ".pdf", ".md", ".png", ".svg", ".ini", ".xml", ".json", ".log"}  # of a page, or to read


@dataclass(frozen=True)
class Passed:
    """One file or link that is not offered, and why; `is_other`: another product of the customs, which is no news on their page."""

    name: str
    why: str
    is_other: bool = False

    @property
    def told(self) -> str:
        """Name and reason."""
        return f"{self.name} ({self.why})"


def in_folder(place: Path, taken: Iterable[Path], page: Path | None = None) -> list[Passed]:
    """What lies in `place` beside the archives `taken`; `page`: the index page that says which are, if there is one."""
    offered = set(taken)
    found = []
    for path in sorted(place.iterdir()):
        if path not in offered and path != page and (why := _why(path, page)):
            found.append(why)
    return found


def of_links(links: Iterable[str], taken: Iterable[str], pattern: str) -> list[Passed]:
    """The links of a page that lead to ZIP files other than the archives `taken` (by name)."""
    offered, found = set(taken), {}
    for link in links:
        name = PurePosixPath(unquote(urlsplit(link).path)).name
        if name.lower().endswith(".zip") and name.isprintable() and name not in offered:
            other = _other(name)
            why = f"by its name {other}" if other else f"its name does not match COMEX_ARCHIVE_PATTERN, {pattern}"
            found[name] = Passed(name, why, bool(other))
    return [found[name] for name in sorted(found)]


def named(passed: Iterable[Passed]) -> str:
    """All of them in a sentence: what may be meant first."""
    each = sorted(passed, key=lambda one: (one.is_other, one.name.startswith("."), one.name))
    more = f" and {len(each) - SHOWN} more" if len(each) > SHOWN else ""
    return "; ".join(one.told for one in each[:SHOWN]) + more


def notice(passed: list[Passed], where: str, *, is_page: bool) -> list[ReleaseError]:
    """What the operator is told; nothing where a page links other products of the customs alone, as their own does."""
    if not passed or (is_page and all(each.is_other for each in passed)):
        return []
    return [
        ReleaseError(
            f"Archives of regional rows alone were expected; {len(passed)} of what is there was passed over: {named(passed)}.",
            where=where,
            cause="for each the reason beside its name",
            remedy="nothing, if none of them is meant; an archive of regional rows is taken when it is a ZIP whose data member has a name"
            " that the customs use, such as Region_2024_Export.txt, or whose own name matches COMEX_ARCHIVE_PATTERN",
        )
    ]


def _why(path: Path, page: Path | None) -> Passed | None:
    if path.is_dir():
        return (
            None
            if path.name.startswith(".") or path.name.endswith(("_files", "_fichiers"))
            else Passed(f"{path.name}/", "a folder")
        )
    suffix = path.suffix.lower()
    if suffix == ".zip":
        if path.name.startswith("."):
            return Passed(path.name, "a hidden file, such as a Mac leaves beside another")
        if page is not None:
            other = _other(path.name)
            return Passed(path.name, f"{page.name} does not link it, or not under a name that is taken", bool(other))
        return _zip(path)
    if path.name.startswith(".") or suffix in BESIDE or (suffix == ".txt" and not DATA_MEMBER.search(path.name)):
        return None
    unpacked = "rows that were unpacked, no ZIP" if DATA_MEMBER.search(path.name) else "no ZIP by its name"
    return Passed(path.name, unpacked)


def _zip(path: Path) -> Passed:
    """A ZIP without regional rows under a name that is not that of a regional archive."""
    with zipfile.ZipFile(path) as archive:
        members = [name for name in archive.namelist() if not name.endswith("/")]
    other = next(filter(None, map(_other, (path.name, *members))), "")
    held = ", ".join(PurePosixPath(name).name for name in members[:3]) or "nothing"
    return Passed(
        path.name,
        f"{f'{other}: ' if other else ''}no member under a name of regional rows, such as Region_2024_Export.txt; it holds {held}",
        bool(other),
    )


def _other(name: str) -> str:
    return next((what for pattern, what in OTHERS if pattern.search(name)), "")
