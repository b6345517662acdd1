"""What is missing from a flow, in French: the reasons that keep rows out of the totals, and the marks of what is incomplete.

Add here: the words of one more reason (a key of `RAISONS`), or a mark that figures and pages share. Keep out: what is kept out,
how much is too much (SQL: `int_pertes`), the sentences of a fiche (`fiche/confiance.py`).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.territoires import departements
from pipeline.typographie import INSECABLE, compte, liste, pct

RAISONS = {
    "departement_inconnu": "code de département inconnu",
    "produit_inconnu": "code de produit inconnu",
    "pays_inconnu": "code de pays inconnu",
    "pays_echu": "code de pays qui n’est plus en vigueur",
    "valeur_vide": "aucune valeur",
    "valeur_negative": "valeur négative",
    "valeur_supprimee": "valeur supprimée par le producteur",
    "hors_periode": "trimestre étranger à la publication",
}
INCOMPLET, INDISPONIBLE = "données incomplètes", "données non disponibles"
DEFINI = {"export": "exportations", "import": "importations"}
# What is measured, and how a reader is told of its share in a flow.
MESURES = {
    "quarantaine_pct": "de leur valeur",
    "quarantaine_lignes_pct": "de leurs lignes",
    "zones_perdues_pct": "de leurs départements",
    "produits_perdus_pct": "de leurs produits",
    "pays_perdus_pct": "de leurs pays",
}
Ligne = Mapping[str, Any]  # a row of the headline figures


def raison(motif: str) -> str:
    """Why rows are kept out, in words; a reason without words of its own is named, never taken for another."""
    return RAISONS.get(motif, f"autre raison ({motif.replace('_', ' ')})")


def nombre_ou_rien(valeur: Any) -> float:
    """A share, 0 where there is none."""
    return 0.0 if valeur is None or valeur != valeur else float(valeur)


def pire(ligne: Ligne) -> str:
    """The column of the worst share kept out of a flow."""
    return max(MESURES, key=lambda colonne: nombre_ou_rien(ligne.get(colonne)))


def est_surtout_manquant(ligne: Ligne) -> bool:
    """Whether a région or France lacks départements more than rows."""
    return nombre_ou_rien(ligne["manquant_pct"]) > nombre_ou_rien(ligne["perte_pct"])


def noms(codes: str) -> str:
    """`48 974` → `la Lozère et La Réunion`."""
    return liste([departements()[code].nom_article for code in codes.split()])


def sans(codes: str) -> str:
    """`sans la Lozère`; `sans 5 départements` where they are many."""
    return f"sans {noms(codes) if len(codes.split()) <= 2 else compte(len(codes.split()), 'département', 'départements')}"


def etat(lignes: Iterable[Ligne]) -> str:
    """What is to be known of a territory beside its numbers, of either flow; nothing when all is there."""
    lignes = list(lignes)
    absents = [ligne["flux"] for ligne in lignes if not ligne["est_disponible"]]
    if len(absents) == len(lignes):
        return INDISPONIBLE
    partiels = [ligne["flux"] for ligne in lignes if ligne["est_disponible"] and ligne["est_perte_forte"]]
    manquants = " ".join(dict.fromkeys(" ".join(ligne["departements_manquants"] for ligne in lignes).split()))
    dits = [f"{DEFINI[flux]} non disponibles" for flux in absents] + [f"{DEFINI[flux]} incomplètes" for flux in partiels]
    return ", ".join([*dits, *([sans(manquants)] if manquants else [])])


def mention(lignes: Iterable[Ligne]) -> str:
    """What a figure of these flows says in its strip: which of them are incomplete, and by how much; nothing when none is."""
    dites = []
    for ligne in lignes:
        if ligne["est_disponible"] and ligne["est_perte_forte"]:
            colonne = pire(ligne)
            manque = (
                noms(ligne["departements_manquants"])
                if est_surtout_manquant(ligne)
                else f"{pct(ligne[colonne])} {MESURES[colonne]}"
            )
            dites.append(f"{DEFINI[ligne['flux']].capitalize()} incomplètes{INSECABLE}: il manque {manque}")
    return " · ".join(dites)
