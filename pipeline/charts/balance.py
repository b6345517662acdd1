"""The butterfly: imports to the left, exports to the right, the balance printed, one row a partner.

Add here: the drawing of `mart_*_balance`. Keep out: which partners, in what order, what « Autres » holds (SQL).
Bars share one scale. « Autres pays » is printed below a rule without bars: it is not a partner, and its bar, often
longer than all others, would flatten the scale.
"""

from typing import Any

import pandas as pd

from pipeline.charts import theme
from pipeline.charts.texte import Mot, couche, filets, largeur
from pipeline.typographie import INSECABLE, monnaie, nombre

RANG = (23, 32)  # least and largest height of a row, px
HAUTEUR = 560  # that rows together aim at: what the sentences of the page leave, whatever the number of partners
TETE = 34  # two lines: the heading of the balance says what it compares
MARGE = 6  # between a bar and its value
BORD = 1  # letters lean out of their advance width by a hair
COLONNE_SOLDE = 92
FLUX = ("import", "export")


def figure(frame: pd.DataFrame) -> dict[str, Any] | None:
    """The figure of one territory's balance frame; None when it names no partner."""
    rows = frame.to_dict("records")
    if all(row["pays_code"] == "AUTRES" for row in rows):
        return None
    imprimer = monnaie(max(sum(row[f"{flux}_eur"] for row in rows) for flux in FLUX))
    for row in rows:
        row["autres"] = row["pays_code"] == "AUTRES"
        row["nom"] = f"{row['pays']} ({nombre(row['nb_pays'])})" if row["autres"] else row["pays"]
        row["import"], row["export"] = (imprimer(row[f"{flux}_eur"]) for flux in FLUX)
        row["solde"] = imprimer(row["solde_eur"], signe=True)
    partners = [row for row in rows if not row["autres"]]
    longest = {flux: max(row[f"{flux}_eur"] for row in partners) for flux in FLUX}
    # Room for the values, and for the headers, which stand on either side of the axis however short the bars are.
    room = {
        flux: MARGE
        + max(
            largeur(theme.NOM_FLUX[flux], theme.TITRE, gras=True),
            *(largeur(row[flux], theme.PETIT) for row in rows),
        )
        for flux in FLUX
    }
    left = BORD + max(largeur(row["nom"], theme.CORPS) for row in rows) + 14 + room["import"]
    right = theme.LARGEUR - COLONNE_SOLDE - room["export"]
    scale = (right - left) / max(sum(longest.values()), 1)
    axis = left + longest["import"] * scale
    rang = min(max((HAUTEUR - TETE) / len(rows), RANG[0]), RANG[1])
    foot = TETE + rang * len(partners)  # where the rows of partners end
    hauteur = TETE + rang * len(rows) + (6 if len(rows) > len(partners) else 2)

    y_head = TETE / 2 - 2
    mots = [
        Mot(BORD, y_head, "<b>Pays</b>", "left", theme.TITRE, theme.ENCRE_DOUCE),
        Mot(axis - MARGE, y_head, "<b>Importations</b>", "right", theme.TITRE, theme.COULEUR["import"]),
        Mot(axis + MARGE, y_head, "<b>Exportations</b>", "left", theme.TITRE, theme.COULEUR["export"]),
        Mot(theme.LARGEUR - BORD, y_head - 7, "<b>Solde apparent</b>", "right", theme.TITRE, theme.ENCRE_DOUCE),
        Mot(theme.LARGEUR - BORD, y_head + 8, "(CAF/FAB)", "right", theme.PETIT, theme.ENCRE_DOUCE),
    ]
    middles = [TETE + rang * (i + 0.5) + (4 if row["autres"] else 0) for i, row in enumerate(rows)]
    for row, y in zip(rows, middles, strict=True):
        reach = {flux: 0 if row["autres"] else row[f"{flux}_eur"] * scale for flux in FLUX}
        ink = theme.ENCRE_DOUCE if row["autres"] else theme.ENCRE
        signed = theme.SOLDE[row["solde_eur"] > 0] if row["solde_eur"] else theme.ENCRE
        mots += [
            Mot(BORD, y, row["nom"], "left", theme.CORPS, ink),
            Mot(axis - reach["import"] - MARGE, y, row["import"], "right", theme.PETIT, ink),
            Mot(axis + reach["export"] + MARGE, y, row["export"], "left", theme.PETIT, ink),
            Mot(theme.LARGEUR - BORD, y, f"<b>{row['solde']}</b>", "right", theme.CORPS, signed),
        ]
    rules = [[(0, TETE + rang * i), (theme.LARGEUR, TETE + rang * i)] for i in range(1, len(partners))]
    strong = [[(0, y), (theme.LARGEUR, y)] for y in ((TETE, foot + 2) if len(rows) > len(partners) else (TETE,))]
    bars = [
        {
            "type": "bar",
            "orientation": "h",
            "name": theme.NOM_FLUX[flux],
            "x": [sign * row[f"{flux}_eur"] for row in partners],
            "y": middles[: len(partners)],
            "width": rang * 0.6,
            "xaxis": "x2",
            "marker": {"color": theme.COULEUR[flux], "line": {"width": 0}},
            "customdata": [
                f"<b>{row['pays']}</b><br>Importations{INSECABLE}: {row['import']}"
                f"<br>Exportations{INSECABLE}: {row['export']}<br>Solde apparent{INSECABLE}: {row['solde']}"
                for row in partners
            ],
            "hovertemplate": "%{customdata}<extra></extra>",
        }
        for flux, sign in (("import", -1), ("export", 1))
    ]
    layout = theme.toile(hauteur)
    layout["barmode"] = "overlay"
    layout["xaxis2"] = {
        "visible": False,
        "fixedrange": True,
        "anchor": "y",
        "domain": [left / theme.LARGEUR, right / theme.LARGEUR],
        "range": [-longest["import"], longest["export"]],
    }
    return {
        "data": [
            filets(rules, theme.FILET),
            filets(strong, theme.GUIDE),
            *bars,
            filets([[(axis, TETE), (axis, foot)]], theme.ENCRE_DOUCE),
            couche(mots),
        ],
        "layout": layout,
    }
