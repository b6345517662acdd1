"""Why is a data member not what it should be? Tests on its text and on the rows at fault, each for one cause of `causes.py`.

Add here: the test of one more cause. Keep out: verdicts (`rows.py`, `agreement.py`) and words (`causes.py`). These tests run only
once something is refused; what the text looks like when it is right costs nothing.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb

from pipeline.archive.inspect import START, form_of, looks_like_an_answer, utf_16

FIELDS = ("flux", "trimestre", "annee", "departement", "region", "a129", "cpf4", "pays", "valeur", "masse")
SHAPES = {  # of what stands in each field of a release of the customs
    "flux": "[EI]",
    "trimestre": "[1-4]",
    "annee": "20[0-9]{2}",
    "departement": "[0-9][0-9A-Z][0-9]?",
    "region": "[0-9]{2}",
    "a129": "[A-Z][0-9]{2}[A-Z]",
    "cpf4": "[0-9]{4}",
    "pays": "[A-Z]{2}",
    "valeur": "-?[0-9]{1,18}",
    "masse": "[0-9]{1,16}",
}
NEARLY_ALL = 0.95
LOOKED_AT = 20_000  # rows at fault, or lines
SHOWN = 10  # offending lines that a refusal quotes
LEAST_WORTH = 300  # euros a tonne: at the median of rows goods are worth some 10 000 €, which are 10 k€
LEAST_ROWS = 20  # for a median to say something
Found = dict[str, Any]  # `cause`, and what its words name


@dataclass(frozen=True)
class Text:
    """The data member's text under judgement: its file, and the query that gives its trimmed fields."""

    con: duckdb.DuckDBPyConnection
    path: Path
    query: str
    where: str
    parameters: dict[str, str] = field(default_factory=dict)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query on `rows`, with those of the parameters that it names."""
        used = {key: value for key, value in self.parameters.items() if f"${key}" in query}
        return self.con.execute(f"with rows as ({self.query}) {query}", used).fetchall()

    def first(self, predicate: str) -> list[tuple[int, str]]:
        """The first lines of which `predicate` holds, numbered as an editor does: only a refusal is worth the cost."""
        numbered = "(select row_number() over () as row, * from rows)"
        found = {row for (row,) in self.ask(f"select row from {numbered} where {predicate} order by row limit {SHOWN}")}
        with self.path.open(encoding="utf-8") as file:  # DuckDB passes over blank lines, an editor counts them
            full = ((n, line.strip()[:120]) for n, line in enumerate(file, start=1) if line.strip("\n"))
            return [each for row, each in enumerate(islice(full, max(found, default=0)), start=1) if row in found]


# --- bytes --------------------------------------------------------------------------------------------------------------


def of_bytes(path: Path) -> Found | None:
    """The cause that the bytes of a text tell, whatever its rows: an encoding, zeros, a page. None: nothing recognisable."""
    with path.open("rb") as file:
        start = file.read(START)
    if encoding := utf_16(start):
        return {"cause": "utf_16", "encodage": encoding}
    if looks_like_an_answer(start):
        return {"cause": "page_inside"}
    if form := "ZIP" if start.startswith(b"PK\3\4") else form_of(start):
        return {"cause": "packed_twice", "format": form}
    zeros = ends = 0
    with path.open("rb") as file:
        for line in file:
            zeros, ends = zeros + line.count(b"\0"), ends + line.count(b"\x1a")
    if zeros:
        return {"cause": "zero_bytes", "octets": zeros}
    return {"cause": "ctrl_z"} if ends else None


def of_line(path: Path, content: bytes, fields: int, is_last: bool) -> Found:
    """The cause that the first line with other than ten fields tells, beside the other lines."""
    try:
        return _of_fields(path, content.decode().rstrip("\n"), fields, is_last)
    except UnicodeDecodeError as error:
        read = content.decode("cp1252", "replace").strip()[:60]
        return {"cause": "not_utf_8", "octet": f"0x{content[error.start]:02X}", "lu": read}


def of_lines(path: Path) -> Found:
    """The cause that all lines tell together, where none has other than ten fields."""
    is_quoted = _share(_lines(path), lambda each: bool(re.fullmatch(r'"[^"]*"', each)) and each.count(";") == len(FIELDS) - 1)
    return {"cause": "quoted_lines" if is_quoted >= NEARLY_ALL else "unknown"}


def _lines(path: Path) -> list[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        return [each for each in (raw.rstrip("\n") for raw in islice(file, LOOKED_AT)) if each]


def _of_fields(path: Path, line: str, fields: int, is_last: bool) -> Found:
    lines = _lines(path)
    for separator, name in {",": "« , »", "\t": "« \\t »", "|": "« | »"}.items():
        if _share(lines, lambda each, sep=separator: each.count(sep) == len(FIELDS) - 1 and ";" not in each) >= NEARLY_ALL:
            return {"cause": "separator", "separateur": name}
    if line.count('"') % 2:
        return {"cause": "open_quote"}
    if is_last and fields < len(FIELDS) and len(lines) > 1:
        return {"cause": "cut_row"}
    if len(lines) > 1 and _share(lines, lambda each: each.count(";") == fields - 1) >= NEARLY_ALL:
        return {"cause": "other_columns", "champs": fields}
    return {"cause": "unknown"}


def _share(lines: list[str], test: Any) -> float:
    return sum(map(test, lines)) / max(1, len(lines))


# --- rows ---------------------------------------------------------------------------------------------------------------


def of_rows(text: Text, verdict: str, predicate: str, count: int, total: int) -> Found:
    """The cause of a verdict on rows; `predicate` holds for those `count` of all `total` that are at fault."""
    own = {
        "has_no_header": _header,
        "flow_is_known": _flow,
        "goods_are_in_official_order": lambda *_: exchanged("a129", "cpf4"),
        "quarter_is_plausible": _quarter,
        "euros_are_whole": _amounts,
    }
    if verdict == "flow_is_the_announced_one":
        return {"cause": "other_flow" if count == total else "both_flows"}
    order = None if verdict == "has_no_header" else order_of(text, predicate)
    return order or own[verdict](text, predicate) or {"cause": "unknown"}


def order_of(text: Text, predicate: str) -> Found | None:
    """Which columns stand in the place of others, in nearly all rows at fault; None when none do."""
    wanted = ", ".join(f"avg((regexp_full_match({column}, '{shape}'))::int)" for shape in SHAPES.values() for column in FIELDS)
    [shares] = text.ask(f"select {wanted} from (select * from rows where {predicate} limit {LOOKED_AT})")
    if shares[0] is None:
        return None
    fits = {
        (place, column): shares[n * len(FIELDS) + m] >= NEARLY_ALL
        for n, place in enumerate(FIELDS)
        for m, column in enumerate(FIELDS)
    }
    wrong = {place for place in FIELDS if not fits[place, place]}
    pairs = [
        (a, b) for n, a in enumerate(FIELDS) for b in FIELDS[n + 1 :] if wrong and wrong <= {a, b} and fits[a, b] and fits[b, a]
    ]
    if len(pairs) == 1:
        return exchanged(*pairs[0])
    places = sorted(wrong, key=FIELDS.index)
    orders = list(_orders(places, places, fits)) if len(places) > 2 else []
    if len(orders) == 1:
        told = "; ".join(f"{_named(column)} → {FIELDS.index(place) + 1}" for place, column in zip(places, orders[0], strict=True))
        return {"cause": "other_order", "ordre": told}
    return None


def _orders(places: list[str], columns: list[str], fits: dict[tuple[str, str], bool]) -> Iterable[tuple[str, ...]]:
    """Every way to put each of `columns` into one of `places` where it fits."""
    if not places:
        yield ()
    for column in columns:
        if fits[places[0], column]:
            yield from ((column, *rest) for rest in _orders(places[1:], [c for c in columns if c != column], fits))


def exchanged(a: str, b: str) -> Found:
    """The cause « these two columns are exchanged »."""
    return {"cause": "exchanged", "champ_a": _named(a), "champ_b": _named(b)}


def _named(column: str) -> str:
    return f"{FIELDS.index(column) + 1} ({column})"


def _header(text: Text, predicate: str) -> Found:
    [(names,)] = text.ask(f"select concat_ws(' ', {', '.join(FIELDS)}) from rows where {predicate} limit 1")
    if re.search(r"(?i)k ?€|keur|k_eur|milliers", names):
        return {"cause": "header_keuro"}
    fits = " and ".join(f"regexp_full_match({column}, '{shape}|')" for column, shape in SHAPES.items())
    [(others, good)] = text.ask(f"select count(*), count(*) filter (where {fits}) from rows where not ({predicate})")
    return {"cause": "header" if others and good >= NEARLY_ALL * others else "header_of_another"}


def _flow(text: Text, predicate: str) -> Found | None:
    [(seen, marks, count)] = text.ask(
        f"select any_value(flux), count(*) filter (where starts_with(flux, chr(65279))), count(*) from rows where {predicate}"
    )
    if marks == count:
        return {"cause": "mark_inside"}
    words = "(?i)(e|i|x|m|exp|imp|export|import|exportations?|importations?|exports|imports)"
    [(worded,)] = text.ask(f"select count(*) from rows where ({predicate}) and regexp_full_match(flux, '{words}')")
    return {"cause": "flow_in_words", "vu": seen} if worded == count else None


def _quarter(text: Text, predicate: str) -> Found | None:
    quarter = "annee || 'T' || trimestre"
    [(count, sound, last, written, seen)] = text.ask(
        f"""
        select count(*), count(*) filter (where sound), max({quarter}) filter (where sound),
            count(*) filter (where regexp_full_match(trimestre, '(?i)([tq] ?|0)?[1-4]([tq]|er|e)?')
                and regexp_full_match(annee, '(20)?[0-9]{{2}}|20[0-9]{{2}}[.,]0') and not sound),
            any_value(trimestre || ';' || annee)
        from (select *, regexp_full_match(trimestre, '[1-4]') and regexp_full_match(annee, '20[0-9]{{2}}') as sound from rows)
        where {predicate}
        """
    )
    if sound == count:
        return {"cause": "later_than_its_date", "dernier": last, "vintage": text.parameters["vintage"]}
    return {"cause": "quarters_otherwise", "vu": seen} if written == count else None


GROUPED = "-?[0-9]{1,3}([ .,''’_\u00a0\u2009\u202f][0-9]{3})+"  # '' : an apostrophe in SQL
AMOUNTS = {  # how an amount that is not whole may be written; the first that nearly all fit
    "spreadsheet_errors": "#.*",
    "scientific": "-?[0-9]+([.,][0-9]+)?[eE][+-]?[0-9]+",
    "zero_decimals": "-?[0-9]+[.,]0+",
    "thousands": f"{GROUPED}([.,][0-9]{{1,2}})?",
    "decimals": "-?[0-9]*[.,][0-9]+",
    "too_long": "-?[0-9]{19,}",
}


def _amounts(text: Text, predicate: str) -> Found | None:
    kinds = {name: f"regexp_full_match(valeur, '{shape}')" for name, shape in AMOUNTS.items()}
    pointed, fraction = (
        "-?[0-9]{1,3}[.,][0-9]{3}",
        "-?(0|[0-9]{4,})[.,][0-9]+",
    )  # 12.345 may be both; 0.345, 12345.6 are fractions
    tests = {"pointed": pointed, "fraction": fraction, "cents": "-?[0-9]+[.,][0-9]{2}"}
    wanted = [*kinds.values(), *(f"regexp_full_match(valeur, '{shape}')" for shape in tests.values())]
    [(count, seen, *counts)] = text.ask(
        f"select count(*), any_value(valeur), {', '.join(f'count(*) filter (where {test})' for test in wanted)} from rows where {predicate}"
    )
    found = dict(zip([*kinds, *tests], counts, strict=True))
    kind = next((name for name in kinds if found[name] >= NEARLY_ALL * count), None)
    if kind == "thousands" and found["fraction"]:
        kind = "decimals"
    elif kind == "thousands" and found["pointed"] == count:
        kind = "points"
    if kind != "decimals":
        return {"cause": kind, "vu": seen} if kind else None
    # Some amounts may be whole by chance: what a tonne is worth is asked of all rows that have a mass.
    value, mass = "try_cast(replace(valeur, ',', '.') as double)", "try_cast(masse as double)"
    [(rows, worth)] = text.ask(f"select count(*), median({value} / {mass}) * 1000 from rows where {value} > 0 and {mass} > 0")
    if rows >= LEAST_ROWS and worth < LEAST_WORTH:
        return {"cause": "keuro", "par_tonne": round(worth)}
    return {"cause": "cents" if found["cents"] == count and rows >= LEAST_ROWS else "decimals"}
