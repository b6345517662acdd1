"""Which of two archives of one vintage came last: by when they were saved where that tells, else as people count."""

import os
from pathlib import Path

import pytest

from pipeline.archive.fetch import Offer
from pipeline.sources.arrival import in_order, unmarked
from pipeline.sources.douane import _moment
from pipeline.sources.folder import offers

STEM = "202502-Regional-2024-export"
DAY = 86_400.0


def ordered(*names: str, times: tuple[float, ...] = ()) -> list[str]:
    moments = times or (0.0,) * len(names)
    return [o.name for o in in_order(Offer(name, name, Path(name), at) for name, at in zip(names, moments, strict=True))]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (f"{STEM}.zip", f"{STEM} (1).zip"),
        (f"{STEM}.zip", f"{STEM}(1).zip"),
        (f"{STEM} (2).zip", f"{STEM} (10).zip"),
        (f"{STEM}_9.zip", f"{STEM}_10.zip"),
        (f"{STEM}.zip", f"{STEM}_0.zip"),
        (f"{STEM}_0.zip", f"{STEM}_0 (1).zip"),
        (f"{STEM}.zip", f"{STEM} - Copie.zip"),
        (f"{STEM} - Copie.zip", f"{STEM} - Copie (2).zip"),
        (f"{STEM}.zip", f"{STEM} (copie).zip"),
        (f"{STEM}.zip", f"Copie de {STEM}.zip"),
        (f"{STEM}.zip", f"{STEM} copy 2.zip"),
        ("202402-Regional-2023-export.zip", f"{STEM}.zip"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_names_are_counted_as_people_count(first, second, turned):
    # The times of a copied folder: a blink apart, in any order.
    given = (second, first) if turned else (first, second)
    assert ordered(*given, times=(100.0, 100.4)) == [first, second]


def test_the_year_in_a_name_is_no_mark_of_saving_it_again():
    assert unmarked(f"{STEM}.zip") == (STEM, ())
    assert unmarked("Regional_2024.zip") == ("Regional_2024", ())
    assert unmarked(f"Copie de {STEM}_0 (3).zip") == (STEM, (0, 3, 1))  # a copy of the fourth


def test_what_was_saved_later_came_later_whatever_its_name():
    again = f"{STEM} (1).zip"
    assert ordered(again, f"{STEM}.zip", times=(0.0, DAY)) == [again, f"{STEM}.zip"]
    other = "export corrige 202502.zip"  # of the same vintage and flow
    assert ordered(other, f"{STEM}.zip", times=(DAY, 0.0)) == [f"{STEM}.zip", other]


def test_times_order_only_what_may_stand_for_the_same_quarters():
    imports = "202502-Regional-2024-import.zip"
    assert ordered(f"{STEM}.zip", imports, times=(DAY, 0.0)) == [f"{STEM}.zip", imports]


def test_what_is_together_in_time_is_ordered_by_name_beside_what_is_not():
    names = (f"{STEM}.zip", f"{STEM} (1).zip", f"{STEM} (2).zip")
    assert ordered(*names, times=(2 * DAY + 3, 2 * DAY, 0.0)) == [names[2], names[0], names[1]]


def test_a_page_orders_by_the_days_in_its_addresses():
    site = "https://www.douane.gouv.fr/sites/default/files"
    days = (f"2025-02/21/{STEM}.zip", f"2025-02/07/{STEM}_0.zip")
    found = in_order(Offer(Path(day).name, f"{site}/{day}") for day in days)
    assert [offer.name for offer in found] == [f"{STEM}_0.zip", f"{STEM}.zip"]
    undated = in_order(Offer(name, f"{site}/{name}") for name in (f"{STEM}_10.zip", f"{STEM}_9.zip"))
    assert [offer.name for offer in undated] == [f"{STEM}_9.zip", f"{STEM}_10.zip"]


def test_a_folder_tells_when_its_files_were_saved(tmp_path):
    for name, at in ((f"{STEM} (1).zip", 0), (f"{STEM}.zip", DAY)):
        (tmp_path / name).write_bytes(b"PK")
        os.utime(tmp_path / name, (at, at))
    assert [offer.name for offer in offers(tmp_path)] == [f"{STEM} (1).zip", f"{STEM}.zip"]
    os.utime(tmp_path / f"{STEM} (1).zip", (DAY, DAY))
    assert [offer.name for offer in offers(tmp_path)] == [f"{STEM}.zip", f"{STEM} (1).zip"]
    links = "".join(f'<a href="{STEM}{mark}.zip">' for mark in ("%20(1)", ""))
    (tmp_path / "index.html").write_text(links, encoding="utf-8")
    assert [offer.name for offer in offers(tmp_path)] == [f"{STEM}.zip", f"{STEM} (1).zip"]


def test_data_gouv_fr_tells_when_a_resource_was_put_there():
    assert _moment("2025-02-07T08:00:00+00:00") == 1_738_915_200.0
    assert _moment(None) is None and _moment("hier") is None
