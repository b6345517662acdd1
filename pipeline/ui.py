"""Dagster's UI behind our guard, alone or with the daemon: what `comex ui` and `comex dev` start.

Add here: how the server is started and ended. Keep out: what a browser may ask of it (`guard.py`), and what it shows (`defs/`).
"""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn
from dagster import DagsterInstance
from dagster._cli.proxy_server_manager import ProxyServerManager
from dagster._core.errors import DagsterUserCodeProcessError
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver import cli as defaults
from dagster_webserver.version import __version__
from dagster_webserver.webserver import DagsterWebserver
from graphql import ASTValidationRule, GraphQLError, OperationDefinitionNode, OperationType

from pipeline.errors import ComexError, SettingError
from pipeline.guard import Guard
from pipeline.settings import ROOT

WORKSPACE = ROOT / "workspace.yaml"
DAEMON = Path(sys.executable).with_name("dagster-daemon")
GRACE_S = 4  # what open pages and the daemon are given to end in


class NoMutation(ASTValidationRule):
    """A GraphQL document that would change something is not valid."""

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: object) -> None:
        """Called by graphql-core for each operation of a document."""
        if node.operation is OperationType.MUTATION:
            self.report_error(GraphQLError("This UI is read-only: it launches, stops, changes and deletes nothing.", node))


class ReadOnlyWebserver(DagsterWebserver):
    """Dagster's server without mutations: its own read-only mode greys the buttons out, and leaves some mutations open."""

    def build_graphql_validation_rules(self) -> Collection[type[ASTValidationRule]]:
        """Dagster's rules and ours."""
        return [*super().build_graphql_validation_rules(), NoMutation]


def serve(
    instance: DagsterInstance, listener: socket.socket, hosts: Collection[str], *, read_only: bool, workspace: Path = WORKSPACE
) -> None:
    """Answer on this socket until SIGINT or SIGTERM. `hosts`: names beside those of this machine that the UI is known by."""
    instance.optimize_for_webserver(
        defaults.DEFAULT_DB_STATEMENT_TIMEOUT, defaults.DEFAULT_POOL_RECYCLE, defaults.DEFAULT_POOL_MAX_OVERFLOW
    )
    target = WorkspaceFileTarget([str(workspace)])
    with WorkspaceProcessContext(instance, target, __version__, read_only, code_server_log_level="WARNING") as context:
        config = uvicorn.Config(
            guarded(context, hosts),
            http="h11",  # the stricter parser: two Hosts, or none, end here
            proxy_headers=False,  # Host alone says who we are
            lifespan="off",
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
        address = listener.getsockname()
        sys.stdout.write(f"Dagster UI on http://{_readable(address[0])}:{address[1]}{' (read-only)' if read_only else ''}\n")
        sys.stdout.flush()
        uvicorn.Server(config).run(sockets=[listener])


def guarded(context: WorkspaceProcessContext, hosts: Collection[str]) -> Guard:
    """Dagster's app over this workspace, behind the guard; without mutations when the workspace is read-only."""
    webserver = ReadOnlyWebserver if context.read_only else DagsterWebserver
    return Guard(webserver(context, live_data_poll_rate=2000).create_asgi_app(), hosts)


def develop(instance: DagsterInstance, listener: socket.socket, hosts: Collection[str], *, read_only: bool) -> None:
    """UI and daemon over one code server, as `dagster dev` has them, until SIGINT or SIGTERM, or until the daemon ends."""
    with (
        ProxyServerManager(instance, WorkspaceFileTarget([str(WORKSPACE)]), "WARNING") as code,
        tempfile.TemporaryDirectory(prefix="comex-dev-") as folder,
    ):
        workspace = Path(folder) / "workspace.yaml"
        workspace.write_text(json.dumps({"load_from": _servers(code)}), encoding="utf-8")
        with _daemon(workspace):
            serve(instance, listener, hosts, read_only=read_only, workspace=workspace)


@contextmanager
def ending() -> Iterator[None]:
    """Ctrl-C, SIGTERM and a terminal that closes end what stands inside, quietly; while it ends, further ones are not heard, so
    that no child is left.
    """

    def end(*_: object) -> None:
        for number in numbers:
            signal.signal(number, lambda *_: None)
        raise KeyboardInterrupt

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # `nohup` wants it to go on
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def listen(host: str, port: int) -> socket.socket:
    """The socket to answer on, taken before anything slow is started. Raises SettingError when it cannot be had."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        causes = {
            errno.EADDRINUSE: "another program answers there, perhaps another `comex dev` or `comex ui`",
            errno.EACCES: "ports below 1024 are not for every user",
        }
        raise SettingError(
            f"A free address was expected for the UI; {_readable(host)}:{port} is none: {error.strerror or error}.",
            where="--host and --port",
            cause=causes.get(error.errno or 0, "an address that this machine does not have"),
            remedy="stop that program, or give another port, such as --port 3001",
        ) from error


def _servers(code: ProxyServerManager) -> Sequence[Mapping[str, Any]]:
    """Where the code server answers. Raises ComexError when it does not."""
    try:
        return code.get_code_server_specs()
    except DagsterUserCodeProcessError as error:
        raise ComexError(
            f"Dagster's code server was expected to start; {str(error).partition(chr(10))[0]}",
            where=str(WORKSPACE),
            cause="its process ended at once, or the machine is too busy for it",
            remedy="`.venv/bin/dg check defs` loads the same code and shows what it says; if that is nothing, try again",
        ) from error


@contextmanager
def _daemon(workspace: Path) -> Iterator[None]:
    """Dagster's daemon for as long as the UI runs. Should it end before, the UI ends too, and ComexError says so."""
    command = [DAEMON, "run", "--workspace", workspace]
    process = subprocess.Popen(command, process_group=0)  # not the terminal's: Ctrl-C is ours, and the daemon is told once

    def follow() -> None:
        process.wait()
        os.kill(os.getpid(), signal.SIGTERM)

    watcher = threading.Thread(target=follow, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended = process.poll()
        process.terminate()
        try:
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
        watcher.join()
        if ended is not None:
            raise ComexError(
                f"Dagster's daemon was expected to run as long as the UI; it ended with {ended}.",
                where=f"{DAEMON} run",
                cause="what it wrote above; nothing, if something killed it",
                remedy="start `comex dev` again, or `comex ui`, which needs no daemon",
            )


def _readable(host: str) -> str:
    return f"[{host}]" if ":" in host else host
