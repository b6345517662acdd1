"""`comex doctor` on this machine: each fault is simulated and found; nothing is changed; no password is told."""

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from pipeline import doctor
from pipeline.cli import app
from pipeline.doctor import Finding, Report, choices, machine, places
from pipeline.doctor.finding import looked, within
from pipeline.doctor.report import encodable
from pipeline.errors import RenderError, SourceError
from pipeline.settings import Settings
from tests.archives import row, write_archive

GIB = 1024**3
SPACE = {"f_frsize": 4096, "f_blocks": 10**8, "f_bfree": 10**8, "f_bavail": 10**8, "f_flag": 0}  # a disk with room


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("COMEX_") or name.upper() in (
            *choices.PROXIES,
            *choices.CERTIFICATES,
            *choices.NOT_READ,
            "DAGSTER_HOME",
        ):
            monkeypatch.delenv(name)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser and a compiler that work, without their seconds."""
    monkeypatch.setattr(machine, "_apart", lambda code, temp, seconds: (0, "123\n", 0.1))
    monkeypatch.setenv("BROWSER_PATH", sys.executable)


def environment(**given: object) -> dict[str, Finding]:
    return {finding.subject: finding for finding in choices.look(given)[1]}


def verdicts(findings: list[Finding]) -> dict[str, str]:
    return {finding.subject: finding.verdict for finding in findings}


def tree(*places: Path) -> dict[str, tuple]:
    found = {}
    for place in places:
        for path in [place, *place.rglob("*")] if place.exists() else []:
            facts = path.lstat()
            found[str(path)] = (facts.st_mode, facts.st_size, facts.st_mtime_ns, path.is_file() and path.read_bytes())
    return found


# --- nothing is changed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("home", ["not there", "there", "read-only"])
@pytest.mark.parametrize("source", ["example", "folder"])
def test_nothing_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn: None, home: str, source: str) -> None:
    temp, place, outputs = tmp_path / "temp", tmp_path / "source", tmp_path / "above" / "home"
    temp.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temp))
    write_archive(place / "202502-Regional-2024-export.zip", [row()])
    if home != "not there":
        (outputs / "raw").mkdir(parents=True)
        (outputs / ".lock").touch()
    if home == "read-only":
        outputs.chmod(0o555)
    before, variables = tree(tmp_path), dict(os.environ)
    report = doctor.examine("example" if source == "example" else str(place), outputs)
    assert tree(tmp_path).keys() == before.keys()
    assert {path: facts for path, facts in tree(tmp_path).items() if path != str(temp)} == {
        path: facts for path, facts in before.items() if path != str(temp)
    }
    assert list(temp.iterdir()) == []
    assert dict(os.environ) == variables
    assert {"archives on offer", "field 10, masse", "all rows"} <= {finding.subject for finding in report.findings}


# --- the command ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes the command find these."""

    def found(*findings: Finding) -> None:
        monkeypatch.setattr(doctor, "examine", lambda source, home: Report(list(findings), str(source), str(home)))

    return found


@pytest.mark.parametrize(("verdict", "code"), [("ok", 0), ("to watch", 0), ("wrong", 1)])
def test_only_what_is_wrong_fails(found, verdict, code) -> None:
    found(Finding("machine", "disk", "much.", verdict, "look"))
    assert CliRunner().invoke(app, ["doctor"]).exit_code == code
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exit_code == code
    said = json.loads(result.stdout)
    assert said["ok"] is (code == 0)
    assert said["findings"][0] | {"facts": 0, "lines": 0} == {
        "part": "machine",
        "subject": "disk",
        "found": "much.",
        "verdict": verdict,
        "remedy": "look",
        "lines": 0,
        "facts": 0,
        "where": "",
        "cause": "",
    }


def test_the_report_may_go_to_a_file(found, tmp_path) -> None:
    found(Finding("machine", "disk", "« 1 »."))
    assert CliRunner().invoke(app, ["doctor", "--output", str(tmp_path / "report.md")]).stdout == ""
    assert "« 1 »." in (tmp_path / "report.md").read_text(encoding="utf-8")
    result = CliRunner().invoke(app, ["doctor", "--output", str(tmp_path / "no" / "report.md")])
    assert result.exit_code == 1
    assert "what to do" in result.output


@pytest.mark.parametrize("encoding", ["ascii", "iso8859-15", "cp1252", "utf-8", "no-such", None])
def test_the_report_can_be_written_in_any_encoding(encoding) -> None:
    text = encodable("« Île » … 1 → 2 € 日本", encoding)
    text.encode("ascii" if encoding in ("no-such", None) else encoding)
    assert "le" in text and "1" in text
    assert (text == "« Île » … 1 → 2 € 日本") == (encoding == "utf-8")


def test_a_report_says_first_what_is_wrong_and_quotes_lines_without_control_characters() -> None:
    findings = [Finding("machine", "disk", "a."), Finding("source", "page", "b.", "wrong", "c", lines=["x\x1b[31m\ty"])]
    text = Report(findings, "douane", "/srv").text()
    assert text.index("## What is wrong") < text.index("1. source, page: b.") < text.index("## Machine") < text.index("## Source")
    assert "what to do: c" in text
    assert "\x1b" not in text and "      x\\x1b[31m\\ty" in text
    assert "2 things were looked at: 1 ok, 0 to watch, 1 wrong" in text


def test_no_password_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://mina:s3cr%65t@proxy.example:3128")
    monkeypatch.setenv("HTTP_PROXY", "socks9://mina:oth3r@proxy.example")
    source = "https://joe:pa55word@mirror.example/x?token=t0k3n&page=2"
    settings, findings = choices.look({"source": source, "home": tmp_path})
    findings.append(Finding("source", "page", f"It broke: {source}; s3cret; pa55word", lines=[source], facts={source: [source]}))
    report = Report(findings, settings.source, "/srv/comex", secrets=choices.secrets(settings))
    for text in (report.text(), report.data()):
        assert not [word for word in ("s3cr", "oth3r", "pa55word", "t0k3n") if word in text]
        assert "mirror.example/x?token=(masked)&page=2" in text
        assert "proxy.example" in text and "/srv/comex" in text


# --- settings and environment ---------------------------------------------------------------------------------------------


def test_settings_are_told_with_their_origin(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("COMEX_ATTEMPTS", "3")
    finding = environment(home=tmp_path)["settings in force"]
    assert "COMEX_ATTEMPTS = 3   [environment]" in finding.lines
    assert f"COMEX_HOME = {tmp_path}   [option --home]" in finding.lines
    assert "COMEX_TIMEOUT_S = 20.0   [default]" in finding.lines


def test_a_setting_that_cannot_be_used_is_wrong_and_the_others_are_in_force(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("COMEX_TIMEOUT_S", "soon")
    monkeypatch.setenv("COMEX_PERIODE", "202X")
    monkeypatch.setenv("COMEX_ATTEMPTS", "3")
    settings, findings = choices.look({"home": tmp_path})
    assert (settings.attempts, settings.timeout_s, settings.home) == (3, 20.0, tmp_path)
    wrong = {finding.subject: finding for finding in findings if finding.verdict == "wrong"}
    assert wrong.keys() == {"COMEX_TIMEOUT_S", "COMEX_PERIODE"}
    assert "soon" in wrong["COMEX_TIMEOUT_S"].found and wrong["COMEX_PERIODE"].remedy


def test_a_home_that_is_none(tmp_path) -> None:
    for home in (tmp_path / "a*b", Path("~nobody-of-this-name/x")):
        settings, findings = choices.look({"home": home})
        assert [finding.subject for finding in findings if finding.verdict == "wrong"] == ["COMEX_HOME"]
        assert settings.home == Settings().home


@pytest.mark.parametrize(
    ("name", "verdict", "meant"),
    [("COMEX_HOEM", "wrong", "COMEX_HOME"), ("COMEX_TIMEOUT", "wrong", "COMEX_TIMEOUT_S"), ("COMEX_ZZ", "to watch", "")],
)
def test_a_variable_that_nobody_reads(monkeypatch, name, verdict, meant) -> None:
    monkeypatch.setenv(name, "1")
    finding = environment()[f"variable {name}"]
    assert finding.verdict == verdict
    assert meant in finding.remedy


@pytest.mark.parametrize(
    ("name", "value"), [("HTTPS_PROXY", "proxy.example:port"), ("all_proxy", "gopher://x:1"), ("HTTP_PROXY", "http://[::1")]
)
def test_a_proxy_that_cannot_be_used_is_named(monkeypatch, name, value) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv(name, value)
    found = environment()
    assert found[name].verdict == "wrong"
    assert name in found[name].found
    assert [subject for subject, finding in found.items() if finding.verdict == "wrong"] == [name]


def test_two_spellings_of_a_proxy_that_differ(monkeypatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://a.example:1")
    monkeypatch.setenv("https_proxy", "http://b.example:1")
    assert environment()["HTTPS_PROXY"].verdict == "to watch"


def test_certificates(monkeypatch, tmp_path) -> None:
    assert environment()["certificates"].verdict == "ok"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/office.pem")
    assert environment()["REQUESTS_CA_BUNDLE"].verdict == "to watch"
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    assert (environment()["SSL_CERT_FILE"].verdict, "no such file" in environment()["SSL_CERT_FILE"].found) == ("wrong", True)
    (tmp_path / "none.pem").write_text("not a certificate")
    assert environment()["SSL_CERT_FILE"].verdict == "wrong"
    import certifi

    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    assert environment()["SSL_CERT_FILE"].verdict == "ok"
    assert "REQUESTS_CA_BUNDLE" not in environment()


def test_dagster_home(monkeypatch, tmp_path) -> None:
    assert environment(home=tmp_path)["DAGSTER_HOME"].verdict == "ok"
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    assert environment(home=tmp_path)["DAGSTER_HOME"].verdict == "ok"
    assert environment(home=tmp_path / "other")["DAGSTER_HOME"].verdict == "to watch"


# --- the machine ----------------------------------------------------------------------------------------------------------


def test_a_good_machine(tmp_path, drawn) -> None:
    found = verdicts(machine.look(tmp_path) + places.look(Settings(home=tmp_path / "home"), tmp_path))
    assert found.keys() >= {
        "Python",
        "packages",
        "browser",
        "fonts",
        "PDF compiler",
        "disk of the home",
        "memory",
        "clock",
        "rights",
    }
    assert [subject for subject, verdict in found.items() if verdict == "wrong"] == []
    assert list(tmp_path.iterdir()) == []


def test_no_browser(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("BROWSER_PATH", "/no/browser")
    [finding] = looked("machine", "browser", lambda: machine._browser(tmp_path))
    assert (finding.verdict, finding.subject) == ("wrong", "browser")
    assert "/no/browser" in finding.found and finding.where and finding.cause and finding.remedy


def test_a_browser_that_never_answers_is_stopped_with_all_it_started(monkeypatch, tmp_path) -> None:
    pid = tmp_path / "pid"
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\necho $$ > {pid}\nexec sleep 600\n")
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER_PATH", str(browser))
    monkeypatch.setattr(machine, "DRAWS_WITHIN_S", 12)
    finding = machine._browser(tmp_path)
    assert finding.verdict == "wrong"
    assert finding.remedy
    if pid.exists():  # it was begun in time
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and (Path("/proc") / pid.read_text().strip() / "cmdline").exists():
            time.sleep(0.1)
        assert "sleep" not in _command(int(pid.read_text()))


def _command(pid: int) -> str:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_text()
    except OSError:
        return ""


def test_a_browser_that_cannot_draw_says_why(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("BROWSER_PATH", sys.executable)
    error = RenderError("« Source Sans Pro » should set it 100 px wide; 120 px.", where="fonts", cause="a snap", remedy="another")
    said = f"Traceback (most recent call last):\n  File x\npipeline.errors.RenderError: {error}\n"
    monkeypatch.setattr(machine, "_apart", lambda *_: (1, said, 2.0))
    finding = machine._browser(tmp_path)
    assert finding.verdict == "wrong"
    assert "should set it 100 px wide" in finding.found


def test_a_font_or_a_compiler_that_is_not_there(monkeypatch, tmp_path) -> None:
    from pipeline.charts import texte

    monkeypatch.setattr(texte, "DOSSIER_POLICES", tmp_path)
    assert machine._fonts().verdict == "wrong"
    monkeypatch.setattr(machine, "COMPILE", "raise ImportError('no typst')")
    finding = machine._compiler(tmp_path)
    assert (finding.verdict, "no typst" in finding.found) == ("wrong", True)


@pytest.mark.parametrize(("free", "verdict"), [(10, "ok"), (1.0, "to watch"), (0.01, "wrong")])
def test_a_disk_that_fills(monkeypatch, tmp_path, free, verdict) -> None:
    monkeypatch.setattr(places.shutil, "disk_usage", lambda _: SimpleNamespace(free=free * GIB))
    finding = places._disk(tmp_path / "not" / "there")[0]
    assert (finding.verdict, bool(finding.remedy)) == (verdict, verdict != "ok")
    assert f"{free:.1f} GiB free at {tmp_path}" in finding.found


def test_a_disk_without_inodes(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(places.os, "statvfs", lambda _: SimpleNamespace(**SPACE, f_favail=12, f_files=1000))
    assert places._disk(tmp_path)[0].verdict == "wrong"
    monkeypatch.setattr(places.os, "statvfs", lambda _: SimpleNamespace(**SPACE, f_favail=0, f_files=0))
    assert places._disk(tmp_path)[0].facts["inodes"] is None  # some file systems count none


def test_memory_is_that_of_the_tightest_control_group(monkeypatch, tmp_path) -> None:
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (groups / "a" / "b").mkdir(parents=True)
    monkeypatch.setattr(machine, "PROC", proc)
    monkeypatch.setattr(machine, "CGROUP", groups)
    (proc / "meminfo").write_text(f"MemTotal:  9 kB\nMemAvailable: {8 * 1024**2} kB\n")
    (proc / "self" / "cgroup").write_text("0::/a/b\n")
    assert machine._memory().verdict == "ok"
    for folder, limit in ((groups / "a", str(GIB)), (groups / "a" / "b", "max")):
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text(f"{GIB // 2}\n")
        (folder / "memory.stat").write_text(f"anon 1\ninactive_file {GIB // 4}\n")
    (groups / "a" / "cpu.max").write_text("150000 100000\n")
    finding = machine._memory()
    assert (finding.verdict, finding.facts["available_gib"], finding.facts["quota"]) == ("wrong", 0.75, 1.5)
    assert "memory.max" in finding.found
    (groups / "a" / "memory.max").write_text(str(3 * GIB // 2))
    assert machine._memory().verdict == "to watch"


def test_limits_of_the_shell(monkeypatch) -> None:
    limits = {resource.RLIMIT_AS: 4 * GIB, resource.RLIMIT_NOFILE: 64}
    monkeypatch.setattr(machine.resource, "getrlimit", lambda kind: (limits.get(kind, resource.RLIM_INFINITY), 0))
    finding = machine._limits()
    assert finding.verdict == "to watch"
    assert "4.0 GiB" in finding.found and "64 files" in finding.found


def test_an_odd_locale(monkeypatch) -> None:
    monkeypatch.setattr(machine.locale, "getpreferredencoding", lambda _: "ISO-8859-15")
    monkeypatch.setenv("LANG", "fr_FR@euro")
    finding = machine._locale()
    assert (finding.verdict, "ISO-8859-15" in finding.found, "LANG=fr_FR@euro" in finding.found) == ("to watch", True, True)


def test_a_clock_in_the_past(monkeypatch) -> None:
    from datetime import UTC, datetime

    class Past(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2001, 1, 1, tzinfo=UTC)

    monkeypatch.setattr(machine, "datetime", Past)
    assert machine._clock()[0].verdict == "wrong"


def test_rights(monkeypatch, tmp_path) -> None:
    home = tmp_path / "home"
    assert "may make it" in places._rights(home).found
    (home / "raw").mkdir(parents=True)
    assert places._rights(home).verdict == "ok"
    monkeypatch.setattr(places, "_may_write", lambda folder: folder.name != "raw")
    finding = places._rights(home)
    assert (finding.verdict, str(home / "raw") in finding.found) == ("wrong", True)
    (tmp_path / "file").touch()
    assert places._rights(tmp_path / "file").verdict == "wrong"


def test_a_share_and_a_disk_without_locks(monkeypatch, tmp_path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 0 8:1 / / rw - ext4 /dev/sda rw\n2 1 0:2 / {tmp_path} rw,relatime shared:1 - nfs4 server:/x rw\n")
    monkeypatch.setattr(places, "MOUNTS", mounts)
    [finding] = places._file_system(tmp_path / "home")
    assert (finding.verdict, finding.facts["kind"]) == ("to watch", "nfs4")

    def refused(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(places.fcntl, "flock", refused)
    monkeypatch.setattr(places, "_kind", lambda _: ("ext4", "/"))
    [finding] = places._file_system(tmp_path / "home")
    assert (finding.verdict, "No locks available" in finding.found) == ("wrong", True)


def test_a_temporary_folder_without_programs(monkeypatch, tmp_path) -> None:
    assert places._temporary(tmp_path).verdict == "ok"
    monkeypatch.setattr(places.os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_NOEXEC))
    assert places._temporary(tmp_path).verdict == "to watch"
    assert list(tmp_path.iterdir()) == []


# --- looks ----------------------------------------------------------------------------------------------------------------


def test_a_fault_of_a_look_is_a_finding() -> None:
    def bug() -> Finding:
        raise ZeroDivisionError("by 0")

    def closed() -> Finding:
        raise PermissionError(13, "Permission denied", "/srv/x")

    [finding] = looked("machine", "rights", closed)
    assert (finding.verdict, finding.where, "Permission denied" in finding.found) == ("wrong", "/srv/x", True)
    [finding] = looked("source", "page", bug)
    assert (finding.verdict, finding.subject, "ZeroDivisionError: by 0" in finding.found) == ("wrong", "page", True)


def test_a_look_is_not_waited_for_longer_than_said() -> None:
    assert within(5, "x", lambda: 3) == 3
    with pytest.raises(KeyError):
        within(5, "x", lambda: {}["no"])
    with pytest.raises(SourceError, match=r"within 0\.05 s"):
        within(0.05, "https://x.example/", lambda: time.sleep(3))
