"""Cells: what binds a printed number to the place in the data files that it comes from.

Add here: the key of a new data file. Keep out: how a number is printed (`typographie.py`), what is said of it (`textes.py`).
A bound number carries its cell's address and its full value between private-use characters, so that it goes through
sentences, tables and blocks like any text; the page makes a `<data>` element of it, print and attributes leave them out.
An address is `file:key:column`, such as `donnees/reperes.csv:departement/94/export:valeur_eur`; the key holds the values of
the columns of `CLES`, in their order. A file of another bundle is told from this one's folder: `../france/donnees/…`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from markupsafe import Markup, escape

from pipeline.typographie import INDISPONIBLE

CLES = {
    "reperes": ("niveau", "code", "flux"),
    "balance": ("pays_code",),
    "produits": ("flux", "produit_code"),
    "flux-export": ("produit_code", "pays_code"),
    "flux-import": ("produit_code", "pays_code"),
    "classement": ("flux", "departement_code"),
    "fiabilite": ("niveau", "code", "flux"),
    "pertes": ("niveau", "code", "flux", "motif"),
    "specificites": ("flux", "objet", "objet_code"),
    "rapprochement": ("niveau", "code", "flux", "etape"),
    "publies": ("niveau", "code", "flux", "perimetre"),
}
_LIE = re.compile("\ue000([^\ue000-\ue003]*)\ue001([^\ue000-\ue003]*)\ue002([^\ue000-\ue003]*)\ue003")


class Ligne(dict[str, Any]):
    """One row of a data file; what it prints is bound to its cells. `dossier` is that of the file's bundle (`../france/`)."""

    def __init__(self, valeurs: Mapping[str, Any], fichier: str, dossier: str = "") -> None:
        super().__init__(valeurs)
        self._adresse = f"{dossier}donnees/{fichier}.csv:{'/'.join(str(valeurs[cle]) for cle in CLES[fichier])}"

    def dit(self, colonne: str, forme: Callable[..., str], *args: Any, **options: Any) -> str:
        """The value of `colonne`, printed by `forme` and bound to its cell; a value that is missing is never a zero."""
        if self[colonne] is None:
            return INDISPONIBLE
        return lier(forme(self[colonne], *args, **options), f"{self._adresse}:{colonne}", self[colonne])


def lier(texte: str, cellule: str, valeur: Any) -> str:
    """`texte`, bound to the cell it prints and to its full value."""
    return f"\ue000{cellule}\ue001{valeur}\ue002{texte}\ue003"


def delier(texte: str) -> str:
    """The text alone."""
    return _LIE.sub(r"\3", texte)


def baliser(valeur: Any) -> Any:
    """For a page: bound numbers as `<data value="…" data-cellule="…">`; anything else as it is."""
    if not isinstance(valeur, str) or "\ue000" not in valeur:
        return valeur
    return Markup(_LIE.sub(r'<data value="\2" data-cellule="\1">\3</data>', str(escape(valeur))))
