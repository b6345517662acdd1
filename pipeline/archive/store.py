"""Archives kept as they came, with a manifest; the same bytes are never stored twice.

The manifest is a Frictionless Data Package (`datapackage.json`), one per source. Add here: facts about an archive's
arrival. Keep out: its contents (`inspect.py`, `tables.py`).
"""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.archive.inspect import Contents, inspect
from pipeline.errors import ReleaseError
from pipeline.outputs import writing

LICENCE = {
    "name": "etalab-2.0",
    "title": "Licence Ouverte 2.0",
    "path": "https://www.etalab.gouv.fr/licence-ouverte-open-licence/",
}


@dataclass(frozen=True)
class Kept:
    """One archive of the store. `rang` is its order of arrival in this store, from 1."""

    name: str
    path: Path
    sha256: str
    size: int
    origin: str
    archived_at: str
    rang: int
    contents: Contents

    @property
    def id(self) -> str:
        """First 12 digits of the sha256: what rows and tables are marked with."""
        return self.sha256[:12]


def keep(file: Path, *, name: str, origin: str, folder: Path) -> Kept:
    """Inspect `file`, published as `name` at `origin`, and keep it under `folder`/vintage unless the same bytes are there.

    Raises ReleaseError if the archive is not what it should be; nothing is kept then.
    """
    contents = inspect(file, name)
    sha256 = _sha256(file)
    manifest = _read_manifest(folder)
    entry = next((r for r in manifest["resources"] if r["hash"] == f"sha256:{sha256}" and r["title"] == name), None)
    twin = next((r for r in manifest["resources"] if r["hash"] == f"sha256:{sha256}"), None)
    if twin and _sha256_if_there(folder / twin["path"]) != sha256:
        (folder / twin["path"]).unlink(missing_ok=True)  # the kept copy was damaged: keep the good bytes again, in its place
    if entry is None:
        target = twin["path"] if twin else f"{contents.vintage}/{sha256[:12]}-{name}"
        entry = {
            "name": f"{Path(name).stem}-{sha256[:12]}".lower(),
            "title": name,
            "path": target,
            "format": "zip",
            "mediatype": "application/zip",
            "bytes": file.stat().st_size,
            "hash": f"sha256:{sha256}",
            "sources": [{"title": origin, "path": origin}],
            "archived_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "vintage": contents.vintage,
            "flux": contents.flux,
            "est_exemple": contents.est_exemple,
        }
        manifest["resources"].append(entry)
    kept = folder / entry["path"]
    with writing(folder):
        if not kept.exists():
            _copy_whole(file, kept)
        _write_manifest(folder, manifest)
    rang = 1 + manifest["resources"].index(entry)
    return Kept(name, kept, sha256, entry["bytes"], origin, entry["archived_at"], rang, contents)


def entries(folder: Path) -> list[dict[str, Any]]:
    """The log of arrivals as it stands in the manifest, oldest first."""
    return _read_manifest(folder)["resources"]


def _read_manifest(folder: Path) -> dict:
    path = folder / "datapackage.json"
    if not path.exists():
        return {"profile": "data-package", "name": folder.name, "licenses": [LICENCE], "resources": []}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ReleaseError(
            f"A JSON manifest of the kept archives was expected; {path.name} cannot be read: {error}.",
            where=str(path),
            cause="the file was edited by hand, or the disk failed",
            remedy="restore it from a backup, or move the folder away: archives that are still published are fetched again",
        ) from error


def _write_manifest(folder: Path, manifest: dict) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / "datapackage.json.part"
    aside.write_text(json.dumps(manifest, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    aside.replace(folder / "datapackage.json")


def _copy_whole(file: Path, target: Path) -> None:
    """Copy aside, then rename: a killed process leaves no half archive under a good name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(target.name + ".part")
    try:
        shutil.copyfile(file, aside)
        with aside.open("rb+") as written:
            os.fsync(written.fileno())
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _sha256_if_there(file: Path) -> str | None:
    return _sha256(file) if file.exists() else None
