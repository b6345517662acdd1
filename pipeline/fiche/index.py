"""The entry page: all territories by région, with their headline figures and links to their fiches.

Add here: another headline column. Keep out: looks (`templates/`), statistics (SQL).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import pertes
from pipeline.fiche import parutions, revisions, textes
from pipeline.fiche.cellules import Ligne
from pipeline.fiche.contexte import lignes
from pipeline.fiche.page import gabarits
from pipeline.fiche.provenance import Provenance, marque
from pipeline.outputs import write_whole, writing
from pipeline.territoires import FRANCE, departements, regions, regions_par_nom
from pipeline.typographie import millions

SECTION = re.compile(r'<section id="revisions".*?</section>', re.DOTALL)


def ecrire(
    path: Path,
    fiches: Path,
    periode: str,
    reperes: pd.DataFrame,
    provenance: Provenance,
    etats: Mapping[str, str] | None = None,
) -> int:
    """Write the index at `path`, with the page and feed of releases beside it, and return how many fiches it links to.

    `reperes` holds the rows of all territories for the period; a fiche is linked to when its bundle is under
    `fiches`/<periode>, and marked with what `etats` says of its slug (`etat.py`). Raises OutputError.
    """
    page, linked = composer(path.parent, fiches, periode, reperes, provenance, etats)
    with writing(path):
        write_whole(path, page)
        parutions.ecrire(path.parent, provenance)
    return linked


def actualiser(path: Path) -> None:
    """Bring the list of comparisons in the index at `path` up to date, if there is an index; the rest is of the last run."""
    if path.is_file():
        page = path.read_text(encoding="utf-8")
        write_whole(path, SECTION.sub(lambda found: _section(path.parent, "parutions.html" in found[0]), page))


def _section(racine: Path, has_parutions: bool) -> str:
    return (
        gabarits()
        .get_template("comparaisons.html.j2")
        .render(comparaisons=revisions.comparaisons(racine), has_parutions=has_parutions)
    )


def composer(
    racine: Path,
    fiches: Path,
    periode: str,
    reperes: pd.DataFrame,
    provenance: Provenance,
    etats: Mapping[str, str] | None = None,
) -> tuple[str, int]:
    """The HTML of the index of `racine`, and how many fiches it links to."""
    made = _lignes(racine, fiches / periode, reperes, etats or {})
    groupes = [("France entière", "france", [made[FRANCE.cle]])] if FRANCE.cle in made else []
    for region in regions_par_nom():
        membres = [region, *(d for d in departements().values() if d.region_code == region.code)]
        rows = [made[t.cle] for t in membres if t.cle in made]
        if rows:
            groupes.append((region.nom, region.slug, rows))
    has_parutions = parutions.depot(racine, provenance) is not None
    page = (
        gabarits()
        .get_template("index.html.j2")
        .render(
            periode=periode,
            provenance=provenance,
            marque=marque(),
            groupes=groupes,
            commun=_relatif(fiches / "commun", racine),
            has_parutions=has_parutions,
            revisions=_section(racine, has_parutions),
            exemple=textes.insecables(textes.exemple().replace("Cette fiche est faite", "Ces fiches sont faites")),
        )
    )
    return page, sum(ligne["html"] is not None for ligne in made.values())


def _relatif(cible: Path, depuis: Path) -> str:
    return cible.relative_to(depuis).as_posix()


def _lignes(racine: Path, fiches: Path, reperes: pd.DataFrame, etats: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """One row per territory, by its key."""
    par_territoire: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in lignes(reperes):
        par_territoire.setdefault((row["niveau"], row["code"]), {})[row["flux"]] = row
    made = {}
    for territoire in (FRANCE, *regions().values(), *departements().values()):
        rows = par_territoire.get((territoire.niveau, territoire.code))
        if rows is None:
            continue
        dossier = f"{_relatif(fiches / territoire.slug, racine)}/"
        export, import_ = (Ligne(rows[flux], "reperes", dossier) for flux in ("export", "import"))
        solde, etat = export["solde_eur"] or 0, pertes.etat((export, import_))
        absent = etat == pertes.INDISPONIBLE  # there is no fiche, and one made of former data is not of these
        made[territoire.cle] = {
            "nom": territoire.nom,
            "code": "" if territoire.niveau != "departement" else territoire.code,
            "niveau": territoire.niveau,
            "export": export.dit("valeur_eur", millions),
            "import": import_.dit("valeur_eur", millions),
            "solde": export.dit("solde_eur", millions, signe=True),
            "ton": "excedent" if solde > 0 else "deficit" if solde < 0 else "neutre",
            "couverture": textes.taux(export),
            "etat": etat,
            "perimee": "" if absent else etats.get(territoire.slug, ""),
            "sans_fiche": absent,
            "html": None if absent else _lien(racine, fiches / territoire.slug / "fiche.html"),
            "pdf": None if absent else _lien(racine, fiches / territoire.slug / "fiche.pdf"),
        }
    return made


def _lien(racine: Path, fichier: Path) -> str | None:
    return _relatif(fichier, racine) if fichier.is_file() and fichier.with_name("manifest.json").is_file() else None
