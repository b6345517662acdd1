"""The folders that a run writes to: room, rights, kind of disk, locks; nothing is written but in a folder given for it.

Add here: another way in which a disk fails its user. Keep out: the rest of the machine (`machine.py`).
"""

import fcntl
import json
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from pipeline.doctor.finding import Finding, Verdict, looked
from pipeline.outputs import LEAST_GIB
from pipeline.settings import Settings

PART = "machine"
GIB = 1024**3
COUNTRY_GIB = 1.5  # of disk, for the whole country
TEMP_GIB = 0.2  # a browser's profile, figures on their way
SHARES = ("nfs", "cifs", "smb", "9p", "fuse", "ceph", "gluster", "lustre", "afs", "vboxsf", "drvfs")
MOUNTS = Path("/proc/self/mountinfo")


def look(settings: Settings, temp: Path) -> list[Finding]:
    """Everything about the home and the temporary folder; `temp` is a folder to write to."""
    looks = {
        "disk": lambda: _disk(settings.home),
        "rights": lambda: _rights(settings.home),
        "file system": lambda: _file_system(settings.home),
        "temporary folder": lambda: _temporary(temp),
    }
    return [finding for subject, each in looks.items() for finding in looked(PART, subject, each)]


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


def _there(place: Path) -> Path:
    """The place, or the nearest folder above it that exists."""
    return next(folder for folder in (place, *place.parents) if folder.exists())


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
        for line in MOUNTS.read_text(errors="replace").splitlines():
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
