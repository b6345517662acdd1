"""In which order archives on offer came: for one vintage and flow the last that arrived stands, so the order has to have a reason.

Add here: another mark that a browser, a desktop or a web site puts on the name of a file that it saves again. Keep out: which
vintage stands (dbt), and what a name must be like to be taken (`folder.py`, `page.py`).

When a file was saved tells most. Times that lie close together tell nothing: a copied folder or a git checkout gives all its
files about the same one. Then names tell: `x (1).zip` came after `x.zip`, and `x_10.zip` after `x_9.zip`.
"""

import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import PurePath
from typing import Any

from pipeline.archive.fetch import Offer
from pipeline.archive.inspect import VINTAGE

AT_ONCE_S = 60.0  # saved within so many seconds of the one before: together, as a copy does it
FLOW = re.compile(r"(?i)import|export")
DAY = re.compile(r"/(20\d\d)[-/](0[1-9]|1[0-2])(?:[-/](0[1-9]|[12]\d|3[01]))?/")  # of an address such as …/2025-02/07/x.zip
# « x (1) », « x_10 » (a Drupal site), « x - Copie (2) », « x (copie) », « x copy 2 », « Copie de x ».
AFTER = re.compile(r"(?i)(?:\s*\((\d{1,3})\)|[ _-]+(\d{1,3})|[ _-]*\(?\b(?:copie|copy)\b\s*\(?(\d{0,3})\)?)$")
BEFORE = re.compile(r"(?i)^(?:copie(?: \(?(\d{1,3})\)?)? de|copy(?: \(?(\d{1,3})\)?)? of)\s+")


def in_order(offers: Iterable[Offer]) -> list[Offer]:
    """The offers, oldest first: by name as people count and, among those of one vintage and flow, by time where times tell."""
    natural = sorted(offers, key=lambda offer: (_natural(offer.name), _day(offer), offer.origin))
    places: dict[Any, list[int]] = {}
    for place, offer in enumerate(natural):
        places.setdefault(_kind(offer.name), []).append(place)
    ordered = list(natural)
    for at in places.values():
        moments = _moments([natural[place] for place in at])
        for place, (_, came) in zip(at, sorted(zip(moments, at, strict=True)), strict=True):
            ordered[place] = natural[came]
    return ordered


def unmarked(name: str) -> tuple[str, tuple[int, ...]]:
    """A file's name without its suffix and without the marks of saving it again, and these marks as numbers."""
    stem, marks = PurePath(name).stem, []
    while found := BEFORE.search(stem) or AFTER.search(stem):
        marks.insert(0, int(next(filter(None, found.groups()), 1)))
        stem = stem[: found.start()] + stem[found.end() :]
    return stem.strip(), tuple(marks)


def _natural(name: str) -> tuple[Any, ...]:
    """`x` before `x (1)`, `x_9` before `x_10`."""
    stem, marks = unmarked(name)
    parts = re.split(r"(\d+)", stem.casefold())
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts], marks, name


def _kind(name: str) -> tuple[str, str]:
    """Vintage and flow where the name tells both: what may stand for the same quarters. Else the name without its marks."""
    stem, _ = unmarked(name)
    vintage, flow = VINTAGE.search(stem), FLOW.search(stem)
    return (vintage[1], flow[0].lower()) if vintage and flow else (stem.casefold(), "")


def _day(offer: Offer) -> tuple[str, ...]:
    found = DAY.search(offer.origin)
    return tuple(part or "" for part in found.groups()) if found else ()


def _moments(offers: list[Offer]) -> list[int]:
    """Of each offer the place of its moment among theirs; all the same where one has none."""
    if any(offer.saved_at is None for offer in offers):
        days = sorted({_day(offer) for offer in offers})
        return [days.index(_day(offer)) if all(days) else 0 for offer in offers]
    times = sorted(offer.saved_at or 0.0 for offer in offers)
    starts = [times[0], *(later for sooner, later in pairwise(times) if later - sooner > AT_ONCE_S)]
    return [sum(start <= (offer.saved_at or 0.0) for start in starts) for offer in offers]
