"""One thing that was looked at: what was found, whether it holds, and what to do if not.

Add here: what every finding has. Keep out: what is looked at (`machine.py`, `source.py` …), how it is shown (`report.py`).
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from pipeline.errors import ComexError, SourceError
from pipeline.progress import CONSOLE

T = TypeVar("T")
Verdict = Literal["ok", "to watch", "wrong"]
SHOWN = 20  # lines of a list that a report quotes


@dataclass(frozen=True)
class Finding:
    """`found` and `remedy` are sentences; `lines` are quoted as they are; `facts` the same as data.

    « To watch » stops no run; « wrong » does, or makes it do something else than was meant.
    """

    part: str
    subject: str
    found: str
    verdict: Verdict = "ok"
    remedy: str = ""
    lines: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    where: str = ""
    cause: str = ""


def told(error: ComexError, part: str, subject: str, verdict: Verdict = "wrong") -> Finding:
    """An error as a finding, its four parts kept."""
    facts = {"check": error.check} if error.check else {}
    return Finding(part, subject, error.expected_found, verdict, error.remedy, facts=facts, where=error.where, cause=error.cause)


def looked(part: str, subject: str, look: Callable[[], Finding | list[Finding]]) -> list[Finding]:
    """What a look found; a fault that it met is a finding as well, so that the other looks go on."""
    try:
        with CONSOLE.status(f"{part}: {subject} …"):  # seen at a terminal only
            found = look()
    except ComexError as error:
        return [told(error, part, subject)]
    except OSError as error:
        remedy = "let this user read it, or look whether the disk or share is there"
        said = error.strerror or str(error) or type(error).__name__
        return [Finding(part, subject, f"The system answered: {said}.", "wrong", remedy, where=str(error.filename or ""))]
    except Exception as error:  # whatever this machine or source has in store: a report that stops halfway helps nobody
        return [
            Finding(
                part,
                subject,
                f"This could not be looked at: {type(error).__name__}: {error}.",
                "wrong",
                "send this report to those who keep the program: the fault is in it, or of a kind that it does not know",
            )
        ]
    return found if isinstance(found, list) else [found]


def within(seconds: float, what: str, call: Callable[[], T]) -> T:
    """What `call` returns, or its error; SourceError when it has not ended after so many seconds."""
    outcome: list[tuple[T | None, BaseException | None]] = []

    def run() -> None:
        try:
            outcome.append((call(), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=run, daemon=True)  # one that waits for ever does not keep the process
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise SourceError(
            f"An answer within {seconds:g} s was expected; none came.",
            where=what,
            cause="a slow or overloaded server or share, or a network that drops connections",
            remedy="open the address by hand from this machine; on a slow line, save the archives and give their folder as --source",
        )
    value, error = outcome[0]
    if error:
        raise error
    return value  # pyright: ignore[reportReturnType]


def shown(lines: Iterable[str], most: int = SHOWN) -> list[str]:
    """The first lines, and how many others."""
    lines = list(lines)
    return lines[:most] + ([f"… and {len(lines) - most:,} more"] if len(lines) > most else [])
