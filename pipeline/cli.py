"""`comex`: the same Dagster jobs from a terminal, with progress and a summary.

Add here: a command, as thin as these. Keep out: what a run does (`defs/`), and anything that only one command knows.
"""

import os
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from pipeline import territoires
from pipeline.archive import tables
from pipeline.errors import ComexError, DataError, OutputError
from pipeline.marts import Marts
from pipeline.paths import Paths
from pipeline.settings import Settings
from pipeline.typographie import millions, nombre

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Foreign-trade fiches of French territories.", pretty_exceptions_enable=False
)

DAGSTER_YAML = "telemetry:\n  enabled: false\n"


@app.callback()
def _commands() -> None:
    """Foreign-trade fiches of French territories."""


@app.command()
def build(
    source: Annotated[
        str | None, typer.Option(help="`example`, or a folder of archives (with or without an index.html).")
    ] = None,
    home: Annotated[Path | None, typer.Option(help="Folder of the outputs; default COMEX_HOME, else assets_out.")] = None,
    departement: Annotated[
        list[str] | None, typer.Option(help="Code(s) of départements; all by default. « 94 33 » or repeated.")
    ] = None,
    periode: Annotated[
        str | None, typer.Option(help="`2024`, or `2025T3`: four quarters ending there. Default: latest year.")
    ] = None,
) -> None:
    """Build the fiches: all 100 départements, régions and France, or a few départements."""
    try:
        _build(source, home, departement or [], periode)
    except ComexError as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        raise typer.Exit(1) from error


def _build(source: str | None, home: Path | None, codes: list[str], periode: str | None) -> None:
    start = time.perf_counter()
    for name, value in (("COMEX_SOURCE", source), ("COMEX_HOME", home), ("COMEX_PERIODE", periode)):
        if value is not None:
            os.environ[name] = str(value)
    settings = Settings()
    paths = Paths(settings.home)
    wanted = [territoires.departement(code).code for item in codes for code in item.replace(",", " ").split()]
    _prepare(paths)
    run_ranges(paths, ranges(wanted))
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


def run_ranges(paths: Paths, wanted: list[tuple[str, str]]) -> None:
    """One run of everything with the first range, then one of charts and fiches for each further range.

    Raises DataError (in the words of the step that failed) at the first run that does not succeed.
    """
    import dagster as dg  # late: it takes a second, and `comex --help` needs none of it

    from pipeline.definitions import defs

    log = paths.home / "last-run.log"
    definitions = defs()
    with dg.DagsterInstance.get() as instance, log.open("w", encoding="utf-8") as output:
        for index, (first, last) in enumerate(wanted):
            job = definitions.resolve_job_def("everything" if index == 0 else "departements")
            with redirect_stdout(output):
                result = job.execute_in_process(
                    instance=instance,
                    raise_on_error=False,
                    tags={"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last},
                    run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                )
            for event in result.get_asset_check_evaluations():
                if not event.passed and event.description:
                    typer.secho(f"{event.severity.value.lower()}: {event.description}", fg="yellow", err=True)
            if not result.success:
                raise _failure(result, log)


def _failure(result, log: Path) -> ComexError:  # noqa: ANN001
    """The four parts told by the step that failed, or where to read on."""
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            metadata = event.step_failure_data.user_failure_data
            if metadata and metadata.description:
                return _Told(metadata.description)
            cause = error.cause or error if error else None
            return DataError(
                f"Step {event.step_key} was expected to pass; it raised {cause.message.strip() if cause else 'an error'}.",
                where=str(log),
                cause="a failing data test (named in the log), or a bug",
                remedy=f"read {log}, or the run in the Dagster UI (`make dev`)",
            )
    return DataError(
        "The run was expected to pass; a check did not.",
        where=str(log),
        cause="a blocking check, told above",
        remedy="mend what it names and run again",
    )


class _Told(ComexError):
    """A failure already worded by its step."""

    def __init__(self, text: str) -> None:
        super().__init__(text, where="", cause="", remedy="")

    def __str__(self) -> str:
        return self.expected_found


def _prepare(paths: Paths) -> None:
    """Dagster's storage beside the outputs, telemetry off, so that `make dev` shows these runs."""
    try:
        paths.dagster.mkdir(parents=True, exist_ok=True)
        config = paths.dagster / "dagster.yaml"
        if not config.exists():
            config.write_text(DAGSTER_YAML, encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"A folder that can be written was expected; {error.strerror or error}.",
            where=str(paths.home),
            cause="a read-only or full disk, or a folder that belongs to another user",
            remedy="make room, make it writable, or give another place with COMEX_HOME",
        ) from error
    os.environ["DAGSTER_HOME"] = str(paths.dagster)
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"


def _summary(settings: Settings, paths: Paths, wanted: list[str], seconds: float) -> None:
    releases = tables.read_releases(paths.raw_tables)
    marts = Marts(paths.marts, tables.choose_period(releases, settings.periode))
    france = marts.territoire(territoires.FRANCE)["reperes"].set_index("flux")["valeur_eur"]
    made = len(wanted) or len(territoires.departements())
    lines = [
        f"{nombre(sum(r.lignes for r in releases))} rows read from {len(releases)} archives"
        + (" (example data)" if any(r.est_exemple for r in releases) else ""),
        f"period {marts.periode}: France exports {millions(int(france['export']))}, imports {millions(int(france['import']))}",
        f"{made} fiches of départements, with those of the régions and of France",
        f"open {paths.index}",
        f"{seconds:.0f} s",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
