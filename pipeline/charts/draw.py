"""Every figure of some territories, as files: `<folder>/<territoire.slug>/<sujet>.svg`, `.png`, `.json` (its plotly dict)
and `.navigateur` (the browser that drew it, for the provenance).

Add here: which files a figure leaves for those who bind fiches. Keep out: how one is drawn (`render.py`).
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.charts import SUJETS, dessins, figure, flux_montres
from pipeline.charts.render import Figure, render
from pipeline.charts.theme import mentionner
from pipeline.errors import ComexError
from pipeline.marts import Marts
from pipeline.pertes import mention as incomplet
from pipeline.territoires import Territoire

SUFFIXES = (".svg", ".png", ".json", ".navigateur")


@dataclass(frozen=True)
class Drawn:
    """One subject of one territory: `erreur` is None when its files are in place."""

    territoire: Territoire
    sujet: str
    erreur: ComexError | None = None


def code_version(sujets: Iterable[str]) -> str:
    """Digest of the modules that draw these subjects: it changes when their figures may."""
    modules = {"__init__", "draw", "theme", "texte", "render", *(sujet.partition("-")[0] for sujet in sujets)}
    sources = (Path(__file__).with_name(f"{module}.py").read_bytes() for module in sorted(modules))
    return hashlib.sha256(b"".join(sources)).hexdigest()[:12]


def draw(
    territoires: Iterable[Territoire], marts: Marts, folder: Path, sujets: Iterable[str] = SUJETS, *, mention: str = ""
) -> Iterator[Drawn]:
    """Draw `sujets` of `territoires`, and their reduced forms (`dessins`); one with nothing to draw leaves no file, no outcome.

    `mention` (« Données d’exemple ») is printed on each figure, and what is incomplete on those that show it.
    """
    wanted: dict[str, tuple[Territoire, str]] = {}
    kept_out: list[Drawn] = []
    sujets = tuple(sujets)

    def figures() -> Iterator[Figure]:
        for territoire in territoires:
            place = folder / territoire.slug
            wished = dessins(sujets, territoire)
            for sujet in wished:
                for suffix in SUFFIXES:
                    (place / sujet).with_suffix(suffix).unlink(missing_ok=True)
            try:
                frames = marts.territoire(territoire)
            except ComexError as error:
                kept_out.extend(Drawn(territoire, sujet, error) for sujet in wished)
                continue
            for sujet in wished:
                spec = figure(sujet, frames)
                if spec is None:
                    continue
                if mentions := " · ".join(filter(None, (mention, incomplet(flux_montres(sujet, frames))))):
                    spec = mentionner(spec, mentions)
                place.mkdir(parents=True, exist_ok=True)
                (place / f"{sujet}.json").write_text(
                    json.dumps(spec, ensure_ascii=False, separators=(",", ":")), encoding="utf-8"
                )
                name = f"{marts.periode}/{territoire.slug}/{sujet}"
                wanted[name] = (territoire, sujet)
                yield Figure(name, spec, svg=place / f"{sujet}.svg", png=place / f"{sujet}.png")

    for rendu in render(figures()):
        if not rendu.erreur:
            rendu.figure.svg.with_suffix(".navigateur").write_text(rendu.navigateur, encoding="utf-8")
        yield Drawn(*wanted[rendu.figure.name], rendu.erreur)
    yield from kept_out


def told_failures(drawn: list[Drawn]) -> str:
    """Which figures could not be drawn and why, the first twenty, one a line; "" when all were."""
    failed = [item for item in drawn if item.erreur]
    told = [f"- {item.territoire.cle} ({item.territoire.nom}), {item.sujet}: {item.erreur}" for item in failed[:20]]
    return "\n".join([f"{len(failed)} of {len(drawn)} figures could not be drawn:", *told]) if failed else ""


def failures(drawn: list[Drawn]) -> list[dict[str, str]]:
    """The same as rows."""
    return [
        {"territoire": item.territoire.nom, "figure": item.sujet, "erreur": str(item.erreur)} for item in drawn if item.erreur
    ]
