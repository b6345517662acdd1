"""Fiches as real PDFs and in a real browser: they hold the numbers, are tagged, stable, and show their own figures."""

import json
import os
import re
import subprocess
import sys
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from pipeline import charts
from pipeline.charts import navigateur
from pipeline.charts.render import Figure, render
from pipeline.errors import RenderError
from pipeline.fiche import etat, lot, page, pdf
from pipeline.fiche.contenu import Fiche
from pipeline.fiche.contexte import Portrait, construire
from pipeline.fiche.provenance import Archive, Provenance
from pipeline.paths import Paths
from pipeline.territoires import FRANCE, Territoire, departement, regions
from pipeline.typographie import millions, montant, pct
from tests.frames import classement, frames, publies, rapprochement

EXEMPLE = Provenance(True, "202502")
CAS = {
    departement("94"): "diversifie",
    departement("04"): "libelles_longs",
    departement("62"): "concentre",
    departement("976"): "sans_export",
    departement("48"): "vide",
    departement("09"): "hors_pays",
    regions()["11"]: "diversifie",
    regions()["32"]: "desequilibre",
    regions()["76"]: "minuscule",
    regions()["93"]: "libelles_longs",
    regions()["53"]: "un_partenaire",
    regions()["06"]: "sans_export",
    FRANCE: "france",
}


@cache
def portrait(territoire: Territoire) -> Portrait:
    shown = frames(CAS[territoire], niveau=territoire.niveau, code=territoire.code, nom=territoire.nom)
    return Portrait(territoire, shown)


@cache
def fiche(territoire: Territoire, provenance: Provenance = EXEMPLE) -> Fiche:
    return construire(
        portrait(territoire),
        "2024",
        provenance,
        region=portrait(regions()[territoire.region_code]) if territoire.region_code else None,
        france=None if territoire is FRANCE else portrait(FRANCE),
        classement=classement(),
        rapprochement=rapprochement(),
        publies=publies(),
    )


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The figures of all cases, drawn once."""
    folder = tmp_path_factory.mktemp("charts")
    wanted = []
    for territoire in CAS:
        for sujet in charts.dessins(charts.SUJETS, territoire):
            spec = charts.figure(sujet, portrait(territoire).frames)
            if spec is None:
                continue
            place = folder / territoire.slug
            place.mkdir(exist_ok=True)
            (place / f"{sujet}.json").write_text(json.dumps(spec), encoding="utf-8")
            wanted.append(Figure(f"{territoire.slug}/{sujet}", spec, place / f"{sujet}.svg", place / f"{sujet}.png"))
    for rendu in render(wanted):
        assert rendu.erreur is None
        rendu.figure.svg.with_suffix(".navigateur").write_text(rendu.navigateur)
    return folder


@cache
def compose(territoire: Territoire, figures: Path, provenance: Provenance = EXEMPLE) -> bytes:
    made = fiche(territoire, provenance)
    drawn = {item.fichier: charts.REDUITS[item.sujet] if item.reduite else item.sujet for item in made.illustrations}
    return pdf.composer(
        made, {item.fichier: (figures / item.dossier / f"{drawn[item.fichier]}.svg").read_bytes() for item in made.illustrations}
    )


def pages(content: bytes) -> list[str]:
    return [sheet.extract_text() for sheet in PdfReader(BytesIO(content)).pages]


@pytest.mark.parametrize("territoire", CAS, ids=lambda territoire: territoire.slug)
def test_a_pdf_holds_its_numbers_and_its_mention_on_every_page(territoire: Territoire, figures: Path) -> None:
    sheets = pages(compose(territoire, figures))
    assert 11 <= len(sheets) <= 14
    everything = "\n".join(sheets)
    for number, sheet in enumerate(sheets, 1):
        assert "Données d’exemple" in sheet
        assert f"page {number} / {len(sheets)}" in sheet
    for row in portrait(territoire).frames["reperes"].to_dict("records"):
        assert millions(row["valeur_eur"]) in everything
        if territoire.niveau == "departement":
            assert pct(row["part_france_pct"], 2) in everything
    assert millions(portrait(territoire).reperes()["export"]["solde_eur"], signe=True) in sheets[0]
    for section in fiche(territoire).sections:
        assert sum(section.titre in sheet for sheet in sheets) >= 1, section.titre


@pytest.mark.parametrize("territoire", CAS, ids=lambda territoire: territoire.slug)
def test_a_pdf_is_tagged_and_found_accessible(territoire: Territoire, figures: Path, tmp_path: Path) -> None:
    path = tmp_path / "fiche.pdf"
    path.write_bytes(compose(territoire, figures))
    checked = subprocess.run(["pdfua", "check", str(path)], capture_output=True, text=True, check=False, env=_with_venv())
    assert "PASS (no findings)" in checked.stdout, checked.stdout + checked.stderr
    reader = PdfReader(path)
    root: Any = reader.trailer["/Root"]
    assert root["/Lang"] == "fr-FR"
    assert len(reader.outline) >= len(fiche(territoire).sections)
    fonts = set()
    for sheet in reader.pages:
        resources: Any = sheet["/Resources"]
        fonts |= {str(font.get_object()["/BaseFont"]) for font in resources.get("/Font", {}).values()}
    assert fonts and all("SourceSansPro" in font for font in fonts)


def _with_venv() -> dict[str, str]:
    return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize("code", ["94", "04", "62"])
def test_both_comparisons_stand_on_one_page(code: str, figures: Path) -> None:
    territoire = departement(code)
    sheets = pages(compose(territoire, figures))
    region = regions()[territoire.region_code or ""]
    for flux in ("Exportations", "Importations"):
        sheet = next(text for text in sheets if f"{flux} comparées" in text)
        assert f"{flux} {region.nom_de}" in sheet and f"{flux} de la France" in sheet


def test_real_data_carry_no_mention(figures: Path) -> None:
    everything = "\n".join(pages(compose(departement("94"), figures, Provenance(False, "202502"))))
    assert "xemple" not in everything
    assert "DGDDI (Douanes), statistiques régionales et départementales, millésime février 2025" in everything


def test_what_an_operator_let_in_stands_on_the_cover_and_in_the_methods_of_the_pdf(figures: Path) -> None:
    constats = (
        ("values_are_there", "lignes sans valeur, 2024\u00a0: 33,3\u00a0%"),
        ("totals_follow_the_published", "total publié, 2024\u00a0: 387,1\u00a0Md€"),
    )
    admise = Archive("202502-Regional-2024-export.zip", "ab" * 32, "202502", "export", 1, "export.zip", admis=constats)
    sheets = pages(compose(departement("94"), figures, Provenance(False, "202502", (admise,), (admise,), admises=(admise,))))
    cover, methods = (" ".join(sheet.split()) for sheet in sheets[:2])
    assert "l’opérateur a admis ces données" in cover and "202502-Regional-2024-export.zip" in cover and "33,3 %" in cover
    assert "Admis malgré des contrôles en échec" in methods and "387,1 Md€" in methods


def test_the_same_content_gives_the_same_pdf(figures: Path) -> None:
    first = compose(departement("94"), figures)
    compose.cache_clear()
    assert compose(departement("94"), figures) == first


def test_each_fiche_shows_its_own_figures(figures: Path) -> None:
    """The classical fault of looped reports: everyone gets the last territory's pictures."""
    for territoire in (departement("94"), departement("04"), departement("62")):
        sheets = pages(compose(territoire, figures))
        sheet = next(text for text in sheets if text.count("Exportations par produit et par pays"))
        first = next(row for row in portrait(territoire).rows("flux", "export") if row["est_principal"])
        assert re.sub(r"\s", "", montant(first["pays_valeur_eur"])) in re.sub(r"\s", "", sheet)


def test_a_logo_takes_its_place_and_a_bad_one_is_told(figures: Path, tmp_path: Path) -> None:
    logo = tmp_path / "marque.svg"
    logo.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><rect width="40" height="20"/></svg>')
    folder = lot.ecrire(fiche(departement("94")), tmp_path / "fiches", figures, logo=logo)
    assert (folder / "logo.svg").read_bytes() == logo.read_bytes()
    assert (folder / "fiche.pdf").read_bytes() != compose(departement("94"), figures)
    logo.write_text("not a picture")
    with pytest.raises(RenderError, match="Val-de-Marne"):
        lot.ecrire(fiche(departement("94")), tmp_path / "fiches", figures, logo=logo)


def test_the_page_draws_its_figures_without_a_network(figures: Path, tmp_path: Path) -> None:
    page.ecrire_commun(tmp_path / "fiches" / "commun")
    folder = lot.ecrire(fiche(departement("94")), tmp_path / "fiches", figures)
    etat.ecrire(Paths(tmp_path), {"2024": {"94-val-de-marne": "faite avant la révision de 2023", "33-gironde": "faite hier"}})
    browser = subprocess.run(
        [
            str(navigateur.trouver()),
            "--no-sandbox",
            "--headless",
            "--virtual-time-budget=20000",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--dump-dom",
            (folder / "fiche.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    dom = browser.stdout
    if "</html>" not in dom:
        pytest.skip("this browser does not print a page's content")
    assert dom.count('class="main-svg"') >= len(fiche(departement("94")).illustrations)
    assert '<img src="graphiques' not in dom
    assert "n’est plus à jour&nbsp;: elle a été faite avant la révision de 2023." in dom
    assert "faite hier" not in dom
    assert "Share chart" not in dom
    assert dom.count('role="img" aria-label="Diagramme') >= 5
