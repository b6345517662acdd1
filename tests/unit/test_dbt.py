"""When the dbt project is parsed: once, and anew after a change."""

import os
from pathlib import Path

import pytest

from pipeline import dbt


@pytest.fixture
def parses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A project of one model, and the calls of a dbt that writes what a parse leaves."""
    calls = []

    def parse(command: list[str], variables: dict[str, str]) -> None:
        calls.append(command[1:])
        for name in ("manifest.json", "partial_parse.msgpack"):
            (Path(variables["DBT_TARGET_PATH"]) / name).write_text("{}")

    (tmp_path / "models" / "marts").mkdir(parents=True)
    (tmp_path / "models" / "marts" / "one.sql").write_text("select 1")
    monkeypatch.setattr(dbt, "DBT_PROJECT", tmp_path)
    monkeypatch.setattr(dbt, "MANIFEST", tmp_path / "target" / "manifest.json")
    monkeypatch.setattr(dbt, "PARSED", tmp_path / "target" / "partial_parse.msgpack")
    monkeypatch.setattr(dbt, "_run", parse)
    dbt.manifest()
    assert calls == [["parse"]]
    return calls


def later(path: Path) -> None:
    """As if changed after all else."""
    newest = (dbt.PARSED.stat().st_mtime if dbt.PARSED.exists() else path.stat().st_mtime) + 10
    os.utime(path, (newest, newest))


def test_a_project_that_did_not_change_is_parsed_once(parses: list[list[str]]) -> None:
    assert dbt.manifest() == dbt.MANIFEST and len(parses) == 1
    assert sorted(path.name for path in dbt.MANIFEST.parent.iterdir() if path.suffix != ".lock") == [
        "manifest.json",
        "partial_parse.msgpack",
    ]


@pytest.mark.parametrize("changed", ["models/marts/one.sql", "models/marts"])  # a folder: something was added or removed
def test_a_change_is_parsed(parses: list[list[str]], tmp_path: Path, changed: str) -> None:
    later(tmp_path / changed)
    dbt.manifest()
    assert len(parses) == 2


@pytest.mark.parametrize("lost", ["manifest.json", "partial_parse.msgpack"])
def test_what_is_lost_is_made_again(parses: list[list[str]], tmp_path: Path, lost: str) -> None:
    (tmp_path / "target" / lost).unlink()
    dbt.manifest()
    assert len(parses) == 2 and (tmp_path / "target" / lost).exists()
