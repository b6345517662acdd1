"""Is this archive what it claims to be? Pure verdicts on a ZIP and its members; nothing is written.

Add here: one more thing that a customs archive must satisfy before its rows are read. Keep out: verdicts on rows
(`rows.py`) and on label files (`labels.py`), meanings of codes (dbt).
"""

import hashlib
import json
import re
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.archive.causes import refusal
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
START = (1 << 16) + 1024  # bytes looked at to tell what a file is; as many hold the end of a ZIP, with the longest comment
MAGIC = {  # how files of other formats begin
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "RAR",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"MSCF": "CAB",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "Microsoft Office (.xls, .doc)",
    b"%PDF-": "PDF",
    b"PAR1": "Parquet",
}
METHODS = {
    **{
        1: "Shrink",
        2: "Reduce",
        3: "Reduce",
        4: "Reduce",
        5: "Reduce",
        6: "Implode",
        9: "Deflate64",
        10: "PKWARE DCL",
        12: "bzip2",
    },
    **{14: "LZMA", 16: "IBM CMPSC", 18: "IBM TERSE", 19: "IBM LZ77", 20: "Zstandard", 93: "Zstandard", 94: "MP3", 95: "xz"},
    **{96: "JPEG", 97: "WavPack", 98: "PPMd"},
}
READABLE = {  # by this Python; Zstandard from 3.14 on
    zipfile.ZIP_STORED: "none",
    zipfile.ZIP_DEFLATED: "Deflate",
    zipfile.ZIP_BZIP2: "bzip2",
    zipfile.ZIP_LZMA: "LZMA",
    **({93: "Zstandard"} if hasattr(zipfile, "ZIP_ZSTANDARD") else {}),
}
AES = 99  # the method that stands where WinZip's encryption hides the real one


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
    with path.open("rb") as file:
        start = file.read(START)
        file.seek(max(0, path.stat().st_size - START))
        end = file.read()
    _is_a_zip(path, name, start, end)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            comment = archive.comment.decode("utf-8", "replace")
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as error:
        raise _cannot_be_opened(path, name, end, str(error)) from error
    _stays_in_its_folder(members, path)
    _can_be_unpacked(members, path)
    _is_not_a_bomb(members, path)
    member = _data_member(members, path, name)
    labels = {i.filename: m.group(2).upper() for i in members if (m := LABEL_MEMBER.search(i.filename))}
    return Contents(member, labels, _flux(member), _vintage(name, member, origin, members), comment.startswith(EXAMPLE_MARK))


def web_page(name: str, start: bytes, *, where: str) -> ReleaseError:
    """What is said of a page, or another answer of a site, that came as the archive `name`; `start`: its first bytes."""
    text = _text(start)
    form = _answer(text) or "HTML"
    what = "a web page" if form == "HTML" else f"an answer in {form}"
    return refusal(
        f"A ZIP archive was expected; {name} is {what}: it begins with {text[:40]!r}.",
        where=where,
        check="is_not_an_html_page",
        cause="web_page" if form == "HTML" else "answer",
        debut=text[:40],
        format=form,
    )


def form_of(start: bytes) -> str:
    """The format that the first bytes of a file tell, such as 7z; "" for text and for what is not known."""
    if start[257:262] == b"ustar":
        return "tar"
    return next((form for magic, form in MAGIC.items() if start.startswith(magic)), "")


def utf_16(start: bytes) -> str:
    """The encoding of a text, from its first bytes, if it is UTF-16 or UTF-32, with or without a BOM; else ""."""
    for encoding, bom in {
        "UTF-32": b"\xff\xfe\0\0",
        "UTF-32-BE": b"\0\0\xfe\xff",
        "UTF-16": b"\xff\xfe",
        "UTF-16-BE": b"\xfe\xff",
    }.items():
        if start.startswith(bom):
            return encoding
    sample = start[:400]  # of Latin characters, every second byte is zero, and no other
    for encoding, zeros, others in (("UTF-16-LE", sample[1::2], sample[::2]), ("UTF-16-BE", sample[::2], sample[1::2])):
        if len(zeros) >= 8 and zeros.count(0) > 0.9 * len(zeros) and others.count(0) < 0.1 * len(others):
            return encoding
    return ""


def looks_like_an_answer(start: bytes) -> bool:
    """Does a file begin like a web page, or like another answer of a site?"""
    return _answer(_text(start)) != ""


def _text(start: bytes) -> str:
    """The start of a file as text, without what may stand before its first character."""
    return start.decode(utf_16(start) or "utf-8", "replace").lstrip("\ufeff \t\r\n")


def _answer(text: str) -> str:
    """HTML, XML or JSON, if a text begins like one; else ""."""
    text = re.sub(r"(?s)^(<!--.*?-->\s*|<\?.*?\?>\s*)+", lambda found: "<?xml " if "<?xml" in found[0] else "", text)
    if re.match(
        r"(?i)(<\?xml )?<(!--|!doctype\s+html|html|head|body|title|meta|script|style|div|p|h\d|a|br|table|center)\b|<!--", text
    ):
        return "HTML"
    if text.startswith("<?xml") or re.match(r"<(!DOCTYPE|[A-Za-z_][\w:.-]*)[\s>/]", text):
        return "XML"
    with suppress(ValueError):
        if text.startswith(("{", "[")) and isinstance(json.loads(text), dict | list):
            return "JSON"
    return ""


def _is_a_zip(path: Path, name: str, start: bytes, end: bytes) -> None:
    """Raise ReleaseError for bytes that are visibly something else, or one part of several."""
    size = path.stat().st_size
    if not start:
        raise refusal(
            f"A ZIP archive was expected; {name} is empty (0 bytes).", where=str(path), check="is_a_real_archive", cause="nothing"
        )
    if start.startswith(b"PK"):
        disk = end[end.rfind(b"PK\5\6") + 4 :][:2] if b"PK\5\6" in end else b""
        part = int.from_bytes(disk, "little")
        if start.startswith(b"PK\7\x08PK") or 0 < part < 0xFFFF:  # 0xFFFF: the number stands in the ZIP64 directory
            raise refusal(
                f"A whole ZIP archive was expected; {name} ({size:,} bytes) is part {part + 1} of one in several parts.",
                where=str(path),
                check="is_a_real_archive",
                cause="part_of_several",
                partie=part + 1,
            )
        return
    if _answer(_text(start)):
        raise web_page(name, start, where=str(path))
    first = _text(start).split("\n", 1)[0].strip()
    form = form_of(start)
    if form or re.match(r"[EI];([^;]*;){8}[^;]*$", first):
        raise refusal(
            f"A ZIP archive was expected; {name} ({size:,} bytes) is {f'a file of the format {form}' if form else 'text'},"
            f" and begins with {(start[:8] if form else first[:40])!r}.",
            where=str(path),
            check="is_a_real_archive",
            cause="other_format" if form else "bare_text",
            format=form,
        )


def _cannot_be_opened(path: Path, name: str, end: bytes, error: str) -> ReleaseError:
    """What is said of bytes that begin like a ZIP, or like nothing known, and are none to the end."""
    with path.open("rb") as file:
        start = file.read(16)
    if b"PK\5\6" in end:
        cause = "altered"
    elif start.startswith(b"PK\3\4"):
        cause = "cut" if end.strip(b"\0") and not end.endswith(b"\0" * 64) else "cut_and_filled"
    else:
        cause = "unknown"
    return refusal(
        f"A ZIP archive was expected; {name} ({path.stat().st_size:,} bytes) cannot be opened as one: {error}"
        + (f"; it begins with {start!r}." if cause == "unknown" else "."),
        where=str(path),
        check="is_a_real_archive",
        cause=cause,
    )


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


def _can_be_unpacked(members: list[zipfile.ZipInfo], path: Path) -> None:
    for member in members:
        if member.flag_bits & 0x1:
            how = "AES" if member.compress_type == AES else "PKWARE" if member.flag_bits & 0x40 else "ZipCrypto"
            raise refusal(
                f"Plain members were expected; {member.filename!r} in {path.name} is encrypted ({how}).",
                where=str(path),
                check="is_a_real_archive",
                cause="encrypted",
                chiffrement=how,
            )
        if member.compress_type not in READABLE:
            method = METHODS.get(member.compress_type, "a method of no known name")
            raise refusal(
                f"Members packed by Deflate were expected; {member.filename!r} in {path.name} is packed by {method}"
                f" (method {member.compress_type}).",
                where=str(path),
                check="is_a_real_archive",
                cause="method",
                membre=member.filename,
                methode=method,
                numero=member.compress_type,
                lus=", ".join(READABLE[each] for each in sorted(READABLE) if each),
            )


def _data_member(members: list[zipfile.ZipInfo], path: Path, name: str) -> str:
    names = [member.filename for member in members]
    data = [each for each in names if DATA_MEMBER.search(each)]
    if len(data) == 1:
        return data[0]
    inner = next((each for each in names if re.search(r"(?i)\.(zip|7z|rar|gz|tgz|tar|bz2|xz)$", each)), "")
    national = next((each for each in names if re.search(r"(?i)national_\d{4}_", each)), "")
    if data:
        cause = "several_members"
    elif "[Content_Types].xml" in names or "content.xml" in names:
        cause = "workbook"
    else:
        cause = "archive_inside" if inner else "national_base" if national else "other_members"
    held = ", ".join(names[:8]) or "nothing"
    raise refusal(
        f"Exactly one data member was expected (such as Region_2024_Export.txt or REGIONAL_CPF4PAYSE.txt); "
        f"{name} has {len(data)}. It holds: {held}.",
        where=str(path),
        check="has_exactly_one_data_member",
        cause=cause,
        membre=inner or national,
        membres=len(data),
        contenu=held,
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


def refuse_other_names(received: Received) -> None:
    """Raise ReleaseError when the names of an archive and of its data member announce different flows or years."""
    member = PurePosixPath(received.contents.data_member.replace("\\", "/")).name
    flows = {found.lower() for found in re.findall(r"(?i)import|export", received.name)}
    years = set(re.findall(r"(?i)regional(?:-ce)?[-_ ]?(20\d\d)(?!\d)", received.name))
    said = {"flow": flows, "year": years}
    found = {"flow": {FLUX[received.contents.flux]}, "year": set(filter(None, [announced_year(received.contents)]))}
    for what in said:
        if len(said[what]) == 1 and found[what] and said[what] != found[what]:
            [archive], [data] = said[what], found[what]
            raise refusal(
                f"One {what} was expected in the names of the archive and of its data member;"
                f" {received.name} says {archive}, and {member} says {data}.",
                where=str(received.path),
                check="names_agree",
                cause="renamed",
                archive=received.name,
                membre=member,
                annonce_archive=archive,
                annonce_membre=data,
            )


def announced_year(contents: Contents) -> str:
    """The year that the data member's name announces; "" for rolling quarters."""
    found = re.search(r"_(\d{4})_", PurePosixPath(contents.data_member.replace("\\", "/")).name)
    return found[1] if found else ""


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
