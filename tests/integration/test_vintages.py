"""A year as known at two dates, from one archive: figures by other means, editions that say so, and runs that are killed.

Add here: what several vintages of a release must give. Keep out: one vintage (`test_marts_against_pandas.py`).
"""

# pandas' own annotations give most expressions half a dozen types.
# pyright: reportArgumentType=false, reportCallIssue=false, reportGeneralTypeIssues=false, reportAttributeAccessIssue=false

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from pipeline.archive import store, tables
from pipeline.dbt import SEAL
from pipeline.paths import Paths
from tests.archives import build_warehouse, country, row, write_archive
from tests.integration.test_marts_against_pandas import assert_same, expected
from tests.integration.test_runs import COMEX, PARTS, comex, fingerprint
from tests.oddities import write_oddities

FLUX = {"E": "export", "I": "import"}


# --- the marts ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_oddities(tmp_path_factory.mktemp("oddities") / "kiosk")


@pytest.mark.parametrize(("vintage", "periode"), [("202410", "2023"), ("202502", "2024")])
def test_marts_of_an_older_vintage_are_those_of_its_month(odd: Path, tmp_path: Path, vintage: str, periode: str) -> None:
    """The newer archives, with their labels and quarters, might as well not be there."""
    built = build_warehouse(odd, tmp_path / "home", vintage=vintage)
    known = tmp_path / "known"
    known.mkdir()
    for path in odd.glob("*.zip"):
        if path.name[:6] <= vintage:
            (known / path.name).symlink_to(path)
    assert built.periode == periode
    assert_same(built.paths.marts, expected(known, "A129", ""))
    # What dbt is spared is what it would not use: the rule is said once more in Python, for files only.
    with duckdb.connect(str(built.paths.warehouse / "comex.duckdb"), read_only=True) as con:
        query = "select left(upper(flux), 1), annee || 'T' || trimestre, release_id from int_releases__standing"
        by_sql = {(flux, quarter): release for flux, quarter, release in con.execute(query).fetchall()}
    assert by_sql == {key: release.release_id for key, release in tables.standing(built.releases).items()}
    assert {path.stem for path in built.paths.raw_tables.glob("echanges/*")} == set(by_sql.values())


# --- the command --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2024 as known in February 2025, and revised in August; no index page."""
    place = tmp_path_factory.mktemp("source") / "douanes"
    for flux, word in FLUX.items():
        write_archive(place / f"202502-Regional-2024-{word}.zip", country(flux, 2024, 1, lignes=6))
        write_archive(place / f"202508-Regional-2024-{word}.zip", country(flux, 2024, 2, lignes=6))
    return place


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, source: Path) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("built") / "home"
    done = comex(home, source, "--departement", "94", "--accept", "plausibility")
    assert done.returncode == 0, done.stderr
    assert "4 new archives, 0 unchanged" in done.stdout
    assert "202508-Regional-2024-export.zip (export, vintage 202508): 4 quarters revised (2024T1" in done.stdout
    yield home


def totals(source: Path, vintage: str) -> dict[tuple[str, str], int]:
    """Euros of Val-de-Marne and of France by flow, from the text of one vintage's archives."""
    found = {}
    for word in FLUX.values():
        with zipfile.ZipFile(source / f"{vintage}-Regional-2024-{word}.zip") as archive:
            text = archive.read(archive.namelist()[0])
        rows = pd.read_csv(io.BytesIO(text), sep=";", header=None, dtype=str, keep_default_na=False)
        euros = rows[8].astype("int64")
        found |= {("94", word): int(euros[rows[3] == "94"].sum()), ("FR", word): int(euros.sum())}
    return found


def printed(home: Path) -> dict[tuple[str, str], int]:
    frame = pd.read_csv(home / "fiches/2024/94-val-de-marne/donnees/reperes.csv", keep_default_na=False, dtype={"code": str})
    wanted = frame[frame["code"].isin(["94", "FR"]) & (frame["niveau"] != "region")]
    return {(line["code"], line["flux"]): int(line["valeur_eur"]) for line in wanted.to_dict("records")}


def assert_whole(home: Path) -> None:
    """Every bundle that is in place has the files and digests of its manifest, and the store its archives."""
    folders = [path for path in (home / "fiches/2024").iterdir() if not path.name.startswith(".")]
    assert len(folders) == 1 + 18 + 1
    for folder in folders:
        listed = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["fichiers"]
        found = {name: digest for name, digest in fingerprint(folder).items() if name != "manifest.json"}
        assert {entry["chemin"]: entry["sha256"] for entry in listed} == found, folder.name
    [raw] = (home / "raw").iterdir()
    for entry in json.loads((raw / "datapackage.json").read_text(encoding="utf-8"))["resources"]:
        assert entry["hash"] == "sha256:" + hashlib.sha256((raw / entry["path"]).read_bytes()).hexdigest()


def test_the_newest_vintage_is_printed_and_says_nothing_of_editions(built: Path, source: Path) -> None:
    assert printed(built) == totals(source, "202508") != totals(source, "202502")
    manifest = json.loads((built / "fiches/2024/94-val-de-marne/manifest.json").read_text(encoding="utf-8"))
    assert (manifest["millesime"], manifest["edition"]) == ("202508", "")
    assert {archive["nom"][:6] for archive in manifest["archives"]} == {"202508"}
    assert "Édition antérieure" not in (built / "index.html").read_text(encoding="utf-8")


MOMENTS: dict[str, Callable[[Paths], bool]] = {
    "rows are extracted": lambda paths: any(paths.raw_tables.glob(".unpacked-*")),
    "marts are built": lambda paths: not (paths.marts / SEAL).exists(),
    "bundles are bound": lambda paths: any(paths.fiches.glob("2024/.*.part")),
}


def killed(home: Path, source: Path, moment: str, *arguments: str) -> None:
    """A run whose processes are all ended at once, as a power cut does, at a moment that its files tell."""
    paths = Paths(home)
    reached = MOMENTS[moment]
    command = [
        COMEX,
        "build",
        "--home",
        str(home),
        "--source",
        str(source),
        "--departement",
        "94",
        "--accept",
        "plausibility",
        *arguments,
    ]
    with (home / "killed.log").open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        deadline = time.monotonic() + 200
        while not reached(paths) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        assert process.poll() is None, (moment, (home / "killed.log").read_text())
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_killed_at_any_moment_the_former_fiches_are_whole_and_the_next_run_goes_on(
    built: Path, source: Path, tmp_path: Path
) -> None:
    """The next run is that of an older vintage, after its archives left the folder."""
    before = fingerprint(built / "fiches")
    for flux, word in FLUX.items():  # a second of work to be killed in
        rows = [row(flux, 1, 2025, pays=pays, valeur=n) for n in range(60_000) for pays in ("DE", "ES", "IT", "US")]
        write_archive(source / f"202511-stat-regional-ce-{word}.zip", rows, member=f"REGIONAL_CPF4PAYS{flux}.txt")
    for moment in MOMENTS:
        killed(built, source, moment)
        assert_whole(built)
        if moment != "bundles are bound":
            assert fingerprint(built / "fiches") == before, moment
        names = {kept.name[:6] for kept in store.kept(next((built / "raw").iterdir()))}
        assert names >= {"202502", "202508"}

    away = tmp_path / "away"
    away.mkdir()
    for path in source.glob("202502-*"):
        shutil.move(path, away)
    done = comex(built, source, "--departement", "94", "--vintage", "202502")
    assert done.returncode == 0, done.stderr
    assert "the source was not asked" in done.stdout
    assert_whole(built)
    assert printed(built) == totals(away, "202502")
    folder = built / "fiches/2024/94-val-de-marne"
    edition = "Édition antérieure\u00a0: données connues en février 2025"
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["millesime"], manifest["edition"]) == ("202502", edition)
    for page in (folder / "fiche.html", built / "index.html"):
        assert edition in page.read_text(encoding="utf-8").replace("&nbsp;", "\u00a0"), page

    done = comex(built, source, "--departement", "94", "--vintage", "202401")
    assert done.returncode == 1
    assert "of vintages 202502, 202508, 202511" in done.stderr and all(part in done.stderr for part in PARTS)
    assert printed(built) == totals(away, "202502")
    assert not list(Paths(built).raw_tables.glob(".unpacked-*")) and not list((built / "raw").rglob("*.part"))
