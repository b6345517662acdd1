"""When the dbt project is parsed: once for each version of it, in a place that nobody else may write."""

import os
import subprocess
from pathlib import Path

import pytest

from pipeline import dbt
from pipeline.errors import MachineError, OutputError


@pytest.fixture
def parses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A project of one model, and the calls of a dbt that writes what a parse leaves."""
    calls = []

    def parse(command: list[str], variables: dict[str, str]) -> None:
        calls.append(command[1:])
        for name in dbt.LEFT:
            (Path(variables["DBT_TARGET_PATH"]) / name).write_text("{}")

    (tmp_path / "project" / "models" / "marts").mkdir(parents=True)
    (tmp_path / "project" / "models" / "marts" / "one.sql").write_text("select 1")
    monkeypatch.setattr(dbt, "DBT_PROJECT", tmp_path / "project")
    monkeypatch.setattr(dbt, "_run", parse)
    monkeypatch.setenv("COMEX_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(dbt.tempfile, "tempdir", str(tmp_path / "scratch"))
    dbt.manifest()
    assert calls == [["parse"]]
    return calls


def test_a_project_that_did_not_change_is_parsed_once_below_the_home(parses: list[list[str]], tmp_path: Path) -> None:
    manifest = dbt.manifest()
    assert len(parses) == 1
    assert manifest.is_relative_to(tmp_path / "home") and manifest.name == "manifest.json"
    assert sorted(path.name for path in manifest.parent.iterdir() if path.suffix != ".lock" and path.name != ".lock") == [
        *dbt.LEFT
    ]
    assert [path.name for path in (tmp_path / "project").iterdir()] == ["models"]


def test_a_change_is_parsed_and_its_undoing_is_not(parses: list[list[str]], tmp_path: Path) -> None:
    first, model = dbt.manifest(), tmp_path / "project" / "models" / "marts" / "one.sql"
    model.write_text("select 2")
    assert dbt.manifest() != first and len(parses) == 2
    (model.parent / "two.sql").write_text("select 2")
    dbt.manifest()
    assert len(parses) == 3
    model.write_text("select 1")
    (model.parent / "two.sql").unlink()
    assert dbt.manifest() == first and len(parses) == 3


def test_two_copies_of_the_code_that_share_a_home_share_no_parse(
    parses: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = dbt.manifest()
    (tmp_path / "project").rename(tmp_path / "copy")
    monkeypatch.setattr(dbt, "DBT_PROJECT", tmp_path / "copy")
    assert dbt.manifest() != first and len(parses) == 2


@pytest.mark.parametrize("lost", dbt.LEFT)
def test_what_is_lost_is_made_again(parses: list[list[str]], lost: str) -> None:
    dbt.manifest().with_name(lost).unlink()
    assert dbt.manifest().with_name(lost).exists() and len(parses) == 2


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_parse_that_others_may_write_is_not_read(parses: list[list[str]], tmp_path: Path, mode: int) -> None:
    open_to_others = dbt.manifest().parent
    open_to_others.chmod(mode)
    manifest = dbt.manifest()
    assert manifest.is_relative_to(tmp_path / "scratch") and len(parses) == 2
    assert manifest.parent.stat().st_mode & 0o777 == 0o700


def test_a_link_to_a_parse_is_not_read(parses: list[list[str]], tmp_path: Path) -> None:
    folder = dbt.manifest().parent
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    assert dbt.manifest().is_relative_to(tmp_path / "scratch") and len(parses) == 2


def test_a_parse_of_another_user_is_not_read(parses: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = os.geteuid() + 1
    monkeypatch.setattr(dbt.os, "geteuid", lambda: other)
    assert not dbt.is_private(tmp_path)
    with pytest.raises(OutputError, match="A place for what dbt makes"):
        dbt.manifest()
    assert len(parses) == 1


def test_a_home_that_cannot_be_written_is_no_obstacle(
    parses: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COMEX_HOME", str(tmp_path / "file" / "home"))
    assert dbt.manifest().is_relative_to(tmp_path / "scratch") and len(parses) == 2


def test_a_dbt_without_memory_says_so_and_blames_no_test(monkeypatch: pytest.MonkeyPatch) -> None:
    said = (
        "Runtime Error in model int_x\n  Out of Memory Error: failed to allocate data of size 1.2 MiB (699.9 MiB/700.0 MiB used)"
    )
    failed = subprocess.CompletedProcess([], 1, stdout=said, stderr="")
    monkeypatch.setattr(dbt.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(MachineError) as caught:
        dbt._run(["dbt", "build"], {})
    assert "699.9 MiB/700.0 MiB used" in caught.value.expected_found
    assert "700.0 MiB" in caught.value.cause and "memory_limit" in caught.value.remedy
