"""`comex doctor` as a command, with a real browser and compiler, at a terminal that knows no UTF-8."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.doctor import machine
from tests.archives import country, write_archive


@pytest.mark.parametrize(("encoding", "options"), [("iso8859-15", []), ("ascii", ["--json"])])
def test_a_whole_examination(tmp_path: Path, encoding: str, options: list[str]) -> None:
    place, temp = tmp_path / "source", tmp_path / "temp"
    temp.mkdir()
    for name, flux in (("202502-Regional-2024-export.zip", "E"), ("202502-Regional-2024-import.zip", "I")):
        write_archive(place / name, country(flux, 2024, 1, lignes=4))
    command = [str(Path(sys.executable).with_name("comex")), "doctor", "--source", str(place), "--home", str(tmp_path / "home")]
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "TMPDIR": str(temp), "COLUMNS": "80"}
    done = subprocess.run([*command, *options], env=environment, capture_output=True, check=False, timeout=600)
    said = done.stdout.decode(encoding)
    wrong = said.partition("## What is wrong")[2][:600]
    if options:
        wrong = [finding for finding in json.loads(said)["findings"] if finding["verdict"] == "wrong"]
    assert not wrong and done.returncode == 0, f"{wrong}{done.stderr.decode(errors='replace')}"
    assert done.stderr == b""
    assert list(temp.iterdir()) == [] and not (tmp_path / "home").exists()
    if options:
        found = {finding["subject"]: finding for finding in json.loads(said)["findings"]}
        assert "Chrom" in found["browser"]["facts"]["version"]
        assert found["PDF compiler"]["verdict"] == "ok"
        assert found["locale"]["verdict"] == "to watch"
    else:
        assert "with the packaged font in" in said
        assert "Île-de-France" in said


def test_a_browser_without_the_font_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt = "from pipeline.charts import theme; theme.POLICE = 'No Such Font'; "
    monkeypatch.setattr(machine, "DRAW", spoilt + machine.DRAW)
    finding = machine._browser(tmp_path)
    assert finding.verdict == "wrong"
    assert "wide; the browser sets it" in finding.found
