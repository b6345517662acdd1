"""What differs between two copies of a bundle, file by file and down to the number.

Add here: how a kind of file is read to find the difference in it. Keep out: where the copies come from (`verify.py`).
`trouve` is the copy in question, `attendu` the one that was made again. Words are English: an operator reads them.
"""

import csv
import io
import json
import re
import struct
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from pypdf import PdfReader

from pipeline.archive.inspect import digest

MOST = 5  # differences told of one file
AROUND = 40  # characters shown on each side of a difference
KEYS = ("niveau", "code", "flux", "produit_code", "pays_code")  # columns that name a row of a data file
LABELS = ("chemin", "figure", "release_id", "nom")  # what names an entry of a list in the manifest
# What follows from the versions of the software: not compared when these differ.
OF_VERSIONS = ("versions", "chaine.marts", "chaine.figures", "fichiers")


def ecarts(trouve: Path, attendu: Path, *, octets: bool = True) -> list[str]:
    """What differs in the bundle `trouve`, told line by line; nothing when it holds.

    With `octets` every file must be the same to the byte. Without, for bundles of other versions of the software: the same
    data files, the same words in pages, PDF and SVG, and files that are still those of their own manifest.
    """
    told = []
    for nom in sorted(_files(trouve) | _files(attendu)):
        found, expected = trouve / nom, attendu / nom
        if not found.is_file():
            told.append(f"{nom}: the file is missing")
        elif not expected.is_file():
            told.append(f"{nom}: no such file is in this bundle when it is made again")
        elif found.read_bytes() != expected.read_bytes():
            try:
                lines = list(islice(_ecarts_de(nom, found.read_bytes(), expected.read_bytes(), octets=octets), MOST + 1))
            except Exception as error:  # what was altered by hand may break its reader anywhere
                lines = [f"it cannot be read ({str(error)[:100] or type(error).__name__})"]
            told += [f"{nom}, {line}" for line in lines[:MOST]] + [f"{nom}: more differences follow"] * (len(lines) > MOST)
    return told if octets else told + _altered(trouve)


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _altered(folder: Path) -> list[str]:
    """Files that are not those their own manifest lists: the one comparison of bytes that other versions leave."""
    try:
        entries = json.loads((folder / "manifest.json").read_bytes())["fichiers"]
        listed = {entry["chemin"]: entry["sha256"] for entry in entries}
    except (ValueError, KeyError, TypeError) as error:
        return [f"manifest.json: its list of files cannot be read ({type(error).__name__}: {error})"]
    return [
        f"{nom}: altered since it was made (its sha256 is not the one of its own manifest)"
        for nom in sorted(_files(folder) - {"manifest.json"})
        if digest(folder / nom) != listed.get(nom)
    ]


def _ecarts_de(nom: str, found: bytes, expected: bytes, *, octets: bool) -> Iterator[str]:
    kind = nom.rpartition(".")[2]
    if kind == "pdf":
        yield from _pdf(found, expected, octets=octets)
    elif kind == "png":
        yield from _png(found, expected) if octets else ()
    else:
        try:
            texts = found.decode(), expected.decode()
        except UnicodeDecodeError:
            yield f"the text is not UTF-8 ({len(found):,} bytes, {len(expected):,} expected)"
            return
        if kind == "csv":
            yield from _csv(*texts)
        elif kind == "json":
            yield from _json(*texts, octets=octets)
        else:
            yield from _markup(*texts, octets=octets)


def _csv(found: str, expected: str) -> Iterator[str]:
    rows, wanted = (list(csv.reader(io.StringIO(text, newline=""))) for text in (found, expected))
    head = wanted[0]
    if rows[:1] != [head]:
        yield f"columns: {_two(';'.join(rows[0] if rows else []), ';'.join(head))}"
        return
    if len(rows) != len(wanted):
        yield f"{len(rows) - 1} rows found, {len(wanted) - 1} expected"
    keys = {column for column, *values in zip(head, *wanted[1:], strict=True) if column in KEYS and len({*values}) > 1}
    same = True
    for line, (row, good) in enumerate(zip(rows[1:], wanted[1:], strict=False), start=2):
        names = " ".join(value for column, value in zip(head, good, strict=True) if column in keys)
        for column, cell, value in zip_longest(head, row, good, fillvalue=""):
            if cell != value:
                same = False
                yield f"line {line} ({names}), column {column}: found {cell}, expected {value}"
    if same and len(rows) == len(wanted):
        yield "all cells hold; quotation marks or line ends differ"


def _json(found: str, expected: str, *, octets: bool) -> Iterator[str]:
    told = False
    for key, value, wanted in _leaves(json.loads(found), json.loads(expected)):
        if octets or not key.startswith(OF_VERSIONS):
            told = True
            yield f"{key}: found {_shown(value)}, expected {_shown(wanted)}"
    if octets and not told:
        yield "all values hold; their order or the spaces between them differ"


def _leaves(found: Any, expected: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Path, value and expected value of each leaf that differs; None for one that is not there."""
    if isinstance(found, list) and isinstance(expected, list):
        found, expected = ({_label(item, n): item for n, item in enumerate(items)} for items in (found, expected))
    if isinstance(found, dict) and isinstance(expected, dict):
        for name in {**expected, **found}:
            yield from _leaves(found.get(name), expected.get(name), f"{key}.{name}".lstrip("."))
    elif found != expected or type(found) is not type(expected):
        yield key, found, expected


def _label(item: Any, n: int) -> str:
    names = [str(item[label]) for label in LABELS if label in item] if isinstance(item, dict) else []
    if isinstance(item, dict) and "mart" in item and "territoire" in item:
        names = [f"{item['mart']}/{item['territoire']}"]
    return f"[{names[0] if names else n}]"


def _shown(value: Any) -> str:
    return "nothing" if value is None else _cut(json.dumps(value, ensure_ascii=False))


def _markup(found: str, expected: str, *, octets: bool) -> Iterator[str]:
    """Tags and the texts between them; the data of a drawn figure are such a text. Without `octets`, the texts alone."""
    tokens, wanted = (re.findall(r"<[^>]*>|[^<]+", text) for text in (found, expected))
    if not octets:
        tokens, wanted = ([token.strip() for token in all_ if token.strip() and token[0] != "<"] for all_ in (tokens, wanted))
    yield from _sequence(tokens, wanted)


def _sequence(found: list[str], expected: list[str]) -> Iterator[str]:
    """The items that differ, each with the words before it."""
    if len(found) == len(expected):
        changed = [(n, n + 1, n, n + 1) for n in range(len(found)) if found[n] != expected[n]]
    else:
        matches = SequenceMatcher(None, found, expected).get_opcodes()
        changed = [(a, b, c, d) for tag, a, b, c, d in matches if tag != "equal"]
    for a, b, c, d in changed:
        before = next((text.strip() for text in reversed(expected[:c]) if text.strip() and text[0] != "<"), "")
        yield _two("".join(found[a:b]), "".join(expected[c:d])) + (f", after « {_cut(before, end=True)} »" if before else "")


def _two(found: str, expected: str) -> str:
    """Both texts where they part, with what stands around."""
    start = next((n for n, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b), min(len(found), len(expected)))
    start = max(start - AROUND, 0)
    shown = (("…" if start else "") + _cut(text[start:]) for text in (found, expected))
    return "found « {} », expected « {} »".format(*shown)


def _cut(text: str, *, end: bool = False) -> str:
    text = re.sub(r"[\r\n\t ]+", " ", text)
    if len(text) <= 2 * AROUND:
        return text
    return "…" + text[-AROUND:] if end else text[: 2 * AROUND] + "…"


def _pdf(found: bytes, expected: bytes, *, octets: bool) -> Iterator[str]:
    read, pages = _pages(found), _pages(expected)
    told = len(read) != len(pages)
    if told:
        yield f"{len(read)} pages found, {len(pages)} expected"
    for number, ((text, _), (good, _)) in enumerate(zip(read, pages, strict=False), start=1):
        for words in _sequence(text.splitlines(keepends=True), good.splitlines(keepends=True)):
            told = True
            yield f"page {number}: {words}"
    if told or not octets:
        return
    drawn = [str(number) for number, (a, b) in enumerate(zip(read, pages, strict=True), start=1) if a[1] != b[1]]
    what = f"the drawing of page {', '.join(drawn)} differs" if drawn else "pictures, fonts, structure or metadata differ"
    yield f"all words hold; {what} ({len(found):,} bytes, {len(expected):,} expected)"


def _pages(content: bytes) -> list[tuple[str, bytes]]:
    """Words and drawing of each page."""
    pages = PdfReader(io.BytesIO(content)).pages
    return [(page.extract_text(), contents.get_data() if (contents := page.get_contents()) else b"") for page in pages]


def _png(found: bytes, expected: bytes) -> Iterator[str]:
    parts, wanted = _chunks(found), _chunks(expected)
    differ = sorted({kind for kind in {*parts, *wanted} if parts.get(kind) != wanted.get(kind)})
    if {"IHDR", "IDAT", "PLTE"} & set(differ):
        yield f"the picture itself differs ({len(found):,} bytes, {len(expected):,} expected)"
    else:
        yield f"the picture holds; what is written in the file beside it differs ({', '.join(differ)})"


def _chunks(png: bytes) -> dict[str, bytes]:
    """The chunks of a PNG by kind, those of one kind end to end, with their checksums."""
    found: dict[str, bytes] = {"start": png[:8]}
    at = 8
    while at + 8 <= len(png):
        size, kind = struct.unpack(">I4s", png[at : at + 8])
        name = kind.decode("latin-1")
        found[name] = found.get(name, b"") + png[at + 8 : at + 12 + size]
        at += 12 + size
    return found | {"end": png[at:]}
