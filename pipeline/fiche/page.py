"""A fiche as a web page, and what all pages share: style, fonts, plotly.js and a short script.

Add here: what the templates need to know. Keep out: looks (`templates/`), content (`contenu.py`).
Pages work from the file system without a network. A page shows still pictures; where scripts run, plotly.js draws the
same figures again, with their hover texts, in their place. The picture of a comparison is a copy of the bundle's own.
"""

import base64
import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import plotly
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from pipeline.charts.texte import DOSSIER_POLICES
from pipeline.fiche.cellules import baliser, delier
from pipeline.fiche.contenu import Fiche, Section, Tableau
from pipeline.fiche.pdf import COULEURS
from pipeline.outputs import put_whole, writing
from pipeline.territoires import FRANCE
from pipeline.typographie import periode

MODELES = Path(__file__).parent / "templates"
GRAISSES = {"Regular": 400, "Semibold": 600, "Bold": 700}
# Latin letters, punctuation and signs of French; 202F and 2212 are what web fonts usually lack.
CARACTERES = [*range(0x20, 0x180), 0x2013, 0x2014, 0x2018, 0x2019, 0x201C, 0x201D, 0x2026, 0x202F, 0x20AC, 0x2212, 0x03B5, 0x2192]


@cache
def gabarits() -> Environment:
    """The templates, strict about names and escaping all text."""
    env = Environment(
        loader=FileSystemLoader(MODELES),
        undefined=StrictUndefined,
        autoescape=select_autoescape(["html", "j2"], default=True),
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=baliser,
    )
    env.filters |= {"periode": periode, "delier": delier}
    return env


def composer(fiche: Fiche, specs: Mapping[str, str], tailles: Mapping[str, tuple[int, int]], logo: str | None = None) -> str:
    """The HTML of a fiche; `specs` and `tailles` give each figure's plotly JSON and px by name (`Illustration.fichier`)."""
    territoire = fiche.territoire
    voisins = []
    if region := territoire.region:
        voisins.append((f"../{region.slug}/fiche.html", region.nom))
    if territoire.niveau != "france":
        voisins.append((f"../{FRANCE.slug}/fiche.html", FRANCE.nom))
    return (
        gabarits()
        .get_template("fiche.html.j2")
        .render(
            fiche=fiche,
            logo=logo,
            voisins=voisins,
            # `<` would end the script element that holds the figure.
            specs={nom: spec.replace("<", "\\u003c") for nom, spec in specs.items()},
            tailles=tailles,
            dossier=territoire.slug,
            ancre_tableau=_ancre_tableau,
        )
    )


def _ancre_tableau(section: Section, tableau: Tableau) -> str:
    return f"{section.ancre}-{section.blocs.index(tableau) + 1}"


def ecrire_commun(dossier: Path) -> None:
    """Write what all pages share into `dossier`: plotly.js, fonts (with their licence), style and script.

    A file whose bytes are already there is left alone. Raises OutputError.
    """
    with writing(dossier):
        source = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
        put_whole(dossier / "plotly.min.js", source.read_bytes())
        put_whole(
            dossier / "style.css", gabarits().get_template("style.css.j2").render(couleurs=COULEURS, graisses=GRAISSES).encode()
        )
        put_whole(dossier / "fiche.js", (MODELES / "fiche.js").read_bytes())
        put_whole(dossier / "polices" / "OFL.txt", (DOSSIER_POLICES / "LICENSE.txt").read_bytes())
        for face in GRAISSES:
            put_whole(dossier / "polices" / f"SourceSansPro-{face}.woff2", _woff2(face))


@cache
def polices() -> str:
    """The style of a picture that stands in a page: its fonts, in itself, since it may load no other file."""
    faces = (
        f'@font-face {{ font-family: "Source Sans Pro"; font-weight: {GRAISSES[face]};'
        f" src: url(data:font/woff2;base64,{base64.b64encode(_woff2(face)).decode()}); }}"
        for face in ("Regular", "Bold")
    )
    return f"<style>{' '.join(faces)}</style>"


@cache
def _woff2(face: str) -> bytes:
    """One face of the packaged font, cut down to French, as a web font."""
    # recalcTimestamp would write the clock's time into the file.
    font = TTFont(DOSSIER_POLICES / f"SourceSansPro-{face}.ttf", recalcTimestamp=False)
    options = Options()
    options.layout_features = ["kern", "liga", "lnum", "tnum", "mark", "locl"]
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=CARACTERES)
    subsetter.subset(font)
    font.flavor = "woff2"
    out = io.BytesIO()
    font.save(out)
    return out.getvalue()
