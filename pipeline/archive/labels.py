"""The label files of an archive: judged before it is kept, since every later run reads them; and their rows.

Add here: a verdict on label files that needs no knowledge of codes. Keep out: which label is printed (dbt:
`int_libelles`), whether a member may be unpacked at all (`inspect.py`).
"""

import csv
import io
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from pipeline.archive.inspect import Contents
from pipeline.errors import ReleaseError

MAX_LABEL = 1_000  # characters: the longest of the customs' has 155
MAX_ROWS = 20_000  # of an archive's label files together: the customs' have 941
MAX_TIMES = 50  # that a code stands in them: the customs' at most twice
OPEN_START, OPEN_END = "190001", "999912"  # validity of a table without dates, as the customs write it
FIELDS, TEXT, DATES, ONCE = (
    "labels_have_their_fields",
    "labels_are_plain_text",
    "label_dates_are_months",
    "label_codes_stand_once",
)
VERDICTS = {  # as sentences
    FIELDS: "Each line of a label file has a code and a label, and dates of validity or none, of plausible length.",
    TEXT: "Label files are UTF-8 or Windows-1252, without replacement or control characters, and no sign of direction in a code.",
    DATES: "Dates of validity in label files are months, AAAAMM, the first before the last.",
    ONCE: "No label file gives a code two labels for the same months.",
}
CODE = re.compile(r"[0-9A-Za-z]{1,8}")
MONTH = re.compile(r"\d{4}(0[1-9]|1[0-2])")
# Bytes of other code pages that Windows-1252 reads as these signs, which no French label holds: DOS 850, Mac Roman.
FOREIGN = set("‚ƒ„†‡ˆ‰Š‹Ž˜š›ž¢£¤¥¦¨¬¯¶¸¹¾¿þýÞÝ")
TWICE = re.compile("[ÃÂ][\u0080-\u00bf]|â€")  # UTF-8 read as Windows-1252 and written again
# Signs that turn what follows around. A label may hold them: print and pages leave them out, and a check names them.
DIRECTION = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
REVISION = re.compile(r"(?i)rev[ ._-]*(\d(?:\.\d)?)|(?:naf|na|cpf)[ ._-]*(20\d\d)|[ ._-](20\d\d)(?!\d)")


class Label(NamedTuple):
    """One row of a label file. `debut`, `fin`: first and last month of validity, AAAAMM; `fichier`: the member's name."""

    nomenclature: str
    code: str
    libelle: str
    debut: str
    fin: str
    fichier: str
    revision: str


def read(path: Path, contents: Contents) -> list[Label]:
    """All rows of the label members of the archive at `path`, by nomenclature, then member.

    Raises ReleaseError at the first line that is not what a label file holds.
    """
    found: list[Label] = []
    try:
        with zipfile.ZipFile(path) as archive:
            for member, nomenclature in sorted(contents.label_members.items(), key=lambda each: each[::-1]):
                where = f"{path.name}, {member}"
                found += _rows(archive.read(member), nomenclature, PurePosixPath(member).name, where)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ReleaseError(
            f"Label files whose CRCs hold were expected; a member of {path.name} cannot be unpacked: {error}.",
            where=str(path),
            cause="the download was cut or altered on its way",
            remedy="download the archive again and run again",
            check="is_a_real_archive",
        ) from error
    _stand_once(found, path.name)
    return found


def revision(member: str) -> str:
    """The revision of a nomenclature that a file's name tells: `Libelle_CPF4_rev2.1_2.txt` → `2.1`; empty where it tells none."""
    found = REVISION.search(PurePosixPath(member).stem)
    return next(filter(None, found.groups()), "") if found else ""


def _rows(payload: bytes, nomenclature: str, fichier: str, where: str) -> Iterator[Label]:
    text = _decoded(payload, where)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";")
    told = revision(fichier)
    try:
        for count, row in enumerate(reader):
            fields = [field.strip() for field in row]
            while fields and not fields[-1]:
                fields.pop()
            is_header = count == 0 and fields and fields[0].casefold().startswith("code")
            if (
                fields and not is_header and (len(fields) == 1 or fields[1])
            ):  # a code without a label says nothing: ours is printed
                yield Label(nomenclature, *_checked(fields, f"{where}, line {reader.line_num:,}"), fichier, told)
    except csv.Error as error:  # the module's own limit on a field, 128 KiB
        line = text.splitlines()[reader.line_num - 1]
        found = f"{error}: {_shown(line)}, {len(line):,} characters"
        raise _too_long(f"{where}, line {reader.line_num:,}", found, is_quoted=len(line) < csv.field_size_limit()) from error


def _checked(fields: list[str], where: str) -> tuple[str, str, str, str]:
    """Code, label, first and last month of a line."""
    shown = _shown(";".join(fields))
    if len(fields) > 1 and ";" not in fields[1]:  # with one, the line end is that of a line whose quotation mark was not closed
        fields = [fields[0], re.sub(r"[\t\r\n]+", " ", fields[1]), *fields[2:]]
    if (longest := max(map(len, fields))) > MAX_LABEL:
        raise _too_long(where, f"a field of {longest:,} characters, {shown}", is_quoted=any("\n" in field for field in fields))
    if bad := next((sign for n, field in enumerate(fields) for sign in field if _is_unprintable(sign, n == 1)), None):
        raise _refused(
            TEXT,
            f"Codes and labels that can be printed were expected; found U+{ord(bad):04X} ({_named(bad)}): {shown}.",
            where,
            _cause_of_sign(bad),
            {"trouve": f"U+{ord(bad):04X}\u00a0: {shown}"},
        )
    if not 2 <= len(fields) <= 4 or not CODE.fullmatch(fields[0]):
        raise _refused(
            FIELDS,
            f"A code of digits and letters, a label and at most two dates were expected, separated by « ; »; found {len(fields)}"
            f" field(s): {shown}.",
            where,
            _cause_of_fields(fields),
            {"trouve": f"{len(fields)} champ(s)\u00a0: {shown}"},
        )
    code, libelle, debut, fin = (*fields, "", "")[:4]
    debut, fin = debut or OPEN_START, fin or OPEN_END
    if not MONTH.fullmatch(debut) or not MONTH.fullmatch(fin) or debut > fin:
        cause = (
            "the first month lies after the last one" if debut > fin else "dates in another notation, or columns in another order"
        )
        raise _refused(
            DATES,
            f"Months such as 200901 were expected, the first before the last; found {debut!r} and {fin!r}: {shown}.",
            where,
            cause,
            {"trouve": shown},
        )
    return code, libelle.replace(" | ", " ; "), debut, fin


def _decoded(payload: bytes, where: str) -> str:
    """The text of a file in one of the two encodings that the customs use; the true reason otherwise."""
    start = payload[:400]
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or max(start[::2].count(0), start[1::2].count(0)) > len(start) / 4:
        raise _not_text(
            "UTF-16", "the file was saved again by a spreadsheet or an editor as « Unicode »", where, "Texte en UTF-16"
        )
    try:
        text = payload.decode("utf-8-sig")
    except UnicodeDecodeError as utf8:
        try:
            text = payload.decode("cp1252")
        except UnicodeDecodeError as error:
            byte = payload[error.start]
            found = f"neither UTF-8 (byte {utf8.start:,}) nor Windows-1252, which has no 0x{byte:02X} (byte {error.start:,})"
            bytes_french = f"Ni UTF-8, ni Windows-1252 (octet 0x{byte:02X})"
            raise _not_text(found, "another code page (DOS, Mac), or a damaged file", where, bytes_french) from error
        if foreign := sorted(FOREIGN & set(text)):
            signs, line = " ".join(foreign[:6]), _line_with(text, foreign[0])
            found = f"signs of another code page: {signs}, in line {line}"
            raise _not_text(
                found, "a file in a DOS or Mac code page", where, f"Signes d’un autre jeu de caractères\u00a0: {signs}"
            ) from utf8
    if "\ufffd" in text:
        line = _line_with(text, "\ufffd")
        found = f"{text.count(chr(0xFFFD)):,} times U+FFFD, the sign for what could not be read, in line {line}"
        lost = f"Caractère de remplacement U+FFFD, ligne {line}"
        raise _not_text(found, "letters were lost when the file was converted before it came here", where, lost)
    if twice := TWICE.search(text):
        line = _line_with(text, twice[0])
        found = f"UTF-8 that was read as Windows-1252 and written again, in line {line}"
        raise _not_text(
            found, "the file was converted twice before it came here", where, f"Texte converti deux fois, ligne {line}"
        )
    return text


def _stand_once(labels: list[Label], name: str) -> None:
    """Raise ReleaseError where a code has two labels for the same months."""
    by_code: dict[tuple[str, str], list[Label]] = {}
    if len(labels) > MAX_ROWS:
        raise _too_many(name, f"{len(labels):,} lines, {MAX_ROWS:,} at most")
    for label in labels:
        others = by_code.setdefault((label.nomenclature, label.code), [])
        if len(others) == MAX_TIMES:
            raise _too_many(name, f"{label.nomenclature} {label.code} more than {MAX_TIMES} times")
        for other in others:
            overlaps = label.debut <= other.fin and other.debut <= label.fin
            if overlaps and _folded(label.libelle) != _folded(other.libelle):
                told = [f"{_shown(each.libelle)} ({each.debut}–{each.fin}, {each.fichier})" for each in (other, label)]
                raise _refused(
                    ONCE,
                    f"One label a month was expected for {label.nomenclature} {label.code}; two overlap: {told[0]} and {told[1]}.",
                    f"{name}, {label.fichier}",
                    "a line that was added without ending the former one, or two tables joined into one file",
                    {"trouve": f"{label.nomenclature} {label.code}\u00a0: {' et '.join(told)}"},
                )
        others.append(label)


def _folded(libelle: str) -> str:
    """A label without what editions write differently: case, accents, apostrophes, spaces, punctuation."""
    plain = unicodedata.normalize("NFKD", libelle.casefold().replace("œ", "oe"))
    return " ".join(re.findall(r"[^\W_]+", "".join(sign for sign in plain if not unicodedata.combining(sign))))


def _cause_of_fields(fields: list[str]) -> str:
    if len(fields) == 1:
        return (
            "another separator than « ; », or a text that is no table"
            if re.search(r"[,\t|]", fields[0])
            else "a line that is cut"
        )
    if len(fields) > 4:
        return "a « ; » inside a label without quotation marks, or columns that were added"
    return "a code that was lost or damaged, or a header line"


def _is_unprintable(sign: str, is_label: bool) -> bool:
    return unicodedata.category(sign) in ("Cc", "Zl", "Zp") or (sign in DIRECTION and not is_label)


def _named(sign: str) -> str:
    return unicodedata.name(sign, "a control character").lower()


def _cause_of_sign(sign: str) -> str:
    if sign in DIRECTION:
        return "a file that was made to look like another one: this sign turns what follows around"
    if sign in "\r\n":
        return "a quotation mark that is not closed on its line"
    return "an end-of-file mark of DOS" if sign == "\x1a" else "a damaged file: text has no such bytes"


def _too_long(where: str, found: str, *, is_quoted: bool) -> ReleaseError:
    return _refused(
        FIELDS,
        f"Labels of at most {MAX_LABEL:,} characters were expected; found {found}.",
        where,
        "a quotation mark that is not closed on its line"
        if is_quoted
        else "a damaged line, or a file that is no table of labels",
        {"trouve": f"Un champ de plus de {MAX_LABEL} caractères"},
    )


def _too_many(name: str, found: str) -> ReleaseError:
    expected = f"Tables of the codes of a nomenclature were expected; {name} has {found}."
    return _refused(
        FIELDS,
        expected,
        name,
        "label files that were written again and again, or that are no tables",
        {"trouve": "Bien trop de lignes"},
    )


def _not_text(found: str, cause: str, where: str, trouve: str) -> ReleaseError:
    expected = f"A label file in UTF-8 or Windows-1252 was expected; found {found}."
    return _refused(TEXT, expected, where, cause, {"trouve": trouve})


def _refused(check: str, expected_found: str, where: str, cause: str, facts: dict[str, Any]) -> ReleaseError:
    remedy = (
        "take the archive as the customs publish it; if it is so there, send them the report, and wait for the corrected release"
    )
    return ReleaseError(expected_found, where=where, cause=cause, remedy=remedy, check=check, facts=facts)


def _line_with(text: str, sign: str) -> str:
    number, line = next((n, line) for n, line in enumerate(text.splitlines(), start=1) if sign in line)
    return f"{number:,}: {_shown(line)}"


def _shown(text: str) -> str:
    """The start of a line, harmless on a terminal."""
    clean = "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in text[:80])
    return f"« {clean}{' …' if len(text) > 80 else ''} »"
