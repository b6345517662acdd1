"""Labels as hostile as a release can bring them, from mart frames to the files of a bundle: text everywhere, and no fiche lost."""

import csv
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from pypdf import PdfReader

from pipeline import charts
from pipeline.charts.render import Figure, render
from pipeline.fiche import lot
from pipeline.fiche.contexte import Portrait, construire
from pipeline.fiche.provenance import Archive, Provenance
from pipeline.spreadsheets import RULE, restore
from pipeline.territoires import FRANCE, regions
from tests.frames import classement, frames, publies, rapprochement

LIEN = '=HYPERLINK("http://x.test") <a href="javascript:alert(1)">R&D</a>'
SCRIPT = "@中 </script><script>alert(2)</script>"
TYPST = "+#panic() $x$ *a* \\ @b [c] \ue000d"
ARCHIVE = Archive("202502-Regional-2024-export 中.zip", "ab" * 32, "202502", "export", 1, "https://x.test/<b>")
REGION = regions()["53"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a région whose first three labels of each kind are these."""
    home = tmp_path_factory.mktemp("home")
    made = {mart: frame.copy() for mart, frame in frames("diversifie", niveau="region", code=REGION.code, nom=REGION.nom).items()}
    for mart, columns in (("balance", ["pays"]), ("produits", ["produit", "produit_libelle"]), ("flux", charts.LIBELLES)):
        for column in columns:
            code = "pays_code" if column == "pays" else "produit_code"
            first = dict(zip(made[mart][code].unique()[:3], (LIEN, SCRIPT, TYPST), strict=True))
            made[mart][column] = made[mart][code].map(first.get).fillna(made[mart][column])
    made["specificites"]["libelle"] = LIEN
    wanted = []
    for territoire, shown in ((REGION, made), (FRANCE, frames("france", niveau="france", code="FR", nom="France"))):
        for sujet in charts.dessins(charts.SUJETS, territoire):
            spec = charts.figure(sujet, shown)
            assert spec
            place = home / "charts" / territoire.slug
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{sujet}.json").write_text(json.dumps(spec, ensure_ascii=False), encoding="utf-8")
            wanted.append(Figure(f"{territoire.slug}/{sujet}", spec, place / f"{sujet}.svg", place / f"{sujet}.png"))
    for rendu in render(wanted):
        assert rendu.erreur is None
        rendu.figure.svg.with_suffix(".navigateur").write_text(rendu.navigateur)
    fiche = construire(
        Portrait(REGION, made),
        "2024",
        replace(Provenance(False, "202502"), archives=(ARCHIVE,), lues=(ARCHIVE,)),
        france=Portrait(FRANCE, frames("france", niveau="france", code="FR", nom="France")),
        classement=classement(),
        rapprochement=rapprochement(),
        publies=publies(),
    )
    return lot.ecrire(fiche, home / "fiches", home / "charts")


@pytest.mark.parametrize("sujet", charts.SUJETS)
def test_a_figure_prints_the_label_and_links_nowhere(bundle: Path, sujet: str) -> None:
    tree = ET.parse(bundle / "graphiques" / f"{sujet}.svg")
    assert not [node for node in tree.iter() if node.tag.endswith("}a") or node.tag.endswith("script")]
    words = "".join("".join(node.itertext()) for node in tree.iter("{http://www.w3.org/2000/svg}text"))
    assert '<ahref="javascript:alert(1)">R&D</a>' in re.sub(r"\s", "", words)


def test_the_page_holds_no_element_of_a_label(bundle: Path) -> None:
    html = (bundle / "fiche.html").read_text(encoding="utf-8")
    assert not re.search(r"<script>alert|<a href=.javascript|<b>\"", html)
    assert "&lt;a href=&#34;javascript:alert(1)&#34;&gt;R&amp;D&lt;/a&gt;" in html
    for spec in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', html, re.DOTALL):
        assert "<a" not in str(json.loads(spec)["data"])


def test_the_pdf_is_made_and_prints_the_label(bundle: Path) -> None:
    reader = PdfReader(bundle / "fiche.pdf")
    words = re.sub(r"\s", "", "".join(sheet.extract_text() for sheet in reader.pages))
    assert "R&D</a>" in words and "#panic()$x$*a*" in words and "@?</script>" in words
    assert not [
        note.get_object()["/A"]["/URI"]  # pyright: ignore[reportIndexIssue]
        for sheet in reader.pages
        for note in sheet.get("/Annots") or []
        if "javascript" in str(note.get_object())
    ]


def test_no_cell_of_the_data_files_is_run_and_each_is_found_again(bundle: Path) -> None:
    cells = []
    for path in sorted((bundle / "donnees").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            cells += [cell for row in csv.reader(file) for cell in row]
    risky = [cell for cell in cells if cell[:1] in ("=", "+", "@") or (cell[:1] == "-" and not re.fullmatch(r"-[\d.e-]+", cell))]
    assert risky == []
    assert {LIEN, SCRIPT, TYPST} <= {restore(cell) for cell in cells if cell.startswith("'")}
    assert json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))["csv"] == RULE
