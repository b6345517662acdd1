"""The dbt project as assets: each model, seed and test under its own name, and the checks on quarantine and plausibility.

Add here: a check that needs a setting of the operator, or that tells its offenders. Keep out: rules (SQL), and identities (dbt tests).
"""

import os
from collections.abc import Iterator

import dagster as dg
from dagster_dbt import DbtCliResource, dbt_assets

from pipeline import dbt as dbt_call
from pipeline.defs.partitions import ONE_RUN
from pipeline.defs.resources import Workspace, told
from pipeline.marts import CONTROLES, row_count
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
                event = event.with_metadata({**event.metadata, "dagster/row_count": row_count(paths.marts, event.output_name)})
            yield event


CHECKS = [
    dg.AssetCheckSpec(name, asset=f"mart_national_{sujet}", description=sentence, blocking=sujet == "quarantaine")
    for name, (sujet, _, sentence) in CONTROLES.items()
]


@dg.multi_asset_check(specs=CHECKS)
def figures_are_plausible(workspace: Workspace) -> Iterator[dg.AssetCheckResult]:
    """Warns of what is unlikely or unknown; blocks where unknown codes exceed the operator's limit."""
    marts, limit = workspace.marts(), workspace.settings.quarantaine_max_pct
    for spec in CHECKS:
        words, offenders = marts.offenders(spec.name, limit)
        severe = spec.blocking and marts.quarantine_exceeds(limit)
        yield dg.AssetCheckResult(
            check_name=spec.name,
            asset_key=spec.asset_key,
            passed=not words,
            severity=dg.AssetCheckSeverity.ERROR if severe else dg.AssetCheckSeverity.WARN,
            description=words or spec.description,
            metadata={"offenders": dg.MetadataValue.md(offenders or "none")},
        )
