"""The territories that have a fiche: 100 départements, 18 régions, France; read from the dbt seeds.

Add here: how a territory is named or ordered. Keep out: figures, and anything the seeds could say.
Corsica is one département, `20`, as in the customs' data; Monaco counts in its région and in France and has no fiche.
"""

import csv
import unicodedata
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from pipeline.errors import SettingError
from pipeline.paths import SEEDS

Niveau = Literal["departement", "region", "france"]


@dataclass(frozen=True)
class Territoire:
    """One territory, with its name in the forms that French sentences need (typographic apostrophes)."""

    niveau: Niveau
    code: str  # INSEE: 01…95, 20 (Corse), 971… ; régions 11, 84… ; "FR"
    nom: str  # Val-de-Marne
    nom_article: str  # le Val-de-Marne
    nom_de: str  # du Val-de-Marne
    nom_dans: str  # dans le Val-de-Marne
    region_code: str | None = None  # of a département
    est_region: bool = False  # a département that is a région by itself: Corsica and the DROM
    est_drom: bool = False
    territoires_industrie: tuple[str, ...] = field(default=())  # mostly or wholly in the département
    territoires_industrie_partiels: tuple[str, ...] = field(default=())  # a few communes only

    @property
    def cle(self) -> str:
        """Name that is unique over all levels: `94`, `region-11`, `france`."""
        return {"departement": self.code, "region": f"region-{self.code}", "france": "france"}[self.niveau]

    @property
    def slug(self) -> str:
        """Folder of the bundle: `94-val-de-marne`, `region-11-ile-de-france`, `france`."""
        return self.cle if self.niveau == "france" else f"{self.cle}-{slug(self.nom)}"

    @property
    def region(self) -> "Territoire | None":
        """The région of a département; None for the other levels."""
        return regions()[self.region_code] if self.region_code else None


ILE_DE_FRANCE = "11"
FRANCE = Territoire("france", "FR", "France", "la France", "de la France", "en France")


def slug(nom: str) -> str:
    """`Côtes-d’Armor` → `cotes-d-armor`."""
    ascii_nom = unicodedata.normalize("NFKD", nom.replace("œ", "oe").replace("’", "-")).encode("ascii", "ignore").decode()
    return "-".join("".join(c if c.isalnum() else " " for c in ascii_nom.lower()).split())


def seed(name: str) -> list[dict[str, str]]:
    """The rows of a dbt seed, as text."""
    with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def regions() -> dict[str, Territoire]:
    """The 18 régions by INSEE code."""
    return {
        row["region_code"]: Territoire(
            "region",
            row["region_code"],
            row["nom"],
            row["nom_article"],
            row["nom_de"],
            row["nom_dans"],
            est_region=row["est_departement"] == "true",
            est_drom=row["est_drom"] == "true",
        )
        for row in seed("regions")
    }


def regions_par_nom() -> list[Territoire]:
    """The régions by name, those overseas last."""
    return sorted(regions().values(), key=lambda region: (region.est_drom, slug(region.nom)))


@cache
def departements() -> dict[str, Territoire]:
    """The 100 départements that have a fiche, by public code, in the order of the codes."""
    ti: dict[str, dict[str, list[str]]] = {}
    for row in seed("territoires_industrie"):
        ti.setdefault(row["departement_code"], {}).setdefault(row["rattachement"], []).append(row["ti"])
    return {
        row["departement_code"]: Territoire(
            "departement",
            row["departement_code"],
            row["nom"],
            row["nom_article"],
            row["nom_de"],
            row["nom_dans"],
            region_code=row["region_code"],
            est_region=regions()[row["region_code"]].est_region,
            est_drom=regions()[row["region_code"]].est_drom,
            territoires_industrie=tuple(ti.get(row["departement_code"], {}).get("principal", ())),
            territoires_industrie_partiels=tuple(ti.get(row["departement_code"], {}).get("partiel", ())),
        )
        for row in sorted(seed("departements"), key=lambda row: (len(row["departement_code"]), row["departement_code"]))
        if row["est_fiche"] == "true"
    }


def tous() -> tuple[Territoire, ...]:
    """All 119 territories: départements, régions, France."""
    return (*departements().values(), *regions().values(), FRANCE)


def departement(code: str) -> Territoire:
    """The département of a code; the aliases of `departement_alias` (2A, 9E…) and `1` for `01` are accepted.

    Raises SettingError for a code without a fiche.
    """
    wanted = code.strip().upper().zfill(2)
    alias = {row["code_source"]: row["departement_code"] for row in seed("departement_alias")}
    found = departements().get(alias.get(wanted, wanted))
    if found is None:
        raise SettingError(
            f"100 départements have a fiche (01 to 95, 20 for the whole of Corsica, 971 to 974 and 976); {code!r} is none of them.",
            where="--departement, DEPARTEMENTS= or a partition key",
            cause="a typing error, a région's code, or Monaco (99), which counts in its région and has no fiche",
            remedy='give INSEE codes separated by spaces, for example DEPARTEMENTS="94 33"',
        )
    return found
