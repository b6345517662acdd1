"""Every number that a reader sees, read back from the page and from the PDF: it is the cell that it says it comes from.

All 119 fiches of the embedded example, without browser or figures. Add here: a kind of number that fiches print, in
`printed`; a name with digits that is no statistic, in `NAMES`. Keep out: whether the cells are right (`integration/`).
"""

import csv
import io
import re
from decimal import Decimal
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader

from pipeline.fiche import bind, cellules, index, lot, page, pdf, rapprochement
from pipeline.fiche.contenu import Fiche
from pipeline.paths import Paths
from pipeline.settings import Settings
from pipeline.territoires import Territoire, departement, tous
from pipeline.typographie import INSECABLE, nombre, pct
from tests.archives import Warehouse

Cells = dict[str, dict[str, str]]  # row of a data file by its address, `donnees/reperes.csv:departement/94/export`

# Digits that no mart gives: dates and periods, nomenclatures, codes, thresholds and totals that the method states.
NAMES = (
    r"\b(19|20)\d\d\b",
    r"\b(A129|A38|CPF4)\b",
    r"\b(76|314|38)\spostes",
    r"rév\. 2\.1",
    r"Licence Ouverte 2\.0",
    r"\b460\s000\s€",
    r"\b100\sdépartements",
    r"\b100,0\s%",  # the last row of a table of shares
    r"\b0,0?5\sM€",
    r"(?:dès|moins de)\s[\d,\u202f]+\s(?:%|M€|plate-forme)",  # thresholds of the note
    r"\bposte 0620\b",
    r"\bDelta 3\b",
    r"\((0\d|[1-9]\d|97\d)\)",  # Val-de-Marne (94)
    r"\b[A-Z]\d\d[A-Z]\b",  # C29A
)


class Visible(HTMLParser):
    """What a page shows: `texte` outside `<data>`, and `nombres` as (address, value, printed)."""

    def __init__(self) -> None:
        super().__init__()
        self.texte = ""
        self.nombres: list[tuple[str, str, str]] = []
        self.avant: list[str] = []  # what stands before each of them
        self.tout = ""  # both, in order
        self._hidden = 0
        self._data: tuple[str, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("script", "style")
        if tag == "data":
            given = dict(attrs)
            self._data = given["data-cellule"] or "", given["value"] or ""
        self.texte += " "
        self.tout += "" if tag in ("data", "strong", "span") else "\n"

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style")
        if tag == "data":
            self._data = None

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        self.tout += data
        if self._data:
            self.nombres.append((*self._data, data))
            self.avant.append(self.texte[-60:])
        else:
            self.texte += data


def read(html: str) -> Visible:
    seen = Visible()
    seen.feed(html)
    return seen


@pytest.fixture(scope="module")
def fiches(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> dict[Territoire, Fiche]:
    origin = bind.provenance(warehouse.releases, warehouse.marts)
    settings = Settings(home=warehouse.paths.home, source="example")
    binder = bind.Binder(warehouse.paths.marts, warehouse.periode, origin, settings, warehouse.paths)
    return {territoire: binder.fiche(territoire) for territoire in tous()}


@pytest.fixture(scope="module")
def cells(fiches: dict[Territoire, Fiche]) -> dict[str, Cells]:
    """The rows of every bundle's data files, by slug, read back from the text that is written."""
    return {territoire.slug: _rows(made) for territoire, made in fiches.items()}


def _rows(made: Fiche) -> Cells:
    found = {}
    for name, frame in lot.donnees(made).items():
        for row in csv.DictReader(io.StringIO(frame.to_csv(index=False, lineterminator="\n"))):
            key = "/".join(row[column] for column in cellules.CLES[name])
            assert f"donnees/{name}.csv:{key}" not in found, f"{name}: {key} stands twice"
            found[f"donnees/{name}.csv:{key}"] = row
    return found


@pytest.fixture(scope="module")
def pages(fiches: dict[Territoire, Fiche]) -> dict[Territoire, Visible]:
    return {territoire: _page(made) for territoire, made in fiches.items()}


def _page(made: Fiche) -> Visible:
    names = [item.fichier for item in made.illustrations]
    html = page.composer(made, dict.fromkeys(names, "{}"), dict.fromkeys(names, (720, 400)))
    return read(html[html.index("<main") : html.index("</main>")])


def printed(value: str, column: str, like: str) -> str:
    """`value` printed with the unit, the decimals and the sign that `like` shows."""
    number, signe = Decimal(value), like.startswith("+")
    if like == "stable":
        return like if abs(number) < Decimal("0.05") else "not stable"
    decimals = len(like.partition(",")[2].rstrip("\u00a0%€Md"))
    if like.endswith("%"):
        # A change too small for its decimals is a zero without a sign; a share that small says so.
        signe = signe or (column in ("ecart_pct", "evolution_pct") and not re.search("[1-9]", like))
        return pct(float(number), decimals, signe=signe)
    scale = {"Md€": 1_000_000_000, "M€": 1_000_000, "€": 1}.get(like.rpartition(INSECABLE)[2])
    if scale:
        return f"{nombre(number / scale, decimals, signe=signe)}{INSECABLE}{like.rpartition(INSECABLE)[2]}"
    if column.endswith("_eur"):  # a matrix, in M€
        if like == "ε":
            return like if 0 < number < 500_000 else "not small"
        return nombre(number / 1_000_000, decimals)
    return nombre(number, decimals)


def told(value: str, before: str) -> str:
    """The value as a sentence tells it: « reculent de 3,3 % » is −3,3 %, and so may be what follows (« les importations de »)."""
    verb = re.search(r".*(progressent|reculent)\b.* de\s+$", before)
    return value.removeprefix("-") if verb and verb[1] == "reculent" else value


def test_every_number_is_the_cell_that_it_says(pages: dict[Territoire, Visible], cells: dict[str, Cells]) -> None:
    wrong = []
    for territoire, seen in pages.items():
        assert len(seen.nombres) > 40, territoire
        for (address, value, text), before in zip(seen.nombres, seen.avant, strict=True):
            row_address, _, column = address.rpartition(":")
            slug, row_address = re.fullmatch(r"(?:\.\./([\w-]+)/)?(donnees/.+)", row_address).groups()  # pyright: ignore[reportOptionalMemberAccess]
            cell = cells[slug or territoire.slug][row_address][column]
            if value != cell or printed(told(cell, before), column, text) != text:
                wrong.append((territoire.slug, address, cell, value, text))
    assert wrong == []


def test_no_number_is_printed_without_its_cell(pages: dict[Territoire, Visible]) -> None:
    loose = {}
    for territoire, seen in pages.items():
        text = _without_names(seen.texte, *territoire.territoires_industrie, *territoire.territoires_industrie_partiels)
        if found := re.findall(r".{0,30}\d.{0,30}", text):
            loose[territoire.slug] = found
    assert loose == {}


def _without_names(text: str, *names: str) -> str:
    for name in (*map(re.escape, names), *NAMES):
        text = re.sub(name, "", text)
    return text


@pytest.mark.parametrize("code", ["75", "94", "31", "48", "20", "976"])
def test_the_pdf_prints_the_same_numbers_in_the_same_order(code: str, fiches: dict[Territoire, Fiche]) -> None:
    made = fiches[departement(code)]
    blank = b'<svg xmlns="http://www.w3.org/2000/svg" width="720" height="400"/>'
    content = pdf.composer(made, {item.fichier: blank for item in made.illustrations})
    sheets = [sheet.extract_text() for sheet in PdfReader(BytesIO(content)).pages]
    # Line by line without the running head and foot; the page without what is around its main part.
    lines = [
        line for sheet in sheets for line in sheet.splitlines() if "· millésime" not in line and f"{made.courant} ·" not in line
    ]
    assert _numbers("\n".join(lines)) == _numbers(_page(made).tout)


def _numbers(text: str) -> list[str]:
    return re.findall(r"[−+]?\d+", text)


def test_the_index_prints_the_cells_of_the_bundles(
    fiches: dict[Territoire, Fiche], cells: dict[str, Cells], warehouse: Warehouse, tmp_path: Path
) -> None:
    origin = next(iter(fiches.values())).provenance
    index.ecrire(tmp_path / "index.html", tmp_path / "fiches", warehouse.periode, warehouse.marts.reperes, origin)
    seen = read((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert len(seen.nombres) == 4 * len(tous())
    _are_cells(seen, cells)


def test_the_page_of_the_country_prints_the_cells_of_france(
    fiches: dict[Territoire, Fiche], cells: dict[str, Cells], warehouse: Warehouse, tmp_path: Path
) -> None:
    rapprochement.ecrire(Paths(tmp_path), warehouse.marts, next(iter(fiches.values())).provenance)
    html = (tmp_path / "rapprochement.html").read_text(encoding="utf-8")
    seen = read(html[html.index("<main") : html.index("</main>")])
    assert len(seen.nombres) > 19 * 2 * 2
    _are_cells(seen, cells)
    assert re.findall(r"\d", _without_names(seen.texte)) == []


def _are_cells(seen: Visible, cells: dict[str, Cells]) -> None:
    for address, value, text in seen.nombres:
        slug, row_address, column = re.fullmatch(r"fiches/2024/([\w-]+)/(donnees/.+):(\w+)", address).groups()  # pyright: ignore[reportOptionalMemberAccess]
        assert (value, text) == (cells[slug][row_address][column], printed(value, column, text))
