"""Bundles made again from the archives they name, in a place of their own, and compared: what holds, and what does not.

Add here: another output that can be made again. Keep out: how two copies are compared (`fiche/ecarts.py`), and any code
that makes a fiche: it is the one of every run (`archive/`, `warehouse.py`, `charts/`, `fiche/`), else nothing would be proved.
The kept archives are read, and nothing is written but a temporary folder. What a bundle says of itself decides what is
made again (archives, period, level of the goods); it is then compared like all the rest.
"""

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline import warehouse
from pipeline.archive.inspect import digest, inspect
from pipeline.archive.store import Kept, entries, origine_lisible
from pipeline.charts.draw import draw
from pipeline.errors import ComexError, DataError, ReleaseError, SettingError
from pipeline.fiche import index, page, rapprochement
from pipeline.fiche.bind import bind, codes_admis, provenance
from pipeline.fiche.ecarts import ecarts
from pipeline.fiche.provenance import Provenance
from pipeline.marts import Marts
from pipeline.outputs import writing
from pipeline.paths import Paths
from pipeline.progress import stage, track
from pipeline.settings import Settings
from pipeline.territoires import FRANCE, Territoire, regions, tous


@dataclass(frozen=True)
class Verdict:
    """Of one bundle (or the shared files, or a page beside them): it holds when nothing differs; `notes` qualify how it was compared."""

    path: Path
    differences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def told(self) -> str:
        """A line for what holds, and one for each note and difference."""
        name = f"{self.path.parent.name}/{self.path.name}"
        return "\n  ".join([f"{'DIFFERS' if self.differences else 'holds'}  {name}", *self.notes, *self.differences])


@dataclass(frozen=True)
class Claim:
    """What a bundle's manifest says it was made from."""

    bundle: Path
    territoire: Territoire
    periode: str
    niveau_produit: str
    releases: tuple[tuple[str, str, str, str], ...]  # sha256, name, vintage, origin, in the order that decides
    versions: dict[str, str]
    quarantaine_max_pct: float
    logo: Path | None
    est_anterieure: bool  # what was kept beside these archives on that day cannot be told today
    a_codes_admis: bool  # an operator's limit and what was accepted above it neither

    @property
    def batch(self) -> tuple[Any, ...]:
        """Bundles that are alike in this are made again together."""
        rolling = self.periode if "T" in self.periode else ""
        logo = digest(self.logo) if self.logo else ""
        limit, codes = self.quarantaine_max_pct, self.a_codes_admis
        return self.releases, rolling, self.niveau_produit, limit, logo, self.est_anterieure, codes


@dataclass(frozen=True)
class _Made:
    """One batch, made again: the marts and the origin of each period."""

    paths: Paths
    periods: dict[str, tuple[Marts, Provenance]]
    failures: dict[tuple[Territoire, str], ComexError]


def verify(place: Path | None, paths: Paths) -> Iterator[Verdict]:
    """Make again each bundle at or below `place` from the archives kept in `paths`, and say what differs.

    `place` may lie anywhere. Without one: all bundles of `paths`, the shared files, the index and the page of the reconciliation.
    The page and feed of releases and that of checks are left aside: they tell what arrived and what ran, which the archives of
    the bundles do not. Raises SettingError when there is no bundle, OutputError when the temporary folder cannot be written.
    """
    found = bundles(place or paths.fiches)
    batches: dict[tuple[Any, ...], list[Claim]] = {}
    for bundle in found:
        try:
            claim = read_claim(bundle)
            batches.setdefault(claim.batch, []).append(claim)
        except ComexError as error:
            yield Verdict(bundle, (str(error),))
    made = []
    with tempfile.TemporaryDirectory(prefix="comex-verify-") as name, writing(Path(name)):
        for number, claims in enumerate(batches.values(), start=1):
            try:
                again = _make(claims, paths, Paths(Path(name) / str(number)))
            except ComexError as error:
                yield from (Verdict(claim.bundle, (f"it cannot be made again: {error}",)) for claim in claims)
                continue
            made.append(again)
            yield from (_judge(claim, again) for claim in claims)
        if place is None:
            page.ecrire_commun(Path(name) / "commun")
            yield Verdict(paths.commun, tuple(ecarts(paths.commun, Path(name) / "commun")))
            yield from _judge_pages(paths, made, Path(name))


def bundles(place: Path) -> list[Path]:
    """The bundles at or below `place`: folders with a manifest or a fiche. Raises SettingError when there is none."""
    names = ("manifest.json", "fiche.html", "fiche.pdf")
    folders = sorted({path.parent for name in names for path in place.rglob(name)})
    found = [folder for folder in folders if not any(part.startswith(".") for part in folder.relative_to(place).parts)]
    if not found:
        raise SettingError(
            f"Bundles (folders with a manifest.json) were expected; {place} {'holds none' if place.exists() else 'does not exist'}.",
            where=str(place),
            cause="another folder, or nothing was built there yet",
            remedy="give the folder of a bundle such as fiches/2024/94-val-de-marne, or of several; or build first",
        )
    return found


def read_claim(bundle: Path) -> Claim:
    """What a bundle says of itself. Raises DataError when it says too little to be made again."""
    path = bundle / "manifest.json"
    try:
        manifest = json.loads(path.read_bytes())
        known = {(t.niveau, t.code): t for t in tous()}
        return Claim(
            bundle=bundle,
            territoire=known[manifest["territoire"]["niveau"], manifest["territoire"]["code"]],
            periode=str(manifest["periode"]),
            niveau_produit=str(manifest["niveau_produit"]),
            quarantaine_max_pct=float(manifest.get("quarantaine_max_pct", 1.0)),  # bundles made before it was said
            releases=tuple(
                (str(r["sha256"]), str(r["archive"]), str(r["millesime"]), str(r["origine"]))
                for r in manifest["chaine"]["releases"]
            ),
            versions={str(nom): str(version) for nom, version in manifest["versions"].items()},
            logo=next(iter(sorted(bundle.glob("logo.*"))), None),
            est_anterieure=bool(manifest["edition"]),
            a_codes_admis=any(each["controle"] == "codes_are_known" for each in manifest.get("admis", ())),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"A manifest that names territory, period, versions and archives was expected; found {type(error).__name__}: {error}.",
            where=str(path),
            cause="a manifest that was deleted or altered, or a bundle made before manifests held the chain of provenance",
            remedy="make the bundle again with `comex build`",
        ) from error


def archives(claim: Claim, raw: Path) -> list[Kept]:
    """The archives of a claim, from the stores of any source below `raw`, whole to the byte, in the claim's order.

    Raises ReleaseError for the first that is not there or damaged.
    """
    stores = sorted(path.parent for path in raw.glob("*/datapackage.json"))
    known = [(folder, entry) for folder in stores for entry in entries(folder)]
    return [_archive(release, rang, known, raw) for rang, release in enumerate(claim.releases, start=1)]


def _archive(release: tuple[str, str, str, str], rang: int, known: list[tuple[Path, dict[str, Any]]], raw: Path) -> Kept:
    sha256, name, vintage, origin = release
    same = [(folder, entry) for folder, entry in known if entry["hash"] == f"sha256:{sha256}" and entry["title"] == name]
    # The same bytes may have come by several ways: the one that was told first.
    same.sort(key=lambda one: (origine_lisible(one[1]["sources"][0]["title"]) != origin, one[1]["vintage"] != vintage))
    there = [one for one in same if (path := one[0] / one[1]["path"]).is_file() and digest(path) == sha256]
    if not there:
        damaged = [str(folder / entry["path"]) for folder, entry in same if (folder / entry["path"]).exists()]
        raise ReleaseError(
            f"The kept archive {name} with sha256 {sha256} was expected; "
            + ("its file has other bytes." if damaged else f"{len(known)} arrivals are on record, and its file is not there."),
            where=", ".join(damaged) or str(raw),
            cause="a file that was altered or damaged" if damaged else "another home, an archive deleted, or a forged manifest",
            remedy="restore it from a backup, or give with --home the outputs whose `raw` folder holds the archive",
        )
    folder, entry = there[0]
    path = folder / entry["path"]
    return Kept(
        name=name,
        path=path,
        sha256=sha256,
        contents=replace(inspect(path, name), vintage=entry["vintage"]),
        size=path.stat().st_size,
        origin=entry["sources"][0]["title"],
        archived_at=entry["archived_at"],
        rang=rang,
        accepted=entry.get("accepted", {}),
    )


def _make(claims: list[Claim], kept_in: Paths, paths: Paths) -> _Made:
    """The bundles of one batch below `paths`, by the code of every run."""
    first = claims[0]
    with stage(f"Archives ({len(first.releases)})"):
        kept = archives(first, kept_in.raw)
    wanted = {claim.periode for claim in claims}
    # The settings check the claim's values as they check an operator's.
    settings = {
        periode: Settings(
            home=paths.home,
            periode=periode,
            niveau_produit=first.niveau_produit,
            quarantaine_max_pct=first.quarantaine_max_pct,
            logo=first.logo,
            source="example",
        )
        for periode in sorted(wanted)
    }
    releases = warehouse.build(kept, paths, first.niveau_produit, list(settings), quarantaine_max_pct=first.quarantaine_max_pct)
    made = _Made(paths, {}, {})
    for periode, chosen in settings.items():
        marts = Marts(paths.marts, periode)
        codes = codes_admis(marts) if first.a_codes_admis else ""
        origin = replace(provenance(releases, marts), est_anterieure=first.est_anterieure, codes_admis=codes)
        made.periods[periode] = marts, origin
        territoires = [claim.territoire for claim in claims if claim.periode == periode]
        shown = _shown(territoires)
        figures = draw(shown, marts, paths.charts / periode, mention=origin.mention)
        drawn = list(track(figures, total=4 * len(shown), label="Graphiques"))
        failed = {item.territoire: item.erreur for item in drawn if item.erreur}
        bound = bind(dict.fromkeys(territoires), marts, origin, chosen, paths)
        for item in track(bound, total=len(territoires), label="Fiches"):
            if item.erreur:
                made.failures[item.territoire, periode] = failed.get(item.territoire, item.erreur)
    return made


def _shown(territoires: Iterable[Territoire]) -> list[Territoire]:
    """These territories and those whose figures stand in their fiches."""
    compared = {territoire.region_code for territoire in territoires}
    return list(dict.fromkeys([*territoires, *(region for code, region in regions().items() if code in compared), FRANCE]))


def _judge(claim: Claim, made: _Made) -> Verdict:
    if failure := made.failures.get((claim.territoire, claim.periode)):
        return Verdict(claim.bundle, (f"it cannot be made again: {failure}",))
    again = made.paths.fiches / claim.periode / claim.territoire.slug
    versions = read_claim(again).versions
    other = [
        f"{nom} {claim.versions.get(nom, 'unknown')} (here {versions.get(nom, 'none')})"
        for nom in sorted({*versions, *claim.versions})
        if versions.get(nom) != claim.versions.get(nom)
    ]
    note = (
        f"made with {', '.join(other)}: bytes and pictures are not comparable; data files and the words of the page, the PDF and"
        " the figures are, and each file with the manifest beside it",
    )
    return Verdict(claim.bundle, tuple(ecarts(claim.bundle, again, octets=not other)), note if other else ())


def _judge_pages(paths: Paths, made: list[_Made], scratch: Path) -> Iterator[Verdict]:
    """The pages beside the bundles are of the last run: each holds when it is the one of some batch and period."""
    pages: dict[Path, Callable[[Marts, Provenance], str]] = {
        paths.index: lambda marts, origin: index.composer(paths.home, paths.fiches, marts.periode, marts.reperes, origin)[0],
        paths.rapprochement: lambda marts, origin: rapprochement.composer(paths, marts, origin),
    }
    periods = [period for again in made for period in again.periods.values()]
    for path, composed in pages.items():
        if not path.is_file():
            yield Verdict(path, ("the file is missing",))
            continue
        found, wanted = scratch / path.stem / "found", scratch / path.stem / "wanted"
        for folder in (found, wanted):
            folder.mkdir(parents=True)
        (found / path.name).write_bytes(path.read_bytes())
        told = []
        for marts, origin in periods:
            (wanted / path.name).write_text(composed(marts, origin), encoding="utf-8")
            told.append(tuple(ecarts(found, wanted)))
        if told:
            yield Verdict(path, min(told, key=len))
