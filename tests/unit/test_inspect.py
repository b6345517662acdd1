"""Verdicts on whole archives: what the customs publish passes, whatever its generation; everything else is refused."""

import zipfile
from pathlib import Path

import pytest

from pipeline.archive import inspect as module
from pipeline.archive.inspect import inspect
from pipeline.errors import ReleaseError
from pipeline.settings import ARCHIVE
from tests.archives import text, write_archive, year

NAME = "202502-Regional-2024-export.zip"


def refused(path: Path, check: str) -> ReleaseError:
    with pytest.raises(ReleaseError) as caught:
        inspect(path)
    error = caught.value
    assert error.check == check
    assert all((error.expected_found, error.where, error.cause, error.remedy))
    assert path.name in error.expected_found
    return error


@pytest.mark.parametrize(
    ("name", "member", "flux", "vintage"),
    [
        ("202505-stat-regional-ce-export.zip", "REGIONAL_CPF4PAYSE.txt", "E", "202505"),
        ("202505-stat-regional-ce-import.zip", "REGIONAL_CPF4PAYSI.txt", "I", "202505"),
        ("202002_regional_2019_export.zip", "Regional-2019-export/Region_2019_Export.txt", "E", "202002"),
        ("202202-Regional-2021-import.zip", "Regional-2021-import/Region_2021_Import.txt", "I", "202202"),
        ("202202-Regional-2021-import.zip", "Regional-2021-import/Regional_2021_Import.txt", "I", "202202"),
        ("202502-Regional-2024-import.zip", "region_2024_import.TXT", "I", "202502"),
        ("202502-Regional-2024-export.zip", "a/b/c/Region_2024_Export.txt", "E", "202502"),
        ("202502-Regional-2024-import.zip", "Regional-2024-import\\Region_2024_Import.txt", "I", "202502"),
        ("202508-Regional-2024-export_0.zip", "Region_2024_Export.txt", "E", "202508"),
    ],
)
def test_every_generation_is_known(tmp_path, name, member, flux, vintage):
    assert ARCHIVE.search(name)
    contents = inspect(
        write_archive(tmp_path / name, year(flux), member=member, others={"Lisez-moi.txt": b"x", "notice.pdf": b"%PDF"})
    )
    assert (contents.data_member, contents.flux, contents.vintage) == (member, flux, vintage)
    assert contents.label_members == {}
    assert not contents.est_exemple


@pytest.mark.parametrize(
    "name", ["202308-National-2022-import.zip", "region_18.zip", "202502-Regional-2024-export.zip.html", "Regional-2024.zip"]
)
def test_other_products_are_not_taken_for_releases(name):
    assert not ARCHIVE.search(name)


def test_the_flow_is_the_member_s_even_when_the_file_is_named_otherwise(tmp_path):
    path = write_archive(tmp_path / "202502-Regional-2024-import.zip", year("E"), member="Region_2024_Export.txt")
    assert inspect(path).flux == "E"


def test_without_a_month_in_its_name_the_newest_member_dates_an_archive(tmp_path):
    path = tmp_path / "exports.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("Region_2024_Export.txt", (2025, 2, 7, 8, 0, 0)), text(year()))
        archive.writestr(zipfile.ZipInfo("Lisez-moi.txt", (2024, 1, 1, 0, 0, 0)), "x")
    assert inspect(path).vintage == "202502"


@pytest.mark.parametrize(
    ("origin", "member", "vintage"),
    [
        ("https://www.douane.gouv.fr/sites/default/files/2025-02/07/exports.zip", "Region_2024_Export.txt", "202502"),
        ("https://mirror.example/2019-03/2025/02/exports.zip", "Region_2024_Export.txt", "202502"),
        ("https://mirror.example/2025-13/exports.zip", "Region_2024_Export.txt", "198001"),
        ("/srv/2025-02/exports.zip", "Region_2024_Export.txt", "198001"),
        ("https://mirror.example/2025-02/07/exports.zip", "202505-regional/REGIONAL_CPF4PAYSE.txt", "202505"),
    ],
)
def test_the_member_or_the_address_dates_an_archive_whose_name_does_not(tmp_path, origin, member, vintage):
    with zipfile.ZipFile(tmp_path / "exports.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(member), text(year()))
    found = inspect(tmp_path / "exports.zip", "exports.zip", origin).vintage
    assert found == (module.UNDATED if vintage == "198001" else vintage)


def test_the_example_is_told_by_the_comment(tmp_path):
    assert inspect(write_archive(tmp_path / NAME, year(), comment="Données d'exemple fabriquées")).est_exemple


# --- refusals -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page", [b"<!DOCTYPE html><html>", b"\n\n  <html><body>", b"\xef\xbb\xbf<html>", b"<?xml version='1.0'?><html>"]
)
def test_a_web_page_under_the_archive_s_name(tmp_path, page):
    path = tmp_path / NAME
    path.write_bytes(page)
    assert "web page" in str(refused(path, "is_not_an_html_page"))


def test_an_empty_file(tmp_path):
    path = tmp_path / NAME
    path.touch()
    assert "0 bytes" in str(refused(path, "is_a_real_archive"))


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_a_truncated_archive(tmp_path, share):
    path = write_archive(tmp_path / NAME, year() * 500)
    payload = path.read_bytes()
    path.write_bytes(payload[: int(len(payload) * share)])
    assert f"{int(len(payload) * share):,} bytes" in str(refused(path, "is_a_real_archive"))


@pytest.mark.parametrize(
    "member", ["../evil.txt", "a/../../evil.txt", "/etc/evil.txt", "..\\evil.txt", "C:\\evil.txt", "c:evil.txt"]
)
def test_a_member_that_leaves_the_folder(tmp_path, member):
    path = write_archive(tmp_path / NAME, year(), others={member: b"x"})
    assert member.replace("\\", "/") in str(refused(path, "members_stay_in_their_folder"))


def test_dots_inside_a_name_leave_nothing(tmp_path):
    assert inspect(write_archive(tmp_path / NAME, year(), others={"a..b/Lisez..moi.txt": b"x"})).flux == "E"


def test_an_encrypted_member(tmp_path):
    path = write_archive(tmp_path / NAME, year())
    payload = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        payload[payload.index(signature) + offset] |= 1
    path.write_bytes(payload)
    assert "encrypted" in str(refused(path, "is_a_real_archive"))


def test_an_archive_that_announces_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 100)
    assert "At most 100 bytes" in str(refused(write_archive(tmp_path / NAME, year()), "is_not_a_bomb"))


def test_a_label_file_that_no_one_could_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_LABEL_BYTES", 100)
    path = write_archive(tmp_path / NAME, year() * 9, labels={"Libelle_PAYS.txt": b"DE;Allemagne\r\n" * 9})
    assert "At most 100 bytes were expected once unpacked for a label file" in str(refused(path, "is_not_a_bomb"))


def test_no_data_member_or_two(tmp_path):
    other = write_archive(tmp_path / NAME, b"x", member="National_2022_Import.txt")
    assert "has 0. It holds: National_2022_Import.txt" in str(refused(other, "has_exactly_one_data_member"))
    two = write_archive(tmp_path / NAME, year(), others={"Region_2023_Export.txt": b"x"})
    assert "has 2" in str(refused(two, "has_exactly_one_data_member"))
