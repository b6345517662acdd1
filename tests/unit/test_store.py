"""Archives are kept as they came, once, with what is known of their arrival."""

import json
from pathlib import Path

import pytest

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
