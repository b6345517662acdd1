"""Archives in the customs' format, whole or spoilt, and a warehouse built from a folder of them.

Add here: a way to make an archive that a test of any room needs. Keep out: expectations.
"""

import csv
import random
import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pipeline import dbt
from pipeline.archive import intake, plausibility, store, tables
from pipeline.archive.inspect import Received, digest, inspect
from pipeline.marts import Marts
from pipeline.paths import SEEDS, Paths
from pipeline.sources import Source, folder

FLUX = {"E": "Export", "I": "Import"}
# More partners and goods than the ten that a figure names, so that « Autres » has something to hold.
PAYS = ("DE", "ES", "IT", "BE", "US", "GB", "CN", "NL", "CH", "PL", "JP", "NA", "XS", "XI", "QU", "FR")
Row = tuple[str, ...]


@cache
def seed(name: str) -> tuple[dict[str, str], ...]:
    with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


@cache
def produits() -> tuple[tuple[str, str], ...]:
    """Every ninth good and electricity, as (A129, CPF4)."""
    goods = [(fields["a129_code"], fields["cpf4_code"]) for fields in seed("nomenclature_cpf4") if fields["est_bien"] == "true"]
    return (*goods[::9], ("D35A", "3511"))


def row(
    flux: str = "E",
    trimestre: int | str = 1,
    annee: int | str = 2024,
    departement: str = "94",
    pays: str = "DE",
    valeur: int | str = 1000,
    *,
    region: str = "03",
    a129: str = "C29A",
    cpf4: str = "2910",
    masse: int | str = 10,
) -> Row:
    """The ten fields of a row, in the official order."""
    return tuple(map(str, (flux, trimestre, annee, departement, region, a129, cpf4, pays, valeur, masse)))


def year(flux: str = "E", annee: int = 2024, trimestres: Sequence[int] = (1, 2, 3, 4)) -> list[Row]:
    """The least that makes a year of a flow: a row a quarter."""
    return [row(flux, trimestre, annee) for trimestre in trimestres]


def country(flux: str, annee: int, graine: int, trimestres: Sequence[int] = (1, 2, 3, 4), lignes: int = 12) -> list[Row]:
    """A small complete flow of a year: all 101 zones, `lignes` rows a quarter each, amounts from 1 € to some 3 Md€."""
    rng = random.Random(f"{flux}{annee}{graine}")
    cells = [(*produit, pays) for produit in produits() for pays in PAYS if (flux, pays) != ("E", "FR")]
    return [
        row(
            flux,
            trimestre,
            annee,
            zone["douane_code"],
            pays,
            int(10 ** rng.uniform(0, 9.5)),
            region=zone["region_douane_code"],
            a129=a129,
            cpf4=cpf4,
            masse=rng.randrange(10**6),
        )
        for zone in seed("departements")
        for trimestre in trimestres
        for a129, cpf4, pays in rng.sample(cells, lignes)
    ]


def text(rows: Iterable[Row], end: str = "\r\n") -> bytes:
    """The rows as a data member, each line ended."""
    return "".join(";".join(fields) + end for fields in rows).encode()


def write_archive(
    path: Path,
    rows: Iterable[Row] | bytes = (),
    *,
    member: str | None = None,
    labels: dict[str, bytes] | None = None,
    others: dict[str, bytes] | None = None,
    comment: str = "",
) -> Path:
    """A ZIP at `path` with one data member (rows, or its very bytes), label files and `others`, under the paths given.

    The member's default name is of the flow and year in the archive's own name: of 2024 without one, of rolling quarters in
    `stat-regional-ce`.
    """
    flux = "Import" if "import" in path.name.lower() else "Export"
    annee = found[1] if (found := re.search(r"(?i)regional-(\d{4})", path.name)) else "2024"
    data_member = f"Regional-{annee}-{flux.lower()}/Region_{annee}_{flux}.txt"
    if "stat-regional" in path.name.lower():
        data_member = f"REGIONAL_CPF4PAYS{flux[0]}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = comment.encode()
        data = {member or data_member: rows if isinstance(rows, bytes) else text(rows)}
        for name, payload in {**data, **(labels or {}), **(others or {})}.items():
            # Dated once for all: the same rows are the same bytes.
            archive.writestr(zipfile.ZipInfo(name, (2025, 2, 7, 8, 0, 0)), payload, zipfile.ZIP_DEFLATED)
    return path


def keep(path: Path, store_folder: Path, *, name: str | None = None, origin: str | None = None) -> store.Kept:
    """An archive in the store, its rows not judged."""
    received = Received(name or path.name, path, digest(path), inspect(path, name))
    return store.keep(received, origin=origin or str(path), folder=store_folder)


def take(place: Path, paths: Paths, accept: str = plausibility.WHOLE) -> intake.Taken:
    """What a folder offers, in the archive `raw/source`; releases of a few absurd amounts are let in unless told otherwise."""
    allowed = plausibility.Allowed(names=frozenset(accept.split()))
    return intake.take_in(Source("source", str(place), folder.offers(place)), paths.raw / "source", paths, allowed)


@dataclass(frozen=True)
class Warehouse:
    """What a build left: where, what was read, and the marts of the period asked for."""

    source: Path
    paths: Paths
    releases: list[tables.Release]
    periode: str
    niveau_produit: str

    @property
    def marts(self) -> Marts:
        return Marts(self.paths.marts, self.periode)


def build_warehouse(
    source: Path, home: Path, *, niveau_produit: str = "A129", periode: str | None = None, vintage: str | None = None
) -> Warehouse:
    """Archives kept, tables built, `dbt build` run: the pipeline up to the marts, without Dagster."""
    paths = Paths(home)
    releases = tables.build(take(source, paths).kept, paths.raw_tables, vintage=vintage)
    chosen = tables.choose_period(releases, periode)
    dbt.build(paths, niveau_produit, chosen)
    return Warehouse(source, paths, releases, chosen, niveau_produit)
