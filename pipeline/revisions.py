"""`comex diff`: one period as known at two vintages, compared, in JSON and CSV and as a page.

Both are made again from the kept archives in a place of their own; the comparison is SQL over the two warehouses:
`dbt_project/analyses/revisions`, whose tables are the files written. Intermediate tables are read, not marts: they rank every
partner and good, where a figure names ten. No one else opens these two warehouses.
Add here: where a comparison is written. Keep out: what is compared (SQL), how it is told (`fiche/revisions.py`).
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from pipeline import warehouse
from pipeline.archive import rows, store, tables
from pipeline.archive.store import Kept
from pipeline.errors import SettingError
from pipeline.fiche import index
from pipeline.fiche import revisions as pages
from pipeline.fiche.bind import provenance
from pipeline.fiche.lot import mis_en_place
from pipeline.fiche.page import ecrire_commun
from pipeline.fiche.provenance import Provenance
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
            origins, periodes, periode = {}, {}, settings.periode
            for side, vintage in (("avant", before), ("apres", after)):
                releases = warehouse.build(kept, scratch, settings.niveau_produit, [periode], vintage)
                periode = tables.choose_period(releases, periode)
                origins[side] = provenance(releases, Marts(scratch.marts, periode))
                periodes[side] = [str(year) for year in tables.complete_years(releases)]
                # The tables of rows are used again; of the first warehouse only its own tables are read from now on.
                (scratch.warehouse / "comex.duckdb").rename(scratch.warehouse / f"{side}.duckdb")
            folder = paths.revisions / f"{before}-{after}-{periode}"
            with mis_en_place(folder) as aside:
                # Each CSV says by itself what it compares, and whether its numbers are made up.
                mark = {"millesime_avant": before, "millesime": after, "source": origins["apres"].producteur}
                found = _compare(
                    scratch.warehouse, aside, {"periode": str(periode), "niveau_produit": settings.niveau_produit}, mark
                )
                rapport = {
                    "periode": periode,
                    "niveau_produit": settings.niveau_produit,
                    "est_exemple": origins["apres"].est_exemple,
                    "source": origins["apres"].producteur,
                    "est_identique": all(flux["cellules_revisees"] == 0 for flux in found["resume"]),
                    "avant": {"millesime": before, "archives": _archives(origins["avant"])},
                    "apres": {"millesime": after, "archives": _archives(origins["apres"])},
                    "periodes_ajoutees": [year for year in periodes["apres"] if year not in periodes["avant"]],
                    **{name: found[name] for name in ("resume", *FILES, "trimestres", "codes")},
                }
                text = json.dumps(rapport, ensure_ascii=False, indent=1) + "\n"
                (aside / "revisions.json").write_text(text, encoding="utf-8")
                (aside / "index.html").write_text(pages.composer(rapport), encoding="utf-8")
        with writing(paths.home):
            ecrire_commun(paths.commun)
            index.actualiser(paths.index)
    return folder, rapport


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


def _compare(warehouses: Path, folder: Path, variables: dict[str, str], mark: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    """The tables of the comparison, by name; those of FILES are written as CSV into `folder`, with the columns of `mark`."""
    found = {}
    with rows.connect(warehouses) as con:
        for side in ("avant", "apres"):
            con.execute(f"attach '{warehouses / side}.duckdb' as {side} (read_only)")
        for name, value in variables.items():
            con.execute(f"set variable {name} = '{value}'")
        for name in TABLES:
            con.execute(f"create temp table {name} as {(QUERIES / f'{name}.sql').read_text(encoding='utf-8')}")
            read = con.execute(f"from {name}")
            columns = [column[0] for column in read.description]
            # A frame would turn ranks that may be missing into floats.
            found[name] = [dict(zip(columns, row, strict=True)) for row in read.fetchall()]
        marks = ", ".join(f"'{value}' as {name}" for name, value in mark.items())
        for name in FILES:
            con.execute(f"copy (select *, {marks} from {name}) to '{folder / name}.csv' (header)")
    return found


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
