"""Can a release be as new as it says? The vintage decides which release stands, so one that cannot be is refused.

Add here: another bound that no vintage of the customs crosses. Keep out: how a vintage is read (`inspect.py`), which one stands (dbt).
"""

import re
from datetime import datetime
from pathlib import PurePosixPath

from pipeline.archive.inspect import DATED_ADDRESS, UNDATED, VINTAGE, Received
from pipeline.errors import ReleaseError

POSSIBLE = "vintage_is_not_in_the_future"
AHEAD = 1  # months: a release that is announced for the next month, or a clock that is some days late
ROLLING_LAG = 12  # months: the five last quarters come out two to five months after the last of them
ROLLING = re.compile(r"(?i)REGIONAL_CPF4PAYS[EI]\.txt$")  # member of the last quarters; years are issued again for ever


def this_month() -> str:
    """The clock's month, AAAAMM."""
    return datetime.now().strftime("%Y%m")


def refuse_impossible(received: Received, origin: str, trimestres: list[str]) -> None:
    """Raise ReleaseError for a vintage later than the clock or, of rolling quarters, than the quarters allow.

    `trimestres`: those that it holds, as `2024T1`; none while they are not known yet.
    """
    vintage, month = received.contents.vintage, this_month()
    if vintage != UNDATED and _months(vintage) > _months(month) + AHEAD:
        raise _refusal(
            received, origin, f"A vintage up to {_after(month, AHEAD)} was expected", f"this machine's clock says {month}"
        )
    last = max(trimestres, default="")
    end = f"{last[:4]}{int(last[5]) * 3:02d}" if last else ""
    typed = VINTAGE.search(received.name)
    if end and typed and ROLLING.search(received.contents.data_member) and _months(vintage) > _months(end) + ROLLING_LAG:
        expected = f"A vintage up to {_after(end, ROLLING_LAG)} was expected of the last quarters up to {last}"
        raise _refusal(received, origin, expected, f"{_months(vintage) - _months(end)} months after they ended")


def _refusal(received: Received, origin: str, expected: str, found: str) -> ReleaseError:
    vintage = received.contents.vintage
    source, cause, remedy = _read_from(received, origin)
    return ReleaseError(
        f"{expected}; {received.name} has {vintage}, {found}. Nothing newer could ever stand in its place.",
        where=f"{origin or received.path}; the month is read from {source}",
        cause=cause,
        remedy=f"{remedy}; if the clock of this machine is wrong, set it; then run again",
        check=POSSIBLE,
        facts={"millesime": vintage, "horloge": this_month(), "lu": source},
    )


def _read_from(received: Received, origin: str) -> tuple[str, str, str]:
    """What the month was read from, and so what is wrong and what to do."""
    if VINTAGE.search(received.name):
        return "the archive's name", "a typing error in the name", "give the archive the name under which the customs publish it"
    if VINTAGE.search(received.contents.data_member):
        return "the data member's name", "a typing error in the member's name", "take the archive as the customs publish it"
    if DATED_ADDRESS.search(origin):
        return (
            "the archive's address",
            "an address that tells no date of publication",
            "save the archive into a folder, under its name",
        )
    return (
        f"the dates inside the ZIP or the quarters of {PurePosixPath(received.contents.data_member).name}",
        "the clock of the machine that made the ZIP, or quarters that have not begun",
        "put the month of publication before the archive's name, as in 202502-Regional-2024-export.zip",
    )


def _months(month: str) -> int:
    return int(month[:4]) * 12 + int(month[4:]) - 1


def _after(month: str, months: int) -> str:
    year, rest = divmod(_months(month) + months, 12)
    return f"{year}{rest + 1:02d}"
