"""The errors a user can cause, each written for the person who meets it.

Add here: a class when a caller must tell a new kind of failure apart. Keep out: wording of one particular failure
(it belongs where the failure is found), and bugs (let those raise what they raise).
"""

import re
from functools import partial
from typing import Any

# What a terminal or a reader would take for a command or not see: controls but line ends and tabs, marks of direction.
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def visible(text: str) -> str:
    """The text with its unseen characters spelled out (`\\x1b`): names and lines of archives are quoted in messages."""
    return UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text)


class ComexError(Exception):
    """A failure told in four parts: what was expected and found, where, the likely cause, what to do.

    The parts are plain English sentences, with numbers; `str()` gives them one a line. `check` names the verdict that
    failed, where a quality check shows it, and `facts` the numbers and names found, for a report in another language.
    """

    def __init__(
        self,
        expected_found: str,
        *,
        where: str,
        cause: str,
        remedy: str,
        check: str | None = None,
        facts: dict[str, Any] | None = None,
    ) -> None:
        self.expected_found, self.where, self.cause, self.remedy = map(visible, (expected_found, where, cause, remedy))
        self.check = check
        self.facts = facts or {}
        super().__init__(self.expected_found, self.where, self.cause, self.remedy)

    def __reduce__(self) -> tuple:
        """Errors travel between processes; keyword arguments need telling."""
        parts = {"where": self.where, "cause": self.cause, "remedy": self.remedy, "check": self.check, "facts": self.facts}
        return partial(type(self), self.expected_found, **parts), ()

    def __str__(self) -> str:
        """The four parts, one a line."""
        return f"{self.expected_found}\n  where: {self.where}\n  likely cause: {self.cause}\n  what to do: {self.remedy}"


class SettingError(ComexError):
    """Something that was asked for does not exist: a source, a period, a territory, a product level."""


class SourceError(ComexError):
    """A source cannot be reached, or answers something else than archives."""


class ReleaseError(ComexError):
    """An archive, or a set of archives, is not what the customs publish."""


class DataError(ComexError):
    """The data were read, and cannot carry the figure that was asked."""


class RenderError(ComexError):
    """A chart, a page or a PDF could not be made: browser, font, compiler."""


class OutputError(ComexError):
    """The outputs could not be written: disk full, read-only, or held by another run."""


class MachineError(ComexError):
    """The machine ended the work: a signal, or less memory than it takes."""
