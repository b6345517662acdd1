"""Two treemaps on one scale: the goods imported (blue) and exported (violet), a square centimetre worth the same on both.

Add here: the drawing of `mart_*_produits`. Keep out: which goods and what « Autres » holds (SQL).
Every tile says what it is: its label, amount and share where they fit, else a number that the key below explains.
To know what fits, tiles are laid out here as plotly will lay them out (squarified treemaps, Bruls, Huizing and van Wijk 2000,
in d3's version); a render test compares the two.
"""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.charts import theme
from pipeline.charts.texte import Mot, couche, couper, etiquette, largeur
from pipeline.typographie import INSECABLE, monnaie, nombre, pct

TETE = 24
HAUTEUR = 500  # of the tiles, when both flows stand side by side
HAUTEUR_EMPILEE = 350  # of the larger flow, when the smaller stands below it
ECART = 12  # between the two flows
PART_EMPILEE = 0.2  # a flow with less than this share of both would be too narrow a column
MARGE = 5  # inside a tile
TAILLES = (14.0, 13.0, 12.0, 11.0, theme.PETIT, theme.MINIMUM)
LIGNE_CLE = 14.5
TUILE_NUMERO = 11  # px: less than this, not even a number fits


@dataclass(frozen=True)
class Tuile:
    """One good: its rectangle on the canvas (px), its row, its colour, the lines set in it.

    `numero` is its number in the key: None when the tile says it all, 0 when it is too small even for a number.
    """

    x: float
    y: float
    largeur: float
    hauteur: float
    row: dict[Any, Any]
    couleur: str
    lignes: list[str]
    corps: float
    numero: int | None

    @property
    def autres(self) -> bool:
        """Whether it is the rest, not a good."""
        return self.row["produit_code"] == "AUTRES"


def pavage(valeurs: list[int], x: float, y: float, w: float, h: float) -> list[tuple[float, float, float, float]]:
    """Rectangles (x, y, width, height) of these values in the given one: d3's squarify with a target ratio of 1."""
    made: list[tuple[float, float, float, float]] = []
    x1, y1, rest, start = x + w, y + h, sum(valeurs), 0
    while start < len(valeurs):
        dx, dy = x1 - x, y1 - y
        row = least = most = valeurs[start]
        alpha = max(dy / dx, dx / dy) / rest
        ratio = max(most / (row * row * alpha), row * row * alpha / least)
        stop = start + 1
        while stop < len(valeurs):
            value = valeurs[stop]
            least, most = min(least, value), max(most, value)
            beta = (row + value) ** 2 * alpha
            new = max(most / beta, beta / least)
            if new > ratio:
                break
            row, ratio, stop = row + value, new, stop + 1
        if dx < dy:
            depth, along = dy * row / rest, x
            for value in valeurs[start:stop]:
                made.append((along, y, dx * value / row, depth))
                along += dx * value / row
            y += depth
        else:
            depth, along = dx * row / rest, y
            for value in valeurs[start:stop]:
                made.append((x, along, depth, dy * value / row))
                along += dy * value / row
            x += depth
        rest -= row
        start = stop
    return made


def _nom(row: dict[Any, Any]) -> str:
    return f"{row['produit']}{INSECABLE}({nombre(row['nb_produits'])})" if row["produit_code"] == "AUTRES" else row["produit"]


def _texte(row: dict[Any, Any], w: float, h: float) -> tuple[list[str], float] | None:
    """The lines that fit in a tile, and their size: label, amount and share; else label and share; else None."""
    amount, share = row["montant"], pct(row["part_pct"])
    for tails in ([[f"{amount} · {share}"], [amount, share]], [[share]]):
        for corps in TAILLES:
            label = couper(_nom(row), w - 2 * MARGE, corps, gras=True)
            room = (h - 2 * MARGE + 3) // (corps * theme.INTERLIGNE_PLOTLY)
            for tail in tails:
                lines = [f"<b>{line}</b>" for line in label] + tail
                if len(lines) <= room and max(largeur(line, corps) for line in lines) <= w - 2 * MARGE:
                    return lines, corps
    return None


def _tuiles(rows: list[dict[Any, Any]], flux: str, cadre: tuple[float, float, float, float], first: int) -> list[Tuile]:
    """The tiles of one flow in its frame (x, y, width, height); numbers of the key start at `first`."""
    made: list[Tuile] = []
    numero = first
    named = max(sum(row["produit_code"] != "AUTRES" for row in rows) - 1, 1)
    for i, (row, (x, y, w, h)) in enumerate(zip(rows, pavage([row["valeur_eur"] for row in rows], *cadre), strict=True)):
        color = theme.AUTRES_FOND if row["produit_code"] == "AUTRES" else theme.degrade(flux, i / named)
        fitted = _texte(row, w, h)
        if fitted:
            made.append(Tuile(x, y, w, h, row, color, *fitted, None))
            continue
        corps = theme.MINIMUM
        lines = [f"<b>{numero}</b>", pct(row["part_pct"])]
        if largeur(lines[1], corps) > w - 6 or 2 * corps * theme.INTERLIGNE_PLOTLY > h - 3:
            inline = f"<b>{numero}</b> · {pct(row['part_pct'])}"
            lines = [inline] if largeur(inline, corps) <= w - 6 and h >= TUILE_NUMERO + 2 else lines[:1]
        if largeur(lines[0], corps) > w - 3 or h < TUILE_NUMERO:
            # A sliver carries its number on a tab that overhangs; a speck cannot, and the key has its colour.
            lines = [f"<b>{numero}</b>"] if min(w, h) >= 3 and max(w, h) >= 2 * TUILE_NUMERO else []
        made.append(Tuile(x, y, w, h, row, color, lines, corps, numero if lines else 0))
        numero += bool(lines)
    return made


def _dedans(tuile: Tuile) -> dict[str, Any]:
    """The text inside a tile: from its top left corner, or its number in the middle."""
    couleur = theme.ENCRE if tuile.autres else theme.FOND
    if tuile.numero is None:
        return etiquette(tuile.x + MARGE, tuile.y + MARGE - 2, tuile.lignes, ("left", "top"), tuile.corps, couleur)
    x, y = tuile.x + tuile.largeur / 2, tuile.y + tuile.hauteur / 2
    if min(tuile.largeur, tuile.hauteur) >= TUILE_NUMERO:
        return etiquette(x, y, tuile.lignes, ("center", "middle"), tuile.corps, couleur)
    if tuile.largeur > tuile.hauteur:  # at the far end, away from the label of the tile below
        x = tuile.x + tuile.largeur - TUILE_NUMERO
    else:
        y = tuile.y + tuile.hauteur - TUILE_NUMERO
    x = min(x, theme.LARGEUR - TUILE_NUMERO)
    return etiquette(x, y, tuile.lignes, ("center", "middle"), tuile.corps, couleur, tuile.couleur)


def _contour(tuile: Tuile) -> dict[str, Any]:
    """The outline without which the pale tile of the rest would not stand out from the paper."""
    x, y = tuile.x + 1.25, tuile.y + 1.25
    return {
        "type": "rect",
        "x0": x,
        "x1": tuile.x + tuile.largeur - 1.25,
        "y0": y,
        "y1": tuile.y + tuile.hauteur - 1.25,
        "line": {"width": 1, "color": theme.AUTRES},
        "fillcolor": "rgba(0,0,0,0)",
        "layer": "above",
    }


def _cle(tuiles: list[Tuile], x: float, y: float, w: float) -> tuple[list[Mot], list[dict[str, Any]], float]:
    """The key of numbered tiles in a column: text, colour swatches, and the y where it ends."""
    mots: list[Mot] = []
    swatches: list[dict[str, Any]] = []
    for tuile in tuiles:
        value = f"{tuile.row['montant']} · <b>{pct(tuile.row['part_pct'])}</b>"
        lines = couper(_nom(tuile.row), w - 30 - largeur(value, theme.PETIT) - 8, theme.PETIT)
        middle = y + LIGNE_CLE / 2
        swatches.append(
            {
                "type": "rect",
                "x0": x,
                "x1": x + 9,
                "y0": middle - 4.5,
                "y1": middle + 4.5,
                "fillcolor": tuile.couleur,
                "line": {"width": 0.75 if tuile.autres else 0, "color": theme.AUTRES},
            }
        )
        if tuile.numero:
            mots.append(Mot(x + 25, middle, f"<b>{tuile.numero}</b>", "right", theme.PETIT))
        mots.append(Mot(x + w - 1, middle, value, "right", theme.PETIT))
        for i, line in enumerate(lines):
            mots.append(Mot(x + 30, middle + i * theme.PETIT * theme.INTERLIGNE, line, "left", theme.PETIT))
        y += LIGNE_CLE + (len(lines) - 1) * theme.PETIT * theme.INTERLIGNE
    return mots, swatches, y


def _trace(tuiles: list[Tuile], flux: str, cadre: tuple[float, float, float, float], hauteur: float) -> dict[str, Any]:
    x, y, w, h = cadre
    return {
        "type": "treemap",
        "name": theme.NOM_FLUX[flux],
        "ids": [tuile.row["produit_code"] for tuile in tuiles],
        "labels": [_nom(tuile.row) for tuile in tuiles],
        "parents": ["" for _ in tuiles],
        "values": [tuile.row["valeur_eur"] for tuile in tuiles],
        "sort": False,
        "domain": {"x": [x / theme.LARGEUR, (x + w) / theme.LARGEUR], "y": [1 - (y + h) / hauteur, 1 - y / hauteur]},
        "tiling": {"packing": "squarify", "squarifyratio": 1, "pad": 0},
        "pathbar": {"visible": False},
        "marker": {
            "colors": [tuile.couleur for tuile in tuiles],
            "pad": {"t": 0, "l": 0, "r": 0, "b": 0},
            "line": {"width": 1.5, "color": theme.FOND},
        },
        "root": {"color": "rgba(0,0,0,0)"},
        "textinfo": "none",
        "customdata": [
            f"<b>{tuile.row['produit_libelle']}</b><br>{theme.NOM_FLUX[flux]}{INSECABLE}: "
            f"{tuile.row['montant']} · {pct(tuile.row['part_pct'])}"
            for tuile in tuiles
        ],
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def figure(frame: pd.DataFrame) -> dict[str, Any] | None:
    """The figure of one territory's goods, both flows; None when neither has a row."""
    rows = {flux: [row for row in frame.to_dict("records") if row["flux"] == flux] for flux in ("import", "export")}
    totals = {flux: sum(row["valeur_eur"] for row in part) for flux, part in rows.items()}
    present = [flux for flux, total in totals.items() if total]
    if not present:
        return None
    imprimer = monnaie(max(totals.values()))
    for row in (*rows["import"], *rows["export"]):
        row["montant"] = imprimer(row["valeur_eur"])
    both = sum(totals.values())
    stacked = len(present) == 2 and min(totals.values()) / both < PART_EMPILEE
    mots: list[Mot] = []
    swatches: list[dict[str, Any]] = []
    tuiles: dict[str, list[Tuile]] = {}
    cadres: dict[str, tuple[float, float, float, float]] = {}

    def entete(flux: str, x: float, y: float) -> None:
        text = f"<b>{theme.NOM_FLUX[flux]}</b> {imprimer(totals[flux])}"
        mots.append(Mot(x, y + TETE / 2 - 2, text, "left", theme.TITRE, theme.COULEUR[flux]))

    if stacked:
        major, minor = sorted(present, key=lambda flux: -totals[flux])
        cadres[major] = (0, TETE, theme.LARGEUR, HAUTEUR_EMPILEE)
        entete(major, 0, 0)
        tuiles[major] = _tuiles(rows[major], major, cadres[major], 1)
        key_major = [tuile for tuile in tuiles[major] if tuile.numero is not None]
        end = TETE + HAUTEUR_EMPILEE
        if key_major:
            made, drawn, end = _cle(key_major, 0, end + 6, theme.LARGEUR / 2)
            mots, swatches = mots + made, swatches + drawn
        # The smaller flow: as square as its key beside it allows, at the scale of the larger.
        area = theme.LARGEUR * HAUTEUR_EMPILEE * totals[minor] / totals[major]
        h = min(area**0.5, 11 * LIGNE_CLE)
        top = end + ECART + TETE
        cadres[minor] = (0, top, area / h, h)
        entete(minor, 0, end + ECART)
        tuiles[minor] = _tuiles(rows[minor], minor, cadres[minor], 1 + sum(bool(tuile.numero) for tuile in key_major))
        key = [tuile for tuile in tuiles[minor] if tuile.numero is not None]
        x = area / h + 18
        made, drawn, end_key = _cle(key, x, top, min(theme.LARGEUR - x, 380))
        mots, swatches = mots + made, swatches + drawn
        bas = max(top + h, end_key)
    else:
        x, numbers, ends = 0.0, 1, []
        room = theme.LARGEUR - ECART * (len(present) - 1)
        for flux in present:
            w = room * totals[flux] / both
            cadres[flux] = (x, TETE, w, HAUTEUR)
            entete(flux, x, 0)
            tuiles[flux] = _tuiles(rows[flux], flux, cadres[flux], numbers)
            numbers += sum(bool(tuile.numero) for tuile in tuiles[flux])
            x += w + ECART
        for flux in totals.keys() - set(present):
            text = f"<b>{theme.NOM_FLUX[flux]}</b> aucune"
            mots.append(Mot(theme.LARGEUR, TETE / 2 - 2, text, "right", theme.TITRE, theme.COULEUR[flux]))
        for flux, x in (("import", 0), ("export", (theme.LARGEUR + ECART) / 2)):
            key = [tuile for tuile in tuiles.get(flux, []) if tuile.numero is not None]
            made, drawn, end = _cle(key, x, TETE + HAUTEUR + 10, (theme.LARGEUR - ECART) / 2 - 8)
            mots, swatches = mots + made, swatches + drawn
            if key:
                ends.append(end)
        bas = max([TETE + HAUTEUR, *ends])

    hauteur = round(bas + 2)
    layout = theme.toile(hauteur)
    layout["annotations"] = [_dedans(tuile) for flux in present for tuile in tuiles[flux] if tuile.lignes]
    layout["shapes"] = swatches + [_contour(tuile) for flux in present for tuile in tuiles[flux] if tuile.autres]
    data = [_trace(tuiles[flux], flux, cadres[flux], hauteur) for flux in present]
    return {"data": [*data, couche(mots)], "layout": layout}
