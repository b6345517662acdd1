"""Figures as dicts: what they print, where they print it, and that nothing is cut, covered or too pale. No browser here."""

import asyncio
import json
import re
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path

import plotly.graph_objects as go
import pytest

from pipeline import charts
from pipeline.charts import flux, produits, render, texte, theme
from pipeline.territoires import FRANCE, departement
from pipeline.typographie import monnaie, montant, pct
from tests.archives import seed
from tests.frames import FORMES
from tests.frames import frames as fabriquer

frames = cache(fabriquer)

HASARD = [f"hasard-{n}" for n in range(24)]
CAS = [(forme, sujet) for forme in (*FORMES, *HASARD) for sujet in (*charts.SUJETS, *charts.REDUITS.values())]
PREMIERS = len(CAS) // (len(FORMES) + len(HASARD)) * len(FORMES)  # the cases that have a name


def figure(forme, sujet):
    return charts.figure(sujet, frames(forme, niveau="france" if forme == "france" else "departement"))


def boites(spec):
    """(text, left, top, right, bottom) of every text of a figure, px, from font metrics."""
    found = []
    for trace in spec["data"]:
        if trace.get("mode") != "text":
            continue
        sizes = trace["textfont"]["size"]
        for x, y, text, side, size in zip(trace["x"], trace["y"], trace["text"], trace["textposition"], sizes, strict=True):
            width = texte.largeur(text, size)
            left = x - {"middle right": 0, "middle center": width / 2, "middle left": width}[side]
            found.append((text, left, y - 0.45 * size, left + width, y + 0.45 * size))
    for note in spec["layout"].get("annotations", []):
        size, lines = note["font"]["size"], note["text"].split("<br>")
        width, height = max(texte.largeur(line, size) for line in lines), theme.INTERLIGNE_PLOTLY * size * len(lines)
        left = note["x"] - {"left": 0, "center": width / 2}[note["xanchor"]]
        top = note["y"] - {"top": 0, "middle": height / 2}[note["yanchor"]]
        found.append((note["text"], left, top + 0.2 * size, left + width, top + height - 0.2 * size))
    return found


def textes(spec) -> list[str]:
    return [re.sub(r"</?b>", "", box[0]).replace("<br>", "\n") for box in boites(spec)]


def luminance(color):
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contraste(a, b):
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def sur_papier(rgba):
    """The colour that a translucent one makes on white."""
    *channels, alpha = map(float, re.findall(r"[\d.]+", rgba))
    return "#" + "".join(f"{round(c * alpha + 255 * (1 - alpha)):02X}" for c in channels)


@pytest.mark.parametrize(("forme", "sujet"), CAS)
def test_every_text_is_inside_the_figure_and_covers_no_other(forme, sujet):
    spec = figure(forme, sujet)
    if spec is None:
        return
    width, height = spec["layout"]["width"], spec["layout"]["height"]
    found = boites(spec)
    for text, left, top, right, bottom in found:
        assert left >= -0.5 and top >= -0.5 and right <= width + 0.5 and bottom <= height + 0.5, text
    for (a, ax0, ay0, ax1, ay1), (b, bx0, by0, bx1, by1) in combinations(found, 2):
        covered = min(ax1, bx1) - max(ax0, bx0) > 0.5 and min(ay1, by1) - max(ay0, by0) > 0.5
        assert not covered, (a, b)


@pytest.mark.parametrize(("forme", "sujet"), CAS[:PREMIERS])
def test_plotly_knows_every_attribute_and_drawing_is_deterministic(forme, sujet):
    spec = figure(forme, sujet)
    if spec is None:
        assert forme in ("vide", "sans_export", "hors_pays")
        return
    assert json.dumps(spec) == json.dumps(figure(forme, sujet))
    go.Figure(spec)


@pytest.mark.parametrize(("forme", "sujet"), CAS[:PREMIERS])
def test_no_place_has_digits_that_another_python_would_add_up_otherwise(forme, sujet):
    found = re.findall(r"-?\d+\.\d+(?:e-?\d+)?", json.dumps(figure(forme, sujet)))
    assert all(float(number) == round(float(number), 9) for number in found)


@pytest.mark.parametrize(("forme", "sujet"), CAS)
def test_no_type_smaller_than_seven_points_on_paper(forme, sujet):
    spec = figure(forme, sujet)
    if spec:
        # A figure higher than that would be printed smaller (`plafond` of fiche.typ).
        assert spec["layout"]["height"] + theme.BANDE_MENTION <= 175 * theme.LARGEUR / 180
        sizes = [size for trace in spec["data"] if trace.get("mode") == "text" for size in trace["textfont"]["size"]]
        sizes += [note["font"]["size"] for note in spec["layout"].get("annotations", [])]
        points_per_px = 180 / 25.4 * 72 / theme.LARGEUR
        assert min(sizes) * points_per_px >= 7


def test_contrast_of_text_is_at_least_4_5():
    inks = [theme.ENCRE, theme.ENCRE_DOUCE, theme.PRINCIPAL, *theme.COULEUR.values(), *theme.SOLDE.values()]
    assert min(contraste(ink, theme.FOND) for ink in inks) >= 4.5
    assert contraste(theme.ENCRE, theme.AUTRES_FOND) >= 4.5
    assert contraste(theme.FOND, sur_papier(theme.PRINCIPAL_VOILE)) >= 4.5
    tiles = [theme.degrade(flow, step / 9) for flow in theme.COULEUR for step in range(10)]
    assert min(contraste(theme.FOND, tile) for tile in tiles) >= 4.5


def test_contrast_of_graphics_is_at_least_3():
    assert min(contraste(c, theme.FOND) for c in (*theme.COULEUR.values(), theme.AUTRES, sur_papier(theme.PRINCIPAL_VOILE))) >= 3
    assert contraste(sur_papier(theme.PRINCIPAL_VOILE), sur_papier(theme.LIEN)) >= 3
    # Imports and exports are told apart by lightness too.
    assert contraste(*theme.COULEUR.values()) >= 1.8


@pytest.mark.parametrize("forme", [*FORMES, *HASARD])
def test_treemaps_share_one_scale(forme):
    spec = figure(forme, "produits")
    if spec is None:
        return
    width, height = spec["layout"]["width"], spec["layout"]["height"]
    scales = []
    for trace in spec["data"]:
        if trace["type"] == "treemap":
            (x0, x1), (y0, y1) = trace["domain"]["x"], trace["domain"]["y"]
            scales.append((x1 - x0) * width * (y1 - y0) * height / sum(trace["values"]))
    assert max(scales) == pytest.approx(min(scales), rel=1e-6)


@pytest.mark.parametrize("forme", [*FORMES, *HASARD])
def test_no_good_of_the_treemaps_is_anonymous_and_every_share_is_printed(forme):
    spec = figure(forme, "produits")
    if spec is None:
        return
    printed = " ".join(" ".join(text.split()) for text in textes(spec)).replace("- ", "-")
    for row in frames(forme)["produits"].to_dict("records"):
        assert pct(row["part_pct"]).replace("\u00a0", " ").replace("\u202f", " ") in printed.replace("\u202f", " ").replace(
            "\u00a0", " "
        )
        assert row["produit"].replace("- ", "-") in printed


def test_a_number_of_the_key_and_a_share_on_one_line_are_kept_apart():
    """« 5 1,4 % » in a flat tile reads as fifty-one per cent."""
    lines = [
        line
        for forme in (*FORMES, *HASARD)
        for text in textes(figure(forme, "produits") or {"data": [], "layout": {}})
        for line in text.split("\n")
    ]
    assert any(re.match(r"\d+ · .*%$", line) for line in lines)
    assert not [line for line in lines if re.match(r"\d+ [\d<]", line)]


def test_tiles_have_areas_proportional_to_values_and_tile_their_frame():
    values = [500, 300, 120, 40, 30, 7, 2, 1, 250]
    tiles = produits.pavage(values, 10, 20, 400, 300)
    for value, (_, _, w, h) in zip(values, tiles, strict=True):
        assert w * h == pytest.approx(400 * 300 * value / sum(values))
    assert min(x for x, *_ in tiles) == 10 and max(x + w for x, _, w, _ in tiles) == pytest.approx(410)
    assert min(y for _, y, *_ in tiles) == 20 and max(y + h for _, y, _, h in tiles) == pytest.approx(320)


@pytest.mark.parametrize("flow", ["export", "import"])
@pytest.mark.parametrize("forme", [forme for forme in FORMES if forme not in ("vide", "sans_export")])
def test_the_sankey_conserves_its_total(forme, flow):
    frame = frames(forme)["flux"]
    rows = [row for row in frame.to_dict("records") if row["flux"] == flow]
    total = sum(row["valeur_eur"] for row in rows)
    spec = flux.figure(frame, flow)
    assert spec
    sankey = spec["data"][0]
    assert sum(sankey["link"]["value"]) == total
    nodes = dict.fromkeys(range(len(sankey["node"]["x"])), 0)
    for source, target, value in zip(*(sankey["link"][key] for key in ("source", "target", "value")), strict=True):
        nodes[source] += value
        nodes[target] += value
    assert sum(nodes.values()) == 2 * total
    printed = textes(spec)
    imprimer = monnaie(total)
    for row in rows:
        for side in ("produit", "pays"):
            amount = imprimer(row[f"{side}_valeur_eur"])
            assert any(text.startswith(amount) for text in printed)


@pytest.mark.parametrize("flow", ["export", "import"])
def test_red_marks_the_principal_flows_alone_and_never_the_rest(flow):
    frame = frames("diversifie")["flux"]
    rows = [row for row in frame.to_dict("records") if row["flux"] == flow]
    spec = flux.figure(frame, flow)
    assert spec
    sankey = spec["data"][0]
    main = [row for row in rows if row["est_principal"]]
    red = [value for value, color in zip(sankey["link"]["value"], sankey["link"]["color"], strict=True) if color != theme.LIEN]
    assert sorted(red) == sorted(row["valeur_eur"] for row in main) and len(red) == 5
    assert len(spec["layout"]["shapes"]) == 5
    notes = {re.sub("<.*?>", "", note["text"]) for note in spec["layout"]["annotations"]}
    assert notes == {montant(row["valeur_eur"]) for row in main}
    others = [i for i, color in enumerate(sankey["node"]["color"]) if color == theme.AUTRES]
    assert len(others) == 2
    ends = zip(sankey["link"]["source"], sankey["link"]["target"], sankey["link"]["color"], strict=True)
    assert all(color == theme.LIEN for source, target, color in ends if source in others or target in others)


def test_the_rest_prints_its_value_share_and_number_of_items():
    rows = [row for row in frames("diversifie")["flux"].to_dict("records") if row["flux"] == "export"]
    rest = next(row for row in rows if row["produit_code"] == "AUTRES")
    share = sum(row["part_pct"] for row in rows if row["produit_code"] == "AUTRES")
    printed = textes(figure("diversifie", "flux-export"))
    at = printed.index(f"Autres produits\u00a0({rest['produit_nb']})")
    assert printed[at + 1] == f"{montant(rest['produit_valeur_eur'])} · {pct(share)}"


def test_the_butterfly_prints_every_amount_and_signs_every_balance():
    rows = frames("diversifie")["balance"].to_dict("records")
    spec = figure("diversifie", "balance")
    assert spec
    printed = textes(spec)
    for row in rows:
        assert {montant(row["import_eur"]), montant(row["export_eur"]), montant(row["solde_eur"], signe=True)} <= set(printed)
    left, right = (trace for trace in spec["data"] if trace["type"] == "bar")
    partners = [row for row in rows if row["pays_code"] != "AUTRES"]
    assert left["x"] == [-row["import_eur"] for row in partners]
    assert right["x"] == [row["export_eur"] for row in partners]


def test_rows_of_the_butterfly_share_the_height_of_the_page_and_stay_readable():
    heights = []
    for forme in FORMES:
        spec = figure(forme, "balance")
        if spec:
            centres = sorted({y for trace in spec["data"] if trace["type"] == "bar" for y in trace["y"]})
            heights += [b - a for a, b in pairwise(centres)]
    assert min(heights) >= 23 and max(heights) <= 32 + 1e-6


@pytest.mark.parametrize(("forme", "unit"), [("france", "Md€"), ("minuscule", "\u00a0€"), ("un_partenaire", "\u00a0€")])
def test_amounts_of_one_figure_are_in_one_unit(forme, unit):
    amounts = [text for text in textes(figure(forme, "balance")) if "€" in text]
    assert sum(unit in text for text in amounts) > 0.9 * len(amounts)


def test_nothing_to_draw_gives_a_sentence():
    val_de_marne = departement("94")
    assert all(figure("vide", sujet) is None for sujet in charts.SUJETS)
    assert figure("sans_export", "flux-export") is None and figure("sans_export", "produits") is not None
    assert charts.phrase_vide("flux-export", frames("vide"), val_de_marne) == (
        "Aucune exportation de biens n’est enregistrée dans le Val-de-Marne sur la période."
    )
    assert charts.alternative("balance", frames("vide"), val_de_marne) == ""


def test_a_butterfly_without_a_country_gives_a_sentence_and_the_other_figures_stand():
    ariege, shown = departement("09"), frames("hors_pays")
    assert figure("hors_pays", "balance") is None and charts.alternative("balance", shown, ariege) == ""
    assert charts.phrase_vide("balance", shown, ariege).startswith("Aucun pays partenaire n’est connu pour les échanges")
    assert all(figure("hors_pays", sujet) and charts.alternative(sujet, shown, ariege) for sujet in charts.SUJETS[1:])


@pytest.mark.parametrize("sujet", charts.SUJETS)
def test_the_text_alternative_tells_the_numbers_in_two_to_four_sentences(sujet):
    told = charts.alternative(sujet, frames("diversifie"), FRANCE)
    assert 2 <= len(re.findall(r"\.(?: |$)", told)) <= 4
    assert ("M€" in told and "de la France" in told) or "en France" in told
    assert len(told) < 1200


@pytest.mark.parametrize(
    ("table", "column", "side", "most"),
    [
        ("nomenclature_a129", "libelle_court", "produit", 2),
        ("nomenclature_cpf4", "libelle_court", "produit", 2),
        ("nomenclature_a38", "libelle_court", "produit", 2),
        ("pays", "pays", "pays", 2),
    ],
)
def test_every_label_of_the_seeds_fits_its_column(table, column, side, most):
    for label in {row[column] for row in seed(table) if row[column]}:
        lines = texte.couper(label, flux.COLONNE[side], theme.CORPS)
        assert len(lines) <= most, label
        assert max(texte.largeur(line, theme.CORPS) for line in lines) <= flux.COLONNE[side], label


def test_text_breaks_evenly_at_spaces_and_after_hyphens_and_never_at_no_break_spaces():
    assert texte.couper("Saint-Vincent-et-les-Grenadines", 110, 11.5) == ["Saint-Vincent-et-", "les-Grenadines"]
    assert texte.couper("un deux trois quatre", 60, 11.5) == ["un deux", "trois quatre"]
    assert texte.couper("Autres produits\u00a0(66)", 60, 11.5) == ["Autres", "produits\u00a0(66)"]
    assert texte.couper("insécable", 10, 11.5) == ["insécable"]


def test_bold_runs_are_measured_as_bold():
    assert texte.largeur("<b>Solde</b>", 10) == texte.largeur("Solde", 10, gras=True) > texte.largeur("Solde", 10)


def test_labels_are_spread_without_overlap_and_stay_in_order():
    centres = texte.ecarter([10, 12, 14, 200], [20, 20, 20, 20], 0, 220)
    assert all(b - a >= 20 - 1e-9 for a, b in pairwise(centres))
    assert centres[0] >= 10 and centres[3] == 200


def test_a_browser_that_never_says_a_word_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def silent(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(render, "_seance", silent)
    monkeypatch.setattr(render, "SILENCE", 0.05)
    wanted = [render.Figure(name, {}, tmp_path / f"{name}.svg") for name in ("a", "b")]
    outcomes = list(render.render(wanted))
    assert [outcome.figure.name for outcome in outcomes] == ["a", "b"]
    assert all("not a word in 0.05 s" in str(outcome.erreur) for outcome in outcomes)


# --- labels are text --------------------------------------------------------------------------------------------------------

BALISES = '<a href="https://exemple.test">R&D</a> <b>x</b> &lt;'


@pytest.mark.parametrize("sujet", charts.SUJETS)
def test_markup_in_a_label_reaches_plotly_as_text(sujet):
    made = dict(frames("diversifie"))
    for mart, columns in (("balance", ["pays"]), ("produits", ["produit", "produit_libelle"]), ("flux", charts.LIBELLES)):
        made[mart] = made[mart].assign(**dict.fromkeys(columns, BALISES))
    spec = json.dumps(charts.figure(sujet, made), ensure_ascii=False)
    assert "<a" not in spec and "&lt;a href=" in spec and "R&amp;D" in spec and "&amp;lt;" in spec
    assert all(made["balance"]["pays"] == BALISES)  # the frame is shared


def test_an_escaped_sign_is_as_wide_as_the_sign():
    for sign in "&<>":
        assert texte.largeur(texte.litteral(f"a{sign}b"), 10) == texte.largeur(f"a{sign}b", 10)


@pytest.mark.parametrize(
    ("label", "printed"),
    [
        ("Côte d’Ivoire, Łódź, Ґ, Ω, 1\u202f000\u00a0€", "Côte d’Ivoire, Łódź, Ґ, Ω, 1\u202f000\u00a0€"),
        ("I\u0302le", "Île"),  # written in two parts
        ("\uff21\uff22\uff23", "ABC"),
        ("中国", "??"),
        ("a\u200bb\u202ec", "abc"),
        ("a\tb\x00c", "a b c"),
        ("\ue000x\ue001", "?x?"),  # our own marks of bound numbers
        ("😀", "?"),
    ],
    ids=ascii,
)
def test_a_character_beyond_the_font_is_printed_in_a_form_that_it_has(label, printed):
    assert texte.imprimable(label) == printed
    assert texte.indessinables([texte.imprimable(label)]) == []


def test_the_characters_that_had_to_be_replaced_are_known():
    assert texte.indessinables(["Île", "I\u0302le", "中国中", "a\u200b"]) == ["\u200b", "中", "国"]


def test_every_label_of_ours_is_drawable():
    for name in (
        "pays",
        "nomenclature_a129",
        "nomenclature_a38",
        "nomenclature_cpf4",
        "regions",
        "departements",
        "territoires_industrie",
    ):
        assert texte.indessinables(value for row in seed(name) for value in row.values()) == []
