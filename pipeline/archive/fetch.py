"""How an archive on offer gets here: a path that is there already, or a download that breaks, lies and dawdles.

Proxies and certificates are those of the environment (`proxies.py`).

Add here: manners towards a server. Keep out: which archives are on offer (`sources/`), what they must hold (`inspect.py`).
"""

import codecs
import hashlib
import itertools
import json
import os
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, astuple, dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from pipeline import progress
from pipeline.archive import proxies
from pipeline.archive.inspect import web_page
from pipeline.errors import ReleaseError, SourceError
from pipeline.outputs import writing
from pipeline.settings import Settings

T = TypeVar("T")
MAX_PAGE = 5 * 1024**2
MAX_REDIRECTS = 5
LONGEST_WAIT_S = 60  # whatever a server asks for with Retry-After
PORTS = {"http": 80, "https": 443}
GONE = (404, 410)
WITHDRAWN = "release_is_still_published"  # the check that an archive fails whose link leads nowhere any more


@dataclass(frozen=True)
class Offer:
    """One archive on offer: published as `name` at `origin`, its bytes at `path`, or to be downloaded when None.

    `saved_at`: when the bytes came to where they are (seconds since 1970), where the source knows.
    """

    name: str
    origin: str
    path: Path | None = None
    saved_at: float | None = None


@dataclass(frozen=True)
class Validators:
    """What a server said of a file, to ask later whether it changed. `size` in bytes."""

    etag: str | None = None
    last_modified: str | None = None
    size: int | None = None


@dataclass(frozen=True)
class Fetched:
    """Bytes that are whole and on this disk, and what their server said of them."""

    path: Path
    validators: Validators


@dataclass(frozen=True)
class Page:
    """A text and its address, redirects followed."""

    url: str
    text: str


@dataclass(frozen=True)
class Answer:
    """What a server answered, redirects followed: the last address, the status, headers by lower-case name, the body."""

    url: str
    status: int
    headers: dict[str, str]
    body: bytes


class _Passing(Exception):
    """A fault that another try may not meet: what was found, why it may be, and the wait that the server asks for (s)."""

    def __init__(self, found: str, cause: str, wait: float | None = None) -> None:
        super().__init__(found)
        self.found, self.cause, self.wait = found, cause, wait


class Http:
    """A polite client for the settings' source: few hosts, bounded sizes, bounded patience; threads may share it.

    All methods raise SourceError for what they cannot get; it cannot be made (SettingError) where the environment names a proxy or
    certificates that are none.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        asked = [settings.douane_page, settings.douane_dataset] if settings.source == "douane" else [settings.source]
        own = [httpx.URL(url) for url in asked if is_address(url)]
        self._places = {(url.host, port) for url in own for port in (url.port or PORTS[url.scheme], url.port or 443)}
        for host, _, port in (place.partition(":") for place in settings.hosts.lower().replace(",", " ").split()):
            self._places |= {(host, int(port))} if port else {(host, usual) for usual in PORTS.values()}
        # A password in the source's address goes to that host alone, and into no manifest: everything else has bare addresses.
        self._auth = {(url.host, url.port): (url.username, url.password) for url in own if url.userinfo}
        self._backoff = wait_exponential_jitter(multiplier=settings.retry_wait_s, jitter=settings.retry_wait_s, max=30)
        self._client = httpx.Client(
            headers={"User-Agent": f"comex/{version('comex')}"}, timeout=settings.timeout_s, transport=proxies.Routed()
        )

    def page(self, url: str) -> Page:
        """The page at `url`, decoded as its server or itself says; at most 5 MiB."""

        def attempt() -> Page:
            with self._answer("GET", url) as response:
                payload = b"".join(self._chunks(response, MAX_PAGE))
                return Page(str(response.url), decoded(payload, response.charset_encoding))

        return self._tried("A page", url, attempt)

    def json(self, url: str) -> Any:
        """What the JSON at `url` says."""
        text = self.page(url).text
        try:
            return json.loads(text)
        except ValueError as error:
            raise SourceError(
                f"JSON was expected; {len(text):,} characters came that are something else, beginning with {text[:40]!r}.",
                where=url,
                cause="an error page of the site or of the network in its stead, or an interface that changed",
                remedy="open the address in a browser; if the interface moved, set COMEX_DOUANE_DATASET",
            ) from error

    def head(self, url: str) -> Validators:
        """What the server says of the file at `url`, without its bytes."""

        def attempt(method: str, *refused: int) -> Validators | None:
            with self._answer(method, url, {"Accept-Encoding": "identity"}, good=(200, *refused)) as response:
                return _said(response) if response.status_code == 200 else None

        # Some servers refuse HEAD alone: a GET whose body is left unread tells the same.
        said = self._tried("A file", url, lambda: attempt("HEAD", 403, 405, 501) or attempt("GET"))
        return said or Validators()

    def ask(self, url: str, part: tuple[int, int] | None = None) -> Answer:
        """The answer to a GET, at most 5 MiB; of a file's `part` (first and last byte) only.

        A server that knows no parts answers 200 instead of 206: the body is left unread then.
        """
        headers = {"Range": f"bytes={part[0]}-{part[1]}", "Accept-Encoding": "identity"} if part else None

        def attempt() -> Answer:
            with self._answer("GET", url, headers, good=(200, 206) if part else (200,)) as response:
                unread = part and response.status_code == 200
                body = b"" if unread else b"".join(self._chunks(response, MAX_PAGE))
                return Answer(str(response.url), response.status_code, dict(response.headers), body)

        return self._tried("An answer", url, attempt)

    def fetch(self, offer: Offer, folder: Path, known: Validators | None = None) -> Fetched | None:
        """Download `offer` into `folder`/incoming; None when its server says that it still is what `known` describes.

        A download that broke, or whose process was killed, goes on from the bytes that are here, if the server still has
        the same file. The caller moves or deletes the file it gets. Raises SourceError (check WITHDRAWN for 404 and 410),
        ReleaseError for a web page in an archive's stead, OutputError for a disk that refuses.
        """
        part = _Part(folder / "incoming", offer.origin)
        with progress.download(offer.name) as bar:
            return self._tried(f"Archive {offer.name}", offer.origin, lambda: self._download(offer, part, known, bar))

    def _download(
        self, offer: Offer, part: "_Part", known: Validators | None, bar: Callable[[int, int | None], None]
    ) -> Fetched | None:
        """One try."""
        unless, rest = _unless_changed(known), part.the_rest()
        good = (200, *GONE, *((304,) if unless else ()), *((206, 416) if rest else ()))
        try:
            with self._answer("GET", offer.origin, {"Accept-Encoding": "identity"} | unless | rest, good) as response:
                if response.status_code in (304, *GONE):
                    part.drop()
                if response.status_code in GONE:
                    raise _withdrawn(offer, response)
                if response.status_code == 304:
                    return None
                if response.status_code == 200:
                    part.begin(_said(response))
                elif not part.goes_on(response):
                    part.drop()
                    raise _Passing("another file than before the break", "the archive was replaced while it was downloaded")
                self._receive(response, offer, part, bar)
                return part.finish()
        except _Passing as fault:
            if size := part.size():
                fault.found += f" ({size:,} bytes are here)"
            raise

    def _receive(self, response: httpx.Response, offer: Offer, part: "_Part", bar: Callable[[int, int | None], None]) -> None:
        have, size = part.size(), part.said and part.said.size
        try:
            with writing(part.path), part.path.open("ab") as file:
                for chunk in self._chunks(response, self._settings.archive_max_mib * 1024**2 - have):
                    if have == 0 and _is_a_page(response, chunk):
                        raise web_page(offer.name, chunk, where=offer.origin)
                    file.write(chunk)
                    have += len(chunk)
                    bar(have, size)
        except (SourceError, ReleaseError):  # not what was meant: nothing to go on from
            part.drop()
            raise

    def _tried(self, what: str, url: str, attempt: Callable[[], T]) -> T:
        """What `attempt` returns; after `_Passing` it is tried again, as often as the settings allow."""
        start, tries = time.monotonic(), self._settings.attempts
        try:
            return Retrying(
                stop=stop_after_attempt(tries), wait=self._wait, retry=retry_if_exception_type(_Passing), reraise=True
            )(attempt)
        except _Passing as fault:
            raise SourceError(
                f"{what} was expected; found {fault.found}, at the last of {tries} tries in {time.monotonic() - start:.0f} s.",
                where=url,
                cause=fault.cause,
                remedy="run again later: a download that broke goes on from the bytes that are here, where the server allows it;"
                " or save the archives with a browser and give their folder as --source",
            ) from fault

    def _wait(self, state: RetryCallState) -> float:
        fault = state.outcome.exception() if state.outcome else None
        asked = fault.wait if isinstance(fault, _Passing) else None
        return self._backoff(state) if asked is None else min(asked, LONGEST_WAIT_S)

    @contextmanager
    def _answer(
        self, method: str, url: str, headers: dict[str, str] | None = None, good: Sequence[int] = (200,)
    ) -> Iterator[httpx.Response]:
        """An open answer with a `good` status, redirects followed where they are allowed; its body is still to be read."""
        chain: list[httpx.URL] = []
        try:
            chain.append(httpx.URL(bare(url)))
            while len(chain) <= 1 + MAX_REDIRECTS:
                self._is_allowed(chain)
                request = self._client.build_request(method, chain[-1], headers=headers)
                response = self._client.send(request, stream=True, auth=self._auth.get((chain[-1].host, chain[-1].port)))
                try:
                    if not response.has_redirect_location:
                        _judge(response, good)
                        yield response
                        return
                finally:
                    response.close()
                chain.append(httpx.URL(bare(str(chain[-1].join(response.headers["location"])))))
        except httpx.InvalidURL as error:
            raise _leads(chain, f"an address that is none ({error})") from error
        except httpx.RequestError as error:
            raise _passing(error) from error
        turns = ", in a loop" if len(set(chain)) < len(chain) else ""
        raise _leads(chain, f"more than {MAX_REDIRECTS} redirects{turns}")

    def _is_allowed(self, chain: list[httpx.URL]) -> None:
        """Raise SourceError unless the last address is on an allowed host and as secret as the one before it."""
        former, url = chain[-2:][0], chain[-1]
        if url.scheme not in PORTS or (former.scheme, url.scheme) == ("https", "http"):
            raise _leads(chain, f"« {url.scheme} » after « {former.scheme} »")
        if (url.host, url.port or PORTS[url.scheme]) not in self._places:
            hosts = sorted({host for host, _ in self._places})
            raise _leads(chain, f"{url.netloc.decode()}, which is none of the {len(hosts)} hosts allowed ({', '.join(hosts)})")

    def _chunks(self, response: httpx.Response, limit: int) -> Iterator[bytes]:
        """The body as it comes; given up beyond `limit` bytes, announced or received, and when it dawdles."""
        announced, got = _number(response.headers.get("content-length")) or 0, 0
        start, window = time.monotonic(), 0
        for chunk in itertools.chain([b""], response.iter_bytes()):
            got, window, seconds = got + len(chunk), window + len(chunk), time.monotonic() - start
            if max(announced, got) > limit:
                raise _too_large(response, limit, announced, got)
            if chunk:
                yield chunk
            if seconds < self._settings.timeout_s:
                continue
            if window < self._settings.slowest_kib_s * 1024 * seconds:
                raise _Passing(
                    f"{window / 1024 / seconds:.2f} KiB/s over {seconds:.0f} s, {self._settings.slowest_kib_s:g} at least",
                    "a site or a network that is overloaded; on a line that always is so slow, lower COMEX_SLOWEST_KIB_S",
                )
            start, window = time.monotonic(), 0


class _Part:
    """A download under way: the bytes so far and, beside them, what the server said of the whole file."""

    def __init__(self, folder: Path, url: str) -> None:
        stem = hashlib.sha256(url.encode()).hexdigest()[:16]
        self.path, self.note, self.whole = (folder / f"{stem}.{end}" for end in ("part", "json", "zip"))
        self.url = url
        self.said = self._noted()

    def _noted(self) -> Validators | None:
        """What a former process noted, if it tells whether the server still has the same file."""
        try:
            said = Validators(**json.loads(self.note.read_text(encoding="utf-8"))["validators"])
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return said if _strong(said) else None

    def size(self) -> int:
        """Bytes that are here."""
        return self.path.stat().st_size if self.path.exists() else 0

    def the_rest(self) -> dict[str, str]:
        """Headers that ask for the bytes that are not here yet, of this very file; none when it cannot be told."""
        if not self.said or not self.said.size or not 0 < self.size() < self.said.size:
            return {}
        mark = _strong(self.said)
        return {"Range": f"bytes={self.size()}-"} | ({"If-Range": mark} if mark else {})

    def goes_on(self, response: httpx.Response) -> bool:
        """Are the bytes of this answer those that follow, in the same file? It may leave validators out, not change them."""
        said, before = _said(response), self.said or Validators()
        same = all(now in (None, then) for now, then in zip(astuple(said), astuple(before), strict=True))
        return same and response.headers.get("content-range", "").startswith(f"bytes {self.size()}-")

    def begin(self, said: Validators) -> None:
        """Start from nothing. The note comes before the bytes it is about: a process may be killed between."""
        self.drop()
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.note.write_text(json.dumps({"url": self.url, "validators": asdict(said)}), encoding="utf-8")
        self.said = said

    def finish(self) -> Fetched:
        """Flush the bytes to the disk, then give them their good name."""
        with writing(self.path):
            with self.path.open("rb+") as file:
                os.fsync(file.fileno())
            self.path.replace(self.whole)
            self.note.unlink(missing_ok=True)
        return Fetched(self.whole, self.said or Validators())

    def drop(self) -> None:
        """Leave nothing."""
        with writing(self.path):
            for path in (self.path, self.note, self.whole):
                path.unlink(missing_ok=True)
        self.said = None


def is_address(text: str) -> bool:
    """Is this an http(s) address?"""
    return re.match(r"(?i)https?://", text) is not None


def bare(url: str) -> str:
    """`url` in one spelling, without name and password, and without the fragment, which no server sees.

    Raises httpx.InvalidURL for what is none.
    """
    return str(httpx.URL(url).copy_with(userinfo=b"", fragment=None))


def decoded(payload: bytes, charset: str | None = None) -> str:
    """The text of a page, by the charset its server names, else by its own, else UTF-8 or Windows-1252."""
    named = re.search(rb"""(?i)<meta[^>]+charset\s*=\s*["']?\s*([\w.:-]+)""", payload[:4096])
    for encoding in (charset, named and named[1].decode(), "utf-8-sig"):
        # What calls itself Latin-1 is Windows-1252, as in all browsers.
        with suppress(LookupError, UnicodeDecodeError):
            if encoding and codecs.lookup(encoding).name not in ("iso8859-1", "ascii"):
                return payload.decode(encoding)
    return payload.decode("cp1252", "replace")


def _said(response: httpx.Response) -> Validators:
    """What an answer says of the whole file, be it the whole or a part of it."""
    headers = response.headers
    whole = headers.get("content-range", "").rpartition("/")[2] if response.status_code == 206 else headers.get("content-length")
    size = None if "content-encoding" in headers else _number(whole)
    return Validators(headers.get("etag"), headers.get("last-modified"), size)


def _strong(said: Validators) -> str | None:
    """The mark that stands for the very bytes: a weak ETag does not."""
    return said.etag if said.etag and not said.etag.startswith("W/") else said.last_modified


def _unless_changed(known: Validators | None) -> dict[str, str]:
    marks = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified} if known else {}
    return {header: mark for header, mark in marks.items() if mark}


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _is_a_page(response: httpx.Response, start: bytes) -> bool:
    typed = response.headers.get("content-type", "").lower().startswith(("text/html", "application/xhtml"))
    return start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") or (typed and not b"PK".startswith(start[:2]))


def _judge(response: httpx.Response, good: Sequence[int]) -> None:
    """Raise unless the status is `good`: a fault that passes, or one that does not."""
    status = f"{response.status_code} {response.reason_phrase}".strip()
    if response.status_code in good:
        return
    if response.status_code == 429 or response.status_code >= 500:
        asked = response.headers.get("retry-after", "")
        wait = _number(asked)
        with suppress(ValueError, TypeError):  # no date, or one without its zone
            wait = wait if wait is not None else max(0.0, (parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds())
        raise _Passing(f"status {status}", "the site is overloaded, broken or under repair", wait)
    raise SourceError(
        f"Status {' or '.join(map(str, good))} was expected; the server answered {status}.",
        where=str(response.url),
        cause="the address changed, or this site or a proxy on the way wants no programs or asks for a login",
        remedy="open the address in a browser on this machine; correct it where it is set, or save the archives by hand"
        " and give their folder as --source",
        check=WITHDRAWN if response.status_code in GONE else None,
    )


def _passing(error: httpx.RequestError) -> _Passing:
    """What went wrong on the way, in words."""
    causes, reason = [], error
    while reason:
        causes.append(reason)
        reason = reason.__cause__ or reason.__context__
    said = str(error) or type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        doing = "connection" if isinstance(error, httpx.ConnectTimeout) else "byte"
        seconds = error.request.extensions["timeout"]["read"]
        return _Passing(f"no {doing} within {seconds:g} s", "a site that is overloaded, or a firewall that swallows requests")
    if any(isinstance(reason, socket.gaierror) for reason in causes):
        return _Passing(
            f"no machine of the name {error.request.url.host} ({said})",
            "a typing error, or a network that resolves no outside names: a proxy may have to be set in HTTPS_PROXY",
        )
    if any(isinstance(reason, ssl.SSLError) for reason in causes):
        return _Passing(
            f"a certificate that cannot be trusted ({said})", "a proxy that signs itself: name its CA in SSL_CERT_FILE"
        )
    if isinstance(error, httpx.ConnectError | httpx.ProxyError):
        return _Passing(f"no connection ({said})", "the site is down, or only a proxy leads out of here: set HTTPS_PROXY")
    return _Passing(f"an answer that was cut ({said})", "the connection broke on its way")


def _leads(chain: list[httpx.URL], found: str) -> SourceError:
    return SourceError(
        f"An address on an allowed host was expected; it leads to {found}: {' → '.join(map(str, chain))}.",
        where=str(chain[0]) if chain else "the address of the source",
        cause="the files moved, or a login or consent page of this network comes between",
        remedy="open the address in a browser on this machine; if you trust where it leads, name that host in COMEX_HOSTS",
    )


def _withdrawn(offer: Offer, response: httpx.Response) -> SourceError:
    return SourceError(
        f"Archive {offer.name} was expected; its link answers {response.status_code} {response.reason_phrase}.",
        where=offer.origin,
        cause="the release was withdrawn, or moved without its link",
        remedy="look at the page of the source in a browser; if the archive is elsewhere, save it into a folder"
        " and give that as --source",
        check=WITHDRAWN,
    )


def _too_large(response: httpx.Response, limit: int, announced: int, got: int) -> SourceError:
    return SourceError(
        f"At most {limit:,} bytes were expected; {announced:,} are announced and {got:,} came.",
        where=str(response.url),
        cause="the address of another file than meant, or an archive much larger than any so far",
        remedy="check the address; for an archive that really is so large, raise COMEX_ARCHIVE_MAX_MIB",
    )
