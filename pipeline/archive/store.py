"""Archives kept as they came, with a manifest; the same bytes are never stored twice.

The manifest is a Frictionless Data Package (`datapackage.json`), one per source. Its resources are the log of arrivals, in
order: only ever added to, whatever the clock says. What an operator takes out (`upkeep.py`) stays told under `removed`, and
the others keep their `rang`. Add here: facts about an archive's arrival. Keep out: its contents (`inspect.py`, `tables.py`),
who asks for it (`intake.py`).

Files are written aside, synced and renamed, and an archive's before the manifest that names it: a process that is killed
leaves the former state or the new one.
"""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.archive.fetch import Validators
from pipeline.archive.inspect import Received, digest, inspect
from pipeline.errors import ReleaseError
from pipeline.outputs import move_whole, write_whole, writing

LICENCE = {
    "name": "etalab-2.0",
    "title": "Licence Ouverte 2.0",
    "path": "https://www.etalab.gouv.fr/licence-ouverte-open-licence/",
}
PRODUCER = {"title": "DGDDI (Douanes), statistiques régionales et départementales du commerce extérieur"}
SPEC_PATH = re.compile(r"(?!.*\.\.)[^./~].*")  # what a Data Package takes for an address or path of a source
Entry = dict[str, Any]


@dataclass(frozen=True)
class Kept(Received):
    """One arrival in the store. `rang` is its place in the log, from 1: its order of arrival."""

    size: int
    origin: str
    archived_at: str  # ISO 8601, UTC; never before that of the arrival before
    rang: int
    accepted: dict[str, str] = field(default_factory=dict)  # checks that it failed and an operator accepted: what was found


def keep(
    received: Received, *, origin: str, folder: Path, validators: Validators | None = None, about: Entry | None = None
) -> Kept:
    """Keep what arrived from `origin` under `folder`/vintage, and log it unless the last arrival from there had these bytes.

    `about` is what else the log shall say of it. Damaged bytes of the store are replaced by these. The caller has judged
    the archive, rows included.
    """
    manifest, before = _read_manifest(folder), _read_manifest(folder)
    resources, hashed = manifest["resources"], f"sha256:{received.sha256}"
    entry = next((e for e in reversed(resources) if _origin(e) == origin), None)
    if entry is None or entry["hash"] != hashed:
        twin = next((e for e in resources if e["hash"] == hashed), None)
        rang = 1 + max((e["rang"] for e in (*resources, *manifest.get("removed", []))), default=0)
        entry = _entry(received, origin, resources, twin["path"] if twin else None, rang) | (about or {})
        resources.append(entry)
    entry.pop("withdrawn_since", None)
    entry |= {"etag": validators.etag, "last_modified": validators.last_modified} if validators else {}
    with writing(folder):
        if not is_whole(folder, entry):
            _copy_whole(received.path, folder / entry["path"])
        if manifest != before:
            _write_manifest(folder, manifest)
    return _kept(folder, entry, received)


def entries(folder: Path) -> list[Entry]:
    """The log of arrivals as it stands in the manifest, oldest first; each has its `rang`."""
    return _read_manifest(folder)["resources"]


def newest(folder: Path) -> dict[str, Entry]:
    """The last arrival from each origin."""
    return {_origin(entry): entry for entry in entries(folder)}


def is_whole(folder: Path, entry: Entry) -> bool:
    """Are the bytes of this arrival there as they came?"""
    path = folder / entry["path"]
    return path.is_file() and entry["hash"] == f"sha256:{_digest(path, path.stat().st_size, path.stat().st_mtime_ns)}"


def kept(folder: Path, where: Callable[[Entry], bool] = lambda entry: True) -> list[Kept]:
    """All arrivals (of which `where` holds), oldest first, each read and compared with its sha256.

    Raises ReleaseError at the first whose bytes are lost or damaged.
    """
    found = []
    for entry in entries(folder):
        path = folder / entry["path"]
        if not where(entry):
            continue
        if not is_whole(folder, entry):
            size = f"{path.stat().st_size:,} bytes with another sha256" if path.exists() else "no file"
            raise ReleaseError(
                f"The kept archive {entry['title']} was expected ({entry['bytes']:,} bytes, {entry['hash']}); found {size}.",
                where=str(path),
                cause="a disk that failed, or a file that was altered or deleted by hand; the source no longer offers these bytes",
                remedy="restore the file from a backup or put the archive back on offer; or, to do without it, take its entry out:"
                f" {removal(folder, entry['hash'].removeprefix('sha256:')[:12])}",
            )
        contents = replace(inspect(path, entry["title"]), vintage=entry["vintage"])
        received = Received(entry["title"], path, entry["hash"].removeprefix("sha256:"), contents)
        found.append(_kept(folder, entry, received))
    return found


def note_withdrawn(folder: Path, origins: set[str]) -> dict[str, tuple[str, bool]]:
    """Log that these origins, and no others, offer their archives no more: since when, and whether that is new."""
    manifest = _read_manifest(folder)
    before = newest(folder)
    for origin, entry in {_origin(entry): entry for entry in manifest["resources"]}.items():
        since = entry.pop("withdrawn_since", None)
        if origin in origins:
            entry["withdrawn_since"] = since or _now(manifest["resources"])
    last = {_origin(entry): entry for entry in manifest["resources"]}
    if last != before:
        with writing(folder):
            _write_manifest(folder, manifest)
    return {o: (last[o]["withdrawn_since"], "withdrawn_since" not in before[o]) for o in sorted(origins)}


def remove(folder: Path, chosen: Callable[[Entry], bool]) -> list[Entry]:
    """Take the entries of which `chosen` holds out of the log, then their files unless another entry needs them.

    They stay told under `removed`. The manifest is written whole first: killed in between, a file stays that nothing names.
    """
    manifest = _read_manifest(folder)
    out = [entry for entry in manifest["resources"] if chosen(entry)]
    if out:
        manifest["resources"] = [entry for entry in manifest["resources"] if not chosen(entry)]
        now = datetime.now(UTC).isoformat(timespec="seconds")
        manifest["removed"] = [*manifest.get("removed", []), *(entry | {"removed_at": now} for entry in out)]
        needed = {entry["path"] for entry in manifest["resources"]}
        with writing(folder):
            _write_manifest(folder, manifest)
            for path in {entry["path"] for entry in out} - needed:
                (folder / path).unlink(missing_ok=True)
    return out


def removal(folder: Path, release_id: str) -> str:
    """The command that takes an archive out of the store under `folder`, for the words of an error."""
    return f"comex archive remove {release_id} --home {folder.parent.parent}"


def origine_lisible(origine: str) -> str:
    """An address as it is; of a path, which tells a reader of another machine nothing, the name of its file."""
    return origine if "://" in origine else Path(origine).name


def tidy(folder: Path) -> None:
    """Remove what a killed run left half copied."""
    for left in folder.glob("[0-9]*/*.part"):
        left.unlink()


def _entry(received: Received, origin: str, resources: list[Entry], twin: str | None, rang: int) -> Entry:
    stem = re.sub(r"[^a-z0-9._-]+", "-", Path(received.name).stem.lower())
    name = f"{stem}-{received.id}"
    file = re.sub(r"[^\w.-]+|\.\.+", "-", received.name)[-120:]
    return {
        "name": f"{name}-{rang}" if any(e["name"] == name for e in resources) else name,
        "title": received.name,
        "path": twin or f"{received.contents.vintage}/{received.id}-{file}",
        "format": "zip",
        "mediatype": "application/zip",
        "bytes": received.path.stat().st_size,
        "hash": f"sha256:{received.sha256}",
        "sources": [{"title": origin} | ({"path": origin} if SPEC_PATH.fullmatch(origin) else {})],
        "archived_at": _now(resources),
        "rang": rang,
        "vintage": received.contents.vintage,
        "flux": received.contents.flux,
        "est_exemple": received.contents.est_exemple,
    }


def _now(resources: list[Entry]) -> str:
    """The clock, or the last arrival's time where the clock went backwards."""
    return max([datetime.now(UTC).isoformat(timespec="seconds"), *(entry["archived_at"] for entry in resources[-1:])])


def _origin(entry: Entry) -> str:
    return entry["sources"][0]["title"]


def _kept(folder: Path, entry: Entry, received: Received) -> Kept:
    path = folder / entry["path"]
    return Kept(
        entry["title"],
        path,
        received.sha256,
        received.contents,
        size=entry["bytes"],
        origin=_origin(entry),
        archived_at=entry["archived_at"],
        rang=entry["rang"],
        accepted=entry.get("accepted", {}),
    )


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / "datapackage.json"
    if not path.exists():
        return {
            "profile": "data-package",
            "name": folder.name.lower(),
            "title": "Archives des Douanes, gardées telles que publiées",
            "licenses": [LICENCE],
            "sources": [PRODUCER],
            "resources": [],
        }
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        for rang, entry in enumerate(manifest["resources"], start=1):
            entry.setdefault("rang", rang)  # a log that an older version began
        return manifest
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReleaseError(
            f"A JSON manifest of the kept archives was expected; {path.name} cannot be read: {type(error).__name__}, {error}.",
            where=str(path),
            cause="the file was edited by hand, or the disk failed",
            remedy="restore it from a backup, or move the folder away: archives that are still published are fetched again",
        ) from error


def _write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    write_whole(folder / "datapackage.json", json.dumps(manifest, ensure_ascii=False, indent=1) + "\n")


def _copy_whole(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(target.name + ".part")
    try:
        shutil.copyfile(file, aside)
        move_whole(aside, target)
    finally:
        aside.unlink(missing_ok=True)


@cache
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    return digest(path)
