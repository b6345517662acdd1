"""The variables of proxies and certificates: what each valid value does, and that any other is named."""

from pathlib import Path

import httpx
import pytest

from pipeline.archive import proxies
from pipeline.archive.fetch import Http
from pipeline.errors import SettingError
from pipeline.settings import Settings

PROXY = {"http": "http://proxy.example:3128", "https": "http://proxy.example:3128"}


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("value", "direct", "led"),
    [
        ("*", "https://any.example/", None),
        ("a.example, *", "https://any.example/", None),
        ("example.org", "https://example.org/ https://www.example.org/", "https://notexample.org/ https://example.org.evil/"),
        (".example.org", "https://www.example.org/ https://example.org/", "https://notexample.org/"),
        ("*.example.org", "https://www.example.org/", "https://other.org/"),
        ("EXAMPLE.org.", "https://Example.ORG/ https://example.org./", "https://example.com/"),
        ("localhost", "http://localhost:8000/", "http://localhost.example/"),
        ("::1", "http://[::1]/ http://[::1]:8080/", "http://[::2]/"),
        ("[::1]", "http://[::1]/", "http://[::2]/"),
        ("[::1]:8080", "http://[::1]:8080/", "http://[::1]/"),
        ("fe80::1%eth0", "http://[fe80::1]/", "http://[fe80::2]/"),
        ("fd00::/8", "http://[fd12::7]/", "http://[fe80::7]/ http://fd.example/"),
        ("[fd00::]/8", "http://[fd12::7]/", "http://[fe80::7]/"),
        ("10.0.0.0/8", "http://10.9.8.7/", "http://11.0.0.1/ http://10.example/"),
        ("10.1.2.3/8", "http://10.9.8.7/", "http://11.0.0.1/"),
        ("192.168.1.1", "http://192.168.1.1/", "http://192.168.1.10/"),
        ("192.168.*", "http://192.168.7.7/", "http://192.169.7.7/"),
        ("example.org:8443", "https://example.org:8443/", "https://example.org/"),
        ("http://example.org", "http://example.org/", "https://example.org/"),
        ("a.example b.example;c.example", "http://a.example/ http://b.example/ http://c.example/", "http://d.example/"),
        (" , ,", "", "http://a.example/"),
        ("musée.example", "http://musée.example/ http://www.musée.example/", "http://other.example/"),
    ],
)
def test_no_proxy_means_what_it_means_to_curl(value: str, direct: str, led: str | None) -> None:
    routed = proxies.Routed(PROXY | {"no": value})
    assert [url for url in direct.split() if not routed.leads_directly(httpx.URL(url))] == []
    assert [url for url in (led or "").split() if routed.leads_directly(httpx.URL(url))] == []


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
@pytest.mark.parametrize(
    "entry", ["[::1", "::1]", "10.0.0.0/99", "a/b", "host:port", "host:99999", "ftp://a.example", "a..b", "::g", "<x>"]
)
def test_an_entry_of_no_proxy_that_is_none_is_named(name: str, entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, f"localhost,{entry}")
    monkeypatch.setenv("https_proxy", PROXY["https"])
    with pytest.raises(SettingError) as caught:
        Http(Settings(source="https://example.org/"))
    assert caught.value.expected_found.startswith(f"{name} was expected") and repr(entry) in caught.value.expected_found
    assert caught.value.where == f"the environment: {name}"


@pytest.mark.parametrize(
    "value",
    [
        "http://proxy.example:3128",
        "proxy.example:3128",
        " proxy.example ",
        "https://u:p%40@proxy.example:3128/",
        "http://[::1]:3128",
    ],
)
def test_a_proxy_in_each_way_of_writing(value: str) -> None:
    assert proxies.proxy("http", value).url.host in ("proxy.example", "::1")


@pytest.mark.parametrize("name", ["HTTP_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.parametrize(
    "value",
    [
        "socks5://127.0.0.1:1080",
        "gopher://p.example",
        "http://",
        "http://pro xy.example:3128",
        "http://p.example:99999",
        "http://[::1",
        "p:x",
    ],
)
def test_a_proxy_that_is_none_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingError) as caught:
        Http(Settings(source="https://example.org/"))
    assert caught.value.expected_found.startswith(f"{name} was expected") and value in caught.value.expected_found


def test_a_proxy_for_all_is_not_looked_at_where_each_has_its_own() -> None:
    routed = proxies.Routed(PROXY | {"all": "socks://127.0.0.1:7891"})
    assert not routed.leads_directly(httpx.URL("https://example.org/"))


def test_a_password_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://user:s3cret@proxy.example:1080")
    with pytest.raises(SettingError) as caught:
        Http(Settings(source="https://example.org/"))
    assert "s3cret" not in str(caught.value) and "proxy.example" in str(caught.value)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_that_are_not_there_are_named(variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "none"))
    with pytest.raises(SettingError, match=variable) as caught:
        Http(Settings(source="https://example.org/"))
    assert str(tmp_path / "none") in str(caught.value)
