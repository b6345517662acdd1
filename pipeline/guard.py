"""The guard before Dagster's UI, which has no passwords and answers whoever asks: what a page of another site may not do.

Dagster's server runs mutations that come by GET or as a form, from any page, under any name. This middleware lets a request
through when it names a host that the UI is known by (else a page could have its own name lead here, by DNS), when no page of
another origin sent it, and when it changes something only as a POST of JSON. It reads no body and trusts no `X-Forwarded-…`.

Add here: a rule on what a browser may ask of the UI, with its attack in `tests/integration/test_ui.py`. Keep out: Dagster
(`ui.py`), and who may log in: that is a reverse proxy's (`deploy/nginx.conf`).
"""

import re
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.errors import ComexError

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?(?::([0-9]{1,5}))?", re.IGNORECASE)
PORTS = {"http": 80, "https": 443}
NOTEBOOKS = ("/notebook", "/dagit/notebook")  # they show any file of this machine that ends in .ipynb; there are none here
HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
FRAMES = "frame-ancestors 'none'"  # beside the policy that Dagster gives its page: a browser obeys both


class Refused(ComexError):
    """A request that does not reach Dagster, and the HTTP status that says so."""

    def __init__(self, status: int, expected_found: str, *, where: str, cause: str, remedy: str) -> None:
        super().__init__(expected_found, where=where, cause=cause, remedy=remedy)
        self.status = status


class Guard:
    """ASGI middleware around Dagster's app, for requests and for websockets. `hosts`: names beside those of this machine."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = ()) -> None:
        self.app = app
        self.hosts = {*LOOPBACK, *(host.lower().rstrip(".") for host in hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with headers for the browser on its answer, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.append("Content-Security-Policy", FRAMES)
            await send(message)

        try:
            self.check(scope)
        except Refused as refused:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})  # before it was accepted: the server answers 403
            else:
                await PlainTextResponse(f"{refused}\n", refused.status)(scope, receive, send_with_headers)
        else:
            await self.app(scope, receive, send_with_headers)

    def check(self, scope: Scope) -> None:
        """Raise Refused unless this request may reach Dagster."""
        headers = Headers(scope=scope)
        method = scope.get("method", "websocket")
        where = f"{method} {scope['path']!r}"
        if not scope["path"].startswith("/") or not scope["path"].isprintable():
            raise Refused(
                400,
                "Expected a plain path such as /runs.",
                where=where,
                cause="a whole address where a path belongs, or a control character, which routes match in ways of their own",
                remedy="ask as a browser does",
            )
        _check_origin(scope["type"], headers, self._host(headers, where), where)
        if scope["type"] == "http":
            _check_method(method, scope, headers, where)

    def _host(self, headers: Headers, where: str) -> str:
        """The one Host of the request. Raises Refused when this UI is not known by it."""
        found = headers.getlist("host")
        named = AUTHORITY.fullmatch(found[0]) if len(found) == 1 else None
        if not named or named[1].lower() not in self.hosts:
            raise Refused(
                421,
                f"Expected one of {len(self.hosts)} hosts ({', '.join(sorted(self.hosts))}), found {' and '.join(map(repr, found))}.",
                where=where,
                cause="a name of this machine that the UI was not told, or a page whose name was made to lead here",
                remedy="open the UI under one of these names, or add a reverse proxy's name to COMEX_UI_HOSTS",
            )
        return found[0]


def _check_origin(kind: str, headers: Headers, host: str, where: str) -> None:
    """Raise Refused when a browser says that a page of another origin sent this; a link or a typed address may come from anywhere.

    Programs that are no browser send neither header, and no page can make them.
    """
    origins = headers.getlist("origin")
    if (origins or kind == "websocket") and not (len(origins) == 1 and same_origin(origins[0], host)):
        raise Refused(
            403,
            f"Expected the origin of the UI itself ({host}), found {' and '.join(map(repr, origins)) or 'none'}.",
            where=where,
            cause="a page of another site sent it, or a reverse proxy changed the Host that the browser gave",
            remedy="act in the UI's own pages; let the proxy keep Host, port included (deploy/nginx.conf)",
        )
    site = headers.get("sec-fetch-site", "none")
    link = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    if site not in ("same-origin", "none") and not link:
        raise Refused(
            403,
            f"Expected a request of the UI's own pages, or a link to one; the browser calls this one {site!r}.",
            where=where,
            cause="a page of another site embeds or fetches it",
            remedy="act in the UI's own pages",
        )


def _check_method(method: str, scope: Scope, headers: Headers, where: str) -> None:
    """Raise Refused unless this reads, or is a POST of JSON: a page cannot send that elsewhere without being asked for leave."""
    if scope["path"] in NOTEBOOKS:
        raise Refused(
            404,
            "Expected a page of the UI; notebooks are closed.",
            where=where,
            cause="Dagster's viewer of notebooks, which reads any .ipynb file of the machine",
            remedy="none is needed: no asset of comex is a notebook",
        )
    if method not in ("GET", "HEAD", "POST") or (method != "POST" and scope["path"] == "/graphql" and scope["query_string"]):
        raise Refused(
            405,
            f"Expected a GraphQL request by POST and pages by GET, found {method}.",
            where=where,
            cause="an address can be opened by any page: none may carry a query or a mutation",
            remedy="send JSON by POST to /graphql, as the UI does",
        )
    types = [value.partition(";")[0].strip().lower() for value in headers.getlist("content-type")]
    if method == "POST" and types != ["application/json"]:
        raise Refused(
            415,
            f"Expected Content-Type: application/json, found {' and '.join(map(repr, types)) or 'none'}.",
            where=where,
            cause="a form, which any page can send, or a program that does not name its type",
            remedy="send JSON, and say so",
        )


def same_origin(origin: str, host: str) -> bool:
    """Whether an Origin (`https://name:port`) is that of a page served under this Host (`name:port`)."""
    scheme, _, place = origin.partition("://")
    sides = [AUTHORITY.fullmatch(place), AUTHORITY.fullmatch(host)]
    if scheme not in PORTS or not all(sides):
        return False
    page, server = [(side[1].lower(), int(side[2] or PORTS[scheme])) for side in sides if side]
    return page == server
