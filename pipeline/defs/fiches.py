"""The fiches as assets: one bundle a département, those of régions and France, and the index.

Add here: another thing that is made of bundles. Keep out: what a fiche says or looks like (`pipeline/fiche`).
"""

import dagster as dg

from pipeline.charts import SUJETS
from pipeline.defs.charts import NATIONAL, chart_key
from pipeline.defs.partitions import DEPARTEMENTS, ONE_RUN
from pipeline.defs.resources import Workspace, told
from pipeline.fiche.bind import told_failures
from pipeline.marts import COMMUNS, DE_FICHE
from pipeline.territoires import FRANCE, departements, regions

FICHES = dg.AssetKey(["fiches", "departement"])
FICHES_NATIONAL = dg.AssetKey(["fiches", "national"])
INDEX = dg.AssetKey(["fiches", "index"])


@dg.asset(
    key=FICHES_NATIONAL,
    deps=[NATIONAL, *map(dg.AssetKey, (*DE_FICHE["national"], *COMMUNS))],
    group_name="fiches",
    kinds={"pdf", "html"},
    description="Bundles of the 18 régions and of France.",
    backfill_policy=ONE_RUN,
)
def national_fiches(workspace: Workspace) -> dg.MaterializeResult:
    """Write the 19 bundles, or fail naming those that could not be made."""
    with told(workspace.paths):
        bound = workspace.bind([*regions().values(), FRANCE], "Fiches nationales")
    if failures := told_failures(bound):
        raise dg.Failure(failures, allow_retries=False)
    return dg.MaterializeResult(metadata={"fiches": len(bound), "path": dg.MetadataValue.path(workspace.paths.fiches)})


@dg.asset(
    key=FICHES,
    deps=[
        *(chart_key(sujet) for sujet in SUJETS),
        NATIONAL,
        *map(dg.AssetKey, (*DE_FICHE["departement"], *COMMUNS)),
    ],
    partitions_def=DEPARTEMENTS,
    group_name="fiches",
    kinds={"pdf", "html"},
    description="The bundle of each département: PDF, HTML, figures, data, manifest.",
    backfill_policy=ONE_RUN,
)
def departement_fiches(context: dg.AssetExecutionContext, workspace: Workspace) -> None:
    """Write the bundles of the partitions of this run.

    Where some fail, the others are made and recorded all the same; then the run fails, naming the bad ones.
    """
    with told(workspace.paths):
        bound = workspace.bind([departements()[code] for code in context.partition_keys], "Fiches")
        folder = dg.MetadataValue.path(workspace.paths.fiches)
        if failures := told_failures(bound):
            for made in (item.territoire.code for item in bound if item.erreur is None):
                context.log_event(dg.AssetMaterialization(FICHES, partition=made, metadata={"path": folder}))
            raise dg.Failure(failures, allow_retries=False)
        context.add_output_metadata({"fiches": len(bound), "path": folder})


@dg.asset(
    key=INDEX,
    deps=[FICHES, FICHES_NATIONAL],
    group_name="fiches",
    kinds={"html"},
    description="The entry page: territories by région with their headline figures and links.",
    backfill_policy=ONE_RUN,
)
def entry_page(workspace: Workspace) -> dg.MaterializeResult:
    """Write index.html for the bundles that are there."""
    with told(workspace.paths):
        listed = workspace.write_index()
    return dg.MaterializeResult(metadata={"fiches": listed, "path": dg.MetadataValue.path(workspace.paths.index)})
