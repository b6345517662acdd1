"""From a source's archives to typed rows, with the checks that block all that follows.

Add here: a check on files and rows as they came. Keep out: the verdicts themselves (`archive/`), meanings of codes (dbt).
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import dagster as dg

from pipeline import controles
from pipeline.archive import intake, plausibility, rapport, tables
from pipeline.archive.intake import BLOCKING
from pipeline.defs.partitions import ONE_RUN
from pipeline.defs.qualite import result, specs
from pipeline.defs.resources import Workspace, told
from pipeline.errors import ComexError
from pipeline.fiche.provenance import versions
from pipeline.progress import stage

# A release comes every quarter, some days sooner or later. What counts is the last run that read the source, with news or not.
QUARTERLY = dg.FreshnessPolicy.time_window(warn_window=timedelta(days=100), fail_window=timedelta(days=130))
ARCHIVES = dg.AssetKey(["raw", "archives"])
LIBELLES = dg.AssetKey(["raw", "libelles"])
ECHANGES = dg.AssetKey(["raw", "echanges"])


@dg.multi_asset(
    name="raw",
    specs=[
        dg.AssetSpec(ARCHIVES, group_name="raw", kinds={"file"}, freshness_policy=QUARTERLY, description="Kept as published."),
        *(
            dg.AssetSpec(["raw", table], deps=[ARCHIVES], group_name="raw", kinds={"parquet"}, description=text)
            for table, text in tables.TABLES.items()
        ),
    ],
    check_specs=specs("raw/echanges", "raw/archives", "raw/libelles"),
    backfill_policy=ONE_RUN,
)
def raw(workspace: Workspace) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """Keep what the source offers and extract its rows; one bad archive stops the run before anything is replaced."""
    paths, settings = workspace.paths, workspace.settings
    with told(paths):
        try:
            with stage("Archives"):
                taken = intake.take(settings, paths)
            with stage("Lignes"):
                accept = partial(tables.choose_period, wanted=settings.periode, passed_over=taken.passed_over)
                releases = tables.build(taken.kept, paths.raw_tables, accept, settings.vintage)
        except ComexError as error:
            if error.check in BLOCKING:
                for name in plausibility.failed(error) or [error.check]:
                    yield result(name, ECHANGES, str(error), rapport.premieres(error))
            raise
    admitted = tables.admitted(releases)
    for name in BLOCKING:
        words, rows = admitted.get(name, ("", []))
        yield result(name, ECHANGES, words, rows, severe=not words)
    yield result(controles.COUNTED, ECHANGES, tables.counted_all_the_same(releases) or "")
    yield result(controles.BESIDE, ECHANGES, *tables.beside_their_period(releases))
    yield result(controles.AGREE, ECHANGES, *tables.contradicting_themselves(releases))
    yield result(controles.PUBLISHED, ARCHIVES, "\n".join(map(str, taken.told_all(releases))))
    yield result(controles.DRAWABLE, LIBELLES, *workspace.undrawable_labels())
    yield result(controles.RIVALS, ARCHIVES, "\n".join(map(str, taken.rivals(releases, paths.raw_tables))))
    yield result(controles.DRIFT, ARCHIVES, "\n".join(map(str, taken.drifted)))
    read = dg.DataVersion("-".join(release.release_id for release in releases))
    facts = {
        "source": taken.label,
        "arrivals": taken.summary,
        "comparaisons": dg.MetadataValue.md("\n".join(comparison.texte for comparison in taken.comparisons) or "none"),
        "archives": dg.MetadataValue.table([dg.TableRecord(release.told) for release in releases]),
        "versions": versions(),
        "periode": workspace.period(),
        "path": dg.MetadataValue.path(taken.folder),
    }
    yield dg.MaterializeResult(ARCHIVES, metadata=facts, data_version=read)
    for table, count in tables.counts(releases).items():
        where = {"path": dg.MetadataValue.path(paths.raw_tables / table)} | ({"dagster/row_count": count} if count else {})
        yield dg.MaterializeResult(["raw", table], metadata=where, data_version=read)
