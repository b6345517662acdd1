"""The first rows of a data member against the format, in words: encoding, line ends, separator, and each of the ten fields.

Add here: another thing that a few thousand rows tell. Keep out: verdicts of a run (`archive/rows.py`).
"""

import csv
import re
import statistics
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from pipeline.archive.inspect import Contents
from pipeline.archive.rows import FIELDS
from pipeline.doctor.finding import Finding, Verdict, shown
from pipeline.paths import SEEDS
from pipeline.settings import Settings

PART = "archive"
ROWS = 2000
QUOTED = 5  # first lines, as they came
KNOWN = {  # of each field: seed, column
    "departement": ("departement_alias", "code_source"),
    "region": ("departements", "region_douane_code"),
    "a129": ("nomenclature_a129", "a129_code"),
    "cpf4": ("nomenclature_cpf4", "cpf4_code"),
    "pays": ("pays", "pays_code"),
}
SHAPES = {
    "flux": ("I or E", r"[IE]"),
    "trimestre": ("a quarter, 1 to 4", r"[1-4]"),
    "annee": ("a year, 20xx", r"20\d\d"),
    "departement": ("a customs code of a département, two signs", r"\d[\dA-E]|97[1-6]|2[AB]"),
    "region": ("a customs code of a région, two digits", r"\d\d"),
    "a129": ("an A129 code: letter, two digits, letter", r"[A-Z]\d\d[A-Z]"),
    "cpf4": ("a CPF4 code: four digits", r"\d{4}"),
    "pays": ("a country code: two capitals", r"[A-Z]{2}"),
    "valeur": ("whole euros", r"-?\d+"),
    "masse": ("whole kilograms", r"\d+"),
}


@dataclass(frozen=True)
class _Text:
    """The beginning of a data member as text, and how it was written."""

    encoding: str
    lines: list[str]
    ends: Counter[str]


@cache
def seed(name: str) -> tuple[dict[str, str], ...]:
    """The rows of a seed."""
    with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def look(head: bytes, contents: Contents, own: dict[str, set[str]], settings: Settings) -> list[Finding]:
    """What the beginning of the data member is; `own`: codes by nomenclature that the release's own label files know."""
    if not head.strip():
        return [
            Finding(
                PART,
                "first rows",
                "The data member holds no rows.",
                "wrong",
                "download the archive again, or wait for its correction",
            )
        ]
    text = _text(head)
    findings = [_written(text)]
    first = [line[:200] for line in text.lines[:QUOTED]]
    separators = Counter({sign: sum(line.count(sign) for line in text.lines[:50]) for sign in (";", ",", "\t", "|")})
    sign = separators.most_common(1)[0][0]
    rows = [[field.strip() for field in row] for row in csv.reader(text.lines, delimiter=sign if separators[sign] else ";")]
    widths = Counter(len(row) for row in rows)
    found = f"{len(rows):,} rows were looked at; fields separated by {sign!r}: {', '.join(f'{n:,} rows of {width}' for width, n in widths.most_common(4))}."
    facts = {"separator": sign, "widths": dict(widths), "first": first}
    if sign != ";" or set(widths) != {len(FIELDS)}:
        remedy = "take the regional archive from the customs' page of full bases; if this is it, their format changed: send this report"
        wrong = f"Ten fields separated by ';' were expected. {found}"
        return [*findings, Finding(PART, "first rows", wrong, "wrong", remedy, first, facts)]
    if _is_header(rows[0]):
        remedy = "if the customs now publish a header, send this report; a spreadsheet adds one as well"
        findings.append(
            Finding(PART, "first rows", "The first row is a header; none was expected.", "wrong", remedy, first, facts)
        )
        rows = rows[1:]
    else:
        findings.append(Finding(PART, "first rows", f"{found} No header.", lines=first, facts=facts))
    return [*findings, *_fields(rows, contents, own, settings), *_together(rows)]


def encoding_of(payload: bytes) -> str:
    """How a text is written, as far as its bytes tell."""
    if payload.startswith((b"\xff\xfe", b"\xfe\xff")) or payload[:200].count(0) > 20:
        return "UTF-16"
    if payload.startswith(b"\xef\xbb\xbf"):
        return "UTF-8 with BOM"
    try:
        payload.decode("utf-8")
    except UnicodeDecodeError as error:
        # The end may be cut inside a character.
        return "UTF-8" if error.end >= len(payload) and error.reason == "unexpected end of data" else "Windows-1252"
    return "ASCII" if payload.isascii() else "UTF-8"


def _text(head: bytes) -> _Text:
    encoding = encoding_of(head)
    codec = {"UTF-16": "utf-16", "Windows-1252": "cp1252"}.get(encoding, "utf-8-sig")
    text = head.decode(codec, "replace")
    ends = Counter(re.findall(r"\r\n|\n|\r", text))
    lines = re.split(r"\r\n|\n|\r", text)
    lines = lines[:-1] if len(lines) > 1 else lines  # the last is cut, or empty
    return _Text(encoding, [line for line in lines[: ROWS + 1] if line.strip()][:ROWS], ends)


def _written(text: _Text) -> Finding:
    names = {"\r\n": "CR LF", "\n": "LF", "\r": "CR"}
    ends = ", ".join(f"{count:,} {names[end]}" for end, count in text.ends.most_common()) or "none"
    found = f"{text.encoding}; line ends: {ends}."
    facts = {"encoding": text.encoding, "line_ends": {names[end]: count for end, count in text.ends.items()}}
    if text.encoding in ("UTF-16", "Windows-1252") or any("\0" in line for line in text.lines):
        remedy = "take the archive as it was published; if the customs publish it so, send this report"
        return Finding(PART, "text", f"UTF-8 was expected. {found}", "wrong", remedy, facts=facts)
    return Finding(PART, "text", found, facts=facts)


def _is_header(row: list[str]) -> bool:
    return row[0] not in ("I", "E") and not any(field.isdecimal() for field in (row[1], row[2], row[8]))


def _codes(field: str, own: dict[str, set[str]]) -> set[str]:
    name, column = KNOWN[field]
    return {row[column] for row in seed(name)} | own.get(field.upper(), set())


def _fields(rows: list[list[str]], contents: Contents, own: dict[str, set[str]], settings: Settings) -> list[Finding]:
    """Each field, in words, with the share of rows that is as expected."""
    findings = []
    for n, field in enumerate(FIELDS):
        expected, shape = SHAPES[field]
        values = [row[n] for row in rows]
        shaped = [value for value in values if re.fullmatch(shape, value)]
        known = _codes(field, own) if field in KNOWN else None
        good = [value for value in shaped if known is None or value in known]
        if field == "flux":
            expected, good = (
                f"{contents.flux}, as the member's name announces",
                [value for value in shaped if value == contents.flux],
            )
        others = Counter(value for value in values if value not in set(good))
        share = 100 * len(good) / len(values)
        found = f"{expected}" + (", known to us" if known else "") + f": {share:.1f} % of {len(values):,} rows"
        distinct = Counter(good)
        found += f", {len(distinct):,} distinct" + (f" ({' '.join(sorted(distinct))})." if len(distinct) <= 5 else ".")
        facts = {"share_pct": round(share, 2), "distinct": len(distinct), "others": dict(others.most_common(20))}
        verdict, remedy = _verdict(field, others, len(values), len(shaped), settings)
        if others:
            named = ", ".join(f"{value or '(empty)'!s} x{count}" for value, count in others.most_common(6))
            found += f" Otherwise: {named}" + (" …" if len(others) > 6 else "") + "."
        if known and sum(count for value, count in others.items() if value and f"0{value}" in known) > sum(others.values()) / 2:
            found += " Most of these are known with a zero before them."
            remedy = f"a spreadsheet takes leading zeros away: take the archive as it was published; {remedy}"
        if share < 50 and (place := _elsewhere(field, n, rows, known)):
            found += f" Field {place} looks like it."
            remedy = f"columns stand in another order than in the customs' releases; {remedy}"
        findings.append(Finding(PART, f"field {n + 1}, {field}", found, verdict, remedy, facts=facts))
    return findings


def _verdict(field: str, others: Counter[str], total: int, shaped: int, settings: Settings) -> tuple[Verdict, str]:
    count = sum(others.values())
    share = 100 * count / total
    if not others:
        return "ok", ""
    if field == "masse":
        empty = others[""] == count
        return (
            "to watch",
            "nothing: values count without a mass" if empty else "look at these: a mass that is no whole number is left out",
        )
    if field == "region":
        return "to watch", "nothing is summed by this field; if the other columns are right, the customs changed their régions"
    if (field == "valeur" and others[""] == count) or (field in KNOWN and shaped > total / 2):
        limit = settings.quarantaine_max_pct
        kept_out = f"such rows are kept out of all totals and told; beyond {limit:g} % (COMEX_QUARANTAINE_MAX_PCT) a run stops"
        return ("wrong" if share > limit else "to watch"), kept_out
    return (
        "wrong",
        "a run refuses or quarantines such rows; take the archive from the customs' page, or send this report if it is theirs",
    )


def _elsewhere(field: str, at: int, rows: list[list[str]], known: set[str] | None) -> int | None:
    """The field, counted from 1, that nine rows of ten fill with what was expected here."""
    shape = SHAPES[field][1]
    is_good: Callable[[str], bool] = lambda value: bool(re.fullmatch(shape, value)) and (known is None or value in known)  # noqa: E731
    for n in range(len(FIELDS)):
        if n != at and sum(is_good(row[n]) for row in rows) > 0.9 * len(rows):
            return n + 1
    return None


def _together(rows: list[list[str]]) -> list[Finding]:
    """What fields say of each other, by our tables: région of the département, A129 of the CPF4; repeated keys, amounts."""
    regions = {row["douane_code"]: row["region_douane_code"] for row in seed("departements")}
    goods = {row["cpf4_code"]: row["a129_code"] for row in seed("nomenclature_cpf4")}
    findings = []
    for subject, table, code, parent in (("région of the département", regions, 3, 4), ("A129 of the CPF4", goods, 6, 5)):
        known = [row for row in rows if row[code] in table]
        other = [f"{row[code]} with {row[parent]}, ours: {table[row[code]]}" for row in known if row[parent] != table[row[code]]]
        if not known:
            continue
        found = f"{len(known) - len(other):,} of {len(known):,} rows have that of our tables."
        if other:
            remedy = "if all rows differ, two columns are exchanged; if some do, the customs changed their tables"
            lines = shown([f"{pair} ({count} rows)" for pair, count in Counter(other).most_common()], 6)
            verdict: Verdict = "wrong" if len(other) > len(known) / 2 else "to watch"
            findings.append(Finding(PART, subject, found, verdict, remedy, lines))
        else:
            findings.append(Finding(PART, subject, found))
    keys = Counter(tuple(row[:4] + row[5:8]) for row in rows)
    whole = [int(row[8]) for row in rows if re.fullmatch(r"-?\d{1,18}", row[8])]
    repeated, same = sum(count - 1 for count in keys.values()), len(rows) - len({tuple(row) for row in rows})
    amounts = (
        f"; values from {min(whole):,} to {max(whole):,} EUR, half of them below {statistics.median(whole):,.0f}" if whole else ""
    )
    found = f"{repeated:,} of {len(rows):,} rows repeat the key of another, {same:,} are twins in all fields{amounts}."
    if same > len(rows) / 20:
        findings.append(
            Finding(PART, "keys and amounts", found, "wrong", "look whether the file was written twice: all rows are summed")
        )
    else:
        findings.append(Finding(PART, "keys and amounts", found))
    return findings
