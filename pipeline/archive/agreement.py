"""Do the codes of an archive's rows agree with each other, and its quarters with its name? Judged by shares of rows.

Each row tells some things twice: the région follows from the département and the A129 good from the CPF4 one, and the year from the
name of the data member. Columns that were exchanged, sorted apart or taken from another file break that, on a first release too.
A few odd codes are none of it: they pass, and dbt keeps them out of the totals. Add here: a verdict on codes that needs no table
but the archive's own. Keep out: verdicts on one row (`rows.py`), what a code means (dbt), whether amounts are plausible.
"""

import re
import zipfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.archive import diagnose
from pipeline.archive.causes import refusal
from pipeline.archive.diagnose import FIELDS, Text
from pipeline.archive.inspect import START, Received, announced_year
from pipeline.errors import ReleaseError
from pipeline.territoires import seed

TOLERATED = 0.01  # share of an archive's rows; above it is refused
TOLERATED_OF_ONE = 0.25  # share of the rows of one département or good, if they are so many:
LEAST_OF_ONE = 20
LEAST_OF_A_QUARTER = 0.1  # of the rows of the largest quarter: below, it is there in part only
LEAST_ROWS = 100  # of the largest quarter, for its size to say something
FAR = 4  # quarters missing between two that belong to one rolling archive
SPEAKS = 0.9  # share of rows that agree with a table of régions which describes them
NEW_REGIONS = 2016  # before that year the régions were others

VERDICTS = {  # name: what is expected, as a sentence
    "codes_have_their_shape": "Codes look as the customs write them: 94, 03, C29A, 2910, DE; the few others are told as unknown codes.",
    "codes_keep_their_zeros": "Codes have their zeros: 01 and 0111, not 1 and 111.",
    "rows_are_of_the_announced_period": "Rows are of the period that the data member's name announces, and each quarter is there as a whole.",
    "regions_follow_departements": "The région of each row is that of its département, in nearly all rows.",
    "goods_follow_their_nomenclature": "The A129 good of each row is that of its CPF4 good, in nearly all rows.",
}
SHAPES = {  # wider than those of `diagnose`, which are of codes as they are today
    "departement": ("1 to 3 digits or letters", "[0-9A-Za-z]{1,3}"),
    "region": ("1 to 3 digits or letters", "[0-9A-Za-z]{1,3}"),
    "a129": ("a letter, 2 digits and a letter", "[A-Z][0-9]{2}[A-Z]"),
    "cpf4": ("4 digits", "[0-9]{3,4}"),  # three: a zero was lost, which is a verdict of its own
    "pays": ("2 letters", "[A-Za-z]{2}"),
}
BARE = {"departement": "[1-9]", "cpf4": "[1-9][0-9]{2}"}  # what is left of 01 and 0111
Pair = tuple[str, str]
Table = dict[Pair, tuple[int, int]]  # of two codes: rows, euros


def judge(received: Received, text: Text, table: Path) -> dict[str, Any]:
    """Raise ReleaseError at the first verdict that fails for the rows in the Parquet `table`, written from `text`.

    Returns the facts of what was tolerated: `trimestres` that the archive gives, rows and euros beside its period
    (`hors_periode`), rows and euros whose codes contradict each other (`codes_contredits`).
    """
    [(total,)] = text.con.execute(f"select count(*) from read_parquet('{table}')").fetchall()
    _judge_shapes(text, table, total)
    _judge_zeros(text, table, total)
    facts = _judge_period(received, text, table, total)
    against = [_judge_regions(received, text, table, total), _judge_goods(text, table, total)]
    rows, euros = (sum(each[n] for each in against) for n in (0, 1))
    return {**facts, "codes_contredits": rows, "codes_contredits_eur": euros}


def _judge_shapes(text: Text, table: Path, total: int) -> None:
    for column, (expected, shape) in SHAPES.items():
        [(count,)] = text.con.execute(
            f"""
            select coalesce(sum(lignes), 0)::bigint
            from (select {column}_code as code, count(*) as lignes from read_parquet('{table}') group by code)
            where not regexp_full_match(code, '{shape}|')
            """
        ).fetchall()
        if count > TOLERATED * total:
            predicate = f"not regexp_full_match({column}, '{shape}|')"
            found = diagnose.order_of(text, predicate) or {"cause": "unknown"}
            field = f"field {FIELDS.index(column) + 1} ({column})"
            raise _refused(text, "codes_have_their_shape", f"Expected {expected} in {field}", predicate, count, total, found)


def _judge_zeros(text: Text, table: Path, total: int) -> None:
    for column, shape in BARE.items():
        [(bare, whole)] = text.con.execute(
            f"""
            select
                coalesce(sum(lignes) filter (where regexp_full_match(code, '{shape}')), 0)::bigint,
                coalesce(sum(lignes) filter (where starts_with(code, '0')), 0)::bigint
            from (select {column}_code as code, count(*) as lignes from read_parquet('{table}') group by code)
            """
        ).fetchall()
        # Few are unknown codes, unless no code with a zero is left beside them.
        if bare > TOLERATED * total or (bare >= LEAST_OF_ONE and not whole):
            predicate = " or ".join(f"regexp_full_match({each}, '{bare}')" for each, bare in BARE.items())
            [(count, seen)] = text.ask(f"select count(*), any_value({column}) from rows where {predicate}")
            expected = "Expected codes with their zeros, such as 01 and 0111"
            found = {"cause": "zeros_lost", "vu": seen}
            raise _refused(text, "codes_keep_their_zeros", expected, predicate, count, total, found)


def _judge_period(received: Received, text: Text, table: Path, total: int) -> dict[str, Any]:
    """Which quarters the archive gives; rows beside them are tolerated when few, and stand for no quarter."""
    quarters: dict[str, tuple[int, int]] = {
        quarter: (rows, euros)
        for quarter, rows, euros in text.con.execute(
            f"select annee || 'T' || trimestre, count(*), coalesce(sum(valeur_eur), 0)::bigint from read_parquet('{table}')"
            " group by all order by all"
        ).fetchall()
    }
    year = announced_year(received.contents)
    of_it = [quarter for quarter in quarters if quarter.startswith(year)]
    largest = max((quarters[quarter][0] for quarter in of_it), default=0)
    whole = [q for q in of_it if largest < LEAST_ROWS or quarters[q][0] >= LEAST_OF_A_QUARTER * largest]
    held = whole if year else _together(whole, quarters)
    beside = [quarter for quarter in quarters if quarter not in held]
    count, euros = (sum(quarters[quarter][n] for quarter in beside) for n in (0, 1))
    if count > TOLERATED * total:
        years = sorted({quarter[:4] for quarter in quarters})
        if year and not of_it:
            found = {"cause": "other_year", "annonce": year, "annees": ", ".join(years)}
        else:
            found = {"cause": "part_of_a_quarter" if set(beside) <= set(of_it) else "several_periods"}
        listed = ", ".join(f"{quarter} ({quarters[quarter][0]:,} rows)" for quarter in quarters)
        expected = f"Expected rows of {year or 'quarters that follow each other'}, whole quarters, as the data member is named; it has {listed}"
        predicate = f"annee || 'T' || trimestre in ({_quoted(beside)})"
        raise _refused(text, "rows_are_of_the_announced_period", expected, predicate, count, total, found)
    told = {"hors_periode": count, "hors_periode_eur": euros, "hors_periode_trimestres": " ".join(beside)}
    return {"trimestres": " ".join(sorted(held)), **told}


def _together(quarters: list[str], sizes: dict[str, tuple[int, int]]) -> list[str]:
    """Of quarters that lie far apart, those that belong to the greatest number of rows."""
    groups: list[list[str]] = []
    for quarter in sorted(quarters):
        if groups and _number(quarter) - _number(groups[-1][-1]) <= FAR:
            groups[-1].append(quarter)
        else:
            groups.append([quarter])
    return max(groups, key=lambda group: sum(sizes[quarter][0] for quarter in group), default=[])


def _number(quarter: str) -> int:
    return int(quarter[:4]) * 4 + int(quarter[5])


def _judge_regions(received: Received, text: Text, table: Path, total: int) -> tuple[int, int]:
    """Rows and euros of the few rows whose région is not that of their département."""
    own = _own_regions(received)
    regions = own or {zone["douane_code"]: zone["region_douane_code"] for zone in seed("departements")}
    count = euros = 0
    for era in (f"annee < {NEW_REGIONS}", f"annee >= {NEW_REGIONS}"):
        pairs = _pairs(text, table, "departement", "region", era)
        usual = _usual(pairs)
        known = regions if _describes(regions, pairs) else usual
        exchanged = {(d, r) for d, r in pairs if known.get(d) != r.zfill(2) and known.get(r) == d.zfill(2)}
        against = exchanged | {(d, r) for d, r in pairs if r.zfill(2) not in (usual[d], known.get(d))}
        if own and known is own:
            against |= {(d, r) for d, r in pairs if own.get(d, r).zfill(2) != r.zfill(2)}
        rows, amount = _sums(pairs, against)
        count, euros = count + rows, euros + amount
        if _too_many(pairs, against, exchanged, total):
            other_way = _sums(pairs, {(d, r) for d, r in pairs if _usual_reversed(pairs)[r] != d})[0]
            is_exchange = _sums(pairs, exchanged)[0] >= SPEAKS * rows or other_way <= TOLERATED * total
            found = diagnose.exchanged("departement", "region") if is_exchange else {"cause": "unknown"}
            top = sorted(against, key=lambda pair: (-pairs[pair][0], pair))
            expected = (
                "Expected in field 5 (region) the région of the département in field 4 (departement);"
                f" « {top[0][0]};{top[0][1]} » is another"
            )
            predicate = f"(departement, region) in ({', '.join(f'({_quoted(pair)})' for pair in top[:200])}) and {era.replace('annee', 'try_cast(annee as int)')}"
            raise _refused(text, "regions_follow_departements", expected, predicate, rows, total, found)
    return count, euros


def _judge_goods(text: Text, table: Path, total: int) -> tuple[int, int]:
    """Rows and euros of the few rows whose A129 good is not that of their CPF4 good."""
    pairs = _pairs(text, table, "cpf4", "a129")
    usual = _usual(pairs, normal=False)
    # The digits of an A129 code are those of the division, which begins a CPF4 code.
    inside = {(c, a) for c, a in pairs if a[1:3] == c[:2]}
    against = {(c, a) for c, a in pairs if usual[c] != a}
    if _sums(pairs, inside)[0] >= SPEAKS * max(1, sum(rows for rows, _ in pairs.values())):
        against |= pairs.keys() - inside
    rows, amount = _sums(pairs, against)
    if _too_many(pairs, against, set(), total):
        top = sorted(against, key=lambda pair: (-pairs[pair][0], pair))
        expected = (
            "Expected in field 6 (a129) the good that the CPF4 good in field 7 (cpf4) is part of;"
            f" « {top[0][1]};{top[0][0]} » is another"
        )
        predicate = f"(cpf4, a129) in ({', '.join(f'({_quoted(pair)})' for pair in top[:200])})"
        raise _refused(text, "goods_follow_their_nomenclature", expected, predicate, rows, total, {"cause": "unknown"})
    return rows, amount


def _pairs(text: Text, table: Path, a: str, b: str, where: str = "true") -> Table:
    """Rows and euros of each pair of codes; empty codes are no pair."""
    query = (
        f"select {a}_code, {b}_code, count(*), coalesce(sum(valeur_eur), 0)::bigint from read_parquet('{table}')"
        f" where {a}_code != '' and {b}_code != '' and {where} group by all"
    )
    return {(x, y): (rows, euros) for x, y, rows, euros in text.con.execute(query).fetchall()}


def _usual(pairs: Table, *, normal: bool = True) -> dict[str, str]:
    """The second code that most rows of each first code have; régions with two digits."""
    counts: dict[str, Counter[str]] = {}
    for (a, b), (rows, _) in pairs.items():
        counts.setdefault(a, Counter())[b.zfill(2) if normal else b] += rows
    return {a: min(found.items(), key=lambda each: (-each[1], each[0]))[0] for a, found in counts.items()}


def _usual_reversed(pairs: Table) -> dict[str, str]:
    return _usual({(b, a): found for (a, b), found in pairs.items()}, normal=False)


def _sums(pairs: Table, some: Iterable[Pair]) -> tuple[int, int]:
    found = [pairs[pair] for pair in some]
    return sum(rows for rows, _ in found), sum(euros for _, euros in found)


def _describes(regions: dict[str, str], pairs: Table) -> bool:
    """Does this table speak of the régions in these rows? Those of another time are others."""
    known = {pair: rows for pair, (rows, _) in pairs.items() if pair[0] in regions or pair[1] in regions}
    agrees = sum(rows for (d, r), rows in known.items() if regions.get(d) == r.zfill(2) or regions.get(r) == d.zfill(2))
    return agrees >= SPEAKS * max(1, sum(known.values()))


def _too_many(pairs: Table, against: set[Pair], exchanged: set[Pair], total: int) -> bool:
    """More than a few rows in all, or many of those of one département or good, be it in its place or in the other's."""
    if _sums(pairs, against)[0] > TOLERATED * total:
        return True
    all_of, odd = Counter[str](), Counter[str]()
    for pair, (rows, _) in pairs.items():
        for code in {pair[0], pair[1] if pair in exchanged else pair[0]}:
            all_of[code] += rows
            odd[code] += rows if pair in against else 0
    return any(rows >= LEAST_OF_ONE and rows > TOLERATED_OF_ONE * all_of[code] for code, rows in odd.items())


def _own_regions(received: Received) -> dict[str, str]:
    """Région by département as the archive's own table has them; empty without one that can be read."""
    with zipfile.ZipFile(received.path) as archive:
        member = next((m for m in archive.namelist() if re.search(r"(?i)(^|[/\\])Departement_region[^/\\]*\.txt$", m)), None)
        if member is None:
            return {}
        with archive.open(member) as opened:
            lines = opened.read(START).decode("utf-8-sig", "replace").splitlines()
    rows = [[field.strip(' "') for field in line.split(";")] for line in lines]
    return {
        row[0].zfill(2): row[2].zfill(2)
        for row in rows
        if len(row) > 2 and re.fullmatch(r"[0-9A-Z]{1,3}", row[0]) and re.fullmatch(r"\d{1,2}", row[2])
    }


def _quoted(codes: Iterable[str]) -> str:
    return ", ".join("'" + code.replace("'", "''") + "'" for code in codes)


def _refused(
    text: Text, check: str, expected: str, predicate: str, count: int, total: int, found: diagnose.Found
) -> ReleaseError:
    lines = text.first(predicate)
    line, shown = lines[0]
    return refusal(
        f"{expected}; found {count:,} of {total:,} rows otherwise, the first being « {shown} » ({check}).",
        where=f"{text.where}, line {line:,}",
        check=check,
        lignes=count,
        total=total,
        premieres=lines,
        **found,
    )
