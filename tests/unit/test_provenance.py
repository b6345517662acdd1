"""What a bundle says of its origin does not hang on the machine, on the order of arrival or on a browser's moods."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pandas as pd

from pipeline.archive.store import origine_lisible
from pipeline.archive.tables import Release
from pipeline.charts.render import _canoniser
from pipeline.dbt import SEAL
from pipeline.fiche.bind import provenance
from pipeline.marts import Lu, Marts, empreinte, row_count
from pipeline.territoires import FRANCE, departement

QUARTERS = "2024T1 2024T2 2024T3 2024T4"


def release(digit: str, vintage: str, flux: str, rang: int) -> Release:
    sha256 = digit * 64
    path = f"/home/someone/{vintage}-{flux}.zip"
    return Release(sha256[:12], Path(path).name, sha256, vintage, rang, flux, 10, 99, False, 7, path, QUARTERS, 0, 0, 0, 0)


def told(releases: list[Release], standing: str) -> Any:
    rows = [{"release_id": digit * 12, "trimestres": QUARTERS} for digit in standing]
    marts: Any = SimpleNamespace(releases=pd.DataFrame(rows), periode="2024", folder=Path("marts"))
    return provenance(releases, marts)


def test_an_address_stays_and_a_path_of_the_machine_goes() -> None:
    assert origine_lisible("https://exemple.test/a/b.zip?v=2") == "https://exemple.test/a/b.zip?v=2"
    assert origine_lisible("/home/someone/b.zip") == origine_lisible("b.zip") == "b.zip"


def test_releases_are_told_in_one_order_whatever_that_of_arrival() -> None:
    arrived = [release("a", "202502", "I", 1), release("b", "202502", "E", 2), release("c", "202402", "E", 3)]
    other = [replace(one, rang_archive=4 - one.rang_archive) for one in arrived]
    assert told(arrived, "ab") == told(other, "ba")
    assert [archive.sha256[0] for archive in told(arrived, "ab").lues] == ["c", "b", "a"]
    assert [(a.sha256[0], a.trimestres) for a in told(arrived, "ab").archives] == [("b", QUARTERS), ("a", QUARTERS)]


def test_archives_that_were_let_in_are_told_where_they_give_the_period_or_the_year_before_and_nowhere_else() -> None:
    bad = {"admis": "values_are_there rows_are_written_once", "admis_constats": "a\nb"}
    year_before = replace(release("c", "202402", "E", 1), trimestres=QUARTERS.replace("2024", "2023"), **bad)
    replaced = replace(release("d", "202501", "E", 2), **bad)
    long_ago = replace(release("e", "202302", "E", 3), trimestres=QUARTERS.replace("2024", "2022"), **bad)
    arrived = [year_before, replaced, long_ago, release("b", "202502", "E", 4), replace(release("a", "202502", "I", 5), **bad)]
    admises = told(arrived, "ab").admises
    assert [(archive.sha256[0], archive.flux) for archive in admises] == [("c", "export"), ("a", "import")]
    assert admises[0].admis == (("values_are_there", "a"), ("rows_are_written_once", "b"))


def test_between_releases_of_one_flow_and_vintage_the_order_of_arrival_is_kept_for_it_decides() -> None:
    first, second = release("b", "202502", "E", 1), release("a", "202502", "E", 2)
    assert [archive.sha256[0] for archive in told([second, first], "a").lues] == ["b", "a"]


def test_the_digest_of_rows_hangs_on_values_alone() -> None:
    frame = pd.DataFrame({"pays_code": ["NA", "DE"], "valeur_eur": [12, 5], "part_pct": [0.1 + 0.2, None]})
    assert empreinte(frame) == empreinte(frame.iloc[::-1])
    assert empreinte(frame) != empreinte(frame.assign(valeur_eur=[12, 6]))
    assert empreinte(frame) != empreinte(frame.rename(columns={"part_pct": "part"}))


def test_what_was_read_of_a_territory_has_the_digest_of_its_rows(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "periode": "2024",
            "niveau": ["departement", "departement", "france", "departement"],
            "code": ["94", "93", "FR", "94"],
            "pays": ["Espagne", "Italie", "Suisse", "Pays\nau nom coupé"],
            "part_pct": [0.1 + 0.2, 3.0, None, 7.5],
        }
    )
    duckdb.from_df(frame).write_parquet(str(tmp_path / "mart_departement_balance.parquet"))
    duckdb.from_df(frame[["periode", "pays"]]).write_parquet(str(tmp_path / "mart_national_classement.parquet"))
    (tmp_path / SEAL).touch()
    marts = Marts(tmp_path, "2024")
    own = frame.loc[lambda rows: rows["code"] == "94"]
    assert marts.lus(departement("94")) == [Lu("mart_departement_balance", "94", 2, empreinte(own))]
    assert [(lu.mart, lu.lignes) for lu in marts.lus(FRANCE)] == [
        ("mart_departement_balance", 1),
        ("mart_national_classement", 4),
    ]
    assert marts.lus(departement("33")) == []


def test_the_row_of_nulls_that_dbt_writes_for_an_empty_mart_is_not_counted(tmp_path: Path) -> None:
    for name, periodes in (("empty", [None]), ("full", ["2024"] * 3)):
        duckdb.from_df(pd.DataFrame({"periode": periodes}, dtype="str")).write_parquet(str(tmp_path / f"{name}.parquet"))
    assert (row_count(tmp_path, "empty"), row_count(tmp_path, "full")) == (0, 3)


def test_the_place_of_an_attribute_does_not_change_a_drawing() -> None:
    early = (
        '<svg width="720" style="" viewBox="0 0 720 184"><path style="fill: red" d="M0"/><text x="1">style="a" b="c"</text></svg>'
    )
    late = (
        '<svg width="720" viewBox="0 0 720 184" style=""><path d="M0" style="fill: red"/><text x="1">style="a" b="c"</text></svg>'
    )
    assert _canoniser(early, "x") == _canoniser(late, "x") == late
