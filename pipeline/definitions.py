"""What Dagster loads: everything in `defs/`, in one process (a process per step would double the time of a run)."""

from pathlib import Path

import dagster as dg

COMPONENTS = Path(__file__).parent


@dg.definitions
def defs() -> dg.Definitions:
    """The assets, checks, jobs and resources of the code location `comex`."""
    loaded = dg.load_from_defs_folder(path_within_project=COMPONENTS)
    return dg.Definitions.merge(loaded, dg.Definitions(executor=dg.in_process_executor))
