"""Two vintages of one period, told: the page of a comparison, and the list of those that exist.

Add here: how a revision is worded or laid out. Keep out: what is compared (SQL), when (`revisions.py` of the package).
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.fiche.page import gabarits
from pipeline.fiche.provenance import MENTION_EXEMPLE
from pipeline.typographie import INDISPONIBLE, INSECABLE, compte, de_mois, liste, millions, mois, nombre, pct, periode, trimestres

FLUX = {"export": "Exportations", "import": "Importations"}
NIVEAUX = (("france", "France"), ("region", "régions"), ("departement", "départements"))
OBJETS = {"partenaires": ("pays", "Partenaires"), "produits": ("produit", "Produits")}
NATURES = {"departement": "départements", "pays": "partenaires", "produit": "produits"}
Ligne = dict[str, Any]  # a row of the comparison


def composer(rapport: Ligne) -> str:
    """The HTML of a comparison, from its report as written in JSON."""
    return (
        gabarits()
        .get_template("revisions.html.j2")
        .render(
            rapport=rapport,
            titre=titre(rapport),
            mention=MENTION_EXEMPLE if rapport["est_exemple"] else "",
            resume=[*resume(rapport), *_trimestres(rapport)],
            reperes=_reperes(rapport),
            totaux=_totaux(rapport),
            soldes=_soldes(rapport),
            rangs=[_rang(row) for row in rapport["rangs"]],
            premiers=[(nom, nom_court, _mouvements(rapport[nom], objet)) for nom, (objet, nom_court) in OBJETS.items()],
            fortes=[
                ("departements", "Départements", _fortes(rapport["totaux"], "departement", "nom", 5)),
                *(
                    (nom, f"{court} de la France", _fortes(rapport[nom], "france", objet, 10))
                    for nom, (objet, court) in OBJETS.items()
                ),
            ],
            codes=_codes(rapport["codes"]),
            archives=[(mois(rapport[cote]["millesime"]), rapport[cote]["archives"]) for cote in ("avant", "apres")],
            flux=FLUX,
            trimestres=trimestres,
        )
    )


def comparaisons(racine: Path) -> list[dict[str, Any]]:
    """The comparisons under `racine`/revisions, the newest vintages first: address, title, what changed."""
    found = []
    for path in sorted(racine.glob("revisions/[0-9]*/revisions.json"), reverse=True):
        rapport = json.loads(path.read_text(encoding="utf-8"))
        found.append(
            {
                "href": f"{path.parent.relative_to(racine).as_posix()}/index.html",
                "titre": titre(rapport) + (f" ({MENTION_EXEMPLE})" if rapport["est_exemple"] else ""),
                "resume": resume(rapport)[0],
            }
        )
    return found


def titre(rapport: Ligne) -> str:
    """`2024, de février 2025 à août 2025`."""
    return f"{periode(rapport['periode'])}, {de_mois(rapport['avant']['millesime'])} à {mois(rapport['apres']['millesime'])}"


def revision(euros: int, part: float | None) -> str:
    """`+12,3 M€ (+0,2 %)`; a part is None where there was nothing before."""
    return f"{millions(euros, signe=True)} ({_part(part)})" if part is not None else millions(euros, signe=True)


def _part(valeur: float | None) -> str:
    """A small revision keeps a second decimal, so that it does not print as none."""
    return "" if valeur is None else pct(valeur, 1 if valeur == 0 or abs(valeur) >= 0.05 else 2, signe=True)


def resume(rapport: Ligne) -> list[str]:
    """What changed for France, then how many départements, ranks, partners and goods are concerned, by flow."""
    if rapport["est_identique"]:
        return [
            "Rien n’a été révisé entre ces deux millésimes : chaque produit et chaque partenaire de chaque département vaut autant."
        ]
    france = {row["flux"]: row for row in rapport["totaux"] if row["niveau"] == "france"}
    phrases = [
        f"{nom} de la France : "
        + (
            f"révisées de {revision(france[flux]['revision_eur'], france[flux]['revision_pct'])}."
            if france[flux]["revision_eur"]
            else "total inchangé."
        )
        for flux, nom in FLUX.items()
    ]
    details = [
        f"{FLUX[row['flux']]} : {compte(row['departements_revises'], 'département révisé', 'départements révisés')} sur 100,"
        f" {compte(row['rangs_changes'], 'changement', 'changements')} de rang ; parmi les dix premiers d’un département,"
        f" {compte(row['partenaires_entres'], 'entrée', 'entrées')} de partenaires et {nombre(row['produits_entres'])} de produits."
        f" Révisions à la hausse et à la baisse ajoutées l’une à l’autre : {millions(row['mouvement_eur'])}."
        for row in rapport["resume"]
    ]
    return [_insecable(phrase) for phrase in (" ".join(phrases), *details)]


def _trimestres(rapport: Ligne) -> list[str]:
    phrases = []
    for flux, nom in FLUX.items():
        added = [row["trimestre"] for row in rapport["trimestres"] if row["flux"] == flux and row["statut"] == "ajouté"]
        phrases += [f"Trimestres ajoutés, {nom.lower()} : {trimestres(' '.join(added))}."] if added else []
    if rapport["periodes_ajoutees"]:
        phrases.append(f"Années devenues complètes, sans comparaison possible : {liste(rapport['periodes_ajoutees'])}.")
    return [_insecable(phrase) for phrase in phrases]


def _reperes(rapport: Ligne) -> list[dict[str, str]]:
    france = {row["flux"]: row for row in rapport["totaux"] if row["niveau"] == "france"}
    return [
        {
            "ton": flux,
            "libelle": nom,
            "valeur": millions(france[flux]["valeur_eur"]),
            "precision": _revise(france[flux]),
        }
        for flux, nom in FLUX.items()
    ] + [
        {
            "ton": "neutre",
            "libelle": "Solde apparent (CAF/FAB)",
            "valeur": millions(france["export"]["solde_eur"], signe=True),
            "precision": _solde(france["export"]["solde_revision_eur"]),
        }
    ]


def _revise(row: Ligne) -> str:
    return f"révisées de {revision(row['revision_eur'], row['revision_pct'])}" if row["revision_eur"] else "inchangées"


def _solde(euros: int) -> str:
    return f"révisé de {millions(euros, signe=True)}" if euros else "inchangé"


def _totaux(rapport: Ligne) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Tables of totals: title, anchor, rows; Monaco stands under France, of which it is part."""
    tables = []
    for niveau, nom in NIVEAUX:
        for flux, nom_flux in FLUX.items():
            levels = (niveau, "hors_fiche") if niveau == "france" else (niveau,)
            lignes = [_total(row) for row in rapport["totaux"] if row["niveau"] in levels and row["flux"] == flux]
            tables.append((f"{nom_flux}, {nom}", f"{niveau}-{flux}", lignes))
    return tables


def _total(row: Ligne) -> dict[str, Any]:
    return {
        "nom": _nom(row),
        "avant": _montant(row["valeur_avant_eur"]),
        "apres": _montant(row["valeur_eur"]),
        "revision": _ecart(row),
        "part": _part(row["revision_pct"]) if row["revision_eur"] else "",
        "part_france": _fleche(
            *(pct(row[nom], 2) if row[nom] is not None else "" for nom in ("part_france_avant_pct", "part_france_pct"))
        ),
        "rang": _fleche(*(_ordinal(row[nom]) for nom in ("rang_avant", "rang"))),
        "est_forte": row["est_forte"],
    }


def _montant(valeur: int | None) -> str:
    """An amount; data that are missing on a side are no zero."""
    return INDISPONIBLE if valeur is None else millions(valeur)


def _ecart(row: Ligne) -> str:
    if (row["valeur_avant_eur"] is None) != (row["valeur_eur"] is None):
        return INDISPONIBLE
    return millions(row["revision_eur"], signe=True) if row["revision_eur"] else "inchangé"


def _soldes(rapport: Ligne) -> list[dict[str, Any]]:
    return [
        {
            "nom": _nom(row),
            "avant": millions(row["solde_avant_eur"], signe=True),
            "apres": millions(row["solde_eur"], signe=True),
            "revision": millions(row["solde_revision_eur"], signe=True),
        }
        for row in rapport["totaux"]
        if row["flux"] == "export" and row["solde_revision_eur"]
    ]


def _rang(row: Ligne) -> dict[str, str]:
    return {
        "nom": f"{row['nom']} ({row['code']})",
        "flux": FLUX[row["flux"]],
        "rang": _fleche(_ordinal(row["rang_avant"]), _ordinal(row["rang"])),
        "places": nombre(row["places_gagnees"], signe=True),
        "revision": millions(row["revision_eur"], signe=True),
    }


def _mouvements(rows: Iterable[Ligne], objet: str) -> list[dict[str, str]]:
    """By territory and flow, who entered and who left the ten first, with the ranks."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        if row["mouvement"] in ("entre", "sort"):
            key = (row["niveau"], row["code"], row["flux"])
            line = found.setdefault(key, {"nom": _nom(row), "flux": FLUX[row["flux"]], "entre": [], "sort": []})
            rangs = _fleche(_ordinal(row["rang_avant"]) or "aucun", _ordinal(row["rang"]) or "aucun")
            line[row["mouvement"]].append(f"{row[objet]} ({rangs})")
    return [line | {sens: " ; ".join(line[sens]) for sens in ("entre", "sort")} for line in found.values()]


def _fortes(rows: Iterable[Ligne], niveau: str, nom: str, premiers: int) -> list[dict[str, str]]:
    """The largest revisions of a level, both flows, in the order that SQL gave them."""
    return [
        {
            "nom": row[nom],
            "flux": FLUX[row["flux"]],
            "avant": millions(row["valeur_avant_eur"]),
            "apres": millions(row["valeur_eur"]),
            "revision": revision(row["revision_eur"], row["revision_pct"]),
        }
        for row in sorted(rows, key=lambda row: (row["flux"], row["rang_revision"] or 0))
        if row["niveau"] == niveau and row["rang_revision"] is not None and row["rang_revision"] <= premiers
    ]


def _codes(rows: Iterable[Ligne]) -> list[str]:
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        found.setdefault((row["statut"], row["nature"]), []).append(f"{row['code']} ({millions(row['valeur_eur'])})")
    return [_insecable(f"Codes de {NATURES[nature]} {statut}s : {liste(codes)}.") for (statut, nature), codes in found.items()]


def _nom(row: Ligne) -> str:
    return f"{row['nom']} ({row['code']})" if row["niveau"] == "departement" else row["nom"]


def _ordinal(rang: int | None) -> str:
    return "" if rang is None else "1er" if rang == 1 else f"{rang}e"


def _fleche(avant: str, apres: str) -> str:
    return apres if avant == apres else f"{avant} → {apres}"


def _insecable(phrase: str) -> str:
    return phrase.replace(" :", f"{INSECABLE}:").replace(" ;", f"{INSECABLE};")
