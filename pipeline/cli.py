"""`comex`: the same Dagster jobs from a terminal, with progress and a summary.

Add here: a command, as thin as these. Keep out: what a run does (`defs/`), and anything that only one command knows.
"""

import gc
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline import memory, territoires
from pipeline.archive import tables, upkeep
from pipeline.errors import ComexError, DataError, OutputError, SettingError
from pipeline.marts import Marts
from pipeline.outputs import ensure_room, hold, writing
from pipeline.paths import Paths
from pipeline.settings import ROOT, Settings
from pipeline.sources import source_id
from pipeline.typographie import millions, nombre

if TYPE_CHECKING:
    from dagster import DagsterInstance

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Foreign-trade fiches of French territories.", pretty_exceptions_enable=False
)
gc.set_threshold(50_000)  # Dagster's million objects stay to the end: the default looks for garbage among them all the time


def main() -> None:
    """What the process that works calls (`worker.py`)."""
    app(prog_name="comex")


@app.callback()
def _commands() -> None:
    """Foreign-trade fiches of French territories."""


@app.command()
def build(
    source: Annotated[
        str | None, typer.Option(help="`example`, `douane`, the address of an index page, or a folder of archives.")
    ] = None,
    home: Annotated[Path | None, typer.Option(help="Folder of the outputs; default COMEX_HOME, else assets_out.")] = None,
    departement: Annotated[
        list[str] | None, typer.Option(help="Code(s) of départements; all by default. « 94 33 » or repeated.")
    ] = None,
    periode: Annotated[
        str | None, typer.Option(help="`2024`, or `2025T3`: four quarters ending there. Default: latest year.")
    ] = None,
    vintage: Annotated[
        str | None, typer.Option(help="`202502`: the fiches as known that month, from the kept archives. Default: the newest.")
    ] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CHECK", help="Let in a release that fails this check of plausibility; repeated, or `plausibility`."
        ),
    ] = None,
) -> None:
    """Build the fiches: all 100 départements, régions and France, or a few départements."""
    with _told():
        _build(source, home, departement or [], periode, vintage, accept or [])


@app.command()
def verify(
    path: Annotated[
        Path | None, typer.Argument(help="A bundle, or a folder of bundles, here or under the home. Default: all of the home.")
    ] = None,
    home: Annotated[Path | None, typer.Option(help="Folder of the outputs, whose kept archives are read.")] = None,
) -> None:
    """Make bundles again from the kept archives, in a temporary place, and tell which file or number differs.

    Exit code 0: all hold. 1: something differs, or could not be read or made again. 2: nothing differs, but some were made by
    other versions, so that their data and words agree and their pictures were not compared.
    """
    from pipeline import verify as verification  # late, like Dagster: drawing and binding take a second to load

    words: list[str] = []
    with _told(), _at(home):
        paths = Paths(Settings().home)
        place = path if path is None or path.exists() else paths.home / path
        for verdict in verification.verify(place, paths):
            words.append(verdict.word)
            sys.stdout.write(verdict.told() + "\n")
    others = [f"; {count} {say}" for word, say in verification.OTHERS.items() if (count := words.count(word))]
    sys.stdout.write(f"{words.count(verification.HOLDS)} of {len(words)} hold{''.join(others)}\n")
    raise typer.Exit(verification.exit_code(words))


@app.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="VINTAGE", help="`202502`: one kept vintage …")],
    after: Annotated[str, typer.Argument(metavar="VINTAGE", help="… and the other; the older one is « before ».")],
    source: Annotated[str | None, typer.Option(help="The source whose kept archives are compared, as for build.")] = None,
    home: Annotated[Path | None, typer.Option(help="Folder of the outputs, whose kept archives are read.")] = None,
    periode: Annotated[
        str | None, typer.Option(help="`2024`, or `2025T3`. Default: the latest year that was complete at the older vintage.")
    ] = None,
) -> None:
    """Compare a period as known at two vintages: totals, shares, ranks, first partners and goods; JSON, CSV and a page."""
    from pipeline import revisions

    with _told(), _at(home):
        given = {name: value for name, value in (("source", source), ("periode", periode)) if value is not None}
        settings = Settings(**given)
        folder, rapport = revisions.diff(settings, Paths(settings.home), (before, after))
    sys.stdout.write(revisions.told(rapport) + f"\nopen {folder / 'index.html'}\n")


Host = Annotated[str, typer.Option(help="Address that the UI listens on; another than loopback only inside a container.")]
Port = Annotated[int, typer.Option(help="Port of the UI; 0 takes a free one.")]
ReadOnly = Annotated[bool, typer.Option("--read-only", help="Nothing can be launched or changed; also COMEX_UI_READ_ONLY.")]
archive_app = typer.Typer(no_args_is_help=True, help="The kept archives: list them, check their bytes, take one out.")
app.add_typer(archive_app, name="archive")
_SOURCE = Annotated[str | None, typer.Option("--source", help="Of one source only, as for build. Default: of all.")]
_HOME = Annotated[Path | None, typer.Option("--home", help="Folder of the outputs; default COMEX_HOME, else assets_out.")]


@archive_app.command(name="list")
def archive_list(source: _SOURCE = None, home: _HOME = None) -> None:
    """What is kept: id, vintage, flow, quarters, arrival, size, name; origin, and the quarters that it stands for."""
    with _told():
        _, shelves = _shelves(source, home)
        for shelf in shelves:
            sys.stdout.write("\n".join(upkeep.listed(shelf)) + "\n")
    if not shelves:
        sys.stdout.write("no archive is kept here\n")


@archive_app.command(name="check")
def archive_check(source: _SOURCE = None, home: _HOME = None) -> None:
    """Read every byte that is kept: sha256 of each archive, CRC of each member. Exit code 1 if something does not hold."""
    problems = 0
    with _told():
        for shelf in _shelves(source, home)[1]:
            lines = upkeep.check(shelf)
            problems += len(lines)
            sys.stdout.write("\n".join([f"{shelf.folder.name}: {len(shelf.entries)} archives read", *lines]) + "\n")
    sys.stdout.write(f"{problems} problems\n" if problems else "all is whole\n")
    raise typer.Exit(1 if problems else 0)


@archive_app.command(name="remove")
def archive_remove(
    archive: Annotated[str, typer.Argument(metavar="ID", help="As `comex archive list` shows it: an id, or the start of one.")],
    source: _SOURCE = None,
    home: _HOME = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take an archive out: its entry in the log, its file, and what was made of it. The log says that it was there."""
    with _told():
        paths, shelves = _shelves(source, home)
        shelf, entries = upkeep.chosen(shelves, archive)
        for entry in entries:
            sys.stdout.write(
                f"{upkeep.release_id(entry)}  {entry['vintage']}  {entry['title']}  from {entry['sources'][0]['title']}\n"
            )
        if not yes:
            typer.confirm("Take this out of the archive?", abort=True)
        sys.stdout.write("\n".join(upkeep.remove(shelf, entries, paths)) + "\n")


def _shelves(source: str | None, home: Path | None) -> tuple[Paths, list[upkeep.Shelf]]:
    given = {name: value for name, value in (("source", source), ("home", home)) if value is not None}
    settings = Settings(**given)
    paths = Paths(settings.home)
    if source is None or (paths.raw / source / "datapackage.json").exists():  # the name of its folder, as `list` shows it
        return paths, upkeep.shelves(paths, source)
    return paths, upkeep.shelves(paths, source_id(settings))


@app.command()
def doctor(
    source: Annotated[str | None, typer.Option(help="The source to look at, as for build; default COMEX_SOURCE.")] = None,
    home: Annotated[Path | None, typer.Option(help="Folder of the outputs, as for build; nothing is written to it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same findings as data.")] = False,
    output: Annotated[Path | None, typer.Option(help="A file for the report, instead of the terminal.")] = None,
) -> None:
    """Look at this machine and at the source, and say what holds, what does not and what to do; changes nothing."""
    from pipeline import doctor as examination

    with _told():
        report = examination.examine(source, home)
        text = report.data() if as_json else report.text()
        if output:
            with writing(output):
                output.write_text(text, encoding="utf-8")
    if not output:
        sys.stdout.write(examination.encodable(text, sys.stdout.encoding))
    raise typer.Exit(0 if report.is_good else 1)


@app.command()
def dev(port: Port = 3000, read_only: ReadOnly = False) -> None:
    """Start the Dagster UI with the daemon: lineage, runs, checks, and launching a département or the country by hand."""
    prepare_command()
    _ui("127.0.0.1", port, read_only, with_daemon=True)


@app.command()
def ui(host: Host = "127.0.0.1", port: Port = 3000, read_only: ReadOnly = False) -> None:
    """Start the Dagster UI alone, beside a daemon that runs elsewhere, as a server's unit does."""
    _ui(host, port, read_only, with_daemon=False)


def _ui(host: str, port: int, read_only: bool, *, with_daemon: bool) -> None:
    from pipeline import ui as server

    with _told(), server.ending():
        settings = Settings()
        paths = Paths(settings.home)
        prepare(paths)
        with server.listen(host, port) as listener, _instance(paths) as instance:
            start = server.develop if with_daemon else server.serve
            start(instance, listener, settings.ui_hosts.replace(",", " ").split(), read_only=read_only or settings.ui_read_only)


@app.command(name="prepare")
def prepare_command() -> None:
    """What a server needs before Dagster starts: its settings (never replacing some), and no dead run « in progress »."""
    with _told():
        paths = Paths(Settings().home)
        prepare(paths)
        with suppress(OutputError):  # a run is at work: it is not dead, and no other one was
            close_dead_runs(paths)


@contextmanager
def _at(home: Path | None) -> Iterator[None]:
    """Let `home` stand for COMEX_HOME, in processes begun from here too."""
    former = os.environ.get("COMEX_HOME")
    os.environ |= {"COMEX_HOME": str(home)} if home else {}
    try:
        yield
    finally:
        os.environ |= {"COMEX_HOME": former} if former is not None else {}
        if former is None:
            os.environ.pop("COMEX_HOME", None)


@contextmanager
def _told() -> Iterator[None]:
    """Say what a user can cause in four parts, and leave with exit code 1."""
    try:
        yield
    except ComexError as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        raise typer.Exit(1) from error


def _build(
    source: str | None, home: Path | None, codes: list[str], periode: str | None, vintage: str | None, accept: list[str]
) -> None:
    start = time.perf_counter()
    for name, value in {
        "SOURCE": source,
        "HOME": home,
        "PERIODE": periode,
        "VINTAGE": vintage,
        "ACCEPT": " ".join(accept) or None,
    }.items():
        if value is not None:
            os.environ[f"COMEX_{name}"] = str(value)
    settings = Settings()
    paths = Paths(settings.home)
    wanted = [territoires.departement(code).code for item in codes for code in item.replace(",", " ").split()]
    if codes and not wanted:
        territoires.departement(" ".join(codes))  # says what a code is
    prepare(paths)
    close_dead_runs(paths)
    with writing(paths.home):
        (paths.home / "last-run.log").write_text("", encoding="utf-8")
    failures = []
    for index, partitions in enumerate(ranges(wanted)):
        failure, has_marts = run_job(paths, "everything" if index == 0 else "departements", partitions)
        failures += [failure] if failure else []
        if not has_marts:
            break  # nothing to make the other fiches from
    if failures:
        typer.secho("error: " + "\n".join(failures), fg="red", err=True)
        raise typer.Exit(1)
    _summary(settings, paths, wanted, time.perf_counter() - start)


def ranges(codes: list[str]) -> list[tuple[str, str]]:
    """The codes as ranges of neighbours in the order of the partitions: a run takes one range. All for no code."""
    order = list(territoires.departements())
    if not codes:
        return [(order[0], order[-1])]
    positions = sorted({order.index(code) for code in codes})
    starts = [p for p in positions if p - 1 not in positions]
    ends = [p for p in positions if p + 1 not in positions]
    return [(order[a], order[b]) for a, b in zip(starts, ends, strict=True)]


def run_job(paths: Paths, name: str, partitions: tuple[str, str] | None = None) -> tuple[str | None, bool]:
    """Run a job of `defs/jobs.py` in this process, for a range of partitions if it has any.

    Failing checks are told on standard error. Returns the words of the steps that failed, or None, and whether the run
    got as far as the marts. Raises OutputError when Dagster's own storage cannot be written.
    """
    from pipeline.definitions import defs

    log = paths.home / "last-run.log"
    ends = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
    tags: dict[str, str] = dict(zip(ends, partitions, strict=True)) if partitions else {}
    # A full disk is met again where the log is closed.
    with _instance(paths) as instance, writing(log), log.open("a", encoding="utf-8") as output, redirect_stdout(output):
        job = defs().resolve_job_def(name)
        loggers = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        result = job.execute_in_process(instance=instance, raise_on_error=False, tags=tags, run_config=loggers)
    failed = [event for event in result.all_events if event.is_step_failure or event.is_job_failure]
    failure = None if result.success else _words(failed, log)
    for event in result.get_asset_check_evaluations():
        if not event.passed and (not failure or event.description not in (None, failure)):
            what = event.description or f"{event.check_name} on {event.asset_key.to_user_string()}, see {log}"
            typer.secho(f"{event.severity.value.lower()}: {what}", fg="yellow", err=True)
    return failure, any(event.is_step_start and (event.step_key or "").startswith("charts") for event in result.all_events)


def _words(failed: list, log: Path) -> str:
    """What the steps that failed said, in four parts, or where to read on; a run that failed before them for itself."""
    steps = [event for event in failed if event.is_step_failure]
    return "\n".join(_word(event, log) for event in steps or failed[:1]) or f"The run failed without a word; read {log}."


def _word(event, log: Path) -> str:
    failure = event.step_failure_data.user_failure_data if event.is_step_failure else None
    if failure and "what to do:" in failure.description:  # ours; dbt's own comes as a failure too
        return failure.description
    error = (event.step_failure_data if event.is_step_failure else event.job_failure_data).error
    raised = (error.cause or error).message.strip() if error else "an error"
    if "DagsterAssetCheckFailedError" in raised:
        return "A check that blocks did not pass (told above); nothing after it was made, and the former fiches are still there."
    if raised.startswith("pipeline.errors."):  # raised before the first step
        return raised.partition(": ")[2]
    if memory.is_short(raised):
        return str(memory.shortage(event.step_key or "The run", str(log), raised))
    if "DagsterExecutionInterruptedError" in raised:
        return str(
            DataError(
                f"{event.step_key or 'The run'} was expected to end; it was interrupted.",
                where=str(log),
                cause="Ctrl-C, or a machine that is being stopped",
                remedy="run again: the archives that arrived are kept, and the former fiches are still there",
            )
        )
    return str(
        DataError(
            f"{event.step_key or 'The run'} was expected to pass; it raised {raised}",
            where=str(log),
            cause="a failing data test (named in the log), or a bug",
            remedy="read that log, or the run in the Dagster UI (`make dev`)",
        )
    )


def prepare(paths: Paths) -> None:
    """Dagster's storage beside the outputs, telemetry off, so that `make dev` shows these runs."""
    with writing(paths.home):
        ensure_room(paths.home)
        paths.dagster.mkdir(parents=True, exist_ok=True)
        config = paths.dagster / "dagster.yaml"
        if not config.exists():
            shutil.copyfile(ROOT / "deploy" / "dagster.yaml", config)
    os.environ["DAGSTER_HOME"] = str(paths.dagster)
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"


def close_dead_runs(paths: Paths) -> None:
    """Mark failed the runs that a killed process left « in progress »: as long as they are, no other one is launched.

    Who holds the outputs knows that no run is at work on them. Raises OutputError when one is. Launchers that see the health
    of their workers (containers, other machines) need no such help.
    """
    import dagster as dg

    with hold(paths), _instance(paths) as instance:
        if not instance.run_launcher.supports_check_run_worker_health:
            for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING])):
                instance.report_run_failed(run, "Its process ended without a word: it was killed, or the machine stopped.")


@contextmanager
def _instance(paths: Paths) -> Iterator["DagsterInstance"]:
    """Dagster's storage. Raises OutputError when it cannot be written, SettingError when dagster.yaml leads to none."""
    from dagster import DagsterInstance  # late: it takes a second, and `comex --help` needs none of it
    from sqlalchemy.exc import OperationalError

    try:
        try:
            instance = DagsterInstance.get()
        except OperationalError:
            raise
        except Exception as error:  # whatever is wrong with an operator's file, a package it names, or a server behind it
            said = " ".join(str(error.__cause__ or error).partition("\nStack Trace")[0].split())
            raise SettingError(
                f"Dagster's storage was expected; opening it failed: {said}",
                where=str(paths.dagster / "dagster.yaml"),
                cause="a database server that is stopped or unreachable, a variable that this file reads and nobody set,"
                " or a mistake in it",
                remedy="start the server or correct the file; without that file, `comex` writes one for storage beside the outputs",
            ) from error
        with instance:
            yield instance
    except OperationalError as error:
        with writing(paths.dagster):
            raise OSError(str(error.orig)) from error


def _summary(settings: Settings, paths: Paths, wanted: list[str], seconds: float) -> None:
    releases = tables.read_releases(paths.raw_tables)
    marts = Marts(paths.marts, tables.choose_period(releases, settings.periode))
    france = {row["flux"]: row["valeur_eur"] for row in marts.territoire(territoires.FRANCE)["reperes"].to_dict("records")}
    asked = [territoires.departement(code) for code in wanted] or territoires.departements().values()
    without = [one.nom for one in asked if marts.sans_donnees(one)]
    none = f" (none of {', '.join(without)}: no data)" if without else ""
    lines = [
        f"{nombre(sum(r.lignes for r in releases))} rows read from {len(releases)} archives"
        + (" (example data)" if any(r.est_exemple for r in releases) else ""),
        _arrivals(),
        *(f"accepted although it fails: {words}" for words, _ in tables.admitted(releases).values()),
        f"period {marts.periode}: France exports {millions(france['export'])}, imports {millions(france['import'])}",
        f"{len(asked) - len(without)} fiches of départements{none}, with those of the régions and of France",
        f"open {paths.index}",
        f"{seconds:.0f} s",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def _arrivals() -> str:
    """What came into the archive, as the raw step recorded it."""
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        record = instance.get_latest_materialization_event(dg.AssetKey(["raw", "archives"]))
    made = record.asset_materialization if record else None
    return str(made.metadata["arrivals"].value) if made else ""
