"""Speed and memory, each figure beside its peer in the same run: `make bench`, or `python tools/bench.py country figures …`.

Every measure runs in a process of its own and is taken from the operating system when that process has ended: wall seconds,
and the peak memory of its largest process. Machines differ and are shared: trust ratios more than absolutes.
Add here: a measure with its peer. Keep out: tests; nothing here passes or fails.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMEX = str(Path(sys.executable).with_name("comex"))


def measure(command: list[str], **environment: str) -> tuple[float, float]:
    """Wall seconds, and MiB of the largest process, of a command that must succeed."""
    start = time.perf_counter()
    process = subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT)
    stderr = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed:\n{stderr.decode()[-3000:]}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def step(name: str, home: Path, **environment: str) -> tuple[float, float]:
    """One of the functions below that begin with `run_`, in a fresh interpreter."""
    return measure([sys.executable, __file__, "--run", name], COMEX_HOME=str(home), **environment)


def country(work: Path) -> None:
    """The whole line: example, archives, marts, figures, bundles; through Dagster and by plain calls."""
    dagster, memory = measure([COMEX, "build"], COMEX_HOME=str(work / "dagster"))
    plain, plain_memory = step("plain", work / "plain")
    tell(
        "whole country from an empty folder, `comex build`",
        dagster,
        memory,
        "the same calls without Dagster",
        plain,
        plain_memory,
    )
    print(f"Dagster's own overhead: {100 * (dagster / plain - 1):.0f} %")


def marts(work: Path) -> None:
    """Two archives of one year to marts, start-up included, beside pandas."""
    home = work / "marts"
    step("kiosk_2024", home)
    ours, memory = step("marts", home, COMEX_SOURCE=str(home / "kiosk"))
    pandas, pandas_memory = measure([sys.executable, str(ROOT / "tools" / "bench_pandas.py"), str(home / "kiosk")])
    tell(
        "raw to marts, one year, Dagster and dbt included",
        ours,
        memory,
        "pandas: read_csv, merge, groupby",
        pandas,
        pandas_memory,
    )


def figures(work: Path) -> None:
    """All figures as SVG in one browser, beside `write_image` one by one."""
    home = work / "dagster"
    if not home.exists():
        measure([COMEX, "build"], COMEX_HOME=str(home))
    ours, memory = step("figures", home)
    one_by_one, peer_memory = step("write_image", home)
    ours_each, peer_each = ours / 476, one_by_one / 4
    tell("476 figures as SVG, one browser", ours, memory, "4 figures by `write_image`", one_by_one, peer_memory)
    print(f"per figure: {1000 * ours_each:.0f} ms against {1000 * peer_each:.0f} ms, {peer_each / ours_each:.0f} times the rate")


def pdfs(work: Path) -> None:
    """100 fiches of départements from figures that are drawn: PDF, and with it HTML, data and manifest."""
    home = work / "dagster"
    if not home.exists():
        measure([COMEX, "build"], COMEX_HOME=str(home))
    seconds, memory = step("pdfs", home)
    print(f"| 100 fiches: PDF, HTML, data, start-up included | {seconds:.1f} s | {memory:.0f} MiB | | | |")


def tell(what: str, seconds: float, memory: float, peer: str, peer_seconds: float, peer_memory: float) -> None:
    """One line of the README's table."""
    print(
        f"| {what} | {seconds:.1f} s | {memory:.0f} MiB | {peer} | {peer_seconds:.1f} s | {peer_memory:.0f} MiB |",
        flush=True,
    )


def run_plain() -> None:
    """What `comex build` does, without Dagster."""
    _plain_marts()
    run_plain_fiches()


def _plain_marts() -> None:
    from pipeline import dbt
    from pipeline.archive import intake, tables
    from pipeline.paths import Paths
    from pipeline.settings import Settings

    settings = Settings()
    paths = Paths(settings.home)
    releases = tables.build(intake.take(settings, paths).kept, paths.raw_tables)
    dbt.manifest()
    dbt.build(paths, settings.niveau_produit, tables.choose_period(releases, settings.periode))


def run_plain_fiches() -> None:
    """Figures, bundles and index from marts that are there."""
    from pipeline import territoires
    from pipeline.charts.draw import draw
    from pipeline.defs.resources import Workspace
    from pipeline.fiche import index, rapprochement
    from pipeline.fiche.bind import bind

    workspace = Workspace()
    paths, marts, origin = workspace.paths, workspace.marts(), workspace.provenance()
    everyone = territoires.tous()
    assert not [drawn for drawn in draw(everyone, marts, paths.charts / marts.periode, mention=origin.mention) if drawn.erreur]
    assert not [bound for bound in bind(everyone, marts, origin, workspace.settings, paths) if bound.erreur]
    rapprochement.ecrire(paths, marts, origin)
    index.ecrire(paths.index, paths.fiches, marts.periode, marts.reperes, origin)


def run_kiosk_2024() -> None:
    """The example's archives of one year."""
    from pipeline.paths import Paths
    from pipeline.settings import Settings
    from pipeline.sources import example

    example.generate(Paths(Settings().home).kiosk, annees=(2024,))


def run_marts() -> None:
    """The job from raw to marts, through Dagster."""
    from pipeline.cli import prepare, run_job
    from pipeline.paths import Paths
    from pipeline.settings import Settings

    paths = Paths(Settings().home)
    prepare(paths)
    failure, _ = run_job(paths, "marts")
    assert not failure, failure


def run_figures() -> None:
    """Every figure of every territory, as SVG alone."""
    from pipeline import territoires
    from pipeline.charts import SUJETS, figure
    from pipeline.charts.render import Figure, render
    from pipeline.defs.resources import Workspace

    marts = Workspace().marts()
    with tempfile.TemporaryDirectory() as folder:
        specs = ((t, sujet, figure(sujet, marts.territoire(t))) for t in territoires.tous() for sujet in SUJETS)
        wanted = (Figure(f"{t.slug}/{sujet}", spec, Path(folder) / f"{t.slug}-{sujet}.svg") for t, sujet, spec in specs if spec)
        assert not [rendu for rendu in render(wanted) if rendu.erreur]


def run_write_image() -> None:
    """Four figures the way plotly's documentation shows."""
    import plotly.graph_objects as go

    from pipeline import territoires
    from pipeline.charts import SUJETS, figure, navigateur
    from pipeline.defs.resources import Workspace

    os.environ["BROWSER_PATH"] = str(navigateur.trouver())  # the same browser for both
    frames = Workspace().marts().territoire(territoires.departement("94"))
    with tempfile.TemporaryDirectory() as folder:
        for sujet in SUJETS:
            go.Figure(figure(sujet, frames)).write_image(Path(folder) / f"{sujet}.svg")


def run_pdfs() -> None:
    """Bind the bundle of each département from figures that are drawn: PDF, HTML, data, manifest."""
    from pipeline.defs.resources import Workspace
    from pipeline.fiche.bind import bind
    from pipeline.territoires import departements

    workspace = Workspace()
    bound = bind(departements().values(), workspace.marts(), workspace.provenance(), workspace.settings, workspace.paths)
    assert not [item for item in bound if item.erreur]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        sys.path.insert(0, str(ROOT))
        globals()[f"run_{sys.argv[2]}"]()
    else:
        print("| what | time | memory | beside | time | memory |\n|---|--:|--:|---|--:|--:|")
        with tempfile.TemporaryDirectory(prefix="comex-bench-") as folder:
            for name in sys.argv[1:] or ("country", "marts", "figures", "pdfs"):
                globals()[name](Path(folder))
