"""Too little memory, in words: what was taken, what the machine and its limits allow, and what to do.

The cause is looked up, not guessed: limits are read, and the kernel counts the processes that it ends for want of memory.
Add here: another sign that memory ran out. Keep out: the signals of people (`supervisor.py`), and heavy imports: this is told
by a process that has no memory left, and by one that stays small.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import MachineError

MIB = 1024**2
# How Python, the C library, the loader, DuckDB and C++ say it; with a limited address space a thread's stack finds no room.
SIGNS = re.compile(
    r"MemoryError|Out of Memory Error|std::bad_alloc|Cannot allocate memory|can't start new thread|failed to map segment|"
    r"memory allocation of \d+ bytes failed"
)
MODEST = "a run needs about 2 GiB: give the machine or the container more, or stop what else runs on it"


def is_short(text: str) -> bool:
    """Do these words, of an error or of a log, say that memory ran out?"""
    return SIGNS.search(text) is not None


def is_shortage(error: BaseException) -> bool:
    """Is this error, or one that it comes from, a want of memory?"""
    return any(is_short(f"{type(each).__name__}: {each}") for each in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def shortage(what: str, where: str, said: str = "") -> MachineError:
    """`what` found too little memory; `said` is how the system put it."""
    words = next((line.strip() for line in said.splitlines() if is_short(line)), "")
    budget = re.search(r"[\d.]+ \w+/[\d.]+ \w+ used", words)
    if limit := address_space():
        cause = (
            f"the address space of a process is limited to {limit // MIB:,} MiB (`ulimit -v`), and a browser, DuckDB and threads"
        )
        cause += " reserve far more of it than they use"
        remedy = (
            "take that limit away (`ulimit -v unlimited`); to bound memory, bound what is used: `systemd-run -p MemoryMax=3G`"
        )
    elif budget:
        cause = f"a query that needs more than DuckDB is given here ({budget[0]}), even with its scratch files on disk"
        remedy = "on a machine that has more, raise `memory_limit`: in dbt_project/profiles.yml for dbt, in pipeline/archive/rows.py for rows"
    else:
        cause = "other programs of this machine, or a limit of its container"
        remedy = MODEST
    return MachineError(
        f"{what} was expected to find the memory it takes; it was refused some{f' (« {words[:300]} »)' if words else ''}."
        f" Taken so far by its largest process: {largest():,} MiB; {there()}.",
        where=where,
        cause=cause,
        remedy=remedy,
    )


def address_space() -> int | None:
    """The limit on the address space of this process, in bytes; None without one."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if soft == resource.RLIM_INFINITY else soft


def largest() -> int:
    """MiB of the largest process so far: this one, or one that it waited for."""
    try:
        import resource
    except ImportError:
        return 0
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) // 1024


def there() -> str:
    """What this machine has, and its container if that is less."""
    told = []
    found = dict(re.findall(r"(\w+):\s+(\d+) kB", _read("/proc/meminfo")))
    if {"MemTotal", "MemAvailable"} <= found.keys():
        told += [
            f"the machine has {int(found['MemTotal']) // 1024:,} MiB, of which {int(found['MemAvailable']) // 1024:,} are free"
        ]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        limit = _read(f"/sys/fs/cgroup/{name}").strip()
        if limit.isdecimal() and int(limit) < 1 << 50:
            told += [f"its container may take {int(limit) // MIB:,}"]
    return ", ".join(told) or "what the machine has is not known"


def killed_so_far() -> int:
    """Processes that the kernel has ended for want of memory, by its own count, on this machine or in this container."""
    counts = [
        re.search(r"^oom_kill (\d+)$", _read(path), re.MULTILINE)
        for path in ("/proc/vmstat", "/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
    ]
    return sum(int(count[1]) for count in counts if count)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
