"""How a sentence names a country: « le Japon », « du Japon »; read from the dbt seed.

Add here: another form that sentences need, as a column of the seed. Keep out: sentences, and how figures label a country.
"""

from functools import cache

from pipeline.fiche.cellules import Ligne
from pipeline.territoires import seed


@cache
def _formes() -> dict[str, dict[str, str]]:
    return {row["pays_code"]: row for row in seed("pays") if row["nom_article"]}


def nom_article(ligne: Ligne) -> str:
    """`les États-Unis`, of a row of a country; one whose label is the release's own keeps it."""
    return _forme(ligne, "nom_article", "le pays")


def nom_de(ligne: Ligne) -> str:
    """Where goods come from: `des États-Unis`, `de Chine`, `du Japon`."""
    return _forme(ligne, "nom_de", "du pays")


def _forme(ligne: Ligne, colonne: str, inconnu: str) -> str:
    formes, nom = _formes().get(ligne.get("pays_code") or ligne["objet_code"]), ligne.get("pays") or ligne["libelle"]
    return formes[colonne] if formes and formes["pays"] == nom else f"{inconnu} « {nom} »"
