"""Which proxy leads to a host, and which certificates are trusted: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE,
SSL_CERT_DIR, as curl reads them. A value that says nothing is a SettingError that names its variable.

httpx would read them too, but takes `10.0.0.0/8` for one host, and answers `[::1]` or `10.0.0.0/99` with an error of its own.
Add here: another way to write a value. Keep out: what is asked of a server (`fetch.py`).
"""

import ipaddress
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.request import getproxies

import httpx

from pipeline.errors import SettingError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
NAME = re.compile(r"[\w*-]+(\.[\w*-]+)*")  # letters of all alphabets; `*` for any
EXCEPTIONS = (
    "NO_PROXY takes hosts, domains, addresses, networks such as 10.0.0.0/8 or fd00::/8, each with a port if need be, and *"
)


@dataclass(frozen=True)
class Exempt:
    """One entry of NO_PROXY: a network, or a name that its subdomains share; `port` and `scheme` None for any."""

    name: str
    network: Network | None
    port: int | None
    scheme: str | None

    def holds(self, url: httpx.URL) -> bool:
        """Is this address reached without a proxy?"""
        if (self.port or _port(url)) != _port(url) or (self.scheme or url.scheme) != url.scheme:
            return False
        host = url.raw_host.decode().strip("[].").lower()
        if self.network:
            address = _address(host)
            return address is not None and address in self.network
        return fnmatchcase(host, self.name) or fnmatchcase(host, f"*.{self.name}")


class Routed(httpx.BaseTransport):
    """Each request by its proxy, or directly."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        found = getproxies() if environment is None else environment
        trusted = certificates()
        self._exempt = exempt(found.get("no", ""))
        self._direct = httpx.HTTPTransport(verify=trusted)
        chosen = {scheme: next((name for name in (scheme, "all") if found.get(name)), None) for scheme in ("http", "https")}
        self._by_scheme = {
            scheme: httpx.HTTPTransport(verify=trusted, proxy=proxy(name, found[name])) for scheme, name in chosen.items() if name
        }

    def leads_directly(self, url: httpx.URL) -> bool:
        """Is no proxy asked for this address?"""
        return url.scheme not in self._by_scheme or any(each.holds(url) for each in self._exempt)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """As any transport."""
        taken = self._direct if self.leads_directly(request.url) else self._by_scheme[request.url.scheme]
        return taken.handle_request(request)

    def close(self) -> None:
        """As any transport."""
        for each in (self._direct, *self._by_scheme.values()):
            each.close()


def exempt(value: str) -> list[Exempt]:
    """The entries of NO_PROXY. Raises SettingError for the first that is none."""
    return [_exempt(entry) for entry in re.split(r"[\s,;]+", value) if entry]


def _exempt(entry: str) -> Exempt:
    scheme, _, place = entry.lower().rpartition("://")
    port = None
    if found := re.fullmatch(r"(\[[^\[\]]*\](?:/\d+)?|[^:]*):(\d+)", place):
        place, port = found[1], int(found[2])
    place = re.sub(r"^\[([^\[\]]*)\]", r"\1", place.rstrip("/"))
    try:
        network = ipaddress.ip_network(re.sub(r"%[\w.-]+", "", place), strict=False)
    except ValueError:
        network = None
    name = place.removeprefix("*.").strip(".")
    if (
        (network or name == "*" or NAME.fullmatch(name))
        and (port is None or 0 < port < 65536)
        and scheme in ("", "http", "https", "all")
    ):
        if not name.isascii():
            name = httpx.URL(f"http://{name}").raw_host.decode()  # as it is asked for
        return Exempt(name, network, port, scheme if scheme in ("http", "https") else None)
    raise _cannot_be_used("no", entry, "hosts that are reached without a proxy", EXCEPTIONS)


def proxy(name: str, value: str) -> httpx.Proxy:
    """The proxy that `name`_proxy (http, https, all) gives. Raises SettingError when it is none that can be used."""
    wanted = (
        "a proxy looks like http://proxy.example:3128, or http://user:password@proxy.example:3128; unset it where there is none"
    )
    try:
        url = httpx.URL(value.strip() if "://" in value else f"http://{value.strip()}")
        if url.scheme in ("http", "https") and url.host and 0 < _port(url) < 65536 and not re.search(r"[\s\"'<>]|%20", url.host):
            return httpx.Proxy(url)
    except (httpx.InvalidURL, ValueError, UnicodeError):
        pass
    raise _cannot_be_used(name, value, "an HTTP proxy (SOCKS and others are not supported)", wanted)


def certificates() -> ssl.SSLContext:
    """The certificates to trust. Raises SettingError when the variable that names some leads to none."""
    if (folder := os.environ.get("SSL_CERT_DIR")) and not os.environ.get("SSL_CERT_FILE") and not Path(folder).is_dir():
        raise _no_certificates("SSL_CERT_DIR", folder, "no such folder")
    try:
        return httpx.create_ssl_context()
    except (OSError, ValueError) as error:
        raise _no_certificates("SSL_CERT_FILE", os.environ.get("SSL_CERT_FILE", ""), str(error)) from error


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _port(url: httpx.URL) -> int:
    return url.port if url.port is not None else {"http": 80, "https": 443}.get(url.scheme, 0)


def _cannot_be_used(name: str, value: str, expected: str, remedy: str) -> SettingError:
    names = (f"{name}_proxy", f"{name.upper()}_PROXY")  # the lower-case one stands before the other
    variable = next((each for each in names if os.environ.get(each)), names[1])
    shown = re.sub(r"^([\w+.-]*://)?[^@/]*@", r"\1…@", value)  # a password is nobody's business
    return SettingError(
        f"{variable} was expected to give {expected}; {shown!r} is none.",
        where=f"the environment: {variable}",
        cause="a typing error, or a way of writing that another program understands",
        remedy=f"correct it: {remedy}",
    )


def _no_certificates(variable: str, value: str, said: str) -> SettingError:
    return SettingError(
        f"{variable} was expected to lead to certificates that can be trusted; {value!r} does not: {said}.",
        where=f"the environment: {variable}",
        cause="a typing error, or certificates that were moved",
        remedy="correct it, or unset it to trust those that come with this installation",
    )
