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

from pipeline import memory
from pipeline.archive.inspect import FLUX
from pipeline.archive.store import origine_lisible
from pipeline.archive.tables import Release, quarters_of, standing
from pipeline.errors import ComexError, DataError, RenderError
from pipeline.fiche import etat, lot, page
from pipeline.fiche.contenu import Fiche
from pipeline.fiche.contexte import Portrait, construire
from pipeline.fiche.provenance import Archive, Provenance
from pipeline.marts import Marts
from pipeline.paths import Paths
from pipeline.settings import Settings
from pipeline.territoires import FRANCE, Territoire, regions
from pipeline.typographie import liste, pct

PROCESSES = 2
ALONE_UP_TO = 20  # fiches: below, starting a process costs more than it saves


@dataclass(frozen=True)
class Bound:
    """What became of one fiche: its bundle is in place unless there is an `erreur`, or `absence` of data to make it of."""

    territoire: Territoire
    erreur: ComexError | None = None
    absence: ComexError | None = None

    @property
    def est_faite(self) -> bool:
        """The bundle is in place."""
        return self.erreur is None and self.absence is None


def provenance(releases: Iterable[Release], marts: Marts) -> Provenance:
    """What the marts' period was computed from: of the archives of the run, those that stand for its quarters."""
    # One order for all stores: that of arrival counts between releases of one flow and vintage only.
    releases = sorted(releases, key=lambda release: (release.vintage, release.flux, release.rang_archive))
    given = dict(zip(marts.releases["release_id"], marts.releases["trimestres"], strict=True))
    wanted = set(given)
    used = [release for release in releases if release.release_id in wanted]
    if missing := wanted - {release.release_id for release in used}:
        raise DataError(
            f"The {len(wanted)} archives that the marts of {marts.periode} were computed from were expected; {len(missing)} are missing.",
            where=str(marts.folder),
            cause="the raw tables were made again from another source, and that run ended before its marts",
            remedy="run `make fiches` again, from the raw step on",
        )
    numbers = [*quarters_of(marts.periode), *(f"{int(q[:4]) - 1}{q[4:]}" for q in quarters_of(marts.periode))]
    told = {release.release_id for (_, quarter), release in standing(releases).items() if quarter in numbers}
    return Provenance(
        est_exemple=any(release.est_exemple for release in used),
        millesime=max(release.vintage for release in used),
        archives=tuple(_archive(release, given) for release in used),
        lues=tuple(_archive(release, given) for release in releases),
        admises=tuple(_archive(release, given) for release in releases if release.admis and release.release_id in told),
        fabrication=etat.fabrication(releases, marts.periode),
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
        admis=tuple(zip(release.admis.split(), release.admis_constats.splitlines(), strict=True)),
    )


def codes_admis(marts: Marts) -> str:
    """What unknown codes carry of France's flows in this period, for a run whose operator accepted more than the limit."""
    france = [row for row in marts.reperes.to_dict("records") if row["niveau"] == "france"]
    return liste([f"{pct(row['quarantaine_pct'], 2)} des {row['flux']}ations" for row in france])


def bind(
    territoires: Iterable[Territoire], marts: Marts, origin: Provenance, settings: Settings, paths: Paths
) -> Iterator[Bound]:
    """Write the bundle of each territory from the figures that are drawn, and say what became of it.

    Raises RenderError when the system ends one of the processes at work.
    """
    territoires = list(territoires)
    page.ecrire_commun(paths.commun)
    shared = (marts.folder, marts.periode, origin, settings, paths)
    if len(territoires) <= ALONE_UP_TO:
        binder = Binder(*shared)
        yield from map(binder.bind, territoires)
        return
    # The PDF compiler keeps one core busy and the interpreter locked: a second process is what makes use of another core.
    # Spawned, not forked: Dagster's process has threads.
    killed_before = memory.killed_so_far()
    with ProcessPoolExecutor(PROCESSES, get_context("spawn"), initializer=_begin, initargs=shared) as pool:
        try:
            yield from pool.map(_bind_one, territoires, chunksize=5)
        except BrokenProcessPool as error:
            if killed := memory.killed_so_far() - killed_before:
                cause = (
                    f"too little memory (each needs about 0.5 GB): the kernel ended {killed} process(es) for want of it meanwhile"
                )
            elif limit := memory.address_space():
                cause = f"an address space limited to {limit // memory.MIB:,} MiB (`ulimit -v`), in which a library found no more of it"
            else:
                cause = "a process killed by hand, or a fault of a library; none was ended for want of memory meanwhile"
            raise RenderError(
                f"{PROCESSES} processes were to bind {len(territoires)} fiches; one of them was ended by the system.",
                where=str(paths.fiches),
                cause=cause,
                remedy="free some memory or take that limit away, and run again; the former bundles of what was not made are still there",
            ) from error


class Binder:
    """What one process needs to bind fiches: the marts read once, and the portraits of régions and France."""

    def __init__(self, folder: Path, periode: str, origin: Provenance, settings: Settings, paths: Paths) -> None:
        self.marts = Marts(folder, periode)
        self.portraits = {t: self._portrait(t) for t in (*regions().values(), FRANCE)}
        self.origin, self.paths, self.logo = origin, paths, settings.logo
        self.niveau_produit, self.quarantaine_max_pct = settings.niveau_produit, settings.quarantaine_max_pct

    def _portrait(self, territoire: Territoire) -> Portrait:
        others = {
            "fiabilite": self.marts.fiabilite(territoire),
            "specificites": self.marts.specificites(territoire),
            "pertes": self.marts.pertes(territoire),
        }
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
            quarantaine_max_pct=self.quarantaine_max_pct,
            nomenclature=self.marts.nomenclature,
        )

    def bind(self, territoire: Territoire) -> Bound:
        """Write the bundle of one fiche from the figures that are drawn."""
        if absence := self.marts.sans_donnees(territoire):
            return Bound(territoire, absence=absence)
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


def told_failures(bound: list[Bound], *, asked: bool = False) -> str:
    """Which fiches could not be made and why, the first three in full, the others by name; "" when all were made.

    A territory without data is a failure when it was `asked` for by name; else a check warns of it, and the others are made.
    """
    reasons = {item.territoire: item.erreur or (item.absence if asked else None) for item in bound}
    failed = {f"{territoire.cle} ({territoire.nom})": reason for territoire, reason in reasons.items() if reason}
    if not failed:
        return ""
    names = list(failed)
    head = f"{len(bound)} fiches were expected; {sum(item.est_faite for item in bound)} were made, {len(failed)} could not be:"
    told = [f"{name}: {failed[name]}" for name in names[:3]]
    return "\n".join([head, *told, *([f"and {', '.join(names[3:])}"] if names[3:] else [])])
