"""What a source offers comes into the archive: fetched when it changed, judged down to its rows, kept, compared with what stood.

Add here: what an operator must be told of an arrival. Keep out: verdicts (`inspect.py`, `labels.py`, `rows.py`, `agreement.py`,
`vintage.py`, `plausibility.py`), how bytes travel (`fetch.py`) and lie on the disk (`store.py`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.archive import agreement, compare, drift, labels, plausibility, rapport, rivals, rows, store, tables, vintage
from pipeline.archive.drift import Drift
from pipeline.archive.fetch import WITHDRAWN, Offer, Validators
from pipeline.archive.inspect import UNDATED, Received, digest, inspect, refuse_other_names
from pipeline.archive.store import Kept
from pipeline.errors import ComexError, OutputError, ReleaseError
from pipeline.outputs import writing
from pipeline.paths import Paths
from pipeline.settings import Settings
from pipeline.sources import Source, open_source, passed, source_id
from pipeline.typographie import nombre

# The verdicts that stop a run, as sentences; an error's `check` is one of these names.
BLOCKING = {
    "is_not_an_html_page": "Each archive is a file of its own kind, not a web page saved under its name.",
    "is_a_real_archive": "Each archive opens as a ZIP and the CRC of every member holds.",
    "members_stay_in_their_folder": "No member has a path that leaves the folder.",
    "is_not_a_bomb": "What the archive announces once unpacked has a plausible size.",
    "has_exactly_one_data_member": "Each archive holds one data member, under a name the customs use.",
    "has_ten_fields": "Every row has ten fields.",
    "names_agree": "The names of an archive and of its data member announce the same flow and year.",
    **{name: f"Every row has {expected}." for name, (_, expected) in rows.VERDICTS.items()},
    "has_no_header": "No row is a header.",
    **agreement.VERDICTS,
    **labels.VERDICTS,
    vintage.POSSIBLE: "No release has a vintage later than the clock, or than the last of its rolling quarters allows.",
    "values_are_published": "Rows have a value, but for a share (COMEX_QUARANTAINE_MAX_PCT) where a marker suppresses it.",
    **{name: sentence for name, (sentence, _) in plausibility.CHECKS.items()},
    "a_whole_period_is_present": "Four quarters of both flows are there for the period to draw.",
}
TOLD_UP_TO = 4  # arrivals in the summary of a run; the others are in the listing


@dataclass(frozen=True)
class Taken:
    """The archive of a source after an intake: all that is kept, what arrived now, and what has to be told."""

    kept: list[Kept]
    label: str  # of the source
    folder: Path  # of its archives
    summary: str
    comparisons: list[compare.Comparison] = field(default_factory=list)
    notices: list[ComexError] = field(default_factory=list)  # of the source
    withdrawn: dict[str, tuple[str, bool]] = field(default_factory=dict)  # origin → since when, and whether that is new
    drifted: list[ComexError] = field(default_factory=list)  # arrivals that were kept, and differ from the former ones
    passed_over: str = ""  # what the source holds and does not offer, with the reasons

    def rivals(self, releases: Iterable[tables.Release], tables_folder: Path) -> list[ComexError]:
        """Pairs of archives of one vintage and flow that do not agree, where one of them stands."""
        return rivals.told(self.kept, self.folder, tables_folder, releases)

    def told_all(self, releases: Iterable[tables.Release]) -> list[ComexError]:
        """What does not stop a run and has to be told: the source's notices, and what left it."""
        notice = _withdrawn_notice(self, releases)
        return [*self.notices, notice] if notice else self.notices


def take(settings: Settings, paths: Paths) -> Taken:
    """What the settings' source has, in the archive; the source is not asked when the vintage asked for is kept."""
    folder = paths.raw / source_id(settings)
    if settings.vintage and any(entry["vintage"] == settings.vintage for entry in store.entries(folder)):
        kept = _readable(folder, paths.raw_tables)
        return Taken(kept, settings.source, folder, "archives served from the store; the source was not asked")
    allowed = plausibility.Allowed(settings.ecart_lignes_max_pct, settings.quarantaine_max_pct, settings.accepted)
    return take_in(open_source(settings, paths), folder, paths, allowed)


def take_in(source: Source, folder: Path, paths: Paths, allowed: plausibility.Allowed = plausibility.STRICT) -> Taken:
    """Keep under `folder` what the source offers and the archive has not, each judged first; then compare the arrivals.

    Good archives are kept even if others are refused. Raises the first refusal, which names the others too; ReleaseError
    as well when kept bytes are damaged and no longer on offer. What drifted, refused or not, has a report in `paths.rapports`.
    """
    tables_folder = paths.raw_tables
    with writing(folder):
        store.tidy(folder)
        rows.tidy(tables_folder)
    arrived: list[Kept] = []
    drifted: list[ComexError] = []
    gone: set[str] = set()
    refused: list[tuple[Offer, ComexError]] = []
    for offer in source.offers:
        try:
            kept, notice = _take_one(source, offer, folder, paths, allowed)
            arrived += [kept] if kept else []
            drifted += [notice] if notice else []
        except OutputError:
            raise
        except ComexError as error:
            if error.check == WITHDRAWN and offer.origin in store.newest(folder):
                gone.add(offer.origin)
            else:
                refused.append((offer, error))
    if refused:
        raise _all_told(refused)
    withdrawn = store.note_withdrawn(folder, gone | _missing(source, folder))
    kept = _readable(folder, paths.raw_tables)
    with writing(folder):
        comparisons = compare.write_missing(kept, folder / "comparaisons", tables_folder)
    lines = [comparison.line for comparison in comparisons]
    head = f"{len(arrived)} new archives, {len(source.offers) - len(arrived) - len(gone)} unchanged"
    more = [f"  and {len(lines) - TOLD_UP_TO} more, told in {folder / 'comparaisons'}"] if len(lines) > TOLD_UP_TO else []
    summary = "\n".join([head, *lines[:TOLD_UP_TO], *more])
    beside = passed.named(source.passed_over)
    return Taken(kept, source.label, folder, summary, comparisons, source.told, withdrawn, drifted, beside)


def _take_one(
    source: Source, offer: Offer, folder: Path, paths: Paths, allowed: plausibility.Allowed
) -> tuple[Kept | None, ComexError | None]:
    """The arrival that an offer is, if it is one, and what has to be told of it. A refusal leaves a report."""
    last = store.newest(folder).get(offer.origin)
    known = None
    if last and store.is_whole(folder, last):
        known = Validators(last.get("etag"), last.get("last_modified"), last["bytes"])
    path, received, before = None, None, {}
    try:
        fetched = source.fetch(offer, folder, known)
        if fetched is None:
            return None, None
        path = fetched.path
        received = _receive(path, offer)
        vintage.refuse_impossible(received, offer.origin, [])
        labels.read(received.path, received.contents)
        with writing(folder):
            facts = rows.extract(received, paths.raw_tables)
        if received.contents.vintage == UNDATED:  # then a release is as old as the quarters it holds
            received = replace(received, contents=replace(received.contents, vintage=facts["vintage"]))
        vintage.refuse_impossible(received, offer.origin, facts["trimestres"].split())
        is_new = last is None or last["hash"] != f"sha256:{received.sha256}"
        quarters = facts["par_trimestre"]
        before = drift.standing(received, folder, paths.raw_tables) if is_new else {}
        accepted = _already_accepted(received, folder)
        if is_new and accepted is None:
            accepted = _suppressed(received, facts, allowed) | plausibility.judge(received, quarters, before, allowed)
        changes = drift.changes(received, quarters, folder) if is_new else []
        about = {"rows": facts["lignes"], "euros": facts["valeur_eur"], "quarters": facts["trimestres"].split()}
        about |= {"accepted": accepted} if accepted else {}
        kept = store.keep(received, origin=offer.origin, folder=folder, validators=fetched.validators, about=about)
        return (kept, _reported(received, offer, changes, before, paths)) if is_new else (None, None)
    except ComexError as error:
        if error.check not in BLOCKING:
            raise
        if received and not before:
            before = drift.standing(received, folder, paths.raw_tables)
        recu = rapport.recu(offer.name, offer.origin, path, received.contents if received else None)
        report = rapport.chemin(paths.rapports, recu)
        with writing(paths.rapports):
            rapport.ecrire(
                report, recu, plausibility.drifts(error) or [error], bloque=True, en_place=before, periodes=paths.periodes()
            )
        told = _told_of(error, report)
        raise (_removable(told, folder, received.id) if received and _is_kept(folder, received) else told) from error
    finally:
        if offer.path is None and path:
            path.unlink(missing_ok=True)


def _suppressed(received: Received, facts: dict[str, Any], allowed: plausibility.Allowed) -> dict[str, str]:
    """What is accepted of suppressed values: the check and what was found; nothing where they are few. Raises ReleaseError."""
    try:
        rows.refuse_suppressed(received, facts, allowed.empty_pct)
    except ReleaseError as error:
        if not allowed.accepts(str(error.check)):
            raise
        found = f"{nombre(facts['valeurs_supprimees'])} lignes sur {nombre(facts['lignes'])} n’ont qu’une marque à la place de leur valeur"
        return {str(error.check): found}
    return {}


def _already_accepted(received: Received, folder: Path) -> dict[str, str] | None:
    """What was accepted of these bytes when they first arrived; None for bytes that were never judged."""
    same = [entry for entry in store.entries(folder) if entry["hash"] == f"sha256:{received.sha256}"]
    return same[-1].get("accepted", {}) if same else None


def _readable(folder: Path, tables_folder: Path) -> list[Kept]:
    """All that is kept under `folder`, judged again: what an older version let in is told with the command that takes it out."""
    kept = store.kept(folder)
    for each in kept:
        try:
            vintage.refuse_impossible(each, each.origin, [])
            labels.read(each.path, each.contents)
            with writing(folder):
                rows.extract(each, tables_folder)
        except ReleaseError as error:
            raise _removable(error, folder, each.id) from error
    return kept


def _is_kept(folder: Path, received: Received) -> bool:
    return any(entry["hash"] == f"sha256:{received.sha256}" for entry in store.entries(folder))


def _removable(error: ComexError, folder: Path, release_id: str) -> ComexError:
    """The same error about an archive that is kept already, with the command that takes it out."""
    remedy = f"it is kept, from before this was checked; take it out: {store.removal(folder, release_id)}; then {error.remedy}"
    return type(error)(
        error.expected_found, where=error.where, cause=error.cause, remedy=remedy, check=error.check, facts=error.facts
    )


def _reported(received: Received, offer: Offer, changes: list[Drift], before: drift.Before, paths: Paths) -> ComexError | None:
    """Write the report on an arrival that was kept and drifted, and say so; else take away the one of its refusal."""
    recu = rapport.recu(offer.name, offer.origin, received.path, received.contents)
    report = rapport.chemin(paths.rapports, recu)
    if not changes:
        report.unlink(missing_ok=True)
        return None
    with writing(paths.rapports):
        rapport.ecrire(report, recu, changes, bloque=False, en_place=before, periodes=paths.periodes())
    told = "; ".join(f"{change.check}: {change.facts}" for change in changes)
    return ReleaseError(
        f"{offer.name} was expected to resemble the former release; it is kept, and differs: {told}.",
        where=f"{offer.origin}; report in French: {report}",
        cause="the customs changed the way they publish",
        remedy="read the report, and send it to the producer if the change is not meant",
        check="releases_resemble_the_former_ones",
    )


def _told_of(error: ComexError, report: Path) -> ComexError:
    """The same error, with the place of its report."""
    where = f"{error.where}; report in French: {report}"
    return type(error)(
        error.expected_found, where=where, cause=error.cause, remedy=error.remedy, check=error.check, facts=error.facts
    )


def _receive(path: Path, offer: Offer) -> Received:
    try:
        received = Received(offer.name, path, digest(path), inspect(path, offer.name, offer.origin))
    except OSError as error:
        raise ReleaseError(
            f"An archive that can be read was expected; {offer.name} cannot be: {error.strerror or error}.",
            where=str(path),
            cause="a file that belongs to another user, or a disk or share that failed",
            remedy="make the file readable for the user who runs this, or download it again",
            check="is_a_real_archive",
        ) from error
    refuse_other_names(received)
    return received


def _missing(source: Source, folder: Path) -> set[str]:
    """Origins that the source no longer lists, unless their bytes are offered elsewhere or the list may be incomplete."""
    if source.notices:
        return set()
    newest = store.newest(folder)
    offered = {offer.origin for offer in source.offers}
    bytes_on_offer = {newest[origin]["hash"] for origin in offered & newest.keys()}
    return {origin for origin, entry in newest.items() if origin not in offered and entry["hash"] not in bytes_on_offer}


def _all_told(refused: list[tuple[Offer, ComexError]]) -> ComexError:
    (_, first), *others = refused
    if not others:
        return first
    told = "".join(f"\n  refused too: {offer.name}: {error.expected_found}" for offer, error in others)
    return type(first)(first.expected_found + told, where=first.where, cause=first.cause, remedy=first.remedy, check=first.check)


def _withdrawn_notice(taken: Taken, releases: Iterable[tables.Release]) -> ComexError | None:
    """Which releases left the source while figures rest on them, or left it since the last run; None when none did."""
    giving: dict[str, list[str]] = {}
    for (_, quarter), release in tables.standing(releases).items():
        giving.setdefault(release.release_id, []).append(quarter)
    last = {kept.origin: kept for kept in taken.kept}
    lines = []
    for origin, (since, is_new) in taken.withdrawn.items():
        kept = last[origin]
        quarters = " ".join(sorted(giving.get(kept.id, [])))
        if quarters or is_new:
            stands = (
                f"its bytes are kept and still stand for {quarters}" if quarters else "newer releases stand for all its quarters"
            )
            lines.append(f"{kept.name} (vintage {kept.contents.vintage}) is on offer no more since {since[:10]}; {stands}")
    if not lines:
        return None
    return ReleaseError(
        f"{len(last)} releases were expected on offer; " + "; ".join(lines) + ".",
        where=taken.label,
        cause="the customs publish newer releases in their place, withdrew them, or files were moved out of the folder",
        remedy="nothing, if newer releases stand for these quarters or the figures are still good; --vintage AAAAMM draws"
        " them without the releases of later months",
        check=WITHDRAWN,
    )
