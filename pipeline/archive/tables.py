"""The rows of a kept archive as Parquet, after the checks that block: ten fields in the official order, known flow,
plausible quarters, whole euros.

Add here: a verdict on rows that needs no knowledge of codes. Keep out: what an unknown code means and what is kept out
of the totals (dbt: `int_echanges__qualified`). Frames never hold the rows: DuckDB streams them from text to Parquet.
"""

import re
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb
import pandas as pd

from pipeline.archive.inspect import read_labels
from pipeline.archive.store import Kept
from pipeline.errors import DataError, ReleaseError

FIELDS = ("flux", "trimestre", "annee", "departement", "region", "a129", "cpf4", "pays", "valeur", "masse")

# A row that meets one of these makes the whole archive unfit: (predicate in SQL, what was expected, likely cause).
# The order is that of the most telling message. Written without regular expressions: they run on millions of rows.
VERDICTS = {
    "has_no_header": (
        "try_cast(trimestre as double) is null and try_cast(annee as double) is null and try_cast(valeur as double) is null"
        " and flux not in ('I', 'E')",
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
        "trimestre not in ('1', '2', '3', '4') or length(annee) != 4 or annee not between '2000' and '2099'"
        " or annee || case trimestre when '1' then '01' when '2' then '04' when '3' then '07' else '10' end > $vintage",
        "a quarter 1 to 4 of a year 20xx that has begun when the release was made",
        "columns in another order, a damaged row, or a file name with a wrong month",
    ),
    "euros_are_whole": (
        "ltrim(ltrim(valeur, '-'), '0123456789') != '' or length(valeur) > 16",
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
    trimestres: str  # '2024T1 2024T2 …', all that the file holds
    masses_absentes: int  # rows whose mass is empty or not a whole number: their value counts, their mass does not
    masses_absentes_eur: int
    cles_repetees: int  # rows beyond the first of the same quarter, département, good and partner: summed, as documented
    cles_repetees_eur: int


def build(archives: Iterable[Kept], folder: Path) -> list[Release]:
    """Write `folder`/{echanges,releases,libelles}: exactly the rows of these archives, and what is known of each.

    Tables of archives seen before are reused. Raises ReleaseError at the first archive that fails a verdict, and then
    leaves `folder` as it was.
    """
    archives = list(archives)
    echanges = folder / "echanges"
    echanges.mkdir(parents=True, exist_ok=True)
    releases = [_release(kept, echanges) for kept in archives]
    wanted = {kept.id for kept in archives}
    for stale in echanges.glob("*.*"):
        if stale.stem not in wanted:
            stale.unlink()
    labels = [(kept.id, *row) for kept in archives for row in read_labels(kept.path, kept.contents)]
    columns = ["release_id", "nomenclature", "code", "libelle", "debut", "fin"]
    _write_frame(pd.DataFrame(labels, columns=columns, dtype="str"), folder / "libelles" / "libelles.parquet")
    _write_frame(pd.DataFrame([asdict(release) for release in releases]), folder / "releases" / "releases.parquet")
    return releases


def read_releases(folder: Path) -> list[Release]:
    """What `build` wrote of each archive."""
    frame = duckdb.sql(f"from read_parquet('{folder / 'releases' / 'releases.parquet'}') order by rang_archive").df()
    return [Release(**row) for row in frame.to_dict("records")]  # pyright: ignore[reportCallIssue]


def complete_years(releases: Iterable[Release]) -> list[int]:
    """Years with four quarters in both flows, ascending."""
    quarters = _quarters(releases)
    years = sorted({int(quarter[:4]) for quarter in quarters["E"] | quarters["I"]})
    return [year for year in years if all(f"{year}T{t}" in quarters[flux] for t in range(1, 5) for flux in "EI")]


def choose_period(releases: list[Release], wanted: str | None) -> str:
    """The period to draw: the one asked for, else the latest complete year.

    Raises DataError, with the quarters of each flow, when it is not complete.
    """
    quarters = _quarters(releases)
    years = complete_years(releases)
    if wanted is None and years:
        return str(years[-1])
    if wanted and "T" in wanted:
        last = int(wanted[:4]) * 4 + int(wanted[5]) - 1
        needed = [f"{q // 4}T{q % 4 + 1}" for q in range(last - 3, last + 1)]
        if all(quarter in quarters[flux] for quarter in needed for flux in "EI"):
            return wanted
    elif wanted and int(wanted) in years:
        return wanted
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


def _release(kept: Kept, echanges: Path) -> Release:
    target = echanges / f"{kept.id}.parquet"
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=echanges, prefix=".unpacked-") as scratch:
            text = Path(scratch) / "data.txt"
            _unpack(kept, text)
            _check_and_write(kept, text, target)
    row = (
        duckdb.sql(
            f"""
            select
                count(*) as lignes,
                sum(coalesce(valeur_eur, 0))::bigint as valeur_eur,
                list_aggregate(list_sort(list(distinct annee || 'T' || trimestre)), 'string_agg', ' ') as trimestres,
                count(*) filter (where masse_kg is null) as masses_absentes,
                coalesce(sum(valeur_eur) filter (where masse_kg is null), 0)::bigint as masses_absentes_eur,
                count(*) - count(distinct hash(annee, trimestre, departement_code, a129_code, cpf4_code, pays_code)) as cles_repetees
            from read_parquet('{target}')
            """
        )
        .df()
        .to_dict("records")[0]
    )
    repeated = 0
    if row["cles_repetees"]:
        repeated = int(
            duckdb.sql(
                f"""
                select sum(valeur_eur)::bigint as eur from (
                    from read_parquet('{target}')
                    qualify count(*) over (partition by annee, trimestre, departement_code, a129_code, cpf4_code, pays_code) > 1
                )
                """
            ).df()["eur"][0]
        )
    return Release(
        release_id=kept.id,
        nom=kept.name,
        sha256=kept.sha256,
        vintage=kept.contents.vintage,
        rang_archive=kept.rang,
        flux=kept.contents.flux,
        lignes=int(row["lignes"]),
        valeur_eur=int(row["valeur_eur"]),
        est_exemple=kept.contents.est_exemple,
        trimestres=row["trimestres"],
        masses_absentes=int(row["masses_absentes"]),
        masses_absentes_eur=int(row["masses_absentes_eur"]),
        cles_repetees=int(row["cles_repetees"]),
        cles_repetees_eur=repeated,
    )


def _unpack(kept: Kept, text: Path) -> None:
    """The data member as plain text with `\\n` line ends and no BOM; its CRC is checked on the way."""
    try:
        with zipfile.ZipFile(kept.path) as archive, archive.open(kept.contents.data_member) as member, text.open("wb") as out:
            carried = b""
            start = True
            while chunk := member.read(1 << 22):
                chunk = carried + (chunk.removeprefix(b"\xef\xbb\xbf") if start else chunk)
                start = False
                carried = b"\r" if chunk.endswith(b"\r") else b""  # its \n may open the next chunk
                out.write(chunk.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
            for other in archive.namelist():
                if other != kept.contents.data_member:
                    archive.read(other)
    except (zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
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
    if text.stat().st_size == 0 or not text.read_bytes()[:4096].strip():
        raise ReleaseError(
            f"About a million rows were expected; the data member is empty ({text.stat().st_size} bytes).",
            where=where,
            cause="the customs published the archive before its data, or it was repacked by hand",
            remedy="download the archive again; if it is still empty, wait for the release to be corrected",
            check="has_ten_fields",
        )
    con = duckdb.connect(config={"memory_limit": "800MB", "threads": 2, "temp_directory": str(text.parent)})
    columns = "{" + ", ".join(f"'{field}': 'VARCHAR'" for field in FIELDS) + "}"
    rows = (
        f"read_csv('{text}', delim=';', header=false, auto_detect=false, quote='\"', escape='\"', columns={columns},"
        " new_line='\\n', strict_mode=true)"
    )
    trimmed = "select " + ", ".join(f"trim(coalesce({field}, '')) as {field}" for field in FIELDS) + f" from {rows}"
    parameters = {"flux": kept.contents.flux, "vintage": kept.contents.vintage}
    cases = " ".join(f"when {predicate} then '{verdict}'" for verdict, (predicate, _, _) in VERDICTS.items())
    aside = target.with_suffix(".part")
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
            ) to '{aside}' (format parquet)
            """,
            parameters,
        )
        counts = con.execute(f"select verdict, count(*) as lignes from read_parquet('{aside}') group by verdict").df()
        total, failed = int(counts["lignes"].sum()), counts.dropna().set_index("verdict")["lignes"]
        for verdict in VERDICTS:
            if verdict in failed:
                raise _verdict_error(con, trimmed, verdict, parameters, where, int(failed[verdict]), total)
        aside.replace(target)
    except duckdb.InvalidInputException as error:
        raise _shape_error(str(error), text, where) from error
    finally:
        con.close()
        aside.unlink(missing_ok=True)


def _verdict_error(
    con: duckdb.DuckDBPyConnection, trimmed: str, verdict: str, parameters: dict[str, str], where: str, count: int, total: int
) -> ReleaseError:
    """The offending rows, with the line of the first: only now is numbering the lines worth its cost."""
    predicate, expected, cause = VERDICTS[verdict]
    con.execute("set preserve_insertion_order = true")
    used = {key: value for key, value in parameters.items() if f"${key}" in predicate}
    first = con.execute(
        f"select row_number() over () as line, * from ({trimmed}) qualify {predicate} order by line limit 1", used
    ).df()
    shown = ";".join(str(value) for value in first.iloc[0].tolist()[1:])
    return ReleaseError(
        f"Expected {expected}; found {count:,} of {total:,} rows otherwise, the first being « {shown} » ({verdict}).",
        where=f"{where}, line {int(first['line'][0]):,}",
        cause=cause,
        remedy="take the regional archive from the customs' page of full bases; its ten fields are listed in the README",
        check=verdict,
    )


def _shape_error(message: str, text: Path, where: str) -> ReleaseError:
    """Not ten fields somewhere: say where, with what, from DuckDB's message or by looking at the first bad line."""
    line = 0
    with text.open(encoding="utf-8", errors="replace") as file:
        for line, content in enumerate(file, start=1):  # noqa: B007
            if content.strip() and content.count(";") != len(FIELDS) - 1:
                found = f"line {line:,} has {content.count(';') + 1}: « {content.strip()[:120]} »"
                break
        else:
            found = re.sub(r"\s+", " ", message)[:300]
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
