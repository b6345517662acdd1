"""What is run that others wrote: workflows and their actions, the base image, packages with a known vulnerability, the SBOM."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from tools import audit

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv/bin"
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
CONTAINER = ROOT / "deploy/Containerfile"
LINTERS = {
    "jactionlint": ["jactionlint", "--strict-exit", "--no-hints"],
    "zizmor": ["zizmor", "--offline", "--quiet", "--persona=pedantic"],
}


def lint(command: list[str], *files: Path) -> int:
    return subprocess.run([BIN / command[0], *command[1:], *files], capture_output=True, check=False, timeout=60).returncode


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_read_the_code_and_no_more(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["permissions"] == {"contents": "read"}
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_a_commit_with_its_version_beside_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    uses = re.findall(r"uses: *(.*)", text)
    assert uses
    assert [use for use in uses if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)] == []


@pytest.mark.parametrize("name", LINTERS)
def test_linters_pass_our_workflows_and_find_what_is_spoiled_in_a_copy(name: str, tmp_path: Path) -> None:
    assert lint(LINTERS[name], *WORKFLOWS) == 0
    text = WORKFLOWS[0].read_text(encoding="utf-8")
    for index, (sound, spoiled) in enumerate(
        {
            r"@[0-9a-f]{40} # v(\d+).*": r"@v\1",
            r"run: \.ci/run": "run: echo ${{ github.event.pull_request.title }}",
            r"permissions: \{\}|permissions:\n.*contents: read.*": "permissions: write-all",
        }.items()
    ):
        copy = tmp_path / f"{index}.yml"
        copy.write_text(re.sub(sound, spoiled, text), encoding="utf-8")
        assert lint(LINTERS[name], copy) != 0, f"{name} lets {spoiled} pass"


def test_make_check_calls_these_linters() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in LINTERS.values():
        assert f"@$(BIN)/{' '.join(command)}" in makefile
    assert "@$(BIN)/hadolint deploy/Containerfile" in makefile


def test_the_base_image_is_a_digest_and_its_recipe_is_clean() -> None:
    bases = re.findall(r"^FROM (.*)", CONTAINER.read_text(encoding="utf-8"), re.MULTILINE)
    assert bases
    assert [base for base in bases if not re.fullmatch(r"\S+@sha256:[0-9a-f]{64}( AS \w+)?", base)] == []
    assert lint(["hadolint"], CONTAINER) == 0


def package(name: str, **more: object) -> dict[str, object]:
    return {"name": name, "version": "1.0", **more}


def test_a_known_vulnerability_fails_the_audit_and_says_where_it_is_mended() -> None:
    found = {"id": "PYSEC-2026-1", "aliases": ["CVE-2026-1"], "fix_versions": ["1.1", "2.0"]}
    told, code = audit.verdict("pypi", [package("a", vulns=[found]), package("b", vulns=[])]) or ("", 0)
    assert code == 1
    assert "a 1.0: PYSEC-2026-1, CVE-2026-1; mended in 1.1, 2.0" in told


def test_a_database_that_knows_no_package_has_audited_nothing() -> None:
    unknown = package("a", skip_reason="Dependency not found on PyPI")
    assert audit.verdict("pypi", [unknown]) is None
    told, code = audit.verdict("pypi", [unknown, package("b", vulns=[])]) or ("", 1)
    assert code == 0
    assert "1 of 2 packages" in told and "not looked up: a." in told


def test_silence_is_told_as_silence_and_a_fault_of_the_tool_as_a_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {"pypi": "requests.exceptions.ConnectionError: …", "osv": "requests.exceptions.ConnectionError: …"}

    def run(command: list[str | Path], **_: object) -> subprocess.CompletedProcess[str]:
        service = str(command[command.index("--vulnerability-service") + 1])
        return subprocess.CompletedProcess(command, 1, stdout="", stderr=said[service])

    monkeypatch.setattr(audit.subprocess, "run", run)
    assert audit.main() == 0
    assert "Nothing was audited" in capsys.readouterr().out
    said["osv"] = "requirement could not be parsed"
    assert audit.main() == 2
    assert "could not be parsed" in capsys.readouterr().err


def test_the_sbom_names_every_package_that_the_project_asks_for(tmp_path: Path) -> None:
    [recipe] = re.findall(r"@\$\(BIN\)/(cyclonedx-py .*)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    target = tmp_path / "sbom.cdx.json"
    arguments = recipe.replace("assets_out/sbom.cdx.json", str(target)).replace("$(BIN)", str(BIN)).split()
    subprocess.run([BIN / arguments[0], *arguments[1:]], check=True, cwd=ROOT)  # it validates what it writes
    sbom = json.loads(target.read_text(encoding="utf-8"))
    assert (sbom["bomFormat"], sbom["metadata"]["component"]["name"]) == ("CycloneDX", "comex")
    listed = {re.sub(r"[-_.]+", "-", component["name"]).lower(): component["version"] for component in sbom["components"]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[\[<>=]", requirement)[0].lower() for requirement in project["dependencies"]}
    assert names - listed.keys() == set()
    assert str(ROOT) not in target.read_text(encoding="utf-8")
    for name, version in re.findall(r"^(duckdb|typst|starlette)==(\S+)", (ROOT / "requirements.lock").read_text("utf-8"), re.M):
        assert listed[name] == version
