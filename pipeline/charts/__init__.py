"""Frames in, figures out.

`theme` says how figures look, `texte` measures and places their words; `balance`, `produits` and `flux` each turn one mart's
frame into a plain plotly dict with every text already printed in French; `navigateur` finds a browser, `render` draws with it,
and `installation` gets one where there is none.

Add here: a subject (a figure, its text alternative, its sentence when there is nothing to draw). Keep out: drawing itself, and
any statistic: amounts, ranks, shares and « Autres » come from the marts.
The same dict is drawn to SVG and PNG, and drawn again by plotly.js in the HTML fiche.
"""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from pipeline.charts import balance, flux, produits, theme
from pipeline.charts.texte import litteral
from pipeline.pertes import INDISPONIBLE
from pipeline.territoires import Territoire
from pipeline.typographie import INSECABLE, liste, monnaie, nombre, pct

SUJETS = ("balance", "produits", "flux-export", "flux-import")
REDUITS = {sujet: f"{sujet}-reduit" for sujet in ("flux-export", "flux-import")}  # the same, half a page high

LIBELLES = ("pays", "produit", "produit_libelle")  # columns whose words come from tables of codes, a release's own among them

Rows = list[dict[Any, Any]]


def dessins(sujets: Iterable[str], territoire: Territoire) -> list[str]:
    """What is drawn of these subjects: a département's fiche sets the flows of its région and of France on one page."""
    sujets = list(sujets)
    return sujets if territoire.niveau == "departement" else sujets + [REDUITS[sujet] for sujet in sujets if sujet in REDUITS]


def figure(sujet: str, frames: dict[str, pd.DataFrame]) -> dict[str, Any] | None:
    """The plotly dict of one subject (or of its reduced form); None when there is nothing to draw.

    `frames`: the marts `reperes`, `balance`, `produits` and `flux` by name, filtered. Sizes are in `layout.width` and
    `layout.height`. A figure of both flows is not drawn of one alone: the other would look like nothing.
    """
    if _manquants(sujet, frames):
        return None
    mart = sujet.partition("-")[0]
    frame = frames[mart].assign(**{nom: frames[mart][nom].map(litteral) for nom in LIBELLES if nom in frames[mart]})
    if sujet == "balance":
        spec = balance.figure(frame)
    elif sujet == "produits":
        spec = produits.figure(frame)
    else:
        _, flow, *reduit = sujet.split("-")
        spec = flux.figure(frame, flow, theme.HAUTEUR_FLUX_REDUIT if reduit else theme.HAUTEUR_FLUX)
    return _arrondir(spec)


def flux_montres(sujet: str, frames: dict[str, pd.DataFrame]) -> Rows:
    """The headline rows of the flows that a figure shows."""
    flow = sujet.partition("-")[2].removesuffix("-reduit")
    return [row for row in frames["reperes"].to_dict("records") if flow in ("", row["flux"])]


def _manquants(sujet: str, frames: dict[str, pd.DataFrame]) -> list[str]:
    """The flows of a figure whose data are missing."""
    return [row["flux"] for row in flux_montres(sujet, frames) if not row["est_disponible"]]


def _arrondir(spec: Any) -> Any:
    """Places to a billionth: the last digits of a sum differ from one Python to the next, and would change the files' bytes."""
    if isinstance(spec, dict):
        return {key: _arrondir(value) for key, value in spec.items()}
    if isinstance(spec, list):
        return [_arrondir(value) for value in spec]
    return round(spec, 9) if isinstance(spec, float) else spec


def alternative(sujet: str, frames: dict[str, pd.DataFrame], territoire: Territoire) -> str:
    """What the figure says, in two to four French sentences, for those who do not see it; "" when there is nothing to draw."""
    if _manquants(sujet, frames):
        return ""
    if sujet == "balance":
        return _alternative_balance(frames["balance"].to_dict("records"), territoire)
    if sujet == "produits":
        return _alternative_produits(frames["produits"].to_dict("records"), territoire)
    flow = sujet.removeprefix("flux-")
    return _alternative_flux([row for row in frames["flux"].to_dict("records") if row["flux"] == flow], flow, territoire)


def phrase_vide(sujet: str, frames: dict[str, pd.DataFrame], territoire: Territoire) -> str:
    """The sentence that stands in for a figure with nothing to draw; the caller's page gives the period."""
    if manquants := _manquants(sujet, frames):
        quoi = liste([f"l’{flow}ation" for flow in manquants])
        seul = "" if len(manquants) > 1 or "-" in sujet else " La figure, qui montre les deux flux, n’est pas dessinée."
        return (
            f"{INDISPONIBLE.capitalize()} pour {quoi} : les lignes {territoire.nom_de} manquent dans la base reçue pour la période,"
            f" ce qui n’est pas un montant nul.{seul}"
        )
    if sujet == "balance" and len(frames["balance"]):
        return (
            f"Aucun pays partenaire n’est connu pour les échanges enregistrés {territoire.nom_dans} sur la période : tous "
            "sont rangés sous « Autres pays »."
        )
    what = {
        "balance": "Aucun échange de biens avec l’étranger n’est enregistré",
        "produits": "Aucun échange de biens avec l’étranger n’est enregistré",
        "flux-export": "Aucune exportation de biens n’est enregistrée",
        "flux-import": "Aucune importation de biens n’est enregistrée",
    }[sujet]
    return f"{what} {territoire.nom_dans} sur la période."


def _alternative_balance(rows: Rows, territoire: Territoire) -> str:
    partners = [row for row in rows if row["pays_code"] != "AUTRES"]
    if not partners:
        return ""
    imprimer = monnaie(max(sum(row[f"{flow}_eur"] for row in rows) for flow in ("import", "export")))
    told = [
        f"{row['pays']} (importations {imprimer(row['import_eur'])}, exportations {imprimer(row['export_eur'])}, "
        f"solde {imprimer(row['solde_eur'], signe=True)})"
        for row in partners[:3]
    ]
    others = [
        f" Autres pays ({nombre(row['nb_pays'])}){INSECABLE}: importations {imprimer(row['import_eur'])}, "
        f"exportations {imprimer(row['export_eur'])}."
        for row in rows
        if row["pays_code"] == "AUTRES"
    ]
    return (
        f"Diagramme en papillon des importations et des exportations {territoire.nom_de} par pays, avec leur solde "
        f"apparent (CAF/FAB), dans l’ordre du total des échanges. Premiers partenaires{INSECABLE}: {' ; '.join(told)}."
        + "".join(others)
    ).replace(" ;", f"{INSECABLE};")


def _alternative_produits(rows: Rows, territoire: Territoire) -> str:
    totals = {flow: sum(row["valeur_eur"] for row in rows if row["flux"] == flow) for flow in ("import", "export")}
    imprimer = monnaie(max(totals.values()))
    told = []
    for flow, total in totals.items():
        goods = [row for row in rows if row["flux"] == flow]
        if goods:
            first = [f"{row['produit']} {pct(row['part_pct'])}" for row in goods if row["produit_code"] != "AUTRES"][:3]
            told.append(f" {theme.NOM_FLUX[flow]}{INSECABLE}: {imprimer(total)}, dont {liste(first)}.")
    if not told:
        return ""
    return f"Surfaces proportionnelles aux montants des produits échangés {territoire.nom_dans}, à la même échelle." + "".join(
        told
    )


def _alternative_flux(rows: Rows, flow: str, territoire: Territoire) -> str:
    if not rows:
        return ""
    imprimer = monnaie(sum(row["valeur_eur"] for row in rows))
    main = sorted((row for row in rows if row["est_principal"]), key=lambda row: -row["valeur_eur"])
    sides = (
        ("exportations", "des produits vers les pays de destination")
        if flow == "export"
        else ("importations", "des pays d’origine vers les produits")
    )
    named = {
        side: {row[side]: row[f"{side}_valeur_eur"] for row in sorted(rows, key=lambda row: row[f"{side}_rang"])}
        for side in ("produit", "pays")
    }
    text = f"Diagramme de flux des {sides[0]} {territoire.nom_de}, {sides[1]}."
    for side, title in (("produit", "Premiers produits"), ("pays", "Premiers pays")):
        text += f" {title}{INSECABLE}: {liste([f'{name} ({imprimer(value)})' for name, value in list(named[side].items())[:3]])}."
    if main:
        arrows = [f"{row['produit']} et {row['pays']}, {imprimer(row['valeur_eur'])}" for row in main]
        text += f" Principaux flux, en rouge{INSECABLE}: {f'{INSECABLE}; '.join(arrows)}."
    return text
