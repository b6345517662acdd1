"""The sentences that comment on the figures, in French, each made from rows of the data files.

Add here: a sentence that any territory's rows make true. Keep out: method and fixed wording (`textes.py`), statistics and
thresholds (SQL): a sentence asks the flags of the marts (`est_evolution_lisible`, `est_saillant`) and is silent when they say no.
Sentences avoid verbs that must agree with the name of a territory, of a country or of a good (« les Ardennes exportent »).
"""

from collections.abc import Callable, Mapping

from pipeline.fiche import pays
from pipeline.fiche.cellules import Ligne
from pipeline.fiche.textes import DEFINI, en_periode, majuscule
from pipeline.territoires import Territoire
from pipeline.typographie import INSECABLE, liste, nombre, pct

Reperes = Mapping[str, Ligne]


def compte(ligne: Ligne, colonne: str, singulier: str, pluriel: str) -> str:
    """`1 produit`, `76 produits`."""
    return f"{ligne.dit(colonne, nombre)}{INSECABLE}{singulier if ligne[colonne] < 2 else pluriel}"


def _par_flux(reperes: Reperes, colonne: str, mots: Mapping[str, tuple[str, str]]) -> str:
    connus = [flux for flux in ("export", "import") if flux in reperes and reperes[flux][colonne]]
    return " et ".join(compte(reperes[flux], colonne, *mots[flux]) for flux in connus)


def est_commentable(repere: Ligne) -> bool:
    """Whether a flow is there, and whole enough: what comes first in it may be what is missing."""
    return repere["est_disponible"] and not repere["est_perte_forte"]


def incomplet(reperes: Reperes) -> str:
    """Why a figure is not commented on: which of these flows are incomplete or missing; nothing when none is."""
    absents, partiels = ([f"les {DEFINI[flux]}" for flux, row in reperes.items() if kind(row)] for kind in (_manque, _perd))
    return " ".join(
        f"{majuscule(liste(noms))} {etat}{suite}."
        for noms, etat, suite in (
            (absents, "ne sont pas disponibles", " : aucun montant n’en est donné, ce qui n’est pas un montant nul"),
            (partiels, "sont incomplètes", " : les premiers pays et produits, qui peuvent manquer, n’en sont pas commentés"),
        )
        if noms
    )


def _manque(repere: Ligne) -> bool:
    return not repere["est_disponible"]


def _perd(repere: Ligne) -> bool:
    return repere["est_disponible"] and repere["est_perte_forte"]


# Balance and goods ---------------------------------------------------------------------------------------------------------


def balance(territoire: Territoire, code: str, reperes: Reperes, fiabilite: Reperes) -> str:
    """The sign of the balance, how far it can be trusted, and how both flows moved; the amounts stand above it."""
    if not all(map(est_commentable, reperes.values())):
        return " ".join(filter(None, (incomplet(reperes), "Le solde apparent n’est donc pas commenté.", evolutions(reperes))))
    if not any(repere["valeur_eur"] for repere in reperes.values()):
        return ""
    solde = reperes["export"]["solde_eur"]
    etat = "excédentaire" if solde > 0 else "déficitaire" if solde < 0 else "équilibré"
    phrase = f"{majuscule(en_periode(code))}, le solde apparent (CAF/FAB) des échanges de biens {territoire.nom_de} est {etat}."
    return " ".join(filter(None, (phrase, prudence_solde(fiabilite), evolutions(reperes))))


def evolutions(reperes: Reperes) -> str:
    """How both flows moved in a year, where that can be told."""
    if any(repere["est_rupture"] and repere["evolution_pct"] is not None for repere in reperes.values()):
        return "L’évolution sur un an franchit la rupture de série de janvier 2022 : elle n’est pas commentée."
    told, dernier = [], ""
    for flux in DEFINI:
        repere = reperes[flux]
        if repere["est_evolution_lisible"]:
            evolution = repere["evolution_pct"]
            verbe = "sont stables" if abs(evolution) < 0.05 else "progressent" if evolution > 0 else "reculent"
            de = (
                ""
                if verbe == "sont stables"
                else f" de {repere.dit('evolution_pct', lambda valeur: pct(abs(valeur)).replace('>', 'plus de'))}"
            )
            told.append(f"les {DEFINI[flux]}{'' if de and verbe == dernier else f' {verbe}'}{de}")
            dernier = verbe
    return f"Sur un an, {liste(told)}." if told else ""


def partenaires(premiers: list[Ligne], reperes: Reperes) -> str:
    """The first partners by total trade, in their order, and how many there are."""
    if not premiers:
        return ""
    noms = liste([pays.nom_article(row) for row in premiers])
    nommes = (
        f"Les premiers partenaires, par le total des échanges, sont {noms}."
        if len(premiers) > 1
        else f"Un seul partenaire est relevé : {noms}."
    )
    mots = {"export": ("pays client", "pays clients"), "import": ("pays fournisseur", "pays fournisseurs")}
    return f"{nommes} Les échanges se font avec {_par_flux(reperes, 'nb_pays', mots)}."


def premiers_produits(flux: str, premiers: list[Ligne], fiabilite: Reperes) -> str:
    """The first goods of one flow with their shares, with the reserve that a note C calls for."""
    if not premiers:
        return ""
    reserve = " (fiabilité\u00a0C, à lire avec prudence)" if est_faible(flux, fiabilite) else ""
    sens = f"À l’{flux}ation{reserve}"
    premier, *suivants = [f"« {row['produit']} » ({row.dit('part_pct', pct)})" for row in premiers]
    if not suivants:
        return f"{sens}, un seul produit est relevé : {premier}."
    return f"{sens}, le premier produit est {premier}, devant {liste(suivants)}."


def nombre_produits(reperes: Reperes) -> str:
    """How many goods are traded."""
    mots = {"export": ("produit exporté", "produits exportés"), "import": ("produit importé", "produits importés")}
    told = _par_flux(reperes, "nb_produits", mots)
    return f"Les échanges portent sur {told}." if told else ""


# Flows ---------------------------------------------------------------------------------------------------------------------


def premiers_pays(flux: str, premiers: list[Ligne]) -> str:
    """The first clients or suppliers with their shares of the flow."""
    if not premiers:
        return ""
    role = "client" if flux == "export" else "fournisseur"
    premier, *suivants = premiers
    phrase = f"Premier {role} : {pays.nom_article(premier)}, avec {premier.dit('part_pct', pct)} des {DEFINI[flux]}"
    if not suivants:
        return f"{phrase}."
    devant = [f"{pays.nom_article(row)} ({row.dit('part_pct', pct)})" for row in suivants]
    return f"{phrase}, devant {liste(devant)}."


def principal_flux(flux: str, lien: Ligne | None, imprimer: Callable[..., str]) -> str:
    """The first of the main flows, its value as the figure prints it."""
    if lien is None:
        return ""
    sens = "vers" if flux == "export" else "depuis"
    return (
        f"Premier flux : « {lien['produit']} » {sens} {pays.nom_article(lien)}, {lien.dit('valeur_eur', imprimer)}, soit "
        f"{lien.dit('part_pct', pct)} du total."
    )


def autres(produits: Ligne | None, hors: Ligne | None, imprimer: Callable[..., str]) -> str:
    """What « Autres » holds on either side: a link of that node, its amount printed by `imprimer`."""
    parties = [
        f"« Autres {nom} » réunit {compte(lien, f'{cote}_nb', unite, unites)}, pour {lien.dit(f'{cote}_valeur_eur', imprimer)}"
        for cote, nom, unite, unites, lien in (
            ("produit", "produits", "produit", "produits", produits),
            ("pays", "pays", "pays ou code hors pays", "pays ou codes hors pays", hors),
        )
        if lien
    ]
    return f"{' ; '.join(parties)}." if parties else ""


def prudence_solde(fiabilite: Reperes) -> str:
    """The same for the balance, which takes the worse of two notes."""
    faibles = [f"les {DEFINI[flux]}" for flux, row in fiabilite.items() if row["note"] == "C" and row["valeur_eur"]]
    return f"Il est à lire avec prudence : {liste(faibles)} portent la note de fiabilité\u00a0C." if faibles else ""


def est_faible(flux: str, fiabilite: Reperes) -> bool:
    """Whether the note of a flow is C; régions and France have none."""
    return flux in fiabilite and fiabilite[flux]["note"] == "C"


def prudence(flux: str, fiabilite: Reperes) -> str:
    """The reserve that a note C calls for; none where there is no trade to comment on."""
    if not est_faible(flux, fiabilite) or not fiabilite[flux]["valeur_eur"]:
        return ""
    return f"Les {DEFINI[flux]} portent la note de fiabilité\u00a0C : ce qui suit est à lire avec prudence."


# Comparison ----------------------------------------------------------------------------------------------------------------


def distingue(territoire: Territoire, flux: str, saillants: list[Ligne], region: Territoire | None, note: str) -> str:
    """What weighs much more here than in France: the goods and countries that the mart flags, beside the région if given."""
    if not saillants:
        return ""
    told = liste([f"{_objet(flux, row)} ({row.dit('part_pct', pct)}, contre {_ailleurs(row, region)})" for row in saillants])
    verbe = "semble distinguer" if note == "C" else "distingue"
    return f"Ce qui {verbe} {territoire.nom_article} de l’ensemble du pays, en part des {DEFINI[flux]} : {told}."


def _objet(flux: str, row: Ligne) -> str:
    if row["objet"] == "produit":
        return f"« {row['libelle']} »"
    return f"les ventes vers {pays.nom_article(row)}" if flux == "export" else f"les achats originaires {pays.nom_de(row)}"


def _ailleurs(row: Ligne, region: Territoire | None) -> str:
    france = f"{row.dit('france_part_pct', pct)} en France"
    return f"{row.dit('region_part_pct', pct)} {region.nom_dans} et {france}" if region else france


def premiers_ailleurs(flux: str, premiers: list[tuple[Territoire, Ligne]], propre: str) -> str:
    """The first good of the territories compared with; `propre` is the code of this territory's own."""
    if not premiers:
        return ""
    if len(premiers) == 1:
        territoire, row = premiers[0]
        lieu = f"{majuscule(territoire.nom_dans)}{' aussi' if row['produit_code'] == propre else ''}"
        return f"{lieu}, le premier produit à l’{flux}ation est « {row['produit']} » ({row.dit('part_pct', pct)})."
    lieux = [f"{territoire.nom_dans} ({row.dit('part_pct', pct)})" for territoire, row in premiers]
    noms = [f"« {row['produit']} »" for _, row in premiers]
    if len(set(noms)) < len(noms):
        # « le même » alone would read as the same as this territory's.
        aussi = " aussi" if premiers[0][1]["produit_code"] == propre else ""
        return f"{majuscule(lieux[0])} comme {lieux[1]}, le premier produit à l’{flux}ation est{aussi} {noms[0]}."
    told = liste([f"{nom} {lieu}" for nom, lieu in zip(noms, lieux, strict=True)])
    return f"Le premier produit à l’{flux}ation est {told}."
