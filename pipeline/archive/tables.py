"""The rows of a kept archive as Parquet, after the checks that block: ten fields in the official order, known flow,
plausible quarters, whole euros.

Add here: a verdict on rows that needs no knowledge of codes. Keep out: what an unknown code means and what is kept out
of the totals (dbt: `int_echanges__qualified`). Frames never hold the rows: DuckDB streams them from text to Parquet.
"""

import hashlib
import lzma
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from pipeline.archive.inspect import UNDATED, read_labels
from pipeline.archive.store import Kept
from pipeline.errors import DataError, ReleaseError
from pipeline.outputs import writing

CHUNK = 1 << 22  # bytes of a member in memory at a time
FIELDS = ("flux", "trimestre", "annee", "departement", "region", "a129", "cpf4", "pays", "valeur", "masse")

# A row that meets one of these makes the whole archive unfit: (predicate in SQL, what was expected, likely cause).
# The order is that of the most telling message. Written without regular expressions: they run on millions of rows.
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
        " or length(annee) != 4 or left(annee, 2) != '20' or ltrim(annee, '0123456789') != ''"
        " or annee || case trimestre when '1' then '01' when '2' then '04' when '3' then '07' else '10' end > $vintage",
        "a quarter 1 to 4 of a year 20xx that has begun when the release was made",
        "columns in another order, a damaged row, or a file name with a wrong month",
    ),
    "euros_are_whole": (
        "ltrim(ltrim(valeur, '-'), '0123456789') != '' or length(valeur) > 16 or starts_with(valeur, '--') or valeur = '-'",
        "whole euros in field 9 (valeur)",
        "amounts in k€ with decimals, as in the per-region workbooks, which are another product",
    ),
}


@dataclass(frozen=True)
class Release:
    """One archive of a run, as the staging models see it. Amounts in whole euros."""

    release_id: str
    nom: str
    sha256: str
    vintage: str
    rang_archive: int
    flux: str
    lignes: int
    valeur_eur: int
    est_exemple: bool
    taille: int  # bytes of the archive
    origine: str  # link or path it came from
    trimestres: str  # '2024T1 2024T2 …', all that the file holds
    masses_absentes: int  # rows whose mass is empty or not a whole number: their value counts, their mass does not
    masses_absentes_eur: int
    cles_repetees: int  # rows beyond the first of the same quarter, département, good and partner: summed, as documented
    cles_repetees_eur: int


def build(
    archives: Iterable[Kept], folder: Path, accept: Callable[[list[Release]], object] = lambda releases: None
) -> list[Release]:
    """Write `folder`/{echanges,releases,libelles}: exactly the rows of these archives, and what is known of each.

    Tables of archives seen before are reused; the same bytes under several names count once, under the newest vintage.
    Raises ReleaseError at the first archive that fails a verdict, or what `accept` raises of them all (such as
    `choose_period`), and then leaves `folder` as it was.
    """
    with writing(folder):
        return _build(archives, folder, accept)


def _build(archives: Iterable[Kept], folder: Path, accept: Callable[[list[Release]], object]) -> list[Release]:
    by_bytes = {kept.id: kept for kept in sorted(archives, key=lambda kept: (kept.contents.vintage, kept.rang))}
    archives = sorted(by_bytes.values(), key=lambda kept: kept.rang)
    echanges = folder / "echanges"
    echanges.mkdir(parents=True, exist_ok=True)
    made_by = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    mark = folder / "made_by.sha256"
    reuse = mark.exists() and mark.read_text(encoding="utf-8") == made_by  # else other verdicts made them, or none
    for left in folder.glob(".unpacked-*"):  # by a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacked-") as aside:
        releases = [_release(kept, echanges, Path(aside), reuse=reuse) for kept in archives]
        accept(releases)
        for extracted in Path(aside).glob("*.parquet"):
            extracted.replace(echanges / extracted.name)
    for stale in echanges.glob("*.parquet"):
        if stale.stem not in by_bytes:
            stale.unlink()
    labels = [(kept.id, *row) for kept in archives for row in read_labels(kept.path, kept.contents)]
    columns = ["release_id", "nomenclature", "code", "libelle", "debut", "fin"]
    _write_frame(pd.DataFrame(labels, columns=columns, dtype="str"), folder / "libelles" / "libelles.parquet")
    _write_frame(pd.DataFrame([asdict(release) for release in releases]), folder / "releases" / "releases.parquet")
    mark.write_text(made_by, encoding="utf-8")
    return releases


def read_releases(folder: Path) -> list[Release]:
    """What `build` wrote of each archive."""
    query = f"from read_parquet('{folder / 'releases' / 'releases.parquet'}') order by rang_archive"
    return [Release(**row) for row in _rows(duckdb.connect(), query)]


def complete_years(releases: Iterable[Release]) -> list[int]:
    """Years with four quarters in both flows, ascending."""
    quarters = _quarters(releases)
    years = sorted({int(quarter[:4]) for quarter in quarters["E"] | quarters["I"]})
    return [year for year in years if all(quarter in quarters[flux] for quarter in quarters_of(str(year)) for flux in "EI")]


def counted_all_the_same(releases: list[Release]) -> str | None:
    """How much stands in rows without a usable mass, or that share a key with others; None where there are none."""
    absent, repeated = sum(r.masses_absentes for r in releases), sum(r.cles_repetees for r in releases)
    if not absent and not repeated:
        return None
    return (
        f"{absent:,} rows have no usable mass ({sum(r.masses_absentes_eur for r in releases):,} €) and {repeated:,} repeat the key"
        f" of another ({sum(r.cles_repetees_eur for r in releases):,} € in all rows concerned). Their values count all the same."
    )


def quarters_of(periode: str) -> list[str]:
    """`2024` → 2024T1 … 2024T4; `2025T3` → 2024T4 … 2025T3."""
    last = int(periode[:4]) * 4 + (int(periode[5]) - 1 if "T" in periode else 3)
    return [f"{quarter // 4}T{quarter % 4 + 1}" for quarter in range(last - 3, last + 1)]


def month_of(trimestres: str) -> str:
    """The last month of the last quarter: `2024T1 2024T4` → 202412."""
    last = max(trimestres.split())
    return f"{last[:4]}{int(last[5]) * 3:02d}"


def choose_period(releases: list[Release], wanted: str | None) -> str:
    """The period to draw: the one asked for, else the latest complete year.

    Raises DataError, with the quarters of each flow, when it is not complete.
    """
    quarters = _quarters(releases)
    years = complete_years(releases)
    periode = wanted or (str(years[-1]) if years else None)
    if periode and all(quarter in quarters[flux] for quarter in quarters_of(periode) for flux in "EI"):
        return periode
    asked = f"the period {wanted}" if wanted else "a year"
    found = "; ".join(
        f"{name}: {' '.join(sorted(quarters[flux])) or 'nothing'}" for flux, name in (("E", "exports"), ("I", "imports"))
    )
    raise DataError(
        f"Four quarters of both flows are needed for {asked}; found {found}.",
        where=", ".join(release.nom for release in releases),
        cause="one flow or some quarters were not downloaded, or the customs have not published them yet"
        + (f"; complete years: {', '.join(map(str, years))}" if years else ""),
        remedy="add the missing archives and run again, or ask for another period with --periode",
        check="a_whole_period_is_present",
    )


def _quarters(releases: Iterable[Release]) -> dict[str, set[str]]:
    quarters: dict[str, set[str]] = {"E": set(), "I": set()}
    for release in releases:
        quarters[release.flux] |= set(release.trimestres.split())
    return quarters


def _release(kept: Kept, echanges: Path, aside: Path, *, reuse: bool) -> Release:
    target = echanges / f"{kept.id}.parquet"
    if not (reuse and target.exists()):
        target, text = aside / target.name, aside / "data.txt"
        _unpack(kept, text)
        _check_and_write(kept, text, target)
        text.unlink()
    key = "annee, trimestre, departement_code, a129_code, cpf4_code, pays_code"
    con = duckdb.connect()
    [facts] = _rows(
        con,
        f"""
        select
            count(*) as lignes,
            coalesce(sum(valeur_eur), 0)::bigint as valeur_eur,
            array_to_string(list_sort(list(distinct annee || 'T' || trimestre)), ' ') as trimestres,
            count(*) filter (where masse_kg is null) as masses_absentes,
            coalesce(sum(valeur_eur) filter (where masse_kg is null), 0)::bigint as masses_absentes_eur,
            count(*) - count(distinct hash({key})) as cles_repetees,
            0::bigint as cles_repetees_eur
        from read_parquet('{target}')
        """,
    )
    # Apart, and only when there are some: it costs more than all the rest.
    repeated = f"from read_parquet('{target}') qualify count(*) over (partition by {key}) > 1"
    if facts["cles_repetees"]:
        facts |= _rows(con, f"select coalesce(sum(valeur_eur), 0)::bigint as cles_repetees_eur from ({repeated})")[0]
    return Release(
        release_id=kept.id,
        nom=kept.name,
        sha256=kept.sha256,
        # Without any date of its own, a release is as old as the quarters it holds.
        vintage=month_of(facts["trimestres"]) if kept.contents.vintage == UNDATED else kept.contents.vintage,
        rang_archive=kept.rang,
        flux=kept.contents.flux,
        est_exemple=kept.contents.est_exemple,
        taille=kept.size,
        origine=kept.origin,
        **facts,
    )


def _rows(con: duckdb.DuckDBPyConnection, query: str, parameters: dict[str, str] | None = None) -> list[dict[str, Any]]:
    return con.execute(query, parameters).df().to_dict("records")  # pyright: ignore[reportReturnType]


def _unpack(kept: Kept, text: Path) -> None:
    """The data member as plain text with `\\n` line ends and no BOM; its CRC is checked on the way."""
    try:
        with zipfile.ZipFile(kept.path) as archive, archive.open(kept.contents.data_member) as member, text.open("wb") as out:
            carried = b""
            start = True
            while chunk := member.read(CHUNK):
                chunk = carried + (chunk.removeprefix(b"\xef\xbb\xbf") if start else chunk)
                start = False
                carried = b"\r" if chunk.endswith(b"\r") else b""  # its \n may open the next chunk
                out.write(chunk.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
            for other in archive.namelist():
                with archive.open(other) as companion:
                    while other != kept.contents.data_member and companion.read(CHUNK):
                        pass
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise ReleaseError(
            f"An archive whose CRCs hold was expected; {kept.name} ({kept.size:,} bytes) is damaged: {error}.",
            where=str(kept.path),
            cause="the download was cut or altered on its way",
            remedy="download the archive again and run again",
            check="is_a_real_archive",
        ) from error


def _check_and_write(kept: Kept, text: Path, target: Path) -> None:
    where = f"{kept.name}, {kept.contents.data_member}"
    con = duckdb.connect(config={"memory_limit": "800MB", "threads": 2, "temp_directory": str(text.parent)})
    columns = "{" + ", ".join(f"'{field}': 'VARCHAR'" for field in FIELDS) + "}"
    rows = (
        f"read_csv('{text}', delim=';', header=false, auto_detect=false, quote='\"', escape='\"', columns={columns},"
        " new_line='\\n', strict_mode=true)"
    )
    trimmed = "select " + ", ".join(f"trim(coalesce({field}, '')) as {field}" for field in FIELDS) + f" from {rows}"
    parameters = {"flux": kept.contents.flux, "vintage": kept.contents.vintage}
    cases = " ".join(f"when {predicate} then '{verdict}'" for verdict, (predicate, _, _) in VERDICTS.items())
    try:
        # One pass over the text: verdicts stand beside the typed columns, and are looked at in the Parquet.
        con.execute(
            f"""
            copy (
                select
                    '{kept.id}' as release_id,
                    flux,
                    try_cast(trimestre as tinyint) as trimestre,
                    try_cast(annee as smallint) as annee,
                    departement as departement_code,
                    region as region_code,
                    a129 as a129_code,
                    cpf4 as cpf4_code,
                    pays as pays_code,
                    try_cast(nullif(valeur, '') as bigint) as valeur_eur,
                    case when ltrim(masse, '0123456789') = '' then try_cast(nullif(masse, '') as bigint) end as masse_kg,
                    case {cases} end as verdict
                from ({trimmed})
            ) to '{target}' (format parquet)
            """,
            parameters,
        )
        counted = _rows(
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
    """How many rows offend, and the line of the first: only now is numbering the lines worth its cost."""
    predicate, expected, cause = VERDICTS[verdict]
    used = {key: value for key, value in parameters.items() if f"${key}" in predicate}
    numbered = f"select row_number() over () as row, * from ({trimmed})"
    row = _rows(con, f"select min(row) as row from ({numbered}) where {predicate}", used)[0]["row"]
    with text.open(encoding="utf-8") as file:  # DuckDB passes over blank lines, an editor counts them
        line, shown = next(islice(((n, line) for n, line in enumerate(file, start=1) if line.strip("\n")), row - 1, None))
    return ReleaseError(
        f"Expected {expected}; found {count:,} of {total:,} rows otherwise, the first being"
        f" « {shown.strip()[:120]} » ({verdict}).",
        where=f"{where}, line {line:,}",
        cause=cause,
        remedy="take the regional archive from the customs' page of full bases; its ten fields are listed in the README",
        check=verdict,
    )


def _shape_error(message: str, text: Path, where: str) -> ReleaseError:
    """Not ten fields of text somewhere: the first bad line, or DuckDB's own words when each line looks right."""
    found = re.sub(r"\s+", " ", message)[:300]
    with text.open("rb") as file:
        for line, content in enumerate(file, start=1):
            fields = content.count(b";") + 1
            shown = f"« {content.decode('utf-8', 'replace').strip()[:120]} »"
            if content.rstrip(b"\n") and fields != len(FIELDS):
                found = f"line {line:,} has {fields}: {shown}"
            elif "\ufffd" in shown:
                found = f"line {line:,} holds bytes that are not UTF-8: {shown}"
            elif content.count(b'"') % 2:
                found = f"line {line:,} opens a quotation mark and does not close it: {shown}"
            else:
                continue
            break
    return ReleaseError(
        f"Ten fields separated by « ; » were expected ({', '.join(FIELDS)}); {found}.",
        where=where,
        cause="another product of the customs, another separator, or a damaged row",
        remedy="take the regional archive from the customs' page of full bases, and run again",
        check="has_ten_fields",
    )


def _write_frame(frame: pd.DataFrame, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_suffix(".part")
    con = duckdb.connect()
    con.register("frame", frame)
    con.execute(f"copy frame to '{aside}' (format parquet)")
    con.close()
    aside.replace(target)
