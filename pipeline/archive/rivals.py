"""Two archives of one vintage and flow that are both current and do not agree: which one stands, and how many euros lie between.

Add here: another way in which archives contradict each other. Keep out: which one stands (dbt), what an arrival changed
(`compare.py`): a release issued again under its own name replaces the former one and is told there.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.archive import rows, store
from pipeline.archive.inspect import FLUX
from pipeline.archive.store import Kept
from pipeline.archive.tables import Release, standing
from pipeline.errors import ComexError, ReleaseError
from pipeline.typographie import euros

AGREE = "releases_of_a_vintage_agree"


def told(kept: Iterable[Kept], folder: Path, tables_folder: Path, releases: Iterable[Release]) -> list[ComexError]:
    """A notice for each pair: the archive that stands for some quarters of the run's `releases`, and one that has others.

    `kept`: the arrivals under `folder`. Of each origin only the last counts, and not if it left the source.
    """
    on_offer = {entry["rang"] for entry in store.newest(folder).values() if "withdrawn_since" not in entry}
    by_id = {each.id: each for each in kept}
    current = [each for each in by_id.values() if each.rang in on_offer]

    def fact(release_id: str, quarter: str) -> dict[str, Any] | None:
        return rows.extract(by_id[release_id], tables_folder)["par_trimestre"].get(quarter)

    between: dict[tuple[Release, str], dict[str, int]] = {}
    for (flux, quarter), stands in standing(releases).items():
        for rival in current:
            if rival.id == stands.release_id or (rival.contents.flux, rival.contents.vintage) != (flux, stands.vintage):
                continue
            ours, theirs = fact(stands.release_id, quarter), fact(rival.id, quarter)
            if ours and theirs and ours["digest"] != theirs["digest"]:
                between.setdefault((stands, rival.id), {})[quarter] = ours["valeur_eur"] - theirs["valeur_eur"]
    return [_notice(stands, by_id[rival], folder, quarters) for (stands, rival), quarters in between.items()]


def _notice(stands: Release, rival: Kept, folder: Path, quarters: dict[str, int]) -> ReleaseError:
    told = ", ".join(f"{quarter} {euros(amount, signe=True)}" for quarter, amount in sorted(quarters.items()))
    return ReleaseError(
        f"One archive for the {FLUX[stands.flux]}s of vintage {stands.vintage} was expected; two differ, and {stands.nom} stands since"
        f" it arrived last. France in it, against {rival.name}: {told}; in all {euros(sum(quarters.values()), signe=True)}.",
        where=f"{stands.origine}; {rival.origin}",
        cause="the customs issued the release again, or one of the files was altered or saved under a wrong name",
        remedy="look which one is meant, and take the other away from the source; if it is the one that stands, take it out of"
        f" the archive too: {store.removal(folder, stands.release_id)}",
        check=AGREE,
    )
