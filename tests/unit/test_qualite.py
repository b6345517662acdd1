"""The page of checks says what Dagster recorded: states, severities, cases, and the run that stopped beside the one of the site."""

import html
import json
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd

from pipeline.controles import Controle
from pipeline.fiche import qualite
from pipeline.fiche.provenance import Archive, Provenance
from pipeline.fiche.qualite import Etat, Passage
from pipeline.paths import Paths

CONTROLES = [
    Controle("totals_add_up", "mart_x", "error", "Totals add up.", "Les totaux s’additionnent."),
    Controle("totals_are_likely", "mart_x", "warn", "Totals are likely.", "Les totaux sont vraisemblables."),
    Controle("every_figure_is_drawn", "charts/balance", "error", "Drawn.", "Chaque figure est dessinée."),
]
ARCHIVE = {"archive": "202502-Regional-2024-export.zip", "vintage": "202502", "flux": "E", "lignes": 1234567, "valeur_eur": 10**9}
SITE = Passage(
    "0123456789abcdef",
    "everything",
    "2026-02-03T23:05:00+00:00",
    "2024",
    [ARCHIVE | {"sha256": "ab" * 32, "est_exemple": True}],
    {"duckdb": "2.0.0"},
    [],
    [
        Etat("totals_add_up", "mart_x", True, "error"),
        Etat(
            "totals_are_likely",
            "mart_x",
            False,
            "warn",
            25,
            [{"code": str(n), "valeur_eur": 1000 * n, "note": None} for n in range(25)],
            "25 found.",
        ),
        Etat("every_figure_is_drawn", "charts/balance", portee="94"),
    ],
)


def page(tmp_path: Path, site: Passage | None, arrete: Passage | None = None) -> tuple[str, str]:
    """The page as it is, and as read."""
    qualite.ecrire(Paths(tmp_path), site, arrete, CONTROLES)
    raw = (tmp_path / "qualite.html").read_text(encoding="utf-8")
    return raw, re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", raw)))


def rows(raw: str) -> list[list[str]]:
    """Cells of each check's row, without its details."""
    found = re.findall(r'<tr class="(\w*)"><th scope="row">(.*?)<br>.*?<td>(.*?)</td><td class="etat">(.*?)</td><td class="nombre">(.*?)</td>', raw)  # fmt: skip
    return [[html.unescape(cell) for cell in row] for row in found]


def test_each_check_is_told_with_its_sentence_severity_state_and_cases(tmp_path: Path) -> None:
    raw, text = page(tmp_path, SITE)
    assert rows(raw) == [
        ["warn", "Les totaux sont vraisemblables.", "avertissement", "à vérifier", "25"],
        ["", "Les totaux s’additionnent.", "bloquant", "réussi", ""],
        ["absent", "Chaque figure est dessinée.", "bloquant", "non exécuté", ""],
    ]
    assert "Passage 01234567 (everything) du 4 février 2026 à 0 h 05 · période : 2024 · millésime : février 2025" in text
    assert "1 234 567" in text.replace("\u202f", " ") and "duckdb 2.0.0" in text and "Données d’exemple" in text
    assert "1 réussi 1 à vérifier 0 échec 1 non exécuté" in text


def test_twenty_cases_are_shown_and_the_rest_counted(tmp_path: Path) -> None:
    raw, text = page(tmp_path, SITE)
    assert "<td>19</td><td>19\u202f000</td></tr>" in raw and "<td>20</td>" not in raw
    assert "… et 5 autres." in text and "code valeur (€) 0" in text and "note" not in re.findall(r"<th scope=\"col\">(\w+)", raw)


def test_a_failed_error_and_a_run_that_stopped_stand_beside_the_site(tmp_path: Path) -> None:
    failed = Etat("totals_add_up", "mart_x", False, "error", 1, [{"code": "94"}], "1 row found: <94>")
    stopped = replace(SITE, identifiant="f" * 16, etats=[failed], echecs=["warehouse"], archives=[])
    raw, text = page(tmp_path, SITE, stopped)
    assert rows(raw)[-1] == ["error", "Les totaux s’additionnent.", "bloquant", "échec", "1"]
    assert "s’est arrêté" in text and "étapes en échec : warehouse" in text and "1 row found: <94>" in text
    assert "s’est arrêté" not in page(tmp_path, SITE)[1]
    assert "Aucun passage n’est encore allé jusqu’aux fiches." in page(tmp_path, None, stopped)[1]


def test_the_json_says_the_same(tmp_path: Path) -> None:
    page(tmp_path, SITE)
    told = json.loads((tmp_path / "qualite.json").read_text(encoding="utf-8"))
    assert told["arrete"] is None and told["site"]["periode"] == "2024"
    assert [(etat["nom"], etat["passe"], etat["nombre"]) for etat in told["site"]["etats"]] == [
        ("totals_add_up", True, None), ("totals_are_likely", False, 25), ("every_figure_is_drawn", None, None)
    ]  # fmt: skip


def test_places_are_told_without_the_folders_of_this_machine(tmp_path: Path) -> None:
    failed = Etat("totals_add_up", "mart_x", False, "error", message=f"1 found.\n  where: {tmp_path}/warehouse/marts")
    raw, _ = page(tmp_path, replace(SITE, etats=[failed]))
    assert "where: warehouse/marts" in raw
    assert str(tmp_path) not in raw + (tmp_path / "qualite.json").read_text(encoding="utf-8")


def test_reports_on_releases_are_linked(tmp_path: Path) -> None:
    (tmp_path / "rapports").mkdir()
    (tmp_path / "rapports" / "202505-x.html").touch()
    assert '<a href="rapports/202505-x.html">202505-x.html</a>' in page(tmp_path, SITE)[0]


def test_what_dagster_cannot_record_of_a_row_becomes_text_or_nothing() -> None:
    row = {"a": 1, "b": float("nan"), "c": None, "d": pd.Timestamp("2024-01-01"), "e": True}
    assert qualite.propre([row] * 30) == [{"a": 1, "b": None, "c": None, "d": "2024-01-01 00:00:00", "e": True}] * 20


class Told:
    """Marts with unknown codes in the exports of one quarter."""

    reperes = pd.DataFrame(
        {"niveau": "france", "flux": ["export", "import"], "perte_pct": [2.5, 0.0], "quarantaine_pct": [2.5, 0.0]}
    )
    quarantaine = pd.DataFrame(
        [[2024, 3, "export", "departement_inconnu", "96", None, 7, 123456]],
        columns=["annee", "trimestre", "flux", "motif", "code_source", "departement_code", "lignes", "valeur_eur"],
    )


def test_unknown_codes_above_the_limit_are_reported_and_below_no_more(tmp_path: Path) -> None:
    def archive(flux: str) -> Archive:
        return Archive(f"202502-{flux}.zip", flux * 8, "202502", flux, 10, "https://example.org/x.zip", 5, 10, "2024T3 2024T4")

    origin = Provenance(False, "202502", (archive("export"), archive("import")))
    paths = Paths(tmp_path)
    qualite.rapporter_codes(origin, Told(), 1.0, paths)  # pyright: ignore[reportArgumentType]
    [report] = paths.rapports.iterdir()
    assert report.name == "202502-202502-export-codes.html"
    text = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", report.read_text(encoding="utf-8"))))
    assert "Aux exportations de la France, il manque 2,50 % de leur valeur ; la limite est de 1 %." in text
    assert "2024T3 code de département inconnu 96 – 7 123 456" in text and "export" * 8 in text
    qualite.rapporter_codes(origin, Told(), 3.0, paths)  # pyright: ignore[reportArgumentType]
    assert list(paths.rapports.iterdir()) == []
