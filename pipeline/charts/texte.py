"""Text in figures: how wide it is, where it breaks, how labels keep clear of each other, how it is drawn.

Add here: measuring and placing of text. Keep out: what the text says (`typographie.py`, the figures' own modules).
Plotly neither measures nor wraps: widths come from the advance widths of the very font the browser draws with.
Kerning is left out, which makes a line a little wider here than drawn: the safe side.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import font_source_sans_pro
from fontTools.ttLib import TTFont

from pipeline.charts import theme

DOSSIER_POLICES = Path(font_source_sans_pro.__file__).parent / "files"
FACES = ("Regular", "Semibold", "Bold")
ABSENT = "?"  # printed for a character that the font cannot draw in any form
Ancre = Literal["left", "center", "right"]


@cache
def _dessinables() -> frozenset[str]:
    """The characters that all faces of the packaged font draw; no control or private-use character is one."""
    found: set[int] | None = None
    for face in FACES:
        with TTFont(DOSSIER_POLICES / f"SourceSansPro-{face}.ttf", lazy=True) as font:
            codes = set(font.getBestCmap() or ())
        found = codes if found is None else found & codes
    return frozenset(char for char in map(chr, found or ()) if unicodedata.category(char) not in ("Cc", "Cf", "Co", "Cs", "Cn"))


@cache
def _indessinable() -> re.Pattern[str]:
    return re.compile(f"[^{re.escape(''.join(sorted(_dessinables())))}\n]")


def imprimable(texte: str) -> str:
    """The text in characters that the packaged font draws, for print and figures; data files keep the text as it came.

    A character that the font lacks is replaced by its compatible form (« Ａ » → « A »), else by its base letter without the
    accents that the font lacks, else by ABSENT. Controls become spaces, invisible marks (of direction, of joining) go.
    """
    texte = unicodedata.normalize("NFC", texte)
    return _indessinable().sub(lambda found: _forme_voisine(found[0]), texte)


@lru_cache(maxsize=10_000)
def _forme_voisine(char: str) -> str:
    category = unicodedata.category(char)
    if category in ("Cf", "Mn", "Me"):
        return ""
    if category in ("Cc", "Zs", "Zl", "Zp"):
        return " "
    for forme in (unicodedata.normalize("NFKC", char), unicodedata.normalize("NFD", char)[0]):
        if set(forme) <= _dessinables():
            return forme
    return ABSENT


def indessinables(textes: Iterable[str]) -> list[str]:
    """The characters of these texts that `imprimable` has to replace, each once, in order."""
    return sorted({char for texte in textes for char in _indessinable().findall(unicodedata.normalize("NFC", texte))})


def litteral(texte: str) -> str:
    """A label for plotly, which takes `<b>`, `<a href=…>` and `&amp;` for markup: printed as it is, in characters of the font."""
    return imprimable(texte).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@cache
def _chasses(gras: bool) -> tuple[dict[int, float], float]:
    """Advance width by character, in em, and that of an absent one."""
    face = "Bold" if gras else "Regular"
    with TTFont(DOSSIER_POLICES / f"SourceSansPro-{face}.ttf", lazy=True) as opened:
        font: Any = opened  # its tables are typed by name only
        em = font["head"].unitsPerEm
        metrics = font["hmtx"].metrics
        widths = {code: metrics[name][0] / em for code, name in font.getBestCmap().items()}
    return widths, max(widths.values())


@lru_cache(maxsize=50_000)
def _cadratins(texte: str, gras: bool) -> float:
    """Width in em; cached, since the same labels are set again and again at many sizes."""
    total, bold = 0.0, gras
    for piece in re.split(r"(</?b>|&(?:amp|lt|gt);)", texte):
        if piece in ("<b>", "</b>"):
            bold = piece == "<b>"
            continue
        piece = {"&amp;": "&", "&lt;": "<", "&gt;": ">"}.get(piece, piece)
        widths, absent = _chasses(bold)
        total += sum(widths.get(ord(char), absent) for char in piece)
    return total


def largeur(texte: str, corps: float, *, gras: bool = False) -> float:
    """Width in px of one line at `corps` px; `<b>…</b>` inside the text is measured as bold, `&lt;` as the sign it prints."""
    return _cadratins(texte, gras) * corps


def couper(texte: str, place: float, corps: float, *, gras: bool = False) -> list[str]:
    """Break `texte` into the fewest lines that fit in `place` px, as even as can be.

    Breaks at spaces (never at no-break ones) and after hyphens. A single word wider than `place` stays whole: callers
    that cannot give more room compare `largeur` with theirs.
    """
    words = re.findall(r"[^ -]+-?|-", texte)
    glue = ["" if word.endswith("-") else " " for word in words]

    def line(start: int, stop: int) -> str:
        return "".join(word + end for word, end in zip(words[start:stop], glue[start:stop], strict=True)).rstrip(" ")

    # best[i]: fewest lines, then least widest line, for the words before i
    best: list[tuple[int, float, list[str]]] = [(0, 0.0, [])]
    for stop in range(1, len(words) + 1):
        choices = []
        for start in range(stop):
            text = line(start, stop)
            width = largeur(text, corps, gras=gras)
            if width <= place or stop - start == 1:
                lines, widest, made = best[start]
                choices.append((lines + 1, max(widest, width), [*made, text]))
        best.append(min(choices, key=lambda choice: choice[:2]))
    return best[-1][2]


def ecarter(centres: list[float], hauteurs: list[float], haut: float, bas: float) -> list[float]:
    """Centres (px, in order) moved as little as possible so that boxes of these heights neither overlap nor leave [haut, bas].

    Isotonic regression (pool adjacent violators) on the centres less the room taken by the boxes before them.
    """
    offsets = [0.0]
    for a, b in pairwise(hauteurs):
        offsets.append(offsets[-1] + (a + b) / 2)
    pools: list[list[float]] = []  # [mean, count]
    for centre, offset in zip(centres, offsets, strict=True):
        pools.append([centre - offset, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, count = pools.pop()
            pools[-1] = [(pools[-1][0] * pools[-1][1] + mean * count) / (pools[-1][1] + count), pools[-1][1] + count]
    free = [mean for mean, count in pools for _ in range(int(count))]
    low, high = haut + hauteurs[0] / 2, bas - hauteurs[-1] / 2 - offsets[-1]
    return [min(max(value, low), max(high, low)) + offset for value, offset in zip(free, offsets, strict=True)]


@dataclass(frozen=True)
class Mot:
    """One line of text on the canvas: `x` px of its anchor, `y` px of its middle."""

    x: float
    y: float
    texte: str
    ancre: Ancre = "left"
    corps: float = theme.CORPS
    couleur: str = theme.ENCRE


def couche(mots: list[Mot]) -> dict[str, Any]:
    """One plotly trace that draws all these lines of text (one trace is faster than as many annotations)."""
    # plotly names the side of the point where text goes, the opposite of an anchor
    cote = {"left": "middle right", "center": "middle center", "right": "middle left"}
    return {
        "type": "scatter",
        "mode": "text",
        "x": [round(mot.x, 2) for mot in mots],
        "y": [round(mot.y, 2) for mot in mots],
        "text": [mot.texte for mot in mots],
        "textposition": [cote[mot.ancre] for mot in mots],
        "textfont": {"size": [mot.corps for mot in mots], "color": [mot.couleur for mot in mots]},
        "hoverinfo": "skip",
        "cliponaxis": False,
    }


def etiquette(
    x: float,
    y: float,
    lignes: list[str],
    ancre: tuple[Ancre, Literal["top", "middle"]],
    corps: float,
    couleur: str,
    fond: str = "",
) -> dict[str, Any]:
    """One annotation: text above all traces, which `couche` is not (plotly draws Sankeys and treemaps over it)."""
    return {
        "x": round(x, 2),
        "y": round(y, 2),
        "xref": "x",
        "yref": "y",
        "text": "<br>".join(lignes),
        "xanchor": ancre[0],
        "yanchor": ancre[1],
        "align": ancre[0],
        "showarrow": False,
        "borderpad": 1 if fond else 0,
        "borderwidth": 0,
        "bgcolor": fond or "rgba(0,0,0,0)",
        "font": {"size": corps, "color": couleur},
    }


def filets(lignes: Sequence[Sequence[tuple[float, float]]], couleur: str) -> dict[str, Any]:
    """One plotly trace that draws all these broken lines (lists of points, px)."""
    points: list[tuple[float | None, float | None]] = [point for ligne in lignes for point in [*ligne, (None, None)]]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [None if x is None else round(x, 2) for x, _ in points],
        "y": [None if y is None else round(y, 2) for _, y in points],
        "line": {"color": couleur, "width": 0.75},
        "connectgaps": False,
        "hoverinfo": "skip",
        "cliponaxis": False,
    }
