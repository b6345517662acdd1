"""`comex diff`: one period as known at two vintages, compared, in JSON and CSV and as a page.

Both are made again from the kept archives in a place of their own; the comparison is SQL over the two warehouses:
`dbt_project/analyses/revisions`, whose tables are the files written. Intermediate tables are read, not marts: they rank every
partner and good, where a figure names ten. No one else opens these two warehouses.
Add here: where a comparison is written. Keep out: what is compared (SQL), how it is told (`fiche/revisions.py`).
"""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from pipeline import spreadsheets, warehouse
from pipeline.archive import rows, store, tables
from pipeline.archive.store import Kept
from pipeline.errors import SettingError
from pipeline.fiche import index
from pipeline.fiche import revisions as pages
from pipeline.fiche.bind import provenance
from pipeline.fiche.lot import mis_en_place
from pipeline.fiche.page import ecrire_commun
from pipeline.fiche.provenance import Provenance, empreinte_du_code
from pipeline.marts import Marts
from pipeline.outputs import hold, writing
from pipeline.paths import DBT_PROJECT, Paths
from pipeline.settings import Settings
from pipeline.sources import source_id
from pipeline.typographie import millions

QUERIES = DBT_PROJECT / "analyses" / "revisions"
# In the order of their making: the later ones read the earlier ones.
TABLES = ("totaux", "rangs", "objets", "partenaires", "produits", "trimestres", "codes", "resume")
FILES = ("totaux", "rangs", "partenaires", "produits")  # the tables that are CSV files too


@dataclass(frozen=True)
class Known:
    """One side: what was known at a vintage. `annees` are the years complete by then."""

    millesime: str
    periode: str
    annees: list[str]
    origin: Provenance


def diff(settings: Settings, paths: Paths, vintages: tuple[str, str]) -> tuple[Path, dict[str, Any]]:
    """Compare a period as known at two vintages (the older one is « before »), and return the folder written and its report.

    The period is the settings', else the latest year that was complete at the older vintage. Raises SettingError for a
    vintage that is not kept, DataError for a period that is not complete.
    """
    before, after = sorted(vintages)
    with hold(paths):
        kept = _kept(settings, paths, (before, after))
        with tempfile.TemporaryDirectory(prefix="comex-diff-") as name, writing(Path(name)):
            scratch = Paths(Path(name))
            avant = _known(kept, scratch, settings, settings.periode, before, "avant")
            apres = _known(kept, scratch, settings, avant.periode, after, "apres")
            place = paths.revisions / f"{before}-{after}-{avant.periode}-{source_id(settings)}"
            with mis_en_place(place) as folder:
                rapport = _write(scratch.warehouse, folder, settings.niveau_produit, avant, apres)
        with writing(paths.home):
            ecrire_commun(paths.commun)
            index.actualiser(paths.index)
    return place, rapport


def told(rapport: dict[str, Any]) -> str:
    """A comparison in a few lines, for a terminal."""
    head = f"{rapport['periode']} as known in {rapport['avant']['millesime']} and in {rapport['apres']['millesime']}"
    if rapport["est_identique"]:
        return f"{head}: nothing differs"
    france = {row["flux"]: row for row in rapport["totaux"] if row["niveau"] == "france"}
    lines = [
        f"{row['flux']}s of France: {millions(france[row['flux']]['valeur_avant_eur'])} before,"
        f" {millions(france[row['flux']]['valeur_eur'])} after,"
        f" {pages.revision(france[row['flux']]['revision_eur'], france[row['flux']]['revision_pct'])};"
        f" {row['departements_revises']} of 100 départements revised, {row['rangs_changes']} changed rank,"
        f" entries into the first ten of a département: {row['partenaires_entres']} of partners, {row['produits_entres']} of goods"
        for row in rapport["resume"]
    ]
    return "\n".join([head, *lines])


def _kept(settings: Settings, paths: Paths, vintages: tuple[str, str]) -> list[Kept]:
    folder = paths.raw / source_id(settings)
    known = sorted({entry["vintage"] for entry in store.entries(folder)})
    if unknown := [vintage for vintage in vintages if vintage not in known]:
        raise SettingError(
            f"Two kept vintages were expected; {' and '.join(dict.fromkeys(unknown))} is not among the {len(known)} of this source:"
            f" {' '.join(known) or 'none'}.",
            where=str(folder / "datapackage.json"),
            cause="a typing error, another source or home, or a release that was never fetched here",
            remedy="give two of these vintages, or fetch the source first: `comex build --source …` with the same --home",
        )
    return store.kept(folder)


def _known(kept: list[Kept], scratch: Paths, settings: Settings, periode: str | None, vintage: str, side: str) -> Known:
    """Build the warehouse of a vintage and put it aside as `side`.duckdb; the tables of rows serve the next one too."""
    releases = warehouse.build(
        kept, scratch, settings.niveau_produit, [periode], vintage, quarantaine_max_pct=settings.quarantaine_max_pct
    )
    chosen = tables.choose_period(releases, periode)
    origin = provenance(releases, Marts(scratch.marts, chosen))
    # Of a warehouse put aside only its own tables are read: its views lead to Parquet files that the next one replaces.
    (scratch.warehouse / "comex.duckdb").rename(scratch.warehouse / f"{side}.duckdb")
    return Known(vintage, chosen, [str(year) for year in tables.complete_years(releases)], origin)


def _write(warehouses: Path, folder: Path, niveau_produit: str, avant: Known, apres: Known) -> dict[str, Any]:
    """Compare the two warehouses, write all files into `folder`, and return the report."""
    found = {}
    with rows.connect(warehouses) as con:
        for side in ("avant", "apres"):
            con.execute(f"attach '{warehouses / side}.duckdb' as {side} (read_only)")
        con.execute(f"set variable periode = '{avant.periode}'")
        con.execute(f"set variable niveau_produit = '{niveau_produit}'")
        for name in TABLES:
            con.execute(f"create temp table {name} as {(QUERIES / f'{name}.sql').read_text(encoding='utf-8')}")
            read = con.execute(f"from {name}")
            columns = [column[0] for column in read.description]
            # A frame would turn ranks that may be missing into floats.
            found[name] = [dict(zip(columns, row, strict=True)) for row in read.fetchall()]
        # Each file says by itself what it compares, and whether its numbers are made up.
        mark = f"'{avant.millesime}' as millesime_avant, '{apres.millesime}' as millesime, '{apres.origin.producteur}' as source"
        for name in FILES:
            con.execute(f"copy (select {_cells(con, name)}, {mark} from {name}) to '{folder / name}.csv' (header)")
    rapport = {
        "periode": avant.periode,
        "niveau_produit": niveau_produit,
        "est_exemple": apres.origin.est_exemple,
        "source": apres.origin.producteur,
        "code": empreinte_du_code(),
        "est_identique": all(flux["cellules_revisees"] == 0 for flux in found["resume"]),
        "avant": {"millesime": avant.millesime, "archives": _archives(avant.origin)},
        "apres": {"millesime": apres.millesime, "archives": _archives(apres.origin)},
        "periodes_ajoutees": [year for year in apres.annees if year not in avant.annees],
        **{name: found[name] for name in ("resume", *FILES, "trimestres", "codes")},
    }
    (folder / "revisions.json").write_text(json.dumps(rapport, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (folder / "index.html").write_text(pages.composer(rapport), encoding="utf-8")
    return rapport


def _cells(con: duckdb.DuckDBPyConnection, name: str) -> str:
    """The columns of a table, texts such that no spreadsheet runs them."""
    texts = [column for column, kind, *_ in con.execute(f"describe {name}").fetchall() if kind == "VARCHAR"]
    return (
        f"* replace ({', '.join(f'{spreadsheets.SQL.format(column=column)} as {column}' for column in texts)})" if texts else "*"
    )


def _archives(origin: Provenance) -> list[dict[str, str]]:
    return [
        {
            "archive": archive.nom,
            "sha256": archive.sha256,
            "millesime": archive.millesime,
            "flux": archive.flux,
            "trimestres": archive.trimestres,
        }
        for archive in origin.archives
    ]
