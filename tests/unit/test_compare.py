"""What an arrival changes, told once, and the same whenever it is told."""

import json
import shutil
from pathlib import Path

import pytest

from pipeline.archive import compare, intake, store
from pipeline.paths import Paths
from tests.archives import Row, row, take, write_archive

FULL, ROLLING = "202502-Regional-2024-export.zip", "202505-stat-regional-ce-export.zip"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "home")


def year(valeur: int = 100, **others) -> list[Row]:
    return [row("E", trimestre, 2024, valeur=valeur, **others) for trimestre in (1, 2, 3, 4)]


def arrive(place: Path, paths: Paths, name: str, payload: list[Row]) -> intake.Taken:
    write_archive(place / name, payload)
    return take(place, paths)


def stored(paths: Paths) -> dict[str, dict]:
    folder = paths.raw / "source" / "comparaisons"
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def test_a_first_release_is_said_to_be_one(tmp_path, paths):
    [made] = arrive(tmp_path, paths, FULL, year()).comparisons
    assert made.line == f"  {FULL} (export, vintage 202502): first release of exports, 2024T1 2024T2 2024T3 2024T4"
    assert made.rapport["est_premiere"] and not made.rapport["codes_apparus"] and not made.rapport["mouvements"]
    [other] = arrive(tmp_path, paths, FULL.replace("export", "import"), [row("I")]).comparisons
    assert other.rapport["est_premiere"]


def test_quarters_euros_codes_and_movements_of_a_revision(tmp_path, paths):
    arrive(tmp_path, paths, FULL, [*year(), *year(7, departement="2A", pays="XS")])
    payload = [
        *[row("E", 2, 2024, valeur=100), row("E", 2, 2024, valeur=7, departement="2A", pays="XS")],  # unchanged
        *[row("E", 3, 2024, valeur=160), row("E", 3, 2024, valeur=7, departement="2A", pays="XS")],
        *[row("E", 4, 2024, valeur=90), row("E", 4, 2024, valeur=1, departement="976", pays="KM", a129="A01Z", cpf4="0111")],
        row("E", 1, 2025, valeur=50, pays="JP"),
    ]
    [made] = arrive(tmp_path, paths, ROLLING, payload).comparisons
    assert made.line == (
        f"  {ROLLING} (export, vintage 202505): 1 quarter added (2025T1), 2 quarters revised (2024T3 2024T4), 1 quarter unchanged,"
        " +44\u00a0€, without 2024T1 (the former release stands there)"
    )
    rapport = made.rapport
    assert rapport == stored(paths)[f"202505-{rapport['release_id']}.json"]
    told = {fact["trimestre"]: fact for fact in rapport["trimestres"]}
    assert {quarter: fact["statut"] for quarter, fact in told.items()} == {
        "2024T2": "inchangé", "2024T3": "révisé", "2024T4": "révisé", "2025T1": "ajouté",
    }  # fmt: skip
    fact = told["2024T4"]
    assert (fact["lignes_avant"], fact["lignes"], fact["valeur_avant_eur"], fact["valeur_eur"]) == (2, 2, 107, 91)
    assert fact["archive_avant"] == FULL and told["2025T1"]["archive_avant"] is None
    assert rapport["ecart_revise_eur"] == (160 - 100) + (91 - 107)
    assert rapport["trimestres_absents"] == [{"trimestre": "2024T1", "archive": FULL}]
    assert rapport["codes_apparus"] == {"departement": ["976"], "a129": ["A01Z"], "cpf4": ["0111"], "pays": ["JP", "KM"]}
    assert rapport["codes_disparus"] == {"departement": [], "a129": [], "cpf4": [], "pays": []}
    cells = [(m["departement"], m["pays"], m["valeur_avant_eur"], m["valeur_eur"]) for m in rapport["mouvements"]]
    assert cells == [("94", "DE", 200, 250), ("2A", "XS", 14, 7), ("976", "KM", 0, 1)]
    assert "| 2024T3 | révisé | 2 | 2 | 107\u00a0€ | 167\u00a0€ | +60\u00a0€ |" in made.texte
    assert "Codes apparus" in made.texte and "976 A01Z" in made.texte


def test_codes_that_left_are_those_of_the_quarters_replaced(tmp_path, paths):
    arrive(tmp_path, paths, FULL, [*year(), row("E", 2, pays="KM"), row("E", 1, pays="TG")])
    [made] = arrive(tmp_path, paths, ROLLING, [row("E", trimestre) for trimestre in (2, 3, 4)]).comparisons
    assert made.rapport["codes_disparus"]["pays"] == ["KM"]  # Togo stands in the first quarter as before


def test_the_same_sum_of_other_rows_is_a_revision_and_another_order_is_none(tmp_path, paths):
    first = [row(valeur=1, pays="DE"), row(valeur=2, pays="ES"), row(valeur=2, pays="ES")]
    arrive(tmp_path, paths, FULL, first)
    [order] = arrive(tmp_path, paths, "202503-Regional-2024-export.zip", first[::-1]).comparisons
    [other] = arrive(
        tmp_path, paths, "202504-Regional-2024-export.zip", [row(valeur=2), row(valeur=1, pays="ES"), first[1]]
    ).comparisons
    assert "1 quarter unchanged" in order.line and "1 quarter revised (2024T1), 0\u00a0€" in other.line


def test_an_older_release_that_comes_late_changes_nothing(tmp_path, paths):
    arrive(tmp_path, paths, "202508-Regional-2024-export.zip", year())
    [made] = arrive(tmp_path, paths, FULL, year(3)).comparisons
    assert made.line.endswith("4 quarters older than what stands (2024T1 2024T2 2024T3 2024T4)")
    assert not made.rapport["mouvements"] and made.rapport["ecart_revise_eur"] == 0
    [newest] = arrive(tmp_path, paths, "202511-Regional-2024-export.zip", year(101)).comparisons
    assert newest.rapport["ecart_revise_eur"] == 4


def test_bytes_that_come_back_are_compared_again_and_nothing_else_is(tmp_path, paths, monkeypatch):
    lines = [arrive(tmp_path, paths, FULL, year(valeur)).comparisons[0].line for valeur in (1, 2, 1)]
    assert "first release" in lines[0] and "+4\u00a0€" in lines[1] and "−4\u00a0€" in lines[2]
    before = {path: path.stat().st_mtime_ns for path in (paths.raw / "source" / "comparaisons").iterdir()}
    assert len(before) == 6
    monkeypatch.setattr(compare, "_compare", None)
    assert take(tmp_path, paths).comparisons == []
    assert {path: path.stat().st_mtime_ns for path in (paths.raw / "source" / "comparaisons").iterdir()} == before


def test_comparisons_that_were_lost_are_made_again_the_same(tmp_path, paths):
    for name, payload in ((FULL, year()), (ROLLING, year(5)), ("202508-Regional-2024-export.zip", year(9))):
        arrive(tmp_path, paths, name, payload)
    before = stored(paths)
    shutil.rmtree(paths.raw / "source" / "comparaisons")
    shutil.rmtree(paths.warehouse)
    assert len(take(tmp_path, paths).comparisons) == 3
    assert stored(paths) == before


def test_many_arrivals_are_told_in_a_few_lines(tmp_path, paths):
    for annee in range(2019, 2025):
        write_archive(tmp_path / f"{annee + 1}02-Regional-{annee}-export.zip", [row(annee=annee)])
    lines = take(tmp_path, paths).summary.splitlines()
    assert lines[0] == "6 new archives, 0 unchanged" and len(lines) == 6 and lines[-1].startswith("  and 2 more")
    assert store.kept(paths.raw / "source")[0].name.startswith("202002")
