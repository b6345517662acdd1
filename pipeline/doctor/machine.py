"""This computer: what it has of what a run needs to draw and bind, each thing tried.

Add here: another thing that machines lack. Keep out: disks and rights (`places.py`), settings and the environment (`choices.py`).
"""

import locale
import os
import platform
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipeline.doctor.finding import Finding, Verdict, looked, shown
from pipeline.settings import ROOT

PART = "machine"
GIB = 1024**3
LEAST_MEMORY_GIB, GOOD_MEMORY_GIB = 1.0, 2.0  # a run takes 0.7, the browser beside it 0.7
DRAWS_WITHIN_S = 180  # 3 on a quiet machine; a start and a figure that take longer would fail a run too
TRIED = ("3.11", "3.13")
PROC, CGROUP = Path("/proc"), Path("/sys/fs/cgroup")

DRAW = "from pipeline.charts.installation import essayer; print(essayer())"
COMPILE = """import typst
from pipeline.charts.texte import DOSSIER_POLICES
fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(DOSSIER_POLICES)])
source = '#set document(title: "Essai")\\n#set text(font: "Source Sans Pro", lang: "fr")\\nÎle-de-France : 1\\u202f234,5 M€'
print(len(typst.compile({'main.typ': source.encode()}, font_paths=fonts, pdf_standards=['ua-1'])))"""


def look(temp: Path) -> list[Finding]:
    """Everything about this machine; `temp` is a folder to write to."""
    looks = {
        "Python": _python,
        "packages": _packages,
        "browser": lambda: _browser(temp),
        "fonts": _fonts,
        "PDF compiler": lambda: _compiler(temp),
        "memory": _memory,
        "limits": _limits,
        "locale": _locale,
        "clock": _clock,
    }
    return [finding for subject, each in looks.items() for finding in looked(PART, subject, each)]


def _python() -> Finding:
    now = platform.python_version()
    facts = {"python": now, "platform": platform.platform(), "executable": sys.executable}
    found = f"Python {now} on {platform.platform()} ({platform.machine()})."
    if ".".join(now.split(".")[:2]) not in TRIED:
        found += f" Tried so far: {', '.join(TRIED)}."
    return Finding(PART, "Python", found, facts=facts)


def _packages() -> Finding:
    """What is installed, against the lock file."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pinned: dict[str, list[str]] = {}
    for name, wanted in re.findall(r"^([\w.-]+)(?:\[\w+\])?==([^\s;\\]+)", lock, re.MULTILINE):
        pinned.setdefault(name, []).append(wanted)  # several where it depends on Python's version
    other, missing = {}, []
    for name, wanted in pinned.items():
        try:
            if (found := version(name)) not in wanted:
                other[name] = (found, " or ".join(wanted))
        except PackageNotFoundError:
            missing.append(name)
    asked = re.findall(r'^    "([\w-]+)[^"]*",', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    named = {name: version(name) for name in sorted(set(asked) & pinned.keys() - set(missing))}
    facts = {"versions": named, "other": other, "missing": missing}
    lines = [", ".join(f"{name} {found}" for name, found in named.items())]
    lines += shown([f"{name} {found}, locked: {wanted}" for name, (found, wanted) in other.items()])
    same = len(pinned) - len(other) - len(missing)
    # Packages of other systems and the optional PostgreSQL are in the lock too.
    found = f"{same} of {len(pinned)} locked packages are installed in the locked version, {len(other)} in another, {len(missing)} not."
    if not other:
        return Finding(PART, "packages", found, lines=lines, facts=facts)
    return Finding(
        PART, "packages", found, "to watch", "run `make setup` again: other versions were not tried together", lines, facts
    )


def _browser(temp: Path) -> Finding:
    """Found, and draws one figure with the packaged font, in a process of its own that is not waited for longer than is good."""
    from pipeline.charts import navigateur  # late, as in `cli.py`

    path = navigateur.trouver()
    code, said, seconds = _apart(DRAW, temp, DRAWS_WITHIN_S)
    facts = {"path": str(path), "seconds": round(seconds, 1)}
    if code == 0:
        drawn_by = said.strip().splitlines()[-1]
        found = f"{path} ({drawn_by}) drew a figure with the packaged font in {seconds:.1f} s."
        return Finding(PART, "browser", found, facts=facts | {"version": drawn_by})
    what = f"had drawn nothing after {seconds:.0f} s and was stopped" if code is None else f"drew nothing: {_last_words(said)}"
    return Finding(
        PART,
        "browser",
        f"{path} {what}.",
        "wrong",
        "run `make setup`, or give another Chromium or Chrome in BROWSER_PATH; a snap cannot read our fonts",
        shown(said.strip().splitlines()[-8:]),
        facts,
    )


def _fonts() -> Finding:
    from pipeline.charts.texte import DOSSIER_POLICES, largeur

    faces = sorted(path.name for path in DOSSIER_POLICES.glob("SourceSansPro-*.ttf"))
    wanted = {"SourceSansPro-Regular.ttf", "SourceSansPro-Bold.ttf"}
    if wanted - set(faces):
        found = f"{', '.join(sorted(wanted - set(faces)))} should be in {DOSSIER_POLICES}; {len(faces)} faces are."
        return Finding(PART, "fonts", found, "wrong", "run `make setup` again: the package of the font is incomplete")
    found = f"{len(faces)} faces of Source Sans Pro in {DOSSIER_POLICES}; « Île-de-France » is {largeur('Île-de-France', 100):.0f} wide at 100."
    return Finding(PART, "fonts", found)


def _compiler(temp: Path) -> Finding:
    code, said, seconds = _apart(COMPILE, temp, DRAWS_WITHIN_S)
    if code == 0:
        return Finding(PART, "PDF compiler", f"Typst made a tagged PDF of {int(said):,} bytes in {seconds:.1f} s.")
    what = "had not ended and was stopped" if code is None else _last_words(said)
    return Finding(
        PART, "PDF compiler", f"A PDF was expected of Typst after {seconds:.0f} s; it {what}.", "wrong", "run `make setup` again"
    )


def _apart(code: str, temp: Path, seconds: float) -> tuple[int | None, str, float]:
    """Exit code (None: stopped after so many seconds), words, and seconds of Python code in a group of processes of its own."""
    start = time.monotonic()
    environment = {
        **os.environ,
        "TMPDIR": str(temp),
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONIOENCODING": "utf-8",
    }
    with tempfile.TemporaryFile(dir=temp) as out, tempfile.TemporaryFile(dir=temp) as err:  # no pipes: a browser would hold them
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=temp,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        ended = None
        try:
            ended = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            pass
        finally:
            for pid in [*_descendants(process.pid), process.pid] if ended is None else []:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode("utf-8", "replace"))
        return ended, said[0] if ended == 0 else "".join(said), time.monotonic() - start


def _descendants(pid: int) -> list[int]:
    """The processes that this one started, and theirs: a browser leads a session of its own."""
    parents: dict[int, int] = {}
    for stat in PROC.glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            parents[int(stat.parent.name)] = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


def _last_words(said: str) -> str:
    """The error that a trace ends with."""
    lines = said.strip().splitlines() or ["not a word"]
    start = max((n for n, line in enumerate(lines) if re.match(r"[\w.]+(Error|Exception)\b", line)), default=len(lines) - 1)
    return " ".join(line.strip() for line in lines[start:])[:600]


def _memory() -> Finding:
    free, by = _available()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cores_allowed()
    if free is None:
        return Finding(PART, "memory", f"How much is free cannot be told here; {cores} cores.")
    facts = {"available_gib": round(free / GIB, 2), "limit": by, "cores": cores, "quota": quota}
    found = f"{free / GIB:.1f} GiB available ({by}); {cores} cores" + (f", of which {quota:g} may be used." if quota else ".")
    if free >= GOOD_MEMORY_GIB * GIB:
        return Finding(PART, "memory", found, facts=facts)
    verdict: Verdict = "to watch" if free >= LEAST_MEMORY_GIB * GIB else "wrong"
    return Finding(
        PART, "memory", found, verdict, "free some: a run takes about 0.7 GiB, and the browser beside it 0.7", facts=facts
    )


def _available() -> tuple[int | None, str]:
    """Bytes that may still be taken, and by which measure: the machine's, or the tightest limit of its control groups."""
    found: list[tuple[int, str]] = []
    with suppress(OSError, KeyError, ValueError):
        facts = dict(re.findall(r"^(\w+):\s+(\d+) kB", (PROC / "meminfo").read_text(), re.MULTILINE))
        found.append((int(facts["MemAvailable"]) * 1024, "of the machine"))
    for group in _groups("memory"):
        for limit, used in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
            with suppress(OSError, ValueError):
                most, now = int((group / limit).read_text()), int((group / used).read_text())
                cache = re.search(r"^(?:total_)?inactive_file (\d+)", (group / "memory.stat").read_text(), re.MULTILINE)
                found.append((most - now + int(cache[1] if cache else 0), f"limit of {most / GIB:.1f} GiB in {group / limit}"))
    return min(found, default=(None, ""))


def _cores_allowed() -> float | None:
    for group in _groups("cpu"):
        with suppress(OSError, ValueError):
            quota, period = (group / "cpu.max").read_text().split()
            return int(quota) / int(period)
    return None


def _groups(controller: str) -> list[Path]:
    """The control groups of this process, innermost first, in either version."""
    found = []
    with suppress(OSError):
        for line in (PROC / "self" / "cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and controller not in controllers.split(","):
                continue
            root = CGROUP / controller if controllers else CGROUP
            inner = root / path.lstrip("/")
            found += [group for group in (inner, *inner.parents) if group == root or root in group.parents]
    return [group for group in found if group.is_dir()]


def _limits() -> Finding:
    """What this shell may take."""
    kinds = {"address space": resource.RLIMIT_AS, "file size": resource.RLIMIT_FSIZE, "open files": resource.RLIMIT_NOFILE}
    soft = {name: resource.getrlimit(kind)[0] for name, kind in kinds.items()}
    bounded = {name: value for name, value in soft.items() if value != resource.RLIM_INFINITY}
    faults = []
    if (space := bounded.get("address space")) is not None:
        faults.append(f"address space is limited to {space / GIB:.1f} GiB, of which a browser reserves far more than it uses")
    if (size := bounded.get("file size")) is not None:
        faults.append(f"files are limited to {size / GIB:.1f} GiB")
    if (files := bounded.get("open files", 1024)) < 256:
        faults.append(f"only {files} files may be open")
    if faults:
        remedy = "lift the limit (`ulimit -v unlimited`, LimitAS= in a unit) if the browser or DuckDB fails"
        return Finding(PART, "limits", f"{'; '.join(faults)}.", "to watch", remedy, facts=bounded)
    return Finding(
        PART, "limits", f"No limit on address space or size of files; {soft['open files']:,} files may be open.", facts=bounded
    )


def _locale() -> Finding:
    names = {
        name: os.environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG", "PYTHONUTF8", "PYTHONIOENCODING") if name in os.environ
    }
    encodings = {
        "terminal": sys.stdout.encoding,
        "text": locale.getpreferredencoding(False),
        "file names": sys.getfilesystemencoding(),
    }
    said = ", ".join(f"{name} {encoding}" for name, encoding in encodings.items())
    chosen = ", ".join(f"{name}={value}" for name, value in names.items()) or "no LANG, no LC_ALL"
    facts = {"environment": names, "encodings": encodings}
    other = [name for name, encoding in encodings.items() if (encoding or "").lower().replace("-", "") != "utf8"]
    if other:
        remedy = "set LANG=C.UTF-8 (or another UTF-8 locale): messages lose their accents otherwise; fiches do not"
        return Finding(PART, "locale", f"UTF-8 was expected; {said} ({chosen}).", "to watch", remedy, facts=facts)
    return Finding(PART, "locale", f"{said} ({chosen}).", facts=facts)


def _clock() -> list[Finding]:
    """Plausible, as far as this machine alone can tell: not before its own files; `source.py` compares it with a server's."""
    now = datetime.now(UTC)
    newest = max(path.stat().st_mtime for path in (ROOT / "pipeline").rglob("*.py"))
    facts = {"utc": now.isoformat(timespec="seconds"), "zone": time.strftime("%Z %z")}
    found = f"{now:%Y-%m-%d %H:%M} UTC, local zone {facts['zone']}."
    remedy = "set it: with a wrong clock no certificate holds, and releases seem to come from the future"
    if now.timestamp() < newest - 86400:
        found = f"{found} The program's own files are from {datetime.fromtimestamp(newest, UTC):%Y-%m-%d}, which is later."
        findings = [Finding(PART, "clock", found, "wrong", remedy, facts=facts)]
    else:
        findings = [Finding(PART, "clock", found, facts=facts)]
    try:
        from zoneinfo import ZoneInfo

        ZoneInfo("Europe/Paris")
    except Exception as error:
        remedy = "install the system's time zones (`tzdata`)"
        findings.append(
            Finding(PART, "time zones", f"Europe/Paris, which the daily schedule needs, is unknown ({error}).", "wrong", remedy)
        )
    return findings
