"""What cannot be the foreign trade of France is refused with its numbers and its cause; what can be passes, however its rows fall."""

import json
import math
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline import verify
from pipeline.archive import intake, plausibility, tables
from pipeline.archive.plausibility import CHECKS, FAMILY
from pipeline.errors import ReleaseError, SettingError
from pipeline.paths import Paths
from pipeline.settings import Settings
from pipeline.territoires import departement
from pipeline.work import Work
from tests.archives import Row, country, take, write_archive

MD = 10**9
YEAR = {"E": 580 * MD, "I": 685 * MD}
Spoil = Callable[[list[Row]], list[Row]]


@cache
def release(flux: str = "E", annee: int = 2024, graine: int = 1, euros: int | None = None, sigma: float = 2.6) -> tuple[Row, ...]:
    """A year with all zones and 21 rows each a quarter, log-normal in value and in euros per kilogram (median 4.5)."""
    rng = random.Random(f"{flux}{annee}{graine}")
    weights = [rng.lognormvariate(0, sigma) for _ in range(101 * 4 * 21)]
    scale = (euros or YEAR[flux]) / sum(weights)
    rows = country(flux, annee, graine, lignes=21)
    return tuple(
        (*row[:8], str(value := 1 + round(weight * scale)), str(round(value / rng.lognormvariate(1.5, 1))))
        for row, weight in zip(rows, weights, strict=True)
    )


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "home")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "source"


def lay(place: Path, rows: list[Row] | tuple[Row, ...], flux: str = "E", annee: int = 2024, vintage: str = "") -> str:
    name = f"{vintage or f'{annee + 1}02'}-Regional-{annee}-{'export' if flux == 'E' else 'import'}.zip"
    write_archive(place / name, rows)
    return name


def refused(place: Path, paths: Paths, accept: str = "") -> ReleaseError:
    with pytest.raises(ReleaseError) as caught:
        take(place, paths, accept)
    assert caught.value.check in CHECKS
    return caught.value


def failed(error: ReleaseError) -> set[str]:
    return set(plausibility.failed(error))


def values(rows: list[Row], change: Callable[[int, int], object]) -> list[Row]:
    """Rows with another value; `change` is given the place of the row and its value."""
    return [(*row[:8], str(change(place, int(row[8]))), row[9]) for place, row in enumerate(rows)]


# --- what is possible passes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("graine", range(4))
def test_releases_of_the_country_pass_whatever_their_rows(graine: int, place: Path, paths: Paths) -> None:
    for annee, totals in ((2018, (486, 562)), (2019, (508, 578)), (2024, (580, 685)), (2025, (610, 700))):
        for flux, euros in zip("EI", totals, strict=True):
            lay(place, release(flux, annee, graine, euros * MD), flux, annee)
            lay(place, release(flux, annee, graine, euros * MD * 11 // 10), flux, annee, vintage=f"{annee + 1}08")
    assert [kept.accepted for kept in take(place, paths, accept="").kept] == [{}] * 16


def test_a_quarter_of_a_great_crisis_passes(place: Path, paths: Paths) -> None:
    lay(place, release(annee=2019), annee=2019)
    crisis = [
        values([row], lambda _, value: value * 7 // 10)[0] if row[1] == "2" else row
        for row in release(annee=2020, euros=500 * MD)
    ]
    lay(place, crisis, annee=2020)
    assert [kept.accepted for kept in take(place, paths, accept="").kept] == [{}, {}]


def test_a_few_twins_a_few_empty_values_and_a_correction_pass(place: Path, paths: Paths) -> None:
    rows = [*release(), *release()[:80], ("E", "1", "2024", "94", "03", "C29A", "2910", "DE", "-3000000", "10")]
    lay(place, values(rows, lambda n, value: "" if n < 80 else value))
    assert [kept.accepted for kept in take(place, paths, accept="").kept] == [{}]


# --- what is not is refused, with its cause -----------------------------------------------------------------------------


def giant(euros: int) -> Spoil:
    return lambda rows: values(rows, lambda n, value: euros if n == 7 else value)


def exchanged(rows: list[Row]) -> list[Row]:
    return [(*row[:8], row[9], row[8]) for row in rows]


SPOILT: dict[str, tuple[Spoil, set[str], str]] = {
    "k€": (
        lambda rows: values(rows, lambda _, v: round(v / 1000)),
        {"unit_values_are_possible", "quarter_totals_are_possible", "totals_follow_the_published"},
        "amounts in thousands of euros (k€)",
    ),
    "M€": (
        lambda rows: values(rows, lambda _, v: round(v / 10**6)),
        {"unit_values_are_possible", "quarter_totals_are_possible", "totals_follow_the_published"},
        "amounts in millions of euros (M€)",
    ),
    "cents": (
        lambda rows: values(rows, lambda _, v: v * 100),
        {"unit_values_are_possible", "quarter_totals_are_possible", "totals_follow_the_published"},
        "amounts in cents",
    ),
    "exchanged": (exchanged, {"unit_values_are_possible", "totals_follow_the_published"}, "value and mass exchanged"),
    "10¹⁶ €": (
        giant(10**16),
        {"no_single_row_carries_the_flow", "unit_values_are_possible", "quarter_totals_are_possible", "totals_follow_the_published"},
        "a row that is worth more than all others of its quarter: « E;",
    ),
    "−10¹⁵ €": (
        giant(-(10**15)),
        {"no_single_row_carries_the_flow", "quarter_totals_are_possible", "totals_follow_the_published"},
        ";-1000000000000000;",
    ),
    "10¹² €": (
        giant(10**12),
        {"no_single_row_carries_the_flow", "quarter_totals_are_possible", "totals_follow_the_published"},
        ";1000000000000;",
    ),
    "twice": (
        lambda rows: rows * 2,
        {"rows_are_written_once", "quarter_totals_are_possible", "totals_follow_the_published"},
        "rows written more than once: 8,484 of 16,968 have the fields of another",
    ),
    "one quarter twice": (
        lambda rows: [*rows, *(row for row in rows if row[1] == "2")],
        {"rows_are_written_once"},
        "rows written more than once: 2,121 of 10,605",
    ),
    "two versions": (
        lambda rows: [*rows, *values(rows, lambda _, v: v + 1)],
        {"rows_are_written_once", "quarter_totals_are_possible", "totals_follow_the_published"},
        "two versions of the same rows in one file: 8,484 of 16,968 have the key of another",
    ),
    "zero": (
        lambda rows: values(rows, lambda *_: 0),
        {"quarter_totals_are_possible", "totals_follow_the_published"},
        "values that are zero: 8,484 of 8,484 rows",
    ),
    "empty": (
        lambda rows: values(rows, lambda n, v: "" if n % 3 == 0 else v),
        {"values_are_there"},
        "empty values: 2,828 of 8,484 rows have none",
    ),
    "cut": (
        lambda rows: rows[: len(rows) // 2],
        {"quarter_totals_are_possible", "rows_per_quarter_are_plausible", "totals_follow_the_published"},
        "a file that was cut: rows end with a département and there is none after it (2024T1 at 51",
    ),
    "cut in its last quarter": (
        lambda rows: sorted(rows, key=lambda row: row[1])[: 8484 * 3 // 4 + 400],
        {"rows_per_quarter_are_plausible"},
        "a file that was cut: rows end with a département and there is none after it (2024T4 at 20",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILT)
def test_what_cannot_be_is_refused_on_a_first_release_with_its_cause(name: str, place: Path, paths: Paths) -> None:
    spoil, checks, cause = SPOILT[name]
    archive = lay(place, spoil(list(release(sigma=2))))
    error = refused(place, paths)
    assert failed(error) >= checks, str(error)
    assert cause in error.cause and archive in error.expected_found
    assert all(f"--accept {check}" in error.remedy and check in error.expected_found for check in failed(error))
    assert "--accept plausibility" in error.remedy
    assert not paths.raw.exists() or not list(paths.raw.rglob("*.zip"))
    [report] = paths.rapports.glob("*.html")
    page = report.read_text(encoding="utf-8")
    assert all(CHECKS[check][1] in page for check in failed(error)) and "Cause probable" in page


def test_a_cause_that_no_number_bears_out_is_not_stated(place: Path, paths: Paths) -> None:
    lay(place, release(euros=58 * MD))
    error = refused(place, paths)
    assert failed(error) == {"quarter_totals_are_possible", "totals_follow_the_published"}
    assert error.cause.startswith("none of those that were tested for explains it")


# --- against what is known ----------------------------------------------------------------------------------------------


def test_rows_that_are_gone_are_seen_beside_the_former_release(place: Path, paths: Paths) -> None:
    rows = release("I", 2023, sigma=1)
    lay(place, rows, "I", 2023)
    take(place, paths, accept="")
    lay(place, [row for n, row in enumerate(rows) if n % 5 > 1], "I", 2023, vintage="202408")
    error = refused(place, paths, accept="rows_per_quarter_are_plausible")
    assert failed(error) == {"totals_follow_the_former_release"}
    assert error.cause.startswith("missing rows: 5,090 of 8,484 are there")


def test_a_year_of_another_order_than_the_one_before_is_refused(place: Path, paths: Paths) -> None:
    lay(place, release(annee=2021, euros=400 * MD, sigma=1), annee=2021)
    lay(place, release(annee=2022, euros=720 * MD, sigma=1), annee=2022)
    error = refused(place, paths)
    assert failed(error) == {"totals_follow_the_year_before"}
    assert "(+80.0 %, -40 to +70 % allowed)" in error.expected_found


def test_a_good_release_puts_right_what_a_bad_one_left(place: Path, paths: Paths) -> None:
    lay(place, SPOILT["k€"][0](list(release())))
    [bad] = take(place, paths).kept
    assert "quarter_totals_are_possible" in bad.accepted
    lay(place, release(), vintage="202508")
    assert [kept.accepted for kept in take(place, paths, accept="").kept][1:] == [{}]


# --- what an operator lets in --------------------------------------------------------------------------------------------


def test_what_is_accepted_is_logged_and_told_and_not_asked_again(place: Path, paths: Paths) -> None:
    name = lay(place, values(list(release()), lambda n, v: "" if n % 3 == 0 else v))
    both = "values_are_there quarter_totals_are_possible totals_follow_the_published"
    with pytest.raises(ReleaseError, match="values_are_there") as caught:
        take(place, paths, "quarter_totals_are_possible totals_follow_the_published")
    assert failed(caught.value) == {"values_are_there"}
    [kept] = take(place, paths, both).kept
    log = json.loads((paths.raw / "source" / "datapackage.json").read_text(encoding="utf-8"))["resources"]
    assert log[0]["accepted"] == kept.accepted
    assert (
        kept.accepted["values_are_there"]
        == "lignes sans valeur, T1\u00a02024–T4\u00a02024\u00a0: 33,3\u00a0%, 1,0\u00a0% au plus attendu"
    )
    # The same bytes under another name, and the same file again: nothing to accept.
    (place / "202503-Regional-2024-export.zip").write_bytes((place / name).read_bytes())
    again = take(place, paths, accept="").kept
    assert [each.accepted for each in again] == [kept.accepted] * 2
    [release_] = tables.build(again, paths.raw_tables)
    assert release_.admis.split() == list(kept.accepted) and release_.told["admis"] == release_.admis
    assert tables.read_releases(paths.raw_tables) == [release_]
    words, rows = tables.admitted([release_])["values_are_there"]
    assert "was accepted" in words and rows == [{"archive": release_.nom, "constat": kept.accepted["values_are_there"]}]


def test_an_archive_that_was_kept_before_there_were_bands_is_not_judged_again(place: Path, paths: Paths) -> None:
    lay(place, release(euros=58 * MD))
    take(place, paths)
    log = paths.raw / "source" / "datapackage.json"
    manifest = json.loads(log.read_text(encoding="utf-8"))
    del manifest["resources"][0]["accepted"]
    log.write_text(json.dumps(manifest), encoding="utf-8")
    assert [kept.accepted for kept in take(place, paths, accept="").kept] == [{}]


def test_the_limits_of_the_operator_are_those_of_the_settings(place: Path, paths: Paths) -> None:
    lay(place, values(list(release(sigma=1)), lambda n, v: "" if n % 30 == 0 else v))
    chosen = {"source": str(place), "home": paths.home}
    with pytest.raises(ReleaseError, match="values_are_there"):
        intake.take(Settings(**chosen), paths)
    assert len(intake.take(Settings(**chosen, quarantaine_max_pct=5), paths).kept) == 1


def test_a_name_that_is_no_check_of_the_family_is_a_setting_error() -> None:
    with pytest.raises(SettingError, match="1 of 2 are none: has_ten_fields") as caught:
        Settings(accept="values_are_there,has_ten_fields")
    assert all(name in caught.value.remedy for name in (*FAMILY, "plausibility"))
    assert Settings(accept="plausibility").accepted == {"plausibility"}


def test_every_band_is_of_a_check_and_every_check_has_a_band() -> None:
    assert {band.check for band in plausibility.BANDS} == set(CHECKS)
    assert all(band.source and not band.high <= band.low for band in plausibility.BANDS)
    assert math.isnan(next(band.high for band in plausibility.BANDS if band.check == plausibility.EMPTY))


def test_bundles_made_again_know_what_was_accepted_from_the_log(place: Path, paths: Paths) -> None:
    lay(place, release(euros=58 * MD))
    [kept] = take(place, paths).kept
    release_ = (kept.sha256, kept.name, kept.contents.vintage, kept.name)
    claim = verify.Claim(paths.fiches, departement("94"), "2024", "A129", (release_,), {}, 1.0, None, False, False)
    assert [each.accepted for each in verify.archives(claim, paths.raw)] == [kept.accepted] and kept.accepted


@pytest.mark.parametrize(
    ("accept", "blocks"), [("", True), ("codes_are_known", False), ("plausibility", False), ("values_are_there", True)]
)
def test_unknown_codes_above_the_limit_block_unless_they_are_accepted(accept: str, blocks: bool, monkeypatch) -> None:
    monkeypatch.setenv("COMEX_ACCEPT", accept)
    marts: Any = SimpleNamespace(quarantine_exceeds=lambda limit: True)
    assert Work().quarantine_blocks(marts) is blocks
