"""Rows of an archive: every layout of text that the customs may send is read alike; a row that cannot be right is shown."""

from pathlib import Path

import duckdb
import pytest

from pipeline.archive import rows as text_rows
from pipeline.archive import tables
from pipeline.errors import ComexError, DataError, OutputError, ReleaseError
from tests.archives import PAYS, Row, keep, row, text, write_archive, year

NAME = "202502-Regional-2024-export.zip"
IMPORT = "202502-Regional-2024-import.zip"


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def build(tmp_path: Path, payload: list[Row] | bytes, name: str = NAME, labels: dict[str, bytes] | None = None) -> tables.Release:
    kept = keep(write_archive(tmp_path / name, payload, labels=labels), tmp_path / "raw")
    [release] = tables.build([kept], tmp_path / "tables")
    return release


def refused(tmp_path: Path, payload: list[Row] | bytes, check: str, *words: str, name: str = NAME) -> ComexError:
    """The error, in four parts; the tables of a former run are as they were and nothing is left aside."""
    good = keep(write_archive(tmp_path / "good" / NAME, year()), tmp_path / "raw")
    before = tables.build([good], tmp_path / "tables")
    present = files(tmp_path / "tables")
    with pytest.raises(ReleaseError) as caught:
        build(tmp_path, payload, name)
    error = caught.value
    assert error.check == check
    assert all((error.expected_found, error.where, error.cause, error.remedy))
    assert name in error.where
    for word in words:
        assert word in str(error)
    assert files(tmp_path / "tables") == present
    assert tables.read_releases(tmp_path / "tables") == before
    return error


def rows(tmp_path: Path) -> list[tuple]:
    return (
        duckdb.read_parquet(f"{tmp_path}/tables/echanges/*.parquet")
        .project("* exclude (release_id, motif_source, verdict)")
        .fetchall()
    )


# --- layouts of text ----------------------------------------------------------------------------------------------------

LINES = [";".join(fields) for fields in year()]


@pytest.mark.parametrize(
    "payload",
    [
        "\r\n".join([*LINES, ""]),
        "\n".join([*LINES, ""]),
        "\r".join([*LINES, ""]),
        f"{LINES[0]}\r\n{LINES[1]}\n{LINES[2]}\r{LINES[3]}\r\n",
        "\r\n".join(LINES),
        "\r".join(LINES),
        "\r\n".join([*LINES, "", ""]),
        "\n".join([LINES[0], "", *LINES[1:], ""]),
        "\ufeff" + "\r\n".join([*LINES, ""]),
        "\n".join(LINES).replace(";94;", ';"94";').replace(";DE;", ';"DE";'),
        "\n".join(LINES).replace(";94;", "; 94 ;"),
        "".join(f"{line};;\r\n" for line in LINES),
        "".join(f'"{line}"\r\n'.replace(";", '";"') for line in LINES),
    ],
    ids=[
        *("crlf", "lf", "cr", "mixed", "no_final_newline", "no_final_cr"),
        *("blank_last_line", "blank_in_the_middle", "bom", "quoted", "padded"),
        *("empty_columns", "quoted_throughout"),
    ],
)
def test_line_ends_bom_quotes_and_blanks_change_nothing(tmp_path, payload):
    release = build(tmp_path, payload.encode())
    assert (release.lignes, release.valeur_eur, release.trimestres) == (4, 4000, "2024T1 2024T2 2024T3 2024T4")
    assert sorted(rows(tmp_path)) == [("E", t, 2024, "94", "03", "C29A", "2910", "DE", 1000, 10) for t in (1, 2, 3, 4)]


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_a_line_end_cut_by_the_reader_s_chunks_is_one_line_end(tmp_path, monkeypatch, end):
    monkeypatch.setattr(text_rows, "CHUNK", 7)  # rows are 33 to 36 bytes long: cuts fall everywhere
    assert build(tmp_path, text([row(valeur=10 ** (n % 4), pays=PAYS[n % 9]) for n in range(400)], end)).lignes == 400
    assert {r[7] for r in rows(tmp_path)} == set(PAYS[:9])


def test_namibia_keeps_its_code_and_masses_may_be_missing(tmp_path):
    payload = [
        row(pays="NA"),
        row(masse=""),
        row(masse="12.5", valeur=7),
        row(masse="-3"),
        row(valeur=""),
        row(valeur=-5),
        row(masse="1" * 20),
    ]
    release = build(tmp_path, payload)
    assert {r[7] for r in rows(tmp_path)} == {"NA", "DE"}
    assert [r[8] for r in rows(tmp_path)].count(None) == 1 and -5 in [r[8] for r in rows(tmp_path)]
    assert (release.masses_absentes, release.masses_absentes_eur) == (4, 3007)
    assert release.valeur_eur == 4002


def test_repeated_keys_are_counted_with_their_euros(tmp_path):
    release = build(tmp_path, [row(valeur=1), row(valeur=2), row(valeur=4, pays="ES"), row(valeur=8, trimestre=2)])
    assert (release.lignes, release.cles_repetees, release.cles_repetees_eur) == (4, 1, 3)


def test_amounts_beyond_32_bits(tmp_path):
    assert build(tmp_path, [row(valeur=10**12), row(valeur=10**15)]).valeur_eur == 10**15 + 10**12


# --- rows that cannot be right ------------------------------------------------------------------------------------------


def test_a_header_row(tmp_path):
    header = b"Flux;Trimestre;Annee;Departement;Region;A129;CPF4;Pays;Valeur;Masse\r\n"
    refused(tmp_path, header + text(year()), "has_no_header", "1 of 5", "Flux;Trimestre", "line 1")


@pytest.mark.parametrize(
    ("valeur", "why"),
    [
        *(("12.5", "k€"), ("12,5", "k€"), ("1 234", "separators of thousands"), ("1e6", "scientific"), ("1_000", "thousands")),
        *(
            ("0x10", "not known"),
            ("--5", "not known"),
            ("1-2", "not known"),
            ("12\u202f345", "thousands"),
            ("9" * 19, "eighteen digits"),
        ),
    ],
)
def test_amounts_that_are_not_whole_euros(tmp_path, valeur, why):
    refused(tmp_path, [*year(), row(valeur=valeur)], "euros_are_whole", "1 of 5", f";{valeur};", "line 5", why)


def test_goods_in_the_other_order(tmp_path):
    refused(tmp_path, [row(a129="2910", cpf4="C29A")] * 3, "goods_are_in_official_order", "3 of 3", "line 1")


@pytest.mark.parametrize(
    ("trimestre", "annee"),
    [(5, 2024), (0, 2024), ("", 2024), ("T1", 2024), (1, 24), (1, 1999), (1, ""), (1, "20a4"), (2, 2025), (1, 2030)],
)
def test_quarters_that_cannot_be(tmp_path, trimestre, annee):
    refused(
        tmp_path,
        [*year(), row(trimestre=trimestre, annee=annee)],
        "quarter_is_plausible",
        "1 of 5",
        f"E;{trimestre};{annee};",
        "line 5",
    )


def test_a_quarter_that_began_before_the_release_was_made(tmp_path):
    assert build(tmp_path, [row(trimestre=1, annee=2025)], "202502-stat-regional-ce-export.zip").trimestres == "2025T1"


def test_an_unknown_flow(tmp_path):
    refused(tmp_path, [*year(), row("X")], "flow_is_known", "1 of 5", "X;1;2024", "line 5")
    refused(tmp_path, [*year(), row("")], "flow_is_known")


def test_imports_in_the_export_member(tmp_path):
    refused(tmp_path, [*year(), row("I")], "flow_is_the_announced_one", "1 of 5", "I;1;2024", "line 5")


@pytest.mark.parametrize("fields", [9, 11])
def test_a_row_of_nine_or_eleven_fields(tmp_path, fields):
    odd = ";".join([*row(), "x"][:fields]).encode() + b"\r\n"
    refused(tmp_path, text(year()) + odd + text(year()), "has_ten_fields", f"line 5 has {fields}", "E;1;2024")


def test_another_separator(tmp_path):
    refused(tmp_path, text(year()).replace(b";", b","), "has_ten_fields", "line 1 has 1")


def test_a_byte_that_is_no_utf_8(tmp_path):
    refused(
        tmp_path,
        text([*year(), row(departement="@")]).replace(b"@", b"\xe9"),
        "has_ten_fields",
        "line 5 holds bytes that are not UTF-8",
    )


def test_a_quotation_mark_that_is_never_closed(tmp_path):
    refused(tmp_path, text([*year(), row(pays='"DE'), *year()]), "has_ten_fields", "line 5 opens a quotation mark")


def test_lines_are_numbered_as_an_editor_does(tmp_path):
    refused(tmp_path, text(year()) + b"\r\n\r\n" + text([row(valeur="1,5")]), "euros_are_whole", "line 7")


@pytest.mark.parametrize(("payload", "size"), [(b"", 0), (b"\r\n", 1), (b"\xef\xbb\xbf", 0), (b"\n" * 10_000, 10_000)])
def test_an_empty_data_member(tmp_path, payload, size):
    refused(tmp_path, payload, "has_ten_fields", f"{size} bytes")


@pytest.mark.parametrize("where", ["data", "labels"])
def test_a_damaged_member(tmp_path, where):
    path = write_archive(tmp_path / IMPORT, year("I") * 2000, labels={"Libelle_PAYS.txt": b"DE;Allemagne;190001;999912\r\n" * 9})
    payload = bytearray(path.read_bytes())
    at = payload.index(b"Import.txt" if where == "data" else b"Libelle_PAYS.txt") + 30
    payload[at : at + 4] = b"\xff\xff\xff\xff"
    good = keep(write_archive(tmp_path / "good" / NAME, year()), tmp_path / "raw")
    tables.build([good], tmp_path / "tables")
    present = files(tmp_path / "tables")
    path.write_bytes(payload)
    with pytest.raises(ReleaseError, match="CRCs") as caught:
        tables.build([good, keep(path, tmp_path / "raw")], tmp_path / "tables")
    assert caught.value.check == "is_a_real_archive"
    assert f"{len(payload):,} bytes" in str(caught.value)
    assert files(tmp_path / "tables") == present


# --- several archives ---------------------------------------------------------------------------------------------------


def test_the_good_archives_before_a_bad_one_leave_no_table_either(tmp_path):
    good = keep(write_archive(tmp_path / NAME, year()), tmp_path / "raw")
    bad = keep(write_archive(tmp_path / IMPORT, [row("E")]), tmp_path / "raw")
    with pytest.raises(ReleaseError):
        tables.build([good, bad], tmp_path / "tables")
    assert not list((tmp_path / "tables").rglob(f"{bad.id}*"))
    assert not (tmp_path / "tables" / "releases").exists() and not list((tmp_path / "tables").glob("echanges/*"))


def test_tables_hold_the_archives_of_this_run_only_and_known_ones_are_not_read_again(tmp_path, monkeypatch):
    first, second = (
        keep(write_archive(tmp_path / name, year("I" if name == IMPORT else "E")), tmp_path / "raw") for name in (NAME, IMPORT)
    )
    tables.build([first, second], tmp_path / "tables")
    (tmp_path / "tables" / ".unpacked-killed").mkdir()  # what a killed run leaves
    monkeypatch.setattr(text_rows, "_unpack", None)
    [release] = tables.build([second], tmp_path / "tables")
    assert release.flux == "I"
    assert files(tmp_path / "tables" / "echanges") == [f"{second.id}.parquet"]
    assert files(tmp_path / "tables") == sorted(
        [
            "echanges",
            f"echanges/{second.id}.parquet",
            "facts",
            f"facts/{second.id}.json",
            "libelles",
            "libelles/libelles.parquet",
            "releases",
            "releases/releases.parquet",
            "set_aside",
        ]
    )


def test_the_same_bytes_under_two_names_count_once_under_the_newest_vintage(tmp_path):
    first = keep(write_archive(tmp_path / NAME, year()), tmp_path / "raw")
    (tmp_path / "202503-Regional-2024-export.zip").write_bytes((tmp_path / NAME).read_bytes())
    (tmp_path / "copie de 202502-Regional-2024-export.zip").write_bytes((tmp_path / NAME).read_bytes())
    others = [keep(tmp_path / name, tmp_path / "raw") for name in ("202503-Regional-2024-export.zip", f"copie de {NAME}")]
    [release] = tables.build([first, *others], tmp_path / "tables")
    assert (release.vintage, release.lignes) == ("202503", 4)


def test_labels_of_all_archives_are_kept(tmp_path):
    build(tmp_path, year(), labels={"Libelle_PAYS.txt": b"NA;Namibie;199001;999912\r\n"})
    [label] = duckdb.read_parquet(f"{tmp_path}/tables/libelles/libelles.parquet").fetchall()
    assert label[1:] == ("PAYS", "NA", "Namibie", "199001", "999912", "Libelle_PAYS.txt", "")


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise duckdb.IOException("Could not write file: No space left on device")

    kept = keep(write_archive(tmp_path / NAME, year()), tmp_path / "raw")
    monkeypatch.setattr(text_rows, "_check_and_write", full)
    with pytest.raises(OutputError, match="No space left"):
        tables.build([kept], tmp_path / "tables")
    assert files(tmp_path / "tables") == []


# --- periods ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    """Both flows of 2023 and 2024, and 2025T1 of exports alone."""
    tmp_path = tmp_path_factory.mktemp("releases")
    archives = [
        write_archive(tmp_path / f"{annee + 1}02-Regional-{annee}-{flux}.zip", year(flux[0].upper(), annee))
        for annee in (2023, 2024)
        for flux in ("export", "import")
    ]
    archives.append(write_archive(tmp_path / "202505-stat-regional-ce-export.zip", [*year(), row("E", 1, 2025)]))
    return tables.build([keep(path, tmp_path / "raw") for path in archives], tmp_path / "tables")


def test_a_year_is_four_quarters_of_both_flows(releases):
    assert tables.complete_years(releases) == [2023, 2024]
    assert tables.choose_period(releases, None) == "2024"
    assert tables.choose_period(releases, "2023") == "2023"
    assert tables.choose_period(releases, "2024T3") == "2024T3"


@pytest.mark.parametrize("wanted", ["2025", "2025T1", "2022", "2023T3"])
def test_an_incomplete_period_is_refused_with_the_quarters_found(releases, wanted):
    with pytest.raises(DataError) as caught:
        tables.choose_period(releases, wanted)
    error = caught.value
    assert error.check == "a_whole_period_is_present"
    assert wanted in error.expected_found and "exports: 2023T1" in error.expected_found
    assert "complete years: 2023, 2024" in error.cause
    assert all((error.where, error.cause, error.remedy))


def test_five_last_quarters_name_the_rolling_period_to_ask_for(tmp_path):
    quarters = [(2, 2024), (3, 2024), (4, 2024), (1, 2025), (2, 2025)]
    five = [
        build(tmp_path / flux, [row(flux, *quarter) for quarter in quarters], f"202508-stat-regional-ce-{word}.zip")
        for flux, word in (("E", "export"), ("I", "import"))
    ]
    with pytest.raises(DataError, match="--periode 2025T2") as caught:
        tables.choose_period(five, None)
    assert "complete years" not in caught.value.cause
    assert [tables.choose_period(five, periode) for periode in ("2025T1", "2025T2")] == ["2025T1", "2025T2"]
    with pytest.raises(DataError, match="2024T2 2024T3 2024T4 2025T1 2025T2"):
        tables.choose_period(five, "2024")


def test_three_quarters_are_no_year(releases, tmp_path):
    three = [build(tmp_path / flux, year(flux, trimestres=(1, 2, 3)), {"E": NAME, "I": IMPORT}[flux]) for flux in "EI"]
    with pytest.raises(DataError, match="exports: 2024T1 2024T2 2024T3; imports: 2024T1 2024T2 2024T3"):
        tables.choose_period(three, None)


def test_one_flow_is_no_year(releases):
    with pytest.raises(DataError, match="imports: nothing"):
        tables.choose_period([release for release in releases if release.flux == "E"], None)


def test_tables_of_other_code_are_made_again(tmp_path, monkeypatch):
    kept = keep(write_archive(tmp_path / NAME, year()), tmp_path / "raw")
    tables.build([kept], tmp_path / "tables")
    monkeypatch.setattr(text_rows, "_made_by", lambda: "other code")
    unpacked = []
    unpack = text_rows._unpack
    monkeypatch.setattr(text_rows, "_unpack", lambda kept, text: unpacked.append(kept.id) or unpack(kept, text))
    tables.build([kept], tmp_path / "tables")
    tables.build([kept], tmp_path / "tables")
    assert unpacked == [kept.id]


def test_what_is_set_aside_and_what_disagrees_is_told_with_its_archive(tmp_path):
    rows = [*[row(valeur=n) for n in range(400)], row(annee=2023, valeur=123), row(region="99", valeur=7)]
    release = build(tmp_path, rows)
    told, offenders = tables.beside_their_period([release])
    assert told == f"1 rows of 2023T1 (123 €) in {NAME}. They are set aside and stand for no quarter."
    assert offenders == [{"archive": NAME, "trimestres": "2023T1", "lignes": 1, "valeur_eur": 123}]
    assert tables.standing([release]).keys() == {("E", "2024T1")}
    told, offenders = tables.contradicting_themselves([release])
    assert f"1 rows (7 €) in {NAME}" in told and offenders[0]["lignes"] == 1
