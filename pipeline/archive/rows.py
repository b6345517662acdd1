"""The rows of an archive as Parquet, after the checks that block: ten fields in the official order, known flow,
plausible quarters, whole euros.

Add here: a verdict on rows that needs no knowledge of codes. Keep out: what an unknown code means and what is kept out
of the totals (dbt: `int_echanges__qualified`), which archives make a run (`tables.py`). Frames never hold the rows:
DuckDB streams them from text to Parquet.
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
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb

from pipeline.archive.inspect import UNDATED, Received
from pipeline.errors import ReleaseError
from pipeline.outputs import move_whole, write_whole

CHUNK = 1 << 22  # bytes of a member in memory at a time
FIELDS = ("flux", "trimestre", "annee", "departement", "region", "a129", "cpf4", "pays", "valeur", "masse")

# A row that meets one of these makes the whole archive unfit: (predicate in SQL, what was expected, likely cause).
# The order is that of the most telling message. They run on millions of rows: to match a pattern costs a third of trimming digits.
VERDICTS = {
    "has_no_header": (
        "flux not in ('I', 'E') and try_cast(trimestre as double) is null and try_cast(annee as double) is null"
        " and try_cast(valeur as double) is null",
        "rows without a header",
        "an archive saved again by a spreadsheet, or a per-region base of the customs, which has a header and k€",
    ),
    "flow_is_known": (
        "flux not in ('I', 'E')",
        "I or E in field 1 (flux)",
        "another product of the customs, or columns in another order",
    ),
    "flow_is_the_announced_one": (
        "flux != $flux",
        "the flow that the member's name announces",
        "import and export were exchanged when the archive was made",
    ),
    "goods_are_in_official_order": (
        "left(a129, 1) between '0' and '9' and left(cpf4, 1) between 'A' and 'Z'",
        "A129 in field 6 and CPF4 in field 7",
        "columns CPF4 and A129 exchanged, as in files made by third parties",
    ),
    "quarter_is_plausible": (
        "trimestre not in ('1', '2', '3', '4')"
        " or not regexp_full_match(annee, '20[0-9]{2}')"
        " or annee || case trimestre when '1' then '01' when '2' then '04' when '3' then '07' else '10' end > $vintage",
        "a quarter 1 to 4 of a year 20xx that has begun when the release was made",
        "columns in another order, a damaged row, or a file name with a wrong month",
    ),
    "euros_are_whole": (
        "not regexp_full_match(valeur, '-?[0-9]{1,18}|')",
        "whole euros in field 9 (valeur)",
        "amounts in k€ with decimals, as in the per-region workbooks, which are another product",
    ),
}

KEY = "annee, trimestre, departement_code, a129_code, cpf4_code, pays_code"
CODES = ("departement", "a129", "cpf4", "pays")
SHOWN = 10  # offending lines that a refusal quotes


def extract(received: Received, folder: Path) -> dict[str, Any]:
    """Judge the rows of an archive, write them to a table under `folder` unless it is there, and say what is known of them.

    Besides the facts that a `Release` tells, `par_trimestre` has rows, euros, a digest and the codes of each quarter, and
    `vintage` the archive's (that of its quarters where it has no date of its own). Raises ReleaseError at the first
    verdict that fails, and leaves nothing then.
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
        _check_and_write(received, aside / "data.txt", aside / "data.parquet")
        facts = {"made_by": _made_by(), **_facts(received, aside / "data.parquet")}
        target = table(folder, received.id)
        target.parent.mkdir(exist_ok=True)
        move_whole(aside / "data.parquet", target)
    write_whole(sidecar, json.dumps(facts, ensure_ascii=False))
    return facts


@cache
def _made_by() -> str:
    """Changes with the verdicts, and with DuckDB, whose hashes the digests are made of."""
    return hashlib.sha256(Path(__file__).read_bytes() + duckdb.__version__.encode()).hexdigest()


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


def _facts(received: Received, target: Path) -> dict[str, Any]:
    """What is known of the rows, of all of them and by quarter; the facts by quarter are those that `plausibility.py` weighs."""
    rows, weighed = f"from read_parquet('{target}')", "filter (where valeur_eur > 0 and masse_kg > 0)"
    fields = "flux, trimestre, annee, departement_code, region_code, a129_code, cpf4_code, pays_code, valeur_eur, masse_kg"
    codes = ", ".join(f"list_sort(list(distinct {code}_code)) as {code}" for code in CODES)
    with connect(target.parent) as con:
        quarters = _by_quarter(
            con,
            f"""
            select
                annee || 'T' || trimestre,
                sum(hash({KEY}, valeur_eur, masse_kg))::varchar as digest,
                count(*) as lignes,
                coalesce(sum(valeur_eur), 0) as valeur_eur,
                coalesce(sum(masse_kg), 0) as masse_kg,
                count(*) filter (where masse_kg is null) as masses_absentes,
                coalesce(sum(valeur_eur) filter (where masse_kg is null), 0) as masses_absentes_eur,
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
            {rows} group by all
            """,
        )
        # Apart, and only when there are some: it costs more than all the rest.
        repeated = any(fact["cles_repetees"] for fact in quarters.values())
        twins = "annee || 'T' || trimestre, count(*) - count(distinct hash(*columns(*))) as jumelles"
        for quarter, found in (_by_quarter(con, f"select {twins} {rows} group by 1") if repeated else {}).items():
            quarters[quarter] |= found
        in_all = f"qualify count(*) over (partition by {KEY}) > 1"
        [(repeated_eur,)] = (
            con.execute(f"select coalesce(sum(valeur_eur), 0) from ({rows} {in_all})").fetchall() if repeated else [(0,)]
        )
    summed = ("lignes", "valeur_eur", "masses_absentes", "masses_absentes_eur", "cles_repetees")
    trimestres = " ".join(sorted(quarters))
    undated = received.contents.vintage == UNDATED
    return {
        "vintage": month_of(trimestres) if undated else received.contents.vintage,
        "trimestres": trimestres,
        **{name: sum(fact[name] for fact in quarters.values()) for name in summed},
        "cles_repetees_eur": repeated_eur,
        "par_trimestre": quarters,
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


def _unpack(received: Received, text: Path) -> None:
    """The data member as plain text with `\\n` line ends and no BOM; its CRC is checked on the way."""
    try:
        with (
            zipfile.ZipFile(received.path) as archive,
            archive.open(received.contents.data_member) as member,
            text.open("wb") as out,
        ):
            carried = b""
            start = True
            while chunk := member.read(CHUNK):
                chunk = carried + (chunk.removeprefix(b"\xef\xbb\xbf") if start else chunk)
                start = False
                carried = b"\r" if chunk.endswith(b"\r") else b""  # its \n may open the next chunk
                out.write(chunk.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
            for other in archive.namelist():
                with archive.open(other) as companion:
                    while other != received.contents.data_member and companion.read(CHUNK):
                        pass
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise ReleaseError(
            f"An archive whose CRCs hold was expected; {received.name} ({received.path.stat().st_size:,} bytes) is damaged: {error}.",
            where=str(received.path),
            cause="the download was cut or altered on its way",
            remedy="download the archive again and run again",
            check="is_a_real_archive",
        ) from error


def _check_and_write(received: Received, text: Path, target: Path) -> None:
    where = f"{received.name}, {received.contents.data_member}"
    con = connect(text.parent)
    columns = "{" + ", ".join(f"'{field}': 'VARCHAR'" for field in FIELDS) + "}"
    rows = (
        f"read_csv('{text}', delim=';', header=false, auto_detect=false, quote='\"', escape='\"', columns={columns},"
        " new_line='\\n', strict_mode=true)"
    )
    trimmed = "select " + ", ".join(f"trim(coalesce({field}, '')) as {field}" for field in FIELDS) + f" from {rows}"
    parameters = {"flux": received.contents.flux, "vintage": received.contents.vintage}
    cases = " ".join(f"when {predicate} then '{verdict}'" for verdict, (predicate, _, _) in VERDICTS.items())
    try:
        # One pass over the text: verdicts stand beside the typed columns, and are looked at in the Parquet.
        con.execute(
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
                    null::varchar as motif_source,
                    case {cases} end as verdict
                from ({trimmed})
            ) to '{target}' (format parquet)
            """,
            parameters,
        )
        counted = fetch(
            con, f"select coalesce(verdict, '') as verdict, count(*) as lignes from read_parquet('{target}') group by all"
        )
        failed = {row["verdict"]: row["lignes"] for row in counted}
        if not failed:
            raise ReleaseError(
                f"About a million rows were expected; the data member holds none ({text.stat().st_size} bytes).",
                where=where,
                cause="the customs published the archive before its data, or it was repacked by hand",
                remedy="download the archive again; if it is still empty, wait for the release to be corrected",
                check="has_ten_fields",
            )
        for verdict in VERDICTS:
            if verdict in failed:
                raise _verdict_error(con, trimmed, text, verdict, parameters, where, failed[verdict], sum(failed.values()))
    except duckdb.InvalidInputException as error:
        raise _shape_error(str(error), text, where) from error
    finally:
        con.close()


def _verdict_error(
    con: duckdb.DuckDBPyConnection,
    trimmed: str,
    text: Path,
    verdict: str,
    parameters: dict[str, str],
    where: str,
    count: int,
    total: int,
) -> ReleaseError:
    """How many rows offend, and the first lines that do: only now is numbering the lines worth its cost."""
    predicate, expected, cause = VERDICTS[verdict]
    used = {key: value for key, value in parameters.items() if f"${key}" in predicate}
    numbered = f"select row_number() over () as row, * from ({trimmed})"
    found = fetch(con, f"select row from ({numbered}) where {predicate} order by row limit {SHOWN}", used)
    first = {row["row"] for row in found}
    with text.open(encoding="utf-8") as file:  # DuckDB passes over blank lines, an editor counts them
        full = ((n, line.strip()[:120]) for n, line in enumerate(file, start=1) if line.strip("\n"))
        lines = [each for row, each in enumerate(islice(full, max(first)), start=1) if row in first]
    line, shown = lines[0]
    return ReleaseError(
        f"Expected {expected}; found {count:,} of {total:,} rows otherwise, the first being « {shown} » ({verdict}).",
        where=f"{where}, line {line:,}",
        cause=cause,
        remedy="take the regional archive from the customs' page of full bases; its ten fields are listed in the README",
        check=verdict,
        facts={"lignes": count, "total": total, "premieres": lines},
    )


def _shape_error(message: str, text: Path, where: str) -> ReleaseError:
    """Not ten fields of text somewhere: the first bad line, or DuckDB's own words when each line looks right."""
    found, facts = re.sub(r"\s+", " ", message)[:300], {}
    with text.open("rb") as file:
        for line, content in enumerate(file, start=1):
            fields = content.count(b";") + 1
            shown = f"« {content.decode('utf-8', 'replace').strip()[:120]} »"
            facts = {"champs": fields, "premieres": [(line, shown.strip("« »"))]}
            if content.rstrip(b"\n") and fields != len(FIELDS):
                found = f"line {line:,} has {fields}: {shown}"
            elif "\ufffd" in shown:
                found = f"line {line:,} holds bytes that are not UTF-8: {shown}"
            elif content.count(b'"') % 2:
                found = f"line {line:,} opens a quotation mark and does not close it: {shown}"
            else:
                facts = {}
                continue
            break
    return ReleaseError(
        f"Ten fields separated by « ; » were expected ({', '.join(FIELDS)}); {found}.",
        where=where,
        cause="another product of the customs, another separator, or a damaged row",
        remedy="take the regional archive from the customs' page of full bases, and run again",
        check="has_ten_fields",
        facts=facts,
    )
