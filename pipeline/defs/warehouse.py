"""The dbt project as assets: each model, seed and test under its own name, and the checks on quarantine and plausibility.

Add here: a check that needs a setting of the operator, or that tells its offenders. Keep out: rules (SQL), and identities (dbt tests).
"""

import os
from collections.abc import Iterator

import dagster as dg
from dagster_dbt import DbtCliResource, dbt_assets
from dagster_dbt.errors import DagsterDbtCliRuntimeError

from pipeline import dbt as dbt_call
from pipeline.defs.partitions import ONE_RUN
from pipeline.defs.qualite import offending, specs
from pipeline.defs.resources import Workspace, told
from pipeline.fiche.qualite import EXEMPLES, rapporter_codes
from pipeline.marts import row_count
from pipeline.paths import Paths
from pipeline.progress import stage


@dbt_assets(manifest=dbt_call.manifest(), backfill_policy=ONE_RUN, pool="warehouse")
def warehouse(context: dg.AssetExecutionContext, dbt: DbtCliResource, workspace: Workspace) -> Iterator:
    """`dbt build`: seeds, models and tests; a failing test keeps all that is downstream from being made."""
    paths = workspace.paths
    os.environ.update(dbt_call.environment(paths))
    settings = workspace.settings
    arguments = dbt_call.build_arguments(settings.niveau_produit, workspace.period())
    failed: list[dg.AssetCheckResult] = []
    with told(paths), dbt_call.building(paths), stage("Entrepôt (dbt)"):
        try:
            for event in dbt.cli(arguments, context=context, target_path=paths.warehouse / "dbt").stream():
                if isinstance(event, dg.AssetCheckResult) and not event.passed:
                    failed.append(event)  # told once dbt is gone: as long as it lives nobody else reads the warehouse
                    continue
                if isinstance(event, dg.Output) and event.output_name.startswith("mart_"):
                    event = event.with_metadata(
                        {**event.metadata, "dagster/row_count": row_count(paths.marts, event.output_name)}
                    )
                yield event
        except DagsterDbtCliRuntimeError:
            yield from (_with_rows(result, paths) for result in failed)
            raise
        yield from (_with_rows(result, paths) for result in failed)


def _with_rows(result: dg.AssetCheckResult, paths: Paths) -> dg.AssetCheckResult:
    """The result of a dbt test that failed, with the first rows that it found."""
    found = int(str(getattr(result.metadata.get("dagster_dbt/failed_row_count"), "value", 0)))
    rows = dbt_call.offenders(paths, str(result.check_name), EXEMPLES)
    words = f"{result.check_name}: {found:,} rows found" + (f", the first: {rows[0]}" if rows else "")
    return result._replace(description=words, metadata={**result.metadata, **offending(rows, found)})


CHECKS = specs("mart_national_plausibilite", "mart_national_quarantaine")


@dg.multi_asset_check(specs=CHECKS)
def figures_are_plausible(workspace: Workspace) -> Iterator[dg.AssetCheckResult]:
    """Warns of what is unlikely or unknown; blocks where unknown codes exceed the operator's limit."""
    marts, limit = workspace.marts(), workspace.settings.quarantaine_max_pct
    rapporter_codes(workspace.provenance(), marts, limit, workspace.paths)
    for spec in CHECKS:
        words, rows = marts.offenders(spec.name, limit)
        severe = spec.blocking and marts.quarantine_exceeds(limit)
        yield dg.AssetCheckResult(
            check_name=spec.name,
            asset_key=spec.asset_key,
            passed=not words,
            severity=dg.AssetCheckSeverity.ERROR if severe else dg.AssetCheckSeverity.WARN,
            description=words or spec.description,
            metadata=offending(rows),
        )
