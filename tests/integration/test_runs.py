"""The runs as their users meet them: `comex build` from a folder of archives to bundles, and what happens when it cannot."""

import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from filelock import FileLock

from pipeline import cli
from pipeline.errors import DataError, OutputError, RenderError
from pipeline.paths import Paths
from pipeline.settings import ROOT
from pipeline.sources import example
from pipeline.territoires import departement

COMEX = str(Path(sys.executable).with_name("comex"))
FICHES = {"48", "94", "976"}
PARTS = ("where:", "likely cause:", "what to do:")


def comex(home: Path, source: Path | str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `comex build` in a process of its own."""
    command = [COMEX, "build", "--home", str(home), "--source", str(source), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment, timeout=600)


def fingerprint(folder: Path) -> dict[str, str]:
    """Digest of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def instance_of(home: Path) -> dg.DagsterInstance:
    return dg.DagsterInstance.from_config(str(home / "dagster"))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source") / "kiosk"
    example.generate(folder, echelle=0.01)
    return folder


def code() -> dict[str, float]:
    """Files beside the code and their times; Python's own caches apart, which it writes where it may."""
    kinds = ("pipeline", "dbt_project", "deploy", "tools", "docs")
    files = [*ROOT.glob("*"), *(path for kind in kinds for path in (ROOT / kind).rglob("*"))]
    return {str(path): path.stat().st_mtime for path in files if path.is_file() and path.parent.name != "__pycache__"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, source: Path) -> Iterator[Path]:
    """A home with three fiches, régions and France, made by the command that users type, which writes nowhere else."""
    home, before = tmp_path_factory.mktemp("built") / "home", code()
    done = comex(home, source, "--departement", "48 94", "--departement", "976")
    assert done.returncode == 0, done.stderr
    assert "rows read from 4 archives (example data)" in done.stdout
    assert "period 2024: France exports 580\u202f354,5\u00a0M€, imports 684\u202f776,3\u00a0M€" in done.stdout
    assert code() == before
    yield home


def changed(source: Path, folder: Path, change) -> Path:
    """A copy of the releases whose last year's exports went through `change` (lines in, lines out)."""
    folder.mkdir()
    for archive in source.glob("*.zip"):
        if archive.name != "202502-Regional-2024-export.zip":
            (folder / archive.name).write_bytes(archive.read_bytes())
            continue
        with zipfile.ZipFile(archive) as old, zipfile.ZipFile(folder / archive.name, "w", zipfile.ZIP_DEFLATED) as new:
            for name in old.namelist():
                content = old.read(name)
                if name.endswith("Region_2024_Export.txt"):
                    content = "\r\n".join(change(content.decode().splitlines())).encode()
                new.writestr(name, content)
    return folder


def test_each_bundle_is_whole_and_the_national_ones_are_there(built: Path) -> None:
    fiches = built / "fiches" / "2024"
    names = {path.name for path in fiches.iterdir() if path.is_dir()}
    assert names >= {departement(code).slug for code in FICHES} | {"region-11-ile-de-france", "france"}
    assert len(names) == 3 + 18 + 1
    for folder in fiches.iterdir():
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        listed = {entry["chemin"]: entry["sha256"] for entry in manifest["fichiers"]}
        found = {name: digest for name, digest in fingerprint(folder).items() if name != "manifest.json"}
        assert listed == found
        assert {"fiche.pdf", "fiche.html", "donnees/reperes.csv", "graphiques/flux-export.svg"} <= found.keys()
    assert (built / "index.html").exists()


def test_the_run_is_on_record_partition_by_partition(built: Path) -> None:
    with instance_of(built) as instance:
        for asset in (["fiches", "departement"], ["charts", "flux_export"]):
            assert instance.get_materialized_partitions(dg.AssetKey(asset)) == FICHES


def states(home: Path, passage: str) -> dict[str, tuple[bool | None, str, int | None]]:
    """The checks of the page: passed, severity, cases."""
    told = json.loads((home / "qualite.json").read_text(encoding="utf-8"))[passage]
    return {etat["nom"]: (etat["passe"], etat["gravite"], etat["nombre"]) for etat in told["etats"]}


def test_the_site_shows_every_check_of_its_run_and_of_the_few_fiches_made_after(built: Path, source: Path) -> None:
    from pipeline import controles, dbt

    told = json.loads((built / "qualite.json").read_text(encoding="utf-8"))["site"]
    shown = {(etat["nom"], etat["actif"]) for etat in told["etats"]}
    assert shown == {(each.nom, each.actif) for each in controles.catalogue(dbt.manifest())}
    assert {etat["portee"] for etat in told["etats"] if etat["nom"] == "every_bundle_is_whole"} == {"", "48", "94", "976"}
    assert {etat["nom"] for etat in told["etats"] if etat["passe"] is None} == set()
    assert not [etat for etat in told["etats"] if etat["passe"] is False and etat["gravite"] == "error"]
    assert (told["travail"], told["periode"], told["echecs"]) == ("everything", "2024", [])
    assert {archive["archive"] for archive in told["archives"]} == {path.name for path in source.glob("*.zip")}
    assert told["versions"]["duckdb"] and told["versions"]["code"]
    assert 'href="qualite.html"' in (built / "index.html").read_text(encoding="utf-8")
    assert 'href="../../../qualite.html"' in (built / "fiches/2024/94-val-de-marne/fiche.html").read_text(encoding="utf-8")
    assert not (built / "rapports").exists()


def test_a_bundle_bound_again_in_another_process_has_the_same_bytes(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.defs.resources import Workspace
    from pipeline.fiche import bind

    before = fingerprint(built / "fiches")
    monkeypatch.setenv("COMEX_HOME", str(built))
    monkeypatch.setattr(bind, "ALONE_UP_TO", 0)
    workspace = Workspace()
    territoires = [departement(code) for code in sorted(FICHES)]
    bound = bind.bind(territoires, workspace.marts(), workspace.provenance(), workspace.settings, workspace.paths)
    assert [(item.territoire, item.erreur) for item in bound] == [(territoire, None) for territoire in territoires]
    assert fingerprint(built / "fiches") == before


def test_a_bad_archive_stops_before_dbt_and_leaves_the_former_fiches(built: Path, source: Path, tmp_path: Path) -> None:
    before = fingerprint(built / "fiches")

    def swap(lines: list[str]) -> list[str]:
        fields = lines[41].split(";")
        return [*lines[:41], ";".join([*fields[:5], fields[6], fields[5], *fields[7:]]), *lines[42:]]

    done = comex(built, changed(source, tmp_path / "bad", swap), "--departement", "94")
    assert done.returncode == 1
    assert "A129 in field 6 and CPF4 in field 7" in done.stderr
    assert "line 42" in done.stderr
    assert all(part in done.stderr for part in PARTS)
    assert fingerprint(built / "fiches") == before
    with instance_of(built) as instance:
        run = instance.get_run_records(limit=1)[0].dagster_run
        events = [entry.dagster_event for entry in instance.all_logs(run.run_id) if entry.dagster_event]
        assert not run.is_success
        assert not any(event.is_step_start and event.step_key == "warehouse" for event in events)
        evaluations = [
            event.asset_check_evaluation_data for event in events if event.event_type_value == "ASSET_CHECK_EVALUATION"
        ]
        checks = {evaluation.check_name: evaluation.passed for evaluation in evaluations}
    assert checks["goods_are_in_official_order"] is False


def test_three_quarters_are_never_published_as_a_year(built: Path, source: Path, tmp_path: Path) -> None:
    before = fingerprint(built / "fiches")
    three = changed(source, tmp_path / "three", lambda lines: [line for line in lines if line.split(";")[1] != "4"])
    for archive in three.glob("*2023*"):
        archive.unlink()
    (three / "index.html").unlink(missing_ok=True)
    done = comex(built, three, "--departement", "94")
    assert done.returncode == 1
    assert "exports: 2024T1 2024T2 2024T3; imports: 2024T1 2024T2 2024T3 2024T4" in done.stderr
    assert all(part in done.stderr for part in PARTS)
    assert fingerprint(built / "fiches") == before


def test_a_refused_release_is_reported_in_french_and_shown_beside_the_run_of_the_site(
    built: Path, source: Path, tmp_path: Path
) -> None:
    before = states(built, "site")
    broken = changed(source, tmp_path / "broken", lambda lines: [*lines, "E;1;2024;94;03;C26A;2612;DE;12,5;1"])
    done = comex(built, broken, "--departement", "94")
    assert done.returncode == 1
    [report] = (built / "rapports").glob("202502-202502-Regional-2024-export.html")
    assert f"report in French: {report}" in done.stderr
    assert "E;1;2024;94;03;C26A;2612;DE;12,5;1" in report.read_text(encoding="utf-8")
    stopped = states(built, "arrete")
    assert stopped["euros_are_whole"] == (False, "error", 1)
    assert stopped["departements_sum_to_national"] == (None, "", None) and stopped.keys() == before.keys()
    assert states(built, "site") == before
    report.unlink()


def test_a_dbt_test_that_fails_shows_its_rows(built: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.definitions import defs

    monkeypatch.setenv("COMEX_HOME", str(built))
    monkeypatch.setenv("COMEX_SOURCE", str(source))
    test = "mart_national_classement_has_one_row_by_key"
    monkeypatch.setattr("pipeline.dbt.build_arguments", lambda *_: ["test"])
    mart, seal = built / "warehouse/marts/mart_national_classement.parquet", built / "warehouse/marts/COMPLETE"
    whole, sealed = mart.read_bytes(), seal.read_bytes()
    spoilt = f"copy (from '{mart}' union all (from '{mart}' order by flux, rang limit 3)) to '{mart}.spoilt' (format parquet)"
    duckdb.sql(spoilt)
    mart.write_bytes(Path(f"{mart}.spoilt").read_bytes())
    try:
        with instance_of(built) as instance:
            job = defs().resolve_job_def("marts")
            loggers = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
            result = job.execute_in_process(instance=instance, raise_on_error=False, run_config=loggers)
        failed = next(event for event in result.get_asset_check_evaluations() if event.check_name == test)
        assert not failed.passed and failed.severity.value == "ERROR" and "3 row(s) found" in str(failed.description)
        assert failed.metadata["found"].value == 3
        offenders = failed.metadata["offenders"]
        assert isinstance(offenders, dg.TableMetadataValue)
        rows = offenders.records
        assert {row.data["lignes"] for row in rows} == {2} and len(rows) == 3
        assert states(built, "arrete")[test] == (False, "error", 3)
        assert states(built, "arrete")["codes_are_known"][0] is None
        assert not seal.exists()
    finally:
        mart.write_bytes(whole)
        seal.write_bytes(sealed)
        Path(f"{mart}.spoilt").unlink()


def test_a_second_run_at_the_same_time_is_refused(built: Path, source: Path) -> None:
    before = fingerprint(built / "fiches")
    with FileLock(built / ".lock"):
        done = comex(built, source, "--departement", "94")
    assert done.returncode == 1
    assert "another run holds them" in done.stderr
    assert all(part in done.stderr for part in PARTS)
    assert fingerprint(built / "fiches") == before


def test_outputs_that_cannot_be_written_are_told(source: Path, tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("not a folder", encoding="utf-8")
    done = comex(occupied / "home", source)
    assert done.returncode == 1
    assert all(part in done.stderr for part in PARTS)


def test_a_disk_that_is_all_but_full_is_told_before_anything_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10_000_000))
    with pytest.raises(OutputError, match=r"At least 0.3 GiB of free space were expected; 0.01 GiB are left") as caught:
        cli.prepare(Paths(tmp_path / "home"))
    assert all(part in str(caught.value) for part in PARTS)
    assert not (tmp_path / "home").exists()


def test_no_browser_is_told_and_leaves_the_former_fiches(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(built / "fiches")
    monkeypatch.setenv("COMEX_HOME", str(built))
    monkeypatch.setenv("DAGSTER_HOME", str(built / "dagster"))
    monkeypatch.setenv("BROWSER_PATH", "/nowhere/chromium")
    failure, _ = cli.run_job(Paths(built), "departements", ("94", "94"))  # from the marts that are there
    assert failure and "/nowhere/chromium" in failure
    assert all(part in failure for part in PARTS)
    assert fingerprint(built / "fiches") == before


def test_an_unknown_departement_is_told(built: Path, source: Path) -> None:
    done = comex(built, source, "--departement", "94 96")
    assert done.returncode == 1
    assert "'96' is none of them" in done.stderr
    assert all(part in done.stderr for part in PARTS)


def test_an_error_tells_the_same_after_crossing_processes() -> None:
    error = RenderError("Expected 1, found 2.", where="here", cause="a test", remedy="none", check="is_a_test")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.check) == (RenderError, str(error), "is_a_test")


def test_one_failing_departement_does_not_lose_the_others(built: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline import charts
    from pipeline.definitions import defs

    draw = charts.figure

    def failing(sujet: str, frames: dict) -> dict | None:
        spec = draw(sujet, frames)
        if sujet == "balance" and frames["reperes"]["code"].iloc[0] == "95":
            return {"data": [{"type": "nonsense", "text": ["x"] * 99}], "layout": (spec or {})["layout"]}
        return spec

    monkeypatch.setattr("pipeline.charts.draw.figure", failing)
    monkeypatch.setenv("COMEX_HOME", str(built))
    monkeypatch.setenv("COMEX_SOURCE", str(source))
    with instance_of(built) as instance:
        job = defs().resolve_job_def("departements")
        result = job.execute_in_process(
            instance=instance,
            raise_on_error=False,
            tags={"dagster/asset_partition_range_start": "93", "dagster/asset_partition_range_end": "95"},
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
        made = instance.get_materialized_partitions(dg.AssetKey(["fiches", "departement"]))
    assert not result.success
    [told] = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert (told.check_name, told.asset_key.path) == ("every_figure_is_drawn", ["charts", "balance"])
    assert "95 (Val-d’Oise), balance" in str(told.description) and told.metadata["found"].value == 1
    assert {"93", "94"} <= made
    assert "95" not in made
    failure = next(event for event in result.all_events if event.is_step_failure).step_failure_data.user_failure_data
    assert failure
    assert failure.description
    assert "95" in failure.description
    assert "Val-d’Oise" in failure.description
    assert (built / "fiches/2024/93-seine-saint-denis/fiche.pdf").exists()
    assert not (built / "fiches/2024/95-val-d-oise").exists()


# Last: it leaves marts that no other test may read.
def test_unknown_codes_beyond_the_limit_stop_before_the_charts(
    built: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fingerprint(built / "fiches")
    unknown = changed(source, tmp_path / "unknown", lambda lines: [*lines, "E;1;2024;96;03;C26A;2612;DE;19999999999;9999999"])
    done = comex(built, unknown, "--departement", "94")
    assert done.returncode == 1
    assert "departement_inconnu '96' (1 rows, 19,999,999,999 €)" in done.stderr
    assert all(part in done.stderr for part in PARTS)
    assert fingerprint(built / "fiches") == before
    assert states(built, "arrete")["codes_are_known"] == (False, "error", 1)
    [report] = (built / "rapports").glob("202502-*-codes.html")
    assert "19\u202f999\u202f999\u202f999" in report.read_text(encoding="utf-8")
    # A job without that check refuses the same marts.
    monkeypatch.setenv("COMEX_HOME", str(built))
    from pipeline.defs.resources import Workspace

    with pytest.raises(DataError, match="departement_inconnu '96'"):
        Workspace().marts_to_publish()
