"""What an operator asks of the kept archives: which there are, whether they are whole, and to take one out.

Add here: another question about what is kept. Keep out: how archives lie on the disk (`store.py`), options and printing (`cli.py`).
"""

import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from pipeline.archive import store
from pipeline.archive.inspect import FLUX, digest
from pipeline.archive.rows import CHUNK
from pipeline.archive.store import Entry
from pipeline.errors import SettingError
from pipeline.outputs import hold, writing
from pipeline.paths import Paths

LEAST_ID = 6  # digits of an id that are enough


@dataclass(frozen=True)
class Shelf:
    """The kept archives of one source: its folder under `raw`, and its log of arrivals."""

    folder: Path
    entries: list[Entry]


def shelves(paths: Paths, source: str | None = None) -> list[Shelf]:
    """What is kept, by source; of `source` (the name of its folder under `raw`) alone if given.

    Raises SettingError when nothing is kept of it, ReleaseError for a log that cannot be read.
    """
    found = [path.parent for path in sorted(paths.raw.glob("*/datapackage.json")) if source in (None, path.parent.name)]
    if source is not None and not found:
        known = ", ".join(sorted(path.parent.name for path in paths.raw.glob("*/datapackage.json"))) or "none"
        raise SettingError(
            f"Archives of the source {source!r} were expected; the folders of kept sources are: {known}.",
            where=str(paths.raw),
            cause="a typing error, another home, or a source that was never read here",
            remedy="give --source as for `comex build`, and the same --home",
        )
    return [Shelf(folder, store.entries(folder)) for folder in found]


def listed(shelf: Shelf) -> list[str]:
    """A line for the source, and a line or two for each archive, oldest arrival first."""
    stands = _stands_for(shelf.entries)
    lines = [f"{shelf.folder.name}: {len(shelf.entries)} archives in {shelf.folder}"]
    for entry in shelf.entries:
        notes = [
            f"stands for {stands[entry['rang']]}" if entry["rang"] in stands else "stands for nothing",
            *([f"on offer no more since {entry['withdrawn_since'][:10]}"] if "withdrawn_since" in entry else []),
            *([f"accepted: {_words(entry['accepted'])}"] if entry.get("accepted") else []),
        ]
        lines += [
            f"  {release_id(entry)}  {entry['vintage']}  {FLUX[entry['flux']]}  {_quarters(entry)}  {entry['archived_at'][:10]}"
            f"  {entry['bytes']:,} bytes  {entry['title']}",
            f"      from {entry['sources'][0]['title']}; {'; '.join(notes)}",
        ]
    return lines


def check(shelf: Shelf) -> list[str]:
    """Read every byte that is kept: sha256, and the CRC of every member. What does not hold, a line each; none if all does."""
    lines = []
    for entry in shelf.entries:
        path = shelf.folder / entry["path"]
        if problem := _problem(path, entry):
            lines.append(f"  {release_id(entry)}  {entry['title']}: {problem}; {store.removal(shelf.folder, release_id(entry))}")
    named = {shelf.folder / entry["path"] for entry in shelf.entries}
    lines += [
        f"  {path}: a file that no entry of the log names, left by a run or a removal that was killed; delete it"
        for path in sorted(shelf.folder.glob("[0-9]*/*.zip"))
        if path not in named
    ]
    return lines


def chosen(shelves: list[Shelf], wanted: str) -> tuple[Shelf, list[Entry]]:
    """The archive that `wanted` names, by its id (or the start of it) or by its name in the log; all arrivals of its bytes for an id.

    Raises SettingError when it names none, or more than one.
    """
    found = [(shelf, entry) for shelf in shelves for entry in shelf.entries if _is_named(entry, wanted)]
    if not found or len({(shelf.folder, entry["hash"]) for shelf, entry in found}) > 1:
        there = ", ".join(f"{release_id(entry)} ({shelf.folder.name}: {entry['name']})" for shelf, entry in found[:8])
        raise SettingError(
            f"One kept archive was expected; {wanted!r} names {len(found)}" + (f": {there}." if found else "."),
            where=", ".join(str(shelf.folder) for shelf in shelves) or "no archive is kept here",
            cause="the start of an id that is too short or kept from two sources" if found else "a typing error, or another home",
            remedy="`comex archive list` shows the ids; give --source as well when one is kept from two sources",
        )
    return found[0][0], [entry for _, entry in found]


def remove(shelf: Shelf, entries: list[Entry], paths: Paths) -> list[str]:
    """Take these arrivals out of the archive, with what was made of them, while no run is at work; lines that say what is so then.

    The log keeps them under `removed`. The same bytes are judged and kept again when a run finds them on offer.
    """
    rangs = {entry["rang"] for entry in entries}
    with hold(paths):
        out = store.remove(shelf.folder, lambda entry: entry["rang"] in rangs)
        left = {entry["hash"] for entry in store.entries(shelf.folder)}
        with writing(shelf.folder):
            _forget_comparisons(shelf.folder / "comparaisons", out)
            for gone in {release_id(entry) for entry in out if entry["hash"] not in left}:
                for path in (*paths.raw_tables.glob(f"*/{gone}.parquet"), paths.raw_tables / "facts" / f"{gone}.json"):
                    path.unlink(missing_ok=True)
    return [
        f"{len(out)} taken out; {len(store.entries(shelf.folder))} archives are kept of {shelf.folder.name}",
        "existing fiches are unchanged until the next `comex build`; the log keeps the entry under `removed`",
        *(
            f"if {entry['sources'][0]['title']} still offers it, the next run judges it and takes it again: take it away there too"
            for entry in out
            if "withdrawn_since" not in entry
        ),
    ]


def release_id(entry: Entry) -> str:
    """What rows, tables and messages name an archive by: the first 12 digits of its sha256."""
    return entry["hash"].removeprefix("sha256:")[:12]


def _is_named(entry: Entry, wanted: str) -> bool:
    by_id = len(wanted) >= LEAST_ID and entry["hash"].removeprefix("sha256:").startswith(wanted.lower())
    return by_id or entry["name"] == wanted


def _problem(path: Path, entry: Entry) -> str:
    try:
        if not path.is_file():
            return "its file is not there"
        if digest(path) != entry["hash"].removeprefix("sha256:"):
            return f"its file has {path.stat().st_size:,} bytes with another sha256 ({entry['bytes']:,} were kept)"
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                with archive.open(member) as opened:
                    while opened.read(CHUNK):
                        pass
    except OSError as error:
        return f"its file cannot be read: {error.strerror or error}"
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError) as error:
        return f"a member cannot be unpacked: {error}"
    return ""


def _stands_for(entries: list[Entry]) -> dict[int, str]:
    """By `rang`, the quarters that an arrival stands for: of each flow and quarter the newest vintage, the last that arrived."""
    by_quarter: dict[tuple[str, str], int] = {}
    for entry in sorted(entries, key=lambda entry: (entry["vintage"], entry["rang"])):
        by_quarter |= {(entry["flux"], quarter): entry["rang"] for quarter in entry.get("quarters", [])}
    found: dict[int, list[str]] = {}
    for (_, quarter), rang in by_quarter.items():
        found.setdefault(rang, []).append(quarter)
    return {rang: " ".join(sorted(quarters)) for rang, quarters in found.items()}


def _quarters(entry: Entry) -> str:
    quarters = sorted(entry.get("quarters", []))
    return f"{quarters[0]}–{quarters[-1]}" if quarters else "quarters not on record"


def _words(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple | dict) else str(value)


def _forget_comparisons(folder: Path, out: list[Entry]) -> None:
    """Delete the comparisons of these arrivals, and those of later ones with them: the next run makes these again."""
    rangs, names = {entry["rang"] for entry in out}, {entry["title"] for entry in out}
    for path in folder.glob("*.json"):
        rapport = json.loads(path.read_text(encoding="utf-8"))
        beside = {fact.get("archive_avant") for fact in rapport["trimestres"]} | {
            fact["archive"] for fact in rapport["trimestres_absents"]
        }
        if rapport["rang"] in rangs or names & beside:
            path.with_suffix(".md").unlink(missing_ok=True)
            path.unlink()
