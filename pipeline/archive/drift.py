"""Does an arrival look like the former release of the same kind? Quarters, members, encodings; no meaning of codes.

What differs is told in a report and the release is kept. Add here: another change of the source that no verdict on one archive
can see. Keep out: verdicts on one archive (`inspect.py`, `rows.py`), numbers that are refused (`plausibility.py`), what a
revision moved (`compare.py`), words (`rapport.py`).
"""

import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.archive import rows, store
from pipeline.archive.inspect import Received
from pipeline.archive.store import Kept

Before = dict[str, tuple[Kept, dict[str, Any]]]  # what stood by quarter: the archive, and what is known of that quarter


@dataclass(frozen=True)
class Drift:
    """One thing that changed: its name in `rapport.py`, and the numbers and names found."""

    check: str
    facts: dict[str, Any] = field(default_factory=dict)


def standing(received: Received, folder: Path, tables_folder: Path) -> Before:
    """What the archive under `folder` gave, before this arrival, for the quarters of its flow."""
    found: Before = {}
    for former in _formers(received, folder):
        found |= {quarter: (former, fact) for quarter, fact in rows.extract(former, tables_folder)["par_trimestre"].items()}
    return found


def changes(received: Received, quarters: Iterable[str], folder: Path) -> list[Drift]:
    """What differs from the last kept release of the same kind without making the arrival unfit. Call it before it is kept."""
    alike = [former for former in _formers(received, folder) if bool(_year(former)) == bool(_year(received))]
    if not alike:
        return []
    former, found = alike[-1], []
    now, then = _names(received), _names(former)
    renamed = {
        (then.get(kind, ""), now.get(kind, "")) for kind in {*now, *then} if _shape(then.get(kind)) != _shape(now.get(kind))
    }
    if renamed:
        found.append(Drift("members_keep_their_names", {"archive": former.name, "membres": sorted(renamed)}))
    coded, recoded = _encodings(former), _encodings(received)
    if changed := [(kind, coded[kind], recoded[kind]) for kind in sorted(coded.keys() & recoded) if coded[kind] != recoded[kind]]:
        found.append(Drift("labels_keep_their_encoding", {"archive": former.name, "fichiers": changed}))
    return found + _lost_quarters(received, set(quarters), [each for each in alike if _year(each) == _year(received)], folder)


def _lost_quarters(received: Received, now: set[str], alike: list[Kept], folder: Path) -> list[Drift]:
    """Quarters of the last release of this kind (and year) that are gone; a rolling one drops its oldest by its nature."""
    if not alike:
        return []
    entry = next(entry for entry in store.entries(folder) if entry["rang"] == alike[-1].rang)
    lost = sorted(q for q in entry.get("quarters", []) if q not in now and (_year(received) or q > min(now)))
    return [Drift("no_quarter_disappears", {"archive": alike[-1].name, "trimestres": lost})] if lost else []


def _formers(received: Received, folder: Path) -> list[Kept]:
    """Whole arrivals of the same flow that are not newer, the one that stands last."""

    def older(entry: store.Entry) -> bool:
        if entry["flux"] != received.contents.flux or entry["vintage"] > received.contents.vintage:
            return False
        return entry["hash"] != f"sha256:{received.sha256}" and store.is_whole(folder, entry)

    return sorted(store.kept(folder, older), key=lambda kept: (kept.contents.vintage, kept.rang))


def _year(received: Received) -> str:
    """The year that the data member's name tells; none for rolling quarters."""
    found = re.search(r"_(\d{4})_", PurePosixPath(received.contents.data_member).name)
    return found[1] if found else ""


def _names(received: Received) -> dict[str, str]:
    members = {received.contents.data_member: "données", **received.contents.label_members}
    return {kind: PurePosixPath(member).name for member, kind in members.items()}


def _shape(name: str | None) -> str | None:
    """A member's name whatever its year and its case."""
    return re.sub(r"\d{4}", "AAAA", name).casefold() if name else None


def _encodings(received: Received) -> dict[str, str]:
    """The encoding of each label file, as `labels.read` finds it."""
    found = {}
    with zipfile.ZipFile(received.path) as archive:
        for member, kind in received.contents.label_members.items():
            payload = archive.read(member)
            try:
                payload.decode("utf-8")
                found[kind] = "UTF-8 avec BOM" if payload.startswith(b"\xef\xbb\xbf") else "UTF-8"
            except UnicodeDecodeError:
                found[kind] = "Windows-1252"
    return found
