"""How dbt is called: the folder it works in, the variables it is given, and a plain call for tests and the benchmark.

Add here: a variable that the models need. Keep out: anything the models decide.
"""

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
from filelock import FileLock

from pipeline import memory
from pipeline.errors import DataError, OutputError
from pipeline.outputs import move_whole
from pipeline.paths import DBT_PROJECT, Paths
from pipeline.settings import Settings

SEAL = "COMPLETE"  # a file beside the marts
# The environment's own, whether it is activated or not: dbt as its makers ship it, and our door to it, `main` below.
PLAIN, EXECUTABLE = (str(Path(sys.executable).with_name(name)) for name in ("dbt", "comex-dbt"))
LEFT = ("manifest.json", "partial_parse.msgpack")  # what a `dbt parse` leaves: for Dagster, and for dbt itself
UNUSED_S = 7 * 24 * 3600  # a parse that is older goes when another project is parsed


def environment(paths: Paths) -> dict[str, str]:
    """Environment variables that the project's files read."""
    return {
        "COMEX_HOME": str(
            Settings().home
        ),  # absolute, for dbt works in another folder; `paths` may be a place for the time being
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
    """dbt's manifest, parsed once for these files, versions and user; what dbt itself reads is beside it.

    It decides which SQL is run: it is read from a folder that belongs to this user and that nobody else may write, or made
    again. Raises OutputError when there is no place for one, DataError when the project cannot be parsed.
    """
    folder = _private(Paths(Settings().home).parsed, Path(tempfile.gettempdir()) / f"comex-parsed-{os.geteuid()}")
    with FileLock(folder / ".lock"):  # two processes that start at once would write it together
        if not all((folder / name).exists() for name in LEFT):
            with tempfile.TemporaryDirectory(dir=folder) as aside:
                _run([PLAIN, "parse"], {"DBT_TARGET_PATH": aside, "DBT_LOG_PATH": aside})
                for name in reversed(LEFT):
                    move_whole(Path(aside) / name, folder / name)
            for other in folder.parent.glob(f"{os.geteuid()}-*"):
                if other != folder and time.time() - other.stat().st_mtime > UNUSED_S:
                    shutil.rmtree(other, ignore_errors=True)
    return folder / LEFT[0]


def _private(*places: Path) -> Path:
    """A folder for the parse of this project, in the first of these places where it can be this user's alone."""
    for place in places:
        folder = place / f"{os.geteuid()}-{project_digest()}"
        with suppress(OSError):
            place.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            if is_private(folder) and os.access(folder, os.W_OK):
                return folder
    raise OutputError(
        f"A place for what dbt makes of its project was expected; none of {len(places)} is this user's to write.",
        where=", ".join(map(str, places)),
        cause="a read-only or full disk, or folders that belong to another user or are open to others",
        remedy="give a folder of your own with --home (COMEX_HOME), or another folder for temporary files in TMPDIR",
    )


def is_private(folder: Path) -> bool:
    """Is this a folder, and no link to one, that belongs to this user and that nobody else may write?"""
    found = folder.lstat()
    others = stat.S_IWGRP | stat.S_IWOTH
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & others


def project_digest() -> str:
    """Changes with all that a parse depends on: the project's place and files, Python and the versions of all packages."""
    lock = DBT_PROJECT.parent / "requirements.lock"
    folders = (DBT_PROJECT / name for name in ("analyses", "macros", "models", "seeds", "tests"))
    files = [*DBT_PROJECT.glob("*.yml"), *(path for folder in folders for path in folder.rglob("*") if path.is_file())]
    digest = hashlib.sha256(f"{DBT_PROJECT} {sys.version}".encode())
    for path in sorted([*files, lock]):
        digest.update(f"\0{path}\0".encode() + (path.read_bytes() if path.exists() else b""))
    return digest.hexdigest()[:16]


def main() -> None:
    """`comex-dbt`: dbt with the project as it was parsed last, whatever the outputs it works for.

    dbt itself would parse the project anew for each warehouse, since the path is part of its profile: three seconds of ten.
    That is sound as long as nothing that parsing reads depends on the environment: the profile and `macros/raw.sql` are read later.
    """
    from dbt.cli.main import dbtRunner
    from dbt.contracts.graph.manifest import Manifest

    parsed = manifest().with_name(LEFT[1]).read_bytes()
    done = dbtRunner(manifest=Manifest.from_msgpack(parsed)).invoke(sys.argv[1:])
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
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode and memory.is_short(said := done.stdout + done.stderr):
        raise memory.shortage(f"`dbt {command[1]}`", str(DBT_PROJECT), said)
    if done.returncode:
        raise DataError(
            f"`dbt {command[1]}` was expected to pass; it ended with code {done.returncode}:\n"
            f"{done.stdout[-3000:]}{done.stderr[-1000:]}",
            where=str(DBT_PROJECT),
            cause="a data test failed, or a model does not fit this DuckDB",
            remedy="read the first failure above; `dbt build --select NAME` runs one model alone",
        )
