"""Which fiches are not of the run that stands, and why; nothing is said of those that are."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.archive.tables import Release
from pipeline.fiche import etat
from pipeline.fiche.provenance import Fabrication, empreinte_du_code
from pipeline.paths import Paths

YEARS = {year: " ".join(f"{year}T{quarter}" for quarter in range(1, 5)) for year in range(2021, 2026)}


def release(sha: str, vintage: str, flux: str, quarters: str, rang: int = 1, **others: Any) -> Release:
    origin = f"https://www.douane.test/{vintage}-{flux}.zip"
    known = {"est_exemple": False, "origine": origin} | others
    return Release(
        release_id=sha * 12,
        nom=f"{vintage}-{flux}.zip",
        sha256=sha * 64,
        vintage=vintage,
        rang_archive=rang,
        flux=flux,
        lignes=9,
        valeur_eur=99,
        taille=7,
        trimestres=quarters,
        masses_absentes=0,
        masses_absentes_eur=0,
        cles_repetees=0,
        cles_repetees_eur=0,
        **known,
    )


FORMER = [release("a", "202402", "E", YEARS[2023]), release("b", "202402", "I", YEARS[2023])]
THOSE = [*FORMER, release("c", "202502", "E", YEARS[2024]), release("d", "202502", "I", YEARS[2024])]
Build = Callable[..., str]


@pytest.fixture
def told(tmp_path: Path) -> Build:
    """What is said of a fiche made from some releases, once a run read others."""

    def build(made_of: list[Release], now: list[Release], *, periode: str = "2024", niveau: str = "A129", **manifest: Any) -> str:
        folder = tmp_path / "fiches" / periode / "94-val-de-marne"
        folder.mkdir(parents=True, exist_ok=True)
        said = {
            "est_exemple": made_of[0].est_exemple,
            "niveau_produit": "A129",
            "versions": {"code": empreinte_du_code()},
            "fabrication": etat.fabrication(made_of, periode).manifeste(),
            "chaine": {"releases": [{"release_id": one.release_id, "trimestres": one.trimestres} for one in made_of[-2:]]},
        }
        said |= manifest
        (folder / "manifest.json").write_text(json.dumps({key: value for key, value in said.items() if value is not None}))
        return etat.composer(Paths(tmp_path), now, niveau)[periode].get("94-val-de-marne", "")

    return build


def test_what_a_fiche_is_made_of_names_both_years() -> None:
    made = etat.fabrication(THOSE, "2024")
    assert dict(made.periode) == {"c" * 12: YEARS[2024], "d" * 12: YEARS[2024]}
    assert dict(made.comparaison) == {"a" * 12: YEARS[2023], "b" * 12: YEARS[2023]}
    assert made.sources == ("www.douane.test",)
    rolling = etat.fabrication([*THOSE, release("e", "202506", "E", "2024T4 2025T1")], "2025T1")
    assert dict(rolling.periode) == {"c" * 12: "2024T2 2024T3", "d" * 12: "2024T2 2024T3 2024T4", "e" * 12: "2024T4 2025T1"}
    assert dict(rolling.comparaison)["a" * 12] == "2023T2 2023T3 2023T4"
    assert etat.fabrication([], "2024") == Fabrication()


def test_of_the_same_data_and_code_nothing_is_said(told: Build) -> None:
    assert told(THOSE, THOSE) == ""
    assert told(THOSE, [*THOSE, release("e", "202506", "E", "2025T1"), release("f", "202302", "E", YEARS[2022])]) == ""
    # The same bytes by another way are the same numbers.
    assert told(THOSE, [replace(one, rang_archive=9 - n, origine="/home/x/a.zip") for n, one in enumerate(THOSE)]) == ""


@pytest.mark.parametrize(
    ("later", "words"),
    [
        ([release("e", "202508", "E", YEARS[2024])], "faite avant la révision de 2024"),
        ([release("e", "202508", "I", "2024T3 2024T4")], "faite avant la révision de 2024"),
        ([release("e", "202508", "E", YEARS[2023])], "faite avant la révision de 2023"),
        ([release("e", "202508", "I", "2023T4")], "faite avant la révision de 2023"),
    ],
)
def test_a_revision_of_either_year_is_told(told: Build, later: list[Release], words: str) -> None:
    assert told(THOSE, [*THOSE, *later]) == words


def test_a_year_before_that_came_later_and_an_older_edition_are_told(told: Build) -> None:
    assert told(THOSE[2:], THOSE) == "faite avec d’autres données de 2023"
    assert told([*THOSE, release("e", "202508", "E", YEARS[2024])], THOSE) == "faite avec une autre édition des données"


def test_a_rolling_period_is_named_in_words(told: Build) -> None:
    now = [*THOSE, release("e", "202508", "E", "2024T1")]
    assert told(THOSE, now, periode="2024T4") == "faite avant la révision des 4\u00a0derniers trimestres, T1 2024–T4 2024"


def test_another_source_is_told(told: Build) -> None:
    example = [replace(one, release_id=f"x{one.release_id[1:]}", est_exemple=True) for one in THOSE]
    assert told(example, THOSE) == "faite avec une autre source ou d’autres archives"
    other = [replace(one, release_id=f"y{one.release_id[1:]}", origine="/mnt/a.zip") for one in THOSE]
    assert told(other, THOSE) == "faite avec une autre source ou d’autres archives"


def test_level_code_and_accepted_checks_are_told_together(told: Build) -> None:
    assert told(THOSE, THOSE, niveau="CPF4") == "faite à un autre niveau de produits (A129)"
    assert told(THOSE, THOSE, versions={"code": "0" * 12}) == "faite avec une autre version de l’outil"
    accepted = [replace(one, admis="total_is_plausible") for one in THOSE]
    assert told(THOSE, accepted, niveau="A38", versions={"code": "0" * 12}) == (
        "faite avec d’autres contrôles admis, à un autre niveau de produits (A129) et avec une autre version de l’outil"
    )


def test_a_manifest_of_before_tells_what_it_can(told: Build) -> None:
    assert told(THOSE, THOSE, fabrication=None) == ""
    later = [*THOSE, release("e", "202508", "E", YEARS[2024])]
    assert told(THOSE, later, fabrication=None) == "faite avant la révision de 2024"


def test_a_manifest_that_cannot_be_read_costs_its_fiche_alone(told: Build, tmp_path: Path) -> None:
    assert told(THOSE, THOSE, versions=[]).startswith("faite on ne sait avec quoi")
    other = tmp_path / "fiches" / "2024" / "33-gironde"
    other.mkdir()
    (other / "manifest.json").write_text("[" * 100_000)
    (tmp_path / "fiches" / "2024" / "passwd").mkdir()
    assert list(etat.composer(Paths(tmp_path), THOSE, "A129")["2024"]) == ["33-gironde", "94-val-de-marne"]


def test_the_script_of_pages_is_data_alone(tmp_path: Path) -> None:
    etats = {"2024": {"94-val-de-marne": "faite avant la révision de 2023"}}
    etat.ecrire(Paths(tmp_path), etats)
    script = (tmp_path / "fiches" / "etat.js").read_text(encoding="ascii")
    assert script.startswith("window.comexEtats = {") and json.loads(script[len("window.comexEtats = ") : -2]) == etats
