"""What a refused archive suffers from: every cause that is stated, and what to do about it, in English and in French.

A cause is stated only where its own test found it: in the bytes (`inspect.py`), in the text (`diagnose.py`), in the codes
(`agreement.py`). Where none of them finds anything the cause is `unknown`, and the first lines at fault are shown. Add here:
the words of one more cause, beside its test there. Keep out: what was expected and found, which each verdict says itself.
"""

from dataclasses import dataclass
from typing import Any

from pipeline.errors import ReleaseError

AGAIN = (
    "take the regional archive from the customs' page of full bases, as it is, and run again",
    "Reprendre l’archive sur la page des bases complètes des Douanes, telle quelle, et relancer.",
)
DOWNLOAD = (
    "download the archive again, compare its size with the one on the customs' page, and run again",
    "Télécharger de nouveau l’archive, comparer sa taille à celle de la page des Douanes, et relancer.",
)
ZIP_AGAIN = (
    "unpack the archive and zip it again, or take it as the customs publish it; then run again",
    "Décompresser l’archive et refaire un ZIP, ou la reprendre telle que les Douanes la publient, puis relancer.",
)
BROWSER = (
    "open the link in a browser; save the archive itself into a folder, give that as --source, and run again",
    "Ouvrir le lien dans un navigateur, enregistrer l’archive dans un dossier et relancer avec --source DOSSIER.",
)
ORIGINAL = (
    "take the archive as it was downloaded: a file must not be opened and saved on its way; the fields are listed in the README",
    "Reprendre l’archive telle qu’elle a été téléchargée\u00a0: le fichier ne doit pas être ouvert et réenregistré en chemin.",
)
ASK = (
    "ask the customs, with the report on this archive; do not edit it by hand",
    "Écrire au producteur en joignant ce rapport\u00a0; ne pas modifier l’archive à la main.",
)


@dataclass(frozen=True)
class Cause:
    """One cause in words; numbers and names found stand in braces, as in `ReleaseError.facts`."""

    english: str
    french: str
    todo: tuple[str, str] = ORIGINAL  # in English, in French


CAUSES = {
    "unknown": Cause(
        "not known: nothing recognisable was found in what is at fault",
        "inconnue\u00a0: rien de reconnaissable dans ce qui est en défaut",
        ASK,
    ),
    # --- the archive's bytes
    "nothing": Cause(
        "a download that never began, or a disk that was full: there is not one byte",
        "un téléchargement qui n’a pas commencé, ou un disque plein\u00a0: il n’y a aucun octet",
        DOWNLOAD,
    ),
    "web_page": Cause(
        "the site, or a proxy on the way, answered with an error, login or consent page under the archive's name",
        "un site ou un mandataire a répondu par une page d’erreur, de connexion ou de consentement à la place de l’archive",
        BROWSER,
    ),
    "answer": Cause(
        "the site, or a service on the way, answered with a message in {format} under the archive's name",
        "un site ou un service a répondu par un message en {format} à la place de l’archive",
        BROWSER,
    ),
    "other_format": Cause(
        "a file of the format {format} under the name of a ZIP: its first bytes say so",
        "un fichier au format {format} sous le nom d’un ZIP\u00a0: ses premiers octets le disent",
        ZIP_AGAIN,
    ),
    "bare_text": Cause(
        "the data file itself, unpacked, under the name of a ZIP",
        "le fichier de données lui-même, décompressé, sous le nom d’un ZIP",
        AGAIN,
    ),
    "part_of_several": Cause(
        "one part of an archive that was cut into several: it says itself that it is part {partie}",
        "une partie d’une archive découpée en plusieurs\u00a0: elle dit elle-même être la partie {partie}",
        ZIP_AGAIN,
    ),
    "cut": Cause(
        "the file ends before the directory that closes each ZIP: the download was cut before its end",
        "le fichier finit avant le répertoire qui clôt tout ZIP\u00a0: le téléchargement a été interrompu",
        DOWNLOAD,
    ),
    "cut_and_filled": Cause(
        "the file ends in zeros and not in the directory that closes each ZIP: its place was reserved, the download not finished",
        "le fichier finit par des zéros, et non par le répertoire qui clôt tout ZIP\u00a0: téléchargement inachevé",
        DOWNLOAD,
    ),
    "altered": Cause(
        "the archive is there to its end, and its directory does not fit its contents: it was altered on its way",
        "l’archive est là jusqu’au bout, et son répertoire ne correspond pas à son contenu\u00a0: elle a été altérée en chemin",
        DOWNLOAD,
    ),
    "damaged_member": Cause(
        "the bytes of « {membre} » are no longer those that were packed: the download was altered on its way",
        "les octets de «\u00a0{membre}\u00a0» ne sont plus ceux qui ont été compressés\u00a0: l’archive a été altérée en chemin",
        DOWNLOAD,
    ),
    "encrypted": Cause(
        "the archive was packed with a password ({chiffrement}); the customs publish it without",
        "l’archive a été compressée avec un mot de passe ({chiffrement})\u00a0; les Douanes la publient sans",
        (
            "take the archive as the customs publish it; or unpack it with its password and zip it again without",
            "Reprendre l’archive telle que les Douanes la publient, ou la décompresser et refaire un ZIP sans mot de passe.",
        ),
    ),
    "method": Cause(
        "« {membre} » is packed by {methode} (method {numero}), which is not read here: {lus} are",
        "«\u00a0{membre}\u00a0» est compressé par {methode} (méthode {numero}), qui n’est pas lu ici\u00a0; {lus} le sont",
        ZIP_AGAIN,
    ),
    "archive_inside": Cause(
        "an archive inside the archive: the data are in « {membre} »",
        "une archive dans l’archive\u00a0: les données sont dans «\u00a0{membre}\u00a0»",
        (
            "take « {membre} » out of the archive, give the folder that holds it as --source, and run again",
            "Extraire «\u00a0{membre}\u00a0» de l’archive, donner son dossier avec --source, et relancer.",
        ),
    ),
    "workbook": Cause(
        "a workbook of a spreadsheet, which is a ZIP too", "un classeur de tableur, qui est un ZIP lui aussi", AGAIN
    ),
    "national_base": Cause(
        "the national base of the customs, which has no départements: « {membre} » is its data file",
        "la base nationale des Douanes, sans départements\u00a0: «\u00a0{membre}\u00a0» est son fichier de données",
        AGAIN,
    ),
    "several_members": Cause(
        "data files of several flows or periods were packed together",
        "des fichiers de plusieurs flux ou périodes ont été mis dans une même archive",
        (
            "take the archives one by one from the page of full bases, and run again",
            "Reprendre les archives une à une sur la page des bases complètes, et relancer.",
        ),
    ),
    "other_members": Cause(
        "not known: no member has a name that the customs have used for regional data so far",
        "inconnue\u00a0: aucun membre ne porte un nom que les Douanes aient donné à des données régionales",
        (
            "take the regional archives from the page of full bases;"
            " if the customs changed the names, adapt DATA_MEMBER in archive/inspect.py",
            "Reprendre les archives régionales\u00a0; si les Douanes ont changé les noms, adapter DATA_MEMBER (archive/inspect.py).",
        ),
    ),
    "renamed": Cause(
        "the archive or its data file was renamed: the one says {annonce_archive}, the other {annonce_membre}",
        "l’archive ou son fichier de données a été renommé\u00a0: l’une dit {annonce_archive}, l’autre {annonce_membre}",
        (
            "find out which of both names is right; take the archive from the customs' page under its own name, and run again",
            "Chercher lequel des deux noms est le bon\u00a0; reprendre l’archive sous son nom sur la page des Douanes, et relancer.",
        ),
    ),
    # --- the data member's text
    "no_rows": Cause(
        "the archive was made before its data, or packed without them: the data file holds no row",
        "une archive faite avant ses données, ou sans elles\u00a0: le fichier de données n’a aucune ligne",
        (
            "download the archive again; if it is still empty, wait for the release to be corrected",
            "Télécharger de nouveau l’archive\u00a0; si elle est toujours vide, attendre que le producteur la corrige.",
        ),
    ),
    "utf_16": Cause(
        "the text is {encodage}, with bytes of zero in each character: it was saved again as « Unicode »",
        "le texte est en {encodage}, avec des octets nuls dans chaque caractère\u00a0: il a été réenregistré en «\u00a0Unicode\u00a0»",
    ),
    "zero_bytes": Cause(
        "{octets} bytes of zero stand among the rows: a disk or a copy that lost what was there",
        "{octets} octets nuls se trouvent parmi les lignes\u00a0: un disque ou une copie a perdu ce qui y était",
        DOWNLOAD,
    ),
    "ctrl_z": Cause(
        "a mark of the end of a DOS file (Ctrl-Z) stands among the rows: files were put one after another, or a field lost a character",
        "une marque de fin de fichier DOS (Ctrl-Z) se trouve parmi les lignes\u00a0: des fichiers ont été mis bout à bout",
    ),
    "not_utf_8": Cause(
        "bytes that are not UTF-8, the first being {octet}; read as Windows-1252 they say « {lu} »",
        "des octets qui ne sont pas de l’UTF-8, le premier étant {octet}\u00a0; en Windows-1252 ils se lisent «\u00a0{lu}\u00a0»",
    ),
    "separator": Cause(
        "the fields are separated by {separateur}: the text was written again by another program",
        "les champs sont séparés par {separateur}\u00a0: le texte a été réécrit par un autre programme",
    ),
    "quoted_lines": Cause(
        "each line is quoted as one field: a spreadsheet opened the text with another separator and saved it",
        "chaque ligne est entre guillemets comme un seul champ\u00a0: un tableur a ouvert le texte avec un autre séparateur",
    ),
    "other_columns": Cause(
        "every line has {champs} fields, the same number: another product of the customs, or a new layout of this one",
        "chaque ligne a {champs} champs, le même nombre\u00a0: un autre produit des Douanes, ou une nouvelle présentation de celui-ci",
        ASK,
    ),
    "cut_row": Cause(
        "the text ends in the middle of its last line: it was cut when it was written or packed",
        "le texte finit au milieu de sa dernière ligne\u00a0: il a été coupé quand il a été écrit ou compressé",
        DOWNLOAD,
    ),
    "open_quote": Cause(
        "a quotation mark that is opened and never closed swallows what follows",
        "un guillemet ouvert et jamais fermé avale la suite",
        ASK,
    ),
    "page_inside": Cause(
        "a web page was packed in the place of the data", "une page web a été mise à la place des données", AGAIN
    ),
    "packed_twice": Cause(
        "the data file is itself a file of the format {format}",
        "le fichier de données est lui-même un fichier au format {format}",
        ZIP_AGAIN,
    ),
    # --- its rows
    "exchanged": Cause(
        "columns exchanged: in these rows field {champ_a} stands in the place of field {champ_b}, and the other way round",
        "colonnes échangées\u00a0: dans ces lignes, le champ {champ_a} est à la place du champ {champ_b}, et l’inverse",
        ASK,
    ),
    "other_order": Cause("columns in another order: {ordre}", "colonnes dans un autre ordre\u00a0: {ordre}", ASK),
    "header": Cause(
        "a line of column names was added, as spreadsheets and databases do; all other lines are as the customs write them",
        "une ligne de noms de colonnes a été ajoutée, comme le font tableurs et bases\u00a0; les autres lignes sont comme d’ordinaire",
    ),
    "header_keuro": Cause(
        "a table in k€: its column names say so; the customs' per-region workbooks are another product",
        "un tableau en milliers d’euros (k€)\u00a0: ses noms de colonnes le disent\u00a0; les classeurs par région sont un autre produit",
        AGAIN,
    ),
    "header_of_another": Cause(
        "not known: a line of column names, and other lines that are not as the customs write them either",
        "inconnue\u00a0: une ligne de noms de colonnes, et d’autres lignes qui ne sont pas non plus comme d’ordinaire",
        AGAIN,
    ),
    "flow_in_words": Cause(
        "flows are written otherwise, such as « {vu} »: the text was written again by another program",
        "les flux sont écrits autrement («\u00a0{vu}\u00a0»)\u00a0: le texte a été réécrit par un autre programme",
    ),
    "mark_inside": Cause(
        "a mark of the start of a text (BOM) stands among the rows: several files were put one after another",
        "une marque de début de texte (BOM) se trouve parmi les lignes\u00a0: plusieurs fichiers ont été mis bout à bout",
    ),
    "other_flow": Cause(
        "all rows are of the other flow: import and export were exchanged when the archive was made or named",
        "toutes les lignes sont de l’autre flux\u00a0: importations et exportations ont été échangées",
        AGAIN,
    ),
    "both_flows": Cause(
        "rows of both flows stand in one file", "des lignes des deux flux se trouvent dans un même fichier", AGAIN
    ),
    "quarters_otherwise": Cause(
        "quarters or years are written otherwise, such as « {vu} »: the text was written again by another program",
        "trimestres ou années sont écrits autrement («\u00a0{vu}\u00a0»)\u00a0: le texte a été réécrit par un autre programme",
    ),
    "later_than_its_date": Cause(
        "the rows go to {dernier}, and the archive is dated {vintage} (AAAAMM): its name bears a wrong month, or its rows a wrong year",
        "les lignes vont jusqu’à {dernier}, et l’archive est datée {vintage} (AAAAMM)\u00a0: mois erroné dans son nom, ou année erronée",
        (
            "take the archive from the customs' page under its own name, and run again",
            "Reprendre l’archive sous son nom sur la page des Douanes, et relancer.",
        ),
    ),
    "keuro": Cause(
        "amounts in k€ with decimals: at the median they make {par_tonne:,} a tonne, some thousandth of what goods are worth in euros",
        "des montants en milliers d’euros (k€) avec décimales\u00a0: ils font {par_tonne} par tonne à la médiane, un millième environ de ce que valent des biens en euros",
        AGAIN,
    ),
    "cents": Cause(
        "amounts in euros and cents, with two decimals; the customs' archive has whole euros",
        "des montants en euros et centimes, à deux décimales\u00a0; l’archive des Douanes est en euros entiers",
        AGAIN,
    ),
    "zero_decimals": Cause(
        "whole amounts with decimals of zero, as a program writes them that takes numbers for fractions",
        "des montants entiers avec des décimales nulles, comme les écrit un programme qui prend les nombres pour des fractions",
    ),
    "decimals": Cause(
        "amounts with decimals: k€, as in the customs' per-region workbooks, or euros and cents; these rows do not tell which",
        "des montants avec décimales\u00a0: des milliers d’euros (k€) ou des centimes, ces lignes ne disent pas lequel",
        AGAIN,
    ),
    "thousands": Cause(
        "amounts with separators of thousands, such as « {vu} », as spreadsheets show them",
        "des montants avec séparateurs de milliers («\u00a0{vu}\u00a0»), comme les montrent les tableurs",
    ),
    "points": Cause(
        "amounts such as « {vu} »: separators of thousands, or k€ with three decimals; these rows do not tell which",
        "des montants comme «\u00a0{vu}\u00a0»\u00a0: séparateurs de milliers ou milliers d’euros (k€), ces lignes ne disent pas lequel",
    ),
    "scientific": Cause(
        "amounts in scientific notation, such as « {vu} », as spreadsheets write large numbers: their last digits are lost",
        "des montants en notation scientifique («\u00a0{vu}\u00a0»), comme les écrivent les tableurs\u00a0: des chiffres sont perdus",
    ),
    "spreadsheet_errors": Cause(
        "errors of a spreadsheet stand in the place of amounts, such as « {vu} »",
        "des erreurs de tableur sont à la place de montants («\u00a0{vu}\u00a0»)",
    ),
    "too_long": Cause(
        "amounts of more than eighteen digits, such as « {vu} »: no trade is worth as much",
        "des montants de plus de dix-huit chiffres («\u00a0{vu}\u00a0»)\u00a0: aucun échange ne vaut autant",
        ASK,
    ),
    "zeros_lost": Cause(
        "the zeros at the start of codes are lost, such as « {vu} »: a spreadsheet, or another program that takes codes for numbers,"
        " opened the text and saved it",
        "les zéros en tête des codes sont perdus («\u00a0{vu}\u00a0»)\u00a0: un tableur, ou un programme qui prend les codes pour des"
        " nombres, a réenregistré le texte",
    ),
    "other_year": Cause(
        "the data file is named after {annonce} and its rows are of {annees}: it was renamed, or made from the wrong year",
        "le fichier porte le nom de {annonce} et ses lignes sont de {annees}\u00a0: renommé, ou fait à partir d’une autre année",
        AGAIN,
    ),
    "several_periods": Cause(
        "rows of several periods were put into one file",
        "des lignes de plusieurs périodes ont été mises dans un même fichier",
        ASK,
    ),
    "part_of_a_quarter": Cause("a quarter is there only in part", "un trimestre n’est là qu’en partie", ASK),
    "markers": Cause(
        "values that the file suppresses: {marques} stands in their place",
        "des valeurs que le fichier supprime\u00a0: {marques} en tient lieu",
        (
            "ask the customs for a release with its values; if so many are really kept secret, raise COMEX_QUARANTAINE_MAX_PCT"
            " knowingly: their rows stay out of the totals",
            "Demander au producteur. Si tant de valeurs sont vraiment secrètes, relever COMEX_QUARANTAINE_MAX_PCT en connaissance"
            " de cause\u00a0: ces lignes restent hors des totaux.",
        ),
    ),
}


def refusal(found: str, *, where: str, check: str, cause: str, **facts: Any) -> ReleaseError:
    """The error that says `found` and the words of a cause, with the `facts` that they and the report name."""
    words = CAUSES[cause]
    return ReleaseError(
        found,
        where=where,
        cause=words.english.format(**facts),
        remedy=words.todo[0].format(**facts),
        check=check,
        facts={"cause": cause, **facts},
    )
