"""Downloads from a real server with the faults of real ones: what arrives is whole or nothing, and the words help."""

import json
import os
import socket
from pathlib import Path

import pytest

from pipeline.archive import fetch
from pipeline.archive.fetch import WITHDRAWN, Fetched, Http, Offer, Validators, decoded
from pipeline.archive.inspect import inspect
from pipeline.errors import ComexError, OutputError, ReleaseError, SettingError, SourceError
from pipeline.settings import Settings
from tests.archives import write_archive, year
from tests.kiosk import PAGE, Fault, Kiosk

NAME = "202502-Regional-2024-export.zip"
BYTES = b"PK" + os.urandom(300_000)


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory):
    with Kiosk(tmp_path_factory.mktemp("site")) as site:
        yield site


def client(site: Kiosk, **choices) -> Http:
    quick = {"retry_wait_s": 0.01, "timeout_s": 0.5, "attempts": 3}
    return Http(Settings(source=site.url, **quick | choices))


def publish(site: Kiosk, payload: bytes | Path = BYTES, **fault) -> Offer:
    address = site.publish(NAME, payload)
    if fault:
        site.faults[site.path(NAME)] = Fault(**fault)
    return Offer(NAME, address)


def asked(site: Kiosk):
    return site.asked(site.path(NAME))


def taken(http: Http, offer: Offer, folder: Path, known: Validators | None = None) -> Fetched:
    fetched = http.fetch(offer, folder, known)
    assert fetched
    return fetched


def refused(http: Http, offer: Offer, folder: Path, kind: type[ComexError] = SourceError) -> ComexError:
    """What is said; nothing is left under a good name."""
    with pytest.raises(kind) as caught:
        http.fetch(offer, folder)
    error = caught.value
    assert all((error.expected_found, error.where, error.cause, error.remedy))
    assert any(character.isdigit() for character in error.expected_found)
    assert not list(folder.rglob("*.zip"))
    return error


# --- what arrives -------------------------------------------------------------------------------------------------------


def test_a_download_is_whole_and_says_what_the_server_said(site, tmp_path):
    fetched = taken(client(site), publish(site), tmp_path / "store")
    assert fetched.path.read_bytes() == BYTES
    assert fetched.validators.size == len(BYTES)
    assert (fetched.validators.etag or "").startswith('"')
    assert (fetched.validators.last_modified or "").endswith("GMT")
    assert list(fetched.path.parent.iterdir()) == [fetched.path]
    assert asked(site)[0].headers["user-agent"].startswith("comex/")


@pytest.mark.parametrize("forget", ["nothing", "etag", "last_modified"])
def test_an_unchanged_archive_costs_one_request(site, tmp_path, forget):
    http, offer = client(site), publish(site)
    known = taken(http, offer, tmp_path).validators
    known = Validators(**{key: value for key, value in vars(known).items() if key != forget})
    assert http.fetch(offer, tmp_path, known) is None
    assert [request.status for request in asked(site)] == [200, 304]
    assert asked(site)[1].sent == 0


def test_a_server_that_ignores_conditions_sends_the_bytes_again(site, tmp_path):
    http, offer = client(site), publish(site)
    known = taken(http, offer, tmp_path).validators
    site.faults[site.path(NAME)] = Fault(validators=False)
    assert taken(http, offer, tmp_path, known).path.read_bytes() == BYTES


def test_other_bytes_under_the_same_name_are_news(site, tmp_path):
    http, offer = client(site), publish(site)
    known = taken(http, offer, tmp_path).validators
    publish(site, BYTES[::-1])
    assert taken(http, offer, tmp_path, known).path.read_bytes() == BYTES[::-1]


def test_head_asks_for_no_bytes_and_says_the_same(site, tmp_path):
    http, offer = client(site), publish(site)
    assert http.head(offer.origin) == taken(http, offer, tmp_path).validators
    assert (asked(site)[0].method, asked(site)[0].sent) == ("HEAD", 0)


def test_head_where_it_is_refused(site):
    offer = publish(site, status=405, times=1)
    assert client(site).head(offer.origin).size == len(BYTES)


# --- breaks -------------------------------------------------------------------------------------------------------------


def test_a_cut_download_is_resumed(site, tmp_path):
    fetched = taken(client(site), publish(site, cut_at=200_000, times=1), tmp_path)
    assert fetched.path.read_bytes() == BYTES
    first, second = asked(site)
    assert 0 < int(second.headers["range"].removeprefix("bytes=").removesuffix("-")) <= 200_000
    assert second.headers["if-range"] == fetched.validators.etag
    assert second.status == 206
    assert first.sent + second.sent < 2 * len(BYTES)


def test_a_killed_process_is_resumed_by_the_next(site, tmp_path):
    offer = publish(site, cut_at=200_000)
    refused(client(site, attempts=1), offer, tmp_path)
    site.faults.clear()
    assert taken(client(site), offer, tmp_path).path.read_bytes() == BYTES
    assert asked(site)[-1].status == 206


def test_without_validators_only_the_same_process_resumes(site, tmp_path):
    offer = publish(site, cut_at=200_000, validators=False)
    refused(client(site, attempts=1), offer, tmp_path)
    site.faults[site.path(NAME)] = Fault(cut_at=200_000, validators=False, times=1, then=Fault(validators=False))
    assert taken(client(site), offer, tmp_path).path.read_bytes() == BYTES
    assert [("range" in request.headers, request.status) for request in asked(site)] == [(False, 200), (False, 200), (True, 206)]


def test_bytes_that_changed_meanwhile_are_never_spliced(site, tmp_path):
    offer = publish(site, cut_at=200_000)
    refused(client(site, attempts=1), offer, tmp_path)
    site.faults.clear()
    publish(site, BYTES[::-1])
    assert taken(client(site), offer, tmp_path).path.read_bytes() == BYTES[::-1]
    assert asked(site)[-1].status == 200


def test_a_server_that_goes_on_with_another_file_is_found_out(site, tmp_path):
    offer = publish(site, cut_at=200_000)
    refused(client(site, attempts=1), offer, tmp_path)
    publish(site, BYTES[::-1], splices=True)
    assert taken(client(site), offer, tmp_path).path.read_bytes() == BYTES[::-1]
    assert [request.status for request in asked(site)[1:]] == [206, 200]


@pytest.mark.parametrize("fault", [Fault(status=403), Fault(status=302, headers={"Location": "https://login.example/1"})])
def test_a_refusal_between_leaves_the_bytes_to_go_on_from(site, tmp_path, fault):
    offer = publish(site, cut_at=200_000)
    refused(client(site, attempts=1), offer, tmp_path)
    site.faults[site.path(NAME)] = fault
    refused(client(site), offer, tmp_path)
    site.faults.clear()
    assert taken(client(site), offer, tmp_path).path.read_bytes() == BYTES
    assert asked(site)[-1].status == 206


def test_bytes_that_are_fewer_than_before_the_break(site, tmp_path):
    offer = publish(site, cut_at=200_000)
    refused(client(site, attempts=1), offer, tmp_path)
    publish(site, BYTES[:1000], splices=True)
    assert taken(client(site), offer, tmp_path).path.read_bytes() == BYTES[:1000]
    assert [request.status for request in asked(site)[1:]] == [416, 200]


def test_no_range_support_means_starting_again(site, tmp_path):
    offer = publish(site, cut_at=200_000)
    refused(client(site, attempts=1), offer, tmp_path)
    site.faults[site.path(NAME)] = Fault(ranges=False)
    assert taken(client(site), offer, tmp_path).path.read_bytes() == BYTES


def test_a_download_that_is_cut_every_time(site, tmp_path):
    offer = publish(site, cut_at=50_000, ranges=False)
    error = refused(client(site), offer, tmp_path)
    assert "cut" in error.expected_found
    assert "the last of 3 tries" in error.expected_found
    assert "50,000 bytes are here" in error.expected_found
    assert len(asked(site)) == 3


def test_a_wrong_length_is_a_cut_or_a_damaged_archive(site, tmp_path):
    assert "cut" in refused(client(site), publish(site, length=len(BYTES) + 10), tmp_path / "long").expected_found
    archive = write_archive(tmp_path / NAME, year() * 500)
    offer = publish(site, archive, length=archive.stat().st_size - 10)
    short = taken(client(site), offer, tmp_path / "short")
    with pytest.raises(ReleaseError) as caught:
        inspect(short.path, NAME, offer.origin)
    assert caught.value.check == "is_a_real_archive"


# --- faults that pass, and that do not ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_server_that_is_ill_and_recovers(site, tmp_path, status):
    assert taken(client(site), publish(site, status=status, times=2), tmp_path).path.read_bytes() == BYTES
    assert [request.status for request in asked(site)] == [status, status, 200]


def test_a_server_that_stays_ill(site, tmp_path):
    error = refused(client(site), publish(site, status=503), tmp_path)
    assert "503 Service Unavailable, at the last of 3 tries" in error.expected_found


@pytest.mark.parametrize("asks", ["1", "date", "-3", "demain"])
def test_retry_after_is_honoured(site, tmp_path, asks):
    from email.utils import formatdate
    from time import monotonic, time

    value = formatdate(time() + 2, usegmt=True) if asks == "date" else asks
    start = monotonic()
    taken(client(site), publish(site, status=429, times=1, headers={"Retry-After": value}), tmp_path)
    assert (monotonic() - start >= 0.9) == (asks in ("1", "date"))


def test_retry_after_is_bounded(site, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "LONGEST_WAIT_S", 0.01)
    taken(client(site), publish(site, status=503, times=1, headers={"Retry-After": "86400"}), tmp_path)


@pytest.mark.parametrize("status", [400, 401, 403, 451])
def test_other_refusals_are_not_tried_again(site, tmp_path, status):
    assert str(status) in refused(client(site), publish(site, status=status), tmp_path).expected_found
    assert len(asked(site)) == 1


@pytest.mark.parametrize("status", [404, 410])
def test_a_withdrawn_archive_says_so_at_once(site, tmp_path, status):
    error = refused(client(site), publish(site, status=status), tmp_path)
    assert (error.check, len(asked(site))) == (WITHDRAWN, 1)
    assert str(status) in error.expected_found


def test_a_web_page_with_status_200(site, tmp_path):
    error = refused(client(site), publish(site, body=b"\n<!DOCTYPE html><html>Consentez"), tmp_path, ReleaseError)
    assert error.check == "is_not_an_html_page"
    assert len(asked(site)) == 1
    other = publish(site, body=b"Bonjour", headers={"Content-Type": "text/html"})
    assert refused(client(site), other, tmp_path, ReleaseError).check == error.check
    assert not list((tmp_path / "incoming").iterdir())


def test_an_archive_called_html_by_its_server_is_an_archive(site, tmp_path):
    assert taken(client(site), publish(site, headers={"Content-Type": "text/html"}), tmp_path).path.read_bytes() == BYTES


def test_connection_refused(site, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/{NAME}"
    http = Http(Settings(source=url, retry_wait_s=0.01, attempts=2))
    error = refused(http, Offer(NAME, url), tmp_path)
    assert "no connection" in error.expected_found
    assert "refused" in error.expected_found
    assert "proxy" in error.cause


def test_a_name_that_does_not_exist(tmp_path):
    url = f"http://comex-does-not-exist.invalid/{NAME}"
    error = refused(Http(Settings(source=url, retry_wait_s=0.01, attempts=2)), Offer(NAME, url), tmp_path)
    assert "no machine of the name comex-does-not-exist.invalid" in error.expected_found


def test_silence(site, tmp_path):
    error = refused(client(site, attempts=2, timeout_s=0.2), publish(site, pause_s=1), tmp_path)
    assert "no byte within 0.2 s" in error.expected_found


def test_a_slow_trickle_is_given_up(site, tmp_path):
    error = refused(client(site, attempts=2, timeout_s=0.3), publish(site, trickle=(10, 0.05)), tmp_path)
    assert "KiB/s over 0 s, 4 at least" in error.expected_found
    assert "COMEX_SLOWEST_KIB_S" in error.cause


def test_a_slow_line_may_be_allowed(site, tmp_path):
    offer = publish(site, BYTES[:100], trickle=(10, 0.06))
    assert taken(client(site, slowest_kib_s=0.01, timeout_s=0.3), offer, tmp_path).path.read_bytes() == BYTES[:100]


# --- redirects, sizes, disks ----------------------------------------------------------------------------------------------


def test_a_redirect_within_the_site_is_followed(site, tmp_path):
    publish(site)
    site.faults["/r/42"] = Fault(status=302, headers={"Location": f"../sites/default/files/2025-02/07/{NAME}"})
    assert taken(client(site), Offer(NAME, f"{site.origin}/r/42"), tmp_path).path.read_bytes() == BYTES


def test_a_redirect_loop(site, tmp_path):
    error = refused(client(site), publish(site, status=302, headers={"Location": f"{site.path(NAME)}"}), tmp_path)
    assert "more than 5 redirects, in a loop" in error.expected_found
    assert len(asked(site)) == 6


def test_a_redirect_to_another_host_needs_leave(site, tmp_path, tmp_path_factory):
    with Kiosk(tmp_path_factory.mktemp("other")) as other:
        elsewhere = other.publish(NAME, BYTES)
        offer = publish(site, status=302, headers={"Location": elsewhere})
        error = refused(client(site), offer, tmp_path)
        assert elsewhere in error.expected_found
        assert "COMEX_HOSTS" in error.remedy
        assert not other.requests
        allowed = client(site, hosts=f"example.org, {other.origin.removeprefix('http://')}")
        assert taken(allowed, offer, tmp_path).path.read_bytes() == BYTES


def test_a_link_to_another_host_needs_leave_too(site, tmp_path):
    assert "example.org" in refused(client(site), Offer(NAME, f"https://example.org/1/{NAME}"), tmp_path).expected_found


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/1", "file:/etc/passwd1"])
def test_a_redirect_to_something_else_than_http(site, tmp_path, target):
    assert target in refused(client(site), publish(site, status=302, headers={"Location": target}), tmp_path).expected_found


def test_a_redirect_never_gives_up_encryption():
    http = Http(Settings(source="https://www.douane.gouv.fr/"))
    chain = [fetch.httpx.URL("https://www.douane.gouv.fr/1"), fetch.httpx.URL("http://www.douane.gouv.fr/1")]
    with pytest.raises(SourceError, match="« http » after « https »"):
        http._is_allowed(chain)


@pytest.mark.parametrize("fault", [{}, {"headers": {"Transfer-Encoding": "chunked"}, "body": b"120000\r\nPK" + BYTES * 5}])
def test_what_is_too_large_is_not_downloaded(site, tmp_path, fault):
    error = refused(client(site, archive_max_mib=1), publish(site, BYTES * 5, **fault), tmp_path)
    assert "At most 1,048,576 bytes" in error.expected_found
    assert not list((tmp_path / "incoming").iterdir())


def test_a_page_is_bounded(site, monkeypatch):
    monkeypatch.setattr(fetch, "MAX_PAGE", 100)
    publish(site)
    with pytest.raises(SourceError, match="At most 100 bytes"):
        client(site).page(site.url)


def test_a_disk_that_is_full(site, tmp_path, monkeypatch):
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "No space left" in refused(client(site), publish(site), tmp_path, OutputError).expected_found


def test_what_a_former_process_noted_may_be_damaged(site, tmp_path):
    offer = publish(site, cut_at=200_000)
    refused(client(site, attempts=1), offer, tmp_path)
    [note] = tmp_path.rglob("*.json")
    assert json.loads(note.read_text())["url"] == offer.origin
    note.write_text("{")
    site.faults.clear()
    assert taken(client(site), offer, tmp_path).path.read_bytes() == BYTES


def test_a_password_reaches_its_host_and_nothing_else(site, tmp_path):
    offer = publish(site)
    http = Http(Settings(source=site.url.replace("http://", "http://mina:secret@")))
    assert http.page(site.url.replace("http://", "http://mina:secret@")).url == site.url
    assert asked(site) == []
    taken(http, offer, tmp_path)
    assert asked(site)[0].headers["authorization"].startswith("Basic ")


def test_an_office_s_proxy_is_used(site, tmp_path, monkeypatch):
    publish(site)
    monkeypatch.setenv("HTTP_PROXY", site.origin)
    url = f"http://comex-does-not-exist.invalid{site.path(NAME)}"
    http = Http(Settings(source=url, retry_wait_s=0.01, attempts=2))
    assert taken(http, Offer(NAME, url), tmp_path).path.read_bytes() == BYTES


def test_proxies_that_cannot_be_used_are_told(site, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "gopher://proxy.example:70")
    with pytest.raises(SettingError, match="gopher"):
        client(site)


# --- pages ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "charset", "text"),
    [
        ("né à l’été".encode("cp1252"), "iso-8859-1", "né à l’été"),
        ("né à l’été".encode("cp1252"), None, "né à l’été"),
        ("né à l’été".encode(), None, "né à l’été"),
        ("\ufeffné".encode(), None, "né"),
        ("né".encode(), "us-ascii", "né"),
        ("<META http-equiv=x content='text/html; charset=koi8-r'>д".encode("koi8-r"), None, "д"),
        ("<meta charset='martien'>né".encode(), None, "né"),
        (b"n\xe9\x81", "utf-8", "né\ufffd"),
    ],
)
def test_pages_in_the_encodings_of_the_state(payload, charset, text):
    assert decoded(payload, charset).endswith(text)


def test_json_that_is_a_page(site):
    publish(site)
    with pytest.raises(SourceError, match="JSON was expected") as caught:
        client(site).json(site.origin + PAGE)
    assert caught.value.where == site.url
