"""Known vulnerabilities of the packages in requirements.lock: `make audit`.

pip-audit asks an advisory database by package and version, and installs nothing. Exit code 1 on a finding, 2 when pip-audit
itself failed. Where no database answers (an office without a way out, a mirror that serves packages alone) that is said, and
the exit code is 0: pip-audit alone would then say « No known vulnerabilities found ».

Add here: another database that pip-audit knows. Keep out: what to do about a finding (raise the pin, `make lock`).
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).resolve().parent.parent / "requirements.lock"
SERVICES = ("pypi", "osv")
NO_ANSWER = re.compile(r"ConnectionError|Could not connect|not redirecting properly|[Tt]imed? ?out")


def ask(service: str) -> list[dict[str, Any]] | None:
    """What one database says of each package, or None when it does not answer. Raises RuntimeError when pip-audit failed."""
    options = [
        "--require-hashes",
        "--disable-pip",
        "--vulnerability-service",
        service,
        "--format",
        "json",
        "--progress-spinner",
        "off",
    ]
    command = [sys.executable, "-m", "pip_audit", "--requirement", LOCK, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.stdout.strip():
        return json.loads(done.stdout)["dependencies"]
    if NO_ANSWER.search(done.stderr):
        return None
    raise RuntimeError(done.stderr)


def verdict(service: str, packages: list[dict[str, Any]]) -> tuple[str, int] | None:
    """Sentences and exit code for what a database said, or None when it knows none of the packages."""
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if len(skipped) == len(packages):
        return None
    lines = [f"{len(packages) - len(skipped)} of {len(packages)} packages of requirements.lock were looked up ({service})."]
    if skipped:
        lines.append(f"Not known there, and not looked up: {', '.join(skipped)}.")
    found = [(package, vulnerability) for package in packages for vulnerability in package.get("vulns", ())]
    for package, vulnerability in found:
        names = ", ".join([vulnerability["id"], *vulnerability.get("aliases", ())])
        mended = ", ".join(vulnerability.get("fix_versions", ())) or "no version yet"
        lines.append(f"{package['name']} {package['version']}: {names}; mended in {mended}")
    lines.append(f"{len(found)} known vulnerabilities.")
    return "\n".join(lines), 1 if found else 0


def main() -> int:
    """Ask one database after the other until one knows the packages; the exit code."""
    for service in SERVICES:
        try:
            packages = ask(service)
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return 2
        if packages and (told := verdict(service, packages)):
            print(told[0])
            return told[1]
    print(f"Nothing was audited: no advisory database answers from here (asked: {', '.join(SERVICES)}).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
