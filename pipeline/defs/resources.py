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

from pipeline.archive import tables
from pipeline.dbt import EXECUTABLE
from pipeline.errors import ComexError
from pipeline.fiche.bind import provenance
from pipeline.fiche.provenance import Provenance
from pipeline.marts import Marts
from pipeline.outputs import hold, writing
from pipeline.paths import DBT_PROJECT, Paths
from pipeline.settings import Settings


class Dbt(DbtCliResource):
    """dbt, called at once: before each call the original asks `dbt --version` in a process of its own and opens an adapter
    for metadata that we do not fetch, together half as long as our dbt build. Should these two hooks go, nothing breaks.
    """

    @cached_property
    def _cli_version(self) -> Version:
        return Version(version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> Any:
        return None


class Workspace(dg.ConfigurableResource):
    """Settings and paths of a run. The settings come from `COMEX_*`; a launch may override the period."""

    periode: str = ""

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

    def marts_to_publish(self) -> Marts:
        """The same, refused when more is quarantined than the operator allows: a job without the check asks here too."""
        marts, limit = self.marts(), self.settings.quarantaine_max_pct
        if marts.quarantine_exceeds(limit) and (notice := marts.quarantine_notice(limit)):
            raise notice
        return marts

    def provenance(self) -> Provenance:
        """What that period was computed from."""
        return provenance(tables.read_releases(self.paths.raw_tables), self.marts())

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
