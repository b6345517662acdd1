"""The figures as assets: four subjects by département, and those of régions and France together.

Add here: a subject, under the name of its mart and of its file. Keep out: how a figure looks or is drawn (`pipeline/charts`).
"""

from collections.abc import Iterator

import dagster as dg

from pipeline import charts
from pipeline.charts.draw import code_version, failures, told_failures
from pipeline.charts.preview import shown
from pipeline.controles import FIGURES
from pipeline.defs.partitions import DEPARTEMENTS, ONE_RUN
from pipeline.defs.qualite import result, specs
from pipeline.defs.resources import Workspace
from pipeline.territoires import FRANCE, departements, regions

NATIONAL = dg.AssetKey(["charts", "national"])
GATES = ("mart_national_reperes", "mart_national_quarantaine")  # they carry the reconciliations and the quarantine's check
PREVIEWS_UP_TO = 3  # partitions in a run: pictures in the event log make it slow


def chart_key(sujet: str) -> dg.AssetKey:
    """`charts/flux_export` for the subject flux-export: Dagster's names have no hyphen."""
    return dg.AssetKey(["charts", sujet.replace("-", "_")])


@dg.multi_asset(
    name="charts",
    specs=[
        dg.AssetSpec(
            chart_key(sujet),
            deps=[f"mart_departement_{sujet.split('-')[0]}", "mart_departement_reperes", *GATES],
            group_name="charts",
            kinds={"plotly"},
            description=f"Figure « {sujet} » of each département: SVG, PNG and plotly data.",
            code_version=code_version([sujet]),
        )
        for sujet in charts.SUJETS
    ],
    check_specs=specs(*(chart_key(sujet).to_user_string() for sujet in charts.SUJETS)),
    partitions_def=DEPARTEMENTS,
    backfill_policy=ONE_RUN,
    can_subset=True,
)
def departement_charts(context: dg.AssetExecutionContext, workspace: Workspace) -> Iterator[dg.MaterializeResult]:
    """All figures of the départements of this run, in one browser.

    Dagster records all partitions of a run as made, or skips what comes after (dagster-io/dagster, issue 17836). So a figure that
    failed is on record with the others; its check names it, and its fiche, which is not made, makes the run fail.
    """
    selected = [sujet for sujet in charts.SUJETS if chart_key(sujet) in context.selected_asset_keys]
    territoires = [departements()[code] for code in context.partition_keys]
    drawn = workspace.draw(territoires, selected, "Graphiques")
    folder = workspace.paths.charts / workspace.period()
    for sujet in selected:
        mine = [item for item in drawn if item.sujet == sujet]
        drawings = [folder / item.territoire.slug / f"{sujet}.svg" for item in mine if item.erreur is None]
        pictured = drawings if len(territoires) <= PREVIEWS_UP_TO else []
        previews = {svg.parent.name: dg.MetadataValue.md(shown(svg)) for svg in pictured}
        yield dg.MaterializeResult(
            chart_key(sujet),
            metadata={"figures": len(drawings), "path": dg.MetadataValue.path(folder), **previews},
            check_results=[result(FIGURES, chart_key(sujet), told_failures(mine), failures(mine))],
        )


@dg.asset(
    key=NATIONAL,
    deps=[*(f"mart_national_{sujet}" for sujet in ("balance", "produits", "flux")), *GATES],
    group_name="charts",
    kinds={"plotly"},
    description="Figures of the 18 régions and of France.",
    code_version=code_version(charts.SUJETS),
    check_specs=specs("charts/national"),
    backfill_policy=ONE_RUN,
)
def national_charts(workspace: Workspace) -> dg.MaterializeResult:
    """All figures of régions and France, in one browser."""
    drawn = workspace.draw([*regions().values(), FRANCE], charts.SUJETS, "Graphiques nationaux")
    folder = workspace.paths.charts / workspace.period()
    france = folder / FRANCE.slug / "flux-export.svg"
    return dg.MaterializeResult(
        metadata={"figures": len(drawn), "path": dg.MetadataValue.path(folder)}
        | ({"france": dg.MetadataValue.md(shown(france))} if france.exists() else {}),
        check_results=[result(FIGURES, NATIONAL, told_failures(drawn), failures(drawn))],
    )
