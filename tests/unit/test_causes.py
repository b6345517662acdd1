"""Each cause that a refusal states is the true one: archives and texts spoilt in one way each, and those that nothing explains."""

import gzip
import io
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from pipeline.archive import rapport
from pipeline.archive import rows as text_rows
from pipeline.archive.causes import CAUSES
from pipeline.archive.inspect import Received, digest, inspect, refuse_other_names
from pipeline.errors import ReleaseError
from tests.archives import Row, country, row, text, write_archive, year

NAME = "202502-Regional-2024-export.zip"
GOOD = text(year())


def cause_of(path: Path, check: str | None = None) -> ReleaseError:
    """The refusal of an archive, down to its rows: its cause is stated in both languages, with no brace left."""
    with pytest.raises(ReleaseError) as caught:
        received = Received(path.name, path, digest(path), inspect(path))
        refuse_other_names(received)
        text_rows.extract(received, path.parent / "tables")
    error = caught.value
    assert check in (None, error.check), error
    assert all((error.expected_found, error.where, error.cause, error.remedy)) and "{" not in error.cause + error.remedy
    report = rapport._constat(error)
    assert "{" not in report["texte"].cause + report["texte"].faire and report["texte"].cause != error.cause
    return error


def zipped(path: Path, *, method: int | None = None, flag: int = 0, other: dict[str, bytes] | None = None) -> Path:
    """A good archive whose directory and member headers tell another method or flag."""
    write_archive(path, year(), others=other)
    payload = bytearray(path.read_bytes())
    for signature, flags, at in ((b"PK\3\4", 6, 8), (b"PK\1\2", 8, 10)):
        start = payload.index(signature)
        payload[start + flags] |= flag
        if method is not None:
            payload[start + at : start + at + 2] = struct.pack("<H", method)
    path.write_bytes(payload)
    return path


# --- the archive's bytes ------------------------------------------------------------------------------------------------

PAGES = {
    "blanks": b"\r\n\t  <html><body>",
    "bom": b"\xef\xbb\xbf\r\n<!DOCTYPE html>",
    "comments": b"<!-- served by a proxy -->\n<!-- " + b"x" * 2000 + b" -->\n<HTML>",
    "utf_16": "<!doctype html><html>Connexion".encode("utf-16"),
    "utf_16_be": "<html><body>Connexion requise".encode("utf-16-be"),
    "xhtml": b'<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0"><html>',
    "fragment": b"<script>location='/login'</script>",
}


@pytest.mark.parametrize("page", PAGES)
def test_a_web_page(tmp_path, page):
    path = tmp_path / NAME
    path.write_bytes(PAGES[page])
    error = cause_of(path, "is_not_an_html_page")
    assert error.facts["cause"] == "web_page" and "is a web page" in error.expected_found


@pytest.mark.parametrize(
    ("payload", "form"),
    [
        (b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code></Error>', "XML"),
        (b"<Error><Code>AccessDenied</Code></Error>", "XML"),
        (b' {"error": {"code": 503}}', "JSON"),
        (b'[{"message": "quota"}]', "JSON"),
    ],
)
def test_another_answer_of_a_site(tmp_path, payload, form):
    path = tmp_path / NAME
    path.write_bytes(payload)
    error = cause_of(path, "is_not_an_html_page")
    assert error.facts["cause"] == "answer" and form in error.cause and form in error.expected_found


def tar(payload: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("Region_2024_Export.txt")
        info.size = len(payload)
        archive.addfile(info, io.BytesIO(payload))
    return out.getvalue()


@pytest.mark.parametrize(
    ("payload", "form"),
    [
        (gzip.compress(GOOD, mtime=0), "gzip"),
        (tar(GOOD), "tar"),
        (b"7z\xbc\xaf\x27\x1c\0\4" + b"x" * 90, "7z"),
        (b"Rar!\x1a\x07\1\0" + b"x" * 90, "RAR"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 90, "Office"),
    ],
)
def test_another_format_under_the_name_of_a_zip(tmp_path, payload, form):
    path = tmp_path / NAME
    path.write_bytes(payload)
    error = cause_of(path, "is_a_real_archive")
    assert error.facts["cause"] == "other_format" and form in error.cause and "zip it again" in error.remedy


def test_bare_text_and_bytes_of_no_known_kind(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(GOOD)
    assert cause_of(path).facts["cause"] == "bare_text"
    path.write_bytes(b"\x01\x02 nothing that is known")
    error = cause_of(path, "is_a_real_archive")
    assert "not known" in error.cause and "nothing that" in error.expected_found


def test_cut_altered_and_unfinished_archives_are_told_apart(tmp_path):
    whole = write_archive(tmp_path / NAME, country("E", 2024, 1)).read_bytes()
    path = tmp_path / "cut" / NAME
    path.parent.mkdir()
    for payload, cause in (
        (whole[:-40], "cut"),
        (whole[:5000], "cut"),
        (whole[:5000] + bytes(3000), "cut_and_filled"),
        (whole[:6000] + bytes(8) + whole[6008:], "damaged_member"),
        (whole.replace(b"PK\1\2", b"PX\1\2"), "altered"),
    ):
        path.write_bytes(payload)
        assert cause_of(path, "is_a_real_archive").facts["cause"] == cause


def test_one_part_of_an_archive_in_several(tmp_path):
    path = write_archive(tmp_path / NAME, year())
    whole = path.read_bytes()
    path.write_bytes(b"PK\7\x08" + whole)
    assert cause_of(path, "is_a_real_archive").facts["cause"] == "part_of_several"
    payload = bytearray(whole)
    payload[payload.rindex(b"PK\5\6") + 4] = 2
    path.write_bytes(payload)
    assert "part 3" in cause_of(path, "is_a_real_archive").cause


@pytest.mark.parametrize(("flag", "method", "how"), [(0x1, None, "ZipCrypto"), (0x1, 99, "AES"), (0x41, None, "PKWARE")])
def test_encryption_is_named(tmp_path, flag, method, how):
    error = cause_of(zipped(tmp_path / NAME, flag=flag, method=method), "is_a_real_archive")
    assert error.facts["cause"] == "encrypted" and how in error.cause and "password" in error.remedy


@pytest.mark.parametrize(("method", "name"), [(9, "Deflate64"), (98, "PPMd"), (95, "xz"), (6, "Implode"), (77, "no known name")])
def test_a_method_that_is_not_read_here_is_named(tmp_path, method, name):
    error = cause_of(zipped(tmp_path / NAME, method=method), "is_a_real_archive")
    assert name in error.cause and f"method {method}" in error.cause and "Deflate, bzip2, LZMA" in error.cause
    assert "zip it again" in error.remedy


@pytest.mark.skipif(hasattr(zipfile, "ZIP_ZSTANDARD"), reason="this Python reads Zstandard")
def test_zstandard_is_named(tmp_path):
    assert "Zstandard (method 93)" in cause_of(zipped(tmp_path / NAME, method=93)).cause


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods_are_read(tmp_path, method):
    path = tmp_path / NAME
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("Region_2024_Export.txt", GOOD)
    assert text_rows.extract(Received(NAME, path, digest(path), inspect(path)), tmp_path / "tables")["lignes"] == 4


@pytest.mark.parametrize(
    ("members", "cause", "word"),
    [
        ({"202502-Regional-2024-export.zip": b"PK"}, "archive_inside", "202502-Regional-2024-export.zip"),
        ({"[Content_Types].xml": b"x", "xl/workbook.xml": b"x"}, "workbook", "spreadsheet"),
        ({"National-2024-export/National_2024_Export.txt": b"x"}, "national_base", "National_2024_Export.txt"),
        ({"Region_2024_Export.txt": b"x", "Region_2023_Export.txt": b"x"}, "several_members", "packed together"),
        ({"donnees.csv": b"x"}, "other_members", "not known"),
    ],
)
def test_other_members_than_one_data_file(tmp_path, members, cause, word):
    with zipfile.ZipFile(tmp_path / NAME, "w") as archive:
        for name, payload in members.items():
            archive.writestr(name, payload)
    error = cause_of(tmp_path / NAME, "has_exactly_one_data_member")
    assert error.facts["cause"] == cause and word in error.cause


@pytest.mark.parametrize(
    ("name", "member", "words"),
    [
        ("202502-Regional-2024-import.zip", "Region_2024_Export.txt", ("import", "export")),
        ("202502-Regional-2024-export.zip", "Region_2023_Export.txt", ("2024", "2023")),
        ("202502-stat-regional-ce-import.zip", "REGIONAL_CPF4PAYSE.txt", ("import", "export")),
    ],
)
def test_names_that_announce_different_things(tmp_path, name, member, words):
    error = cause_of(write_archive(tmp_path / name, year(), member=member), "names_agree")
    assert all(word in error.cause for word in words) and name in error.expected_found and member in error.expected_found


# --- the text -----------------------------------------------------------------------------------------------------------

PLAIN = GOOD.decode()
TEXTS = {
    "utf_16": [
        PLAIN.encode("utf-16"),
        PLAIN.encode("utf-16-le"),
        PLAIN.encode("utf-16-be"),
        b"\xfe\xff" + PLAIN.encode("utf-16-be"),
    ],
    "separator": [GOOD.replace(b";", b","), GOOD.replace(b";", b"\t"), GOOD.replace(b";", b"|")],
    "quoted_lines": [b"".join(b'"' + line + b'"\r\n' for line in GOOD.splitlines())],
    "other_columns": [GOOD.replace(b";DE", b""), GOOD.replace(b";DE", b";DE;x")],
    "cut_row": [GOOD + b"E;1;2024;94;03;C2"],
    "open_quote": [GOOD.replace(b"DE", b'"DE', 1)],
    "page_inside": [b"<html><body>503</body></html>"],
    "packed_twice": [gzip.compress(GOOD, mtime=0), b"PK\3\4" + b"x" * 90],
    "zero_bytes": [GOOD.replace(b"DE", b"D\0", 1), GOOD.rstrip() + bytes(400), bytes(400), GOOD + bytes(40) + GOOD],
    "ctrl_z": [GOOD + b"\x1a" + GOOD, GOOD.replace(b"DE", b"D\x1a", 1)],
    "not_utf_8": [GOOD.replace(b"DE", b"D\xc9", 1), GOOD.replace(b"1000", b"1\xa0000")],
    "unknown": [GOOD + b"E;1;2024;94\r\n" + GOOD, GOOD.replace(b"\r\n", b";;\r\n") + b"E;1;2024;94\r\n"],
    "no_rows": [b""],
}


@pytest.mark.parametrize(("cause", "payload"), [(cause, payload) for cause, payloads in TEXTS.items() for payload in payloads])
def test_a_text_that_is_not_ten_fields(tmp_path, cause, payload):
    error = cause_of(write_archive(tmp_path / NAME, payload), "has_ten_fields")
    assert error.facts["cause"] == cause, error


def test_what_is_not_utf_8_is_read_to_who_meets_it(tmp_path):
    error = cause_of(write_archive(tmp_path / NAME, GOOD.replace(b"1000", b"1\xa0000")))
    assert "0xA0" in error.cause and "1\u00a0000" in error.cause


@pytest.mark.parametrize("end", [b"\x1a", b"\r\n\x1a", b"\x1a\x1a\r\n", b"\x1a" + bytes(300), b"\r\n" + bytes(5_000_000)])
def test_marks_and_room_after_the_last_row_are_nothing(tmp_path, end):
    path = write_archive(tmp_path / NAME, GOOD.rstrip() + end)
    facts = text_rows.extract(Received(NAME, path, digest(path), inspect(path)), tmp_path / "tables")
    assert (facts["lignes"], facts["valeur_eur"], facts["masses_absentes"]) == (4, 4000, 0)


# --- rows ---------------------------------------------------------------------------------------------------------------


def amounts(*valeurs: str, masse: int = 10) -> list[Row]:
    return [row(valeur=valeur, masse=masse) for valeur in valeurs]


HEADER = b"Flux;Trimestre;Annee;Departement;Region;A129;CPF4;Pays;%s;Masse\r\n"
ROWS = {
    "header": HEADER % b"Valeur" + GOOD,
    "header_keuro": HEADER % "Valeur (k€)".encode() + GOOD,
    "header_of_another": HEADER % b"Valeur" + GOOD.replace(b"2910", b"Automobile"),
    "flow_in_words": GOOD.replace(b"E;", b"Export;"),
    "mark_inside": GOOD + b"\xef\xbb\xbf" + GOOD,
    "other_flow": text(year("I")),
    "both_flows": text([*year(), row("I")]),
    "later_than_its_date": text([row(trimestre=t, annee=2025) for t in (2, 3)]),
    "quarters_otherwise": text([row(trimestre=f"T{t}") for t in (1, 2, 3)]),
    "thousands": text(amounts("1 234", "1 234 567")),
    "points": text(amounts("1.234", "12.345")),
    "scientific": text([*year(), *amounts("1,2E+07", "1e6")]),
    "spreadsheet_errors": text([*year(), *amounts("#REF!", "#N/A")]),
    "zero_decimals": text(amounts("1234.0", "5.00")),
    "too_long": text([*year(), *amounts("9" * 19)]),
    "cents": text(amounts(*(f"{n * 1000}.{n:02d}" for n in range(10, 40)))),
    "keuro": text(amounts(*(f"{n},5" for n in range(10, 40)), masse=1000)),
    "decimals": text([*year(), *amounts("12,5")]),
    "zeros_lost": text([row(departement="1", region="18"), row()]),
    "other_year": text([row(annee=2023)]),
    "several_periods": text([*year(), *year(annee=2022)]),
}


@pytest.mark.parametrize("cause", ROWS)
def test_rows_at_fault(tmp_path, cause):
    error = cause_of(write_archive(tmp_path / NAME, ROWS[cause]))
    assert error.facts["cause"] == cause, error


@pytest.mark.parametrize(
    "payload",
    [
        text([*year(), row("Z")]),
        text([*year(), *amounts("0x10")]),
        text([*year(), *amounts("--5", "1-2")]),
        text([*year(), row(trimestre=5)]),
        text([*year(), *(row(cpf4="29/10") for _ in range(9))]),
    ],
)
def test_what_nothing_explains_is_said_to_be_so_and_shown(tmp_path, payload):
    error = cause_of(write_archive(tmp_path / NAME, payload))
    assert error.facts["cause"] == "unknown" and "not known" in error.cause
    assert error.facts["premieres"][0][1] in error.expected_found


@pytest.mark.parametrize("decimal", [".", ","])
def test_k_euros_with_three_decimals_are_not_taken_for_thousands(tmp_path, decimal):
    rows = amounts(*(f"{n}{decimal}{n:03d}" for n in range(0, 2000, 50)), masse=100_000)
    assert cause_of(write_archive(tmp_path / NAME, rows), "euros_are_whole").facts["cause"] == "keuro"


def test_every_cause_is_in_both_languages_and_is_tried_or_named_elsewhere():
    """`markers`, `exchanged`, `other_order` and `part_of_a_quarter` are tried in `test_agreement.py`."""
    assert all(each.english and each.french and all(each.todo) for each in CAUSES.values())
    assert not [key for key, each in CAUSES.items() if "'" in each.french or " :" in each.french or " ;" in each.french]
    tried = {*TEXTS, *ROWS, "markers", "exchanged", "other_order", "part_of_a_quarter"}
    tried |= {"nothing", "web_page", "answer", "other_format", "bare_text", "part_of_several", "cut", "cut_and_filled", "altered"}
    tried |= {"damaged_member", "encrypted", "method", "archive_inside", "workbook", "national_base", "several_members"}
    assert set(CAUSES) == tried | {"other_members", "renamed"}
