"""What the assets of a run share: the settings, the paths, and the lock that keeps a second run out.

Add here: something that has to be opened and closed around a run. Keep out: settings' meaning (`settings.py`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib.metadata import version
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliResource
from packaging.version import Version

from pipeline.dbt import EXECUTABLE
from pipeline.errors import ComexError
from pipeline.outputs import hold, writing
from pipeline.paths import DBT_PROJECT, Paths
from pipeline.settings import Settings
from pipeline.work import Work


class Dbt(DbtCliResource):
    """dbt, called at once: before each call the original asks `dbt --version` in a process of its own and opens an adapter
    for metadata that we do not fetch, together half as long as our dbt build. Should these two hooks go, nothing breaks.
    """

    @cached_property
    def _cli_version(self) -> Version:
        return Version(version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> Any:
        return None


class Workspace(Work, dg.ConfigurableResource):
    """What a run works with. The settings come from `COMEX_*`; a launch may override the period."""

    periode: str = ""

    @property
    def settings(self) -> Settings:
        """The environment's choices, with the launch's own on top."""
        return Settings(periode=self.periode) if self.periode else Settings()

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["Workspace"]:
        """Hold the outputs for the length of the run."""
        with hold(self.paths):
            yield self


@contextmanager
def told(paths: Paths) -> Iterator[None]:
    """Turn what a user can cause into a failure in four parts; let bugs raise what they raise."""
    try:
        with writing(paths.home):
            yield
    except ComexError as error:
        raise dg.Failure(str(error), allow_retries=False) from error


@dg.definitions
def resources() -> dg.Definitions:
    """The resources by name."""
    dbt = Dbt(project_dir=str(DBT_PROJECT), profiles_dir=str(DBT_PROJECT), dbt_executable=EXECUTABLE)
    return dg.Definitions(resources={"workspace": Workspace(), "dbt": dbt})
