"""From a real server into the archive and back out by vintage."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.archive import intake, tables
from pipeline.errors import SourceError
from pipeline.paths import Paths
from pipeline.settings import Settings
from tests.archives import row, write_archive
from tests.kiosk import Fault, Kiosk

NAME, NEXT = "202502-Regional-2024-export.zip", "202505-stat-regional-ce-export.zip"


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    with Kiosk(tmp_path / "site") as served:
        yield served


def payload(tmp_path: Path, name: str, valeur: int, quarters: tuple[tuple[int, int], ...]) -> bytes:
    return write_archive(tmp_path / name, [row("E", *quarter, valeur=valeur) for quarter in quarters]).read_bytes()


def test_a_release_over_http_costs_one_request_when_unchanged_and_stays_when_withdrawn(kiosk: Kiosk, tmp_path: Path) -> None:
    settings = Settings(source=kiosk.url, home=tmp_path / "home", accept="plausibility", attempts=1)
    paths = Paths(settings.home)

    def take(**others: str) -> tuple[intake.Taken, str]:
        chosen = Settings(source=kiosk.url, home=tmp_path / "home", accept="plausibility", attempts=1, **others)
        taken = intake.take(chosen, paths)
        releases = tables.build(taken.kept, paths.raw_tables, vintage=chosen.vintage)
        return taken, "\n".join(map(str, taken.told_all(releases)))

    year = ((1, 2024), (2, 2024), (3, 2024), (4, 2024))
    kiosk.publish(NAME, payload(tmp_path, NAME, 1, year))
    first, told = take()
    assert told == "" and first.summary.startswith("1 new archives")
    kiosk.requests.clear()
    assert take()[0].summary == "0 new archives, 1 unchanged"
    assert [(request.path, request.status) for request in kiosk.requests][1:] == [(kiosk.path(NAME), 304)]

    kiosk.publish(NAME, payload(tmp_path, NAME, 2, year))  # issued again under the same name
    assert "4 quarters revised" in take()[0].summary

    kiosk.publish(NEXT, payload(tmp_path, NEXT, 3, (*year[1:], (1, 2025))))
    kiosk.faults[kiosk.path(NAME)] = Fault(status=404)
    taken, told = take()
    assert taken.summary.startswith("1 new archives, 0 unchanged")
    assert f"{NAME} (vintage 202502) is on offer no more" in told and "still stand for 2024T1" in told
    assert [kept.contents.vintage for kept in taken.kept] == ["202502", "202502", "202505"]
    assert list((taken.folder / "incoming").iterdir()) == []

    kiosk.requests.clear()
    taken, _ = take(vintage="202502")
    assert kiosk.requests == [] and "not asked" in taken.summary
    assert {release.valeur_eur for release in tables.read_releases(paths.raw_tables)} == {4, 8}

    kiosk.publish("202508-Regional-2024-export.zip", b"PK")
    kiosk.faults[kiosk.path("202508-Regional-2024-export.zip")] = Fault(status=404)
    with pytest.raises(SourceError, match="404"):  # never kept: an error
        take()
