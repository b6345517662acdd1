"""Every check by name: what it is about, how severe it is, and its sentence for readers, in French.

The English sentence stands beside the check itself (`intake.BLOCKING`, `marts.CONTROLES`, the dbt test's `meta.description`).
Add here: the sentence of a check in Python, or of a new kind of generic dbt test. Keep out: the sentence of a dbt test that
stands alone (its own `meta.phrase`), rules and thresholds. `docs/controles.md` is this list, written by
`python -m tests.contract.test_controles`.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pipeline.archive.intake import BLOCKING
from pipeline.archive.rapport import TEXTES
from pipeline.archive.rivals import AGREE as RIVALS
from pipeline.charts import SUJETS
from pipeline.marts import CONTROLES

Gravite = Literal["error", "warn"]
GRAVITES = {"error": "bloquant", "warn": "avertissement"}
ETAPES = {"raw": "Archives reçues", "": "Entrepôt de données", "charts": "Figures", "fiches": "Fiches"}  # in their order


@dataclass(frozen=True)
class Controle:
    """One check: `actif` is the asset that it is about, `a/b`; `bloque`: nothing that comes after is made when it fails."""

    nom: str
    actif: str
    gravite: Gravite
    description: str
    phrase: str
    bloque: bool = False

    @property
    def etape(self) -> str:
        """The stage of the line that it guards."""
        return etape(self.actif)


def etape(actif: str) -> str:
    """The stage of an asset."""
    return ETAPES.get(actif.partition("/")[0], ETAPES[""])


FIGURES, BUNDLES, DRIFT, PUBLISHED, COUNTED, DRAWABLE, BESIDE, AGREE = (
    "every_figure_is_drawn",
    "every_bundle_is_whole",
    "releases_resemble_the_former_ones",
    "releases_are_still_published",
    "masses_and_keys_are_complete",
    "labels_are_drawable",
    "rows_are_within_their_period",
    "codes_of_a_row_agree",
)
PHRASES = {
    "a_whole_period_is_present": "Les quatre trimestres de la période sont là, à l’exportation comme à l’importation.",
    "quarter_totals_are_plausible": "Aucun grand total d’un trimestre n’est loin de celui du même trimestre un an plus tôt.",
    "no_great_partner_vanishes": "Aucun pays important un an plus tôt dans un flux de la France n’a disparu.",
    "unit_values_are_plausible": "Aucun produit n’a, au niveau de la France, une valeur au kilogramme tout autre qu’un an plus tôt.",
    "every_zone_is_present": "Chaque département, et Monaco, a des lignes à chaque trimestre dans les deux flux.",
    "row_counts_are_plausible": "Aucun trimestre n’a bien moins de lignes que le même trimestre un an plus tôt.",
    "totals_agree_with_published": "Les totaux ne s’écartent pas des totaux publiés au-delà des arrondis et des révisions.",
    "losses_are_small_everywhere": "Aucun flux d’aucun territoire ne perd plus que la limite\u00a0; au-delà, sa fiche est faite et le dit.",
    "no_data_are_missing": "Chaque territoire a ses données\u00a0: aucun trimestre vide qui ne l’était pas un an plus tôt. Une absence n’est pas un zéro.",
    "labels_agree_with_seeds": "Aucun libellé venu avec une publication ne diffère de celui des tables du projet. Sinon, celui de la"
    " publication est imprimé.",
    "nomenclatures_keep_their_revision": "Les fichiers de libellés n’annoncent pas d’autre révision d’une nomenclature que celle des"
    " tables du projet. Sinon, la révision annoncée est imprimée.",
    "codes_are_known": TEXTES["codes_are_known"].attendu,
}
GENERIQUES = {  # by kind of generic dbt test
    "is_not_empty": "{table}\u00a0: la table n’est pas vide.",
    "is_unique_by": "{table}\u00a0: une seule ligne par clé ({cle}), et aucune clé vide.",
    "covers_all_territories": "{table}\u00a0: chaque période a tous les territoires dans les deux flux.",
    "adds_up_to_reperes": "{table}\u00a0: les lignes d’un territoire et d’un flux font son total, à l’euro près.",
}
TABLES = {
    "reperes": "Chiffres clés",
    "balance": "Solde apparent par partenaire",
    "produits": "Principaux produits",
    "flux": "Flux produits–pays",
    "fiabilite": "Notes de fiabilité",
    "classement": "Classement",
    "quarantaine": "Lignes écartées",
    "pertes": "Lignes écartées, par territoire et par raison",
    "releases": "Publications utilisées",
    "reconciliation": "Rapprochement avec le chiffre publié",
    "publies": "Totaux publiés",
    "libelles": "Libellés et révisions qui diffèrent",
    "plausibilite": "Points invraisemblables",
    "specificites": "Particularités",
}
MAILLES = {"departement": "départements", "national": "régions et France"}


def python() -> list[Controle]:
    """The checks that are Python: of archives, plausibility, figures and bundles."""

    def warn(nom: str, actif: str, description: str, phrase: str) -> Controle:
        return Controle(nom, actif, "warn", description, phrase)

    figures = [f"charts/{sujet.replace('-', '_')}" for sujet in SUJETS] + ["charts/national"]
    return [
        *(
            Controle(nom, "raw/echanges", "error", text, PHRASES.get(nom) or TEXTES[nom].attendu, bloque=True)
            for nom, text in BLOCKING.items()
        ),
        warn(
            COUNTED,
            "raw/echanges",
            "Every row has a mass, and a key of its own. Otherwise its value counts all the same; here is how much is concerned.",
            "Chaque ligne a une masse et une clé à elle. Sinon sa valeur compte quand même.",
        ),
        warn(
            DRAWABLE,
            "raw/libelles",
            "Every label of the releases is in characters that the packaged font draws. Otherwise a near form is printed, and data keep the label.",
            "Tous les caractères des libellés existent dans la police des fiches. Sinon une forme voisine est imprimée\u00a0; les fichiers de données gardent le libellé.",
        ),
        warn(
            BESIDE,
            "raw/echanges",
            "No row is beside the period that its archive announces. Otherwise it is set aside; here is how much is.",
            "Aucune ligne n’est hors de la période que son archive annonce. Sinon elle est écartée, et ne vaut pour aucun trimestre.",
        ),
        warn(
            AGREE,
            "raw/echanges",
            "The région of each row is that of its département, the A129 good that of its CPF4 good. Otherwise it counts all the same.",
            "La région de chaque ligne est celle de son département, et son produit A129 celui de son produit CPF4."
            " Sinon elle compte quand même.",
        ),
        warn(
            PUBLISHED,
            "raw/archives",
            "What was once on offer still is, and the source told all.",
            "Ce que la source a un jour proposé y est encore, et la source a tout dit.",
        ),
        warn(
            RIVALS,
            "raw/archives",
            "No two archives on offer for one vintage and flow differ; where some do, the last that arrived stands.",
            "Deux archives d’un même millésime et d’un même flux ne se contredisent pas. Sinon, la dernière arrivée vaut.",
        ),
        warn(
            DRIFT,
            "raw/archives",
            "Arrivals have the members, encodings and quarters of the former release of their kind.",
            "Les archives arrivées ont les membres, l’encodage et les trimestres de la publication précédente de même nature.",
        ),
        *(
            Controle(
                nom,
                f"mart_national_{sujet}",
                "error" if sujet == "quarantaine" else "warn",
                text,
                PHRASES[nom],
                bloque=sujet == "quarantaine",
            )
            for nom, (sujet, _, text) in CONTROLES.items()
        ),
        *(
            Controle(
                FIGURES,
                actif,
                "error",
                "Every figure that has something to show left its SVG, PNG and data.",
                "Chaque figure qui a quelque chose à montrer est dessinée\u00a0; sinon sa fiche n’est pas faite, les autres le sont.",
            )
            for actif in figures
        ),
        *(
            Controle(
                BUNDLES,
                f"fiches/{maille}",
                "error",
                "Every bundle made has its PDF, page, figures and data, each with the sha256 of its manifest, and nothing else.",
                "Chaque dossier de fiche est complet et les empreintes de son manifeste sont celles de ses fichiers.",
                bloque=True,
            )
            for maille in ("departement", "national")
        ),
    ]


@cache
def est_bloquant(nom: str) -> bool:
    """The severity of a Python check, by its name."""
    return next(controle.gravite == "error" for controle in python() if controle.nom == nom)


def dbt(manifest: Path) -> list[Controle]:
    """The tests of dbt's manifest."""
    nodes: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))["nodes"]
    return [_test(node) for node in nodes.values() if node["resource_type"] == "test"]


def _test(node: dict[str, Any]) -> Controle:
    meta, kind = node["config"]["meta"], node.get("test_metadata") or {}
    actif = node["attached_node"].split(".")[-1] if kind else meta["dagster"]["ref"]["name"]
    seed = actif if any(parent == f"seed.comex.{actif}" for parent in node["depends_on"]["nodes"]) else ""
    phrase = meta.get("phrase") or ""
    if kind and not phrase and kind["name"] in GENERIQUES:
        phrase = GENERIQUES[kind["name"]].format(table=_table(actif), cle=", ".join(kind["kwargs"].get("columns", [])))
    gravite: Gravite = "warn" if node["config"]["severity"].lower() == "warn" else "error"
    return Controle(
        node["name"], f"seeds/{seed}" if seed else actif, gravite, meta.get("description", ""), phrase, bloque=gravite == "error"
    )


def _table(actif: str) -> str:
    """What readers are told a table is; its own name where there is none (`stg_douane__releases`)."""
    maille, _, sujet = actif.removeprefix("mart_").partition("_")
    return f"{TABLES[sujet]} ({MAILLES[maille]})" if maille in MAILLES and sujet in TABLES else f"«\u00a0{actif}\u00a0»"


def catalogue(manifest: Path) -> list[Controle]:
    """Every check, in the order of the line: archives, warehouse, figures, fiches."""
    order = list(ETAPES.values())
    found = [*python(), *sorted(dbt(manifest), key=lambda controle: (controle.actif, controle.nom))]
    return sorted(found, key=lambda controle: order.index(controle.etape))
