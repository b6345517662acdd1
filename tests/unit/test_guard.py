"""What the guard lets through to Dagster's UI, request by request; `tests/integration/test_ui.py` attacks the real server."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from pipeline.guard import Guard, same_origin

JSON = {"content-type": "application/json"}
HOST = "127.0.0.1:3000"


async def behind(scope: Scope, receive: Receive, send: Send) -> None:
    """The app behind the guard: it answers 200 to all, and marks its answers."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
    else:
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-security-policy", b"object-src 'none'")]}
        )
        await send({"type": "http.response.body", "body": b"dagster"})


def ask(path: str, method: str = "GET", headers: Any = (), host: str | None = HOST, kind: str = "http") -> list[Message]:
    """What the guarded app sends for one request."""
    sent: list[Message] = []
    pairs = list(headers.items() if isinstance(headers, dict) else headers)
    path, _, query = path.partition("?")
    scope = {"type": kind, "path": path, "query_string": query.encode()}
    scope["headers"] = [(k.encode(), v.encode()) for k, v in ([("host", host)] if host is not None else []) + pairs]
    if kind == "http":
        scope["method"] = method

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError("the guard reads no body")

    asyncio.run(Guard(behind, ["fiches.example", "Intra.Example."])(scope, receive, send))
    return sent


def status(*args: Any, **kwargs: Any) -> int:
    return ask(*args, **kwargs)[0]["status"]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:3000", "127.0.0.1", "LOCALHOST:8080", "localhost.:3000", "[::1]:3000", "fiches.example", "INTRA.example.:443"],
)
def test_names_of_this_machine_and_those_of_the_setting_are_answered(host: str) -> None:
    assert status("/runs", host=host) == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:3000", "127.0.0.1.evil.example", "evilfiches.example", "sub.fiches.example", "localhost.evil"),
        *("0.0.0.0:3000", "127.0.0.2", "127.1", "2130706433", "[::ffff:127.0.0.1]", "[::]:3000", "localhost..", "localhost:"),
        *("evil@127.0.0.1", "127.0.0.1:3000@evil.example", "127.0.0.1:3000:80", "127.0.0.1, evil", "127.0.0.1/", "", " ", "*", "localhost:x"),
    ],
)  # fmt: skip
def test_any_other_host_is_refused_for_pages_queries_and_websockets(host: str) -> None:
    assert status("/runs", host=host) == 421
    assert status("/graphql", "POST", {**JSON, "origin": f"http://{host}"}, host=host) == 421
    [closed] = ask("/graphql", headers={"origin": f"http://{host}"}, host=host, kind="websocket")
    assert closed["type"] == "websocket.close"


def test_one_host_and_no_forwarded_one_decides() -> None:
    assert status("/", host=None) == 421
    assert status("/", headers={"host": "evil.example"}) == 421  # a second one
    assert status("/", headers={"x-forwarded-host": "127.0.0.1", "forwarded": "host=127.0.0.1"}, host="evil.example") == 421
    assert status("/", headers={"x-forwarded-host": "evil.example"}) == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_nothing_is_asked_of_graphql_in_an_address(method: str) -> None:
    assert status("/graphql?query=mutation%7Bx%7D", method) == 405
    assert status("/graphql?query=%7Bversion%7D", method, {"accept": "text/html"}) == 405
    assert status("/graphql?x", method) == 405
    assert status("/graphql", method) == 200  # the playground
    assert status("/runs?query=x", method) == 200


@pytest.mark.parametrize(
    "path", ["/graphql\n?query=mutation%7Bx%7D", "/graphql\x00", "/runs\r", "http://evil.example/graphql", "*", ""]
)
def test_paths_that_routes_could_match_otherwise_than_we_do_are_refused(path: str) -> None:
    assert status(path) == 400
    assert status(path, "POST", JSON) == 400


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "QUERY"])
def test_other_methods_are_refused_the_question_before_a_foreign_post_too(method: str) -> None:
    assert status("/graphql", method, JSON) == 405


@pytest.mark.parametrize(
    "path", ["/graphql", "/graphql?query=mutation%7Bx%7D", "/report_asset_materialization/raw/archives?partition=1"]
)
def test_a_post_is_json_or_refused(path: str) -> None:
    for value in ("application/json", "Application/JSON; charset=utf-8"):
        assert status(path, "POST", {"content-type": value}) == 200
    forms = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x")
    for value in (*forms, "text/plain; application/json", "application/jsonx", "application/graphql", ""):
        assert status(path, "POST", {"content-type": value}) == 415
    assert status(path, "POST") == 415
    assert status(path, "POST", [("content-type", "application/json"), ("content-type", "text/plain")]) == 415


OTHERS = [
    "http://evil.example",
    "https://127.0.0.1",
    "http://127.0.0.1:8080",
    "http://localhost:3000",
    "http://127.0.0.1",
    "null",
    "",
    "file://",
]


@pytest.mark.parametrize(
    "origin", [*OTHERS, "http://127.0.0.1:3000.evil.example", "http://127.0.0.1:3000@evil.example", "127.0.0.1:3000"]
)
def test_what_a_page_of_another_origin_sends_is_refused(origin: str) -> None:
    assert status("/graphql", "POST", {**JSON, "origin": origin}) == 403
    assert status("/logs/x", headers={"origin": origin}) == 403
    [closed] = ask("/graphql", headers={"origin": origin}, kind="websocket")
    assert (closed["type"], closed["code"]) == ("websocket.close", 1008)


def test_what_the_uis_own_pages_send_is_let_through() -> None:
    own = {"origin": f"http://{HOST}", "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}
    assert status("/graphql", "POST", JSON | own) == 200
    assert ask("/graphql", headers=own, kind="websocket") == [{"type": "websocket.accept"}]
    assert status("/graphql", "POST", [*JSON.items(), *own.items(), ("origin", "http://evil.example")]) == 403


def test_a_websocket_without_an_origin_is_no_browsers_and_refused() -> None:
    assert ask("/graphql", kind="websocket")[0]["type"] == "websocket.close"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "unheard-of"])
def test_other_sites_may_link_to_a_page_and_do_nothing_else(site: str) -> None:
    fetched = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
    framed = {"sec-fetch-site": site, "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}
    linked = {"sec-fetch-site": site, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert [status("/logs/x", headers=headers) for headers in (fetched, framed, linked)] == [403, 403, 200]
    assert status("/graphql", "POST", JSON | fetched) == 403
    assert status("/graphql", "POST", linked | {"content-type": "text/plain"}) == 415


def test_programs_that_are_no_browser_go_on_working() -> None:
    assert status("/graphql", "POST", JSON) == 200
    assert status("/server_info") == 200


def test_notebooks_are_closed() -> None:
    assert status("/notebook?path=/etc/x.ipynb&repoLocName=comex") == 404
    assert status("/dagit/notebook") == 404


def test_answers_tell_the_browser_not_to_frame_guess_or_share_them() -> None:
    for path, expected in (("/", 200), ("/notebook", 404)):
        start = ask(path)[0]
        headers = [(key.decode(), value.decode()) for key, value in start["headers"]]
        assert start["status"] == expected
        assert ("content-security-policy", "frame-ancestors 'none'") in headers
        assert {("x-frame-options", "DENY"), ("x-content-type-options", "nosniff")} <= set(headers)
    assert ("content-security-policy", "object-src 'none'") in [(k.decode(), v.decode()) for k, v in ask("/")[0]["headers"]]


def test_a_refusal_says_what_to_do() -> None:
    body = ask("/", host="server.lan:3000")[1]["body"].decode()
    assert "'server.lan:3000'" in body
    assert all(part in body for part in ("where: GET '/'", "likely cause:", "what to do:", "COMEX_UI_HOSTS"))


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("https://fiches.example", "fiches.example", True),
        ("https://fiches.example", "fiches.example:443", True),
        ("http://fiches.example", "fiches.example:443", False),
        ("https://fiches.example:8443", "fiches.example:8443", True),
        ("https://fiches.example:8443", "fiches.example", False),  # a proxy that drops the port
        ("http://FICHES.example.", "fiches.EXAMPLE", True),
        ("http://[::1]:3000", "[::1]:3000", True),
        ("ftp://fiches.example", "fiches.example", False),
        ("http://fiches.example/path", "fiches.example", False),
        ("http://", "fiches.example", False),
    ],
)
def test_an_origin_is_compared_with_the_host_by_name_and_port(origin: str, host: str, same: bool) -> None:
    assert same_origin(origin, host) is same
