"""Runs on record in PostgreSQL, with the settings of `deploy/` and a server of our own."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from pipeline.paths import Paths
from pipeline.settings import ROOT
from tests.integration.test_runs import COMEX

SERVER = shutil.which("postgres")
pytestmark = pytest.mark.skipif(not (SERVER and shutil.which("initdb")), reason="no PostgreSQL server on this machine")


@pytest.fixture
def address() -> Iterator[str]:
    """A throw-away server that answers on a socket of its own. It refuses to be root: then `nobody` runs it."""
    owner = "nobody" if os.getuid() == 0 else None
    with tempfile.TemporaryDirectory() as place:
        if owner:
            shutil.chown(place, owner)
        data, log = f"{place}/data", (Path(place) / "log").open("wb")
        subprocess.run(
            ["initdb", "-D", data, "-U", "comex", "-A", "trust", "-N"], check=True, capture_output=True, cwd=place, user=owner
        )
        arguments = ["-D", data, "-k", place, "-c", "listen_addresses=", "-c", "fsync=off"]
        server = subprocess.Popen([str(SERVER), *arguments], stdout=log, stderr=log, cwd=place, user=owner)
        try:
            while server.poll() is None:
                with socket.socket(socket.AF_UNIX) as client:
                    if client.connect_ex(f"{place}/.s.PGSQL.5432") == 0:
                        break
                time.sleep(0.1)
            yield f"postgresql+psycopg2://comex@/postgres?host={place}"
        finally:
            server.terminate()
            server.wait(timeout=20)
            log.close()


def test_a_run_is_on_record_in_postgresql_and_in_no_file(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = Paths(tmp_path / "home")
    paths.dagster.mkdir(parents=True)
    settings = [(ROOT / "deploy" / name).read_text(encoding="utf-8") for name in ("dagster.yaml", "dagster.postgres.yaml")]
    (paths.dagster / "dagster.yaml").write_text("".join(settings), encoding="utf-8")
    (tmp_path / "source").mkdir()  # a run that fails at its first step is on record as well as any other
    command = [COMEX, "build", "--home", str(paths.home), "--source", str(tmp_path / "source"), "--departement", "48"]
    environment = os.environ | {"DAGSTER_POSTGRES_URL": address}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)
    assert "offers none" in done.stderr
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", address)
    with dg.DagsterInstance.from_config(str(paths.dagster)) as instance:
        [run] = instance.get_runs()
        assert run.status is dg.DagsterRunStatus.FAILURE
        assert any(entry.dagster_event and entry.dagster_event.is_step_failure for entry in instance.all_logs(run.run_id))
    assert list(paths.dagster.rglob("*.db")) == []
