"""The dbt project as assets: each model, seed and test under its own name, and the checks on quarantine and plausibility.

Add here: a check that needs a setting of the operator, or that tells its offenders. Keep out: rules (SQL), and identities (dbt tests).
"""

import os
from collections.abc import Iterator

import dagster as dg
from dagster_dbt import DbtCliResource, dbt_assets

from pipeline import dbt as dbt_call
from pipeline.defs.partitions import ONE_RUN
from pipeline.defs.qualite import offending, result, specs
from pipeline.defs.resources import Workspace, told
from pipeline.fiche.qualite import EXEMPLES, rapporter_codes
from pipeline.marts import row_count
from pipeline.progress import stage


@dbt_assets(manifest=dbt_call.manifest(), backfill_policy=ONE_RUN, pool="warehouse")
def warehouse(context: dg.AssetExecutionContext, dbt: DbtCliResource, workspace: Workspace) -> Iterator:
    """`dbt build`: seeds, models and tests; a failing test keeps all that is downstream from being made."""
    paths = workspace.paths
    os.environ.update(dbt_call.environment(paths))
    settings = workspace.settings
    arguments = dbt_call.build_arguments(settings.niveau_produit, workspace.period(), settings.quarantaine_max_pct)
    failed: list[dg.AssetCheckResult] = []
    with told(paths), dbt_call.building(paths), stage("Entrepôt (dbt)"):
        try:
            for event in dbt.cli(arguments, context=context, target_path=paths.warehouse / "dbt").stream():
                if isinstance(event, dg.AssetCheckResult) and not event.passed:
                    failed.append(event)  # told once dbt is gone: as long as it lives nobody else reads the warehouse
                    continue
                if isinstance(event, dg.Output) and event.output_name.startswith("mart_"):
                    count = row_count(paths.marts, event.output_name)
                    event = event.with_metadata({**event.metadata, "dagster/row_count": count})
                yield event
        finally:
            for each in failed:
                words, rows = dbt_call.offenders(paths, str(each.check_name), EXEMPLES)
                yield each._replace(description=words, metadata={**each.metadata, **offending(rows)})


CHECKS = specs("mart_national_plausibilite", "mart_national_libelles", "mart_national_pertes", "mart_national_quarantaine")


@dg.multi_asset_check(specs=CHECKS)
def figures_are_plausible(workspace: Workspace) -> Iterator[dg.AssetCheckResult]:
    """Warns of what is unlikely or unknown; blocks where unknown codes exceed the operator's limit, unless accepted."""
    marts, limit = workspace.marts(), workspace.settings.quarantaine_max_pct
    blocks = workspace.quarantine_blocks(marts)
    rapporter_codes(workspace.provenance(), marts, limit, workspace.paths, bloque=blocks)
    for spec in CHECKS:
        words, rows = marts.offenders(spec.name, limit)
        severe = spec.blocking and blocks
        yield result(spec.name, spec.asset_key, words, rows, severe)
