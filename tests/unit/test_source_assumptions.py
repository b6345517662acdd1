"""Each assumption about the source that no other test breaks, broken: what a user sees then. The list is docs/source.md."""

import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.archive import labels as label_files
from pipeline.archive import rows
from pipeline.archive.fetch import Offer
from pipeline.archive.inspect import Received, digest, inspect
from pipeline.doctor import archive as looked_into
from pipeline.doctor import source as look
from pipeline.errors import ReleaseError
from pipeline.paths import Paths
from pipeline.settings import Settings
from pipeline.sources import Source, open_source
from pipeline.territoires import departement
from tests.archives import row, seed, text, write_archive, year
from tests.kiosk import PAGE, Fault, Kiosk

EXPORT = "202502-Regional-2024-export.zip"
DATASET = "/api/1/datasets/5369a0c7a3a729239d206446/"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Kiosk]:
    with Kiosk(tmp_path / "site") as site:
        yield site


def opened(site: Kiosk, tmp_path: Path, page: str | None = None, **choices) -> Source:
    """The customs' two places, on the test's own server."""
    if page is not None:
        site.put(PAGE, page.encode())
    places = {"source": "douane", "douane_page": site.url, "douane_dataset": site.origin + DATASET}
    quick = {"attempts": 1, "timeout_s": 2, "home": tmp_path / "home"}
    return open_source(Settings(**places | quick | choices), Paths(tmp_path / "home"))


def serve_dataset(site: Kiosk, *resources: dict) -> None:
    site.faults[DATASET] = Fault(body=json.dumps({"resources": list(resources)}).encode())


def facts(path: Path, tmp_path: Path) -> dict:
    """What a run knows of the rows of an archive; raises its verdict."""
    contents = inspect(path)
    return rows.extract(Received(path.name, path, digest(path), contents), tmp_path / "tables")


# --- where the archives are -------------------------------------------------------------------------------------------------


def test_a_page_behind_a_login(site: Kiosk, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="it has 1 links, 0 of them to ZIP files") as caught:
        opened(site, tmp_path, "<title>Connexion</title><form><input type=password></form><a href=/aide.html>Aide</a>")
    assert caught.value.where == site.url
    assert "look at the page" in caught.value.remedy


@pytest.mark.parametrize(
    "page",
    [
        f"<button onclick=\"open('/files/{EXPORT}')\">Télécharger</button>",
        f'<a href="#" data-href="/files/{EXPORT}">Télécharger</a>',
        f'<div id="app"></div><script>const files = ["{EXPORT}"]</script>',
    ],
)
def test_links_that_a_script_makes(site: Kiosk, tmp_path: Path, page: str) -> None:
    with pytest.raises(ReleaseError, match="offers none") as caught:
        opened(site, tmp_path, page)
    assert "layout" in caught.value.cause


def test_permalinks_without_a_file_name(site: Kiosk, tmp_path: Path) -> None:
    permalink = "/fr/datasets/r/0a78bacc-99cf-4a26-8f28-088f2e96a2ef"
    with pytest.raises(ReleaseError, match="it has 1 links, 0 of them to ZIP files"):
        opened(site, tmp_path, f"<a href={permalink}>Base régionale 2019</a>")
    serve_dataset(site, {"url": site.origin + permalink, "title": "202002_regional_2019_export"})
    source = opened(site, tmp_path, f'<a href="/{EXPORT}">')
    assert [offer.name for offer in source.offers] == ["202002_regional_2019_export.zip", EXPORT]


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("regional-2024-export-202502.zip", r"^regional-\d{4}-(import|export)"),
        ("Export_2024_Regions.zip", r"(Import|Export)_\d{4}"),
        ("2025-02-commerce-exterieur-departements-E.zip", r"departements-[EI]\.zip$"),
        ("202502-Regional-2024-export_0.zip", None),
        ("202502 regional 2024 EXPORT.zip", None),
        ("202505_stat_regional_ce_import.zip", None),
    ],
)
def test_archives_under_other_names(site: Kiosk, tmp_path: Path, name: str, pattern: str | None) -> None:
    page = f'<a href="/sites/default/files/2025-02/07/{name}">'
    if pattern:
        with pytest.raises(ReleaseError) as caught:
            opened(site, tmp_path, page)
        assert name in caught.value.expected_found
        assert "COMEX_ARCHIVE_PATTERN" in caught.value.remedy
    choices = {"archive_pattern": pattern} if pattern else {}
    [offer] = opened(site, tmp_path, page, **choices).offers
    assert offer.name == name


def test_names_without_a_month(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "Regional-2024-export.zip", year())
    address = "https://www.douane.gouv.fr/sites/default/files/2025-08/07/Regional-2024-export.zip"
    assert inspect(path, path.name, address).vintage == "202508"
    assert inspect(path).vintage == "202502", "the month its members were written in"


def test_a_stale_dataset_never_replaces_the_page(site: Kiosk, tmp_path: Path) -> None:
    address = site.publish(EXPORT, b"PK")
    serve_dataset(site, {"url": f"{site.origin}/2020/{EXPORT}", "last_modified": "2020-04-07"})
    assert [(offer.name, offer.origin) for offer in opened(site, tmp_path).offers] == [(EXPORT, address)]


@pytest.mark.parametrize(
    "resource",
    [
        {"url": "{}/202002_regional_2019_export.zip"},
        {"latest": "{}/r/x", "title": "202002_regional_2019_export", "checksum": None, "filesize": None},
        {"url": "{}/r/x", "latest": None, "title": "202002_regional_2019_export.zip", "extras": {"analysis:checksum": "1"}},
    ],
)
def test_resources_without_facts(site: Kiosk, tmp_path: Path, resource: dict) -> None:
    site.publish(EXPORT, b"PK")
    serve_dataset(site, {key: value.format(site.origin) if isinstance(value, str) else value for key, value in resource.items()})
    assert [offer.name for offer in opened(site, tmp_path).offers] == ["202002_regional_2019_export.zip", EXPORT]


def test_releases_that_stop_coming() -> None:
    now = datetime.now(UTC)
    old, new = f"{now.year - 1}01-Regional-2024-export.zip", f"{now:%Y%m}-Regional-2024-export.zip"
    verdict = {name: look.names([Offer(name, name)])[-1] for name in (old, new)}
    assert (verdict[old].subject, verdict[old].verdict) == ("vintages", "to watch")
    assert "days old" in verdict[old].found
    assert (verdict[new].subject, verdict[new].verdict) == ("vintages", "ok")


# --- what an archive holds ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "member",
    [
        "REGIONAL_2024_EXPORT.TXT",
        "a/b/c/Region_2024_Export.txt",
        "Régional 2024/export/Regional_2024_Export.txt",
        "Regional-2024-export\\Region_2024_Export.txt",
        "./regional_cpf4payse.txt",
    ],
)
def test_members_in_other_folders(tmp_path: Path, member: str) -> None:
    path = write_archive(tmp_path / EXPORT, year(), member=member, labels={f"x/y/{n}.txt": b"" for n in range(3)})
    assert inspect(path).flux == "E"
    assert facts(path, tmp_path)["lignes"] == 4


@pytest.mark.parametrize(
    ("method", "is_read"), [(0, True), (8, True), (12, True), (14, True), (9, False), (93, False), (98, False)]
)
def test_members_packed_otherwise(tmp_path: Path, method: int, is_read: bool) -> None:
    path = tmp_path / EXPORT
    with zipfile.ZipFile(path, "w", method if is_read else 8) as archive:
        archive.writestr("Region_2024_Export.txt", text(year()))
    if is_read:
        assert facts(path, tmp_path)["lignes"] == 4
        return
    # Python writes no such members: the method is changed in both headers.
    payload = path.read_bytes()
    for mark, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        place = payload.index(mark) + at
        payload = payload[:place] + method.to_bytes(2, "little") + payload[place + 2 :]
    path.write_bytes(payload)
    with pytest.raises(ReleaseError) as caught:
        facts(path, tmp_path)
    assert caught.value.check == "is_a_real_archive"
    [finding] = [each for each in looked_into._members(path, Offer(EXPORT, EXPORT)) if each.verdict == "wrong"]
    assert {9: "Deflate64", 93: "Zstandard", 98: "PPMd"}[method] in finding.found
    assert "zip it again" in finding.remedy


@pytest.mark.parametrize("name", [None, "A129.txt", "Libelles/nomenclature_produits.csv", "Liste des pays.txt"])
def test_label_files_that_are_missing_or_called_otherwise(tmp_path: Path, name: str | None) -> None:
    path = write_archive(tmp_path / EXPORT, year(), labels={name: b"DE;Allemagne;190001;999912\r\n"} if name else {})
    assert label_files.read(path, inspect(path)) == [], "our own are printed"
    assert facts(path, tmp_path)["lignes"] == 4


ZONES = "94;Val-de-Marne;03;Ile-de-France"


@pytest.mark.parametrize("line", [None, ZONES, f"{ZONES};200001;999912"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_the_table_of_zones_in_other_shapes(tmp_path: Path, line: str | None, encoding: str) -> None:
    labels = {"Departement_region.txt": f"{line}\r\n".encode(encoding)} if line else {}
    assert facts(write_archive(tmp_path / EXPORT, year(), labels=labels), tmp_path)["valeur_eur"] == 4000


# --- what rows are, and what codes mean -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["c", "s", "ND", "*", "-"])
def test_values_replaced_by_a_mark(tmp_path: Path, mark: str) -> None:
    path = write_archive(tmp_path / EXPORT, [row(trimestre=n, valeur=mark) for n in (1, 2, 3, 4)])
    received = Received(path.name, path, digest(path), inspect(path))
    with pytest.raises(ReleaseError) as caught:
        rows.refuse_suppressed(received, rows.extract(received, tmp_path / "tables"))
    assert "4 of 4" in caught.value.expected_found and f"« {mark} »" in str(caught.value)
    assert caught.value.check == "values_are_published"


def known(name: str, column: str) -> set[str]:
    return {fields[column] for fields in seed(name)}


@pytest.mark.parametrize(
    ("name", "column", "totals"),
    [
        ("departement_alias", "code_source", ["", "00", "FR", "TT", "ZZ", "TOTAL"]),
        ("nomenclature_a129", "a129_code", ["", "TOTL", "AZ", "C", "0000", "TOTAL"]),
        ("nomenclature_cpf4", "cpf4_code", ["", "0000", "01", "011", "9999", "TOTAL"]),
        ("pays", "pays_code", ["", "00", "W1", "U2", "ZZ", "TOTAL"]),
    ],
)
def test_rows_that_are_totals(name: str, column: str, totals: list[str]) -> None:
    assert known(name, column).isdisjoint(totals), "a code that is known would be summed with the rows that it totals"


def test_other_codes_of_departements() -> None:
    alias = {fields["code_source"]: fields["departement_code"] for fields in seed("departement_alias")}
    assert (alias["20"], alias["2A"], alias["2B"]) == ("20", "20", "20")
    assert [alias[f"9{letter}"] for letter in "ABCDE"] == ["971", "972", "973", "974", "976"]
    assert [alias[code] for code in ("971", "972", "973", "974", "976")] == ["971", "972", "973", "974", "976"]
    assert "98" not in alias and "975" not in alias
    assert departement("2A").code == "20"


def test_country_codes_that_we_know() -> None:
    assert {"XI", "XS", "NA", "QU", "FR"} <= known("pays", "pays_code")
    assert known("pays", "pays_code").isdisjoint({"XU", "RS"}), "quarantined unless the release's own label file knows them"
