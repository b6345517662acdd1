"""What a run that failed says in a terminal."""

from pathlib import Path
from types import SimpleNamespace

from pipeline.cli import _word


def test_an_interrupted_run_says_so_and_blames_no_test():
    error = SimpleNamespace(cause=None, message="dagster._core.errors.DagsterExecutionInterruptedError\n")
    event = SimpleNamespace(
        is_step_failure=True,
        step_key="raw",
        step_failure_data=SimpleNamespace(user_failure_data=None, error=error),
    )
    told = _word(event, Path("last-run.log"))
    assert told.startswith("raw was expected to end; it was interrupted.")
    assert "Ctrl-C" in told and "run again" in told and "data test" not in told
