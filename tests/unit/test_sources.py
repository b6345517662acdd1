"""Index pages and the customs' two places, over a real server: what is on offer, and what is said when nothing is."""

import json
import re

import pytest

from pipeline.errors import ReleaseError, SettingError, SourceError
from pipeline.paths import Paths
from pipeline.settings import ARCHIVE, Settings
from pipeline.sources import Source, open_source
from pipeline.sources.page import archive_name, targets
from tests.kiosk import PAGE, Fault, Kiosk

EXPORT, IMPORT = (f"202502-Regional-2024-{flux}.zip" for flux in ("export", "import"))
DATASET = "/api/1/datasets/5369a0c7a3a729239d206446/"


@pytest.fixture
def site(tmp_path):
    with Kiosk(tmp_path / "site") as site:
        yield site


@pytest.fixture
def opened(site, tmp_path):
    """Opens a source; `douane` means the two places on the test's own server."""

    def opened(source: str = "", **choices) -> Source:
        quick = {"retry_wait_s": 0.01, "attempts": 2, "timeout_s": 1}
        places = {"douane_page": site.url, "douane_dataset": site.origin + DATASET}
        home = tmp_path / "home"
        return open_source(Settings(source=source or site.url, home=home, **quick | places | choices), Paths(home))

    return opened


def serve_page(site: Kiosk, text: str, **headers: str) -> None:
    site.put(PAGE, text.encode())
    site.faults[PAGE] = Fault(headers=headers)


def serve_dataset(site: Kiosk, *resources: dict) -> None:
    site.faults[DATASET] = Fault(body=json.dumps({"resources": list(resources)}).encode())


def told(error: pytest.ExceptionInfo) -> str:
    assert all((error.value.expected_found, error.value.where, error.value.cause, error.value.remedy))
    return error.value.expected_found


# --- pages --------------------------------------------------------------------------------------------------------------


def test_a_page_offers_the_regional_archives_it_links_and_nothing_else(site, opened):
    addresses = [site.publish(name, b"PK") for name in (IMPORT, EXPORT)]
    source = opened()
    assert [(offer.name, offer.origin, offer.path) for offer in source.offers] == [
        (EXPORT, addresses[1], None),
        (IMPORT, addresses[0], None),
    ]
    assert (source.label, source.notices) == (site.url, [])
    assert re.fullmatch(r"127-0-0-1-\d+-site-fr-telechargement-telechargement-sgbd-\w{3}-[0-9a-f]{8}", source.id)
    assert len(site.requests) == 1


@pytest.mark.parametrize(
    ("href", "address"),
    [
        (EXPORT, f"/site_fr/telechargement/{EXPORT}"),
        (f"../a/./{EXPORT}", f"/site_fr/a/{EXPORT}"),
        (f"/{EXPORT}?download=1&amp;x=2#top", f"/{EXPORT}?download=1&x=2"),
        (f"\n /{EXPORT}\t", f"/{EXPORT}"),
        (f"/get.asp?f=files/{EXPORT}", f"/get.asp?f=files/{EXPORT}"),
        ("/202502-Regional%2D2024%2Dexport.zip", "/202502-Regional%2D2024%2Dexport.zip"),
        ("/202502-Regional%252D2024%252Dexport.zip", "/202502-Regional%252D2024%252Dexport.zip"),
        ("/été 2025/202502_REGIONAL_2024_EXPORT.ZIP", "/%C3%A9t%C3%A9%202025/202502_REGIONAL_2024_EXPORT.ZIP"),
        (f"//127.0.0.1:1/{EXPORT}", f"http://127.0.0.1:1/{EXPORT}"),
    ],
)
def test_links_in_all_their_spellings(site, opened, href, address):
    serve_page(site, f"<p><a class=x HREF='{href}'>ici<A>")
    [offer] = opened().offers
    assert offer.origin == (address if address.startswith("http") else site.origin + address)
    assert offer.name.lower().startswith("202502") and "%" not in offer.name


def test_a_base_and_an_image_map(site, opened):
    serve_page(site, f"<base href='/files/'><base href='/x/'><map><area href='{EXPORT}'></map>")
    assert [offer.origin for offer in opened().offers] == [f"{site.origin}/files/{EXPORT}"]


def test_links_start_from_where_the_page_was_found(site, opened):
    site.put("/mirror/index.html", f"<a href={EXPORT}>".encode())
    site.faults["/mirror"] = Fault(status=301, headers={"Location": "/mirror/index.html"})
    assert [offer.origin for offer in opened(f"{site.origin}/mirror").offers] == [f"{site.origin}/mirror/{EXPORT}"]


def test_one_address_counts_once_and_two_addresses_of_one_name_are_both_offered(site, opened):
    former, newer = (site.publish(EXPORT, b"PK", day) for day in ("2025-02/07", "2025-08/07"))
    site.links += [newer, newer + "#x", newer.replace("http:", "HTTP:")]
    first = site.publish(IMPORT, b"PK")
    assert [offer.origin for offer in opened().offers] == [former, newer, first]


def test_a_listing_of_a_folder(site, opened):
    listing = '<h1>Index of /</h1><pre><a href="?C=N;O=D">Name</a> <a href="../">..</a> <a href="%s">2025..&gt;</a></pre>'
    serve_page(site, listing % EXPORT)
    assert [offer.name for offer in opened().offers] == [EXPORT]


@pytest.mark.parametrize(
    "name",
    [
        "202308-National-2022-import.zip",
        "region_18.zip",
        "202502-drom-2024-export.zip",
        "202502-Regional-2024-export.zip.html",
        "202502-Regional-2024.zip",
        "202502-Regional-2024-export%00.zip",
        "javascript:open('202502-Regional-2024-export.zip')",
        "http://[202502-Regional-2024-export.zip",
    ],
)
def test_what_is_not_a_regional_archive(name):
    assert [archive_name(link, ARCHIVE) for link in targets(f'<a href="{name}">', "https://x.example/")] == [None]


def test_old_links_to_http_are_as_secret_as_their_page():
    from pipeline.sources.page import _address

    assert (
        _address("http://www.douane.gouv.fr/x.zip", "https://lekiosque.finances.gouv.fr/") == "https://www.douane.gouv.fr/x.zip"
    )
    assert _address("http://a.example/x.zip", "http://b.example/") == "http://a.example/x.zip"
    assert _address("http://a.example:8080/x.zip", "https://b.example/") == "http://a.example:8080/x.zip"


def test_a_page_whose_layout_changed_is_not_nothing_new(site, opened):
    site.publish("2025-02-regional-exports.zip", b"PK")
    with pytest.raises(ReleaseError) as caught:
        opened()
    assert "has 5 links, 3 of them to ZIP files, passed over: 2025-02-regional-exports.zip (its name does not match" in told(
        caught
    )
    assert "COMEX_ARCHIVE_PATTERN" in caught.value.remedy
    [offer] = opened(archive_pattern=r"regional-(exports|imports)\.zip$").offers
    assert offer.name == "2025-02-regional-exports.zip"


def test_a_pattern_that_is_none(opened):
    with pytest.raises(SettingError, match="COMEX_ARCHIVE_PATTERN"):
        opened(archive_pattern="(")


@pytest.mark.parametrize("fault", [Fault(status=404), Fault(status=500), Fault(cut_at=100), Fault(pause_s=1.5)])
def test_a_page_that_cannot_be_had(site, opened, fault):
    site.publish(EXPORT, b"PK")
    site.faults[PAGE] = fault
    with pytest.raises(SourceError) as caught:
        opened(timeout_s=0.4)
    assert re.search(r"\d", told(caught))
    assert caught.value.where == site.url


@pytest.mark.parametrize("source", ["www.douane.gouv.fr/page.asp", "ftp://x.example/", "http://", "http://[x/", "doune"])
def test_what_is_no_source(opened, source):
    with pytest.raises((SettingError, SourceError)) as caught:
        opened(source)
    assert told(caught)


def test_a_password_stays_out_of_labels_and_origins(site, opened):
    site.publish(EXPORT, b"PK")
    source = opened(site.url.replace("//", "//mina:secret@"))
    assert "secret" not in repr((source.id, source.label, source.offers))
    assert source.id == opened().id
    assert site.requests[0].headers["authorization"]


def test_the_bytes_come_through_the_source(site, opened, tmp_path):
    site.publish(EXPORT, b"PK1")
    source = opened()
    fetched = source.fetch(source.offers[0], tmp_path)
    assert fetched and fetched.path.read_bytes() == b"PK1"
    assert source.fetch(source.offers[0], tmp_path, fetched.validators) is None


# --- the customs' two places ----------------------------------------------------------------------------------------------


def test_the_dataset_completes_the_page(site, opened):
    address = site.publish(EXPORT, b"PK")
    permalink = f"{site.origin}/fr/datasets/r/0a78bacc-99cf-4a26-8f28-088f2e96a2ef"
    serve_dataset(
        site,
        {"url": f"{site.origin}/elsewhere/{EXPORT.upper()}", "title": "the page has it"},
        {"url": f"{site.origin}/files/20200407/202002_regional_2019_import.zip", "title": "2019", "checksum": None},
        {"url": permalink, "title": "202002_regional_2019_export"},
        {"url": None, "latest": permalink, "title": "Base 202102-Regional-2020-export.zip"},
        {"url": f"{site.origin}/region_18.zip", "title": "Auvergne"},
        {"title": IMPORT},
        {"url": "javascript:0", "title": IMPORT},
        {"url": "http://x:y/", "title": IMPORT},
    )
    source = opened("douane")
    assert [(offer.name, offer.origin) for offer in source.offers] == [
        ("202002_regional_2019_export.zip", permalink),
        ("202002_regional_2019_import.zip", f"{site.origin}/files/20200407/202002_regional_2019_import.zip"),
        (EXPORT, address),
        ("Base 202102-Regional-2020-export.zip", permalink),
    ]
    assert (source.id, source.notices) == ("douane", [])


def test_either_place_may_be_silent_and_is_told(site, opened):
    site.publish(EXPORT, b"PK")
    source = opened("douane")
    assert [offer.name for offer in source.offers] == [EXPORT]
    [notice] = source.notices
    assert (type(notice), notice.where) == (SourceError, site.origin + DATASET)
    site.faults[PAGE] = Fault(status=503)
    serve_dataset(site, {"url": f"{site.origin}/{IMPORT}", "title": ""})
    source = opened("douane")
    assert [offer.name for offer in source.offers] == [IMPORT]
    assert [notice.where for notice in source.notices] == [site.url]


def test_a_page_without_archives_stops_whatever_the_dataset_has(site, opened):
    serve_page(site, "<html>Nouveau site !</html>")
    serve_dataset(site, {"url": f"{site.origin}/{IMPORT}", "title": ""})
    with pytest.raises(ReleaseError, match="has 0 links"):
        opened("douane")


@pytest.mark.parametrize("dataset", ["nothing", "page", "list", "no archive"])
def test_both_places_silent(site, opened, dataset):
    site.faults[PAGE] = Fault(status=404)
    bodies = {"page": b"<html>", "list": b"[]", "no archive": b'{"resources": [{"url": null}, 3]}'}
    if dataset in bodies:
        site.faults[DATASET] = Fault(body=bodies[dataset])
    with pytest.raises(SourceError) as caught:
        opened("douane")
    assert "neither offers any" in told(caught)
    assert "404" in caught.value.expected_found
    assert DATASET in caught.value.expected_found
    assert "COMEX_DOUANE_PAGE" in caught.value.remedy


def test_links_to_the_customs_hosts_are_allowed_and_others_are_not(site, opened, tmp_path):
    serve_page(site, f'<a href="https://elsewhere.example/{EXPORT}">')
    source = opened()
    with pytest.raises(SourceError, match=r"elsewhere\.example, which is none of the 5 hosts"):
        source.fetch(source.offers[0], tmp_path)
