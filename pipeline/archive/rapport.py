"""The report on a release that drifted, in French, for those who will write to the producer: one page, printable, sent as it is.

Add here: the words of one more verdict (a test asks for them). Keep out: verdicts (`inspect.py`, `rows.py`, `plausibility.py`, `drift.py`), looks
(`rapport.html.j2`). No clock: the same archive against the same archives gives the same bytes. A release that came right
takes its report away.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.archive.causes import ASK, CAUSES
from pipeline.archive.drift import Before, Drift
from pipeline.archive.inspect import FLUX, VINTAGE, Contents, digest
from pipeline.archive.plausibility import CHECKS
from pipeline.archive.store import origine_lisible
from pipeline.errors import ComexError
from pipeline.outputs import write_whole
from pipeline.typographie import INSECABLE, euros, mois, nombre, pct


@dataclass(frozen=True)
class Texte:
    """What readers are told of a verdict: what is expected, what was found (its facts in braces), the likely cause, what to do.

    Where a test found the cause, `causes.py` has its words.
    """

    attendu: str
    trouve: str
    cause: str = CAUSES["unknown"].french
    faire: str = ASK[1]


INVRAISEMBLABLE = (
    "Reprendre l’archive, ou demander au producteur. Qui sait que les chiffres sont bons admet l’archive en nommant le contrôle (réglage "
    "COMEX_ACCEPT)\u00a0; chaque fiche qui en est faite le dit."
)
LIGNES = "{lignes} ligne(s) sur {total} en défaut."
TEXTES = {
    "is_not_an_html_page": Texte(
        "Chaque archive est un fichier ZIP, et non une page web enregistrée sous son nom.",
        "Le fichier est une page web ou une autre réponse d’un site\u00a0: il commence par «\u00a0{debut}\u00a0».",
    ),
    "is_a_real_archive": Texte(
        "Chaque archive s’ouvre comme un ZIP et la somme de contrôle de chaque membre est bonne.",
        "L’archive ne s’ouvre pas, ou un de ses membres est endommagé ou chiffré.",
    ),
    "members_stay_in_their_folder": Texte(
        "Aucun membre de l’archive n’a de chemin qui sorte de son dossier.",
        "Le membre «\u00a0{membre}\u00a0» en sort.",
        "une archive faite pour écrire ailleurs sur le disque, qui ne vient pas des Douanes",
        "Ne pas la décompresser\u00a0; la supprimer et la reprendre chez le producteur.",
    ),
    "is_not_a_bomb": Texte(
        "La taille annoncée de l’archive, une fois décompressée, est plausible.",
        "L’archive annonce {octets} octets, {limite} au plus sont admis.",
        "un fichier qui ne vient pas des Douanes",
        "Ne pas la décompresser\u00a0; la reprendre chez le producteur.",
    ),
    "has_exactly_one_data_member": Texte(
        "Chaque archive contient un seul fichier de données, sous un nom que les Douanes emploient.",
        "{membres} fichier(s) de données. Contenu de l’archive\u00a0: {contenu}.",
    ),
    "names_agree": Texte(
        "Le nom de l’archive et celui de son fichier de données annoncent le même flux et la même année.",
        "{archive} annonce {annonce_archive}, {membre} annonce {annonce_membre}.",
    ),
    "has_ten_fields": Texte(
        "Chaque ligne a dix champs séparés par des points-virgules.",
        "Une ligne au moins n’en a pas dix, ou n’est pas du texte UTF-8 ({champs} champs à la première).",
    ),
    "has_no_header": Texte(
        "Le fichier de données n’a pas de ligne d’en-tête.", "{lignes} ligne(s) d’en-tête sur {total} lignes."
    ),
    "flow_is_known": Texte("Le flux (champ 1) est I ou E.", LIGNES),
    "flow_is_the_announced_one": Texte("Le flux de chaque ligne est celui que le nom du fichier annonce.", LIGNES),
    "goods_are_in_official_order": Texte("Le produit A129 est au champ 6 et le produit CPF4 au champ 7.", LIGNES),
    "quarter_is_plausible": Texte(
        "Chaque ligne a un trimestre de 1 à 4 d’une année 20xx, commencé lors de la publication.", LIGNES
    ),
    "euros_are_whole": Texte("Les valeurs (champ 9) sont des euros entiers.", LIGNES),
    "codes_have_their_shape": Texte(
        "Les codes sont écrits comme les Douanes les écrivent (94, 03, C29A, 2910, DE), à quelques-uns près.", LIGNES
    ),
    "labels_have_their_fields": Texte(
        "Chaque ligne d’un fichier de libellés a un code, un libellé et deux dates de validité au plus, de longueur plausible.",
        "{trouve}.",
        "un séparateur dans un libellé sans guillemets, un guillemet non fermé, ou un fichier qui n’est pas une table",
    ),
    "labels_are_plain_text": Texte(
        "Les fichiers de libellés sont en UTF-8 ou en Windows-1252, sans caractère de contrôle ou de remplacement, et sans signe de sens d’écriture dans un code.",
        "{trouve}.",
        "un fichier converti ou réenregistré avant son arrivée, ou endommagé",
    ),
    "label_dates_are_months": Texte(
        "Les dates de validité des libellés sont des mois (AAAAMM), le premier avant le dernier.",
        "{trouve}.",
        "des dates dans une autre notation, ou des colonnes dans un autre ordre",
    ),
    "label_codes_stand_once": Texte(
        "Aucun fichier de libellés ne donne à un code deux libellés pour les mêmes mois.",
        "{trouve}.",
        "une ligne ajoutée sans clore la précédente, ou deux tables réunies dans un fichier",
    ),
    "vintage_is_not_in_the_future": Texte(
        "Le millésime d’une publication n’est postérieur ni à aujourd’hui, ni à ce que ses trimestres permettent.",
        "Le millésime trouvé est {millesime}, alors que l’horloge indique {horloge}.",
        "une faute de frappe dans le nom de l’archive, ou une horloge déréglée",
        "Redonner à l’archive le nom sous lequel les Douanes la publient, et relancer.",
    ),
    "codes_keep_their_zeros": Texte(
        "Les codes ont leurs zéros de tête\u00a0: 01 et 0111, et non 1 et 111.",
        "{lignes} ligne(s) sur {total} ont des codes sans leurs zéros.",
    ),
    "rows_are_of_the_announced_period": Texte(
        "Les lignes sont de la période que le nom du fichier annonce, et chaque trimestre y est en entier.",
        "{lignes} ligne(s) sur {total} sont d’une autre période ou d’un trimestre incomplet.",
    ),
    "regions_follow_departements": Texte(
        "La région (champ 5) de chaque ligne est celle de son département (champ 4), à quelques lignes près.", LIGNES
    ),
    "goods_follow_their_nomenclature": Texte(
        "Le produit A129 (champ 6) de chaque ligne est celui de son produit CPF4 (champ 7), à quelques lignes près.", LIGNES
    ),
    "values_are_published": Texte(
        "Les lignes ont une valeur, sauf une petite part où une marque la supprime (réglage COMEX_QUARANTAINE_MAX_PCT).",
        "{lignes} ligne(s) sur {total} ont {marques} pour valeur, {limite_pct}\u00a0% au plus sont admis.",
    ),
    **{name: Texte(phrase, "{constat}.", "{cause}", INVRAISEMBLABLE) for name, (_, phrase) in CHECKS.items()},
    "codes_are_known": Texte(
        "Ce qui est tenu hors des totaux (code inconnu, valeur absente, négative ou supprimée) reste sous la limite pour chaque flux de"
        " la France, en lignes, en euros, en départements, en produits et en pays (réglage COMEX_QUARANTAINE_MAX_PCT).",
        "Aux {flux} de la France, il manque {part}\u00a0; la limite est de {limite_pct}\u00a0%. Les premières lignes tenues à l’écart sont ci-dessous, avec leur raison.",
        "selon la raison\u00a0: des codes créés par les Douanes depuis que les tables ont été faites, des valeurs que le producteur n’a pas"
        " données ou qu’il a retirées, des corrections écrites en négatif, ou des lignes endommagées",
        "Demander au producteur le sens des codes (à ajouter aux tables, dbt_project/seeds, avec leur source) et les valeurs manquantes.",
    ),
    "members_keep_their_names": Texte(
        "Les membres de l’archive portent les mêmes noms que dans la publication précédente.",
        "Des membres ont été renommés, ajoutés ou retirés par rapport à {archive}.",
        "une nouvelle façon de nommer les fichiers",
        "Rien à faire si les chiffres sont bons\u00a0; le signaler au producteur si un fichier de libellés manque.",
    ),
    "labels_keep_their_encoding": Texte(
        "Les fichiers de libellés gardent leur encodage.",
        "L’encodage a changé par rapport à {archive}.",
        "un autre outil d’export chez le producteur",
        "Vérifier les accents des libellés nouveaux\u00a0; les deux encodages sont lus.",
    ),
    "no_quarter_disappears": Texte(
        "Tous les trimestres de la publication précédente sont là.",
        "Trimestres absents, présents dans {archive}\u00a0: {trimestres}.",
        "une publication incomplète, ou des données retirées par le producteur",
        "La publication précédente vaut encore pour ces trimestres\u00a0; demander au producteur s’ils sont retirés.",
    ),
}
TABLES = {  # facts that are printed as a table: its title and columns
    "premieres": ("Premières lignes concernées", ("ligne", "contenu")),
    "trimestres": (
        "Trimestres concernés",
        ("trimestre", "attendu", "trouvé", "écart", "d’après"),
    ),
    "membres": ("Membres", ("avant", "maintenant")),
    "fichiers": ("Fichiers de libellés", ("fichier", "avant", "maintenant")),
    "codes": ("Lignes tenues à l’écart", ("trimestre", "raison", "code", "département", "lignes", "euros")),
}


@dataclass(frozen=True)
class Recu:
    """What was received, as far as it is known: no size and no sha256 without a file, no flow of what could not be opened."""

    nom: str
    origine: str
    millesime: str = ""  # AAAAMM
    taille: int = 0
    sha256: str = ""
    flux: str = ""  # export, import
    membre: str = ""  # the data member

    def faits(self) -> list[tuple[str, str]]:
        """Terms and values for the head of the report."""
        return [
            ("Archive", self.nom),
            ("Provenance", origine_lisible(self.origine)),
            ("Taille", f"{nombre(self.taille)}{INSECABLE}octets" if self.taille else "aucun fichier gardé"),
            ("SHA-256", self.sha256 or "–"),
            ("Millésime", mois(self.millesime) if self.millesime else "inconnu"),
            *([("Flux", f"{self.flux}ations")] if self.flux else []),
            *([("Fichier de données", self.membre)] if self.membre else []),
        ]


def recu(nom: str, origine: str, path: Path | None, contents: Contents | None) -> Recu:
    """The facts of the bytes at `path`, if there are any; `contents` if they could be opened."""
    found = VINTAGE.search(nom)
    return Recu(
        nom,
        origine,
        contents.vintage if contents else found[1] if found else "",
        path.stat().st_size if path else 0,
        digest(path) if path else "",
        FLUX[contents.flux] if contents else "",
        contents.data_member if contents else "",
    )


def chemin(folder: Path, recu: Recu, suite: str = "") -> Path:
    """Where the report on an archive is, or would be; `suite` tells apart the one that another stage writes."""
    nom = re.sub(r"[^\w.-]+|\.\.+", "-", Path(recu.nom).stem)[-120:]
    return folder / f"{recu.millesime or 'sans-date'}-{nom}{suite}.html"


def ecrire(
    path: Path,
    recu: Recu,
    constats: Iterable[Drift | ComexError],
    *,
    bloque: bool,
    en_place: Before | None,
    periodes: Iterable[str],
) -> None:
    """Write the report to `path` (see `chemin`).

    `constats`: what was found (ComexErrors with a `check`); `en_place`: what the kept archives gave before it, where
    that is known; `periodes`: those whose fiches are there.
    """
    page = (
        Environment(
            loader=FileSystemLoader(Path(__file__).parent),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        .get_template("rapport.html.j2")
        .render(
            recu=recu.faits(),
            nom=recu.nom,
            bloque=bloque,
            constats=[_constat(constat) for constat in constats],
            en_place=[
                (quarter, kept.name, mois(kept.contents.vintage), nombre(fact["lignes"]), euros(fact["valeur_eur"]))
                for quarter, (kept, fact) in sorted(en_place.items())
            ]
            if en_place is not None
            else None,
            periodes=list(periodes),
        )
    )
    write_whole(path, page)


def premieres(error: ComexError) -> list[dict[str, Any]]:
    """The first lines at fault that a refusal quotes."""
    return [{"ligne": line, "contenu": text} for line, text in error.facts.get("premieres", [])]


def _constat(constat: Drift | ComexError) -> dict[str, Any]:
    texte, found = TEXTES[str(constat.check)], CAUSES.get(constat.facts.get("cause", ""))
    lists = {name for name, fact in constat.facts.items() if isinstance(fact, list)}
    facts = {name: _imprime(fact) for name, fact in constat.facts.items()}
    try:
        trouve = texte.trouve.format(**facts)
    except KeyError:  # a verdict without numbers, such as a message of a library
        trouve = ""
    if found:
        texte = replace(texte, cause=found.french.format(**facts), faire=found.todo[1].format(**facts))
    tables = [
        (*TABLES[name], [[_cellule(cell) for cell in row] for row in constat.facts[name]])
        for name in sorted(lists)
        if name in TABLES and constat.facts[name] and not isinstance(constat.facts[name][0], str)
    ]
    return {
        "check": constat.check,
        "texte": texte,
        "trouve": trouve,
        "cause": texte.cause.format(**facts) if "cause" in facts else texte.cause,
        "brut": constat.expected_found if isinstance(constat, ComexError) else "",
        "tables": tables,
    }


def _imprime(fact: Any) -> str:
    if isinstance(fact, list):
        return ", ".join(map(str, fact))
    return nombre(fact) if isinstance(fact, int) else nombre(fact, 1).removesuffix(",0") if isinstance(fact, float) else str(fact)


def _cellule(cell: Any) -> str:
    if cell in (None, "") or cell != cell:
        return "–"
    if isinstance(cell, float):
        return pct(cell, signe=True)
    return nombre(cell) if isinstance(cell, int) else str(cell)
