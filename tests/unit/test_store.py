"""Archives are kept as they came, once, with what is known of their arrival."""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from pipeline.archive import store
from pipeline.errors import OutputError, ReleaseError
from tests.archives import keep, write_archive, year

NAME = "202502-Regional-2024-export.zip"


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def manifest(folder: Path) -> dict:
    return json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))


def test_bytes_are_kept_as_they_came_and_told_in_the_manifest(tmp_path):
    archive = write_archive(tmp_path / NAME, year())
    kept = keep(archive, tmp_path / "raw", origin="https://example.org/a.zip")
    assert kept.path.read_bytes() == archive.read_bytes()
    assert kept.path.relative_to(tmp_path / "raw").as_posix() == f"202502/{kept.id}-{NAME}"
    [entry] = manifest(tmp_path / "raw")["resources"]
    assert entry["hash"] == f"sha256:{kept.sha256}" and entry["bytes"] == archive.stat().st_size
    assert entry["sources"][0]["path"] == "https://example.org/a.zip"
    assert (entry["vintage"], entry["flux"], entry["est_exemple"]) == ("202502", "E", False)
    assert entry["archived_at"] and manifest(tmp_path / "raw")["licenses"][0]["name"] == "etalab-2.0"


def test_the_same_bytes_are_not_stored_twice(tmp_path):
    first = keep(write_archive(tmp_path / NAME, year()), tmp_path / "raw", origin="a")
    again = keep(tmp_path / NAME, tmp_path / "raw", origin="a")
    other = keep(tmp_path / NAME, tmp_path / "raw", name="202503-Regional-2024-export.zip", origin="b")
    assert again == first
    assert (other.path, other.rang, other.contents.vintage) == (first.path, 2, "202503")
    assert len(files(tmp_path / "raw")) == 2


def test_other_bytes_under_the_same_name_are_kept_beside_the_former(tmp_path):
    first = keep(write_archive(tmp_path / NAME, year()), tmp_path / "raw", origin="a")
    second = keep(write_archive(tmp_path / NAME, year() * 2), tmp_path / "raw", origin="a")
    assert first.path != second.path and first.path.exists()
    assert (first.rang, second.rang) == (1, 2)


@pytest.mark.parametrize("damage", ["lost", "altered"])
def test_a_kept_copy_that_was_damaged_is_made_good(tmp_path, damage):
    archive = write_archive(tmp_path / NAME, year())
    kept = keep(archive, tmp_path / "raw", origin="a")
    kept.path.unlink() if damage == "lost" else kept.path.write_bytes(b"x")
    again = keep(archive, tmp_path / "raw", origin="a")
    assert again == kept and again.path.read_bytes() == archive.read_bytes()
    assert len(manifest(tmp_path / "raw")["resources"]) == 1


def test_nothing_of_a_refused_archive_is_kept(tmp_path):
    (tmp_path / NAME).write_bytes(b"<!doctype html>")
    with pytest.raises(ReleaseError):
        keep(tmp_path / NAME, tmp_path / "raw", origin="a")
    assert not (tmp_path / "raw").exists()


def test_a_disk_that_is_full_leaves_no_half_archive(tmp_path, monkeypatch):
    def full(_, target):
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    archive = write_archive(tmp_path / NAME, year())
    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(OutputError, match="No space left"):
        keep(archive, tmp_path / "raw", origin="a")
    assert files(tmp_path / "raw") == []


def test_a_manifest_that_cannot_be_read_is_told_and_not_overwritten(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "datapackage.json").write_text("{", encoding="utf-8")
    with pytest.raises(ReleaseError, match="JSON manifest") as caught:
        keep(write_archive(tmp_path / NAME, year()), tmp_path / "raw", origin="a")
    assert all((caught.value.where, caught.value.cause, caught.value.remedy))
    assert (tmp_path / "raw" / "datapackage.json").read_text(encoding="utf-8") == "{"


def test_the_manifest_is_a_data_package(tmp_path):
    """What the specification (Data Package, version 1) requires of a package and of its resources."""
    folder = tmp_path / "Raw"
    names = (NAME, "copie de 202502-Regional-2024-export.zip", "..Été 202502 & Co-Regional_2024_EXPORT.zip")
    for n, name in enumerate(names):
        origin = "https://example.org/2025-02/07/a.zip" if n == 0 else str(tmp_path / name)
        keep(write_archive(tmp_path / name, year() * (n + 1)), folder, origin=origin)
    package = manifest(folder)
    slug, path = re.compile(r"[-a-z0-9._/]+"), re.compile(r"(?=[^./~])((?!\.\.).)*")
    assert package["profile"] == "data-package" and slug.fullmatch(package["name"]) and package["title"]
    assert all(licence["name"] and licence["path"].startswith("https://") for licence in package["licenses"])
    assert all(source["title"] for source in package["sources"])
    for resource in package["resources"]:
        assert slug.fullmatch(resource["name"]) and path.fullmatch(resource["path"]) and resource["title"] in names
        assert (folder / resource["path"]).stat().st_size == resource["bytes"]
        assert resource["hash"] == "sha256:" + hashlib.sha256((folder / resource["path"]).read_bytes()).hexdigest()
        assert (resource["format"], resource["mediatype"]) == ("zip", "application/zip")
        assert all(source["title"] and path.fullmatch(source.get("path", "x")) for source in resource["sources"])
    assert len({resource["name"] for resource in package["resources"]}) == 3


def test_the_log_is_read_back_as_it_was_written(tmp_path):
    kept = [keep(write_archive(tmp_path / name, year()), tmp_path / "raw") for name in (NAME, "202503-Regional-2024-export.zip")]
    assert store.kept(tmp_path / "raw") == kept
    assert store.kept(tmp_path / "nothing yet") == []


@pytest.mark.parametrize("call", ["copyfile", "fsync", "replace"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_process_that_ends_at_any_moment_leaves_the_former_state_or_the_new_one(tmp_path, monkeypatch, call, at):
    class Killed(BaseException):
        pass

    keep(write_archive(tmp_path / NAME, year()), tmp_path / "raw")
    archive = write_archive(tmp_path / "202503-Regional-2024-export.zip", year() * 2)
    calls = []
    place = {"copyfile": shutil, "fsync": os, "replace": Path}[call]
    real = getattr(place, call)

    def ending(*arguments):
        calls.append(arguments)
        if len(calls) == at:
            raise Killed
        return real(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(place, call, ending)
        patched.setattr(Path, "unlink", lambda *_, **__: None)  # a killed process does not clean up
        try:
            keep(archive, tmp_path / "raw")
        except Killed:
            assert [kept.name for kept in store.kept(tmp_path / "raw")] in ([NAME], [NAME, archive.name])
    store.tidy(tmp_path / "raw")
    keep(archive, tmp_path / "raw")
    assert [kept.name for kept in store.kept(tmp_path / "raw")] == [NAME, archive.name]
    assert not list((tmp_path / "raw").rglob("*.part"))
