"""docs/source.md names only settings, checks, constants, files and tests that exist, and every setting about the source."""

import ast
import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from pipeline import controles, errors
from pipeline.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "source.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if re.match(r"\| [^-a]", line)]
CHECKS = {controle.nom for controle in controles.python()}
# What the columns may name besides: tags of HTML, an ending of a name, a command.
WORDS = {"a", "area", "base", "_0", "comex doctor"}


@cache
def functions(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def exists(name: str) -> bool:
    if "::" in name:
        path, _, function = name.partition("::")
        return (ROOT / path).is_file() and function in functions(path)
    if "/" in name:
        return (ROOT / name).exists()
    if name.startswith("COMEX_"):
        return name.removeprefix("COMEX_").lower() in Settings.model_fields
    if name.startswith("--"):
        return f"{name[2:]}:" in (ROOT / "pipeline" / "cli.py").read_text(encoding="utf-8")
    if "." in name:
        module, _, attribute = name.rpartition(".")
        return hasattr(import_module(f"pipeline.{module}"), attribute)
    return name in CHECKS or name in WORDS or hasattr(errors, name)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_each_assumption_names_what_exists_and_a_test_that_breaks_it(row: list[str]) -> None:
    assumption, sure, *rest = row
    assert len(rest) == 3 and all(rest)
    assert assumption.endswith(".")
    assert sure in ("likely", "unknown")
    assert [name for name in re.findall(r"`([^`]+)`", " ".join(rest)) if not exists(name)] == []
    assert re.fullmatch(r"`tests/[\w/]+\.py::test_\w+`(, `tests/[\w/]+\.py::test_\w+`)*", rest[2])


def test_what_does_not_exist_is_found_out() -> None:
    names = ("COMEX_NONE", "no_check", "archive.inspect.NONE", "docs/none.md", "tests/unit/test_sources.py::test_none", "--none")
    assert [name for name in names if exists(name)] == []


def test_every_setting_about_the_source_is_named() -> None:
    about_outputs = {"home", "source", "periode", "vintage", "niveau_produit", "logo", "accept", "ui_hosts", "ui_read_only"}
    named = set(re.findall(r"`COMEX_(\w+)`", TEXT))
    assert {name for name in Settings.model_fields if name.upper() not in named} == about_outputs


def test_every_test_on_assumptions_is_in_the_table() -> None:
    path = "tests/unit/test_source_assumptions.py"
    assert {name for name in functions(path) if name.startswith("test_")} == set(re.findall(rf"`{path}::(\w+)`", TEXT))
