"""Where the numbers of a fiche come from, and the lines that say so.

Add here: a fact about the origin that a reader or a re-user needs. Keep out: how archives are fetched and kept (`archive/`).
The source line is derived from the releases themselves, so that it cannot go stale.
"""

import hashlib
import platform
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.metadata import version
from typing import Any

from pipeline.settings import ROOT
from pipeline.typographie import INSECABLE, mois

MENTION_EXEMPLE = "Données d’exemple"
LICENCE = "Licence Ouverte 2.0"
LOGICIELS = ("comex", "dagster", "dbt-core", "dbt-duckdb", "duckdb", "pandas", "plotly", "kaleido", "typst")


@dataclass(frozen=True)
class Archive:
    """One release that the run read: `lignes` and `valeur_eur` are its own, `trimestres` what it gave to the period."""

    nom: str
    sha256: str
    millesime: str  # AAAAMM
    flux: str  # export, import
    taille: int  # bytes
    origine: str  # the address it came from, else the name of its file
    lignes: int = 0
    valeur_eur: int = 0
    trimestres: str = ""  # « 2024T1 2024T2 »; none for an archive that serves comparisons with other years and labels
    admis: tuple[tuple[str, str], ...] = ()  # checks that it failed and the operator accepted, each with what was found

    @property
    def release_id(self) -> str:
        """What its rows are marked with in the warehouse."""
        return self.sha256[:12]


@dataclass(frozen=True)
class Fabrication:
    """What decides on the numbers of a fiche beside the level of its goods and the code: two that agree in it print the same.

    `periode` and `comparaison` are the archives that stand for its quarters and for those a year before: (release_id, quarters).
    """

    sources: tuple[str, ...] = ()  # `exemple`, `dossier`, or the host that the archives came from
    periode: tuple[tuple[str, str], ...] = ()
    comparaison: tuple[tuple[str, str], ...] = ()
    admis: tuple[str, ...] = ()  # checks that an operator let these archives fail

    def manifeste(self) -> dict[str, Any]:
        """As the manifest of a bundle has it."""
        return {
            "sources": list(self.sources),
            "periode": dict(self.periode),
            "comparaison": dict(self.comparaison),
            "admis": list(self.admis),
        }


@dataclass(frozen=True)
class Provenance:
    """All that a fiche was made from; `millesime` (AAAAMM) is the newest of its releases.

    `archives` stand for the quarters of the period; `lues` are all that the run read, in the order that decides between two
    of one flow and vintage: the last stands.
    """

    est_exemple: bool
    millesime: str
    archives: tuple[Archive, ...] = ()
    lues: tuple[Archive, ...] = ()
    fabrication: Fabrication = Fabrication()
    est_anterieure: bool = False  # newer releases of these quarters are kept, and were left aside (`--vintage`)
    admises: tuple[Archive, ...] = ()  # of those that give this period or the year before, those with `admis`
    codes_admis: str = ""  # the shares of unknown codes, where they exceed the limit and the operator accepted them

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


def versions() -> dict[str, str]:
    """What a fiche was made with, the browser apart: Python, the libraries that decide on bytes, and this code."""
    return {"python": platform.python_version(), **{nom: version(nom) for nom in LOGICIELS}, "code": empreinte_du_code()}


def marque() -> str:
    """What a page beside the bundles, which has no manifest, says of what made it."""
    return f"comex {empreinte_du_code()}"


@cache
def empreinte_du_code() -> str:
    """First 12 digits of the sha256 of all code that makes an output, Python, templates and SQL: another one, other bytes."""
    sources = [path for path in (ROOT / "pipeline").rglob("*.*") if path.suffix in (".py", ".j2", ".js", ".typ")]
    for room in ("models", "macros", "seeds", "analyses"):
        sources += (path for path in (ROOT / "dbt_project" / room).rglob("*.*") if path.suffix in (".sql", ".csv", ".yml"))
    digest = hashlib.sha256()
    for path in sorted(sources, key=lambda path: path.relative_to(ROOT).as_posix()):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
