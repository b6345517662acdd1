"""Figures drawn by a real browser: the files say what the frames say, are stable, and one failure does not lose the rest."""

import os
import re
import signal
import struct
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from pipeline import charts
from pipeline.charts import navigateur, produits, render, theme
from pipeline.charts.preview import preview
from pipeline.errors import OutputError, RenderError
from tests.frames import frames

SVG = "{http://www.w3.org/2000/svg}"
DONNEES = frames("diversifie")
SPECS = {sujet: charts.figure(sujet, DONNEES) or {} for sujet in charts.SUJETS}


def figures(folder: Path, names=charts.SUJETS) -> list[render.Figure]:
    return [render.Figure(name, SPECS[name.split(" ")[0]], folder / f"{name}.svg", folder / f"{name}.png") for name in names]


def lignes(path: Path) -> list[str]:
    """Every line of text of an SVG."""
    made = []
    for text in ET.parse(path).iter(f"{SVG}text"):
        parts = [span for span in text.iter(f"{SVG}tspan") if "line" in span.get("class", "")]
        made += ["".join(part.itertext()) for part in parts or [text]]
    return [line for line in made if line.strip()]


def tuer_le_navigateur() -> None:
    """Kill all that our own process started."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,comm="], capture_output=True, text=True, check=True).stdout
    family, killed = {os.getpid()}, []
    for pid, parent, command in (line.split(None, 2) for line in listed.splitlines()):  # parents come first
        if int(parent) in family and command != "ps":
            family.add(int(pid))
            killed.append(int(pid))
    for pid in killed:
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def dessins(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dessins")
    assert [outcome.erreur for outcome in render.render(figures(folder))] == [None] * 4
    return folder


@pytest.mark.parametrize("sujet", charts.SUJETS)
def test_the_svg_says_what_the_figure_says(dessins, sujet):
    spec = SPECS[sujet]
    expected = [text for trace in spec["data"] for text in trace.get("text", [])]
    expected += [line for note in spec["layout"].get("annotations", []) for line in note["text"].split("<br>")]
    assert sorted(lignes(dessins / f"{sujet}.svg")) == sorted(re.sub("</?b>", "", text) for text in expected)


@pytest.mark.parametrize("sujet", charts.SUJETS)
def test_the_svg_keeps_its_text_in_the_font_and_the_png_its_size(dessins, sujet):
    svg = (dessins / f"{sujet}.svg").read_text(encoding="utf-8")
    families = re.findall(r"font-family: ([^;]*);", svg)
    assert families and {family.split(",")[0].strip("'\"") for family in families} == {theme.POLICE}
    png = (dessins / f"{sujet}.png").read_bytes()
    assert struct.unpack(">II", png[16:24]) == (1440, 2 * SPECS[sujet]["layout"]["height"])


@pytest.mark.parametrize("sujet", charts.SUJETS)
def test_a_preview_is_small_and_large_enough_to_be_read(dessins, sujet):
    png = preview(dessins / f"{sujet}.svg")
    assert png and len(png) <= 40_000
    assert struct.unpack(">I", png[16:20])[0] >= 500


def test_two_runs_give_the_same_bytes_and_two_figures_no_common_id(dessins, tmp_path):
    list(render.render(figures(tmp_path)))
    for path in sorted(dessins.iterdir()):
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name
    ids = [set(re.findall(r'id="([^"]+)"', (dessins / f"{sujet}.svg").read_text(encoding="utf-8"))) for sujet in charts.SUJETS]
    assert sum(map(len, ids)) == len(set().union(*ids))


def nombres(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", text)]


def groupes(path: Path, name: str) -> list[ET.Element]:
    return [group for group in ET.parse(path).iter(f"{SVG}g") if name in group.get("class", "").split()]


def test_plotly_lays_the_tiles_where_we_measured_them(dessins):
    height = SPECS["produits"]["layout"]["height"]
    maps = [trace for trace in SPECS["produits"]["data"] if trace["type"] == "treemap"]
    for trace, drawn in zip(maps, groupes(dessins / "produits.svg", "treemap"), strict=True):
        (x0, x1), (y0, y1) = trace["domain"]["x"], trace["domain"]["y"]
        frame = (x0 * theme.LARGEUR, (1 - y1) * height, (x1 - x0) * theme.LARGEUR, (y1 - y0) * height)
        tiles = [nombres(path.get("d", "")) for path in drawn.iter(f"{SVG}path")][1:]  # the first is the frame
        found = sorted((d[0], d[1], d[2] - d[0], d[5] - d[1]) for d in tiles)
        for a, b in zip(found, sorted(produits.pavage(trace["values"], *frame)), strict=True):
            assert a == pytest.approx(b, abs=0.05)


@pytest.mark.parametrize("sujet", ["flux-export", "flux-import"])
def test_red_lies_exactly_on_the_ribbons_of_plotly(dessins, sujet):
    sankey = groupes(dessins / f"{sujet}.svg", "sankey")[0]
    dx, dy = nombres(sankey.get("transform", ""))[:2]
    shifts = (dx, dy) * 8
    ribbons = [
        [a + b for a, b in zip(nombres(path.get("d", "")), shifts, strict=True)]
        for path in sankey.iter(f"{SVG}path")
        if "sankey-link" in path.get("class", "")
    ]
    assert len(SPECS[sujet]["layout"]["shapes"]) == 5
    for shape in SPECS[sujet]["layout"]["shapes"]:
        wanted = nombres(shape["path"])
        assert any(wanted == pytest.approx(ribbon, abs=0.05) for ribbon in ribbons), shape["path"]


def test_a_figure_that_cannot_be_drawn_is_reported_and_the_others_go_on(tmp_path):
    good = figures(tmp_path)
    layout = theme.toile(100)
    bad = [
        render.Figure("refused", {"data": [], "layout": {**layout, "width": -5}}, tmp_path / "a.svg"),
        render.Figure("left out", {"data": [{"type": "sankee", "text": ["a"]}], "layout": layout}, tmp_path / "b.svg"),
    ]
    (tmp_path / "file").write_text("")
    nowhere = render.Figure("nowhere", SPECS["balance"], tmp_path / "file" / "c.svg")
    outcomes = {o.figure.name: o.erreur for o in render.render([*bad, nowhere, *good])}
    assert len(outcomes) == 7
    assert all(outcomes[name] is None for name in charts.SUJETS)
    assert isinstance(outcomes["refused"], RenderError) and isinstance(outcomes["left out"], RenderError)
    assert isinstance(outcomes["nowhere"], OutputError) and str(outcomes["nowhere"]).count("\n") == 3
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [""] + [".png"] * 4 + [".svg"] * 4


def test_a_browser_that_dies_is_started_again_and_nothing_is_lost(tmp_path):
    names = [f"balance {n}" for n in range(12)]

    def killing():
        for n, figure in enumerate(figures(tmp_path, names)):
            if n == 6:
                tuer_le_navigateur()
            yield figure

    outcomes = list(render.render(killing()))
    assert sorted(outcome.figure.name for outcome in outcomes) == sorted(names)
    assert [outcome.erreur for outcome in outcomes] == [None] * 12
    assert all(path.stat().st_size > 1000 for path in tmp_path.iterdir())


def test_a_browser_that_keeps_dying_reports_every_figure_it_left(tmp_path, monkeypatch):
    monkeypatch.setattr(render, "RELANCES", 0)

    def killing():
        for n, figure in enumerate(figures(tmp_path)):
            if n == 2:
                tuer_le_navigateur()
            yield figure

    outcomes = list(render.render(killing()))
    assert len(outcomes) == 4
    failed = [outcome for outcome in outcomes if outcome.erreur]
    assert failed and all("memory" in str(outcome.erreur) for outcome in failed)
    assert {path.stem for path in tmp_path.iterdir()} == {o.figure.name for o in outcomes if o.erreur is None}


def test_a_browser_without_the_font_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(render, "DOSSIER_POLICES", tmp_path)
    with pytest.raises(RenderError, match="Source Sans Pro"):
        list(render.render(figures(tmp_path)))


def test_no_browser_is_an_error_that_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    monkeypatch.setattr(navigateur, "CACHE", tmp_path)
    monkeypatch.setattr(navigateur.Chromium, "find_browser", lambda **_: None)
    with pytest.raises(RenderError, match="make setup"):
        list(render.render(figures(tmp_path)))
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "none"))
    with pytest.raises(RenderError, match="BROWSER_PATH"):
        navigateur.trouver()
