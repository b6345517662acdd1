"""What the assets of a run share: the settings, the paths, and the lock that keeps a second run out.

Add here: something that has to be opened and closed around a run. Keep out: settings' meaning (`settings.py`).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from dagster_dbt import DbtCliResource
from filelock import FileLock, Timeout
from pydantic import PrivateAttr

from pipeline.archive import tables
from pipeline.dbt import EXECUTABLE
from pipeline.errors import OutputError
from pipeline.marts import Marts
from pipeline.paths import DBT_PROJECT, Paths
from pipeline.settings import Settings


class Workspace(dg.ConfigurableResource):
    """Settings and paths of a run. The settings come from `COMEX_*`; a launch may override the period."""

    periode: str = ""
    _lock: FileLock | None = PrivateAttr(default=None)

    @property
    def settings(self) -> Settings:
        """The environment's choices, with the launch's own on top."""
        return Settings(periode=self.periode) if self.periode else Settings()

    @property
    def paths(self) -> Paths:
        """Where the outputs go."""
        return Paths(self.settings.home)

    def period(self) -> str:
        """The period to draw, from the releases of the last raw step."""
        return tables.choose_period(tables.read_releases(self.paths.raw_tables), self.settings.periode)

    def marts(self) -> Marts:
        """The marts of that period."""
        return Marts(self.paths.marts, self.period())

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["Workspace"]:
        """Hold the outputs for the length of the run."""
        with hold(self.paths):
            yield self


@contextmanager
def hold(paths: Paths) -> Iterator[None]:
    """Keep every other run away from these outputs. Raises OutputError when one is at work, or nothing can be written."""
    try:
        paths.home.mkdir(parents=True, exist_ok=True)
        lock = FileLock(paths.home / ".lock")
        lock.acquire(timeout=0)
    except Timeout as error:
        raise OutputError(
            "The outputs were expected to be free; another run holds them (1 run at a time).",
            where=str(paths.home / ".lock"),
            cause="a second `make fiches`, a schedule or a run launched from the Dagster UI is still at work",
            remedy="wait for it to end, or give this run a place of its own with COMEX_HOME",
        ) from error
    except OSError as error:
        raise OutputError(
            f"A folder that can be written was expected; {error.strerror or error}.",
            where=str(paths.home),
            cause="a read-only disk or folder, or one that belongs to another user",
            remedy="make it writable, or give another place with COMEX_HOME",
        ) from error
    try:
        yield
    finally:
        lock.release()


@dg.definitions
def resources() -> dg.Definitions:
    """The resources by name."""
    return dg.Definitions(
        resources={
            "workspace": Workspace(),
            "dbt": DbtCliResource(project_dir=str(DBT_PROJECT), profiles_dir=str(DBT_PROJECT), dbt_executable=EXECUTABLE),
        }
    )
