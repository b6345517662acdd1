"""Folders of archives as people lay them out, with an index page or without."""

import re
from pathlib import Path

import pytest

from pipeline.errors import ReleaseError, SettingError, SourceError
from pipeline.paths import Paths
from pipeline.settings import Settings
from pipeline.sources import open_source
from pipeline.sources.folder import offers
from tests.archives import write_archive, year

NAME = "202502-Regional-2024-export.zip"


def lay_out(place: Path, *names: str, links: tuple[str, ...] | None = None) -> Path:
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(b"PK")
    place.mkdir(parents=True, exist_ok=True)
    if links is not None:
        page = "".join(f'<li><A class=x HREF="{link}">Base complète<br></A>' for link in links)
        (place / "index.html").write_bytes(f"<html><body>{page}<a>sans lien</a>".encode("cp1252"))
    return place


@pytest.mark.parametrize(
    ("link", "file"),
    [
        (NAME, NAME),
        (f"./{NAME}?x=1#y", NAME),
        (f"2025-02/{NAME}", f"2025-02/{NAME}"),
        (f"2025-02/{NAME}", NAME),
        (f"https://www.douane.gouv.fr/sites/default/files/2025-02/07/{NAME}", NAME),
        (f"/sites/default/files/{NAME}", NAME),
        ("202502-Regional%2D2024-export.zip", NAME),
        ("ann%C3%A9e%202024/" + NAME, f"année 2024/{NAME}"),
        (f"../{NAME}", NAME),
        ("202505-STAT-REGIONAL-CE-EXPORT.ZIP", "202505-STAT-REGIONAL-CE-EXPORT.ZIP"),
    ],
)
def test_links_lead_to_the_files_beside_the_page(tmp_path, link, file):
    place = lay_out(tmp_path / "kiosk", file, links=("index.css", link, "202308-National-2022-import.zip"))
    [offer] = offers(place)
    assert (offer.name, offer.path, offer.origin) == (Path(file).name, place / file, link.removesuffix("#y"))


@pytest.mark.parametrize("link", ["http://[bad/202508", "https://[2025/x.zip", "http://host:port/a.zip", ""])
def test_a_link_that_is_no_address_leads_nowhere(tmp_path, link):
    place = lay_out(tmp_path, NAME, links=(link, NAME))
    assert [offer.name for offer in offers(place)] == [NAME]


def test_a_page_gives_only_what_it_links_by_name(tmp_path):
    other = "202402-Regional-2023-export.zip"
    place = lay_out(tmp_path, NAME, other, "202502-Regional-2024-import.zip", links=(NAME, other))
    assert [offer.name for offer in offers(place)] == [other, NAME]


def test_links_to_the_same_file_count_once_and_files_of_the_same_name_are_all_offered(tmp_path):
    other = f"2025-08/{NAME}"
    place = lay_out(tmp_path, NAME, other, links=(f"./{NAME}", NAME, other, f"{NAME}#haut"))
    assert [(offer.origin, offer.path) for offer in offers(place)] == [(f"./{NAME}", place / NAME), (other, place / other)]


def test_a_saved_page_with_a_base_and_other_names(tmp_path):
    lay_out(tmp_path, "2025/exports.zip", links=("exports.zip",))
    page = (tmp_path / "index.html").read_bytes()
    (tmp_path / "index.html").write_bytes(b"<base href='https://www.douane.gouv.fr/2025/'>" + page)
    with pytest.raises(ReleaseError, match=r"1 of them to ZIP files, passed over: exports.zip \(its name does not match COMEX"):
        offers(tmp_path)
    [offer] = offers(tmp_path, re.compile("exports"))
    assert (offer.origin, offer.path) == ("https://www.douane.gouv.fr/2025/exports.zip", tmp_path / "2025/exports.zip")


def test_a_folder_that_cannot_be_read_is_the_source_s_fault(tmp_path, monkeypatch):
    (lay_out(tmp_path, NAME) / "index.html").mkdir()
    with pytest.raises(SourceError, match="Is a directory") as caught:
        offers(tmp_path)
    assert all((caught.value.where, caught.value.cause, caught.value.remedy))
    (tmp_path / "index.html").rmdir()
    source = open_source(Settings(source=str(tmp_path), home=tmp_path), Paths(tmp_path))
    (tmp_path / NAME).unlink()
    with pytest.raises(SourceError, match="No such file"):
        source.fetch(source.offers[0], tmp_path)


def test_a_link_to_a_missing_file(tmp_path):
    with pytest.raises(ReleaseError, match="there is no file") as caught:
        offers(lay_out(tmp_path, links=(f"a/{NAME}",)))
    assert all((caught.value.expected_found, caught.value.where, caught.value.cause, caught.value.remedy))


def test_a_link_never_leads_outside_the_folder(tmp_path):
    lay_out(tmp_path, NAME)
    with pytest.raises(ReleaseError, match="there is no file"):
        offers(lay_out(tmp_path / "kiosk", links=(f"../{NAME}",)))


def test_without_a_page_every_archive_is_offered(tmp_path):
    lay_out(tmp_path, NAME, "Exports.ZIP", "lisez-moi.txt", f"._{NAME}")
    (tmp_path / "dossier.zip").mkdir()
    assert [offer.name for offer in offers(tmp_path)] == [NAME, "Exports.ZIP"]


def test_without_a_page_another_product_is_passed_over_and_a_renamed_archive_is_not(tmp_path):
    lay_out(tmp_path, NAME)
    write_archive(tmp_path / "exports 2024.zip", year())
    write_archive(tmp_path / "202308-National-2022-import.zip", b"x", member="National-2022-import/National_2022_Import.txt")
    write_archive(tmp_path / "region_18.zip", b"x", member="region_18.xls")
    assert [offer.name for offer in offers(tmp_path)] == [NAME, "exports 2024.zip"]
    (tmp_path / NAME).unlink()
    (tmp_path / "exports 2024.zip").unlink()
    with pytest.raises(ReleaseError, match="offers none"):
        offers(tmp_path)


@pytest.mark.parametrize("links", [(), ("202308-National-2022-import.zip", "aide.html"), None])
def test_a_folder_that_offers_nothing_is_not_nothing_new(tmp_path, links):
    with pytest.raises(ReleaseError, match="offers none") as caught:
        offers(lay_out(tmp_path, "lisez-moi.txt", links=links))
    assert all((caught.value.expected_found, caught.value.where, caught.value.cause, caught.value.remedy))


def test_sources_of_the_same_name_are_told_apart(tmp_path):
    here, there = (lay_out(tmp_path / side / "Archives d’été", NAME) for side in ("a", "b"))
    found = [
        open_source(Settings(source=str(place), home=tmp_path / "home"), Paths(tmp_path / "home")) for place in (here, there)
    ]
    assert found[0].id != found[1].id
    assert all(source.id.isascii() and " " not in source.id for source in found)
    assert found[0].label == str(here)


def test_a_source_that_does_not_exist(tmp_path):
    with pytest.raises(SettingError, match="is none of them") as caught:
        open_source(Settings(source=str(tmp_path / "nulle part"), home=tmp_path), Paths(tmp_path))
    assert all((caught.value.where, caught.value.cause, caught.value.remedy))
