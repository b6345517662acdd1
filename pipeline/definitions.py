"""What Dagster loads: everything in `defs/`, in one process (a process per step would double the time of a run)."""

import warnings
from pathlib import Path

import dagster as dg

warnings.filterwarnings("ignore", category=dg.BetaWarning)  # backfill_policy: used on purpose, its behaviour is under test

COMPONENTS = Path(__file__).parent


@dg.definitions
def defs() -> dg.Definitions:
    """The assets, checks, jobs, sensors and resources of the code location `comex`."""
    loaded = dg.load_from_defs_folder(path_within_project=COMPONENTS)
    return dg.Definitions.merge(loaded, dg.Definitions(executor=dg.in_process_executor))
