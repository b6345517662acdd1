"""Many fiches from one set of marts: their contents, then their bundles, one failure never costing the others.

Add here: what all fiches of a run share. Keep out: the content of one (`contexte.py`), its files (`lot.py`), Dagster.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from pipeline.archive.inspect import FLUX
from pipeline.archive.store import origine_lisible
from pipeline.archive.tables import Release
from pipeline.errors import ComexError, DataError, RenderError
from pipeline.fiche import lot, page
from pipeline.fiche.contenu import Fiche
from pipeline.fiche.contexte import Portrait, construire
from pipeline.fiche.provenance import Archive, Provenance
from pipeline.marts import Marts
from pipeline.paths import Paths
from pipeline.settings import Settings
from pipeline.territoires import FRANCE, Territoire, regions

PROCESSES = 2
ALONE_UP_TO = 20  # fiches: below, starting a process costs more than it saves


@dataclass(frozen=True)
class Bound:
    """What became of one fiche: `erreur` is None when its bundle is in place."""

    territoire: Territoire
    erreur: ComexError | None = None


def provenance(releases: Iterable[Release], marts: Marts) -> Provenance:
    """What the marts' period was computed from: of the archives of the run, those that stand for its quarters."""
    # One order for all stores: that of arrival counts between releases of one flow and vintage only.
    releases = sorted(releases, key=lambda release: (release.vintage, release.flux, release.rang_archive))
    given = dict(zip(marts.releases["release_id"], marts.releases["trimestres"], strict=True))
    standing = set(given)
    used = [release for release in releases if release.release_id in standing]
    if missing := standing - {release.release_id for release in used}:
        raise DataError(
            f"The {len(standing)} archives that the marts of {marts.periode} were computed from were expected; {len(missing)} are missing.",
            where=str(marts.folder),
            cause="the raw tables were made again from another source, and that run ended before its marts",
            remedy="run `make fiches` again, from the raw step on",
        )
    return Provenance(
        est_exemple=any(release.est_exemple for release in used),
        millesime=max(release.vintage for release in used),
        archives=tuple(_archive(release, given) for release in used),
        lues=tuple(_archive(release, given) for release in releases),
        est_anterieure=any(set(given[r.release_id].split()) & set(r.trimestres_depasses.split()) for r in used),
    )


def _archive(release: Release, given: dict[str, str]) -> Archive:
    return Archive(
        nom=release.nom,
        sha256=release.sha256,
        millesime=release.vintage,
        flux=FLUX[release.flux],
        taille=release.taille,
        origine=origine_lisible(release.origine),
        lignes=release.lignes,
        valeur_eur=release.valeur_eur,
        trimestres=given.get(release.release_id, ""),
    )


def bind(
    territoires: Iterable[Territoire], marts: Marts, origin: Provenance, settings: Settings, paths: Paths
) -> Iterator[Bound]:
    """Write the bundle of each territory from the figures that are drawn, and say what became of it.

    Raises RenderError when the system ends one of the processes at work.
    """
    territoires = list(territoires)
    page.ecrire_commun(paths.commun)
    shared = (marts.folder, marts.periode, origin, settings.niveau_produit, settings.logo, paths)
    if len(territoires) <= ALONE_UP_TO:
        binder = Binder(*shared)
        yield from map(binder.bind, territoires)
        return
    # The PDF compiler keeps one core busy and the interpreter locked: a second process is what makes use of another core.
    # Spawned, not forked: Dagster's process has threads.
    with ProcessPoolExecutor(PROCESSES, get_context("spawn"), initializer=_begin, initargs=shared) as pool:
        try:
            yield from pool.map(_bind_one, territoires, chunksize=5)
        except BrokenProcessPool as error:
            raise RenderError(
                f"{PROCESSES} processes were to bind {len(territoires)} fiches; one of them was ended by the system.",
                where=str(paths.fiches),
                cause="too little memory (each needs about 0.5 GB), or a process killed by hand",
                remedy="free some memory and run again; the former bundles of what was not made are still there",
            ) from error


class Binder:
    """What one process needs to bind fiches: the marts read once, and the portraits of régions and France."""

    def __init__(
        self, folder: Path, periode: str, origin: Provenance, niveau_produit: str, logo: Path | None, paths: Paths
    ) -> None:
        self.marts = Marts(folder, periode)
        self.portraits = {t: self._portrait(t) for t in (*regions().values(), FRANCE)}
        self.origin, self.niveau_produit, self.logo, self.paths = origin, niveau_produit, logo, paths

    def _portrait(self, territoire: Territoire) -> Portrait:
        others = {"fiabilite": self.marts.fiabilite(territoire), "specificites": self.marts.specificites(territoire)}
        return Portrait(territoire, self.marts.territoire(territoire) | others)

    def fiche(self, territoire: Territoire) -> Fiche:
        """The content of one fiche, its territory compared with its région and with France."""
        return construire(
            self.portraits.get(territoire) or self._portrait(territoire),
            self.marts.periode,
            self.origin,
            region=self.portraits[territoire.region] if territoire.region else None,
            france=self.portraits[FRANCE] if territoire != FRANCE else None,
            classement=self.marts.classement,
            rapprochement=self.marts.reconciliation,
            publies=self.marts.publies,
            niveau_produit=self.niveau_produit,
            nomenclature=self.marts.nomenclature,
        )

    def bind(self, territoire: Territoire) -> Bound:
        """Write the bundle of one fiche from the figures that are drawn."""
        try:
            lus = [lu for one in dict.fromkeys((territoire, territoire.region, FRANCE)) if one for lu in self.marts.lus(one)]
            if territoire == FRANCE:
                lus += self.marts.lus_de_tous()
            lot.ecrire(self.fiche(territoire), self.paths.fiches, self.paths.charts / self.marts.periode, self.logo, lus)
        except ComexError as error:
            return Bound(territoire, error)
        return Bound(territoire)


_binder: Binder  # of a process of the pool


def _begin(*shared: Any) -> None:
    global _binder
    _binder = Binder(*shared)


def _bind_one(territoire: Territoire) -> Bound:
    return _binder.bind(territoire)


def told_failures(bound: list[Bound]) -> str:
    """Which fiches could not be made and why, the first three in full, the others by name; "" when all were made."""
    failed = {f"{item.territoire.cle} ({item.territoire.nom})": item.erreur for item in bound if item.erreur}
    if not failed:
        return ""
    names = list(failed)
    head = f"{len(bound)} fiches were expected; {len(bound) - len(failed)} were made, {len(failed)} could not be:"
    told = [f"{name}: {failed[name]}" for name in names[:3]]
    return "\n".join([head, *told, *([f"and {', '.join(names[3:])}"] if names[3:] else [])])
