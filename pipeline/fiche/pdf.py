"""A fiche as a PDF: tagged (PDF/UA-1), with embedded fonts and vector figures, the same bytes for the same content.

Add here: what the compiler needs to know. Keep out: looks (`templates/fiche.typ`), content (`contenu.py`).
The compiler sees virtual files only: no path of the machine, no system font, no clock.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import typst

from pipeline.charts import theme
from pipeline.charts.texte import DOSSIER_POLICES, imprimable
from pipeline.errors import RenderError
from pipeline.fiche.cellules import delier
from pipeline.fiche.contenu import Fiche
from pipeline.typographie import periode

MODELE = Path(__file__).parent / "templates" / "fiche.typ"
COULEURS = {
    "encre": theme.ENCRE,
    "doux": theme.ENCRE_DOUCE,
    "filet": theme.FILET,
    "principal": theme.PRINCIPAL,
    "import": theme.COULEUR["import"],
    "export": theme.COULEUR["export"],
    "excedent": theme.SOLDE[True],
    "deficit": theme.SOLDE[False],
    "mention": theme.MENTION,
    "mention_fond": "#FFF1DC",
}


@cache
def _polices() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(DOSSIER_POLICES)])


def composer(fiche: Fiche, figures: Mapping[str, bytes], logo: Path | None = None) -> bytes:
    """The PDF of a fiche; `figures` are its SVG files by name (`Illustration.fichier`).

    Raises RenderError when the compiler refuses.
    """
    files: dict[str, bytes] = {"main.typ": MODELE.read_bytes(), **{f"{name}.svg": svg for name, svg in figures.items()}}
    if logo:
        files[f"logo{logo.suffix.lower()}"] = logo.read_bytes()
    # Names of archives and addresses may hold what the font does not: the compiler would refuse the whole fiche for it.
    files["fiche.json"] = imprimable(delier(json.dumps(_donnees(fiche, logo), ensure_ascii=False))).encode()
    try:
        made = typst.compile(files, font_paths=_polices(), pdf_standards=["ua-1"])  # pyright: ignore[reportArgumentType]
    except RuntimeError as error:
        raise RenderError(
            f"A PDF was expected for {fiche.territoire.nom}; the compiler answered: {str(error).strip()[:600]}",
            where=f"{MODELE.name}, fiche {fiche.periode}/{fiche.territoire.slug}",
            cause="a logo or a figure that is not valid SVG or PNG, or a change of the template",
            remedy="open the figures of that fiche; without COMEX_LOGO the cover needs no picture",
        ) from error
    return made  # pyright: ignore[reportReturnType]


def _donnees(fiche: Fiche, logo: Path | None) -> dict[str, Any]:
    """What the template reads."""
    provenance = fiche.provenance
    return {
        "titre": fiche.titre,
        "courant": fiche.courant,
        "periode": periode(fiche.periode),
        "mention": provenance.mention,
        "provenance": provenance.producteur,
        "pied": f"Fiche Comex · millésime {fiche.couverture.millesime.removeprefix('Millésime ')}",
        "auteur": "Comex",
        "annee": provenance.jour.year,
        "mois": provenance.jour.month,
        "couleurs": COULEURS,
        "logo": f"logo{logo.suffix.lower()}" if logo else None,
        "barres": fiche.barres,
        "couverture": asdict(fiche.couverture),
        "sections": [asdict(section) for section in fiche.sections],
    }
