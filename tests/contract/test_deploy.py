"""What `deploy/` promises an operator: settings that Dagster reads, units that call what exists, a UI for this machine alone."""

import configparser
import re
import tomllib
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


def settings(*names: str) -> str:
    return "".join((DEPLOY / name).read_text(encoding="utf-8") for name in names)


def unit(name: str) -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=True)
    parser.optionxform = str  # pyright: ignore[reportAttributeAccessIssue]
    parser.read(DEPLOY / f"comex-{name}.service", encoding="utf-8")
    assert set(parser.sections()) == {"Unit", "Service", "Install"}
    return parser["Service"]


def test_dagster_reads_the_settings_that_comex_writes(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text(settings("dagster.yaml"), encoding="utf-8")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_max_runtime_seconds == 10800
        assert instance.run_retries_enabled
        assert (instance.run_retries_max_retries, instance.run_retries_retry_on_asset_or_op_failure) == (0, False)
        assert instance.freshness_enabled
        assert not instance.telemetry_enabled
        assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 1  # pyright: ignore[reportOptionalMemberAccess]


def test_the_parts_for_a_database_and_for_pods_can_be_added_below() -> None:
    files = ("dagster.yaml", "dagster.postgres.yaml", "dagster.kubernetes.yaml")
    together = settings(*files)
    keys = re.findall(r"^(\w+):", together, re.MULTILINE)
    assert len(keys) == len(set(keys)) == len(yaml.safe_load(together))
    assert {"storage", "run_launcher"} <= set(keys)


@pytest.mark.parametrize("name", ["webserver", "daemon"])
def test_units_call_what_is_installed_as_a_user_of_its_own(name: str) -> None:
    service = unit(name)
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert service["ExecStartPre"] == "/opt/comex/.venv/bin/comex prepare"
    assert "comex" in scripts
    command = Path(service["ExecStart"].split()[0]).name
    assert (ROOT / ".venv/bin" / command).exists()
    assert (service["User"], service["ProtectSystem"], service["Restart"]) == ("comex", "strict", "always")
    assert "/srv/comex" in service["ReadWritePaths"].split()


def test_the_ui_answers_this_machine_alone_and_from_behind_its_guard() -> None:
    assert unit("webserver")["ExecStart"].startswith("/opt/comex/.venv/bin/comex ui --host 127.0.0.1 ")
    for path in (*DEPLOY.iterdir(), ROOT / "Makefile"):
        assert not re.search(r"dagster-webserver|dagster dev", path.read_text(encoding="utf-8")), path
    container = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    assert "-p 127.0.0.1:3000:3000" in container
    assert "\nUSER comex\n" in container


def test_nothing_starts_by_itself_until_an_operator_wants_it() -> None:
    from pipeline.definitions import defs

    repository = defs().get_repository_def()
    assert [sensor.name for sensor in repository.sensor_defs] == ["new_release"]
    assert [schedule.name for schedule in repository.schedule_defs] == ["daily_belt"]
    assert {item.default_status.value for item in (*repository.sensor_defs, *repository.schedule_defs)} == {"STOPPED"}


def test_archives_that_nobody_refreshed_for_a_quarter_are_told() -> None:
    from pipeline.definitions import defs

    policy = defs().resolve_asset_graph().get(dg.AssetKey(["raw", "archives"])).freshness_policy
    assert policy == dg.FreshnessPolicy.time_window(warn_window=timedelta(days=100), fail_window=timedelta(days=130))
