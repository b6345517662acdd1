"""The rows of an archive as Parquet, after the checks that block: ten fields in the official order, known flow,
plausible quarters, whole euros.

Add here: a verdict on one row. Keep out: verdicts on codes that many rows share (`agreement.py`), why a row is at fault
(`diagnose.py`), what an unknown code means and what is kept out of the totals (dbt: `int_echanges__qualified`), which archives
make a run (`tables.py`). Frames never hold the rows: DuckDB streams them from text to Parquet.
"""

import hashlib
import json
import lzma
import re
import shutil
import tempfile
import zipfile
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from pipeline.archive import agreement, diagnose
from pipeline.archive.causes import refusal
from pipeline.archive.diagnose import FIELDS, Text
from pipeline.archive.inspect import UNDATED, Received
from pipeline.errors import ReleaseError
from pipeline.outputs import move_whole, write_whole

CHUNK = 1 << 22  # bytes of a member in memory at a time
PADDING = b"\0\x1a\r\n"  # what may follow the last row: room that was reserved, marks of the end of a DOS file
SUPPRESSED = "[^0-9#][^0-9]{0,11}"  # a marker in the place of a value: c, s, nd, n.d., ***, : (# begins a spreadsheet's errors)

# A row that meets one of these makes the whole archive unfit: (predicate in SQL, what was expected).
# The order is that of the most telling message. They run on millions of rows: to match a pattern costs a third of trimming digits.
VERDICTS = {
    "has_no_header": (
        "flux not in ('I', 'E') and try_cast(trimestre as double) is null and try_cast(annee as double) is null"
        " and try_cast(valeur as double) is null",
        "rows without a header",
    ),
    "flow_is_known": (
        "flux not in ('I', 'E')",
        "I or E in field 1 (flux)",
    ),
    "flow_is_the_announced_one": (
        "flux != $flux",
        "the flow that the member's name announces",
    ),
    "goods_are_in_official_order": (
        "left(a129, 1) between '0' and '9' and left(cpf4, 1) between 'A' and 'Z'",
        "A129 in field 6 and CPF4 in field 7",
    ),
    "quarter_is_plausible": (
        "trimestre not in ('1', '2', '3', '4')"
        " or not regexp_full_match(annee, '20[0-9]{2}')"
        " or annee || case trimestre when '1' then '01' when '2' then '04' when '3' then '07' else '10' end > $vintage",
        "a quarter 1 to 4 of a year 20xx that has begun when the release was made",
    ),
    "euros_are_whole": (
        f"not regexp_full_match(valeur, '[0-9]{{0,18}}|-[0-9]{{1,18}}|{SUPPRESSED}')",
        "whole euros in field 9 (valeur)",
    ),
}

KEY = "annee, trimestre, departement_code, a129_code, cpf4_code, pays_code"
CODES = ("departement", "a129", "cpf4", "pays")


def extract(received: Received, folder: Path) -> dict[str, Any]:
    """Judge the rows of an archive, write them to a table under `folder` unless it is there, and say what is known of them.

    Besides the facts that a `Release` tells, `par_trimestre` has rows, euros, a digest and the codes of each quarter that the
    archive gives, `vintage` its own (that of its quarters where it has no date), and `valeurs_vides`, `valeurs_negatives`,
    `valeurs_supprimees` how many rows have no value or a negative one. Raises ReleaseError at the first verdict that fails,
    and leaves nothing then.
    """
    sidecar = folder / "facts" / f"{received.id}.json"
    if sidecar.exists() and table(folder, received.id).exists():
        facts = json.loads(sidecar.read_text(encoding="utf-8"))
        # Quarters that are plausible for an older vintage are so for this one.
        if facts["made_by"] == _made_by() and facts["vintage"] <= received.contents.vintage:
            return facts
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacked-") as name:
        aside = Path(name)
        _unpack(received, aside / "data.txt")
        with connect(aside) as con:
            text = _text(con, received, aside / "data.txt")
            _check_and_write(received, text, aside / "data.parquet")
            judged = agreement.judge(received, text, aside / "data.parquet")
            facts = {"made_by": _made_by(), **judged, **_facts(received, text, aside / "data.parquet", judged["trimestres"])}
        target = table(folder, received.id)
        target.parent.mkdir(exist_ok=True)
        move_whole(aside / "data.parquet", target)
    write_whole(sidecar, json.dumps(facts, ensure_ascii=False))
    return facts


@cache
def _made_by() -> str:
    """Changes with the verdicts, and with DuckDB, whose hashes the digests are made of."""
    code = b"".join(Path(module).read_bytes() for module in (__file__, agreement.__file__))
    return hashlib.sha256(code + duckdb.__version__.encode()).hexdigest()


def table(folder: Path, release_id: str) -> Path:
    """Where the rows of an archive are, or will be: among those that dbt reads, or set aside."""
    standing = folder / "echanges" / f"{release_id}.parquet"
    return standing if standing.exists() else folder / "set_aside" / standing.name


def tidy(folder: Path) -> None:
    """Remove what a killed run left unpacked."""
    for left in folder.glob(".unpacked-*"):
        shutil.rmtree(left, ignore_errors=True)


def connect(spill: Path) -> duckdb.DuckDBPyConnection:
    """A connection that stays within the memory of a small machine, whatever it reads."""
    return duckdb.connect(config={"memory_limit": "800MB", "threads": 2, "temp_directory": str(spill)})


def fetch(con: duckdb.DuckDBPyConnection, query: str, parameters: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """The rows of a query as dicts."""
    return con.execute(query, parameters).df().to_dict("records")  # pyright: ignore[reportReturnType]


def refuse_suppressed(received: Received, facts: dict[str, Any], limit_pct: float = 1.0) -> None:
    """Raise ReleaseError when more than this share of an archive's rows have a marker in the place of their value."""
    count, total = facts["valeurs_supprimees"], facts["lignes"]
    if count * 100 > limit_pct * total:
        markers = ", ".join(f"« {marker} »" for marker in facts["marques"])
        raise refusal(
            f"Values in field 9 (valeur) were expected in at least {100 - limit_pct:g} % of the rows; {count:,} of {total:,}"
            f" ({count / total:.1%}) have {markers} there (values_are_published).",
            where=f"{received.name}, {received.contents.data_member}",
            check="values_are_published",
            cause="markers",
            marques=markers,
            lignes=count,
            total=total,
            limite_pct=limit_pct,
            premieres=[tuple(line) for line in facts["premieres_supprimees"]],
        )


def _facts(received: Received, text: Text, target: Path, quarters: str) -> dict[str, Any]:
    """What is known of the rows in `target`; by quarter, of those that the archive gives: what `plausibility.py` weighs."""
    con, rows, weighed = text.con, f"from read_parquet('{target}')", "filter (where valeur_eur > 0 and masse_kg > 0)"
    fields = "flux, trimestre, annee, departement_code, region_code, a129_code, cpf4_code, pays_code, valeur_eur, masse_kg"
    codes = ", ".join(f"list_sort(list(distinct {code}_code)) as {code}" for code in CODES)
    listed = ", ".join(f"'{quarter}'" for quarter in quarters.split())
    given = f"where annee || 'T' || trimestre in ({listed})"
    [facts] = fetch(
        con,
        f"""
        select
            count(*) as lignes,
            coalesce(sum(valeur_eur), 0)::bigint as valeur_eur,
            count(*) filter (where masse_kg is null) as masses_absentes,
            coalesce(sum(valeur_eur) filter (where masse_kg is null), 0)::bigint as masses_absentes_eur,
            count(*) filter (where valeur_eur is null and motif_source is null) as valeurs_vides,
            count(*) filter (where valeur_eur < 0) as valeurs_negatives,
            coalesce(sum(valeur_eur) filter (where valeur_eur < 0), 0)::bigint as valeurs_negatives_eur,
            count(motif_source) as valeurs_supprimees
        {rows}
        """,
    )
    facts = {name: int(fact) for name, fact in facts.items()}
    if facts["valeurs_supprimees"]:
        is_marker = f"regexp_full_match(valeur, '{SUPPRESSED}')"
        markers = text.ask(f"select valeur from rows where {is_marker} group by valeur order by count(*) desc, valeur limit 5")
        facts |= {"marques": [marker for (marker,) in markers], "premieres_supprimees": text.first(is_marker)}
    by_quarter = _by_quarter(
        con,
        f"""
        select
            annee || 'T' || trimestre,
            sum(hash({KEY}, valeur_eur, masse_kg))::varchar as digest,
            count(*) as lignes,
            coalesce(sum(valeur_eur), 0) as valeur_eur,
            coalesce(sum(masse_kg), 0) as masse_kg,
            count(*) - count(distinct hash({KEY})) as cles_repetees,
            count(*) filter (where valeur_eur is null and motif_source is null) as sans_valeur,
            count(*) filter (where valeur_eur = 0) as nulles,
            coalesce(sum(valeur_eur) {weighed}, 0) as pesees_eur,
            coalesce(sum(masse_kg) {weighed}, 0) as pesees_kg,
            quantile_disc((valeur_eur / masse_kg)::float, 0.5) {weighed} as prix_median,
            coalesce(max(abs(valeur_eur), 2), []) as plus_grandes,
            arg_max([valeur_eur, masse_kg], abs(valeur_eur)) as ligne_valeur_masse,
            arg_max(concat_ws(';', {fields}), abs(valeur_eur)) as ligne,
            {codes}
        {rows} {given} group by all
        """,
    )
    # Apart, and only when there are some: it costs more than all the rest.
    repeated = any(fact["cles_repetees"] for fact in by_quarter.values())
    twins = "annee || 'T' || trimestre, count(*) - count(distinct hash(*columns(*))) as jumelles"
    for quarter, found in (_by_quarter(con, f"select {twins} {rows} {given} group by 1") if repeated else {}).items():
        by_quarter[quarter] |= found
    in_all = f"{given} qualify count(*) over (partition by {KEY}) > 1"
    [(repeated_eur,)] = (
        con.execute(f"select coalesce(sum(valeur_eur), 0) from ({rows} {in_all})").fetchall() if repeated else [(0,)]
    )
    return {
        "vintage": month_of(quarters) if received.contents.vintage == UNDATED else received.contents.vintage,
        **facts,
        "cles_repetees": sum(fact["cles_repetees"] for fact in by_quarter.values()),
        "cles_repetees_eur": repeated_eur,
        "par_trimestre": by_quarter,
    }


def _by_quarter(con: duckdb.DuckDBPyConnection, query: str) -> dict[str, dict[str, Any]]:
    """The rows of a query by their first column, in its order; the lists of codes under one name."""
    found = con.execute(query)
    names = [column[0] for column in found.description or ()]
    quarters = {}
    for quarter, *values in sorted(found.fetchall()):
        fact = dict(zip(names[1:], values, strict=True))
        if CODES[0] in fact:
            fact["codes"] = {code: fact.pop(code) for code in CODES}
        quarters[quarter] = fact | {"jumelles": 0} if "lignes" in fact else fact
    return quarters


def month_of(trimestres: str) -> str:
    """The last month of the last quarter: `2024T1 2024T4` → 202412."""
    last = max(trimestres.split())
    return f"{last[:4]}{int(last[5]) * 3:02d}"


def _unpack(received: Received, path: Path) -> None:
    """The data member as plain text with `\\n` line ends, no BOM and nothing after its last row; its CRC is checked on the way."""
    member, is_odd = received.contents.data_member, False
    try:
        with zipfile.ZipFile(received.path) as archive:
            with archive.open(member) as opened, path.open("wb") as out:
                carried = b""
                start = True
                while chunk := opened.read(CHUNK):
                    chunk = carried + (chunk.removeprefix(b"\xef\xbb\xbf") if start else chunk)
                    start = False
                    carried = b"\r" if chunk.endswith(b"\r") else b""  # its \n may open the next chunk
                    out.write(chunk.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
                    is_odd = is_odd or b"\0" in chunk or b"\x1a" in chunk
            for member in archive.namelist():
                with archive.open(member) as companion:
                    while member != received.contents.data_member and companion.read(CHUNK):
                        pass
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        size = f"{received.path.stat().st_size:,} bytes"
        raise refusal(
            f"An archive whose CRCs hold was expected; {received.name} ({size}) is damaged in {member}: {error}.",
            where=str(received.path),
            check="is_a_real_archive",
            cause="damaged_member",
            membre=member,
        ) from error
    if is_odd:
        _drop_padding(path)
        if found := diagnose.of_bytes(path):
            raise _not_of_text(path, found, f"{received.name}, {received.contents.data_member}")


def _drop_padding(path: Path) -> None:
    """Cut off what follows the last row and is nothing; zeros that follow a row without its line end may be what is left of it."""
    with path.open("rb+") as file:
        end = file.seek(0, 2)
        tail = b""
        while end and not tail.strip(PADDING):
            size = min(CHUNK, end)
            end = file.seek(end - size)
            tail = file.read(size)  # the part before is padding through and through, or this is the end of the rows
        kept = len(tail.rstrip(PADDING))
        file.seek(end + kept)
        if file.read(1) != b"\0" and end + kept:
            file.truncate(end + kept)


def _text(con: duckdb.DuckDBPyConnection, received: Received, path: Path) -> Text:
    columns = "{" + ", ".join(f"'{field}': 'VARCHAR'" for field in FIELDS) + "}"
    rows = (
        f"read_csv('{path}', delim=';', header=false, auto_detect=false, quote='\"', escape='\"', columns={columns},"
        " new_line='\\n', strict_mode=true)"
    )
    trimmed = "select " + ", ".join(f"trim(coalesce({field}, '')) as {field}" for field in FIELDS) + f" from {rows}"
    parameters = {"flux": received.contents.flux, "vintage": received.contents.vintage}
    return Text(con, path, trimmed, f"{received.name}, {received.contents.data_member}", parameters)


def _check_and_write(received: Received, text: Text, target: Path) -> None:
    cases = " ".join(f"when {predicate} then '{verdict}'" for verdict, (predicate, _) in VERDICTS.items())
    try:
        # One pass over the text: verdicts stand beside the typed columns, and are looked at in the Parquet.
        text.con.execute(
            f"""
            copy (
                select
                    '{received.id}' as release_id,
                    flux,
                    try_cast(trimestre as tinyint) as trimestre,
                    try_cast(annee as smallint) as annee,
                    departement as departement_code,
                    region as region_code,
                    a129 as a129_code,
                    cpf4 as cpf4_code,
                    pays as pays_code,
                    try_cast(nullif(valeur, '') as bigint) as valeur_eur,
                    case when regexp_full_match(masse, '[0-9]*') then try_cast(nullif(masse, '') as bigint) end as masse_kg,
                    case when valeur_eur is null and valeur != '' then 'valeur_supprimee' end as motif_source,
                    case {cases} end as verdict
                from ({text.query})
            ) to '{target}' (format parquet)
            """,
            text.parameters,
        )
        counted = fetch(
            text.con, f"select coalesce(verdict, '') as verdict, count(*) as lignes from read_parquet('{target}') group by all"
        )
        failed = {row["verdict"]: row["lignes"] for row in counted}
        if not failed:
            raise refusal(
                f"About a million rows were expected; the data member holds none ({text.path.stat().st_size} bytes).",
                where=text.where,
                check="has_ten_fields",
                cause="no_rows",
            )
        for verdict in VERDICTS:
            if verdict in failed:
                raise _verdict_error(text, verdict, failed[verdict], sum(failed.values()))
    except duckdb.InvalidInputException as error:
        raise _shape_error(str(error), text.path, text.where) from error


def _verdict_error(text: Text, verdict: str, count: int, total: int) -> ReleaseError:
    """How many rows offend, the first lines that do, and why, if one of the causes that are tested for is it."""
    predicate, expected = VERDICTS[verdict]
    lines = text.first(predicate)
    line, shown = lines[0]
    return refusal(
        f"Expected {expected}; found {count:,} of {total:,} rows otherwise, the first being « {shown} » ({verdict}).",
        where=f"{text.where}, line {line:,}",
        check=verdict,
        lignes=count,
        total=total,
        premieres=lines,
        **diagnose.of_rows(text, verdict, predicate, count, total),
    )


def _shape_error(message: str, path: Path, where: str) -> ReleaseError:
    """Not ten fields of text somewhere: the first bad line, or DuckDB's own words when each line looks right."""
    if found := diagnose.of_bytes(path):
        return _not_of_text(path, found, where)
    size, read = path.stat().st_size, 0
    with path.open("rb") as file:
        for line, content in enumerate(file, start=1):
            read += len(content)
            fields = content.count(b";") + 1
            if fields > len(FIELDS) and not content.split(b";", len(FIELDS))[-1].strip(b' ;"\n'):
                fields = len(FIELDS)  # what follows is empty, as spreadsheets add it: it is read
            shown = content.decode("utf-8", "replace").strip()[:120]
            if content.rstrip(b"\n") and fields != len(FIELDS):
                what = f"line {line:,} has {fields}: « {shown} »"
            elif "\ufffd" in shown:
                what = f"line {line:,} holds bytes that are not UTF-8: « {shown} »"
            elif content.count(b'"') % 2:
                what = f"line {line:,} opens a quotation mark and does not close it: « {shown} »"
            else:
                continue
            is_last = read == size and not content.endswith(b"\n")
            found = {"champs": fields} | diagnose.of_line(path, content, fields, is_last)
            return _no_ten_fields(what, where, premieres=[(line, shown)], **found)
    return _no_ten_fields(re.sub(r"\s+", " ", message)[:300], where, **diagnose.of_lines(path))


def _not_of_text(path: Path, found: diagnose.Found, where: str) -> ReleaseError:
    """What is said of bytes that are no text of rows; the first line with zeros or marks, where these are the cause."""
    with path.open("rb") as file:
        odd = (
            (n, line)
            for n, line in enumerate(file, start=1)
            if found["cause"] not in ("zero_bytes", "ctrl_z") or b"\0" in line or b"\x1a" in line
        )
        line, content = next(odd)
    shown = content[:160].decode("utf-8", "backslashreplace").replace("\0", "\\0").replace("\x1a", "^Z").strip()[:120]
    return _no_ten_fields(f"line {line:,} is « {shown} »", where, premieres=[(line, shown)], **found)


def _no_ten_fields(what: str, where: str, **found: Any) -> ReleaseError:
    expected = f"Ten fields separated by « ; » were expected ({', '.join(FIELDS)})"
    return refusal(f"{expected}; {what}.", where=where, check="has_ten_fields", **found)
