"""Label files: read in each form that the customs use, and refused with the true cause before their archive is kept."""

import json
from pathlib import Path

import pytest

from pipeline.archive import intake, labels
from pipeline.archive.inspect import inspect
from pipeline.archive.intake import BLOCKING
from pipeline.archive.labels import DATES, FIELDS, ONCE, TEXT
from pipeline.charts.texte import imprimable, indessinables
from pipeline.errors import ReleaseError
from pipeline.paths import Paths
from tests.archives import keep, take, write_archive, year

NAME = "202502-Regional-2024-export.zip"
TABLE = '0111;"Céréales ; légumineuses";201501;999912\r\n0112;Œufs | plumes’;201501;999912\r\n'
GOOD = "DE;Allemagne;190001;999912\r\nBE;Belgique;199901;999912\r\n"


def read(tmp_path: Path, members: dict[str, bytes]) -> list[labels.Label]:
    path = write_archive(tmp_path / NAME, year(), labels=members)
    return labels.read(path, inspect(path))


# --- read ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_labels_in_each_encoding_with_quotes(tmp_path, encoding):
    assert [label[:5] for label in read(tmp_path, {"x/Libelle_CPF4_rev2.1_2.txt": TABLE.encode(encoding)})] == [
        ("CPF4", "0111", "Céréales ; légumineuses", "201501", "999912"),
        ("CPF4", "0112", "Œufs ; plumes’", "201501", "999912"),
    ]


def test_labels_are_found_under_all_their_names_and_without_dates_are_in_force(tmp_path):
    members = {
        "Regional/Libelle_PAYS.txt": b"XS;Saba;190001;200505\r\nXS;Serbie;200506;999912\r\nNA;Namibie;199001;\r\n",
        "Regional/libelle_a129.TXT": b"Code;Libelle;Debut;Fin\r\nA01Z;Cultures\r\n\r\n",
        "Regional/Libelle_CPF4.txt": b"",
        "Regional/Departement_region.txt": b"01;Ain;18;Rhone\r\n",
    }
    assert read(tmp_path, members) == [
        ("A129", "A01Z", "Cultures", "190001", "999912", "libelle_a129.TXT", ""),
        ("PAYS", "XS", "Saba", "190001", "200505", "Libelle_PAYS.txt", ""),
        ("PAYS", "XS", "Serbie", "200506", "999912", "Libelle_PAYS.txt", ""),
        ("PAYS", "NA", "Namibie", "199001", "999912", "Libelle_PAYS.txt", ""),
    ]


@pytest.mark.parametrize("other", ["Libelle_CPF4_rev2.1_2.txt", "Libelle_CPF4_lisez-moi.txt", "Regional/libelle_cpf4.txt"])
def test_no_label_file_hides_another_of_its_kind(tmp_path, other):
    found = read(tmp_path, {"Libelle_CPF4_rev2.1.txt": b"9911;Genre nouveau\r\n", other: b"9912;Autre genre\r\n"})
    assert {label.code for label in found} == {"9911", "9912"}


def test_the_same_label_written_in_two_ways_is_one(tmp_path):
    members = {
        "Libelle_CPF4.txt": "2612;Cartes | pièces d'œuvre\r\n".encode(),
        "Libelle_CPF4_rev2.1.txt": '2612;"CARTES ; PIECES D’OEUVRE"\r\n'.encode("cp1252"),
    }
    assert len(read(tmp_path, members)) == 2


@pytest.mark.parametrize(
    ("member", "told"),
    [
        ("Libelle_CPF4.txt", ""),
        ("x/Libelle_CPF4_rev2.1.txt", "2.1"),
        ("Libelle_CPF4_rev2.1_2.txt", "2.1"),
        ("Libelle_CPF4_REV2.2.TXT", "2.2"),
        ("Libelle_A129_NAF2025.txt", "2025"),
        ("Libelle_A129_2025.txt", "2025"),
        ("Libelle_A129.txt", ""),
    ],
)
def test_a_member_s_name_tells_the_revision(member, told):
    assert labels.revision(member) == told


# --- refused ------------------------------------------------------------------------------------------------------------

REFUSED = [
    (FIELDS, "DE;" + "A" * 200_000 + ";190001;999912\r\n", "field larger than field limit"),
    (FIELDS, "DE;" + "A" * 1_001 + ";190001;999912\r\n", "a field of 1,001 characters"),
    (FIELDS, "DE,Allemagne,190001,999912\r\n", "another separator than « ; »"),
    (FIELDS, "DE\r\n", "a line that is cut"),
    (FIELDS, "DE;Allemagne ; RFA;190001;999912\r\n", "a « ; » inside a label without quotation marks"),
    (FIELDS, ";Allemagne;190001;999912\r\n", "a code that was lost"),
    (TEXT, GOOD.encode("utf-16"), "found UTF-16"),
    (TEXT, GOOD.encode("utf-16-le"), "found UTF-16"),
    (TEXT, "CI;Côte d\x81Ivoire;190001;999912\r\n".encode("latin-1"), "nor Windows-1252, which has no 0x81"),
    (TEXT, "BR;Brésil;190001;999912\r\n".encode("cp850"), "a file in a DOS or Mac code page"),
    (TEXT, "BR;Brésil;190001;999912\r\n".encode("mac-roman"), "a file in a DOS or Mac code page"),
    (TEXT, "BR;Br\ufffdsil;190001;999912\r\n", "1 times U+FFFD, the sign for what could not be read, in line 3"),
    (TEXT, "BR;BrÃ©sil;190001;999912\r\n", "converted twice"),
    (TEXT, "BR;Br\x00sil;190001;999912\r\n", "found U+0000"),
    (TEXT, "BR;Br\x1b[31msil;190001;999912\r\n", "found U+001B"),
    (TEXT, "B\u202eR;Brésil;190001;999912\r\n", "found U+202E (right-to-left override)"),
    (TEXT, "B\u2067R;Brésil;190001;999912\r\n", "turns what follows around"),
    (TEXT, 'BR;"Brésil;190001;999912\r\nCL;Chili\r\n', "a quotation mark that is not closed on its line"),
    (TEXT, "\x1a", "an end-of-file mark of DOS"),
    (DATES, "BR;Brésil;2009-01;999912\r\n", "dates in another notation"),
    (DATES, "BR;Brésil;200913;999912\r\n", "found '200913' and '999912'"),
    (DATES, "BR;Brésil;202501;202412\r\n", "the first month lies after the last one"),
    (ONCE, "DE;Bavière;202501;999912\r\n", "« Allemagne » (190001–999912"),
]


@pytest.mark.parametrize(("check", "line", "words"), REFUSED, ids=[f"{n}-{each[0]}" for n, each in enumerate(REFUSED)])
@pytest.mark.parametrize("member", ["Libelle_PAYS.txt", "Regional-2024-export/Libelle_PAYS_2.txt"])
def test_what_is_no_label_file_is_refused_before_anything_is_kept_and_a_good_release_recovers(
    tmp_path, check, line, words, member
):
    paths, place = Paths(tmp_path / "home"), tmp_path / "source"
    payload = line if isinstance(line, bytes) else (GOOD + line).encode()
    write_archive(place / NAME, year(), labels={"Libelle_A129.txt": b"A01Z;Cultures\r\n", member: payload})
    with pytest.raises(ReleaseError) as caught:
        take(place, paths)
    error = caught.value
    assert (error.check, error.check in BLOCKING) == (check, True)
    assert words in str(error) and Path(member).name in error.where and NAME in error.where
    assert all((error.expected_found, error.cause, error.remedy)) and len(str(error)) < 1500
    assert all(part.isprintable() for part in str(error).splitlines())
    assert not (paths.raw / "source" / "datapackage.json").exists()
    [report] = paths.rapports.glob("*.html")
    assert "Publication refusée" in report.read_text(encoding="utf-8")
    write_archive(place / NAME, year(), labels={member: GOOD.encode()})
    assert [kept.name for kept in take(place, paths).kept] == [NAME]


def test_a_code_may_stand_again_where_the_first_meaning_ended(tmp_path):
    rows = "QU;Pays NDA;190001;199912\r\nQU;Non déterminés;201201;999912\r\nQU;Non déterminés;201201;\r\n"
    assert len(read(tmp_path, {"Libelle_PAYS.txt": rows.encode()})) == 3
    with pytest.raises(ReleaseError, match="more than 50 times"):
        read(tmp_path, {"Libelle_PAYS.txt": b"DE;Allemagne\r\n" * 51})


def test_two_files_of_a_kind_that_contradict_each_other_are_refused(tmp_path):
    with pytest.raises(ReleaseError, match=r"Libelle_CPF4.txt.*Libelle_CPF4_rev2.1.txt") as caught:
        read(tmp_path, {"Libelle_CPF4.txt": b"0111;Riz\r\n", "Libelle_CPF4_rev2.1.txt": b"0111;Ble\r\n"})
    assert caught.value.check == ONCE


def test_an_archive_that_an_older_version_kept_is_told_with_the_command_that_takes_it_out(tmp_path):
    paths, place = Paths(tmp_path / "home"), tmp_path / "source"
    bad = write_archive(tmp_path / "bad" / NAME, year(), labels={"Libelle_PAYS.txt": b"D\xe2\x80\xaeE;x\r\n"})
    kept = keep(bad, paths.raw / "source")
    write_archive(place / "202502-Regional-2024-import.zip", year("I"))
    command = f"comex archive remove {kept.id} --home {paths.home}"
    with pytest.raises(ReleaseError) as caught:
        take(place, paths)
    assert command in caught.value.remedy and caught.value.check == TEXT
    assert "202502-Regional-2024-import.zip" in json.dumps(list(map(str, (paths.raw / "source").rglob("*.zip"))))
    write_archive(place / NAME, year(), labels={"Libelle_PAYS.txt": b"D\xe2\x80\xaeE;x\r\n"})
    with pytest.raises(ReleaseError) as caught:  # still on offer, with the same bytes
        take(place, paths)
    assert command in caught.value.remedy


def test_all_verdicts_on_labels_block():
    assert set(labels.VERDICTS) <= set(intake.BLOCKING)


def test_a_sign_of_direction_in_a_label_is_kept_as_data_and_left_out_of_print(tmp_path):
    [label] = read(tmp_path, {"Libelle_PAYS.txt": "Y5;Pays \u202eenvers\u202c;190001;999912\r\n".encode()})
    assert label.libelle == "Pays \u202eenvers\u202c"
    assert imprimable(label.libelle) == "Pays envers" and indessinables([label.libelle]) == ["\u202c", "\u202e"]


def test_a_label_on_two_lines_between_quotation_marks_is_one_line(tmp_path):
    [label] = read(tmp_path, {"Libelle_PAYS.txt": b'Y7;"ligne\r\nsuivante";190001;999912\r\n'})
    assert (label.code, label.libelle, label.fin) == ("Y7", "ligne suivante", "999912")


def test_a_code_without_a_label_says_nothing(tmp_path):
    [label] = read(tmp_path, {"Libelle_PAYS.txt": "YD;;190001;999912\r\nYD;Yémen du Sud;190001;199012\r\n".encode()})
    assert label.libelle == "Yémen du Sud"
