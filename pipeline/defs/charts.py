"""The figures as assets: four subjects by département, and those of régions and France together.

Add here: a subject, under the name of its mart and of its file. Keep out: how a figure looks or is drawn (`pipeline/charts`).
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import dagster as dg
import typst

from pipeline import charts
from pipeline.charts.draw import Drawn, draw
from pipeline.charts.texte import DOSSIER_POLICES
from pipeline.defs.partitions import DEPARTEMENTS, ONE_RUN
from pipeline.defs.resources import Workspace
from pipeline.progress import track
from pipeline.territoires import FRANCE, Territoire, departements, regions

MODULES = {"balance": "balance", "produits": "produits", "flux-export": "flux", "flux-import": "flux"}
NATIONAL = dg.AssetKey(["charts", "national"])
PREVIEWS_UP_TO = 3  # partitions in a run: pictures in the event log make it slow


def chart_key(sujet: str) -> dg.AssetKey:
    """`charts/flux_export` for the subject flux-export: Dagster's names have no hyphen."""
    return dg.AssetKey(["charts", sujet.replace("-", "_")])


def code_version(sujets: Iterable[str]) -> str:
    """Digest of the modules that draw these subjects: a changed one marks its charts stale."""
    folder = Path(charts.__file__).parent
    modules = {"theme", "texte", "render", *(MODULES[sujet] for sujet in sujets)}
    return hashlib.sha256(b"".join((folder / f"{module}.py").read_bytes() for module in sorted(modules))).hexdigest()[:12]


def gate(asset: dg.AssetKey) -> dg.AssetCheckSpec:
    """The check between charts and fiches. It does not block: the fiches of the other territories are made all the same."""
    return dg.AssetCheckSpec(
        "every_figure_is_drawn", asset=asset, description="Every figure that has something to show left its SVG, PNG and data."
    )


def report(drawn: list[Drawn], asset: dg.AssetKey) -> dg.AssetCheckResult:
    """Names the figures that failed and why."""
    failed = [item for item in drawn if item.erreur]
    listing = "\n".join(f"- {item.territoire.cle} ({item.territoire.nom}), {item.sujet}: {item.erreur}" for item in failed[:20])
    return dg.AssetCheckResult(
        check_name="every_figure_is_drawn",
        asset_key=asset,
        passed=not failed,
        metadata={"drawn": len(drawn) - len(failed), "failed": len(failed), "offenders": dg.MetadataValue.md(listing or "none")},
    )


def preview(svg: Path) -> dg.MarkdownMetadataValue:
    """A small picture of a figure to show in the UI: the sharpest of at most 40 kB, since it goes into the event log."""
    page = f'#set page(width: 180mm, height: auto, margin: 2mm)\n#image("{svg.name}", width: 100%)'.encode()
    options = {"root": str(svg.parent), "format": "png", "font_paths": [str(DOSSIER_POLICES)], "ignore_system_fonts": True}
    for ppi in (72, 54, 40, 30):
        png = typst.compile(page, ppi=ppi, **options)
        if isinstance(png, bytes) and len(png) <= 40_000:
            return dg.MetadataValue.md(f"![{svg.stem}](data:image/png;base64,{base64.b64encode(png).decode()})")
    return dg.MetadataValue.md(f"`{svg}`")


def _drawn(workspace: Workspace, territoires: list[Territoire], sujets: Iterable[str], label: str) -> Iterator[Drawn]:
    marts = workspace.marts()
    sujets = list(sujets)
    total = len(territoires) * len(sujets)
    folder, mention = workspace.paths.charts / marts.periode, workspace.provenance().mention
    yield from track(draw(territoires, marts, folder, sujets, mention=mention), total=total, label=label)


@dg.multi_asset(
    name="charts",
    specs=[
        dg.AssetSpec(
            chart_key(sujet),
            deps=[dg.AssetKey(f"mart_departement_{sujet.split('-')[0]}"), dg.AssetKey("mart_departement_reperes")],
            group_name="charts",
            kinds={"plotly"},
            description=f"Figure « {sujet} » of each département: SVG, PNG and plotly data.",
            code_version=code_version([sujet]),
        )
        for sujet in charts.SUJETS
    ],
    check_specs=[gate(chart_key(sujet)) for sujet in charts.SUJETS],
    partitions_def=DEPARTEMENTS,
    backfill_policy=ONE_RUN,
    can_subset=True,
)
def departement_charts(
    context: dg.AssetExecutionContext, workspace: Workspace
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """All figures of the départements of this run, in one browser."""
    selected = [sujet for sujet in charts.SUJETS if chart_key(sujet) in context.selected_asset_keys]
    territoires = [departements()[code] for code in context.partition_keys]
    drawn = list(_drawn(workspace, territoires, selected, "Graphiques"))
    folder = workspace.paths.charts / workspace.period()
    for sujet in selected:
        mine = [item for item in drawn if item.sujet == sujet]
        shown = [folder / item.territoire.slug / f"{sujet}.svg" for item in mine if item.erreur is None]
        previews = {svg.parent.name: preview(svg) for svg in shown} if len(territoires) <= PREVIEWS_UP_TO else {}
        yield dg.MaterializeResult(
            chart_key(sujet),
            metadata={"figures": len(shown), "path": dg.MetadataValue.path(folder), **previews},
            check_results=[report(mine, chart_key(sujet))],
        )


@dg.asset(
    key=NATIONAL,
    deps=[dg.AssetKey(f"mart_national_{sujet}") for sujet in ("reperes", "balance", "produits", "flux")],
    group_name="charts",
    kinds={"plotly"},
    description="Figures of the 18 régions and of France.",
    code_version=code_version(charts.SUJETS),
    check_specs=[gate(NATIONAL)],
    backfill_policy=ONE_RUN,
)
def national_charts(workspace: Workspace) -> dg.MaterializeResult:
    """All figures of régions and France, in one browser."""
    drawn = list(_drawn(workspace, [*regions().values(), FRANCE], charts.SUJETS, "Graphiques nationaux"))
    folder = workspace.paths.charts / workspace.period()
    france = folder / FRANCE.slug / "flux-export.svg"
    return dg.MaterializeResult(
        metadata={"figures": len(drawn), "path": dg.MetadataValue.path(folder)}
        | ({"france": preview(france)} if france.exists() else {}),
        check_results=[report(drawn, NATIONAL)],
    )
