"""From a source into the archive: what is kept, what is not, and what is told."""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline.archive import intake, plausibility, store, tables
from pipeline.archive.fetch import WITHDRAWN, Fetched, Offer, Validators
from pipeline.errors import ComexError, OutputError, ReleaseError, SettingError
from pipeline.paths import Paths
from pipeline.settings import Settings
from pipeline.sources import Source, open_source
from tests.archives import row, take, write_archive

EXPORT, IMPORT = "202502-Regional-2024-export.zip", "202502-Regional-2024-import.zip"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "home")


def lay(
    place: Path, name: str = EXPORT, valeur: int = 1000, quarters: tuple[str, ...] = ("2024T1", "2024T2", "2024T3", "2024T4")
):
    flux = "I" if "import" in name else "E"
    return write_archive(place / name, [row(flux, int(q[5]), q[:4], valeur=valeur) for q in quarters])


def log(paths: Paths) -> list[dict]:
    return json.loads((paths.raw / "source" / "datapackage.json").read_text(encoding="utf-8"))["resources"]


def files(paths: Paths) -> list[str]:
    return sorted(path.name for path in (paths.raw / "source").glob("2*/*"))


def euros(taken: intake.Taken, paths: Paths, vintage: str | None = None) -> dict[str, int]:
    """Of each flow and quarter, the euros of the rows that stand, read from the tables that dbt is given."""
    found = tables.standing(tables.build(taken.kept, paths.raw_tables, vintage=vintage))
    return {
        f"{flux} {quarter}": release.valeur_eur // len(release.trimestres.split()) for (flux, quarter), release in found.items()
    }


# --- kept or not --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "check"),
    [
        (b"<!doctype html>", "is_not_an_html_page"),
        ([row(valeur="1,5")], "euros_are_whole"),
        ([row("I")], "flow_is_the_announced_one"),
        (b"a;b\n", "has_ten_fields"),
    ],
)
def test_nothing_of_a_refused_archive_is_kept_and_the_good_ones_are(tmp_path, paths, payload, check):
    place = tmp_path / "kiosk"
    bad = place / EXPORT  # first by name
    lay(place, IMPORT)
    bad.write_bytes(payload) if payload == b"<!doctype html>" else write_archive(bad, payload)
    with pytest.raises(ReleaseError) as caught:
        take(place, paths)
    assert caught.value.check == check and EXPORT in str(caught.value)
    assert [entry["title"] for entry in log(paths)] == [IMPORT]
    assert [name.partition("-")[2] for name in files(paths)] == [IMPORT]
    assert sorted(path.suffix for path in paths.raw_tables.rglob("*") if path.is_file()) == [".json", ".parquet"]


def test_all_refusals_are_told_at_once(tmp_path, paths):
    for name in (EXPORT, IMPORT):
        write_archive(tmp_path / "kiosk" / name, [row(valeur="1,5")])
    with pytest.raises(ReleaseError, match=rf"(?s)euros_are_whole.*refused too: {IMPORT}: Expected"):
        take(tmp_path / "kiosk", paths)
    assert not paths.raw.exists()


def test_an_archive_that_may_not_be_read_is_told(tmp_path, paths, monkeypatch):
    lay(tmp_path / "kiosk")

    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(intake, "digest", denied)
    with pytest.raises(ReleaseError, match="cannot be: Permission denied") as caught:
        take(tmp_path / "kiosk", paths)
    assert all((caught.value.where, caught.value.cause, caught.value.remedy))


def test_a_full_disk_stops_the_intake_and_leaves_no_half_archive(tmp_path, paths, monkeypatch):
    def full(_, target):
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    lay(tmp_path / "kiosk")
    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OutputError, match="No space left"):
        take(tmp_path / "kiosk", paths)
    assert files(paths) == [] and not (paths.raw / "source" / "datapackage.json").exists()


def test_an_undated_archive_is_as_old_as_its_quarters(tmp_path, paths):
    import zipfile

    with zipfile.ZipFile(tmp_path / "base.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo("Region_2024_Export.txt"), "E;3;2024;94;03;C29A;2910;DE;1;1\n")
    [kept] = take(tmp_path, paths).kept
    assert (kept.contents.vintage, log(paths)[0]["vintage"]) == ("202409", "202409")
    assert tables.build([kept], paths.raw_tables, vintage="202409")[0].vintage == "202409"


# --- the log of arrivals ------------------------------------------------------------------------------------------------


def test_a_second_intake_finds_nothing_new(tmp_path, paths):
    lay(tmp_path)
    lay(tmp_path, IMPORT)
    first = take(tmp_path, paths)
    before = {path: path.stat().st_mtime_ns for path in paths.raw.rglob("*")}
    again = take(tmp_path, paths)
    assert first.summary.startswith("2 new archives, 0 unchanged\n")
    assert again.summary == "0 new archives, 2 unchanged"
    assert again.kept == first.kept
    assert {path: path.stat().st_mtime_ns for path in paths.raw.rglob("*")} == before


def test_a_release_issued_again_and_then_taken_back_is_three_arrivals_and_two_files(tmp_path, paths):
    for valeur, expected in ((1, 1), (2, 2), (1, 1)):
        lay(tmp_path, valeur=valeur)
        assert set(euros(take(tmp_path, paths), paths).values()) == {expected}
    assert len(files(paths)) == 2
    first, second, third = log(paths)
    assert first["path"] == third["path"] != second["path"]
    assert len({entry["name"] for entry in log(paths)}) == 3
    assert [kept.rang for kept in store.kept(paths.raw / "source")] == [1, 2, 3]


def test_a_clock_that_goes_backwards_reorders_nothing(tmp_path, paths, monkeypatch):
    import datetime as real

    class Clock(real.datetime):
        year_now = 2026

        @classmethod
        def now(cls, tz=None):
            return real.datetime(cls.year_now, 1, 1, tzinfo=tz)

    monkeypatch.setattr(store, "datetime", Clock)
    lay(tmp_path, valeur=1)
    take(tmp_path, paths)
    Clock.year_now = 1999
    lay(tmp_path, valeur=2)
    taken = take(tmp_path, paths)
    assert set(euros(taken, paths).values()) == {2}
    assert [entry["archived_at"][:4] for entry in log(paths)] == ["2026", "2026"]


@pytest.mark.parametrize("damage", ["lost", "altered"])
def test_damaged_bytes_are_fetched_again_while_on_offer_and_told_afterwards(tmp_path, paths, damage):
    archive = lay(tmp_path)
    [kept] = take(tmp_path, paths).kept
    for on_offer in (True, False):
        kept.path.unlink() if damage == "lost" else kept.path.write_bytes(kept.path.read_bytes()[:-1] + b"x")
        if on_offer:
            assert take(tmp_path, paths).kept == [kept]
            assert kept.path.read_bytes() == archive.read_bytes()
    archive.unlink()
    lay(tmp_path, IMPORT)
    with pytest.raises(ReleaseError, match=f"{EXPORT} was expected") as caught:
        take(tmp_path, paths)
    assert all((str(kept.path) == caught.value.where, caught.value.cause, caught.value.remedy))
    assert IMPORT in [entry["title"] for entry in log(paths)]


def test_what_a_killed_run_left_is_cleaned_up_and_made_good(tmp_path, paths):
    lay(tmp_path)
    [kept] = take(tmp_path, paths).kept
    folder = paths.raw / "source"
    (folder / "202502" / "x.zip.part").write_bytes(b"half")
    (paths.raw_tables / ".unpacked-x").mkdir()
    (folder / "datapackage.json").unlink()  # killed after the archive's rename, before the manifest's
    assert take(tmp_path, paths).kept[0].sha256 == kept.sha256
    assert len(files(paths)) == 1 and not list(paths.raw_tables.glob(".*"))


# --- a server's word ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Served(Source):
    """A source that downloads: bytes by origin, or the error that it answers with; `asked` notes what was known."""

    answers: dict[str, bytes | ComexError] = field(default_factory=dict)
    asked: list[Validators | None] = field(default_factory=list)

    def fetch(self, offer: Offer, folder: Path, known: Validators | None = None) -> Fetched | None:
        self.asked.append(known)
        answer = self.answers[offer.origin]
        if isinstance(answer, ComexError):
            raise answer
        etag = f'"{len(answer)}"'
        if known and known.etag == etag:
            return None
        path = folder / "incoming" / offer.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(answer)
        return Fetched(path, Validators(etag, "Fri, 07 Feb 2025 08:00:00 GMT", len(answer)))


def served(archive: Path, **others) -> Served:
    answers = {f"https://example.org/{EXPORT}": archive.read_bytes(), **others}
    return Served("source", "example.org", [Offer(EXPORT, origin) for origin in answers], answers=answers)


def take_served(source: Source, paths: Paths) -> intake.Taken:
    return intake.take_in(source, paths.raw / "source", paths, plausibility.Allowed(names=frozenset({"plausibility"})))


def test_an_unchanged_release_is_asked_for_with_what_the_server_said_and_not_fetched(tmp_path, paths):
    source = served(lay(tmp_path))
    kept = take_served(source, paths).kept
    assert take_served(source, paths).kept == kept
    assert source.asked == [None, Validators(f'"{kept[0].size}"', "Fri, 07 Feb 2025 08:00:00 GMT", kept[0].size)]
    assert list((paths.raw / "source" / "incoming").iterdir()) == []
    assert log(paths)[0]["sources"][0]["path"] == kept[0].origin
    kept[0].path.unlink()  # bytes that are not here are not unchanged
    assert take_served(source, paths).kept == kept and source.asked[-1] is None


def test_a_refused_download_leaves_nothing(tmp_path, paths):
    with pytest.raises(ReleaseError):
        take_served(served(write_archive(tmp_path / EXPORT, [row(valeur="1,5")])), paths)
    assert [path for path in paths.raw.rglob("*") if path.is_file()] == []


def gone(check: str | None = WITHDRAWN) -> ComexError:
    return ReleaseError("An archive was expected; 404.", where="there", cause="withdrawn", remedy="none", check=check)


def test_a_link_that_leads_nowhere_is_a_notice_once_its_bytes_are_kept(tmp_path, paths):
    source = served(lay(tmp_path))
    with pytest.raises(ReleaseError, match="404"):
        take_served(served(lay(tmp_path), other=gone()), paths)
    taken = take_served(source, paths)
    source.answers[source.offers[0].origin] = gone()
    taken = take_served(source, paths)
    [notice] = taken.told_all(tables.build(taken.kept, paths.raw_tables))
    assert f"{EXPORT} (vintage 202502) is on offer no more since 20" in str(notice)
    assert "still stand for 2024T1 2024T2 2024T3 2024T4" in str(notice)
    source.answers[source.offers[0].origin] = gone(check=None)
    with pytest.raises(ReleaseError, match="404"):
        take_served(source, paths)


# --- withdrawn ----------------------------------------------------------------------------------------------------------


def told(taken: intake.Taken, paths: Paths) -> str:
    return "\n".join(map(str, taken.told_all(tables.build(taken.kept, paths.raw_tables))))


def test_a_release_that_left_the_folder_is_told_and_still_stands(tmp_path, paths):
    archive, _ = lay(tmp_path), lay(tmp_path, IMPORT)
    assert told(take(tmp_path, paths), paths) == ""
    archive.rename(tmp_path / "away")
    taken = take(tmp_path, paths)
    assert EXPORT in told(taken, paths) and "still stand for 2024T1" in told(taken, paths) and IMPORT not in told(taken, paths)
    since = log(paths)[0]["withdrawn_since"]
    assert "what to do" in told(take(tmp_path, paths), paths) and log(paths)[0]["withdrawn_since"] == since
    (tmp_path / "away").rename(archive)
    assert told(take(tmp_path, paths), paths) == "" and "withdrawn_since" not in log(paths)[0]


def test_a_superseded_release_that_leaves_is_told_once(tmp_path, paths):
    former = lay(tmp_path)
    take(tmp_path, paths)
    former.unlink()
    lay(tmp_path, "202508-Regional-2024-export.zip", 2)
    assert "newer releases stand for all its quarters" in told(take(tmp_path, paths), paths)
    assert told(take(tmp_path, paths), paths) == ""


def test_bytes_that_are_offered_elsewhere_are_not_withdrawn(tmp_path, paths):
    archive = lay(tmp_path)
    take(tmp_path, paths)
    archive.rename(tmp_path / f"copie de {EXPORT}")
    taken = take(tmp_path, paths)
    assert told(taken, paths) == "" and len(taken.kept) == 2 and len(files(paths)) == 1


def test_an_incomplete_list_withdraws_nothing(tmp_path, paths):
    lay(tmp_path)
    lay(tmp_path, IMPORT)
    whole = take(tmp_path, paths)
    assert len(whole.kept) == 2
    partial = Source("source", "x", [Offer(IMPORT, str(tmp_path / IMPORT), tmp_path / IMPORT)], [gone(None)])
    taken = take_served(partial, paths)
    assert len(taken.kept) == 2 and told(taken, paths) == str(gone(None))


# --- vintages -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def vintages(tmp_path: Path, paths: Paths) -> intake.Taken:
    """2024 as known in February 2025, its last three quarters and the next as known in May, and 2024 once more in August."""
    place = tmp_path / "kiosk"
    lay(place, EXPORT, 10)
    lay(place, "202505-stat-regional-ce-export.zip", 20, ("2024T2", "2024T3", "2024T4", "2025T1"))
    lay(place, "202508-Regional-2024-export.zip", 30)
    return take(place, paths)


@pytest.mark.parametrize(
    ("vintage", "expected"),
    [
        ("202502", [10, 10, 10, 10]),
        ("202504", [10, 10, 10, 10]),
        ("202505", [10, 20, 20, 20, 20]),
        ("202508", [30, 30, 30, 30, 20]),
        (None, [30, 30, 30, 30, 20]),
    ],
)
def test_each_vintage_has_the_figures_of_its_month(vintages, paths, vintage, expected):
    assert list(dict(sorted(euros(vintages, paths, vintage).items())).values()) == expected


def test_dbt_reads_only_what_stands_and_nothing_is_extracted_twice(vintages, paths, monkeypatch):
    from pipeline.archive import rows

    monkeypatch.setattr(rows, "_unpack", None)
    ids = [kept.id for kept in vintages.kept]
    for vintage, stands in (("202502", ids[:1]), ("202505", ids[:2]), (None, ids[1:])):
        releases = tables.build(vintages.kept, paths.raw_tables, vintage=vintage)
        assert sorted(path.stem for path in paths.raw_tables.glob("echanges/*.parquet")) == sorted(stands)
        assert tables.read_releases(paths.raw_tables) == releases
    assert [release.nom[:6] for release in releases] == ["202502", "202505", "202508"]


def test_a_release_knows_which_of_its_quarters_newer_ones_give(vintages, paths):
    past = [r.trimestres_depasses for r in tables.build(vintages.kept, paths.raw_tables, vintage="202505")]
    assert past == ["2024T1 2024T2 2024T3 2024T4", "2024T2 2024T3 2024T4"]
    assert {r.trimestres_depasses for r in tables.build(vintages.kept, paths.raw_tables)} == {""}


def test_a_vintage_before_the_archive_began_is_refused_with_those_kept(vintages, paths):
    with pytest.raises(SettingError, match="202502, 202505, 202508") as caught:
        tables.build(vintages.kept, paths.raw_tables, vintage="202501")
    assert all((caught.value.where, caught.value.cause, caught.value.remedy))


def test_a_kept_vintage_is_served_without_the_source(tmp_path):
    place = tmp_path / "kiosk"
    lay(place)
    settings = Settings(source=str(place), home=tmp_path / "home", vintage="202502", accept="plausibility")
    paths = Paths(settings.home)
    assert intake.take(settings, paths).summary.startswith("1 new archives")
    assert open_source(settings, paths).id == next(paths.raw.iterdir()).name
    shutil.rmtree(place)
    assert [kept.name for kept in intake.take(settings, paths).kept] == [EXPORT]
    with pytest.raises(ComexError):
        intake.take(Settings(source=str(place), home=settings.home, vintage="202503"), paths)
