"""What starts by itself: ticks of the sensor and the schedule, with the real definitions, and runs that were left behind."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import pytest

from pipeline import cli
from pipeline.errors import OutputError, SettingError
from pipeline.outputs import hold
from pipeline.paths import Paths
from pipeline.settings import ROOT, Settings
from pipeline.sources import open_source
from tests.archives import keep, row, write_archive

PAIR = [f"202502-Regional-2024-{flux}.zip" for flux in ("export", "import")]
NEXT = [f"202505-Regional-2024-{flux}.zip" for flux in ("export", "import")]
COUNTRY = {"dagster/asset_partition_range_start": "01", "dagster/asset_partition_range_end": "976"}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source of two archives that are kept, and the environment of a server that watches it."""
    source = tmp_path / "source"
    monkeypatch.setenv("COMEX_SOURCE", str(source))
    monkeypatch.setenv("COMEX_HOME", str(tmp_path / "home"))
    for name in PAIR:
        write_archive(source / name, [row("I" if "import" in name else "E")])
        keep(source / name, store())
    return source


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


def paths() -> Paths:
    return Paths(Settings().home)


def store() -> Path:
    place = Path(Settings().source)
    place.mkdir(exist_ok=True)
    return paths().raw / open_source(Settings(), paths()).id


def drop(place: Path, names: list[str], lines: int = 1) -> None:
    for name in names:
        write_archive(place / name, [row("I" if "import" in name else "E")] * lines)


def look(instance: dg.DagsterInstance, cursor: str | None = None) -> Any:
    """One tick of the sensor, as the daemon takes it."""
    from pipeline.definitions import defs

    repository = defs().get_repository_def()
    with dg.build_sensor_context(instance=instance, cursor=cursor, repository_def=repository) as context:
        return repository.get_sensor_def("new_release").evaluate_tick(context)


def belt(instance: dg.DagsterInstance) -> Any:
    """One tick of the schedule."""
    from pipeline.definitions import defs

    with dg.build_schedule_context(instance, scheduled_execution_time=datetime.now(UTC)) as context:
        return defs().get_repository_def().get_schedule_def("daily_belt").evaluate_tick(context)


def record(instance: dg.DagsterInstance, status: dg.DagsterRunStatus, tags: dict[str, str] = COUNTRY) -> dg.DagsterRun:
    return instance.add_run(dg.DagsterRun("everything", run_id=str(uuid4()), status=status, tags=tags))


def test_one_run_for_all_that_is_new_and_none_twice(place: Path, instance: dg.DagsterInstance) -> None:
    first = look(instance)
    assert (first.run_requests, first.cursor) == ([], None)
    assert "2 archives on offer" in first.skip_message
    drop(place, NEXT)
    found = look(instance)
    [request] = found.run_requests
    assert request.tags.items() >= COUNTRY.items()
    assert request.tags["comex/archives"] == ", ".join(NEXT)
    assert json.loads(found.cursor).keys() == {str(place / name) for name in PAIR + NEXT}
    assert look(instance, found.cursor).run_requests == []
    assert look(instance).run_requests[0].run_key == request.run_key  # a cursor that is lost asks for the same run


def test_a_release_issued_again_is_another_run(place: Path, instance: dg.DagsterInstance) -> None:
    drop(place, NEXT)
    first = look(instance)
    drop(place, NEXT[:1], lines=2)
    second = look(instance, first.cursor)
    assert second.run_requests[0].tags["comex/archives"] == NEXT[0]
    assert second.run_requests[0].run_key != first.run_requests[0].run_key


def test_nothing_is_launched_while_a_run_is_under_way(place: Path, instance: dg.DagsterInstance) -> None:
    drop(place, NEXT)
    for status in ("NOT_STARTED", "STARTING", "STARTED", "CANCELING"):
        run = record(instance, dg.DagsterRunStatus[status])
        for tick in (look(instance), belt(instance)):
            assert tick.run_requests == []
            assert run.run_id[:8] in tick.skip_message
        instance.delete_run(run.run_id)
    assert len(look(instance).run_requests) == 1


def test_a_source_that_is_gone_makes_the_tick_fail_in_four_parts(place: Path, instance: dg.DagsterInstance) -> None:
    place.rename(place.with_name("unmounted"))
    for tick in (look, belt):
        with pytest.raises((SettingError, dg.DagsterError)) as caught:
            tick(instance)
        told = str(caught.value.__cause__ or caught.value)
        assert all(part in told for part in ("is none of them", "where:", "likely cause:", "what to do:"))


def test_the_example_is_not_looked_at(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COMEX_SOURCE", "example")
    monkeypatch.setenv("COMEX_HOME", str(tmp_path / "home"))
    assert "COMEX_SOURCE" in look(instance).skip_message
    assert "COMEX_SOURCE" in belt(instance).skip_message
    assert not (tmp_path / "home").exists()


def test_the_belt_trusts_the_archive_alone_and_mends_a_failed_country(place: Path, instance: dg.DagsterInstance) -> None:
    assert "Nothing new" in belt(instance).skip_message
    record(instance, dg.DagsterRunStatus.FAILURE, tags=COUNTRY | {"dagster/asset_partition_range_start": "976"})
    assert belt(instance).run_requests == []  # one département, made by hand
    record(instance, dg.DagsterRunStatus.FAILURE)
    assert belt(instance).run_requests[0].tags["comex/archives"] == "none"
    record(instance, dg.DagsterRunStatus.SUCCESS)
    assert belt(instance).run_requests == []
    drop(place, NEXT)
    assert belt(instance).run_requests[0].tags["comex/archives"] == ", ".join(NEXT)


def test_runs_of_processes_that_are_gone_are_closed_and_living_ones_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Paths(tmp_path / "home")
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "")
    cli.prepare(home)
    with dg.DagsterInstance.get() as instance:
        run = record(instance, dg.DagsterRunStatus.STARTED)
        with hold(home), pytest.raises(OutputError, match="another run holds them"):
            cli.close_dead_runs(home)
        assert instance.get_runs(dg.RunsFilter([run.run_id]))[0].status is dg.DagsterRunStatus.STARTED
        cli.close_dead_runs(home)
        assert instance.get_runs(dg.RunsFilter([run.run_id]))[0].status is dg.DagsterRunStatus.FAILURE


def test_the_settings_of_an_operator_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "")
    home = Paths(tmp_path / "home")
    home.dagster.mkdir(parents=True)
    (home.dagster / "dagster.yaml").write_text("telemetry:\n  enabled: false\n", encoding="utf-8")
    cli.prepare(home)
    assert (home.dagster / "dagster.yaml").read_text(encoding="utf-8") == "telemetry:\n  enabled: false\n"


def test_settings_that_lead_to_no_storage_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "")
    monkeypatch.delenv("DAGSTER_POSTGRES_URL", raising=False)
    home = Paths(tmp_path / "home")
    home.dagster.mkdir(parents=True)
    (home.dagster / "dagster.yaml").write_text((ROOT / "deploy/dagster.postgres.yaml").read_text(encoding="utf-8"), "utf-8")
    cli.prepare(home)
    with pytest.raises(SettingError, match=r"opening it failed.*DAGSTER_POSTGRES_URL") as caught:
        cli.close_dead_runs(home)
    assert caught.value.where == str(home.dagster / "dagster.yaml")
