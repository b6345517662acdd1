"""How far the numbers go: reliability, conventions, and why they are not the published totals. Blocks for fiches and their words.

Add here: a reserve or a step towards a published total that a mart gives. Keep out: sums, notes and levels (SQL), the other
sections (`contexte.py`). `Donnees` holds the rows, each bound to its data file.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Literal

from pipeline import pertes
from pipeline.fiche.cellules import Ligne
from pipeline.fiche.contenu import Bloc, Colonne, Encadre, Intertitre, Paragraphe, Points, Repere, Reperes, Tableau
from pipeline.fiche.textes import DEFINI, insecables, majuscule
from pipeline.territoires import ILE_DE_FRANCE, Territoire, seed, tous
from pipeline.typographie import INSECABLE, arrondi, euros, liste, millions, nombre, pct, trimestres

FLUX: tuple[Literal["export", "import"], ...] = ("export", "import")
ABSENT = {"non_mesurable": "non mesurable", "non_publiee": "non publié", "non_disponible": "non disponible"}
RESERVES = {"A": "aucune réserve particulière", "B": "des réserves à connaître", "C": "à lire avec prudence"}
ETAPES = {
    "departements": "Départements, somme",
    "monaco": "Principauté de Monaco, rattachée à Provence-Alpes-Côte d’Azur",
    "indetermine": "Département indéterminé",
    "regions": "Régions, somme",
    "base_ouverte": "Total de la base ouverte, celui de ces fiches",
    "ecartees": "Lignes tenues à l’écart",
    "materiel_militaire": "Matériel militaire",
    "seuils_et_non_reponse": "Échanges sous les seuils et non-réponse",
    "ecart_ensemble": "Ensemble de ce qui manque, par différence",
    "total_publie": "Total publié",
    "caf_fab": "Frais d’acheminement (passage CAF à FAB)",
    "total_publie_fab": "Total publié, importations FAB",
}
SOMMES = ("regions", "base_ouverte", "total_publie", "total_publie_fab")


@dataclass(frozen=True)
class Donnees:
    """The rows that these sections print: note by flow (none for régions and France), steps, published totals, what is kept out."""

    fiabilite: Mapping[str, Ligne]
    rapprochement: Sequence[Ligne]
    publies: Sequence[Ligne]
    pertes: Sequence[Ligne] = ()  # of the territory, each reason apart
    pertes_france: Sequence[Ligne] = ()

    def etapes(self, niveau: str, code: str) -> dict[tuple[str, str], Ligne]:
        """Steps of one territory by name and flow, in their order."""
        return {(row["etape"], row["flux"]): row for row in self.rapprochement if (row["niveau"], row["code"]) == (niveau, code)}


# Reliability ---------------------------------------------------------------------------------------------------------------


def raisons(row: Ligne) -> list[str]:
    """Why the note is not A, in words; what is missing first."""
    if not row["est_disponible"]:
        return ["les données ne sont pas disponibles"]
    if not row["valeur_eur"] and not row["niveau_perte"]:
        return ["aucun échange n’est relevé"]
    regles = {
        "perte": lambda: f"les données sont incomplètes ({row.dit('perte_pct', pct)} des lignes ou de la valeur tenus à l’écart)",
        "convention": lambda: (
            "l’électricité et le gaz naturel, que les Douanes rattachent à Paris par convention, pèsent "
            f"{row.dit('convention_pct', pct)} du total"
        ),
        "concentration": lambda: f"un seul flux entre un produit et un pays pèse {row.dit('premier_flux_pct', pct)} du total",
        "plateforme": lambda: f"des biens peuvent ne faire que traverser le département ({row['plateformes']})",
        "energie": lambda: f"l’énergie, dont les prix varient beaucoup, pèse {row.dit('energie_pct', pct)} du total",
        "petit": lambda: f"le total est petit ({row.dit('valeur_eur', millions)}) : une seule opération peut le changer",
    }
    return [dire() for regle, dire in regles.items() if row[f"niveau_{regle}"]]


def ne_permet_pas(territoire: Territoire, fiabilite: Mapping[str, Ligne]) -> list[str]:
    """What must not be concluded: what the raised rules forbid, then what no fiche allows."""

    def leve(regle: str) -> bool:
        return any(row[f"niveau_{regle}"] for row in fiabilite.values())

    propres = {
        "perte": "que le total, ses premiers pays et ses premiers produits sont les vrais : une partie des données manque",
        "convention": f"que l’électricité et le gaz comptés ici sont produits ou consommés {territoire.nom_dans}",
        "concentration": "que l’économie locale évolue comme le total, qu’un seul flux peut entraîner",
        "plateforme": "que les biens comptés ici sont produits ou utilisés sur place",
        "energie": "que les quantités évoluent comme les montants : les prix de l’énergie y pèsent",
        "petit": "qu’un écart d’une année à l’autre est une tendance",
    }
    return [
        *(texte for regle, texte in propres.items() if leve(regle)),
        f"que les entreprises qui échangent ont leur siège, ou leur production, {territoire.nom_dans}",
        "que la valeur échangée est gagnée sur place : le prix d’un bien n’est pas la valeur ajoutée",
        {
            "departement": "que chaque bassin d’emploi ressemble au département : rien n’est mesuré au-dessous",
            "region": "que chaque bassin d’emploi ressemble à la région : rien n’est mesuré au-dessous du département"
            if territoire.est_region
            else "que chaque département ressemble à la région : voir les fiches des départements",
            "france": "que chaque région ressemble au pays : voir les fiches des régions",
        }[territoire.niveau],
    ]


@cache
def _regles() -> dict[str, dict[str, str]]:
    return {row["regle"]: row for row in seed("regles_fiabilite")}


def _seuil(regle: Mapping[str, str], colonne: str, sens: str) -> str:
    valeur = regle[colonne]
    if not valeur:
        return "–"
    seuil = int(valeur)
    return f"{sens} {millions(seuil) if regle['unite'] == '€' else nombre(seuil) + INSECABLE + regle['unite']}"


def _tableau_regles(note: Ligne) -> Tableau:
    lignes = tuple(
        (
            insecables(regle["raison"]),
            *(_seuil(regle, colonne, "moins de" if nom == "petit" else "dès") for colonne in ("seuil_1", "seuil_2")),
        )
        for nom, regle in _regles().items()
    )
    perte = insecables("Données qui manquent : lignes tenues à l’écart, en nombre ou en valeur")
    lignes = ((perte, "–", f"plus de {note.dit('perte_max_pct', pct)}"), *lignes)
    return Tableau(
        "Comment la note est établie",
        (Colonne("Règle", nombre=False, largeur=4), Colonne("Réserve"), Colonne("Forte réserve")),
        lignes,
        note=insecables("A : aucune réserve. B : une ou deux réserves. C : une forte réserve, ou trois réserves."),
    )


def fiabilite(territoire: Territoire, reperes: Mapping[str, Ligne], donnees: Donnees, source: str) -> tuple[Bloc, ...]:
    """The notes with their reasons, what must not be concluded, the conventions, the rules."""
    notes = donnees.fiabilite
    blocs: list[Bloc] = []
    if notes:
        blocs += [
            Reperes(
                tuple(
                    Repere(f"Note des {DEFINI[flux]}", notes[flux]["note"], RESERVES[notes[flux]["note"]], flux) for flux in FLUX
                )
            ),
            points(_motifs(notes)),
        ]
    else:
        voir = "la fiche départementale la donne" if territoire.est_region else "voir les fiches des départements"
        blocs.append(Paragraphe(insecables(f"La note de fiabilité, de A à C, est établie par département et par flux : {voir}.")))
    blocs += [
        Encadre(
            "Ce que cette fiche ne permet pas de conclure",
            tuple(insecables(f"{majuscule(texte)}.") for texte in ne_permet_pas(territoire, notes)),
        ),
        _tableau_conventions(territoire, reperes, donnees, source),
        *([_tableau_regles(notes["export"])] if notes else []),
    ]
    return tuple(blocs)


def _motifs(notes: Mapping[str, Ligne]) -> list[tuple[str, str]]:
    """The notes with their reasons, told once where both flows have the same."""
    told = [(DEFINI[flux], row["note"], _raisons(row)) for flux, row in notes.items()]
    if len({(note, motif) for _, note, motif in told}) == 1:
        told = [(liste([flux for flux, *_ in told]), *told[0][1:])]
    return [(f"{majuscule(flux)}, note {note}", motif) for flux, note, motif in told]


def _raisons(row: Ligne) -> str:
    told = raisons(row)
    return f"{' ; '.join(told)}." if told else "aucune des six règles n’appelle de réserve."


def points(elements: Iterable[tuple[str, str]]) -> Points:
    """Terms and their explanations, with their typography done."""
    return Points(tuple((insecables(terme), insecables(texte)) for terme, texte in elements))


def _tableau_conventions(territoire: Territoire, reperes: Mapping[str, Ligne], donnees: Donnees, source: str) -> Tableau:
    """What conventions put into the totals, or keep out of them."""

    def ligne(libelle: str, colonne: str, forme: Callable[..., str] = millions) -> tuple[str, ...]:
        return (libelle, *(reperes[flux].dit(colonne, forme) if reperes[flux][colonne] is not None else "–" for flux in FLUX))

    lignes = [
        ligne("Électricité et gaz naturel, rattachés par convention à Paris et à l’Île-de-France", "energie_convention_eur")
    ]
    if any(reperes[flux]["energie_convention_eur"] for flux in FLUX):
        lignes.append(ligne("Total sans électricité ni gaz naturel", "valeur_hors_convention_eur"))
    if territoire.region_code == ILE_DE_FRANCE:
        lignes += [
            ligne("Part de la région, tous produits", "part_region_pct", pct),
            ligne("Part de la région, sans électricité ni gaz naturel", "part_region_hors_convention_pct", pct),
        ]
    lignes += [
        ligne("Partenaire indéterminé, avitaillement, autocorrections", "indetermine_eur"),
        ligne("Marchandises françaises en retour", "retours_eur"),
    ]
    monaco = donnees.etapes(territoire.niveau, territoire.code)
    if ("monaco", "export") in monaco:
        lignes.append(
            (
                "Échanges de la principauté de Monaco, compris dans le total",
                *(monaco["monaco", flux].dit("valeur_eur", millions) for flux in FLUX),
            )
        )
    lignes += _ecartees(donnees.pertes)
    return Tableau(
        "Ce que les conventions mettent dans les totaux",
        (Colonne("Poste", nombre=False, largeur=4), *(Colonne(majuscule(DEFINI[flux])) for flux in FLUX)),
        tuple((insecables(libelle), *valeurs) for libelle, *valeurs in lignes),
        note=insecables(
            f"{_sans_departement(territoire, donnees.pertes_france)}Les partenaires indéterminés et les retours restent dans tous les totaux, sous « Autres pays », sans prendre de rang. "
            f"Le gaz naturel (poste 0620) comprend le gaz liquéfié. {source}"
        ),
        donnees="reperes",
    )


# What is missing -----------------------------------------------------------------------------------------------------------


def ecartees(row: Ligne) -> str:
    """`3 lignes, 2 258,4 M€`; rows may have no amount at all."""
    mot = "ligne" if row["lignes"] < 2 else "lignes"
    somme = row.dit("valeur_eur", millions) if row["valeur_eur"] else "montant inconnu"
    return f"{row.dit('lignes', nombre)}{INSECABLE}{mot}, {somme}"


def _ecartees(rows: Sequence[Ligne]) -> list[tuple[str, ...]]:
    """A line of the table for each reason."""
    par_motif = {(row["motif"], row["flux"]): row for row in rows}
    return [
        (
            f"Hors du total, tenu à l’écart : {pertes.raison(motif)}",
            *(ecartees(par_motif[motif, flux]) if (motif, flux) in par_motif else "–" for flux in FLUX),
        )
        for motif in dict.fromkeys(motif for motif, _ in par_motif)
    ]


def _sans_departement(territoire: Territoire, rows: Sequence[Ligne]) -> str:
    """Rows of an unknown département belong to nobody but France: who they should belong to is not known."""
    connus = [f"{ecartees(row)} à l’{row['flux']}ation" for row in rows if row["motif"] == "departement_inconnu"]
    if not connus:
        return ""
    if territoire.niveau == "france":
        suite = "elles ne sont comptées dans aucun département ni aucune région"
    else:
        suite = f"rien ne dit si elles reviennent {'à la région' if territoire.niveau == 'region' else 'au département'}"
    return f"Pour toute la France, des lignes ont un code de département inconnu ({liste(connus)}) : {suite}. "


def encadre(territoire: Territoire, reperes: Mapping[str, Ligne], rows: Sequence[Ligne]) -> Encadre | None:
    """The box of the cover that says what is incomplete or missing, with its numbers; None when all is there."""
    dits = [phrase for flux in FLUX for phrase in _incomplet(territoire, reperes[flux], [r for r in rows if r["flux"] == flux])]
    return Encadre(insecables("Données incomplètes"), tuple(map(insecables, dits))) if dits else None


def _incomplet(territoire: Territoire, repere: Ligne, rows: Sequence[Ligne]) -> list[str]:
    nom = majuscule(DEFINI[repere["flux"]])
    if not repere["est_disponible"]:
        avant = " La base en donnait un an plus tôt." if repere["valeur_precedente_eur"] else ""
        return [
            f"{nom} : données non disponibles. Aucune ligne utilisable pour {trimestres(repere['trimestres_manquants'])}.{avant} "
            "Ce n’est pas un montant nul."
        ]
    dits = []
    if manquants := repere["departements_manquants"]:
        poids = repere.dit("manquant_pct", pct) if repere["manquant_pct"] else ""
        dits.append(
            f"{nom} : le total est fait sans {pertes.noms(manquants)}, dont les données ne sont pas disponibles"
            f"{f' ({poids} du total un an plus tôt)' if poids else ''}."
        )
    if repere["est_perte_forte"] and rows:
        raisons_dites = liste([f"{ecartees(row)} ({pertes.raison(row['motif'])})" for row in rows])
        vrai = "est plus élevé" if all(row["valeur_eur"] >= 0 for row in rows) else "est différent"
        dits.append(
            f"{nom} : {repere.dit('quarantaine_lignes_pct', pct)} des lignes et {repere.dit('quarantaine_pct', pct)} de la valeur connue "
            f"sont tenus à l’écart du total : {raisons_dites}. Le vrai total {vrai}."
        )
    if repere["est_perte_forte"]:
        tus = (
            "L’évolution, le rang et les commentaires"
            if territoire.niveau == "departement"
            else "L’évolution et les commentaires"
        )
        dits[-1] += f" {tus}, qui diraient surtout ce qui manque, ne sont pas donnés."
    return dits


# Published totals ----------------------------------------------------------------------------------------------------------


def rapprochement(
    territoire: Territoire,
    comparees: Sequence[tuple[Territoire, Mapping[str, Ligne]]],
    donnees: Donnees,
    source: str,
    *,
    exemple: bool,
) -> tuple[Bloc, ...]:
    """From the territory to France, and from France to the published headline. `comparees`: territories with their reperes."""
    blocs: list[Bloc] = [Paragraphe(insecables(CHAPEAU), "chapeau")]
    if exemple:
        blocs.append(Paragraphe(insecables(EXEMPLE), "note"))
    if territoire.niveau != "france":
        blocs.append(_tableau_sommes(territoire, comparees, donnees, source))
    blocs.append(tableau_france(donnees, source))
    if lignes := [row for row in donnees.publies if row["perimetre"] == "base_ouverte"]:
        blocs.append(tableau_publies(lignes, source))
    blocs += [Intertitre("Pourquoi d’autres chiffres circulent"), Paragraphe(insecables(PRESSE))]
    return tuple(blocs)


CHAPEAU = (
    "À l’euro près, les départements et la principauté de Monaco font les régions, et les régions la France. Le total que publient "
    "les Douanes est plus élevé : il couvre aussi ce que la base ouverte ne détaille pas."
)
EXEMPLE = (
    "Ces données sont inventées : leur écart avec les totaux publiés, qui sont de vrais chiffres, ne signifie rien. Les tableaux en "
    "montrent la forme."
)
PRESSE = (
    "La presse cite le plus souvent le total publié au moment du bilan annuel, qui comprend le matériel militaire et une estimation "
    "des échanges non déclarés, et un solde FAB/FAB, importations sans les frais d’acheminement ; parfois des chiffres corrigés des "
    "variations saisonnières, ou d’un millésime plus ancien. Pour une région, elle additionne parfois des départements sans Monaco, "
    "ou retient un autre champ de produits."
)


def _etape(lignes: Mapping[tuple[str, str], Ligne], etape: str) -> tuple[str, ...]:
    """The amounts of one step by flow: to the euro where measured, as precise as published elsewhere."""
    return tuple(montant(lignes[etape, flux]) if (etape, flux) in lignes else "" for flux in FLUX)


def montant(row: Ligne) -> str:
    """The amount of a step, or why there is none."""
    if row["valeur_eur"] is None:
        return ABSENT[row["mesure"]]
    return row.dit("valeur_eur", euros if row["precision_eur"] is None else partial(arrondi, precision=row["precision_eur"]))


def _tableau_sommes(
    territoire: Territoire, comparees: Sequence[tuple[Territoire, Mapping[str, Ligne]]], donnees: Donnees, source: str
) -> Tableau:
    lignes = []
    for autre, reperes in comparees:
        if autre.niveau == "region" and not autre.est_region:
            etapes = donnees.etapes("region", autre.code)
            lignes += [
                (
                    f"{ETAPES[etape]}" if etape == "monaco" else f"Départements {autre.nom_de}, somme",
                    *_entre(_etape(etapes, etape)),
                )
                for etape in ("departements", "monaco")
                if (etape, "export") in etapes
            ]
        lignes.append(
            (
                autre.nom,
                *(
                    case
                    for flux in FLUX
                    for case in (reperes[flux].dit("valeur_eur", euros), reperes[flux].dit("part_france_pct", pct, 2))
                ),
            )
        )
    return Tableau(
        insecables(f"Du total {territoire.nom_de} à celui de la France"),
        (
            Colonne("Territoire", nombre=False, largeur=2.6),
            *(
                colonne
                for flux in FLUX
                for colonne in (Colonne(majuscule(DEFINI[flux]), largeur=1.6), Colonne("Part", largeur=0.8))
            ),
        ),
        tuple(lignes),
        note=insecables(f"Part : dans le total de la France. {source}"),
        donnees="rapprochement",
    )


def _entre(valeurs: tuple[str, ...]) -> tuple[str, ...]:
    """Amounts with an empty share after each."""
    return tuple(case for valeur in valeurs for case in (valeur, ""))


def tableau_france(donnees: Donnees, source: str) -> Tableau:
    """The steps from the open data to the published headline, for France."""
    lignes = donnees.etapes("france", "FR")
    etapes = list(dict.fromkeys(etape for etape, _ in lignes))
    publie = sorted({row["source"] for row in lignes.values() if row["source"]})
    return Tableau(
        "De la base ouverte au total publié, France",
        (
            Colonne("Étape", nombre=False, largeur=3.8),
            *(Colonne(majuscule(DEFINI[flux]), largeur=1.4) for flux in FLUX),
            Colonne("Nature", nombre=False),
        ),
        tuple((ETAPES[etape], *_etape(lignes, etape), _nature(lignes, etape)) for etape in etapes),
        note=insecables(f"{f'Publié : {liste(publie)}. ' if publie else ''}{source}"),
        donnees="rapprochement",
        sommes=tuple(i for i, etape in enumerate(etapes) if etape in SOMMES),
    )


def _nature(lignes: Mapping[tuple[str, str], Ligne], etape: str) -> str:
    row = lignes.get((etape, "export")) or lignes[etape, "import"]
    if etape == "ecart_ensemble":
        return "par différence"
    return {"mesuree": "mesuré", "publiee": "publié"}.get(row["mesure"], "")


def nom(row: Mapping[str, str]) -> str:
    """Name of the territory of a published total."""
    if row["code"] == "99":
        return "Principauté de Monaco"
    return next(t.nom for t in tous() if (t.niveau, t.code) == (row["niveau"], row["code"]))


def tableau_publies(publies: Iterable[Ligne], source: str) -> Tableau:
    """Totals of the same scope that others published, beside ours."""
    publies = list(publies)
    sources = list(dict.fromkeys(row["source"] for row in publies))
    seule = sources[0] if len(sources) == 1 else ""  # said once, below
    return Tableau(
        "Totaux de même champ publiés ailleurs",
        (
            Colonne("Territoire et flux", nombre=False, largeur=2.2),
            Colonne("Ici"),
            Colonne("Publié"),
            Colonne("Écart", largeur=0.8),
            Colonne("Tolérance", largeur=0.8),
            *(() if seule else (Colonne("Source", nombre=False, largeur=2.4),)),
        ),
        tuple(
            (
                f"{row['nom']}, {DEFINI[row['flux']]}",
                row.dit("valeur_eur", millions),
                row.dit("publie_eur", arrondi, precision=row["precision_eur"]),
                row.dit("ecart_pct", pct, 2, signe=True),
                row.dit("tolerance_pct", pct, 2),
                *(() if seule else (row["source"],)),
            )
            for row in publies
        ),
        note=insecables(
            f"{f'Publié : {seule}. ' if seule else ''}Tolérance : arrondi de la publication et révisions d’un millésime à "
            f"l’autre. {source}"
        ),
        donnees="publies",
    )
