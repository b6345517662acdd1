"""The tables of a run, from kept archives: their rows, what is known of each, their labels; and the periods they allow.

Add here: what the staging models must know of an archive. Keep out: what rows must satisfy (`rows.py`), meanings of
codes and which release a figure is drawn from (dbt).
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from pipeline.archive import labels, rows
from pipeline.archive.store import Kept
from pipeline.errors import DataError, SettingError
from pipeline.outputs import writing

TABLES = {
    "echanges": "Rows of the data members of the archives that stand for some quarter, typed, nothing dropped.",
    "releases": "One row an archive of this run: vintage, flow, rows, euros.",
    "libelles": "Rows of the companion label files.",
}
FACTS = [
    *("lignes", "valeur_eur", "trimestres", "masses_absentes", "masses_absentes_eur", "cles_repetees", "cles_repetees_eur"),
    *("hors_periode", "hors_periode_eur", "hors_periode_trimestres", "codes_contredits", "codes_contredits_eur"),
]


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
    trimestres: str  # '2024T1 2024T2 …', all that it gives
    masses_absentes: int  # rows whose mass is empty or not a whole number: their value counts, their mass does not
    masses_absentes_eur: int
    cles_repetees: int  # rows beyond the first of the same quarter, département, good and partner: summed, as documented
    cles_repetees_eur: int
    hors_periode: int = 0  # rows of other quarters than these: they stand for none
    hors_periode_eur: int = 0
    hors_periode_trimestres: str = ""  # their quarters
    codes_contredits: int = 0  # rows whose région is not that of their département, or A129 not that of their CPF4: they count
    codes_contredits_eur: int = 0
    admis: str = ""  # names of the plausibility checks that it failed and that the operator accepted, separated by spaces
    admis_constats: str = ""  # what each of them found, in French, a line each
    trimestres_depasses: str = ""  # of these quarters, those that a newer release gives which the run leaves aside (`--vintage`)

    @property
    def told(self) -> dict[str, str | int | bool]:
        """What a run says of it, where all archives are listed."""
        names = ("vintage", "flux", "lignes", "valeur_eur", "est_exemple", "sha256")
        return {"archive": self.nom, **{name: getattr(self, name) for name in names}, "admis": self.admis}


def build(
    archives: Iterable[Kept],
    folder: Path,
    accept: Callable[[list[Release]], object] = lambda releases: None,
    vintage: str | None = None,
) -> list[Release]:
    """Write `folder`/{echanges,releases,libelles}: what is known of these archives, and the rows of those that stand.

    With a `vintage` (AAAAMM), as if nothing newer had arrived. Tables of archives seen before are reused; the same bytes
    under several names count once, under the newest vintage.
    Raises ReleaseError at the first archive that fails a verdict, SettingError when nothing is as old as `vintage`, or
    what `accept` raises of them all (such as `choose_period`); the tables that dbt reads are then as they were.
    """
    with writing(folder):
        return _build(list(archives), folder, accept, vintage)


def _build(archives: list[Kept], folder: Path, accept: Callable[[list[Release]], object], vintage: str | None) -> list[Release]:
    rows.tidy(folder)
    taken = [kept for kept in archives if vintage is None or kept.contents.vintage <= vintage]
    if not taken:
        raise _nothing_so_old(archives, str(vintage))
    taken = sorted(_by_bytes(taken).values(), key=lambda kept: kept.rang)
    newer = _by_bytes(kept for kept in archives if vintage and kept.contents.vintage > vintage).values()
    later: dict[str, set[str]] = {"E": set(), "I": set()}
    for kept in newer:
        later[kept.contents.flux] |= set(rows.extract(kept, folder)["par_trimestre"])
    releases = [_release(kept, rows.extract(kept, folder), later[kept.contents.flux]) for kept in taken]
    accept(releases)
    _place(folder, standing(releases), {kept.id for kept in archives})
    libelles = [(kept.id, *row) for kept in taken for row in labels.read(kept.path, kept.contents)]
    columns = ["release_id", *labels.Label._fields]
    _write_frame(pd.DataFrame(libelles, columns=columns, dtype="str"), folder / "libelles" / "libelles.parquet")
    _write_frame(pd.DataFrame([asdict(release) for release in releases]), folder / "releases" / "releases.parquet")
    return releases


def standing(releases: Iterable[Release]) -> dict[tuple[str, str], Release]:
    """For each flow and quarter the release that stands, by the rule of `int_releases__standing`, which is the one that counts:
    here it only spares dbt the files of which no row would stay.
    """
    found: dict[tuple[str, str], Release] = {}
    for release in sorted(releases, key=lambda release: (release.vintage, release.rang_archive)):
        found |= {(release.flux, quarter): release for quarter in release.trimestres.split()}
    return found


def counts(releases: list[Release]) -> dict[str, int | None]:
    """Rows of each of TABLES, where they are known without reading it."""
    rows = {"echanges": sum(r.lignes for r in set(standing(releases).values())), "releases": len(releases)}
    return {table: rows.get(table) for table in TABLES}


def _by_bytes(archives: Iterable[Kept]) -> dict[str, Kept]:
    return {kept.id: kept for kept in sorted(archives, key=lambda kept: (kept.contents.vintage, kept.rang))}


def _place(folder: Path, standing: dict[tuple[str, str], Release], known: set[str]) -> None:
    """Put the tables that stand where dbt reads them, the others aside; remove those of archives of another source."""
    wanted = {release.release_id for release in standing.values()}
    (folder / "echanges").mkdir(exist_ok=True)
    for path in [*folder.glob("echanges/*.parquet"), *folder.glob("set_aside/*.parquet")]:
        if path.stem not in known:
            path.unlink()
            (folder / "facts" / f"{path.stem}.json").unlink(missing_ok=True)
        else:
            path.replace(folder / ("echanges" if path.stem in wanted else "set_aside") / path.name)


def _nothing_so_old(archives: list[Kept], vintage: str) -> SettingError:
    kept = ", ".join(sorted({kept.contents.vintage for kept in archives}))
    return SettingError(
        f"Archives of vintage {vintage} or older were expected; {len(archives)} are kept, of vintages {kept or 'none'}.",
        where="--vintage or COMEX_VINTAGE",
        cause="a typing error, or a release that was published before this archive was begun",
        remedy="ask for one of these vintages, or put the older archives into a folder and give it with --source",
    )


def read_label_texts(folder: Path) -> list[dict[str, Any]]:
    """What `build` wrote of labels: nomenclature, code, label, each once."""
    query = f"select distinct nomenclature, code, libelle from read_parquet('{folder / 'libelles' / 'libelles.parquet'}') order by all"
    return rows.fetch(duckdb.connect(), query)


def read_releases(folder: Path) -> list[Release]:
    """What `build` wrote of each archive."""
    query = f"from read_parquet('{folder / 'releases' / 'releases.parquet'}') order by rang_archive"
    return [Release(**row) for row in rows.fetch(duckdb.connect(), query)]


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


def beside_their_period(releases: list[Release]) -> tuple[str, list[dict[str, Any]]]:
    """What is set aside since its archive announces another period, in words and by archive; nothing where nothing is."""
    odd = [
        {"archive": r.nom, "trimestres": r.hors_periode_trimestres, "lignes": r.hors_periode, "valeur_eur": r.hors_periode_eur}
        for r in releases
        if r.hors_periode
    ]
    told = "; ".join(f"{e['lignes']:,} rows of {e['trimestres']} ({e['valeur_eur']:,} €) in {e['archive']}" for e in odd)
    return f"{told}. They are set aside and stand for no quarter." if odd else "", odd


def contradicting_themselves(releases: list[Release]) -> tuple[str, list[dict[str, Any]]]:
    """The rows whose codes do not agree with each other, in words and by archive; nothing where there are none."""
    odd = [
        {"archive": r.nom, "lignes": r.codes_contredits, "valeur_eur": r.codes_contredits_eur}
        for r in releases
        if r.codes_contredits
    ]
    told = "; ".join(f"{e['lignes']:,} rows ({e['valeur_eur']:,} €) in {e['archive']}" for e in odd)
    return f"{told}. They count under their département and their goods." if odd else "", odd


def admitted(releases: Iterable[Release]) -> dict[str, tuple[str, list[dict[str, str]]]]:
    """The checks that archives of the run failed and an operator accepted: words, and the archives with what was found."""
    found: dict[str, list[dict[str, str]]] = {}
    for release in releases:
        for name, constat in zip(release.admis.split(), release.admis_constats.splitlines(), strict=True):
            found.setdefault(name, []).append({"archive": release.nom, "constat": constat})
    return {
        name: (
            f"{name} failed and was accepted for {len(rows)} archives: " + ", ".join(row["archive"] for row in rows) + ".",
            rows,
        )
        for name, rows in found.items()
    }


def quarters_of(periode: str) -> list[str]:
    """`2024` → 2024T1 … 2024T4; `2025T3` → 2024T4 … 2025T3."""
    last = int(periode[:4]) * 4 + (int(periode[5]) - 1 if "T" in periode else 3)
    return [f"{quarter // 4}T{quarter % 4 + 1}" for quarter in range(last - 3, last + 1)]


def year_before(periode: str) -> str:
    """`2024` → `2023`, `2025T3` → `2024T3`: what its growth is measured against."""
    return f"{int(periode[:4]) - 1}{periode[4:]}"


def choose_period(releases: list[Release], wanted: str | None, passed_over: str = "") -> str:
    """The period to draw: the one asked for, else the latest complete year.

    Raises DataError, with the quarters of each flow, when it is not complete, and with what the source holds and did not offer.
    """
    quarters = _quarters(releases)
    years = complete_years(releases)
    periode = wanted or (str(years[-1]) if years else None)
    if periode and all(quarter in quarters[flux] for quarter in quarters_of(periode) for flux in "EI"):
        return periode
    whole = [q for q in sorted(quarters["E"] & quarters["I"]) if all(set(quarters_of(q)) <= quarters[flux] for flux in "EI")]
    asked = f"the period {wanted}" if wanted else "a year"
    found = "; ".join(
        f"{name}: {' '.join(sorted(quarters[flux])) or 'nothing'}" for flux, name in (("E", "exports"), ("I", "imports"))
    )
    raise DataError(
        f"Four quarters of both flows are needed for {asked}; found {found}.",
        where=", ".join(release.nom for release in releases),
        cause="one flow or some quarters were not downloaded, or the customs have not published them yet"
        + (f"; complete years: {', '.join(map(str, years))}" if years else "")
        + (f"; or it is in what was passed over: {passed_over}" if passed_over else ""),
        remedy="add the missing archives and run again, or ask for "
        + (f"the four quarters that end in {whole[-1]}: --periode {whole[-1]}" if whole else "another period with --periode"),
        check="a_whole_period_is_present",
    )


def _quarters(releases: Iterable[Release]) -> dict[str, set[str]]:
    quarters: dict[str, set[str]] = {"E": set(), "I": set()}
    for release in releases:
        quarters[release.flux] |= set(release.trimestres.split())
    return quarters


def _release(kept: Kept, facts: dict[str, Any], later: set[str]) -> Release:
    return Release(
        release_id=kept.id,
        nom=kept.name,
        sha256=kept.sha256,
        vintage=kept.contents.vintage,
        rang_archive=kept.rang,
        flux=kept.contents.flux,
        est_exemple=kept.contents.est_exemple,
        taille=kept.size,
        origine=kept.origin,
        admis=" ".join(kept.accepted),
        admis_constats="\n".join(kept.accepted.values()),
        trimestres_depasses=" ".join(sorted(later & set(facts["par_trimestre"]))),
        **{fact: facts[fact] for fact in FACTS},
    )


def _write_frame(frame: pd.DataFrame, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_suffix(".part")
    con = duckdb.connect()
    con.register("frame", frame)
    con.execute(f"copy frame to '{aside}' (format parquet)")
    con.close()
    aside.replace(target)
