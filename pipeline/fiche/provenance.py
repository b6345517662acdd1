"""Where the numbers of a fiche come from, and the lines that say so.

Add here: a fact about the origin that a reader or a re-user needs. Keep out: how archives are fetched and kept (`archive/`).
The source line is derived from the releases themselves, so that it cannot go stale.
"""

from dataclasses import dataclass
from datetime import date

from pipeline.typographie import INSECABLE, mois

MENTION_EXEMPLE = "Données d’exemple"
LICENCE = "Licence Ouverte 2.0"


@dataclass(frozen=True)
class Archive:
    """One release that the figures were computed from."""

    nom: str
    sha256: str
    millesime: str  # AAAAMM
    flux: str  # export, import
    taille: int  # bytes
    origine: str  # address or folder it came from


@dataclass(frozen=True)
class Provenance:
    """All that a fiche was made from; `millesime` (AAAAMM) is the newest of its releases."""

    est_exemple: bool
    millesime: str
    archives: tuple[Archive, ...] = ()
    est_anterieure: bool = False  # newer releases of these quarters are kept, and were left aside (`--vintage`)

    @property
    def mention(self) -> str:
        """`Données d’exemple` when the numbers are made up, else nothing."""
        return MENTION_EXEMPLE if self.est_exemple else ""

    @property
    def edition(self) -> str:
        """What an older edition says of itself, else nothing."""
        return f"Édition antérieure{INSECABLE}: données connues en {mois(self.millesime)}" if self.est_anterieure else ""

    @property
    def producteur(self) -> str:
        """Who the numbers are from, in a few words (column `source` of the CSV files)."""
        return MENTION_EXEMPLE if self.est_exemple else "DGDDI (Douanes)"

    @property
    def ligne(self) -> str:
        """The line under each figure and table."""
        source = (
            "données d’exemple au format des Douanes, sans valeur statistique"
            if self.est_exemple
            else "DGDDI (Douanes), statistiques régionales et départementales"
        )
        return f"Source{INSECABLE}: {source}, millésime {mois(self.millesime)}{INSECABLE}; traitement Comex."

    @property
    def jour(self) -> date:
        """A date for documents that want one: the month of the vintage, never the clock's."""
        return date(int(self.millesime[:4]), int(self.millesime[4:]), 1)
