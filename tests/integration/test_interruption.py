"""Real work interrupted: dbt under way, a browser that draws. What is left, and what the next command finds."""

import signal
import sys
from pathlib import Path

import dagster as dg
import pytest
from filelock import FileLock

from pipeline import cli
from pipeline.paths import Paths
from tests.processes import PARTS, Marked

COMEX = str(Path(sys.executable).with_name("comex"))


def test_a_build_interrupted_while_dbt_works_leaves_former_outputs_and_no_lock(
    kiosk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    former = home / "fiches" / "2024" / "48-lozere" / "fiche.html"
    former.parent.mkdir(parents=True)
    former.write_text("a former fiche", encoding="utf-8")
    build = [COMEX, "build", "--home", str(home), "--source", str(kiosk), "--departement", "48"]
    work = Marked(build, tmp_path / "said", {"TMPDIR": str(tmp_path)})
    work.wait_for(lambda work: any("comex-dbt build" in line for line in work.alive().values()))
    assert work.interrupt(signal.SIGINT, group=True) == 130
    assert work.alive() == {}
    said = work.said()
    assert said.count("error: ") == 1 and "interrupted by SIGINT" in said and all(part in said for part in PARTS)
    assert "Traceback" not in said
    assert former.read_text(encoding="utf-8") == "a former fiche"
    assert [path.name for path in tmp_path.glob("comex-*")] == []
    with FileLock(home / ".lock", timeout=0):
        pass
    assert len(list((home / "raw").rglob("*.zip"))) == 4  # what arrived stays
    monkeypatch.setenv("DAGSTER_HOME", str(home / "dagster"))
    cli.close_dead_runs(Paths(home))
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        assert [run.status.value for run in instance.get_runs()] == ["FAILURE"]


@pytest.mark.parametrize(("number", "times"), [(signal.SIGINT, 1), (signal.SIGTERM, 2)])
def test_drawing_in_a_real_browser_is_interrupted(number: signal.Signals, times: int, tmp_path: Path) -> None:
    installation = [sys.executable, "-m", "pipeline.supervisor", "pipeline.charts.installation:main"]
    work = Marked(installation, tmp_path / "said", {"TMPDIR": str(tmp_path)})
    work.wait_for(lambda work: any("--remote-debugging-pipe" in line for line in work.alive().values()))
    assert work.interrupt(number, group=True, times=times) == 128 + number
    assert work.alive() == {}
    assert f"interrupted by {number.name}" in work.said() and "Traceback" not in work.said()
    assert [path.name for path in tmp_path.iterdir()] == ["said"]
