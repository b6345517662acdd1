"""What differs between two copies of a bundle, file by file and down to the number.

Add here: how a kind of file is read to find the difference in it. Keep out: where the copies come from (`verify.py`), what
may be read of a stranger's folder (`manifeste.py`, `epreuve.py`).
`trouve` is the copy in question, `attendu` the one that was made again. Words are English: an operator reads them.
Bytes are compared first, whatever a manifest says of versions: only where they differ may other versions be the reason.
"""

import csv
import io
import json
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from pipeline.archive.inspect import digest
from pipeline.fiche import epreuve, manifeste

MOST = 5  # differences told of one file
AROUND = 40  # characters shown on each side of a difference
LARGER = 4  # times as large as the file made again, and a MiB: more is not looked into
ALIGNED = 4_000_000  # products of two numbers of items: above, only the first difference is looked for
KEYS = ("niveau", "code", "flux", "produit_code", "pays_code")  # columns that name a row of a data file
LABELS = ("chemin", "figure", "release_id", "nom")  # what names an entry of a list in the manifest
# Digests that follow from the versions of the software: no difference between bundles of other versions.
OF_VERSIONS = re.compile(r"(chaine\.marts|chaine\.figures|fichiers)(\.|$)")
VERSIONS = re.compile(r"versions(\.|$)|chaine\.figures\.\[[^]]*\]\.navigateur$")  # told where they differ, and nothing more
PRINTED = re.compile(r'\b(alt|aria-label|content|data-cellule|title|value)="([^"]*)"')  # words and numbers that a tag holds
FORMATS = {"SVG", "PNG", "CSV"}  # names of links


@dataclass
class Comparaison:
    """Of two copies: what differs, in lines, and what could not be compared since their versions differ: file → what of it."""

    differences: list[str] = field(default_factory=list)
    non_compares: dict[str, str] = field(default_factory=dict)


def ecarts(trouve: Path, attendu: Path, *, octets: bool = True) -> list[str]:
    """The differences that `comparer` finds."""
    return comparer(trouve, attendu, octets=octets).differences


def comparer(trouve: Path, attendu: Path, *, octets: bool = True) -> Comparaison:
    """Compare the bundle `trouve` with the one made again.

    With `octets` every file must be the same to the byte. Without, for bundles that say that other versions of the software
    made them, what a file whose bytes differ shares with the other is compared: the cells of data files, the words of pages,
    PDF and SVG, the size of pictures; and files must be those of their own manifest. The rest is not compared, which is said.
    """
    found, expected, told = manifeste.inventaire(trouve), manifeste.inventaire(attendu), Comparaison()
    for nom in sorted({*found.fautes, *found.fichiers, *expected.fichiers}):
        own, again = trouve / nom, attendu / nom
        if nom in found.fautes:
            told.differences.append(f"{nom}: {found.fautes[nom]}")
            continue
        if nom not in found.fichiers:
            if octets or not nom.startswith("graphiques/"):
                told.differences.append(f"{nom}: the file is missing")
            else:
                told.non_compares[nom] = "it is not in the bundle"
            continue
        if nom not in expected.fichiers:
            told.differences.append(f"{nom}: no such file is in this bundle when it is made again")
            continue
        size, wanted = found.fichiers[nom], expected.fichiers[nom]
        if size > LARGER * wanted + 2**20:
            told.differences.append(f"{nom}: {size:,} bytes, {wanted:,} expected; it was not looked into")
            continue
        if size != wanted or own.read_bytes() != again.read_bytes():
            _comparer_fichier(nom, own, again, told, octets=octets)
    if not octets:
        told.differences += _altered(trouve, found)
    told.differences = [manifeste.lisible(line) for line in told.differences]  # names and cells are a stranger's
    return told


def _comparer_fichier(nom: str, own: Path, again: Path, told: Comparaison, *, octets: bool) -> None:
    try:
        lines = list(islice(_ecarts_de(nom, own, again, None if octets else told), MOST + 1))
    except Exception as error:  # what was altered by hand may break its reader anywhere
        lines = [f"it cannot be read ({str(error)[:200] or type(error).__name__})"]
    told.differences += [f"{nom}, {line}" for line in lines[:MOST]]
    told.differences += [f"{nom}: more differences follow"] * (len(lines) > MOST)


def compare_page(own: Path, again: Path, *, octets: bool) -> Comparaison:
    """The same of one page or script beside the bundles, which no manifest lists."""
    told = Comparaison()
    if own.read_bytes() != again.read_bytes():
        _comparer_fichier(own.name, own, again, told, octets=octets)
    return told


def _altered(folder: Path, found: manifeste.Inventaire) -> list[str]:
    """Files that are not those their own manifest lists: the one comparison of bytes that other versions leave."""
    try:
        entries = manifeste.lire(folder)["fichiers"]
        listed = {str(entry["chemin"]): (entry["sha256"], entry["taille"]) for entry in entries}
        if len(listed) < len(entries):
            return ["manifest.json: its list of files names one twice"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"manifest.json: its list of files cannot be read ({type(error).__name__}: {error})"]
    told = [f"{nom}: its own manifest lists it, and it is missing" for nom in sorted(listed.keys() - found.fichiers.keys())]
    for nom, size in sorted(found.fichiers.items()):
        if nom != "manifest.json" and listed.get(nom) != (digest(folder / nom), size):
            told.append(f"{nom}: altered since it was made (its sha256 or size is not the one of its own manifest)")
    return told


def _ecarts_de(nom: str, own: Path, again: Path, autres: Comparaison | None) -> Iterator[str]:
    """What differs in one file; with `autres` only what other versions do not explain, and there goes what was not compared."""
    kind = nom.rpartition(".")[2]
    count = 0
    if kind == "pdf":
        lines, beyond = _pdf(own, again, octets=autres is None), "the drawing of its pages"
    elif kind == "png":
        lines, beyond = _png(own.read_bytes(), again.read_bytes(), octets=autres is None), "the picture"
    else:
        found, expected = own.read_bytes(), again.read_bytes()
        try:
            texts = found.decode(), expected.decode()
        except UnicodeDecodeError:
            yield f"the text is not UTF-8 ({len(found):,} bytes, {len(expected):,} expected)"
            return
        if kind == "csv":
            lines, beyond = _csv(*texts, autres=autres, nom=nom), ""
        elif kind == "json":
            lines, beyond = _json(*texts, autres=autres, nom=nom), ""
        else:
            lines = _markup(*texts, octets=autres is None)
            beyond = "the picture" if kind == "svg" else "pictures, tags and layout"
    for count, line in enumerate(lines, start=1):  # noqa: B007
        yield line
    if autres is not None and beyond and not count:
        autres.non_compares[nom] = beyond


def _csv(found: str, expected: str, *, autres: Comparaison | None = None, nom: str = "") -> Iterator[str]:
    rows, wanted = (list(csv.reader(io.StringIO(text, newline=""))) for text in (found, expected))
    head = wanted[0]
    if autres is not None and rows and (absent := [column for column in head if column not in rows[0]]):
        autres.non_compares[nom] = f"columns that it lacks ({', '.join(absent)})"
        wanted = [[value for column, value in zip(head, row, strict=True) if column not in absent] for row in wanted]
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
        if autres is None:
            yield "all cells hold; quotation marks or line ends differ"
        else:
            autres.non_compares.setdefault(nom, "how its cells are written")


def _json(found: str, expected: str, *, autres: Comparaison | None, nom: str) -> Iterator[str]:
    told = False
    own, again = manifeste.charger(found.encode()), json.loads(expected)
    for key, value, wanted in _leaves(own, again):
        if autres is not None and VERSIONS.match(key):
            continue
        if autres is not None and (OF_VERSIONS.match(key) or key.partition(".")[0] not in own):
            autres.non_compares[nom] = "digests and keys that other versions write otherwise"
            continue
        told = True
        yield f"{key}: found {_shown(value)}, expected {_shown(wanted)}"
    if autres is None and not told:
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
    """Tags and the texts between them; the data of a drawn figure are such a text.

    Without `octets`, what is read: the texts, the words and numbers inside tags, and of a drawn figure its data.
    """
    tokens, wanted = (re.findall(r"<[^<>]*>?|[^<]+", text) for text in (found, expected))
    if octets:
        yield from _sequence(tokens, wanted)
    else:
        yield from _sequence(list(_read(tokens)), list(_read(wanted)))


def _read(tokens: list[str]) -> Iterator[str]:
    for before, token in zip(["", *tokens], tokens, strict=False):
        if token.startswith('<meta name="generator"'):
            continue  # the version, which is what is other
        if token.startswith("<"):
            yield from (f"{name} {value}" for name, value in PRINTED.findall(token))
        elif before.startswith('<script type="application/json"'):
            spec = json.loads(token)
            yield json.dumps([spec["data"], *_texts(spec["layout"])], ensure_ascii=False)
        elif (text := token.strip()) and text not in FORMATS:
            yield text


def _texts(layout: Any) -> Iterator[str]:
    """What the layout of a figure prints."""
    if isinstance(layout, dict):
        for key, value in layout.items():
            if key == "text":
                yield str(value)
            yield from _texts(value)
    elif isinstance(layout, list):
        for value in layout:
            yield from _texts(value)


def _sequence(found: list[str], expected: list[str]) -> Iterator[str]:
    """The items that differ, each with the words before it."""
    if len(found) == len(expected):
        changed = [(n, n + 1, n, n + 1) for n in range(len(found)) if found[n] != expected[n]]
    else:
        # What both begin and end with is not aligned: that costs their product where a stranger wants it to.
        start = _alike(found, expected)
        end = _alike(found[start:][::-1], expected[start:][::-1])
        middle, wanted = found[start : len(found) - end], expected[start : len(expected) - end]
        if len(middle) * len(wanted) > ALIGNED:
            changed = [(start, start + 1, start, start + 1)]
        else:
            matches = SequenceMatcher(None, middle, wanted).get_opcodes()
            changed = [tuple(start + n for n in (a, b, c, d)) for tag, a, b, c, d in matches if tag != "equal"]
    for a, b, c, d in changed:
        before = next((text.strip() for text in reversed(expected[:c]) if text.strip() and text[0] != "<"), "")
        yield _two("".join(found[a:b]), "".join(expected[c:d])) + (f", after « {_cut(before, end=True)} »" if before else "")


def _alike(found: list[str], expected: list[str]) -> int:
    """How many items both begin with."""
    pairs = enumerate(zip(found, expected, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(found), len(expected)))


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


def _pdf(own: Path, again: Path, *, octets: bool) -> Iterator[str]:
    read, pages = epreuve.pages(own), epreuve.lire_pages(again)
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
    yield f"all words hold; {what} ({own.stat().st_size:,} bytes, {again.stat().st_size:,} expected)"


def _png(found: bytes, expected: bytes, *, octets: bool) -> Iterator[str]:
    parts, wanted = _chunks(found), _chunks(expected)
    differ = sorted({kind for kind in {*parts, *wanted} if parts.get(kind) != wanted.get(kind)})
    if not octets:  # nothing of it is unpacked
        if parts["start"] != wanted["start"] or parts.get("IHDR", b"")[:8] != wanted.get("IHDR", b"")[:8]:
            yield "it is no PNG, or of another size in pixels"
        elif parts.get("iTXt") != wanted.get("iTXt"):
            yield "the title or source written in the file differs"
    elif {"IHDR", "IDAT", "PLTE"} & set(differ):
        yield f"the picture itself differs ({len(found):,} bytes, {len(expected):,} expected)"
    else:
        yield f"the picture holds; what is written in the file beside it differs ({', '.join(differ)})"


def _chunks(png: bytes) -> dict[str, bytes]:
    """The chunks of a PNG by kind, those of one kind end to end, with their checksums."""
    found: dict[str, list[bytes]] = {}
    at = 8
    while at + 8 <= len(png):
        size, kind = struct.unpack(">I4s", png[at : at + 8])
        found.setdefault(kind.decode("latin-1"), []).append(png[at + 8 : at + 12 + size])
        at += 12 + size
    return {"start": png[:8], **{kind: b"".join(parts) for kind, parts in found.items()}, "end": png[at:]}
