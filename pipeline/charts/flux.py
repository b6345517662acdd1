"""The Sankey diagram: goods to countries for exports, countries to goods for imports.

Add here: the drawing of `mart_*_flux`. Keep out: which goods, countries and flows count (SQL: rang, est_principal).
Plotly's own order of links crosses needlessly; nodes and links are given in order (`sort="input"`) and every position is
computed here, so that labels, the red overlay and the printed values meet the ribbons to the pixel. Red ribbons are
shapes over the diagram, where plotly would bury them under the grey ones drawn later.
"""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.charts import theme
from pipeline.charts.texte import Mot, couche, couper, ecarter, etiquette, filets, largeur
from pipeline.typographie import INSECABLE, monnaie, nombre, pct

COLONNE = {"produit": 212, "pays": 160}  # room for labels
EPAISSEUR = 11  # of a node
GUIDE = 20  # between a node and its label
TETE = 30
ECART = 11  # least gap between nodes
FIN = 5  # a ribbon thinner than this
ENTETE = {
    ("produit", "export"): "Produits",
    ("pays", "export"): "Pays de destination",
    ("produit", "import"): "Produits",
    ("pays", "import"): "Pays d’origine",
}


@dataclass
class Noeud:
    """One good, one country, or the rest of either; `haut` and `hauteur` in px."""

    code: str
    libelle: str
    libelle_complet: str
    valeur: int
    part: float
    nb: int
    haut: float = 0
    hauteur: float = 0

    @property
    def centre(self) -> float:
        """Its middle, px."""
        return self.haut + self.hauteur / 2

    @property
    def nom(self) -> str:
        """Its printed name; for the rest, with the number of items."""
        return f"{self.libelle}{INSECABLE}({nombre(self.nb)})" if self.code == "AUTRES" else self.libelle


def _noeuds(rows: list[dict[Any, Any]], cote: str) -> list[Noeud]:
    """The nodes of one side, in their order."""
    nodes: dict[str, Noeud] = {}
    for row in sorted(rows, key=lambda row: row[f"{cote}_rang"]):
        code = row[f"{cote}_code"]
        if code not in nodes:
            full = row["produit_libelle"] if cote == "produit" else row["pays"]
            nodes[code] = Noeud(code, row[cote], full, *(row[f"{cote}_{column}"] for column in ("valeur_eur", "part_pct", "nb")))
    return list(nodes.values())


def _echelle(sides: list[tuple[list[Noeud], list[float]]], room: float) -> float:
    """Pixels per euro: as large as leaves every label level with its node, within reason.

    `sides`: nodes and heights of their labels. Labels give way (leader lines then bend) below 55 % of the largest scale.
    """
    most = min((room - ECART * (len(nodes) - 1)) / sum(node.valeur for node in nodes) for nodes, _ in sides)
    low, high = 0.0, most
    for _ in range(30):
        middle = (low + high) / 2
        fits = all(
            sum(max(node.valeur * middle, height) for node, height in zip(nodes, heights, strict=True))
            + ECART / 2 * (len(nodes) - 1)
            <= room
            for nodes, heights in sides
        )
        low, high = (middle, high) if fits else (low, middle)
    return max(low, 0.55 * most)


def _etages(nodes: list[Noeud], labels: list[float], scale: float, haut: float, bas: float) -> None:
    """Set a side's nodes between `haut` and `bas`: more room around those whose label is taller than they are."""
    for node in nodes:
        node.hauteur = node.valeur * scale
    spare = bas - haut - sum(node.hauteur for node in nodes)
    least = min(ECART / 2, spare / len(nodes)) if len(nodes) > 1 else 0
    lacks = [max(0.0, label - node.hauteur) for node, label in zip(nodes, labels, strict=True)]
    free = spare - least * (len(nodes) - 1)
    part = min(1.0, free / sum(lacks)) if sum(lacks) else 0.0
    gap = least + (free - part * sum(lacks)) / max(len(nodes) - 1, 1)
    y = haut
    for node, lack in zip(nodes, lacks, strict=True):
        node.haut = y + part * lack / 2
        y += node.hauteur + part * lack + gap


@dataclass
class Ruban:
    """The geometry of one link: `x0`, `x1` its ends, `y0`, `y1` the middles of its ends, px."""

    x0: float
    y0: float
    x1: float
    y1: float
    epaisseur: float

    @property
    def trace(self) -> str:
        """The SVG path that plotly draws for the same link."""
        half, xm = self.epaisseur / 2, (self.x0 + self.x1) / 2
        a, b = self.y0 - half, self.y1 - half
        c, d = self.y1 + half, self.y0 + half
        x0, x1 = self.x0, self.x1
        return (
            f"M{x0:.2f},{a:.2f} C{xm:.2f},{a:.2f} {xm:.2f},{b:.2f} {x1:.2f},{b:.2f} "
            f"L{x1:.2f},{c:.2f} C{xm:.2f},{c:.2f} {xm:.2f},{d:.2f} {x0:.2f},{d:.2f} Z"
        )

    def milieu(self, t: float) -> tuple[float, float]:
        """The point of the ribbon's middle line at `t` in [0, 1]."""
        xm, s = (self.x0 + self.x1) / 2, 1 - t
        x = s**3 * self.x0 + 3 * s * t * xm + t**3 * self.x1
        return x, self.y0 + (self.y1 - self.y0) * (3 * t**2 - 2 * t**3)


def _valeurs(rubans: list[tuple[Ruban, str]]) -> list[dict[str, Any]]:
    """The value of each red ribbon, set where it hides least: no other value, and other red ribbons as little as can be."""
    courses = [[ruban.milieu(step / 40) for step in range(41)] for ruban, _ in rubans]
    placed: list[tuple[float, float, float, float]] = []
    made: list[dict[str, Any]] = []
    for own, (ruban, texte) in enumerate(rubans):
        wide, high = largeur(texte, theme.PETIT, gras=True) + 4, theme.PETIT * 1.25
        at, least = 0, float("inf")
        for step in sorted(range(4, 37), key=lambda step: (min(abs(step - 9), abs(step - 31)), step)):
            x, y = courses[own][step]
            box = (x - wide / 2, y - high / 2, x + wide / 2, y + high / 2)
            cost = 1000.0 * sum(
                max(0, min(box[2], b[2]) - max(box[0], b[0])) * max(0, min(box[3], b[3]) - max(box[1], b[1])) for b in placed
            )
            cost += 100 * (max(0, ruban.x0 + 3 - box[0]) + max(0, box[2] - ruban.x1 + 3))
            for other, (ribbon, _) in enumerate(rubans):
                if other != own:
                    reach = ribbon.epaisseur / 2
                    cost += sum(box[0] < px < box[2] and box[1] < py + reach and py - reach < box[3] for px, py in courses[other])
            if cost < least:
                at, least = step, cost
        x, y = courses[own][at]
        placed.append((x - wide / 2 - 2, y - high / 2 - 2, x + wide / 2 + 2, y + high / 2 + 2))
        # On a ribbon that holds it the value is white on red; across a thin one, red on a white ground.
        (xa, ya), (xb, yb) = ruban.milieu(max(0, at - 1) / 40), ruban.milieu((at + 1) / 40)
        dedans = ruban.epaisseur >= high + abs((yb - ya) / (xb - xa)) * wide
        colours = (theme.FOND, "") if dedans else (theme.PRINCIPAL, "rgba(255,255,255,0.93)")
        made.append(etiquette(x, y, [f"<b>{texte}</b>"], ("center", "middle"), theme.PETIT, *colours))
    return made


def figure(frame: pd.DataFrame, flux: str, plafond: int = theme.HAUTEUR_FLUX) -> dict[str, Any] | None:
    """The diagram of one territory's `flux` ('export' or 'import'), at most `plafond` px high; None when it has no link."""
    rows = [row for row in frame.to_dict("records") if row["flux"] == flux]
    if not rows:
        return None
    sides = ("produit", "pays") if flux == "export" else ("pays", "produit")
    left, right = (_noeuds(rows, side) for side in sides)
    tallest = max(len(left), len(right))
    # Few nodes need little height: a lone ribbon as tall as the page would shout.
    hauteur = min(plafond, TETE + 90 + 62 * (tallest - 1))
    haut, bas = TETE, hauteur - 2
    total = sum(node.valeur for node in left)
    imprimer = monnaie(total)
    line = theme.CORPS * theme.INTERLIGNE
    blocks = {
        side: [
            [*couper(node.nom, COLONNE[side], theme.CORPS), f"<b>{imprimer(node.valeur)}</b> · {pct(node.part)}"]
            for node in nodes
        ]
        for side, nodes in zip(sides, (left, right), strict=True)
    }
    heights = {side: [line * len(block) + 2 for block in blocks[side]] for side in sides}
    scale = _echelle([(left, heights[sides[0]]), (right, heights[sides[1]])], bas - haut)
    x0 = COLONNE[sides[0]] + GUIDE
    x1 = theme.LARGEUR - COLONNE[sides[1]] - GUIDE

    mots: list[Mot] = []
    guides: list[list[tuple[float, float]]] = []
    for side, nodes, sign, node_x in ((sides[0], left, -1, x0), (sides[1], right, 1, x1)):
        _etages(nodes, heights[side], scale, haut, bas)
        anchor = "right" if sign < 0 else "left"
        x_text = node_x + sign * GUIDE
        mots.append(Mot(x_text, TETE / 2 - 4, f"<b>{ENTETE[side, flux]}</b>", anchor, theme.TITRE, theme.ENCRE_DOUCE))
        centres = ecarter([node.centre for node in nodes], heights[side], TETE - 4, hauteur)
        for node, block, centre in zip(nodes, blocks[side], centres, strict=True):
            for i, text in enumerate(block):
                corps = theme.PETIT if i == len(block) - 1 else theme.CORPS
                mots.append(Mot(x_text, centre + (i - (len(block) - 1) / 2) * line, text, anchor, corps))
            bend = [(node_x + sign * 2, node.centre), (node_x + sign * 6, node.centre)]
            guides.append([*bend, (x_text - sign * 8, centre), (x_text - sign * 4, centre)])

    index = {(i, node.code): n for n, (i, node) in enumerate([(0, n) for n in left] + [(1, n) for n in right])}
    by_code = ({node.code: node for node in left}, {node.code: node for node in right})
    rows.sort(key=lambda row: (row[f"{sides[0]}_rang"], row[f"{sides[1]}_rang"]))
    filled: dict[int, float] = {}
    rubans: list[tuple[int, Ruban, str]] = []
    for row in rows:
        ends = [by_code[i][row[f"{side}_code"]] for i, side in enumerate(sides)]
        width = row["valeur_eur"] * scale
        y = []
        for i, node in enumerate(ends):
            key = index[i, node.code]
            y.append(node.haut + filled.get(key, 0) + width / 2)
            filled[key] = filled.get(key, 0) + width
        if row["est_principal"]:
            ruban = Ruban(x0 + EPAISSEUR, y[0], x1 - EPAISSEUR, y[1], max(width, 1))
            rubans.append((row["valeur_eur"], ruban, imprimer(row["valeur_eur"])))
    rubans.sort(key=lambda item: -item[0])

    nodes = left + right
    span = x1 - x0
    layout = theme.toile(hauteur)
    layout["shapes"] = [
        {
            "type": "path",
            "path": ruban.trace,
            "xref": "x",
            "yref": "y",
            "fillcolor": theme.PRINCIPAL_VOILE,
            # A white edge parts ribbons side by side; a thin ribbon takes a red one, and so never fades away.
            "line": {"width": 0.75, "color": theme.FOND if ruban.epaisseur >= FIN else theme.PRINCIPAL},
            "layer": "above",
        }
        for _, ruban, _ in rubans
    ]
    layout["annotations"] = _valeurs([(ruban, text) for _, ruban, text in rubans])
    full = ("produit_libelle", "pays") if flux == "export" else ("pays", "produit_libelle")
    sankey = {
        "type": "sankey",
        "arrangement": "fixed",
        "domain": {
            "x": [x0 / theme.LARGEUR, x1 / theme.LARGEUR],
            "y": [1 - bas / round(hauteur), 1 - haut / round(hauteur)],
        },
        "node": {
            "label": ["" for _ in nodes],
            "x": [EPAISSEUR / 2 / span] * len(left) + [1 - EPAISSEUR / 2 / span] * len(right),
            "y": [(node.centre - haut) / (bas - haut) for node in nodes],
            "thickness": EPAISSEUR,
            "pad": (bas - haut - scale * total) / max(tallest - 1, 1),  # what makes plotly's scale ours
            "sort": "input",
            "color": [theme.AUTRES if node.code == "AUTRES" else theme.COULEUR[flux] for node in nodes],
            "line": {"width": 0},
            "customdata": [f"<b>{node.libelle_complet}</b><br>{imprimer(node.valeur)} · {pct(node.part)}" for node in nodes],
            "hovertemplate": "%{customdata}<extra></extra>",
        },
        "link": {
            "source": [index[0, row[f"{sides[0]}_code"]] for row in rows],
            "target": [index[1, row[f"{sides[1]}_code"]] for row in rows],
            "value": [row["valeur_eur"] for row in rows],
            "sort": "input",
            "color": [theme.PRINCIPAL_VOILE if row["est_principal"] else theme.LIEN for row in rows],
            "line": {"width": 0},
            "customdata": [
                f"{row[full[0]]}{INSECABLE}→ {row[full[1]]}<br><b>{imprimer(row['valeur_eur'])}</b> · {pct(row['part_pct'])}"
                for row in rows
            ],
            "hovertemplate": "%{customdata}<extra></extra>",
        },
    }
    return {"data": [sankey, filets(guides, theme.GUIDE), couche(mots)], "layout": layout}
