"""`comex dev` attacked as a page of another site would, as a browser shows it, through the reverse proxy, and how it ends.

Add here: a way in that was found, as an attack on the real server. Keep out: each rule by itself (`unit/test_guard.py`).
The server starts once, and is stopped by the last test.
"""

import asyncio
import base64
import http.server
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import dagster as dg
import httpx
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from starlette.routing import Mount, Route, WebSocketRoute
from typer.testing import CliRunner
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from pipeline import cli, ui
from pipeline.charts import navigateur
from pipeline.errors import ComexError
from pipeline.settings import ROOT
from tests.integration.test_runs import COMEX, PARTS

SCHEDULE = '{repositoryLocationName: "comex", repositoryName: "__repository__", scheduleName: "daily_belt"}'
START = f"mutation {{ startSchedule(scheduleSelector: {SCHEDULE}) {{ __typename }} }}"
STOP = START.replace("startSchedule(scheduleSelector:", "resetSchedule(scheduleSelector:")
STATE = f"{{ scheduleOrError(scheduleSelector: {SCHEDULE}) {{ ... on Schedule {{ scheduleState {{ status }} }} }} }}"
REPORT = "/report_asset_materialization/raw/archives?partition=evil"
JSON = {"content-type": "application/json"}
NAME = "comex.example"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """`comex dev` in a session of its own, on a free port."""
    work = tmp_path_factory.mktemp("ui")
    environment = os.environ | {"COMEX_HOME": str(work / "home"), "COMEX_UI_HOSTS": NAME}
    (work / "home/dagster").mkdir(parents=True)  # our settings, and a busy machine may take its time
    settings = (ROOT / "deploy/dagster.yaml").read_text("utf-8") + "\ncode_servers:\n  local_startup_timeout: 900\n"
    (work / "home/dagster/dagster.yaml").write_text(settings, "utf-8")
    said = work / "said"
    with said.open("wb") as output:
        process = subprocess.Popen(
            [COMEX, "dev", "--port", "0"], env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        while not (ready := re.search(r"^Dagster UI on (http://127\.0\.0\.1:(\d+))$", said.read_text("utf-8"), re.MULTILINE)):
            assert process.poll() is None, said.read_text("utf-8")
            time.sleep(0.1)
        yield SimpleNamespace(process=process, url=ready[1], port=int(ready[2]), said=said, home=str(work / "home"))
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def client(server: SimpleNamespace) -> Iterator[httpx.Client]:
    """A client; after the test, no attack has turned the schedule on."""
    with httpx.Client(base_url=server.url, timeout=120) as client:
        yield client
        assert state(client) == "STOPPED"


def post(client: httpx.Client, query: str, **headers: str) -> httpx.Response:
    return client.post("/graphql", json={"query": query}, headers=headers)


def state(client: httpx.Client) -> str:
    return post(client, STATE).json()["data"]["scheduleOrError"]["scheduleState"]["status"]


def test_what_the_ui_itself_sends_works(client: httpx.Client, server: SimpleNamespace) -> None:
    own = {"origin": server.url, "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}
    assert post(client, START, **own).json()["data"]["startSchedule"]["__typename"] == "ScheduleStateResult"
    assert state(client) == "RUNNING"
    assert post(client, STOP, **own).status_code == 200


def test_an_address_a_form_or_another_name_starts_nothing(client: httpx.Client) -> None:
    asked = f"query={quote(START)}"
    answers = [
        client.get(f"/graphql?{asked}"),
        client.get(f"/graphql?{asked}", headers={"accept": "text/html,*/*"}),
        client.get(f"/graphql%0A?{asked}"),
        client.get(f"/%67raphql?{asked}"),
        client.head(f"/graphql?{asked}"),
        client.post(f"/graphql?{asked}"),
        client.post(f"/graphql?{asked}", content=b"x", headers={"content-type": "text/plain"}),
        client.post("/graphql", data={"query": START}),
        client.post("/graphql", files={"query": (None, START)}),
        client.post("/graphql", content=json.dumps({"query": START}), headers={"content-type": "text/plain;a=application/json"}),
        client.put(f"/graphql?{asked}"),
        client.options("/graphql", headers={"origin": "http://evil.example", "access-control-request-method": "POST"}),
        *(post(client, START, origin=origin) for origin in ("http://evil.example", "null", "http://localhost:1")),
        *(post(client, START, host=host) for host in ("evil.example", "0.0.0.0", f"{NAME}.evil.example")),
        post(client, START, **{"sec-fetch-site": "cross-site"}),
        post(client, START, **{"host": "evil.example", "x-forwarded-host": "127.0.0.1"}),
        client.get("/", headers={"host": "evil.example"}),
        client.get("/notebook?repoLocName=comex&path=/tmp/x.ipynb"),
    ]
    assert [answer.status_code for answer in answers if answer.status_code < 400] == []
    assert not any("access-control-allow-origin" in answer.headers for answer in answers)
    for path in ("/graphql/", "//graphql", "/GRAPHQL", "/graphql;x"):  # the UI's own page, which runs no query
        assert "<!doctype html>" in client.get(f"{path}?{asked}").text.lower()


def test_no_page_reports_a_materialization(client: httpx.Client) -> None:
    count = '{ assetOrError(assetKey: {path: ["raw", "archives"]}) { ... on Asset { assetMaterializations { runId } } } }'
    assert client.post(REPORT).status_code == 415
    assert client.post(REPORT, json={}, headers={"origin": "http://evil.example"}).status_code == 403
    assert client.get(REPORT).headers["content-type"].startswith("text/html")  # the UI's page
    assert post(client, count).json()["data"]["assetOrError"].get("assetMaterializations", []) == []


def raw(port: int, *parts: bytes) -> list[int]:
    """The status of every answer to these bytes, sent over one connection that the last of them asks to close."""
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        for part in parts:
            connection.sendall(part)
        answer = b""
        while block := connection.recv(65536):
            answer += block
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def test_requests_bent_by_hand_start_nothing(client: httpx.Client, server: SimpleNamespace) -> None:
    own, asked = f"Host: 127.0.0.1:{server.port}\r\n".encode(), f"/graphql?query={quote(START)}".encode()
    get, close = b"GET " + asked + b" HTTP/1.1\r\n" + own, b"Connection: close\r\n\r\n"
    fine = b"GET /server_info HTTP/1.1\r\n" + own
    posted = b"POST /graphql HTTP/1.1\r\n" + own + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
    foreign = posted + b"Origin: http://evil.example\r\n"

    def chunked(body: bytes) -> bytes:
        return b"\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)

    assert raw(server.port, b"GET http://evil.example" + asked + b" HTTP/1.1\r\n" + own + close) == [400]
    assert raw(server.port, get + b"Host: evil.example\r\n" + close) == [400]
    assert raw(server.port, b"GET / HTTP/1.1\r\n" + close) == [400]
    assert raw(server.port, b"GET / HTTP/1.0\r\n\r\n") == [421]
    assert raw(server.port, b"GET / HTTP/1.0\r\nHost: evil.example\r\n\r\n") == [421]
    query = json.dumps({"query": "{version}"}).encode()
    assert raw(server.port, posted + chunked(query), get + close) == [200, 405]  # pipelined: each is judged by itself
    mutation = json.dumps({"query": START}).encode()
    for body in (mutation, get + b"\r\n"):  # what stands in a refused body is no request
        assert raw(server.port, foreign + chunked(body), fine + close) in ([403], [403, 200])
    assert not {200} & set(raw(server.port, foreign + b"Content-Length: 5\r\n" + chunked(get), get + close))


def websocket(place: str, origin: str | None, **options: Any) -> Any:
    return connect(place, origin=Origin(origin) if origin else None, subprotocols=[Subprotocol("graphql-ws")], **options)


def test_websockets_are_the_uis_own_and_change_nothing(client: httpx.Client, server: SimpleNamespace) -> None:
    place = f"ws://127.0.0.1:{server.port}/graphql"
    for origin in ("http://evil.example", f"http://localhost:{server.port}", "null", None):
        with pytest.raises(InvalidStatus) as caught, websocket(place, origin):
            pass
        assert caught.value.response.status_code == 403
    with socket.create_connection(("127.0.0.1", server.port)) as rebound, pytest.raises(InvalidStatus):
        websocket("ws://evil.example/graphql", "http://evil.example", sock=rebound)
    with websocket(place, server.url) as opened:
        opened.send('{"type": "connection_init"}')
        assert "connection_ack" in opened.recv(60)
        opened.send(json.dumps({"type": "start", "id": "1", "payload": {"query": START}}))
        assert '"type":"error"' in opened.recv(60).replace(" ", "")


def dom(url: str, folder: Path) -> str:
    """A page as the browser that draws our figures sees it, once it has come to rest."""
    browser = navigateur.chercher()
    assert browser
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}", "--virtual-time-budget=20000"]
    done = subprocess.run([*command, "--dump-dom", url], capture_output=True, text=True, check=False, timeout=300)
    return done.stdout


def test_the_pages_work_in_a_browser(client: httpx.Client, server: SimpleNamespace, tmp_path: Path) -> None:
    page = dom(f"{server.url}/automation", tmp_path)
    assert "daily_belt" in page and "new_release" in page


def test_a_page_of_another_site_does_nothing_to_it(client: httpx.Client, server: SimpleNamespace, tmp_path: Path) -> None:
    page = f"""<!doctype html><body><pre id=said></pre>
        <img src="{server.url}/graphql?query={quote(START)}"><iframe id=frame name=frame src="{server.url}/runs"></iframe>
        <form method=post enctype=text/plain target=frame action="{server.url}/graphql?query={quote(START)}"></form>
        <script>
        const say = what => document.getElementById("said").textContent += what + "\\n";
        const mutation = {START!r}, url = "{server.url}/graphql";
        document.forms[0].submit();
        navigator.sendBeacon(url + "?query=" + encodeURIComponent(mutation));
        fetch("{server.url}{REPORT}", {{method: "POST", mode: "no-cors"}});
        fetch(url, {{method: "POST", mode: "no-cors", body: JSON.stringify({{query: mutation}})}});
        fetch(url, {{method: "POST", headers: {{"Content-Type": "application/json"}}, body: JSON.stringify({{query: mutation}})}})
            .then(answer => say("answered"), () => say("fetch refused"));
        fetch("{server.url}/server_info").then(() => say("answered"), () => say("read refused"));
        const socket = new WebSocket(url.replace("http", "ws"), "graphql-ws");
        socket.onopen = () => say("opened"); socket.onclose = () => say("websocket refused");
        </script>"""

    class Evil(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Evil) as evil:
        threading.Thread(target=evil.serve_forever, daemon=True).start()
        seen = dom(f"http://127.0.0.1:{evil.server_port}/", tmp_path)
        evil.shutdown()
    said = re.findall(r"<pre id=\"said\">(.*?)</pre>", seen, re.DOTALL)[0].split("\n")
    assert sorted(filter(None, said)) == ["fetch refused", "read refused", "websocket refused"]


@contextmanager
def nginx(work: Path, backend: int) -> Iterator[int]:
    """Debian's nginx with our own file: other ports, a certificate of its own making, and one password."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        tls, plain = one.getsockname()[1], two.getsockname()[1]
    subject = ["-subj", f"/CN={NAME}", "-days", "1", "-keyout", work / "key", "-out", work / "cert"]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject], check=True, capture_output=True)
    hashed = subprocess.run(["openssl", "passwd", "-apr1", "secret"], check=True, capture_output=True, text=True).stdout
    (work / "htpasswd").write_text(f"anne:{hashed}", encoding="utf-8")
    site = (ROOT / "deploy/nginx.conf").read_text(encoding="utf-8")
    for there, here in {
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen 443 ssl http2;": f"listen 127.0.0.1:{tls} ssl http2;",
        "    listen [::]:80;\n": "",
        "    listen [::]:443 ssl http2;\n": "",
        "/etc/ssl/certs/comex.example.pem": str(work / "cert"),
        "/etc/ssl/private/comex.example.key": str(work / "key"),
        "/etc/nginx/comex.htpasswd": str(work / "htpasswd"),
        "127.0.0.1:3000": f"127.0.0.1:{backend}",
    }.items():
        assert there in site
        site = site.replace(there, here)
    owner = "user root;" if os.getuid() == 0 else ""
    places = "".join(f"{name}_temp_path {work};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (work / "conf").write_text(f"{owner} pid {work}/pid; events {{}} http {{ access_log off; {places} {site} }}", "utf-8")
    process = subprocess.Popen(["nginx", "-p", work, "-e", work / "log", "-c", work / "conf", "-g", "daemon off;"])
    try:
        while socket.socket().connect_ex(("127.0.0.1", tls)):
            assert process.poll() is None, (work / "log").read_text("utf-8")
            time.sleep(0.1)
        yield tls
    finally:
        process.terminate()
        process.wait()


@pytest.mark.skipif(not (shutil.which("nginx") and shutil.which("openssl")), reason="no nginx on this machine")
def test_the_documented_proxy_asks_for_a_password_and_the_guard_still_stands(
    client: httpx.Client, server: SimpleNamespace, tmp_path: Path
) -> None:
    with nginx(tmp_path, server.port) as port:
        host = {"host": f"{NAME}:{port}"}
        own = host | {"origin": f"https://{NAME}:{port}"}
        with httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=False, timeout=120) as browser:
            assert browser.get("/runs", headers=host).status_code == 401
            assert browser.post("/graphql", json={"query": START}, headers=own).status_code == 401
            browser.auth = ("anne", "secret")
            page = browser.get("/runs", headers=host)
            assert (page.status_code, "strict-transport-security" in page.headers) == (200, True)
            assert browser.post("/graphql", json={"query": "{version}"}, headers=own).json()["data"]["version"] == dg.__version__
            for origin in ("https://evil.example", f"https://{NAME}", f"http://127.0.0.1:{server.port}", "null"):
                assert browser.post("/graphql", json={"query": START}, headers=host | {"origin": origin}).status_code == 403
            assert browser.get(f"/graphql?query={quote(START)}", headers=host).status_code == 405
            assert browser.get("/runs", headers={"host": "evil.example"}).status_code == 421
        context = ssl.create_default_context(cafile=str(tmp_path / "cert"))
        context.check_hostname = False
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        password = {"Authorization": "Basic " + base64.b64encode(b"anne:secret").decode()}
        for origin, given, expected in ((own["origin"], {}, 401), ("https://evil.example", password, 403)):
            with socket.create_connection(("127.0.0.1", port)) as through, pytest.raises(InvalidStatus) as caught:
                websocket(f"wss://{NAME}:{port}/graphql", origin, sock=through, ssl=context, additional_headers=given)
            assert caught.value.response.status_code == expected
        with (
            socket.create_connection(("127.0.0.1", port)) as through,
            websocket(
                f"wss://{NAME}:{port}/graphql", own["origin"], sock=through, ssl=context, additional_headers=password
            ) as opened,
        ):
            opened.send('{"type": "connection_init"}')
            assert "connection_ack" in opened.recv(60)


def members(home: str) -> list[str]:
    """The command lines of the processes that still run for a home, in whatever session: it stands in their environment."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            state = (place / "stat").read_text().rpartition(")")[2].split()[0]
            if f"COMEX_HOME={home}\0".encode() in (place / "environ").read_bytes() and state != "Z":
                found.append((place / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def test_ctrl_c_ends_all_of_it(server: SimpleNamespace) -> None:
    """The last test on this server: as a terminal does, the whole group is told, twice."""
    assert any("dagster-daemon" in line for line in members(server.home))
    os.killpg(server.process.pid, signal.SIGINT)
    time.sleep(0.2)
    os.killpg(server.process.pid, signal.SIGINT)
    assert server.process.wait(timeout=120) == 130
    for _ in range(600):
        if not members(server.home):
            break
        time.sleep(0.1)
    assert members(server.home) == []
    assert "Traceback" not in server.said.read_text("utf-8")


@pytest.fixture(scope="module", params=[False, True], ids=["writable", "read-only"])
def small(request: pytest.FixtureRequest) -> Iterator[SimpleNamespace]:
    """The guarded app without a code location, in this process."""
    with (
        dg.instance_for_test() as instance,
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget(), read_only=request.param) as context,
    ):
        app = ui.guarded(context, [])

        async def post(path: str, body: object) -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:3000") as client:
                return await client.post(path, json=body)

        yield SimpleNamespace(
            app=app, instance=instance, read_only=request.param, post=lambda path, body: asyncio.run(post(path, body))
        )


LIMIT = 'mutation change { setConcurrencyLimit(concurrencyKey: "x", limit: 1) }'


@pytest.mark.parametrize(
    "operation", [{"query": LIMIT}, {"query": f"query look {{ version }} {LIMIT}", "operationName": "change"}]
)
def test_a_read_only_ui_takes_no_mutation(small: SimpleNamespace, operation: dict[str, str]) -> None:
    answer = small.post("/graphql", operation)
    assert answer.status_code == (400 if small.read_only else 200)
    assert ("read-only" in answer.text) is small.read_only
    keys = small.instance.event_log_storage.get_concurrency_keys()
    assert keys == (set() if small.read_only else {"x"})
    assert small.post("/graphql", {"query": "query look { version }"}).status_code == 200


def test_a_read_only_ui_refuses_every_mutation_that_there_is(small: SimpleNamespace) -> None:
    if small.read_only:
        types = small.post("/graphql", {"query": "{ __schema { mutationType { fields { name } } } }"}).json()
        names = [field["name"] for field in types["data"]["__schema"]["mutationType"]["fields"]]
        assert {"launchRun", "wipeAssets", "startSchedule", "logTelemetry", "setNuxSeen"} <= set(names)
        for name in names:
            assert "This UI is read-only" in small.post("/graphql", {"query": f"mutation {{ {name} }}"}).text


def test_a_read_only_ui_takes_no_report_of_an_asset(small: SimpleNamespace) -> None:
    for kind, more in (("materialization", {}), ("observation", {}), ("check", {"check_name": "x", "passed": True})):
        answer = small.post(f"/report_asset_{kind}/a", more)
        assert answer.status_code == (401 if small.read_only else 200)
    event = small.instance.get_latest_materialization_event(dg.AssetKey("a"))
    assert (event is None) is small.read_only


def test_every_door_of_dagsters_server_is_one_that_was_judged(small: SimpleNamespace) -> None:
    """A new one fails here: say what it does when a page opens it, and close it in `guard.py` if it changes or shows too much."""
    doors = {
        (route.path, *sorted(getattr(route, "methods", None) or {"WS" if isinstance(route, WebSocketRoute) else "files"}))
        for route in small.app.app.routes
        if isinstance(route, Route | WebSocketRoute | Mount) and not (route.name or "").endswith("static")
    }
    read = {"/server_info", "/dagit_info", "/logs/{path:path}", "/download_debug/{run_id:str}", "/{path:path}", "/"}
    closed = {"/notebook", "/dagit/notebook"}
    report = {f"/report_asset_{kind}/{{asset_key:path}}" for kind in ("materialization", "check", "observation")}
    assert doors == {
        *((path, "GET", "HEAD") for path in read | closed),
        *((path, "POST") for path in report),
        ("/graphql", "GET", "HEAD", "POST"),
        ("/graphql", "WS"),
    }


def run(monkeypatch: pytest.MonkeyPatch, home: Path, *arguments: str, **environment: str) -> tuple[Any, dict[str, Any]]:
    """`comex ui` or `dev` in this process, without its server: the outcome, and what the server was given."""
    given: dict[str, Any] = {}

    def start(instance: object, listener: socket.socket, hosts: list[str], *, read_only: bool) -> None:
        given.update(address=listener.getsockname()[:2], hosts=hosts, read_only=read_only)

    for name in ("DAGSTER_HOME", "DAGSTER_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "")
    for name, value in {"COMEX_HOME": str(home), **environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(ui, "serve", start)
    monkeypatch.setattr(ui, "develop", start)
    return CliRunner().invoke(cli.app, [*arguments]), given


def test_options_and_settings_reach_the_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _, given = run(monkeypatch, tmp_path, "ui", "--port", "0")
    assert (given["address"][0], given["hosts"], given["read_only"]) == ("127.0.0.1", [], False)
    assert run(monkeypatch, tmp_path, "dev", "--port", "0", "--read-only")[1]["read_only"]
    settings = {"COMEX_UI_READ_ONLY": "true", "COMEX_UI_HOSTS": "comex.example, [fd00::1] intra"}
    _, given = run(monkeypatch, tmp_path, "ui", "--port", "0", **settings)
    assert (given["hosts"], given["read_only"]) == (["comex.example", "[fd00::1]", "intra"], True)


@pytest.mark.parametrize("hosts", ["*", "https://comex.example", "comex.example:443", "a/b"])
def test_hosts_are_names_and_no_pattern(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hosts: str) -> None:
    outcome, given = run(monkeypatch, tmp_path, "ui", "--port", "0", COMEX_UI_HOSTS=hosts)
    assert (outcome.exit_code, given) == (1, {})
    assert "COMEX_UI_HOSTS" in outcome.stderr and all(part in outcome.stderr for part in PARTS)


def test_a_port_that_is_taken_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        outcome, given = run(monkeypatch, tmp_path, "ui", "--port", port)
    assert (outcome.exit_code, given) == (1, {})
    assert f"127.0.0.1:{port}" in outcome.stderr and "another program answers there" in outcome.stderr
    assert all(part in outcome.stderr for part in PARTS)


def test_a_daemon_that_dies_ends_the_ui_and_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ui, "DAEMON", "false")
    with pytest.raises(ComexError, match="it ended with 1"), ui.ending(), ui._daemon(tmp_path / "workspace.yaml"):
        time.sleep(60)
        pytest.fail("the daemon's end was not noticed")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_what_runs_once_and_are_as_before_afterwards(number: signal.Signals) -> None:
    before, steps = signal.getsignal(number), []
    with ui.ending():
        try:
            signal.raise_signal(number)
            steps.append("not heard")
        finally:
            signal.raise_signal(number)  # a second one while it ends
            steps.append("ended")
    assert (steps, signal.getsignal(number)) == (["ended"], before)
