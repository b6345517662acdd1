"""From a source's archives to typed rows, with the checks that block all that follows.

Add here: a check on files and rows as they came. Keep out: the verdicts themselves (`archive/`), meanings of codes (dbt).
"""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg

from pipeline.archive import store, tables
from pipeline.defs.partitions import ONE_RUN
from pipeline.defs.resources import Workspace, told
from pipeline.errors import ComexError
from pipeline.progress import stage
from pipeline.sources import open_source

TABLES = {
    "echanges": "Rows of the data members, typed, nothing dropped.",
    "releases": "One row an archive of this run: vintage, flow, rows, euros.",
    "libelles": "Rows of the companion label files.",
}
# A release comes every quarter, some days sooner or later. What counts is the last run that read the source, with news or not.
QUARTERLY = dg.FreshnessPolicy.time_window(warn_window=timedelta(days=100), fail_window=timedelta(days=130))
ARCHIVES = dg.AssetKey(["raw", "archives"])
ECHANGES = dg.AssetKey(["raw", "echanges"])

BLOCKING = {
    "is_not_an_html_page": "Each archive is a file of its own kind, not a web page saved under its name.",
    "is_a_real_archive": "Each archive opens as a ZIP and the CRC of every member holds.",
    "members_stay_in_their_folder": "No member has a path that leaves the folder.",
    "is_not_a_bomb": "What the archive announces once unpacked has a plausible size.",
    "has_exactly_one_data_member": "Each archive holds one data member, under a name the customs use.",
    "has_ten_fields": "Every row has ten fields.",
    **{name: f"Every row has {expected}." for name, (_, expected, _) in tables.VERDICTS.items()},
    "a_whole_period_is_present": "Four quarters of both flows are there for the period to draw.",
}


COUNTED = "Every row has a mass, and a key of its own. Otherwise its value counts all the same; here is how much is concerned."


@dg.multi_asset(
    name="raw",
    specs=[
        dg.AssetSpec(ARCHIVES, group_name="raw", kinds={"file"}, freshness_policy=QUARTERLY, description="Kept as published."),
        *(
            dg.AssetSpec(["raw", table], deps=[ARCHIVES], group_name="raw", kinds={"parquet"}, description=text)
            for table, text in TABLES.items()
        ),
    ],
    check_specs=[
        *(dg.AssetCheckSpec(name, asset=ECHANGES, blocking=True, description=text) for name, text in BLOCKING.items()),
        dg.AssetCheckSpec("masses_and_keys_are_complete", asset=ECHANGES, description=COUNTED),
    ],
    backfill_policy=ONE_RUN,
)
def raw(workspace: Workspace) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """Keep what the source offers and extract its rows; one bad archive stops the run before anything is replaced."""
    paths = workspace.paths
    with told(paths):
        try:
            with stage("Archives"):
                source = open_source(workspace.settings, paths)
                folder = paths.raw / source.id
                kept = [store.keep(offer.path, name=offer.name, origin=offer.origin, folder=folder) for offer in source.offers]
            with stage("Lignes"):
                wanted = workspace.settings.periode
                releases = tables.build(kept, paths.raw_tables, lambda found: tables.choose_period(found, wanted))
        except ComexError as error:
            if error.check in BLOCKING:
                yield dg.AssetCheckResult(check_name=error.check, asset_key=ECHANGES, passed=False, description=str(error))
            raise
    for name in BLOCKING:
        yield dg.AssetCheckResult(check_name=name, asset_key=ECHANGES, passed=True)
    counted, warn = tables.counted_all_the_same(releases), dg.AssetCheckSeverity.WARN
    yield dg.AssetCheckResult(
        check_name="masses_and_keys_are_complete", asset_key=ECHANGES, passed=not counted, severity=warn, description=counted
    )
    listing = dg.MetadataValue.md(
        "| archive | vintage | flux | lignes | euros | sha256 |\n|---|---|---|--:|--:|---|\n"
        + "\n".join(f"| {r.nom} | {r.vintage} | {r.flux} | {r.lignes:,} | {r.valeur_eur:,} | {r.release_id} |" for r in releases)
    )
    yield dg.MaterializeResult(
        ARCHIVES,
        metadata={"source": source.label, "archives": listing, "path": dg.MetadataValue.path(paths.raw / source.id)},
        data_version=dg.DataVersion("-".join(release.release_id for release in releases)),
    )
    rows = {"echanges": sum(r.lignes for r in releases), "releases": len(releases)}
    for table in TABLES:
        yield dg.MaterializeResult(
            ["raw", table],
            metadata={"path": dg.MetadataValue.path(paths.raw_tables / table)}
            | ({"dagster/row_count": rows[table], "periode": workspace.period()} if table in rows else {}),
            data_version=dg.DataVersion("-".join(release.release_id for release in releases)),
        )
