"""The kept archives in an operator's hands: listed, checked, taken out by a command, and good again afterwards."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.archive import store, tables, upkeep
from pipeline.cli import app
from pipeline.errors import ReleaseError
from pipeline.outputs import hold
from pipeline.paths import Paths
from tests.archives import row, take, write_archive

OLD, NEW, IMPORT = (
    f"{name}.zip" for name in ("202502-Regional-2024-export", "202505-Regional-2024-export", "202502-Regional-2024-import")
)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Three archives kept; the newer exports stand for all quarters of theirs."""
    for name, valeur in ((OLD, 10), (NEW, 20), (IMPORT, 5)):
        lay(tmp_path / "source", name, valeur)
    paths = Paths(tmp_path / "home")
    euros(tmp_path / "source", paths)
    return paths


def lay(place: Path, name: str, valeur: int) -> Path:
    flux = "I" if "import" in name else "E"
    return write_archive(place / name, [row(flux, t, 2024, valeur=valeur) for t in (1, 2, 3, 4)])


def euros(place: Path, paths: Paths) -> dict[str, int]:
    releases = tables.build(take(place, paths).kept, paths.raw_tables)
    return {flux: release.valeur_eur for (flux, _), release in tables.standing(releases).items()}


def comex(paths: Paths, *arguments: str, code: int = 0, answer: str = "") -> str:
    result = CliRunner().invoke(app, ["archive", *arguments, "--home", str(paths.home)], input=answer)
    assert result.exit_code == code, result.output
    return result.output


def ids(paths: Paths) -> dict[str, str]:
    return {entry["title"]: upkeep.release_id(entry) for entry in store.entries(paths.raw / "source")}


def test_the_list_says_what_is_kept_and_what_it_stands_for(paths):
    told = comex(paths, "list")
    lines = told.splitlines()
    assert lines[0] == f"source: 3 archives in {paths.raw / 'source'}"
    [at] = [n for n, line in enumerate(lines) if line.endswith(f"bytes  {NEW}")]
    assert lines[at].split()[:4] == [ids(paths)[NEW], "202505", "export", "2024T1–2024T4"]
    assert "; stands for 2024T1 2024T2 2024T3 2024T4" in lines[at + 1]
    assert "stands for nothing" in told and str(paths.home.parent / "source" / OLD) in told
    assert comex(paths, "list", "--source", "source") == told
    assert "no archive is kept here" in comex(Paths(paths.home / "other"), "list")
    assert "the folders of kept sources are: source" in comex(paths, "list", "--source", "douane", code=1)


@pytest.mark.parametrize("damage", ["lost", "altered", "orphan"])
def test_the_check_reads_all_bytes(paths, damage):
    assert "all is whole" in comex(paths, "check")
    [path] = (paths.raw / "source").glob(f"*/*{NEW}")
    if damage == "lost":
        path.unlink()
    elif damage == "altered":
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    else:
        (path.parent / "0123456789ab-x.zip").write_bytes(b"PK")
    told = comex(paths, "check", code=1)
    assert {"lost": "not there", "altered": "another sha256", "orphan": "no entry of the log names"}[damage] in told
    assert (f"comex archive remove {ids(paths)[NEW]} --home {paths.home}" in told) == (damage != "orphan")
    if damage != "orphan":
        comex(paths, "remove", ids(paths)[NEW], "--yes")
    else:
        (path.parent / "0123456789ab-x.zip").unlink()
    assert "all is whole" in comex(paths, "check")


def test_a_member_whose_crc_does_not_hold_is_told_though_the_bytes_are_those_that_came(tmp_path):
    archive = lay(tmp_path / "source", OLD, 1)
    content = bytearray(archive.read_bytes())
    content[content.find(b"Region_2024_Export.txt") + 30] ^= 0xFF  # in the deflated rows
    archive.write_bytes(content)
    from tests.archives import keep

    keep(archive, tmp_path / "home" / "raw" / "source")
    assert "a member cannot be unpacked" in comex(Paths(tmp_path / "home"), "check", code=1)


def test_what_is_taken_out_stands_no_more_and_the_former_release_does(paths):
    source, gone = paths.home.parent / "source", ids(paths)[NEW]
    assert euros(source, paths) == {"E": 80, "I": 20}
    assert "Take this out" in comex(paths, "remove", gone, code=1, answer="n\n") and NEW in ids(paths)
    told = comex(paths, "remove", gone[:8], "--yes")
    assert "1 taken out; 2 archives are kept of source" in told and "still offers it" in told
    assert NEW not in ids(paths) and not list(paths.home.rglob(f"*{gone}*"))
    manifest = json.loads((paths.raw / "source" / "datapackage.json").read_text(encoding="utf-8"))
    assert [(e["title"], e["rang"], bool(e["removed_at"])) for e in manifest["removed"]] == [(NEW, 3, True)]
    (source / NEW).rename(source.parent / NEW)
    assert euros(source, paths) == {"E": 40, "I": 20}
    (source.parent / NEW).rename(source / NEW)  # offered again: judged, and kept again, as the last arrival
    assert euros(source, paths) == {"E": 80, "I": 20}
    assert [entry["rang"] for entry in store.entries(paths.raw / "source")] == [1, 2, 4]


def test_comparisons_with_what_is_gone_are_made_again(paths):
    source = paths.home.parent / "source"

    def read() -> dict[str, dict]:
        found = [json.loads(path.read_text()) for path in (paths.raw / "source" / "comparaisons").glob("*.json")]
        return {rapport["archive"]: rapport for rapport in found}

    assert read()[NEW]["trimestres"][0]["archive_avant"] == OLD and len(read()) == 3
    comex(paths, "remove", ids(paths)[OLD], "--yes")
    (source / OLD).unlink()
    assert euros(source, paths) == {"E": 80, "I": 20}
    assert read()[NEW]["est_premiere"] and set(read()) == {NEW, IMPORT}


def test_the_same_bytes_under_a_better_name_take_the_place_of_the_wrong_one(tmp_path):
    source, paths = tmp_path / "source", Paths(tmp_path / "home")
    lay(source, "202412-Regional-2024-export.zip", 10)
    take(source, paths)
    [wrong] = store.entries(paths.raw / "source")
    (source / "202412-Regional-2024-export.zip").rename(source / OLD)
    take(source, paths)
    assert [entry["vintage"] for entry in store.entries(paths.raw / "source")] == ["202412", "202502"]
    comex(paths, "remove", wrong["name"], "--yes")  # by name: the other entry needs the file
    assert euros(source, paths) == {"E": 40} and "all is whole" in comex(paths, "check")


@pytest.mark.parametrize("wanted", ["0123456789ab", "x", ""])
def test_an_archive_that_is_not_there(paths, wanted):
    told = comex(paths, "remove", wanted, "--yes", code=1)
    assert "One kept archive was expected" in told and len(ids(paths)) == 3


def test_nothing_is_taken_out_while_a_run_is_at_work(paths):
    with hold(paths):
        assert "another run holds them" in comex(paths, "remove", ids(paths)[OLD], "--yes", code=1)
    assert OLD in ids(paths)


def test_a_removal_that_is_killed_leaves_a_whole_archive(paths, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Path, "unlink", killed)
        store.remove(paths.raw / "source", lambda entry: entry["title"] == NEW)
    assert NEW not in ids(paths) and "no entry of the log names" in comex(paths, "check", code=1)
    assert euros(paths.home.parent / "source", paths) == {"E": 80, "I": 20}  # still on offer: it takes its place again
    assert "all is whole" in comex(paths, "check")


def test_a_log_that_an_older_version_wrote_has_its_ranks_by_place(paths):
    manifest = paths.raw / "source" / "datapackage.json"
    log = json.loads(manifest.read_text(encoding="utf-8"))
    for entry in log["resources"]:
        del entry["rang"]
    manifest.write_text(json.dumps(log), encoding="utf-8")
    assert [kept.rang for kept in store.kept(paths.raw / "source")] == [1, 2, 3]
    manifest.write_text("[]", encoding="utf-8")
    with pytest.raises(ReleaseError, match="JSON manifest"):
        store.entries(paths.raw / "source")
