"""This computer: what it needs to draw, bind and keep, tried as far as that writes nothing under the home.

Add here: another thing that machines lack. Keep out: settings and the environment (`choices.py`), the source (`source.py`).
"""

import fcntl
import json
import locale
import os
import platform
import re
import resource
import shutil
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
from pipeline.outputs import LEAST_GIB
from pipeline.settings import ROOT, Settings

PART = "machine"
GIB = 1024**3
COUNTRY_GIB = 1.5  # of disk, for the whole country
TEMP_GIB = 0.2  # a browser's profile, figures on their way
LEAST_MEMORY_GIB, GOOD_MEMORY_GIB = 1.0, 2.0  # a run takes 0.7, the browser beside it 0.7
DRAWS_WITHIN_S = 90
TRIED = ("3.11", "3.13")
PROC, CGROUP = Path("/proc"), Path("/sys/fs/cgroup")
SHARES = ("nfs", "cifs", "smb", "9p", "fuse", "ceph", "gluster", "lustre", "afs", "vboxsf", "drvfs")

DRAW = "from pipeline.charts.installation import essayer; print(essayer())"
COMPILE = """import json, typst
from pipeline.charts.texte import DOSSIER_POLICES
fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(DOSSIER_POLICES)])
source = '#set document(title: "Essai")\\n#set text(font: "Source Sans Pro", lang: "fr")\\nÎle-de-France : 1\\u202f234,5 M€'
print(len(typst.compile({'main.typ': source.encode()}, font_paths=fonts, pdf_standards=['ua-1'])))"""


def look(settings: Settings, temp: Path) -> list[Finding]:
    """Everything about this machine; `temp` is a folder to write to."""
    looks = {
        "Python": _python,
        "packages": _packages,
        "browser": lambda: _browser(temp),
        "fonts": _fonts,
        "PDF compiler": lambda: _compiler(temp),
        "disk": lambda: _disk(settings.home),
        "memory": _memory,
        "limits": _limits,
        "locale": _locale,
        "clock": _clock,
        "rights": lambda: _rights(settings.home),
        "file system": lambda: _file_system(settings.home),
        "temporary folder": lambda: _temporary(temp),
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


def _there(place: Path) -> Path:
    """The place, or the nearest folder above it that exists."""
    return next(folder for folder in (place, *place.parents) if folder.exists())


def _disk(home: Path) -> list[Finding]:
    return [
        _room(
            "disk of the home",
            home,
            LEAST_GIB,
            COUNTRY_GIB,
            "the whole country takes about 1.5 GiB; give another place with --home",
        ),
        _room(
            "temporary disk", Path(tempfile.gettempdir()), TEMP_GIB / 4, TEMP_GIB, "make room, or set TMPDIR to another folder"
        ),
    ]


def _room(subject: str, place: Path, least: float, good: float, remedy: str) -> Finding:
    there = _there(place)
    free, facts = shutil.disk_usage(there).free / GIB, os.statvfs(there)
    inodes = facts.f_favail if facts.f_files else None  # some file systems count none
    verdict: Verdict = "ok" if free >= good else "to watch" if free >= least else "wrong"
    if inodes is not None and inodes < 5000:  # a fiche is some twenty files
        verdict = "wrong"
        remedy = f"delete files: each is an inode; {remedy}"
    found = f"{free:.1f} GiB free at {there}" + ("" if inodes is None else f", {inodes:,} inodes") + "."
    return Finding(
        PART, subject, found, verdict, remedy if verdict != "ok" else "", facts={"free_gib": round(free, 2), "inodes": inodes}
    )


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


def _rights(home: Path) -> Finding:
    """May this user write there? Asked of the system, never tried: a try would leave a trace."""
    user = f"user {os.geteuid()}"
    if home.exists() and not home.is_dir():
        return Finding(
            PART, "rights", f"A folder was expected at {home}; it is a file.", "wrong", "give another place with --home"
        )
    there = _there(home)
    closed = [there] if not _may_write(there) else []
    if home.exists() and not closed:
        # One level is enough: a folder of another user is made by another user's run.
        closed = [path for path in sorted(home.iterdir()) if path.is_dir() and not path.is_symlink() and not _may_write(path)]
    if closed:
        named = ", ".join(map(str, closed[:3])) + (" …" if len(closed) > 3 else "")
        why = "a disk that is mounted read-only" if os.statvfs(closed[0]).f_flag & os.ST_RDONLY else "rights of another user"
        remedy = "run as the user that owns the home, give it to this one (chown -R), or name another with --home"
        return Finding(PART, "rights", f"{user} may not write to {named} ({why}).", "wrong", remedy)
    if home.exists():
        return Finding(PART, "rights", f"{user} may write to {home}.")
    return Finding(PART, "rights", f"{home} is not there yet; {user} may make it in {there}.")


def _may_write(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK) and not os.statvfs(folder).f_flag & os.ST_RDONLY


def _file_system(home: Path) -> list[Finding]:
    """Locks there, tried on the folder itself, which leaves nothing; and what kind of disk it is."""
    there = _there(home)
    kind, mounted = _kind(there)
    opened = os.open(there, os.O_RDONLY)
    fault = ""
    try:
        fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(opened, fcntl.LOCK_UN)
    except BlockingIOError:
        pass  # they work: someone has one
    except OSError as error:
        fault = error.strerror or str(error)
    finally:
        os.close(opened)
    is_share = kind.startswith(SHARES) and kind != "fuseblk"
    found = f"{there} is on {kind or 'a file system that the system does not name'}" + (
        f", mounted at {mounted}" if mounted else ""
    )
    facts = {"kind": kind, "mounted": mounted, "lock": fault or "works"}
    if is_share:
        remedy = "NFS 4 and CephFS hold locks for all machines; on another share, let one machine alone write to the home"
        tried = f"a lock on the folder answered: {fault}" if fault else "a lock on the folder works from here"
        return [Finding(PART, "file system", f"{found}, a share; {tried}.", "to watch", remedy, facts=facts)]
    if fault:
        remedy = "give a home on another disk: without locks two runs write over each other"
        return [Finding(PART, "file system", f"{found}; a lock was refused: {fault}.", "wrong", remedy, facts=facts)]
    return [Finding(PART, "file system", f"{found}; locks work.", facts=facts)]


def _kind(place: Path) -> tuple[str, str]:
    """The file system that a place is on, and where it is mounted."""
    found = ("", "")
    with suppress(OSError):
        for line in (PROC / "self" / "mountinfo").read_text(errors="replace").splitlines():
            before, _, after = line.partition(" - ")
            point = before.split()[4].encode().decode("unicode_escape")
            if (place == Path(point) or Path(point) in place.parents) and len(point) >= len(found[1]):
                found = (after.split()[0], point)
    return found


def _temporary(temp: Path) -> Finding:
    """A lock, a rename over a file that is open, and programs, in the temporary folder."""
    first, second = temp / "first", temp / "second"
    first.write_text(json.dumps(1))
    second.write_text(json.dumps(2))
    with first.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        second.replace(first)
        renamed = first.read_text() == "2" and held.read() == "1"
    first.unlink()
    where = Path(tempfile.gettempdir())
    noexec = bool(os.statvfs(temp).f_flag & os.ST_NOEXEC)
    if not renamed:
        remedy = "set TMPDIR to a folder on a local disk"
        return Finding(PART, "temporary folder", f"A rename in {where} did not replace the file at once.", "wrong", remedy)
    if noexec:
        remedy = "nothing, if the browser above draws; otherwise set TMPDIR to a folder where programs may run"
        return Finding(
            PART, "temporary folder", f"{where}: locks and renames work; programs may not run there (noexec).", "to watch", remedy
        )
    return Finding(PART, "temporary folder", f"{where}: locks and renames work, programs may run there.")
