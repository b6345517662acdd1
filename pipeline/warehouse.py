"""From kept archives to marts in a place of its own, without Dagster: for what is made again only to be compared.

Add here: nothing, ideally: the steps are those of every run (`archive/tables.py`, `dbt.py`), else nothing would be proved.
Keep out: what is compared (`verify.py`, `revisions.py`).
"""

from collections.abc import Iterable, Sequence

from pipeline import dbt
from pipeline.archive import tables
from pipeline.archive.store import Kept
from pipeline.archive.tables import Release
from pipeline.paths import Paths
from pipeline.progress import stage


def build(
    kept: Iterable[Kept],
    paths: Paths,
    niveau_produit: str,
    periodes: Sequence[str | None],
    vintage: str | None = None,
    *,
    quarantaine_max_pct: float,
) -> list[Release]:
    """The raw tables and marts of these archives below `paths`, as if nothing newer than `vintage` had arrived.

    Of `periodes` (None: the latest year) each must be complete; at most one kind of rolling period can be among them.
    Raises what `tables.build`, `tables.choose_period` and `dbt.build` raise.
    """
    with stage("Lignes"):
        releases = tables.build(
            kept, paths.raw_tables, lambda found: [tables.choose_period(found, periode) for periode in periodes], vintage
        )
    with stage("Entrepôt (dbt)"):
        rolling = next((periode for periode in periodes if periode and "T" in periode), "")
        dbt.build(paths, niveau_produit, rolling, quarantaine_max_pct)
    return releases
