"""The content of fiches, their files and their bundles, without browser or PDF compiler."""

import csv
import hashlib
import io
import json
import re
import shutil
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from jinja2 import Undefined

from pipeline import charts
from pipeline.charts import texte
from pipeline.errors import OutputError, RenderError
from pipeline.fiche import index, lot, page, pdf, textes
from pipeline.fiche.cellules import delier
from pipeline.fiche.contenu import Fiche, Illustration, Tableau
from pipeline.fiche.contexte import Portrait, construire
from pipeline.fiche.provenance import Archive, Provenance
from pipeline.territoires import FRANCE, Territoire, departement, departements, regions, tous
from pipeline.typographie import INDISPONIBLE, euros, millions, pct
from tests.frames import classement, frames, publies, rapprochement

ARCHIVES = (Archive("202502-stat-regional-ce-export.zip", "ab" * 32, "202502", "export", 1234, "https://exemple.test/"),)
EXEMPLE = Provenance(True, "202502", ARCHIVES)
REELLE = Provenance(False, "202502", ARCHIVES)
cached_frames = cache(frames)


def portrait(territoire: Territoire, forme: str = "diversifie") -> Portrait:
    made = cached_frames(forme, niveau=territoire.niveau)
    made = {mart: frame.assign(niveau=territoire.niveau, code=territoire.code) for mart, frame in made.items()}
    if territoire.niveau != "departement":
        made["reperes"] = made["reperes"].assign(part_region_pct=pd.NA, rang_france=pd.NA)
    return Portrait(territoire, made | {"reperes": made["reperes"].assign(nom=territoire.nom)})


PORTRAIT_FRANCE = portrait(FRANCE, "france")


def fiche(territoire: Territoire, forme: str = "diversifie", provenance: Provenance = REELLE, periode: str = "2024") -> Fiche:
    region = portrait(regions()[territoire.region_code]) if territoire.region_code else None
    return construire(
        portrait(territoire, forme),
        periode,
        provenance,
        region=region,
        france=None if territoire is FRANCE else PORTRAIT_FRANCE,
        classement=classement(),
        rapprochement=rapprochement(),
        publies=publies(),
    )


def strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [delier(value)]
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, list | tuple):
        return [text for item in value for text in strings(item)]
    return []


def texts(made: Fiche) -> list[str]:
    """Whatever a reader sees, without addresses, names of files and keys."""
    hidden = {"type", "ancre", "fichier", "dossier", "sujet", "donnees", "ton", "style"}

    def shown(value: object) -> object:
        if isinstance(value, dict):
            return {key: shown(item) for key, item in value.items() if key not in hidden}
        return [shown(item) for item in value] if isinstance(value, list | tuple) else value

    found = strings(shown([asdict(section) for section in made.sections])) + strings(shown(asdict(made.couverture)))
    return [text for text in found if not text.startswith("https://")]


def section(made: Fiche, ancre: str) -> str:
    return "\n".join(strings(asdict(next(part for part in made.sections if part.ancre == ancre))))


@pytest.mark.parametrize("territoire", tous(), ids=lambda territoire: territoire.slug)
def test_every_territory_reads_as_good_french(territoire: Territoire) -> None:
    made = fiche(territoire, provenance=EXEMPLE)
    for text in [*texts(made), made.titre, made.courant]:
        assert "'" not in text, text
        assert not re.search(r" [:;?!»%€]|« |\d (M€|Md€|€|%)", text), f"ordinary space: {text!r}"
        assert not re.search(r"\d\.\d", text.replace("rév. 2.1", "").replace("Licence Ouverte 2.0", "")), (
            f"decimal point: {text!r}"
        )
        assert "  " not in text and "None" not in text and "nan" not in text.split(), text
        assert not re.search(r"\b(de le|de les|à le|en le|dans le Paris|de Île|de Ain)\b", text), text
    assert territoire.nom_de in made.titre


def test_numbers_are_those_of_the_frames() -> None:
    made = fiche(departement("94"))
    rows = {row["flux"]: row for row in frames("diversifie")["reperes"].to_dict("records")}
    assert [delier(repere.valeur) for repere in made.couverture.reperes] == [
        millions(rows["export"]["valeur_eur"]),
        millions(rows["import"]["valeur_eur"]),
        millions(rows["export"]["solde_eur"], signe=True),
        pct(rows["export"]["taux_couverture_pct"]),
    ]
    # The bars of the cover are in the order of its amounts.
    assert made.barres == (rows["export"]["valeur_eur"], rows["import"]["valeur_eur"])
    for flux, row in rows.items():
        told = section(made, f"flux-{flux}")
        assert millions(row["valeur_eur"]) in told
        assert pct(row["part_region_pct"]) in told and pct(row["part_france_pct"], 2) in told
    for column in ("indetermine_eur", "retours_eur"):
        assert millions(rows["export"][column]) in section(made, "fiabilite")


def changed(territoire: Territoire, **export: object) -> Portrait:
    """A territory whose exports are not whole."""
    made = portrait(territoire).frames
    reperes = made["reperes"].astype({"valeur_eur": "Int64", "solde_eur": "Int64", "nb_pays": "Int64", "nb_produits": "Int64"})
    exports = reperes["flux"] == "export"
    for column, value in export.items():
        reperes.loc[exports if column not in ("solde_eur", "taux_couverture_pct") else slice(None), column] = value
    lost = pd.DataFrame(
        [
            ["departement", "54", "Meurthe-et-Moselle", "export", "pays_inconnu", 3, 1.2, 2258410631, 67.26, "ZN", True],
            ["departement", "54", "Meurthe-et-Moselle", "export", "valeur_vide", 1, 0.4, 0, 0.0, "", True],
        ],
        columns=[
            "niveau",
            "code",
            "nom",
            "flux",
            "motif",
            "lignes",
            "lignes_pct",
            "valeur_eur",
            "valeur_pct",
            "codes",
            "est_perte_forte",
        ],
    )
    return Portrait(territoire, made | {"reperes": reperes, "pertes": lost})


def fiche_of(portrait: Portrait) -> Fiche:
    return construire(
        portrait,
        "2024",
        REELLE,
        france=PORTRAIT_FRANCE,
        rapprochement=rapprochement(),
        publies=publies(),
        quarantaine_max_pct=2.5,
    )


def test_an_incomplete_flow_is_marked_wherever_it_is_read() -> None:
    lost = {"est_perte_forte": True, "perte_pct": 67.26, "quarantaine_pct": 67.26, "quarantaine_lignes_pct": 1.6}
    made = fiche_of(
        changed(
            departement("54"), **lost, quarantaine_lignes=4, evolution_pct=pd.NA, est_evolution_lisible=False, rang_france=pd.NA
        )
    )
    plain = [text.replace("\u00a0", " ").replace("\u202f", " ") for text in texts(made)]
    box = next(text for text in plain if text.startswith("Exportations : 1,6 % des lignes et 67,3 % de la valeur connue"))
    assert "3 lignes, 2 258,4 M€ (code de pays inconnu) et 1 ligne, montant inconnu (aucune valeur)" in box
    assert "Le vrai total est plus élevé. L’évolution, le rang et les commentaires," in box
    assert [delier(repere.precision) for repere in made.couverture.reperes[::2]] == [
        "données incomplètes · fiabilité\u00a0C",
        "données incomplètes",
    ]
    assert "Rang" not in section(made, "flux-export") and "Rang" in section(made, "flux-import")
    assert "sont incomplètes" in section(made, "flux-export") and "Premier client" not in section(made, "flux-export")
    tables = [bloc for part in made.sections for bloc in part.blocs if isinstance(bloc, Tableau)]
    mark = "Exportations incomplètes : il manque 67,3 % de leur valeur."
    marked = {table.donnees for table in tables if mark in table.note.replace("\u00a0", " ")}
    assert marked == {"reperes", "balance", "produits", "flux-export"}
    reasons = [ligne for table in tables for ligne in table.lignes if "tenu à l’écart" in ligne[0]]
    assert [[delier(case).replace("\u00a0", " ").replace("\u202f", " ") for case in row] for row in reasons] == [
        ["Hors du total, tenu à l’écart : code de pays inconnu", "3 lignes, 2 258,4 M€", "–"],
        ["Hors du total, tenu à l’écart : aucune valeur", "1 ligne, montant inconnu", "–"],
    ]


def test_a_flow_whose_data_are_missing_is_not_a_zero() -> None:
    gone = dict.fromkeys(
        ("valeur_eur", "solde_eur", "taux_couverture_pct", "evolution_pct", "rang_france", "part_france_pct"), pd.NA
    )
    gone |= dict.fromkeys(("nb_pays", "nb_produits", "part_region_pct", "indetermine_eur", "retours_eur"), pd.NA)
    portrait = changed(
        departement("54"), **gone, est_disponible=False, est_evolution_lisible=False, trimestres_manquants="2024T1 2024T2"
    )
    for mart in ("balance", "produits", "flux"):
        frame = portrait.frames[mart]
        portrait.frames[mart] = frame.query("flux == 'import'" if mart != "balance" else "index < 0").reset_index(drop=True)
    made = fiche_of(portrait)
    plain = [text.replace("\u00a0", " ") for text in texts(made)]
    values = [delier(repere.valeur).replace("\u00a0", " ") for repere in made.couverture.reperes]
    assert values[0] == values[2] == values[3] == "n. d." and made.barres[0] == 0
    assert any(
        text.startswith("Exportations : données non disponibles. Aucune ligne utilisable pour T1 2024, T2 2024.")
        for text in plain
    )
    assert not any(re.search(r"100,0 % sur|Aucun échange de|Aucune exportation", text) for text in plain)
    own = {item.sujet for item in made.illustrations if item.dossier == made.territoire.slug}
    assert own == {"flux-import"}  # a figure of both flows would show the other as nothing


def test_a_flow_matrix_shows_every_link_and_stresses_the_main_ones() -> None:
    flux = frames("diversifie")["flux"]
    rows = flux[flux["flux"] == "export"]
    tableau = next(
        bloc
        for part in fiche(departement("94")).sections
        for bloc in part.blocs
        if isinstance(bloc, Tableau) and bloc.donnees == "flux-export"
    )
    cells = sum(cell not in ("–",) for line in tableau.lignes[:-1] for cell in line[1:-1])
    assert cells == len(rows)
    assert len(tableau.forts) == rows["est_principal"].sum() == 5


@pytest.mark.parametrize(("pays", "reste"), [(9_999_900_000, 80_000_000_000), (75_000_000_000, 500_000_000_000)])
def test_no_two_amounts_of_a_flow_matrix_touch(pays: int, reste: int) -> None:
    made = portrait(departement("75"))
    flux = made.frames["flux"]
    rows = flux[flux["flux"] == "export"].assign(
        pays_valeur_eur=lambda frame: frame["pays_code"].map(lambda code: reste if code == "AUTRES" else pays),
        produit_valeur_eur=reste,
    )
    reperes = made.frames["reperes"].assign(valeur_eur=reste + pays)
    wide = Portrait(made.territoire, made.frames | {"flux": rows, "reperes": reperes})
    sections = construire(wide, "2024", REELLE, rapprochement=rapprochement(), publies=publies()).sections
    tableau = next(b for s in sections for b in s.blocs if isinstance(b, Tableau) and b.donnees == "flux-export")
    point = 180 / 25.4 * 72 / sum(colonne.largeur for colonne in tableau.colonnes)  # of one unit of width, on paper
    for column, cells in enumerate(zip(*tableau.lignes, strict=True)):
        if column:
            widest = max(texte.largeur(delier(cell), 7.6, gras=True) for cell in cells)
            assert widest + 2 * 1.4 <= tableau.colonnes[column].largeur * point, tableau.colonnes[column].titre


@pytest.mark.parametrize("code", ["20", "971", "974", "976"])
def test_where_the_departement_is_the_region_the_page_is_left_out_and_says_why(code: str) -> None:
    made = fiche(departement(code))
    assert {illustration.dossier for illustration in made.illustrations} == {made.territoire.slug, "france"}
    told = [part.ancre for part in made.sections if "la comparaison se fait avec la France seule" in section(made, part.ancre)]
    assert told == ["contexte"]  # said once
    assert "Part de la région" not in section(made, "flux-export")


def test_other_departements_are_compared_with_region_and_france() -> None:
    made = fiche(departement("33"))
    compared = [illustration.fichier for illustration in made.illustrations if illustration.dossier != made.territoire.slug]
    assert compared == ["region-flux-export", "france-flux-export", "region-flux-import", "france-flux-import"]


@pytest.mark.parametrize(("code", "told"), [("94", True), ("75", True), ("33", False)])
def test_ile_de_france_tells_its_share_without_electricity_and_gas(code: str, told: bool) -> None:
    assert ("Part de la région, sans électricité" in section(fiche(departement(code)), "fiabilite")) == told
    assert ("gazoduc" in section(fiche(departement(code)), "contexte")) == told


def test_territoires_d_industrie_are_told_whatever_their_number() -> None:
    assert "Aucun" in fiche(departement("40")).couverture.industrie_note
    assert fiche(departement("94")).couverture.industrie_titre == "Territoire d’industrie"
    many = fiche(departement("62")).couverture
    assert (len(many.industrie), many.industrie_titre) == (6, "Territoires d’industrie")
    assert "quelques communes" in fiche(departement("04")).couverture.industrie_note
    assert not fiche(FRANCE).couverture.industrie_titre


def test_the_index_says_what_is_missing_and_links_no_former_fiche(tmp_path: Path) -> None:
    reperes = pd.concat([portrait(t).frames["reperes"] for t in (FRANCE, regions()["76"], departement("48"))], ignore_index=True)
    gone = reperes["code"] == "48"
    reperes = reperes.astype({"valeur_eur": "Int64", "solde_eur": "Int64"})
    reperes.loc[gone, ["valeur_eur", "solde_eur", "taux_couverture_pct"]] = pd.NA
    reperes.loc[gone, "est_disponible"] = False
    reperes.loc[reperes["code"] == "76", "departements_manquants"] = "48"
    former = tmp_path / "fiches" / "2024" / departement("48").slug
    former.mkdir(parents=True)
    (former / "fiche.html").write_text("x", encoding="utf-8")
    (former / "manifest.json").write_text(json.dumps({"archives": [{"sha256": ARCHIVES[0].sha256}]}), encoding="utf-8")
    page, linked = index.composer(tmp_path, tmp_path / "fiches", "2024", reperes, REELLE)
    lozere = next(line for line in page.splitlines() if 'data-nom="Lozère' in line)
    assert linked == 0 and "données non disponibles" in lozere and "n.\u00a0d." in lozere
    assert "href" not in lozere and not re.search(r"\b0\W*€", lozere)
    assert "sans la Lozère" in next(line for line in page.splitlines() if 'data-nom="Occitanie' in line)


def test_a_flow_without_trade_gets_a_sentence_instead_of_a_figure() -> None:
    made = fiche(departement("48"), "sans_export")
    assert "flux-export" not in {item.sujet for item in made.illustrations if item.dossier == made.territoire.slug}
    assert "Aucune exportation de biens n’est enregistrée" in section(made, "flux-export")
    empty = fiche(departement("48"), "vide")
    assert all(item.dossier != empty.territoire.slug for item in empty.illustrations)
    assert INDISPONIBLE in [repere.valeur for repere in empty.couverture.reperes]


def _changed(**columns: object) -> Fiche:
    """The fiche of PACA, where Monaco counts, with other values in its headline figures."""
    paca = portrait(regions()["93"])
    frames_ = paca.frames | {"reperes": paca.frames["reperes"].assign(**columns)}
    return construire(
        Portrait(paca.territoire, frames_),
        "2024",
        REELLE,
        france=PORTRAIT_FRANCE,
        rapprochement=rapprochement(),
        publies=publies(),
    )


def test_growth_across_the_series_break_is_flagged_on_the_cover_and_in_the_table() -> None:
    made = _changed(est_rupture=True, est_evolution_lisible=False)
    assert "(rupture de série)" in made.couverture.reperes[0].precision
    assert "(r) : l’évolution franchit" in section(made, "chiffres").replace("\u00a0", " ")
    assert _changed(est_evolution_lisible=False).couverture.reperes[0].precision == ""


def test_a_note_c_is_seen_on_the_cover() -> None:
    export, import_ = fiche(departement("94")).couverture.reperes[:2]
    assert "fiabilité\u00a0C" in export.precision and "fiabilité" not in import_.precision


def test_the_steps_are_to_the_euro_and_those_published_as_rounded() -> None:
    text = section(_changed(), "rapprochement")
    for amount in (euros(1_000_000_321), euros(7_000_001), euros(1_007_000_322), "1,1\u00a0Md€", "non mesurable"):
        assert amount in text, amount
    assert "ne signifie rien" not in text and "ne signifie rien" in section(
        fiche(departement("94"), provenance=EXEMPLE), "rapprochement"
    )
    assert "Val-de-Marne, exportations" in section(fiche(departement("94")), "rapprochement")
    assert "Val-de-Marne, exportations" not in section(fiche(departement("33")), "rapprochement")


def test_what_both_flows_or_all_rows_share_is_said_once() -> None:
    assert "B à l’exportation comme à l’importation" in textes.notes({"export": "B", "import": "B"})
    assert "B à l’exportation et C à l’importation" in textes.notes({"export": "B", "import": "C"})
    made = portrait(departement("94"))
    levels = {column: 0 for column in made.frames["fiabilite"].columns if column.startswith("niveau_")} | {"niveau_plateforme": 1}
    same = Portrait(
        made.territoire, made.frames | {"fiabilite": made.frames["fiabilite"].assign(note="B", plateformes="port", **levels)}
    )
    told = construire(same, "2024", REELLE, france=PORTRAIT_FRANCE, rapprochement=rapprochement(), publies=publies())
    assert "Exportations et importations, note B" in section(told, "fiabilite")
    # The source of published totals has a column only where there are several.
    tableau = next(b for s in told.sections for b in s.blocs if isinstance(b, Tableau) and b.donnees == "publies")
    assert "Source" not in [colonne.titre for colonne in tableau.colonnes] and tableau.note.startswith("Publié : ANCT. ")
    several = publies().assign(source=["ANCT", "IMSEE", "ANCT"])
    made_of = construire(same, "2024", REELLE, france=PORTRAIT_FRANCE, rapprochement=rapprochement(), publies=several)
    tableau = next(b for s in made_of.sections for b in s.blocs if isinstance(b, Tableau) and b.donnees == "publies")
    assert [ligne[-1] for ligne in tableau.lignes[:2]] == ["ANCT", "IMSEE"]


def test_monaco_is_not_told_as_a_part_of_the_line_above_it() -> None:
    assert "Échanges de la principauté de Monaco, compris dans le total" in section(_changed(), "fiabilite")


def test_a_figure_that_shares_its_page_is_reduced() -> None:
    compared = [item.reduite for item in fiche(departement("33")).illustrations if item.dossier != departement("33").slug]
    assert compared == [True] * 4
    assert not any(item.reduite for code in ("20", "976") for item in fiche(departement(code)).illustrations)
    assert not any(item.reduite for item in fiche(regions()["11"]).illustrations)


def test_rolling_quarters_are_named() -> None:
    assert "4 derniers trimestres, T4 2024–T3 2025" in "\n".join(texts(fiche(departement("94"), periode="2025T3"))).replace(
        "\u00a0", " "
    )


def test_an_older_edition_says_so_on_the_cover_and_in_practical_information() -> None:
    made = fiche(departement("94"), provenance=replace(REELLE, est_anterieure=True))
    phrase = "Édition antérieure\u00a0: données connues en février 2025"
    assert made.couverture.millesime == f"Millésime février 2025 · {phrase}"
    assert phrase in str(asdict(made.sections[-1])).replace("\\xa0", "\u00a0")
    assert "dition antérieure" not in str(asdict(fiche(departement("94"), provenance=REELLE)))


def test_what_an_operator_let_in_is_told_on_the_cover_and_in_the_methods_with_its_numbers() -> None:
    constats = (
        (
            "unit_values_are_possible",
            "médiane des lignes, T4\u00a02024\u00a0: 0,0042\u00a0€/kg, attendus\u00a0; ensemble du flux, T4\u00a02024",
        ),
        ("totals_follow_the_published", "total publié, 2024\u00a0: 36,0\u00a0M€ au lieu de 580,4\u00a0Md€"),
    )
    admise = replace(ARCHIVES[0], admis=constats)
    made = fiche(departement("94"), provenance=replace(REELLE, admises=(admise,), codes_admis="2,31\u00a0% des exportations"))
    reserve = delier(made.couverture.reserve)
    assert "l’opérateur a admis ces données" in reserve and "2,31\u00a0% des exportations" in reserve
    assert (
        f"{admise.nom}, exportations (médiane des lignes, T4\u00a02024\u00a0: 0,0042\u00a0€/kg, attendus\u00a0; 2\u00a0autres)"
        in reserve
    )
    methode = texts(made)
    assert (
        any("36,0\u00a0M€ au lieu de 580,4\u00a0Md€." in text for text in methode)
        and "Admis malgré des contrôles en échec" in methode
    )
    manifeste = json.loads(lot._manifeste(made, Path("nowhere"), (), []))["admis"]
    assert [each["controle"] for each in manifeste] == [*(nom for nom, _ in constats), "codes_are_known"]
    assert manifeste[1]["archive"] == admise.nom and manifeste[1]["constat"] == constats[1][1]
    sans = fiche(departement("94"))
    assert sans.couverture.reserve == "" and "Admis malgré des contrôles en échec" not in texts(sans)


def test_the_source_line_follows_the_provenance() -> None:
    assert REELLE.ligne.startswith("Source\u00a0: DGDDI (Douanes)") and "février 2025" in REELLE.ligne and not REELLE.mention
    assert "données d’exemple" in EXEMPLE.ligne and EXEMPLE.mention == "Données d’exemple"
    assert all(
        illustration.source == EXEMPLE.ligne for illustration in fiche(departement("94"), provenance=EXEMPLE).illustrations
    )


def test_regions_and_france_rank_their_departements() -> None:
    lines = {code: _classement(fiche(territoire)) for code, territoire in (("FR", FRANCE), ("53", regions()["53"]))}
    assert len(lines["FR"]) == 100
    assert sorted(line[0][-3:-1] for line in lines["53"]) == ["22", "29", "35", "56"]


def _classement(made: Fiche) -> tuple[tuple[str, ...], ...]:
    return next(
        bloc for part in made.sections for bloc in part.blocs if part.ancre == "classement" and isinstance(bloc, Tableau)
    ).lignes


# Bundle --------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dessins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Figures that look like those of `charts.draw`."""
    folder = tmp_path_factory.mktemp("charts")
    for made in (fiche(departement("94")), fiche(FRANCE)):
        for illustration in made.illustrations:
            _dessiner(folder, illustration)
    return folder


@pytest.fixture
def figures(dessins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of those figures, and a PDF compiler that is quick."""
    folder = shutil.copytree(dessins, tmp_path / "charts")
    monkeypatch.setattr(pdf, "composer", lambda fiche, figures, logo=None: b"%PDF-" + fiche.titre.encode())
    return folder


def _dessiner(folder: Path, illustration: Illustration) -> None:
    place = folder / illustration.dossier
    place.mkdir(parents=True, exist_ok=True)
    for sujet in (illustration.sujet, *([charts.REDUITS[illustration.sujet]] if illustration.reduite else [])):
        (place / f"{sujet}.svg").write_text(f'<svg xmlns="http://www.w3.org/2000/svg">{illustration.titre}</svg>')
        # The shortest PNG: signature, header, end.
        (place / f"{sujet}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 25 + b"\0\0\0\0IEND\xaeB`\x82")
        (place / f"{sujet}.json").write_text(json.dumps(charts.figure(sujet, frames("diversifie"))))
        (place / f"{sujet}.navigateur").write_text("Chrome/1.2.3.4")


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_bundle_holds_its_contract(figures: Path, tmp_path: Path) -> None:
    folder = lot.ecrire(fiche(departement("94"), provenance=EXEMPLE), tmp_path / "fiches", figures)
    assert folder == tmp_path / "fiches" / "2024" / "94-val-de-marne"
    files = content(folder)
    expected = {"fiche.pdf", "fiche.html", "manifest.json", "donnees/reperes.csv"}
    expected |= {f"donnees/{nom}.csv" for nom in ("specificites", "fiabilite", "rapprochement", "publies")}
    expected |= {f"graphiques/{sujet}.{kind}" for sujet in charts.SUJETS for kind in ("svg", "png")}
    copies = {f"graphiques/{niveau}-flux-{flux}.svg" for niveau in ("region", "france") for flux in ("export", "import")}
    assert set(files) == expected | copies | {f"donnees/{sujet}.csv" for sujet in charts.SUJETS}
    manifest = json.loads(files["manifest.json"])
    assert manifest["est_exemple"] is True and manifest["archives"][0]["sha256"] == ARCHIVES[0].sha256
    assert {entry["chemin"]: entry["sha256"] for entry in manifest["fichiers"]} == {
        name: hashlib.sha256(body).hexdigest() for name, body in files.items() if name != "manifest.json"
    }
    for name, body in files.items():
        if name != "fiche.pdf":  # replaced here; the real one is read in tests/render
            assert "onnées d’exemple".encode() in body, name
    assert b"<title>" in files["graphiques/balance.svg"]
    # The pictures of others are copies of this run, which stand in a page with fonts of their own.
    made_of = {entry["chemin"]: entry["issu_de"] for entry in manifest["fichiers"]}
    assert made_of["graphiques/france-flux-import.svg"] == ["france/flux-import"]
    assert made_of["graphiques/region-flux-export.svg"] == ["region-11-ile-de-france/flux-export"]
    for name in copies:
        copy = files[name].decode()
        assert copy.count("url(data:font/woff2;base64,") == 2 and len(copy) < 60_000
        assert "../" not in copy and not re.search("[\ue000-\ue003]", copy.partition("</title>")[0])
    assert "url(data:" not in files["graphiques/balance.svg"].decode()


def test_data_files_keep_their_columns(figures: Path, tmp_path: Path) -> None:
    folder = lot.ecrire(fiche(departement("94")), tmp_path / "fiches", figures) / "donnees"
    contract = {
        "reperes": "niveau,code,nom,flux,valeur_eur,part_region_pct,part_france_pct",
        "balance": "pays_code,pays,import_eur,export_eur,solde_eur,rang",
        "produits": "flux,produit_code,produit,valeur_eur,part_pct,rang",
        "flux-export": "produit_code,produit,pays_code,pays,valeur_eur,part_pct,est_principal",
        "flux-import": "produit_code,produit,pays_code,pays,valeur_eur,part_pct,est_principal",
    }
    for name, columns in contract.items():
        text = (folder / f"{name}.csv").read_text(encoding="utf-8")
        assert text.startswith(columns), name
        assert "\r" not in text
    reperes = list(csv.DictReader(io.StringIO((folder / "reperes.csv").read_text(encoding="utf-8"))))
    assert [(row["niveau"], row["flux"]) for row in reperes] == [
        (niveau, flux) for niveau in ("departement", "region", "france") for flux in ("export", "import")
    ]
    assert all(row["valeur_eur"].isdigit() for row in reperes)
    links = list(csv.DictReader(io.StringIO((folder / "flux-export.csv").read_text(encoding="utf-8"))))
    assert {row["est_principal"] for row in links} == {"true", "false"}
    assert sum(int(row["valeur_eur"]) for row in links) == int(reperes[0]["valeur_eur"])


def test_namibia_is_not_a_missing_value() -> None:
    made = frames("diversifie")
    made["balance"].loc[0, ["pays_code", "pays"]] = ["NA", "Namibie"]
    written = construire(
        Portrait(departement("94"), made),
        "2024",
        REELLE,
        region=portrait(regions()["11"]),
        france=PORTRAIT_FRANCE,
        rapprochement=rapprochement(),
        publies=publies(),
    )
    assert lot.donnees(written)["balance"].to_csv(index=False).splitlines()[1].startswith("NA,Namibie,")
    assert "Namibie" in section(written, "balance")


def test_the_same_content_gives_the_same_bytes(figures: Path, tmp_path: Path) -> None:
    made = [lot.ecrire(fiche(departement("94")), tmp_path / name, figures) for name in ("a", "b")]
    assert content(made[0]) == content(made[1])


def test_a_failure_midway_leaves_the_former_bundle(figures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = lot.ecrire(fiche(departement("94")), tmp_path / "fiches", figures)
    before = content(folder)
    monkeypatch.setattr(page, "composer", _fail)
    with pytest.raises(OutputError, match="No space left"):
        lot.ecrire(fiche(departement("94"), provenance=EXEMPLE), tmp_path / "fiches", figures)
    assert content(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def _fail(*_: object) -> str:
    raise OSError(28, "No space left on device")


def test_a_move_that_fails_brings_the_former_bundle_back(figures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = lot.ecrire(fiche(departement("94")), tmp_path / "fiches", figures)
    before = content(folder)
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if target == folder and "ancien" not in self.name:
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OutputError, match="Permission denied"):
        lot.ecrire(fiche(departement("94"), provenance=EXEMPLE), tmp_path / "fiches", figures)
    assert content(folder) == before


def test_a_run_killed_between_two_moves_is_mended(figures: Path, tmp_path: Path) -> None:
    folder = lot.ecrire(fiche(departement("94")), tmp_path / "fiches", figures)
    folder.rename(folder.with_name(f".{folder.name}.ancien"))
    (figures / "94-val-de-marne" / "balance.svg").unlink()
    with pytest.raises(RenderError, match=r"balance\.svg"):
        lot.ecrire(fiche(departement("94")), tmp_path / "fiches", figures)
    assert (folder / "fiche.html").is_file()


@pytest.mark.parametrize("suffix", [".svg", ".png", ".json", ".navigateur"])
def test_a_missing_figure_is_named(figures: Path, tmp_path: Path, suffix: str) -> None:
    (figures / "94-val-de-marne" / "produits").with_suffix(suffix).write_bytes(b"")
    with pytest.raises(RenderError, match=rf"produits\{suffix} of 94-val-de-marne was expected; it is empty"):
        lot.ecrire(fiche(departement("94")), tmp_path / "fiches", figures)
    assert not (tmp_path / "fiches" / "2024" / "94-val-de-marne").exists()


# Pages ---------------------------------------------------------------------------------------------------------------------


def test_the_page_says_the_same_and_shows_its_own_figures(figures: Path, tmp_path: Path) -> None:
    made = fiche(departement("94"))
    html = (lot.ecrire(made, tmp_path / "fiches", figures) / "fiche.html").read_text(encoding="utf-8")
    unbound = re.sub(r"</?data[^>]*>", "", html)
    for text in texts(made):
        assert str(Undefined) not in text
        escaped = text.replace("&", "&amp;").replace("<", "&lt;")
        assert escaped in unbound, text
    assert html.count('<div class="dessin"') == len(made.illustrations)
    assert 'src="graphiques/balance.png"' in html and 'src="graphiques/france-flux-export.svg"' in html
    assert not re.search(r'(src|href)="\.\./[^"]*graphiques', html)  # another bundle may be made again of other data
    assert html.count("<script type=") == len(made.illustrations)
    assert not re.search(r'(src|href)="(https?:)?//(?!(lekiosque|www|anct))', html)
    assert "http" not in "".join(re.findall(r"<(?:script|link|img)[^>]*>", html))


def test_a_figure_cannot_close_its_script_element() -> None:
    made = fiche(departement("94"))
    names = [illustration.fichier for illustration in made.illustrations]
    html = page.composer(made, dict.fromkeys(names, '{"a":"</script><b>"}'), dict.fromkeys(names, (720, 400)))
    assert "</script><b>" not in html


def test_shared_files_are_written_once(tmp_path: Path) -> None:
    page.ecrire_commun(tmp_path)
    names = sorted(content(tmp_path))
    faces = [f"polices/SourceSansPro-{face}.woff2" for face in ("Bold", "Regular", "Semibold")]
    assert names == ["fiche.js", "plotly.min.js", "polices/OFL.txt", *faces, "style.css"]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")}
    page.ecrire_commun(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")} == before
    assert all(path.stat().st_size > 5_000 for path in (tmp_path / "polices").glob("*.woff2"))


def test_the_index_lists_everyone_and_links_what_is_there(tmp_path: Path) -> None:
    fiches = tmp_path / "fiches"
    for slug in ("94-val-de-marne", "33-gironde"):
        (fiches / "2024" / slug).mkdir(parents=True)
        for name in ("fiche.html", "fiche.pdf", "manifest.json"):
            (fiches / "2024" / slug / name).write_text("x")
    (fiches / "2024" / "48-lozere").mkdir()
    reperes = pd.concat([portrait(territoire).frames["reperes"] for territoire in tous()], ignore_index=True)
    etats = {"33-gironde": "faite avant la révision de 2023", "48-lozere": "n’est pas là"}
    assert index.ecrire(tmp_path / "index.html", fiches, "2024", reperes, EXEMPLE, etats) == 2
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert html.count('<tr class="') == len(tous())
    assert html.count("fiche.html") == html.count("fiche.pdf") == 2
    assert 'Gironde</a> (33)<span class="perimee">faite avant la révision de 2023</span></th>' in html
    assert html.count("perimee") == 1
    assert 'href="fiches/2024/94-val-de-marne/fiche.html">Val-de-Marne</a> (94)' in html
    assert "Données d’exemple" in html
    assert [html.index(f'id="{regions()[code].slug}"') for code in ("84", "76", "93")] == sorted(
        html.index(f'id="{regions()[code].slug}"') for code in ("84", "76", "93")
    )
    assert all(f"({code})" in html for code in departements())


@pytest.mark.parametrize(("fois", "unite", "seuil"), [(1, "M€", "0,5"), (10, "Md€", "0,05")])
def test_a_matrix_prints_in_a_unit_that_its_columns_hold(fois, unite, seuil):
    frames_ = {
        mart: frame.assign(**{column: frame[column] * fois for column in frame if str(column).endswith("valeur_eur")})
        for mart, frame in PORTRAIT_FRANCE.frames.items()
    }
    made = construire(Portrait(FRANCE, frames_), "2024", REELLE, rapprochement=rapprochement(), publies=publies())
    matrices = [
        bloc
        for section in made.sections
        for bloc in section.blocs
        if isinstance(bloc, Tableau) and bloc.donnees.startswith("flux-")
    ]
    assert len(matrices) == 2
    for matrice in matrices:
        assert matrice.titre.endswith(f", en {unite}")
        assert f"ε\u00a0: moins de {seuil}\u00a0{unite}" in matrice.note
        assert max(len(delier(case)) for ligne in matrice.lignes for case in ligne[1:]) <= len("999\u202f999")
