"""Figures to SVG and PNG files, in one browser for the whole run.

Add here: how a figure becomes a file. Keep out: what it shows (`flux.py`, `balance.py`, `produits.py`) and where it goes.
Kaleido starts the browser with plotly.js loaded. Its own export reloads the page, 4.8 MB of script, after every figure; here
each tab keeps its page and draws figure after figure by `Runtime.evaluate` of the DevTools protocol, through `Browser.tabs`
and `Tab.send_command`, which are public: there is no private hook to lose. The PNG is the SVG painted on a canvas in the same
call. Measured on two cores: 25 ms a figure as SVG, 56 ms as SVG and PNG, beside 270 ms by Kaleido's batch of SVG.
"""

import asyncio
import base64
import hashlib
import json
import logging
import os
import re
import signal
import struct
import tempfile
import threading
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import kaleido
from choreographer.errors import BrowserDepsError, BrowserFailedError, ChromeNotFoundError

from pipeline import memory
from pipeline.charts import navigateur, theme
from pipeline.charts.texte import DOSSIER_POLICES, largeur
from pipeline.errors import ComexError, RenderError
from pipeline.outputs import put_whole, writing

# What they log, tracebacks of messages that the browser cut short among it, we tell by figure.
for _library in ("choreographer", "kaleido"):
    logging.getLogger(_library).setLevel(logging.CRITICAL)

T = TypeVar("T")
ONGLETS = 2  # more tabs do not help on two cores
DELAI = 45  # s for one figure; the slowest takes 0.3
SILENCE = 120  # s without any outcome: more than a start and the slowest figure can take
FERMETURE = 1.0  # s for the tasks of a browser that was killed to end; what is left then waits for nobody
RELANCES = 2  # browsers started again after one that died
ESSAIS = 2  # times a figure is tried in a browser that dies under it
ECHELLE_PNG = 2  # 1440 px wide

DESSINER = """globalThis.dessiner = async (spec, echelle) => {
  const {width, height} = spec.layout;
  const svg = await Plotly.toImage(spec, {format: 'svg', width, height, imageDataOnly: true});
  if (!echelle) return {svg};
  const image = new Image();
  image.src = 'data:image/svg+xml;charset=utf-8,' + encodeURIComponent(svg);
  await image.decode();
  const toile = new OffscreenCanvas(width * echelle, height * echelle);
  toile.getContext('2d', {alpha: false}).drawImage(image, 0, 0, toile.width, toile.height);
  const octets = new Uint8Array(await (await toile.convertToBlob({type: 'image/png'})).arrayBuffer());
  let texte = '';
  for (let i = 0; i < octets.length; i += 32768) texte += String.fromCharCode(...octets.subarray(i, i + 32768));
  return {svg, png: btoa(texte)};
};
globalThis.mesurer = (textes, gras) => {
  const toile = new OffscreenCanvas(10, 10).getContext('2d');
  toile.font = `${gras ? 'bold ' : ''}CORPSpx "POLICE"`;
  toile.fontKerning = 'none';
  return textes.map(texte => toile.measureText(texte).width);
};
true""".replace("POLICE", theme.POLICE).replace("CORPS", str(theme.CORPS))


@dataclass(frozen=True)
class Figure:
    """One figure to draw: a name unique in the run and stable between runs, its plotly dict, its files (`png` may be None)."""

    name: str
    spec: dict[str, Any]
    svg: Path
    png: Path | None = None


@dataclass(frozen=True)
class Rendu:
    """What became of a figure: `erreur` is None when its files are in place, drawn by the browser `navigateur`."""

    figure: Figure
    erreur: ComexError | None = None
    navigateur: str = ""


class _Interrompu(Exception):
    """The browser is gone or no longer answers."""


@contextmanager
def _polices() -> Iterator[None]:
    """Give the browser the packaged font: its TrueType faces only, for the same outlines everywhere, and unhinted.

    Hinting would round each letter's width to whole pixels, and lines would run up to 5 % longer than measured.
    """
    before = os.environ.get("FONTCONFIG_FILE")
    with tempfile.TemporaryDirectory(prefix="comex-polices-") as folder:
        conf = Path(folder) / "fonts.conf"
        conf.write_text(
            '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
            f"<dir>{DOSSIER_POLICES}</dir><cachedir>{folder}/cache</cachedir>"
            "<selectfont><rejectfont><glob>*.otf</glob></rejectfont></selectfont>"
            '<match target="pattern"><edit name="hinting" mode="assign"><bool>false</bool></edit>'
            '<edit name="hintstyle" mode="assign"><const>hintnone</const></edit></match></fontconfig>',
            encoding="utf-8",
        )
        os.environ["FONTCONFIG_FILE"] = str(conf)
        try:
            yield
        finally:
            if before is None:
                del os.environ["FONTCONFIG_FILE"]
            else:
                os.environ["FONTCONFIG_FILE"] = before


async def _evaluer(tab: Any, expression: str) -> Any:
    """The value of a JavaScript expression (promises awaited).

    Raises _Interrompu when the browser does not answer, RenderError when the script fails.
    """
    params = {"expression": expression, "awaitPromise": True, "returnByValue": True}
    try:
        answer = await asyncio.wait_for(tab.send_command("Runtime.evaluate", params=params), DELAI)
    except asyncio.CancelledError:
        # choreographer cancels what waits on a browser that died; a cancellation of our own must go through.
        task = asyncio.current_task()
        if task and task.cancelling():
            raise
        raise _Interrompu("the connection was closed") from None
    except Exception as error:
        raise _Interrompu(str(error) or f"no answer in {DELAI} s") from error
    result = answer.get("result", {})
    failure = answer.get("error") or result.get("exceptionDetails")
    if failure:
        text = failure.get("exception", {}).get("description") or failure.get("message") or str(failure)
        raise RenderError(
            f"A picture was expected from plotly.js; it answered: {text.splitlines()[0][:300]}",
            where="the browser's page",
            cause="a figure that plotly.js cannot draw",
            remedy="check the figure with plotly.graph_objects.Figure(spec), which names the wrong attribute",
        )
    return result["result"].get("value")


async def _verifier_police(tab: Any) -> None:
    """Raise RenderError unless the browser draws with the font that texts were measured with."""
    probes = ["Île-de-France", "1\u202f234,5\u00a0M€", "\u2212wWmM"]
    for gras in (False, True):
        drawn = await _evaluer(tab, f"mesurer({json.dumps(probes)}, {json.dumps(gras)})")
        expected = [largeur(probe, theme.CORPS, gras=gras) for probe in probes]
        if any(abs(a - b) > 0.02 * b for a, b in zip(drawn, expected, strict=True)):
            raise RenderError(
                f"« {theme.POLICE} » should set {probes[0]!r} {expected[0]:.1f} px wide; the browser sets it {drawn[0]:.1f} px.",
                where=f"fonts of the browser, from {DOSSIER_POLICES}",
                cause="a browser that does not read FONTCONFIG_FILE (macOS, Windows, a snap), and the font is not installed",
                remedy=f"install the font from {DOSSIER_POLICES}, or use another browser through BROWSER_PATH",
            )


def _canoniser(svg: str, name: str) -> str:
    """Same figure, same bytes: plotly's random id of the figure becomes a hash of its name, those of traces (a mere class) go.

    Style comes last in each tag: the browser puts it there or before, by when it got round to writing it out.
    """
    svg = re.sub(r'( style="[^"]*")((?: [\w:-]+="[^"]*")+)(?=\s*/?>)', r"\2\1", svg)
    svg = re.sub(r'(class="trace [a-z]+) trace[0-9a-f]{6}"', r'\1"', svg)
    found = re.search(r'id="defs-([0-9a-f]{6})"', svg)
    return re.sub(rf"(?<=[A-Za-z-]){found[1]}", hashlib.sha256(name.encode()).hexdigest()[:6], svg) if found else svg


def _nb_textes(spec: dict[str, Any]) -> int:
    """How many texts a figure of ours asks for: a drawing that has fewer is not the whole figure."""
    return len(spec["layout"].get("annotations", [])) + sum(len(trace.get("text", [])) for trace in spec["data"])


async def _dessiner(tab: Any, figure: Figure) -> None:
    """Draw one figure and put its files in place. Raises ComexError, or _Interrompu."""
    scale = ECHELLE_PNG if figure.png else 0
    drawn = await _evaluer(tab, f"dessiner({json.dumps(figure.spec)}, {scale})")
    svg = _canoniser(drawn["svg"], figure.name)
    png = base64.b64decode(drawn.get("png", ""))
    width, height = (figure.spec["layout"][side] for side in ("width", "height"))
    nb, expected = len(re.findall(r"<text[^>]*>\S", svg)), _nb_textes(figure.spec)
    good_png = png[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", png[16:24]) == (width * scale, height * scale)
    if not svg.endswith("</svg>") or nb < expected or (figure.png and not good_png):
        raise RenderError(
            f"{expected} texts in {width} × {height} px were expected; found {nb} ({len(svg)} bytes SVG, {len(png)} PNG).",
            where=f"figure {figure.name}",
            cause="a trace that plotly.js leaves out without a word, because it does not know it or cannot draw it",
            remedy="check the figure with plotly.graph_objects.Figure(spec), which names the wrong attribute",
        )
    with writing(figure.svg):
        put_whole(figure.svg, svg.encode())
        if figure.png:
            put_whole(figure.png, png)


async def _seance(
    waiting: Iterator[Figure], unfinished: deque[Figure], done: asyncio.Queue[Rendu | None], opened: list[Any]
) -> None:
    """One browser's life, which is put into `opened`: draw what waits until nothing does, or raise _Interrompu with the figures
    at hand in `unfinished`.
    """
    try:
        opened.append(kaleido.Kaleido(n=ONGLETS, mathjax=False, path=str(navigateur.trouver()), timeout=DELAI))
        async with opened[0] as browser:
            tabs = list(browser.tabs.values())
            for tab in tabs:
                await _evaluer(tab, DESSINER)
            await _verifier_police(tabs[0])
            version = (await browser.send_command("Browser.getVersion"))["result"]["product"]

            async def travailler(tab: Any) -> None:
                for figure in waiting:
                    try:
                        await _dessiner(tab, figure)
                    except (_Interrompu, asyncio.CancelledError):
                        unfinished.append(figure)
                        raise
                    except ComexError as error:
                        await done.put(Rendu(figure, error))
                    else:
                        await done.put(Rendu(figure, navigateur=version))

            results = await asyncio.gather(*map(travailler, tabs), return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException):
                    raise result
    except (ChromeNotFoundError, BrowserFailedError, BrowserDepsError) as error:
        raise _Interrompu(str(error.args[0] if error.args else error)) from error
    finally:
        await done.put(None)


def _attendre(loop: asyncio.AbstractEventLoop, wanted: Callable[[], Awaitable[T]]) -> T:
    """What `wanted` gives, within SILENCE.

    A signal that comes meanwhile goes to its handler outside the loop: an exception raised inside would end whichever task was
    at work, one of the browser's connection maybe, and what waits for that would wait for ever.
    """
    while True:
        waiting = loop.create_task(_borner(wanted()))
        came: list[tuple[int, Any]] = []

        def wake(number: int, frame: Any, waiting: asyncio.Task[T] = waiting, came: list[tuple[int, Any]] = came) -> None:
            came.append((number, frame))
            loop.call_soon_threadsafe(waiting.cancel)

        is_main = threading.current_thread() is threading.main_thread()
        handlers: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM) if is_main}
        handlers = {number: handler for number, handler in handlers.items() if handler not in (None, signal.SIG_IGN)}
        try:
            for number in handlers:
                signal.signal(number, wake)
            return loop.run_until_complete(waiting)
        except asyncio.CancelledError:
            if not came:
                raise
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        for number, frame in came:
            handler = handlers[number]
            if callable(handler):
                handler(number, frame)  # it raises, or only takes note
            else:
                os.kill(os.getpid(), number)


async def _borner(wanted: Awaitable[T]) -> T:
    return await asyncio.wait_for(wanted, SILENCE)


@contextmanager
def _boucle() -> Iterator[tuple[asyncio.AbstractEventLoop, list[Any]]]:
    """An event loop, and a list for the browser that is opened in it. Whatever happens, both end within a bounded time.

    `asyncio.Runner` would cancel all tasks and wait for them: for ever, when one waits for an answer of the browser.
    """
    loop, opened = asyncio.new_event_loop(), []
    loop.set_exception_handler(lambda *_: None)  # tasks that were left to themselves are no news
    try:
        yield loop, opened
    finally:
        for browser in opened:
            _tuer(browser)
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=FERMETURE))
        loop.close()


def _tuer(browser: Any) -> None:
    """End a browser that is still alive with all its processes: it was started in a session of its own."""
    process = getattr(browser, "subprocess", None)
    if process is not None and process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def render(figures: Iterable[Figure]) -> Iterator[Rendu]:
    """Draw figures (taken one by one, so that a generator holds few in memory) and yield each outcome as it comes.

    A figure that cannot be drawn or written is reported in `Rendu.erreur`, and the others go on. A browser that dies is
    started again, twice at most; what it left undone is then drawn, or reported. Raises RenderError when no browser can be
    had or when it lacks the font.
    """
    waiting = iter(figures)
    killed_before = memory.killed_so_far()
    tries: Counter[str] = Counter()
    reason = ""
    with _polices():
        for _ in range(1 + RELANCES):
            unfinished: deque[Figure] = deque()
            first = next(waiting, None)
            if first is None:
                return
            waiting = chain([first], waiting)
            with _boucle() as (loop, opened):
                done: asyncio.Queue[Rendu | None] = asyncio.Queue()
                session = loop.create_task(_seance(waiting, unfinished, done, opened))
                try:
                    while (outcome := _attendre(loop, done.get)) is not None:
                        yield outcome
                    _attendre(loop, partial(asyncio.shield, session))
                    return
                except _Interrompu as error:
                    reason = str(error)
                except TimeoutError:
                    # A browser that died while it was opened or closed can leave its session waiting for ever.
                    reason = f"not a word in {SILENCE} s"
            tries.update(figure.name for figure in unfinished)
            again = [figure for figure in unfinished if tries[figure.name] < ESSAIS]
            for figure in unfinished:
                if figure not in again:
                    yield Rendu(figure, _mort(reason, f"figure {figure.name}, tried {ESSAIS} times", killed_before))
            waiting = chain(again, waiting)
        for figure in waiting:
            where = f"figure {figure.name}, never begun or begun in a browser that died"
            yield Rendu(figure, _mort(reason, where, killed_before))


def _mort(reason: str, where: str, killed_before: int) -> RenderError:
    if killed := memory.killed_so_far() - killed_before:
        cause = (
            f"too little memory (the browser needs about 0.7 GB): the kernel ended {killed} process(es) for want of it meanwhile"
        )
    elif limit := memory.address_space():
        cause = f"an address space limited to {limit // memory.MIB:,} MiB (`ulimit -v`): a browser reserves far more than it uses"
    else:
        cause = "a browser killed by hand, or one that cannot run here; no process was ended for want of memory meanwhile"
    return RenderError(
        f"The browser should stay alive until the last figure; it stopped answering ({reason}).",
        where=where,
        cause=cause,
        remedy="free some memory or take that limit away, check `python -m pipeline.charts.installation`, then run again",
    )
