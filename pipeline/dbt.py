"""How dbt is called: the folder it works in, the variables it is given, and a plain call for tests and the benchmark.

Add here: a variable that the models need. Keep out: anything the models decide.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from filelock import FileLock

from pipeline.errors import DataError
from pipeline.outputs import move_whole
from pipeline.paths import DBT_PROJECT, Paths

SEAL = "COMPLETE"  # a file beside the marts
# The environment's own, whether it is activated or not: dbt as its makers ship it, and our door to it, `main` below.
PLAIN, EXECUTABLE = (str(Path(sys.executable).with_name(name)) for name in ("dbt", "comex-dbt"))
# What a `dbt parse` leaves: for Dagster, and for dbt itself.
MANIFEST, PARSED = (DBT_PROJECT / "target" / name for name in ("manifest.json", "partial_parse.msgpack"))


def environment(paths: Paths) -> dict[str, str]:
    """Environment variables that the project's files read."""
    return {
        "COMEX_WAREHOUSE": str(paths.warehouse),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_PROFILES_DIR": str(DBT_PROJECT),
        # Beside the warehouse, not in the repository: two runs with homes of their own do not share dbt's scratch files.
        "DBT_TARGET_PATH": str(paths.warehouse / "dbt"),
        "DBT_LOG_PATH": str(paths.warehouse / "dbt"),
    }


def build_arguments(niveau_produit: str, periode: str, quarantaine_max_pct: float) -> list[str]:
    """The `dbt build` that makes every model and runs every test for this period.

    A year needs no variable: all complete years are made. A flow of which more than `quarantaine_max_pct` is kept out is marked.
    """
    rolling = periode if "T" in periode else ""
    variables = {"niveau_produit": niveau_produit, "periode": rolling, "quarantaine_max_pct": quarantaine_max_pct}
    return ["build", "--vars", json.dumps(variables)]


def manifest() -> Path:
    """dbt's manifest, parsed anew when it is missing or older than a file of the project or than the installed versions."""
    patterns = ("*.yml", "models/**/*", "seeds/*.yml", "macros", "macros/*", "tests/**/*", "../requirements.lock")
    newest = max(file.stat().st_mtime for pattern in patterns for file in DBT_PROJECT.glob(pattern))
    MANIFEST.parent.mkdir(exist_ok=True)
    with FileLock(MANIFEST.with_suffix(".lock")):  # two processes that start at once would write it together
        if not all(path.exists() and path.stat().st_mtime >= newest for path in (MANIFEST, PARSED)):
            with tempfile.TemporaryDirectory(dir=MANIFEST.parent) as aside:
                _run([PLAIN, "parse"], {"DBT_TARGET_PATH": aside, "DBT_LOG_PATH": aside})
                for path in (PARSED, MANIFEST):
                    move_whole(Path(aside) / path.name, path)
    return MANIFEST


def main() -> None:
    """`comex-dbt`: dbt with the project as it was parsed last, whatever the outputs it works for.

    dbt itself would parse the project anew for each warehouse, since the path is part of its profile: three seconds of ten.
    That is sound as long as nothing that parsing reads depends on the environment: the profile and `macros/raw.sql` are read later.
    """
    from dbt.cli.main import dbtRunner
    from dbt.contracts.graph.manifest import Manifest

    manifest()
    done = dbtRunner(manifest=Manifest.from_msgpack(PARSED.read_bytes())).invoke(sys.argv[1:])
    if done.exception:
        sys.stderr.write(f"{done.exception}\n")
    raise SystemExit(0 if done.success else 1)


@contextmanager
def building(paths: Paths) -> Iterator[None]:
    """Marts that a failing build leaves behind are not read: their seal is broken first, and set again at the end."""
    paths.marts.mkdir(parents=True, exist_ok=True)
    (paths.marts / SEAL).unlink(missing_ok=True)
    yield
    (paths.marts / SEAL).write_text("all tests of this build passed\n", encoding="utf-8")


def build(paths: Paths, niveau_produit: str, periode: str, quarantaine_max_pct: float = 1.0) -> None:
    """`dbt build` without Dagster. Raises DataError with dbt's last lines when a model or a test fails."""
    with building(paths):
        _run([EXECUTABLE, *build_arguments(niveau_produit, periode, quarantaine_max_pct)], environment(paths))


def offenders(paths: Paths, test: str, limit: int) -> tuple[str, list[dict[str, Any]]]:
    """What a failed test found, in words and as its first rows: its SQL, asked again once dbt has left the warehouse."""
    try:
        sql = next((paths.warehouse / "dbt" / "compiled").rglob(f"{test}.sql")).read_text(encoding="utf-8")
        with duckdb.connect(str(paths.warehouse / "comex.duckdb"), read_only=True) as con:
            first = con.execute(f"select * from ({sql}\n) limit {limit}").df().to_dict("records")
    except (StopIteration, duckdb.Error) as error:  # it was not compiled, or does not fit what there is: dbt's log says more
        return f"{test} could not be run: {error or 'it was not compiled'}", []
    rows = [{str(name): value for name, value in row.items()} for row in first]
    return f"{test} did not pass; {len(rows)}{' rows or more' if len(rows) == limit else ' row(s)'} found: {rows[:1]} …", rows


def _run(command: list[str], variables: dict[str, str]) -> None:
    done = subprocess.run(
        command,
        cwd=DBT_PROJECT,
        env=os.environ | {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DBT_PROFILES_DIR": str(DBT_PROJECT)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DataError(
            f"`dbt {command[1]}` was expected to pass; it ended with code {done.returncode}:\n"
            f"{done.stdout[-3000:]}{done.stderr[-1000:]}",
            where=str(DBT_PROJECT),
            cause="a data test failed, or a model does not fit this DuckDB",
            remedy="read the first failure above; `dbt build --select NAME` runs one model alone",
        )
