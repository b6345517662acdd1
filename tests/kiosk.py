"""A kiosk on the loopback address: a real HTTP server over a folder, with the faults that real servers have.

    with Kiosk(folder) as kiosk:
        kiosk.publish("202502-Regional-2024-export.zip", payload)     # a file, and its link on the page
        kiosk.faults[kiosk.path("202502-Regional-2024-export.zip")] = Fault(cut_at=1000, times=1)
        Settings(source=kiosk.url)                                     # the index page
        kiosk.requests                                                 # what was asked: Request(method, path, headers, sent)

Add here: one more thing that a server may do. Keep out: expectations.
"""

import hashlib
import html
import threading
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

PAGE = "/site_fr/telechargement/telechargement_SGBD.asp"
TYPES = {".asp": "text/html; charset=iso-8859-1", ".zip": "application/zip", ".html": "text/html", ".json": "application/json"}


@dataclass
class Fault:
    """What is wrong with a path, for the next `times` requests (for ever by default)."""

    status: int | None = None  # answered instead of the file
    headers: dict[str, str] = field(default_factory=dict)  # added to the answer, whatever it is
    body: bytes | None = None  # sent instead of the file's bytes
    cut_at: int | None = None  # the connection is closed after so many bytes of the body
    length: int | None = None  # announced instead of the true one
    pause_s: float = 0  # before the answer
    trickle: tuple[int, float] | None = None  # bytes at a time, and seconds between
    ranges: bool = True  # Range is honoured
    splices: bool = False  # Range is honoured even when If-Range names another file
    validators: bool = True  # ETag and Last-Modified are sent, and conditions honoured
    times: int = 10**9
    then: "Fault | None" = None  # what is wrong afterwards


@dataclass
class Request:
    """One request, and how many bytes of body it got."""

    method: str
    path: str
    headers: dict[str, str]
    status: int = 0
    sent: int = 0


class Kiosk:
    """Serves `folder`; the page links what was published, absolutely, as the real one does."""

    def __init__(self, folder: Path, host: str = "127.0.0.1") -> None:
        self.folder, self.links = folder, list[str]()
        self.faults: dict[str, Fault] = {}
        self.requests: list[Request] = []
        self._server = ThreadingHTTPServer((host, 0), type("Handler", (_Handler,), {"kiosk": self}))
        self._server.daemon_threads = True
        self.origin = f"http://{host}:{self._server.server_address[1]}"
        self.url = self.origin + PAGE

    def __enter__(self) -> "Kiosk":
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def publish(self, name: str, payload: bytes | Path, day: str = "2025-02/07") -> str:
        """Put a file where the customs would, link it from the page (once), and return its address."""
        link = self.origin + self.path(name, day)
        self.put(self.path(name, day), payload if isinstance(payload, bytes) else payload.read_bytes())
        if link not in self.links:
            self.links.append(link)
        self.put(PAGE, page(self.links).encode("cp1252"))
        return link

    def path(self, name: str, day: str = "2025-02/07") -> str:
        """Path of a published file on the server."""
        return f"/sites/default/files/{day}/{name}"

    def put(self, path: str, payload: bytes) -> None:
        """Any file."""
        target = self.folder / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(payload)

    def asked(self, path: str) -> list[Request]:
        """The requests for one path, in order."""
        return [request for request in self.requests if request.path == path]


def page(links: list[str]) -> str:
    """An index page in the manner of the real one: tables, capitals, other products beside."""
    rows = "".join(
        f'<TR><TD>Base complète<TD><A HREF="{html.escape(link)}" target=_blank>T\xe9l\xe9charger</A>\r\n' for link in links
    )
    return (
        '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN"><HTML><HEAD><TITLE>Le kiosque</TITLE></HEAD><BODY>'
        '<a href="javascript:history.back()">Retour</a> <a href="mailto:x@example.org">Nous écrire</a>'
        '<a href="/sites/default/files/2023-08/07/202308-National-2022-import.zip">National</a>'
        f'<a href="region_18.zip">R\xe9gion</a><TABLE>{rows}</TABLE></BODY></HTML>'
    )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    kiosk: Kiosk

    def log_message(self, format: str, *args: object) -> None: ...

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        request = Request(self.command, path, {key.lower(): value for key, value in self.headers.items()})
        self.kiosk.requests.append(request)
        fault = self.kiosk.faults.get(path) or Fault()
        fault.times -= 1
        if fault.times == 0:
            self.kiosk.faults[path] = fault.then or Fault()
        time.sleep(fault.pause_s)
        file = self.kiosk.folder / path.lstrip("/")
        status, headers, body = self._answer(request, file, fault)
        headers = {"Content-Length": str(len(body) if fault.length is None else fault.length)} | headers | fault.headers
        request.status = status
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD" or status == 304:
            return
        try:
            self._send(request, body, fault)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _answer(self, request: Request, file: Path, fault: Fault) -> tuple[int, dict[str, str], bytes]:
        if fault.status or (fault.body is None and not file.is_file()):
            return fault.status or 404, {"Content-Type": "text/html"}, fault.body or b"<html>Oups</html>"
        body = file.read_bytes() if fault.body is None else fault.body
        headers = {"Content-Type": TYPES.get(file.suffix.lower(), "application/octet-stream")}
        etag, modified = (
            f'"{hashlib.sha256(body).hexdigest()[:16]}"',
            formatdate(file.stat().st_mtime if file.is_file() else 0, usegmt=True),
        )
        if fault.validators:
            headers |= {"ETag": etag, "Last-Modified": modified}
            asked = request.headers.get("if-none-match"), request.headers.get("if-modified-since")
            if asked[0] == etag or (not asked[0] and asked[1] == modified):
                return 304, headers, b""
        wanted, condition = request.headers.get("range"), request.headers.get("if-range")
        other = condition is not None and (not fault.validators or condition not in (etag, modified))
        if not wanted or not fault.ranges or (other and not fault.splices):
            return 200, headers, body
        start, _, last = wanted.removeprefix("bytes=").partition("-")
        start, end = int(start), min(int(last or len(body)) + 1, len(body))
        if start >= len(body):
            return 416, headers | {"Content-Range": f"bytes */{len(body)}"}, b""
        if condition:  # RFC 9110, 15.3.7: what the client knows is left out
            headers.pop("Last-Modified", None)
        return 206, headers | {"Content-Range": f"bytes {start}-{end - 1}/{len(body)}"}, body[start:end]

    def _send(self, request: Request, body: bytes, fault: Fault) -> None:
        step, pause = fault.trickle or (1 << 16, 0.0)
        end = len(body) if fault.cut_at is None else min(fault.cut_at, len(body))
        for at in range(0, end, step):
            self.wfile.write(body[at : min(at + step, end)])
            request.sent += min(at + step, end) - at
            time.sleep(pause)
        if end < len(body) or fault.length is not None:
            self.close_connection = True
