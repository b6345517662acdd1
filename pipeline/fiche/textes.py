"""The wording of a fiche that does not depend on its figures, or hardly, in French.

Add here: a sentence; its numbers come as rows of the data files, and `Ligne.dit` prints them bound to their cells.
Keep out: which sentence goes where (`contexte.py`), statistics. Sentences avoid verbs that must agree with the territory's name
(« les Ardennes exportent »): they speak of its exports, its imports.
"""

import re
from collections.abc import Mapping

from pipeline.fiche.cellules import Ligne
from pipeline.fiche.provenance import LICENCE, Provenance
from pipeline.territoires import Territoire
from pipeline.typographie import INSECABLE, compte, euros, liste, mois, pct, periode

DEFINI = {"export": "exportations", "import": "importations"}
SEUIL = euros(460_000)


def insecables(texte: str) -> str:
    """U+00A0 before high punctuation and inside « guillemets », typographic apostrophes: applied to every printed text."""
    texte = re.sub(r" (?=[:;?!»])", INSECABLE, texte.replace("'", "’"))
    return texte.replace("« ", f"«{INSECABLE}")


def majuscule(texte: str) -> str:
    """First letter upper-case, the rest as it is."""
    return texte[:1].upper() + texte[1:]


def en_periode(code: str) -> str:
    """`en 2024`; `sur les 4 derniers trimestres, T4 2024–T3 2025`."""
    return f"sur les {periode(code)}" if "T" in code else f"en {code}"


def taux(repere: Ligne) -> str:
    """A coverage rate, or that there is none."""
    return repere.dit("taux_couverture_pct", pct)


def nature(territoire: Territoire) -> str:
    """What kind of fiche this is."""
    return {"departement": "Fiche départementale", "region": "Fiche régionale", "france": "Fiche nationale"}[territoire.niveau]


def evolution(repere: Ligne) -> str:
    """`+4,2 % sur un an`, flagged across the series break; nothing where the marts say that it would mislead."""
    if repere["est_rupture"] and repere["evolution_pct"] is not None:
        return f"{repere.dit('evolution_pct', pct, signe=True)} sur un an (rupture de série)"
    if not repere["est_evolution_lisible"]:
        return ""
    return f"{repere.dit('evolution_pct', lambda valeur: pct(valeur, signe=True) if abs(valeur) >= 0.05 else 'stable')} sur un an"


# Cover ---------------------------------------------------------------------------------------------------------------------


def resume(territoire: Territoire, code: str) -> str:
    """The sentence under the title."""
    return (
        f"Produits, pays partenaires et solde des échanges de biens {territoire.nom_de} avec l’étranger {en_periode(code)}, "
        "d’après les statistiques des Douanes."
    )


def industrie(territoire: Territoire) -> tuple[str, tuple[str, ...], str]:
    """Title, names and remark about the Territoires d’industrie of a département."""
    noms, partiels = territoire.territoires_industrie, territoire.territoires_industrie_partiels
    if territoire.niveau != "departement":
        return "", (), ""
    titre = "Territoire d’industrie" if len(noms) == 1 else "Territoires d’industrie"
    if not noms and not partiels:
        return titre, (), f"Aucun Territoire d’industrie n’est labellisé {territoire.nom_dans}."
    note = f"Pour quelques communes seulement : {liste(list(partiels))}." if partiels else ""
    if not noms:
        note = f"Aucun Territoire d’industrie n’a son périmètre principal {territoire.nom_dans}. {note}"
    return titre, noms, note


# Context and method --------------------------------------------------------------------------------------------------------


def pourquoi(territoire: Territoire, region: Territoire | None) -> tuple[str, ...]:
    """Why this fiche exists."""
    echelle = {
        "departement": "Le département est l’échelon le plus fin que les Douanes diffusent",
        "region": "La région est suivie par les Douanes sous un seul code"
        if territoire.est_region
        else "Les chiffres régionaux sont la somme de ceux des départements",
        "france": "Les chiffres nationaux sont la somme de ceux des départements et de la principauté de Monaco",
    }[territoire.niveau]
    reference = "" if territoire.niveau == "france" else " à ceux de la France"
    if region:
        reference = f" à ceux {region.nom_de} et de la France"
    situer = f", et compare ses ordres de grandeur{reference}" if reference else ""
    return (
        f"À qui vend-on, à qui achète-t-on, et quoi ? Cette fiche rassemble ce que la statistique douanière dit des échanges de "
        f"biens {territoire.nom_de} avec l’étranger{situer}.",
        f"{echelle}. La fiche donne une base commune à celles et ceux qui accompagnent l’industrie sur le terrain. Elle "
        "montre où regarder ; elle ne remplace ni l’enquête auprès des entreprises ni la connaissance locale des filières.",
    )


def lecture_generale(niveau_produit: str, nb_nomenclature: str) -> tuple[tuple[str, str], ...]:
    """How to read the fiche."""
    return (
        (
            "Montants",
            "en euros courants, au besoin en millions (M€) ou en milliards (Md€). Les sommes sont faites à l’euro près et "
            "arrondies ensuite : un total peut différer de la somme de ses termes arrondis.",
        ),
        (
            "Produits",
            f"ceux de la nomenclature agrégée {niveau_produit}{nb_nomenclature}. Les dix premiers de chaque flux sont nommés, les "
            "suivants réunis sous « Autres produits ».",
        ),
        (
            "Pays",
            "à l’exportation, la destination finale ; à l’importation, l’origine (la provenance pour le gaz et "
            "l’électricité). Au-delà des dix premiers, ils sont réunis sous « Autres pays ».",
        ),
        (
            "Couleurs",
            "importations en bleu, exportations en violet. Les cinq flux les plus importants entre un produit et un pays nommés "
            "sont en rouge, leur montant à côté. Le solde porte toujours son signe.",
        ),
    )


def limites(territoire: Territoire, *, idf: bool) -> tuple[tuple[str, str], ...]:
    """What the numbers do not say."""
    gaz = (
        "par convention, le gaz naturel et l’électricité échangés avec l’étranger sont rattachés à l’Île-de-France et à Paris, "
        "quel que soit le lieu de consommation"
    )
    if idf:
        gaz += (
            ". La part dans la région est donc donnée aussi sans eux ; le gaz naturel liquéfié ne peut pas être séparé du gaz "
            "transporté par gazoduc"
        )
    echelle = (
        "aucune donnée n’existe au-dessous du département. Lorsqu’un Territoire d’industrie en couvre plusieurs, lire les fiches de "
        "chacun d’eux."
        if territoire.niveau == "departement"
        else "aucune donnée n’existe au-dessous du département."
    )
    return (
        (
            "Lieu",
            "une exportation est attribuée au département d’où la marchandise part en premier, une importation à celui de sa "
            "destination réelle. Ce n’est pas le siège de l’entreprise, ni toujours le lieu de production.",
        ),
        (
            "Plateformes et ports",
            "un entrepôt logistique, un port ou un aéroport peut porter des flux dont la production ou l’usage se "
            "trouvent ailleurs.",
        ),
        ("Énergie", f"{gaz}."),
        (
            "FAB et CAF",
            "les exportations sont comptées sans les frais d’acheminement au-delà de la frontière, les importations avec ces "
            "frais jusqu’à elle. L’écart entre les deux, dit « solde apparent », en est un peu abaissé.",
        ),
        (
            "Données brutes",
            "ni correction des variations saisonnières, ni redressement des déclarations manquantes. Chaque millésime révise les "
            "précédents, d’ordinaire de l’ordre d’un demi-point de pourcentage sur une année.",
        ),
        (
            "Champ",
            f"en dessous de {SEUIL} par an et par flux, les échanges d’un opérateur avec l’Union européenne ne sont pas "
            "détaillés. Matériel militaire, or monétaire, réparations, avitaillement et transit sont exclus, de même que les "
            "échanges entre l’Hexagone et les départements d’outre-mer. Pour ces raisons, la somme diffère du total national "
            "que publient les Douanes.",
        ),
        (
            "Rupture de 2022",
            "l’enquête EMEBI a remplacé en janvier 2022 la déclaration d’échanges de biens (DEB) ; comparer avec prudence "
            "de part et d’autre, surtout pour les pays de l’Union européenne.",
        ),
        ("Échelle", echelle),
    )


def notes(par_flux: Mapping[str, str]) -> str:
    """The notes of a département, and where they are explained."""
    if not par_flux:
        return ""
    export, import_ = par_flux["export"], par_flux["import"]
    if export == import_:
        told = f"{export} à l’exportation comme à l’importation"
    else:
        told = f"{export} à l’exportation et {import_} à l’importation"
    return f"Note de fiabilité : {told}. La section « Fiabilité et conventions » en donne les raisons."


def exemple() -> str:
    """The warning of the embedded example."""
    return (
        "Cette fiche est faite de données d’exemple, produites pour essayer l’outil. Elles ont la forme des données des "
        "Douanes et leurs ordres de grandeur d’ensemble ; le détail est inventé et n’a aucune valeur statistique."
    )


def reserve(provenance: Provenance) -> str:
    """What the cover says of archives that an operator let in: which, and the first number of each."""
    dits = [
        f"{archive.nom}, {archive.flux}ations ({constats[0]}"
        + (f" ; {compte(len(constats) - 1, 'autre', 'autres')})" if constats[1:] else ")")
        for archive in provenance.admises
        if (constats := [part for _, constat in archive.admis for part in constat.split("\u00a0; ")])
    ]
    if provenance.codes_admis:
        dits.append(f"codes inconnus tenus hors des totaux ({provenance.codes_admis})")
    if not dits:
        return ""
    return (
        "Chiffres à prendre avec réserve : l’opérateur a admis ces données bien que des contrôles de vraisemblance aient échoué : "
        f"{' ; '.join(dits)}. Le détail est dans « Contexte et méthode »."
    )


def admissions(provenance: Provenance) -> tuple[tuple[str, str], ...]:
    """Each archive that an operator let in, with the checks that it fails and what they found."""
    dits = [
        (
            f"{archive.nom} ({archive.flux}ations, millésime {mois(archive.millesime)})",
            " ; ".join(constat for _, constat in archive.admis) + ".",
        )
        for archive in provenance.admises
    ]
    if provenance.codes_admis:
        dits.append(
            ("Codes inconnus", f"ils portent {provenance.codes_admis}, au-delà de la limite, et sont tenus hors des totaux.")
        )
    return tuple(dits)


# Figures -------------------------------------------------------------------------------------------------------------------


LECTURE_BALANCE = (
    "pour chaque pays, la barre de gauche mesure les importations, celle de droite les exportations ; à l’extrême droite, le "
    "solde apparent (CAF/FAB) et son signe. Les pays sont les dix premiers de chaque flux, dans l’ordre du total des échanges."
)
LECTURE_PRODUITS = (
    "l’aire de chaque tuile est proportionnelle à la valeur du produit, à une seule et même échelle pour les deux flux ; le "
    "pourcentage est sa part du flux."
)


def lecture_flux(flux: str) -> str:
    """How to read a Sankey."""
    sens = (
        "les produits sont à gauche, les pays de destination à droite"
        if flux == "export"
        else "les pays d’origine sont à gauche, les produits à droite"
    )
    return (
        f"{sens} ; l’épaisseur d’un lien est proportionnelle à sa valeur. En rouge et chiffrés, les cinq premiers flux entre un "
        "produit et un pays nommés."
    )


def sans_region(territoire: Territoire) -> str:
    """Why there is no comparison with the région."""
    departement = territoire.niveau == "departement"
    if not territoire.est_drom:
        raison = "La Corse est suivie par les Douanes sous un seul code, qui couvre toute la région"
    elif departement:
        raison = "Ce département forme à lui seul une région d’outre-mer"
    else:
        raison = "Cette région d’outre-mer ne compte qu’un département"
    if departement:
        return f"{raison} : ses chiffres régionaux sont les siens, et la comparaison se fait avec la France seule."
    return f"{raison} : sa fiche départementale donne les mêmes chiffres."


# Tables and practical ------------------------------------------------------------------------------------------------------


def definitions(niveau_produit: str, nomenclature: str) -> tuple[tuple[str, str], ...]:
    """The vocabulary; `nomenclature`: the classification that the goods came in, with its revision."""
    return (
        ("Exportation", "sortie de biens du territoire français vers l’étranger, au lieu de leur premier départ."),
        ("Importation", "entrée de biens venant de l’étranger, au lieu de leur destination réelle."),
        ("FAB", "« franco à bord », valeur à la frontière française, frais au-delà non compris."),
        ("CAF", "« coût, assurance, fret », valeur à la frontière française, frais jusque-là compris."),
        ("Solde apparent (CAF/FAB)", "exportations FAB moins importations CAF."),
        ("Taux de couverture", "exportations divisées par importations, en pourcentage."),
        (
            niveau_produit,
            {
                "A129": f"nomenclature agrégée, qui range en postes les produits de la classification française ({nomenclature}).",
                "A38": f"nomenclature agrégée en 38 postes, fondée sur la classification française ({nomenclature}).",
                "CPF4": f"classification des produits française ({nomenclature}), au niveau à quatre chiffres ; « n.c.a. » abrège « non "
                "classés ailleurs ».",
            }[niveau_produit],
        ),
    )


UN_PLUS_RECENT = "Un millésime plus récent peut réviser les périodes déjà publiées."


def sources(provenance: Provenance) -> tuple[tuple[str, str], ...]:
    """Where the data come from, their vintage and licence."""
    producteur = (
        "données d’exemple produites par l’outil, au format de la base de la Direction générale des douanes et droits indirects "
        "(DGDDI), sans valeur statistique."
        if provenance.est_exemple
        else "Direction générale des douanes et droits indirects (DGDDI), statistiques régionales et départementales du commerce "
        "extérieur."
    )
    return (
        ("Données", producteur),
        (
            "Millésime",
            f"{mois(provenance.millesime)}. "
            + (f"{provenance.edition} ; un millésime plus récent a paru depuis." if provenance.edition else UN_PLUS_RECENT),
        ),
        (
            "Territoires d’industrie",
            "périmètres du programme, rattachés aux départements de leurs communes ; un rattachement partiel ne concerne que "
            "quelques communes.",
        ),
        (
            "Licence",
            f"données sous {LICENCE}, réutilisables librement, même à des fins commerciales, en citant la source et le millésime.",
        ),
    )


def citation(territoire: Territoire, code: str, provenance: Provenance) -> str:
    """How to cite the fiche."""
    source = "données d’exemple, sans valeur statistique" if provenance.est_exemple else "données DGDDI (Douanes)"
    return (
        f"« Commerce extérieur {territoire.nom_de}, {periode(code)} », fiche Comex, {source}, millésime "
        f"{mois(provenance.millesime)}, {LICENCE}."
    )


LIENS = (
    ("Douanes, accès aux bases du commerce extérieur (lekiosque.finances.gouv.fr)", "https://lekiosque.finances.gouv.fr"),
    ("Douanes, portail et définitions (douane.gouv.fr)", "https://www.douane.gouv.fr"),
    ("Jeux de données des Douanes (data.gouv.fr)", "https://www.data.gouv.fr"),
    ("Programme Territoires d’industrie (anct.gouv.fr)", "https://anct.gouv.fr"),
    ("Licence Ouverte 2.0 (etalab.gouv.fr)", "https://www.etalab.gouv.fr/licence-ouverte-open-licence/"),
)

FICHIERS = (
    "Chaque figure existe en SVG et en PNG, et ses nombres en CSV, à l’euro près et avec leurs codes, dans les dossiers "
    "« graphiques » et « donnees » qui accompagnent cette fiche. Sur la page HTML, chaque nombre porte l’adresse de la case dont il "
    "vient (fichier, ligne, colonne) et sa valeur non arrondie : elles s’affichent quand le pointeur s’y arrête. Le fichier "
    "« manifest.json » donne l’empreinte des archives d’origine."
)
