"""The house rules that a reader relies on, and the promises of the README."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "pipeline").rglob("*.py"))
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_module_says_what_it_is_what_to_add_and_what_to_keep_out(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert docstring
    if path.name not in ("__init__.py", "definitions.py"):
        assert "Add here" in docstring
        assert re.search(r"[Kk]eep\s+out", docstring)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_dagster_rooms_import_dagster(path: Path) -> None:
    allowed = "defs" in path.parts or path.name in ("definitions.py", "cli.py", "ui.py")
    imported = re.findall(r"^\s*(?:import|from) (dagster\w*)", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert allowed or not imported


def test_the_tour_names_every_room() -> None:
    tour = ast.get_docstring(ast.parse((ROOT / "pipeline/__init__.py").read_text(encoding="utf-8"))) or ""
    rooms = {path.name for path in (ROOT / "pipeline").iterdir() if path.name not in ("__init__.py", "__pycache__")}
    assert [room for room in rooms if room not in tour] == []


def test_every_make_target_of_the_readme_exists_and_the_other_way_round() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):.*##", makefile, re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)[ `]", README)) | set(re.findall(r"^make ([a-z]+)", README, re.MULTILINE))
    assert named == targets


def test_every_setting_is_in_the_readme() -> None:
    from pipeline.settings import Settings

    assert set(re.findall(r"`(COMEX_\w+)`", README)) == {f"COMEX_{name.upper()}" for name in Settings.model_fields}


def test_every_path_named_in_the_readme_exists() -> None:
    paths = re.findall(r"`((?:pipeline|dbt_project|tools|tests|docs)/[\w/.]+)`", README) + re.findall(
        r"\]\((docs/[\w.]+)\)", README
    )
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_lock_file_pins_every_dependency_with_hashes_and_names_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    pinned = {name.lower(): block for name, block in re.findall(r"^([\w.-]+)(?:\[\w+\])?==(.+(?:\n    .+)+)", lock, re.MULTILINE)}
    assert all("--hash=sha256:" in block for block in pinned.values())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = {re.match(r"[\w-]+", requirement)[0].lower() for requirement in wanted}  # pyright: ignore[reportOptionalSubscript]
    assert names - pinned.keys() == set()


def test_each_dependency_that_is_pinned_tightly_says_why() -> None:
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if re.search(r'^\s+"[\w\[\]-]+==', line) and "#" not in line] == []


def test_one_code_location_under_one_name() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    name = project["tool"]["dg"]["project"]["code_location_name"]
    assert f"location_name: {name}" in (ROOT / "workspace.yaml").read_text(encoding="utf-8")


def test_the_kernel_stays_small() -> None:
    """500 lines were the measure of assets and jobs alone; sensor, schedule and the page of checks came on top."""
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / "pipeline/defs").glob("*.py")}
    assert sum(lengths.values()) <= 560 and max(lengths.values()) <= 100, f"something pure is hiding in pipeline/defs: {lengths}"
