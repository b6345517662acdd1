"""What a fiche is made of: sections of a few kinds of blocks, as plain data that `pdf` and `page` both set.

Add here: a kind of block, when both forms can show it. Keep out: words (`textes.py`), looks (templates), files (`lot.py`).
All text is final: French typography done, numbers printed.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from pipeline.fiche.provenance import Provenance
from pipeline.territoires import Territoire


@dataclass(frozen=True)
class Intertitre:
    """A heading below the section's own; `colonne` begins the second column there."""

    texte: str
    colonne: bool = False
    type: Literal["intertitre"] = "intertitre"


@dataclass(frozen=True)
class Paragraphe:
    """Running text; `chapeau` is the lead of a section, `note` a remark in small type."""

    texte: str
    style: Literal["corps", "chapeau", "note"] = "corps"
    type: Literal["paragraphe"] = "paragraphe"


@dataclass(frozen=True)
class Points:
    """A list of terms, each with its explanation."""

    elements: tuple[tuple[str, str], ...]
    type: Literal["points"] = "points"


@dataclass(frozen=True)
class Encadre:
    """A framed list of short sentences."""

    titre: str
    elements: tuple[str, ...]
    type: Literal["encadre"] = "encadre"


@dataclass(frozen=True)
class Liens:
    """A list of addresses, each with its title."""

    elements: tuple[tuple[str, str], ...]
    type: Literal["liens"] = "liens"


@dataclass(frozen=True)
class Repere:
    """One headline figure; `ton` chooses its colour."""

    libelle: str
    valeur: str
    precision: str = ""
    ton: Literal["export", "import", "excedent", "deficit", "neutre"] = "neutre"


@dataclass(frozen=True)
class Reperes:
    """A row of headline figures."""

    elements: tuple[Repere, ...]
    type: Literal["reperes"] = "reperes"


@dataclass(frozen=True)
class Illustration:
    """A figure. `fichier` is its name, without extension, under `graphiques/` of the bundle.

    `dossier` is the territory whose figure it is (its slug, a folder of drawn figures) and `sujet` the figure's name there.
    `reduite`: on paper it shares its page with another, and is the reduced drawing; a screen scrolls.
    """

    dossier: str
    sujet: str
    fichier: str
    titre: str
    alternative: str
    lecture: str
    source: str
    reduite: bool = False
    type: Literal["illustration"] = "illustration"


@dataclass(frozen=True)
class Colonne:
    """One column of a table; `largeur` is relative, `tournee` sets its head upright to save room."""

    titre: str
    nombre: bool = True
    largeur: float = 1.0
    tournee: bool = False


@dataclass(frozen=True)
class Tableau:
    """A table whose first column names its rows; `forts` are cells (row, column) to stress, `total` sets the last row apart.

    `sommes` are rows to set in bold.
    """

    titre: str
    colonnes: tuple[Colonne, ...]
    lignes: tuple[tuple[str, ...], ...]
    note: str = ""
    donnees: str = ""  # name of the CSV file with the same numbers
    forts: tuple[tuple[int, int], ...] = ()
    total: bool = False
    sommes: tuple[int, ...] = ()
    dense: bool = False
    type: Literal["tableau"] = "tableau"


Bloc = Intertitre | Paragraphe | Points | Encadre | Liens | Reperes | Illustration | Tableau


@dataclass(frozen=True)
class Section:
    """A numbered part of the fiche, on a page of its own; `colonnes` 2 for reading text."""

    ancre: str
    titre: str
    blocs: tuple[Bloc, ...]
    colonnes: int = 1


@dataclass(frozen=True)
class Couverture:
    """The first page."""

    surtitre: str
    titre: str
    sous_titre: str
    resume: str
    reperes: tuple[Repere, ...]
    industrie_titre: str
    industrie: tuple[str, ...]
    industrie_note: str
    millesime: str
    encadre: Encadre | None = None  # what is incomplete or missing
    reserve: str = ""  # what an operator let in although a check failed


@dataclass(frozen=True)
class Fiche:
    """All of one fiche. `barres` are the export and import amounts, in euros, that the cover draws to scale."""

    territoire: Territoire
    periode: str
    provenance: Provenance
    niveau_produit: str
    titre: str
    courant: str  # running head
    couverture: Couverture
    barres: tuple[int, int]
    sections: tuple[Section, ...]
    frames: dict[str, Any] = field(repr=False)  # of the territory, for its data files
    reperes_compares: tuple[Any, ...] = field(repr=False, default=())  # frames of région and France
    quarantaine_max_pct: float = 1.0  # the operator's limit, from which on a flow is marked incomplete

    @property
    def illustrations(self) -> tuple[Illustration, ...]:
        """Every figure, in order."""
        return tuple(bloc for section in self.sections for bloc in section.blocs if isinstance(bloc, Illustration))
