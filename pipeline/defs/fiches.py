"""The fiches as assets: one bundle a département, those of régions and France, and the index.

Add here: another thing that is made of bundles. Keep out: what a fiche says or looks like (`pipeline/fiche`).
"""

import dagster as dg

from pipeline.charts import SUJETS
from pipeline.controles import BUNDLES
from pipeline.defs import qualite
from pipeline.defs.charts import NATIONAL, chart_key
from pipeline.defs.partitions import DEPARTEMENTS, ONE_RUN
from pipeline.defs.qualite import result, specs
from pipeline.defs.resources import Workspace, told
from pipeline.fiche import lot
from pipeline.fiche.bind import Bound, told_failures
from pipeline.marts import COMMUNS, DE_FICHE
from pipeline.territoires import FRANCE, departements, regions

FICHES = dg.AssetKey(["fiches", "departement"])
FICHES_NATIONAL = dg.AssetKey(["fiches", "national"])
INDEX = dg.AssetKey(["fiches", "index"])


def _whole(workspace: Workspace, bound: list[Bound], asset: dg.AssetKey) -> dg.AssetCheckResult:
    """The check between fiches and index."""
    folder = workspace.paths.fiches / workspace.period()
    faults = [fault for item in bound if item.est_faite for fault in lot.defauts(folder / item.territoire.slug)]
    return result(BUNDLES, asset, lot.dits(faults), faults)


@dg.asset(
    key=FICHES_NATIONAL,
    deps=[NATIONAL, *map(dg.AssetKey, (*DE_FICHE["national"], *COMMUNS))],
    group_name="fiches",
    kinds={"pdf", "html"},
    description="Bundles of the 18 régions and of France.",
    check_specs=specs("fiches/national"),
    backfill_policy=ONE_RUN,
)
def national_fiches(workspace: Workspace) -> dg.MaterializeResult:
    """Write the 19 bundles, or fail naming those that could not be made."""
    with told(workspace.paths):
        bound = workspace.bind([*regions().values(), FRANCE], "Fiches nationales")
    if failures := told_failures(bound):
        raise dg.Failure(failures, allow_retries=False)
    metadata = {"fiches": sum(item.est_faite for item in bound), "path": dg.MetadataValue.path(workspace.paths.fiches)}
    return dg.MaterializeResult(metadata=metadata, check_results=[_whole(workspace, bound, FICHES_NATIONAL)])


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
    check_specs=specs("fiches/departement"),
    backfill_policy=ONE_RUN,
)
def departement_fiches(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult:
    """Write the bundles of the partitions of this run.

    Where some fail, the others are made and recorded all the same; then the run fails, naming the bad ones.
    """
    with told(workspace.paths):
        bound = workspace.bind([departements()[code] for code in context.partition_keys], "Fiches")
        folder = dg.MetadataValue.path(workspace.paths.fiches)
        # A run of all départements makes those it can; one that was asked for by name, and has no data, is an error.
        if failures := told_failures(bound, asked=len(bound) < len(departements())):
            for made in (item.territoire.code for item in bound if item.est_faite):
                context.log_event(dg.AssetMaterialization(FICHES, partition=made, metadata={"path": folder}))
            raise dg.Failure(failures, allow_retries=False)
        return dg.MaterializeResult(
            metadata={"fiches": sum(item.est_faite for item in bound), "path": folder},
            check_results=[_whole(workspace, bound, FICHES)],
        )


@dg.asset(
    key=INDEX,
    deps=[FICHES, FICHES_NATIONAL],
    group_name="fiches",
    kinds={"html"},
    description="The entry page: territories by région with their headline figures and links.",
    backfill_policy=ONE_RUN,
)
def entry_page(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult:
    """Write index.html for the bundles that are there, and the page of checks."""
    with told(workspace.paths):
        listed = workspace.write_index()
        qualite.write(context.instance)
    return dg.MaterializeResult(metadata={"fiches": listed, "path": dg.MetadataValue.path(workspace.paths.index)})
