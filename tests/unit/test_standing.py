"""What stands, stands for a reason that is said: vintages that cannot be are refused, archives that contradict each other are told."""

import os
from pathlib import Path

import pytest

from pipeline.archive import intake, tables, vintage
from pipeline.archive.vintage import POSSIBLE
from pipeline.errors import ReleaseError
from pipeline.paths import Paths
from tests.archives import keep, row, take, write_archive

EXPORT, IMPORT = "202502-Regional-2024-export.zip", "202502-Regional-2024-import.zip"
AGAIN = "202502-Regional-2024-export (1).zip"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "home")


@pytest.fixture(autouse=True)
def _clock(monkeypatch):
    monkeypatch.setattr(vintage, "this_month", lambda: "202506")


def lay(place: Path, name: str = EXPORT, valeur: int = 1000, **others) -> Path:
    return write_archive(
        place / name, [row("I" if "import" in name else "E", t, 2024, valeur=valeur) for t in (1, 2, 3, 4)], **others
    )


def rivals(place: Path, paths: Paths) -> list[str]:
    taken = take(place, paths)
    return [str(each) for each in taken.rivals(tables.build(taken.kept, paths.raw_tables), paths.raw_tables)]


def standing(place: Path, paths: Paths) -> dict[str, int]:
    found = tables.standing(tables.build(take(place, paths).kept, paths.raw_tables))
    return {flux: release.valeur_eur for (flux, _), release in found.items()}


# --- a vintage that cannot be -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["205202-Regional-2024-export.zip", "202508-Regional-2024-export.zip"])
def test_a_vintage_after_the_clock_is_refused_and_the_good_ones_are_kept(tmp_path, paths, name):
    for each in (EXPORT, IMPORT, name):
        lay(tmp_path / "source", each)
    with pytest.raises(ReleaseError) as caught:
        take(tmp_path / "source", paths)
    error = caught.value
    assert error.check == POSSIBLE
    assert f"A vintage up to 202507 was expected; {name} has {name[:6]}, this machine's clock says 202506" in str(error)
    assert "read from the archive's name" in error.where and error.cause == "a typing error in the name"
    assert sorted(path.name.partition("-")[2] for path in paths.raw.rglob("*.zip")) == [EXPORT, IMPORT]
    (tmp_path / "source" / name).rename(tmp_path / "source" / name.replace(name[:6], "202504"))
    assert len(take(tmp_path / "source", paths).kept) == 3


def test_the_month_to_come_is_no_future(tmp_path, paths):
    lay(tmp_path / "source", "202507-Regional-2024-export.zip")
    assert len(take(tmp_path / "source", paths).kept) == 1


def test_a_month_that_only_the_zip_tells_is_said_to_come_from_there(tmp_path, paths, monkeypatch):
    monkeypatch.setattr(vintage, "this_month", lambda: "202411")  # the members of test archives are dated February 2025
    lay(tmp_path / "source", "exports.zip", member="REGIONAL_CPF4PAYSE.txt")
    with pytest.raises(ReleaseError, match="the clock of the machine that made the ZIP") as caught:
        take(tmp_path / "source", paths)
    assert "exports.zip has 202502" in str(caught.value) and "dates inside the ZIP" in caught.value.where


def test_rolling_quarters_are_no_older_than_a_year_and_full_years_may_be(tmp_path, paths, monkeypatch):
    monkeypatch.setattr(vintage, "this_month", lambda: "202606")
    lay(tmp_path / "source", "202605-stat-regional-ce-export.zip", member="REGIONAL_CPF4PAYSE.txt")
    with pytest.raises(ReleaseError, match="up to 202512 was expected of the last quarters up to 2024T4") as caught:
        take(tmp_path / "source", paths)
    assert caught.value.check == POSSIBLE and "17 months after they ended" in str(caught.value)
    (tmp_path / "source" / "202605-stat-regional-ce-export.zip").unlink()
    lay(tmp_path / "source", "202605-Regional-2024-export.zip")
    assert len(take(tmp_path / "source", paths).kept) == 1


def test_a_future_that_an_older_version_kept_is_told_with_the_command(tmp_path, paths):
    kept = keep(lay(tmp_path, "205202-Regional-2024-export.zip"), paths.raw / "source")
    lay(tmp_path / "source")
    with pytest.raises(ReleaseError, match=f"comex archive remove {kept.id}"):
        take(tmp_path / "source", paths)


# --- two archives of one vintage ----------------------------------------------------------------------------------------


def test_what_was_downloaded_again_stands_and_the_difference_is_told(tmp_path, paths):
    lay(tmp_path, AGAIN, 1500)  # written first: as in a copied folder, the times tell nothing
    lay(tmp_path, EXPORT, 1000)
    [told] = rivals(tmp_path, paths)
    assert standing(tmp_path, paths) == {"E": 6000}
    assert f"{AGAIN} stands since it arrived last" in told and f"against {EXPORT}: 2024T1 +500" in told
    assert "in all +2\u202f000\u202f€" in told.replace("\u00a0", "\u202f")
    assert rivals(tmp_path, paths) == [told]  # as long as both are on offer
    (tmp_path / EXPORT).unlink()
    assert rivals(tmp_path, paths) == []


def test_the_older_of_two_that_was_saved_later_stands(tmp_path, paths):
    for name, valeur, at in ((AGAIN, 1500, 0), (EXPORT, 1000, 90_000)):
        os.utime(lay(tmp_path, name, valeur), (at, at))
    assert standing(tmp_path, paths) == {"E": 4000}
    [told] = rivals(tmp_path, paths)
    assert f"{EXPORT} stands since it arrived last" in told and "2024T1 −500" in told


def test_two_that_agree_or_that_a_newer_vintage_replaced_are_not_told(tmp_path, paths):
    lay(tmp_path, EXPORT)
    lay(tmp_path, AGAIN, others={"lisez-moi.txt": b"again"})
    assert rivals(tmp_path, paths) == []
    lay(tmp_path, "202502-Regional-2024-export (2).zip", 7)
    assert len(rivals(tmp_path, paths)) == 2
    lay(tmp_path, "202505-Regional-2024-export.zip", 8)
    assert rivals(tmp_path, paths) == []


def test_a_release_issued_again_under_its_name_is_no_rival_of_itself(tmp_path, paths):
    lay(tmp_path)
    take(tmp_path, paths)
    lay(tmp_path, valeur=2000)
    assert rivals(tmp_path, paths) == [] and standing(tmp_path, paths) == {"E": 8000}


def test_the_verdict_blocks():
    assert POSSIBLE in intake.BLOCKING
