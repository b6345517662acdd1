"""Rows that contradict each other, their archive's name or its tables: any two columns exchanged, in the whole or in part."""

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest

from pipeline.archive import rows as text_rows
from pipeline.archive.diagnose import FIELDS
from pipeline.archive.inspect import Received, digest, inspect
from pipeline.errors import ReleaseError
from tests.archives import Row, country, row, seed, write_archive

NAME = "202502-Regional-2024-export.zip"
ROLLING = "202508-stat-regional-ce-export.zip"
REGIONS = {"Departement_region.txt": "".join(
    f"{zone['douane_code']};{zone['libelle_douane']};{zone['region_douane_code']};{zone['region_libelle_douane']}\r\n"
    for zone in seed("departements")
).encode()}  # fmt: skip


@pytest.fixture(scope="module")
def release() -> list[Row]:
    """A small release: 101 zones, four quarters, 4 848 rows."""
    return country("E", 2024, 1)


def judge(tmp_path: Path, rows: list[Row], name: str = NAME, labels: dict[str, bytes] | None = None) -> dict:
    path = write_archive(tmp_path / name, rows, labels=labels)
    return text_rows.extract(Received(name, path, digest(path), inspect(path)), tmp_path / "tables")


def refused(tmp_path: Path, rows: list[Row], check: str, *words: str, name: str = NAME, labels: dict[str, bytes] | None = None):
    with pytest.raises(ReleaseError) as caught:
        judge(tmp_path, rows, name, labels)
    error = caught.value
    assert error.check == check, error
    assert all((error.expected_found, error.where, error.cause, error.remedy)) and name in error.where
    for word in words:
        assert word in str(error), error
    assert not list((tmp_path / "tables").rglob("*.parquet")) and not list((tmp_path / "tables").glob(".*"))
    return error


def exchange(rows: list[Row], a: int, b: int, where: Callable[[Row], bool] = lambda _: True) -> list[Row]:
    """The rows with two of their fields exchanged, in those of which `where` holds."""

    def moved(fields: Row) -> Row:
        changed = list(fields)
        changed[a], changed[b] = fields[b], fields[a]
        return tuple(changed)

    return [moved(fields) if where(fields) else fields for fields in rows]


# --- columns exchanged --------------------------------------------------------------------------------------------------

PAIRS = [pair for pair in combinations(range(10), 2) if pair != (8, 9)]  # value and mass: euros per kilogram, `plausibility.py`


@pytest.mark.parametrize("pair", PAIRS, ids=[f"{FIELDS[a]}-{FIELDS[b]}" for a, b in PAIRS])
def test_any_two_columns_exchanged(tmp_path, release, pair):
    error = refused(tmp_path, exchange(release, *pair), error_of(pair))
    for column in pair:
        assert f"{column + 1} ({FIELDS[column]})" in error.cause, error
    assert error.facts["cause"] == "exchanged"


def error_of(pair: tuple[int, int]) -> str:
    if 0 in pair:
        return "flow_is_known"
    if pair == (5, 6):
        return "goods_are_in_official_order"
    if pair[0] in (1, 2):
        return "quarter_is_plausible"
    if pair == (3, 4):
        return "regions_follow_departements"
    return "euros_are_whole" if pair in ((3, 8), (5, 8)) else "codes_have_their_shape"


@pytest.mark.parametrize("labels", [None, REGIONS], ids=["alone", "with_its_table"])
@pytest.mark.parametrize(
    "where",
    [
        lambda fields: fields[1] == "3",
        lambda fields: fields[3] < "20",
        lambda fields: fields[3] == "94",  # all rows of one département: one in a hundred
        lambda fields: fields[3] == "48",
        lambda fields: int(fields[8]) % 40 == 0,
    ],
    ids=["one_quarter", "some_départements", "val_de_marne", "lozère", "here_and_there"],
)
def test_départements_and_régions_exchanged_in_a_part_of_the_rows(tmp_path, release, where, labels):
    error = refused(tmp_path, exchange(release, 3, 4, where), "regions_follow_departements", labels=labels)
    assert (error.facts["champ_a"], error.facts["champ_b"]) == ("4 (departement)", "5 (region)")
    assert error.facts["lignes"] == sum(where(fields) and fields[3] != fields[4] for fields in release)  # 12 is in région 12


def test_départements_and_régions_exchanged_in_a_file_of_a_few_rows(tmp_path):
    few = [row(trimestre=t, departement="94", region="03") for t in (1, 2, 3, 4)]
    assert judge(tmp_path / "good", few)["codes_contredits"] == 0
    refused(tmp_path, exchange(few, 3, 4), "regions_follow_departements", "4 of 4", "« 03;94 » is another", "4 (departement)")


def test_goods_exchanged_in_one_row(tmp_path, release):
    refused(
        tmp_path,
        exchange(release, 5, 6, lambda fields: fields is release[7]),
        "goods_are_in_official_order",
        "1 of 4,848",
        "line 8",
    )


def test_three_columns_in_another_order(tmp_path, release):
    turned = [(f, t, a, d, r, pays, a129, cpf4, v, m) for f, t, a, d, r, a129, cpf4, pays, v, m in release]
    error = refused(tmp_path, turned, "codes_have_their_shape")
    assert error.facts["ordre"] == "7 (cpf4) → 6; 8 (pays) → 7; 6 (a129) → 8"


# --- régions and goods ----------------------------------------------------------------------------------------------------

FORMER = {"01": "82", "02": "22", "03": "83", "18": "24", "24": "72", "22": "53"}  # some of before 2016


@pytest.mark.parametrize("annee", [2014, 2024])
@pytest.mark.parametrize("labels", [None, REGIONS], ids=["alone", "with_a_table_of_other_régions"])
def test_régions_of_another_time_pass(tmp_path, annee, labels):
    """Whatever they are called: each département has one of its own here, and a table that speaks of others is not asked."""
    rows = [
        (*fields[:4], FORMER.get(fields[3], str(70 - n % 22)), *fields[5:])
        for n, zone in enumerate(seed("departements"))
        for fields in country("E", annee, 1)
        if fields[3] == zone["douane_code"]
    ]
    name = f"{annee + 1}02-Regional-{annee}-export.zip"
    assert judge(tmp_path, rows, name, labels)["codes_contredits"] == 0
    refused(tmp_path / "x", exchange(rows, 3, 4), "regions_follow_departements", "exchanged", name=name, labels=labels)


def test_régions_that_changed_in_2016_pass_in_one_rolling_archive(tmp_path):
    rows = [
        *((*fields[:4], FORMER.get(fields[3], "52"), *fields[5:]) for fields in country("E", 2015, 1, (2, 3, 4))),
        *country("E", 2016, 1, (1, 2)),
    ]
    facts = judge(tmp_path, rows, "201608-stat-regional-ce-export.zip", REGIONS)
    assert facts["codes_contredits"] == 0 and facts["trimestres"] == "2015T2 2015T3 2015T4 2016T1 2016T2"


def test_two_départements_taken_for_each_other_contradict_the_archive_s_own_table(tmp_path, release):
    other = {"94": "59", "59": "94"}
    rows = [(*fields[:3], other[fields[3]] if fields[3] in other else fields[3], *fields[4:]) for fields in release]
    refused(tmp_path, rows, "regions_follow_departements", "« 59;03 »", labels=REGIONS)


def test_a_département_recoded_as_another(tmp_path, release):
    rows = [(*fields[:3], "59" if fields[3] == "94" else fields[3], *fields[4:]) for fields in release]
    error = refused(tmp_path, rows, "regions_follow_departements", "48 of 4,848")
    assert error.facts["cause"] == "unknown"


def test_a_few_rows_that_contradict_each_other_are_told(tmp_path, release):
    rows = [*release, row(region="99", valeur=7), row(region="", valeur=70), row(a129="C30A", cpf4="2910", valeur=700)]
    facts = judge(tmp_path, rows, labels=REGIONS)
    assert (facts["codes_contredits"], facts["codes_contredits_eur"], facts["lignes"]) == (2, 707, 4851)


def test_a_column_of_goods_sorted_apart_from_the_others(tmp_path, release):
    rows = [
        (*fields[:5], a129, *fields[6:]) for fields, a129 in zip(release, sorted(fields[5] for fields in release), strict=True)
    ]
    error = refused(tmp_path, rows, "goods_follow_their_nomenclature", "field 6 (a129)")
    assert error.facts["cause"] == "unknown" and "not known" in error.cause


def test_one_good_under_another_s_code_in_all_its_rows(tmp_path, release):
    rows = [(*fields[:5], "C10A" if fields[6] == "3511" else fields[5], *fields[6:]) for fields in release]
    refused(tmp_path, rows, "goods_follow_their_nomenclature", "« C10A;3511 » is another")


# --- zeros --------------------------------------------------------------------------------------------------------------


def test_codes_without_their_zeros(tmp_path, release):
    rows = [(*f[:3], f[3].lstrip("0"), f[4].lstrip("0"), f[5], f[6].lstrip("0"), *f[7:]) for f in release]
    lost = sum(f[3].startswith("0") or f[6].startswith("0") for f in release)
    error = refused(tmp_path, rows, "codes_keep_their_zeros", f"{lost:,} of 4,848", "zeros at the start of codes are lost")
    assert error.facts["cause"] == "zeros_lost"


def test_goods_alone_without_their_zeros_in_a_region_where_few_have_one(tmp_path):
    rows = [row(departement="94", cpf4="2910") for _ in range(4000)] + [row(a129="A01Z", cpf4="111") for _ in range(30)]
    refused(tmp_path, rows, "codes_keep_their_zeros", "30 of 4,030", "« 111 »")


def test_one_code_without_its_zero_is_an_unknown_code(tmp_path, release):
    assert judge(tmp_path, [*release, row(departement="1", region="18"), row(region="3")])["lignes"] == 4850


# --- periods ------------------------------------------------------------------------------------------------------------


def test_a_stray_row_of_another_year_stands_for_no_quarter(tmp_path, release):
    facts = judge(tmp_path, [*release, row(annee=2023, valeur=123)])
    assert facts["trimestres"] == "2024T1 2024T2 2024T3 2024T4" and "2023T1" not in facts["par_trimestre"]
    assert (facts["hors_periode"], facts["hors_periode_eur"], facts["hors_periode_trimestres"]) == (1, 123, "2023T1")
    assert facts["lignes"] == 4849 == 1 + sum(quarter["lignes"] for quarter in facts["par_trimestre"].values())


def test_many_rows_of_another_year_are_refused(tmp_path, release):
    rows = [*release, *(row(annee=2023) for _ in range(60))]
    refused(tmp_path, rows, "rows_are_of_the_announced_period", "60 of 4,908", "2023T1 (60 rows)", "several periods")


def test_a_file_of_another_year_than_its_name(tmp_path):
    rows = country("E", 2023, 1)
    refused(tmp_path, rows, "rows_are_of_the_announced_period", "named after 2024", "rows are of 2023", "4,848 of 4,848")


def test_a_quarter_of_a_few_rows_is_not_given(tmp_path):
    rows = country("E", 2024, 1, (1, 2, 3))
    facts = judge(tmp_path, [*rows, row(trimestre=4, valeur=9)])
    assert (facts["trimestres"], facts["hors_periode"], facts["hors_periode_eur"]) == ("2024T1 2024T2 2024T3", 1, 9)
    many = [*rows, *(row(trimestre=4) for _ in range(90))]
    refused(tmp_path / "x", many, "rows_are_of_the_announced_period", "2024T4 (90 rows)", "only in part")


@pytest.mark.parametrize("stray", [(1, 2023), (1, 2024), (3, 2025)])
def test_rolling_quarters_and_a_stray_one(tmp_path, stray):
    rows = [*country("E", 2024, 1, (2, 3, 4)), *country("E", 2025, 1, (1, 2)), row("E", *stray, valeur=5)]
    facts = judge(tmp_path, rows, ROLLING)
    assert facts["trimestres"] == "2024T2 2024T3 2024T4 2025T1 2025T2"
    assert (facts["hors_periode"], facts["hors_periode_eur"]) == (1, 5)


def test_a_whole_quarter_under_another_year_is_not_one_of_the_rolling_ones(tmp_path):
    rows = [*country("E", 2024, 1, (2, 3, 4)), *country("E", 2025, 1, (2,)), *country("E", 2022, 1, (1,))]
    refused(tmp_path, rows, "rows_are_of_the_announced_period", "2022T1 (1,212 rows)", name=ROLLING)


# --- values ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("marker", ["c", "s", "nd", "n.d.", "***", ":", "-", "ND", "secret", "…"])
def test_a_few_suppressed_values_are_kept_apart(tmp_path, release, marker):
    import duckdb

    facts = judge(tmp_path, [*release, row(valeur=marker), row(valeur=""), row(valeur=-8)])
    assert [facts[f"valeurs_{kind}"] for kind in ("supprimees", "vides", "negatives", "negatives_eur")] == [1, 1, 1, -8]
    found = duckdb.read_parquet(f"{tmp_path}/tables/set_aside/*.parquet").filter("motif_source is not null")
    assert found.project("valeur_eur, masse_kg, motif_source").fetchall() == [(None, 10, "valeur_supprimee")]
    text_rows.refuse_suppressed(received(tmp_path), facts)


def test_many_suppressed_values_are_refused_for_that(tmp_path, release):
    rows = [*release[100:], *((*fields[:8], "c" if n % 3 else "nd", fields[9]) for n, fields in enumerate(release[:100]))]
    facts = judge(tmp_path, rows)
    with pytest.raises(ReleaseError, match=r"100 of 4,848 \(2\.1%\) have « c », « nd »") as caught:
        text_rows.refuse_suppressed(received(tmp_path), facts)
    error = caught.value
    assert error.check == "values_are_published" and "suppresses" in error.cause and "COMEX_QUARANTAINE_MAX_PCT" in error.remedy
    assert error.facts["premieres"][0][0] == 4749 and "k€" not in str(error)
    text_rows.refuse_suppressed(received(tmp_path), facts, limit_pct=3)


def received(tmp_path: Path) -> Received:
    path = tmp_path / NAME
    return Received(NAME, path, digest(path), inspect(path))
