"""How figures look: colours, type sizes, dimensions, and the empty canvas they are drawn on.

Add here: whatever a designer would want to change in one place. Keep out: anything that depends on the data.
Lengths are pixels of a figure 720 px wide, printed 180 mm wide: 1 px is 0.71 pt, so the smallest type (10 px) prints at 7.1 pt.
The palette holds for colour-blind readers: imports and exports differ in lightness and side, principal flows and balances
carry a printed value or a sign besides their colour. `tests/unit/test_charts.py` checks the contrasts (WCAG 2.2).
"""

from typing import Any

POLICE = "Source Sans Pro"
FAMILLE = f"{POLICE}, sans-serif"  # what an SVG opened where the font is missing falls back to

ENCRE = "#1A1D24"
ENCRE_DOUCE = "#5A6170"
FOND = "#FFFFFF"
FILET = "#E1E4E9"  # hairlines between rows: decoration, nothing is read from them
GUIDE = "#9AA1AC"  # leader lines and axes

COULEUR = {"import": "#2E6CB3", "export": "#54277F"}
COULEUR_FIN = {"import": "#4977AD", "export": "#8A62AE"}  # lightest tile of a treemap: white text must hold on it
AUTRES = "#6C7380"  # the rest, as a node or an outline
AUTRES_FOND = "#EDEFF2"  # the rest as a large tile, which must not weigh more than what is named
PRINCIPAL = "#C2152D"
PRINCIPAL_VOILE = "rgba(194,21,45,0.85)"  # crossing ribbons stay apart
LIEN = "rgba(96,104,120,0.25)"
SOLDE = {True: "#17703F", False: "#B3192C"}  # surplus, deficit

MENTION = "#7A3E00"
BANDE_MENTION = 18

LARGEUR = 720
CORPS = 11.5
PETIT = 10.5
MINIMUM = 10.0
TITRE = 12.5
INTERLIGNE = 1.2
INTERLIGNE_PLOTLY = 1.3  # of `<br>` inside one text

# A Sankey alone on its page, and one of two that share it (a département's région and France).
HAUTEUR_FLUX = 590
HAUTEUR_FLUX_REDUIT = 370

NOM_FLUX = {"import": "Importations", "export": "Exportations"}


def degrade(flux: str, part: float) -> str:
    """Colour of a tile: `part` 0 is the flow's own colour, 1 its lightest tone."""
    ends = (COULEUR[flux], COULEUR_FIN[flux])
    a, b = (tuple(int(color[i : i + 2], 16) for i in (1, 3, 5)) for color in ends)
    return "#" + "".join(f"{round(x + (y - x) * part):02X}" for x, y in zip(a, b, strict=True))


def mentionner(spec: dict[str, Any], mention: str) -> dict[str, Any]:
    """The figure with a mention in a strip of its own below, so that a figure cut out of its page still says it."""
    layout = spec["layout"]
    annotation = {
        "text": mention,
        "xref": "paper",
        "yref": "paper",
        "x": 1,
        "y": 0,
        "xanchor": "right",
        "yanchor": "top",
        "yshift": -3,
        "showarrow": False,
        "font": {"size": MINIMUM, "color": MENTION},
    }
    return spec | {
        "layout": layout
        | {
            "height": layout["height"] + BANDE_MENTION,
            "margin": layout["margin"] | {"b": BANDE_MENTION},
            "annotations": [*layout.get("annotations", []), annotation],
        }
    }


def toile(hauteur: float) -> dict[str, Any]:
    """Layout of an empty canvas: axes `x` and `y` count pixels from the top left corner."""
    pixels = {"visible": False, "fixedrange": True, "domain": [0, 1]}
    return {
        "template": {},
        "width": LARGEUR,
        "height": round(hauteur),
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0, "pad": 0},
        "paper_bgcolor": FOND,
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FAMILLE, "size": CORPS, "color": ENCRE},
        "separators": ",\u202f",
        "showlegend": False,
        "dragmode": False,
        "hovermode": "closest",
        "hoverlabel": {
            "font": {"family": FAMILLE, "size": 13, "color": ENCRE},
            "bgcolor": FOND,
            "bordercolor": GUIDE,
            "align": "left",
        },
        "xaxis": {**pixels, "range": [0, LARGEUR]},
        "yaxis": {**pixels, "range": [round(hauteur), 0]},
    }
