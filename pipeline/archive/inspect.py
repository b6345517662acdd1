"""Is this archive what it claims to be? Pure verdicts on a ZIP and its members; nothing is written.

Add here: one more thing that a customs archive must satisfy before its rows are read. Keep out: verdicts on rows
(`rows.py`) and on label files (`labels.py`), meanings of codes (dbt).
"""

import hashlib
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.errors import ReleaseError

DATA_MEMBER = re.compile(r"(?i)(^|[/\\])(REGIONAL_CPF4PAYS[EI]|Region(al)?_\d{4}_(Import|Export))\.txt$")
LABEL_MEMBER = re.compile(r"(?i)(^|[/\\])Libelle_(A129|CPF4|PAYS)[^/]*\.txt$")
VINTAGE = re.compile(r"(?<!\d)(20\d\d(?:0[1-9]|1[0-2]))(?!\d)")
DATED_ADDRESS = re.compile(r"^https?://.*/(20\d\d)[-/]?(0[1-9]|1[0-2])/")
FLUX = {"E": "export", "I": "import"}  # as rows and readers have it
UNDATED = "209912"  # a vintage for archives without any date: it forbids no quarter
EXAMPLE_MARK = "Données d'exemple"
MAX_BYTES = 8 * 1024**3  # unpacked, all members: a forty-million-row archive is about 1.5 GB; more is a bomb
MAX_LABEL_BYTES = 64 * 1024**2  # unpacked, one label member: the real ones are below 100 kB, and are read whole


@dataclass(frozen=True)
class Contents:
    """What an archive holds: its data member, its label members with their nomenclature (A129, CPF4, PAYS), flow, vintage."""

    data_member: str
    label_members: dict[str, str]
    flux: str  # I or E
    vintage: str  # AAAAMM
    est_exemple: bool


@dataclass(frozen=True)
class Received:
    """The bytes at `path`, published as `name`, and what they hold."""

    name: str
    path: Path
    sha256: str
    contents: Contents

    @property
    def id(self) -> str:
        """First 12 digits of the sha256: what rows and tables are marked with."""
        return self.sha256[:12]


def digest(file: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def inspect(path: Path, name: str | None = None, origin: str = "") -> Contents:
    """Read the directory of the archive at `path` (published as `name` at `origin`) and say what it holds.

    Raises ReleaseError for anything that is not a customs regional archive. CRCs are checked where the bytes are
    read (`rows.py`): reading them here too would unpack everything twice.
    """
    name = name or path.name
    _is_not_an_html_page(path, name)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            comment = archive.comment.decode("utf-8", "replace")
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as error:
        raise ReleaseError(
            f"A ZIP archive was expected; {name} ({path.stat().st_size:,} bytes) cannot be opened as one: {error}.",
            where=str(path),
            cause="the download was cut before its end, or the file was altered on its way",
            remedy="download the archive again, compare its size with the one on the customs' page, and run again",
            check="is_a_real_archive",
        ) from error
    _stays_in_its_folder(members, path)
    _is_not_a_bomb(members, path)
    data = [m.filename for m in members if DATA_MEMBER.search(m.filename)]
    if len(data) != 1:
        held = ", ".join(m.filename for m in members[:8]) or "nothing"
        raise ReleaseError(
            f"Exactly one data member was expected (such as Region_2024_Export.txt or REGIONAL_CPF4PAYSE.txt); "
            f"{name} has {len(data)}. It holds: {held}.",
            where=str(path),
            cause="another product of the customs (national or per-region base), or a new naming of the members",
            remedy="take the regional archives from the page of full bases;"
            " if the names changed, adapt DATA_MEMBER in archive/inspect.py",
            check="has_exactly_one_data_member",
            facts={"membres": len(data), "contenu": held},
        )
    labels = {i.filename: m.group(2).upper() for i in members if (m := LABEL_MEMBER.search(i.filename))}
    member = data[0]
    return Contents(member, labels, _flux(member), _vintage(name, member, origin, members), comment.startswith(EXAMPLE_MARK))


def web_page(name: str, start: bytes, *, where: str) -> ReleaseError:
    """What is said of a page that came as the archive `name`; `start`: its first bytes."""
    return ReleaseError(
        f"A ZIP archive was expected; {name} is a web page: it begins with {start.lstrip()[:40].decode('utf-8', 'replace')!r}.",
        where=where,
        cause="the site, or a proxy on the way, answered with an error, login or consent page under the archive's name",
        remedy="open the link in a browser; save the archive itself into a folder, give that as --source, and run again",
        check="is_not_an_html_page",
        facts={"debut": start.lstrip()[:40].decode("utf-8", "replace")},
    )


def _is_not_an_html_page(path: Path, name: str) -> None:
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        raise ReleaseError(
            f"A ZIP archive was expected; {name} is empty (0 bytes).",
            where=str(path),
            cause="a download that never began, or a disk that was full",
            remedy="delete the file, download it again, and run again",
            check="is_a_real_archive",
        )
    if re.match(rb"(?i)(\xef\xbb\xbf)?\s*<(!doctype|html|head|\?xml)", start):
        raise web_page(name, start, where=str(path))


def _stays_in_its_folder(members: list[zipfile.ZipInfo], path: Path) -> None:
    for member in members:
        raw = getattr(member, "orig_filename", member.filename).replace("\\", "/")
        if raw.startswith("/") or re.match(r"^[A-Za-z]:", raw) or ".." in PurePosixPath(raw).parts:
            raise ReleaseError(
                f"Members that stay inside their folder were expected; {path.name} holds {raw!r}.",
                where=str(path),
                cause="an archive made to write elsewhere on the disk: it does not come from the customs",
                remedy="do not unpack it; delete it and take the archive from the customs' own page",
                check="members_stay_in_their_folder",
                facts={"membre": raw},
            )
        if member.flag_bits & 0x1:
            raise ReleaseError(
                f"Plain members were expected; {raw!r} in {path.name} is encrypted.",
                where=str(path),
                cause="an archive repacked with a password",
                remedy="take the archive as the customs publish it",
                check="is_a_real_archive",
            )


def _is_not_a_bomb(members: list[zipfile.ZipInfo], path: Path) -> None:
    total = sum(member.file_size for member in members)
    label = max((member.file_size for member in members if LABEL_MEMBER.search(member.filename)), default=0)
    if total > MAX_BYTES or label > MAX_LABEL_BYTES:
        limit, found = (MAX_BYTES, total) if total > MAX_BYTES else (MAX_LABEL_BYTES, label)
        what = "" if total > MAX_BYTES else " for a label file"
        raise ReleaseError(
            f"At most {limit:,} bytes were expected once unpacked{what}; {path.name} announces {found:,}.",
            where=str(path),
            cause="not a release of the customs, whose year is below 100 MB",
            remedy="do not unpack it; take the archive from the customs' own page",
            check="is_not_a_bomb",
            facts={"limite": limit, "octets": found},
        )


def _flux(member: str) -> str:
    """I or E, from the member's name: the page's file names are less reliable."""
    base = PurePosixPath(member).stem.lower()
    return "I" if base.endswith(("import", "paysi")) else "E"


def _vintage(name: str, member: str, origin: str, members: list[zipfile.ZipInfo]) -> str:
    """AAAAMM from the name of the archive or of its data member, else from its address (…/2025-02/07/…), else the month
    of its newest member, which is when it was made.

    An archive without any (ZIP's own zero is 1980) gets UNDATED.
    """
    if found := VINTAGE.search(name) or VINTAGE.search(member) or DATED_ADDRESS.search(origin):
        return "".join(found.groups())
    year, month = max(each.date_time[:2] for each in members)
    return f"{year:04d}{month:02d}" if year > 2000 else UNDATED
