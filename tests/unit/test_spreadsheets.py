"""Text that a spreadsheet would run: neutralised, and given back as it came."""

import csv
import io

import duckdb
import pandas as pd
import pytest

from pipeline.spreadsheets import SQL, neutralise, neutralised, restore
from tests.archives import seed

RISKY = {
    "=cmd|' /C calc'!A0": "'=cmd|' /C calc'!A0",
    "+1+1": "'+1+1",
    "-2+3": "'-2+3",
    "@SUM(A1)": "'@SUM(A1)",
    " =1": " '=1",
    "\u00a0=1": "\u00a0'=1",
    "\t=1": "\t'=1",
    "\r=1": "\r'=1",
    "a\n=1": "a\n'=1",
    "textiles;=1+1": "textiles;'=1+1",  # a French spreadsheet begins a cell after the semicolon
    "=1;=2": "'=1;'=2",
    "'=1": "''=1",  # it came with an apostrophe of its own
    "\uff1d1": "'\uff1d1",
}
HARMLESS = ("", "'", "'été", "a=b", "A-B", "x + y", "Côte d'Ivoire", "1;2", "a ; b", "R&D - études")


@pytest.mark.parametrize(("text", "safe"), RISKY.items(), ids=ascii)
def test_a_text_that_would_be_run_gets_an_apostrophe_and_loses_it_again(text, safe):
    assert neutralise(text) == safe
    assert restore(safe) == text


@pytest.mark.parametrize("text", HARMLESS)
def test_other_text_is_left_as_it_is(text):
    assert neutralise(text) == text == restore(text)


@pytest.mark.parametrize("text", [*RISKY, *HARMLESS], ids=ascii)
def test_duckdb_does_the_same(text):
    [(found,)] = duckdb.connect().execute(f"select {SQL.format(column='$1')}", [text]).fetchall()
    assert found == neutralise(text)


def test_numbers_and_missing_values_of_a_frame_are_not_touched():
    frame = pd.DataFrame({"a": ["-1+1", None], "b": [-3, 4], "c": [-0.5, None], "d": pd.array([-7, None], "Int64")})
    written = neutralised(frame).to_csv(index=False)
    assert list(csv.reader(io.StringIO(written)))[1:] == [["'-1+1", "-3", "-0.5", "-7"], ["", "4", "", ""]]


def test_no_label_of_ours_is_changed():
    """Otherwise every file would differ from its mart."""
    for name in ("pays", "nomenclature_a129", "nomenclature_a38", "nomenclature_cpf4", "regions", "departements"):
        assert [value for row in seed(name) for value in row.values() if neutralise(value) != value] == []
