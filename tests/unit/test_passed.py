"""What a source holds and does not offer is named, with the reason that was tested."""

from pathlib import Path

import pytest

from pipeline.archive import intake, tables
from pipeline.errors import DataError, ReleaseError
from pipeline.paths import Paths
from pipeline.settings import ARCHIVE, Settings
from pipeline.sources import open_source
from pipeline.sources.passed import notice, of_links
from tests.archives import write_archive, year

EXPORT, IMPORT = "202502-Regional-2024-export.zip", "202502-Regional-2024-import.zip"


def opened(place: Path, home: Path):
    return open_source(Settings(source=str(place), home=home), Paths(home))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Good archives beside others."""
    folder = tmp_path / "source"
    for name, flux in ((EXPORT, "E"), (IMPORT, "I")):
        write_archive(folder / name, year(flux))
    write_archive(folder / "2013-stat-regional-ce-export.zip", year("E", 2013), member="Regional_2013_Export2.txt")
    write_archive(folder / "202308-National-2022-import.zip", b"x", member="National_2022_Import.txt")
    write_archive(folder / "bretagne.zip", b"x", member="region_18.xls")
    write_archive(folder / f"._{EXPORT}", b"x")
    (folder / "2019.zip").mkdir()
    (folder / "REGIONAL_CPF4PAYSE.txt").write_text("E;1;2024\n")
    for name in ("export.7z", "lisez-moi.txt", "notice.pdf", ".DS_Store"):
        (folder / name).write_bytes(b"x")
    return folder


def test_each_file_that_is_passed_over_in_a_folder_has_its_reason(place, tmp_path):
    source = opened(place, tmp_path / "home")
    assert [offer.name for offer in source.offers] == [EXPORT, IMPORT]
    held = "no member under a name of regional rows, such as Region_2024_Export.txt; it holds"
    assert {each.name: each.why for each in source.passed_over} == {
        "2013-stat-regional-ce-export.zip": f"{held} Regional_2013_Export2.txt",
        "202308-National-2022-import.zip": f"a national base: {held} National_2022_Import.txt",
        "bretagne.zip": f"a per-region workbook: {held} region_18.xls",
        f"._{EXPORT}": "a hidden file, such as a Mac leaves beside another",
        "2019.zip/": "a folder",
        "REGIONAL_CPF4PAYSE.txt": "rows that were unpacked, no ZIP",
        "export.7z": "no ZIP by its name",
    }


def test_a_run_tells_them_and_they_stop_and_withdraw_nothing(place, tmp_path):
    paths = Paths(tmp_path / "home")
    taken = intake.take(Settings(source=str(place), home=paths.home, accept="plausibility"), paths)
    [told] = taken.told_all(tables.build(taken.kept, paths.raw_tables))
    assert "7 of what is there was passed over: 2013-stat-regional-ce-export.zip (no member" in str(told)
    assert all((told.where, told.cause, told.remedy))
    (place / IMPORT).unlink()
    again = intake.take(Settings(source=str(place), home=paths.home, accept="plausibility"), paths)
    assert f"{IMPORT} (vintage 202502) is on offer no more" in "".join(
        map(str, again.told_all(tables.build(again.kept, paths.raw_tables)))
    )


def test_a_period_that_is_not_there_names_what_may_hold_it(place, tmp_path):
    paths = Paths(tmp_path / "home")
    taken = intake.take(Settings(source=str(place), home=paths.home, accept="plausibility"), paths)
    releases = tables.build(taken.kept, paths.raw_tables)
    with pytest.raises(DataError) as caught:
        tables.choose_period(releases, "2013", taken.passed_over)
    assert "passed over: " in caught.value.cause and "2013-stat-regional-ce-export.zip (no member under" in caught.value.cause
    with pytest.raises(DataError) as caught:
        tables.choose_period(releases, "2013")
    assert "passed over" not in str(caught.value)


def test_a_folder_that_offers_nothing_says_what_it_holds(place, tmp_path):
    for name in (EXPORT, IMPORT):
        (place / name).unlink()
    with pytest.raises(ReleaseError, match=r"offers none.*Passed over: 2013-stat-regional-ce-export.zip \(no member"):
        opened(place, tmp_path)


def test_beside_an_index_page_what_it_does_not_link_is_named(tmp_path):
    for name in (EXPORT, IMPORT):
        write_archive(tmp_path / "source" / name, year())
    (tmp_path / "source" / "index.html").write_text(f"<a href={EXPORT}>")
    source = opened(tmp_path / "source", tmp_path / "home")
    [passed] = source.passed_over
    assert passed.name == IMPORT and "index.html does not link it" in passed.why


def test_of_a_page_s_links_other_products_are_no_news_and_unknown_names_are():
    links = [f"https://x.example/{name}" for name in (EXPORT, "202308-National-2022-import.zip", "region_18.zip", "aide.html")]
    others = of_links(links, [EXPORT], ARCHIVE.pattern)
    assert [(each.name, each.why) for each in others] == [
        ("202308-National-2022-import.zip", "by its name a national base"),
        ("region_18.zip", "by its name a per-region workbook"),
    ]
    assert notice(others, "x", is_page=True) == []
    [told] = notice([*others, *of_links(["2013-stat-regional-ce-export.zip"], [], ARCHIVE.pattern)], "x", is_page=True)
    assert "3 of what is there was passed over: 2013-stat-regional-ce-export.zip (its name does not match" in str(told)


def test_the_example_passes_nothing_over(kiosk, tmp_path):
    assert opened(kiosk, tmp_path).passed_over == []
