"""The dbt project as assets: each model, seed and test under its own name, and the check on what was quarantined.

Add here: a check that needs a setting of the operator. Keep out: every other check on figures: those are dbt tests.
"""

import os
from collections.abc import Iterator

import dagster as dg
from dagster_dbt import DbtCliResource, dbt_assets

from pipeline import dbt as dbt_call
from pipeline.defs.partitions import ONE_RUN
from pipeline.defs.resources import Workspace, told
from pipeline.marts import row_count
from pipeline.progress import stage


@dbt_assets(manifest=dbt_call.manifest(), backfill_policy=ONE_RUN, pool="warehouse")
def warehouse(context: dg.AssetExecutionContext, dbt: DbtCliResource, workspace: Workspace) -> Iterator:
    """`dbt build`: seeds, models and tests; a failing test keeps all that is downstream from being made."""
    paths = workspace.paths
    os.environ.update(dbt_call.environment(paths))
    settings = workspace.settings
    arguments = dbt_call.build_arguments(settings.niveau_produit, workspace.period())
    with told(paths), dbt_call.building(paths), stage("Entrepôt (dbt)"):
        for event in dbt.cli(arguments, context=context, target_path=paths.warehouse / "dbt").stream():
            if isinstance(event, dg.Output) and event.output_name.startswith("mart_"):
                rows = {"dagster/row_count": row_count(paths.marts, event.output_name)}
                yield event.with_metadata({**event.metadata, **rows})
            else:
                yield event


@dg.asset_check(
    asset=dg.AssetKey("mart_national_quarantaine"),
    additional_deps=[dg.AssetKey("mart_national_reperes")],
    blocking=True,
    description="Codes that no table knows carry less than COMEX_QUARANTAINE_MAX_PCT of a flow; what they carry is kept out of all totals.",
)
def codes_are_known(workspace: Workspace) -> dg.AssetCheckResult:
    """Warns as soon as a row is quarantined, blocks above the operator's limit; tells codes, rows and euros."""
    marts = workspace.marts()
    limit = workspace.settings.quarantaine_max_pct
    notice = marts.quarantine_notice(limit)
    offenders = marts.quarantaine.head(200).to_markdown(index=False) if notice else ""
    return dg.AssetCheckResult(
        passed=notice is None,
        severity=dg.AssetCheckSeverity.ERROR if marts.quarantine_exceeds(limit) else dg.AssetCheckSeverity.WARN,
        description=str(notice) if notice else "All codes are known.",
        metadata={"offenders": dg.MetadataValue.md(offenders or "none")},
    )
