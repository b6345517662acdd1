"""Numbers as a French reader expects them; a space in an expectation stands for any of the two special ones."""

from datetime import date
from decimal import Decimal

import pytest

from pipeline import typographie as t


def plain(text: str) -> str:
    assert " " not in text, "an ordinary space would let a line break inside a number"
    return text.replace(t.FINE, "_").replace(t.INSECABLE, "~")


@pytest.mark.parametrize(
    ("valeur", "decimales", "signe", "attendu"),
    [
        (1234.56, 1, False, "1_234,6"),
        (0.125, 2, False, "0,13"),
        (2.675, 2, False, "2,68"),
        (-1234567, 0, False, "−1_234_567"),
        (-0.04, 1, True, "0,0"),
        (0.04, 1, True, "0,0"),
        (0.05, 1, True, "+0,1"),
        (Decimal("999.95"), 1, False, "1_000,0"),
    ],
)
def test_nombre(valeur, decimales, signe, attendu):
    assert plain(t.nombre(valeur, decimales, signe=signe)) == attendu


@pytest.mark.parametrize(
    ("euros", "attendu"),
    [
        (5_415_800_000, "5_415,8~M€"),
        (50_000, "0,1~M€"),
        (49_999, "49_999~€"),
        (-49_999, "−49_999~€"),
        (0, "0~€"),
        (-81_000_000_000, "−81_000,0~M€"),
        (9_007_199_254_740_993, "9_007_199_254,7~M€"),
    ],
)
def test_millions(euros, attendu):
    assert plain(t.millions(euros)) == attendu


def test_montant_is_in_milliards_from_ten_on_or_from_the_threshold_given():
    assert plain(t.montant(141_666_300_000)) == "141,7~Md€"
    assert plain(t.montant(9_999_900_000)) == "9_999,9~M€"
    assert plain(t.montant(9_999_900_000, seuil=1_000_000_000)) == "10,0~Md€"
    assert plain(t.montant(-12_000_000_000, signe=True)) == "−12,0~Md€"


def test_a_figure_prints_its_amounts_in_as_few_units_as_can_be():
    assert plain(t.monnaie(9_999_999)(1_234_567)) == "1_234_567~€"
    assert plain(t.monnaie(50_000_000_000)(12_000_000_000)) == "12_000,0~M€"
    assert plain(t.monnaie(600_000_000_000)(1_500_000_000)) == "1,5~Md€"


def test_whole_euros_keep_every_digit():
    assert plain(t.euros(5_415_800_001)) == "5_415_800_001~€"


@pytest.mark.parametrize(
    ("valeur", "decimales", "attendu"),
    [
        (3.8234, 1, "3,8~%"),
        (0.9332, 2, "0,93~%"),
        (0.04, 1, "<~0,1~%"),
        (0.0, 1, "0,0~%"),
        (100.0, 1, "100,0~%"),
        (99.94, 1, "99,9~%"),
        (99.95, 1, ">~99,9~%"),
        (99.9999, 2, ">~99,99~%"),
        (100 - 1e-13, 1, "100,0~%"),  # a whole share, as a machine divides it
        (100.01, 1, "100,0~%"),
        (-0.04, 1, "0,0~%"),
    ],
)
def test_pct(valeur, decimales, attendu):
    assert plain(t.pct(valeur, decimales)) == attendu


def test_a_change_too_small_for_its_decimals_reads_alike_in_both_directions():
    assert plain(t.pct(0.004, 2, signe=True)) == plain(t.pct(-0.004, 2, signe=True)) == "0,00~%"


def test_a_fall_that_leaves_something_is_not_whole():
    assert plain(t.pct(-99.97, signe=True)) == "<~−99,9~%"
    assert plain(t.pct(-100.0, signe=True)) == "−100,0~%" and plain(t.pct(99.97, signe=True)) == "+100,0~%"


def test_dates_and_periods():
    assert t.jour(date(2025, 2, 1)) == "1er février 2025"
    assert t.jour(date(2025, 2, 11)) == "11 février 2025"
    assert t.mois("202508") == "août 2025"
    assert t.periode("2024") == "2024"
    assert t.periode("2025T3").replace(t.INSECABLE, " ") == "4 derniers trimestres, T4 2024–T3 2025"
    assert t.periode("2025T4").endswith("T1 2025–T4 2025")


def test_lists():
    assert [t.liste(items) for items in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a et b", "a, b et c"]


@pytest.mark.parametrize(
    ("valeur", "precision", "attendu"),
    [
        (598_300_000_000, 50_000_000, "598,3~Md€"),
        (-19_600_000_000, 150_000_000, "−19,6~Md€"),
        (68_000_000_000, 500_000_000, "68~Md€"),
        (12_280_000_000, 5_000_000, "12,28~Md€"),
        (25_477_000_000, 500_000, "25_477~M€"),
        (5_415_800_000, 50_000, "5_415,8~M€"),
    ],
)
def test_a_published_amount_keeps_the_precision_of_its_publication(valeur, precision, attendu):
    assert plain(t.arrondi(valeur, precision)) == attendu
