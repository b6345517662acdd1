"""Any encoding, a reader that left, a full disk: a command says what it can, and its exit code is that of its work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

STAND_IN = r"""
import os, sys

def says():
    print("580\u202f354,5\u00a0M\u20ac, \u2212 3 %, \u00ab d\u00e9partement de l\u2019Is\u00e8re \u00bb \u65e5 \udcff", flush=True)
    sys.stderr.write("\u2026 \u2192 \u0153\n")

def says_much():
    for _ in range(100_000):
        print("a line of a reader that leaves")
    os.write(2, b"made")
    return 5

def child_speaks_utf8():
    import subprocess
    done = subprocess.run([sys.executable, "-c", "print('\u00e9\u202f')"], capture_output=True, check=False)
    print(done.stdout)
"""


def shell(tmp_path: Path, line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A shell's line, in which `run FUNCTION` is that function under the supervisor."""
    (tmp_path / "stand_in.py").write_text(STAND_IN, encoding="utf-8")
    run = f'run() {{ {sys.executable} -m pipeline.supervisor "stand_in:$1"; }}'
    environment = {"PYTHONPATH": str(tmp_path), "PYTHONIOENCODING": "", "PYTHONUTF8": "0", "LC_ALL": "C.UTF-8"} | environment
    command = ["bash", "-c", f"set -o pipefail; {run}\n{line}"]
    return subprocess.run(command, capture_output=True, check=False, env=os.environ | environment, timeout=120)


@pytest.mark.parametrize(
    ("environment", "out", "err"),
    [
        ({}, "580\u202f354,5\u00a0M€, − 3 %, « département de l’Isère » 日 ?", "… → œ"),
        ({"PYTHONIOENCODING": "iso8859-15"}, "580 354,5\u00a0M€, - 3 %, « département de l'Isère » ? ?", "... -> œ"),
        ({"PYTHONIOENCODING": "latin-1"}, "580 354,5\u00a0MEUR, - 3 %, « département de l'Isère » ? ?", "... -> oe"),
        ({"PYTHONIOENCODING": "ascii"}, '580 354,5 MEUR, - 3 %, " departement de l\'Isere " ? ?', "... -> oe"),
        ({"PYTHONIOENCODING": "ascii:strict"}, '580 354,5 MEUR, - 3 %, " departement de l\'Isere " ? ?', "... -> oe"),
    ],
)
def test_what_an_encoding_does_not_have_is_said_plainly(environment: dict[str, str], out: str, err: str, tmp_path: Path) -> None:
    done = shell(tmp_path, "run says", **environment)
    encoding = environment.get("PYTHONIOENCODING", "utf-8").partition(":")[0]
    assert (done.stdout.decode(encoding).strip("\n"), done.stderr.decode(encoding).strip()) == (out, err)
    assert done.returncode == 0


@pytest.mark.parametrize("locale", ["C", "POSIX", "xx_NONE.ISO-8859-15"])
def test_any_locale_ends_well(locale: str, tmp_path: Path) -> None:
    done = shell(tmp_path, "run says", LC_ALL=locale)
    assert done.returncode == 0 and b"354,5" in done.stdout and b"Traceback" not in done.stderr


def test_programs_started_from_here_speak_utf8_in_any_locale(tmp_path: Path) -> None:
    done = shell(tmp_path, "run child_speaks_utf8", PYTHONIOENCODING="ascii")
    assert done.stdout == b"b'\\xc3\\xa9\\xe2\\x80\\xaf\\n'\n"


@pytest.mark.parametrize("line", ["run says_much | head -1", "run says_much >&-", "run says_much > /dev/null"])
def test_a_reader_that_leaves_costs_only_what_is_said(line: str, tmp_path: Path) -> None:
    done = shell(tmp_path, line)
    assert (done.returncode, done.stderr) == (5, b"made")


def test_nobody_to_read_errors_either(tmp_path: Path) -> None:
    assert shell(tmp_path, "run says_much >&- 2>&- <&-").returncode == 5


def test_a_full_disk_below_what_is_said_is_told(tmp_path: Path) -> None:
    done = shell(tmp_path, "run says_much > /dev/full")
    assert done.returncode == 1
    assert b"Standard output was expected to take what is said" in done.stderr and b"what to do:" in done.stderr
    assert b"Traceback" not in done.stderr
