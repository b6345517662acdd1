"""Too little memory: told as such wherever it is met, with the cause that is there and no other."""

import errno
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

from pipeline import memory
from pipeline.cli import _word
from pipeline.errors import MachineError, OutputError
from pipeline.outputs import writing


def test_a_query_beyond_its_budget_is_a_shortage_and_its_budget_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "address_space", lambda: None)
    with pytest.raises(MachineError) as caught, writing(Path("/nowhere")), duckdb.connect(config={"memory_limit": "5MB"}) as con:
        con.execute("set temp_directory = ''")
        con.execute("select count(distinct i || 'x') from range(3000000) t(i)").fetchall()
    assert "MiB used" in caught.value.expected_found and "4.7 MiB used" in caught.value.cause
    assert "memory_limit" in caught.value.remedy


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("can't start new thread"),
        ImportError("libx.so: failed to map segment from shared object"),
    ],
)
def test_what_the_system_refuses_is_a_shortage(error: Exception) -> None:
    assert memory.is_shortage(error)
    try:
        try:
            raise error
        except type(error) as first:
            raise ValueError("while something else was done") from first
    except ValueError as second:
        assert memory.is_shortage(second)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), ValueError("memory"), KeyError("x")])
def test_nothing_else_is(error: Exception) -> None:
    assert not memory.is_shortage(error)


def test_memory_that_is_refused_is_not_blamed_on_a_disk() -> None:
    with pytest.raises(MachineError), writing(Path("/tmp")):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")
    with pytest.raises(OutputError, match="No space left"), writing(Path("/tmp")):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("limit", "cause", "remedy"),
    [(2 << 30, "limited to 2,048 MiB (`ulimit -v`)", "ulimit -v unlimited"), (None, "other programs", "about 2 GiB")],
)
def test_the_cause_is_the_limit_that_is_set(limit: int | None, cause: str, remedy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "address_space", lambda: limit)
    told = memory.shortage("dbt", "here", "MemoryError")
    assert cause in told.cause and remedy in told.remedy
    assert "MiB" in told.expected_found


DBT = "The dbt CLI process failed with exit code `1`.\n  Out of Memory Error: failed to pin block (13.3 MiB/13.3 MiB used)\n"


@pytest.mark.parametrize("description", [None, DBT])  # an error of Python, and dbt's, which Dagster takes for a failure
def test_a_step_of_a_run_without_memory_blames_no_data_test(description: str | None) -> None:
    told = _word(failed(description, f"dagster_dbt.errors.DagsterDbtCliRuntimeError: {DBT}"), Path("last-run.log"))
    assert told.startswith("warehouse was expected to find the memory it takes") and "data test" not in told
    assert all(part in told for part in ("where: last-run.log", "likely cause:", "what to do:"))


def test_a_failure_in_four_parts_is_told_as_it_is() -> None:
    ours = str(memory.shortage("dbt", "here", "MemoryError"))
    assert _word(failed(ours, f"Failure: {ours}"), Path("last-run.log")) == ours


def failed(description: str | None, message: str) -> SimpleNamespace:
    error = SimpleNamespace(cause=None, message=message)
    failure = SimpleNamespace(description=description) if description else None
    data = SimpleNamespace(user_failure_data=failure, error=error)
    return SimpleNamespace(is_step_failure=True, step_key="warehouse", step_failure_data=data)


def test_the_kernel_s_count_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_read", {"/proc/vmstat": "pgfault 7\noom_kill 3\n", "/sys/fs/cgroup/memory.events": "oom 9\noom_kill 1\n"}.get)  # fmt: skip
    monkeypatch.setattr(memory, "_read", lambda path, read=memory._read: read(path) or "")
    assert memory.killed_so_far() == 4
