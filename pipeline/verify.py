"""Bundles made again from the archives they name, in a place of their own, and compared: what holds, and what does not.

Add here: another output that can be made again. Keep out: how two copies are compared (`fiche/ecarts.py`), and any code
that makes a fiche: it is the one of every run (`archive/`, `warehouse.py`, `charts/`, `fiche/`), else nothing would be proved.
The kept archives are read, and nothing is written but a temporary folder. What a bundle says of itself decides what is
made again (archives, period, level of the goods); it is then compared like all the rest.
"""

import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline import warehouse
from pipeline.archive import rows, tables
from pipeline.archive.inspect import digest, inspect
from pipeline.archive.store import Kept, entries, origine_lisible
from pipeline.archive.tables import Release
from pipeline.charts.draw import draw
from pipeline.errors import ComexError, DataError, ReleaseError, SettingError
from pipeline.fiche import epreuve, etat, index, manifeste, page, rapprochement
from pipeline.fiche.bind import bind, codes_admis, provenance
from pipeline.fiche.ecarts import Comparaison, compare_page, comparer
from pipeline.fiche.manifeste import lisible
from pipeline.fiche.provenance import Provenance, marque
from pipeline.marts import Marts
from pipeline.outputs import writing
from pipeline.paths import Paths
from pipeline.progress import stage, track
from pipeline.settings import Settings
from pipeline.territoires import FRANCE, Territoire, regions, tous

HOLDS, PARTLY, DIFFERS = "holds", "data and words agree; pictures not compared", "DIFFERS"
OTHERS = {PARTLY: "agree in data and words, their pictures were not compared", DIFFERS: "differ or could not be judged"}
PERIODE = re.compile(r"20[0-9]{2}(T[1-4])?")
NAMES = {"manifest.json", "fiche.html", "fiche.pdf"}  # of which a bundle has one at least
MAX_LOGO, MAX_PAGE = 2 * 1024**2, 8 * 1024**2  # bytes
GENERATOR = re.compile(r'<meta name="generator" content="([^"]{1,80})">')


@dataclass(frozen=True)
class Verdict:
    """Of one bundle (or the shared files, or a page beside them): it holds when nothing differs and all was compared.

    `notes` qualify how it was compared; `uncompared`: files of which other versions left something that was not.
    """

    path: Path
    differences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    uncompared: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        """HOLDS, PARTLY or DIFFERS."""
        return DIFFERS if self.differences else PARTLY if self.uncompared else HOLDS

    def told(self) -> str:
        """A line for the verdict, and one for each note, difference and thing that was not compared."""
        head = f"{self.word}  {self.path.parent.name}/{self.path.name}"
        lines = [line for text in (*self.notes, *self.differences) for line in text.split("\n")]
        if self.uncompared and not self.differences:
            lines.append(f"not compared: {'; '.join(self.uncompared)}")
        return "\n  ".join(map(lisible, [head, *lines]))


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
    """One batch, made again: the marts and the origin of each period, and why a bundle or a period could not be."""

    paths: Paths
    niveau_produit: str
    releases: list[Release] = field(default_factory=list)
    periods: dict[str, tuple[Marts, Provenance]] = field(default_factory=dict)
    failures: dict[tuple[Territoire | None, str], ComexError] = field(default_factory=dict)
    since: dict[str, str] = field(default_factory=dict)  # by period: what the archives kept since then give otherwise


def verify(place: Path | None, paths: Paths) -> Iterator[Verdict]:
    """Make again each bundle at or below `place` from the archives kept in `paths`, and say what differs.

    `place` may lie anywhere. Without one: all bundles of `paths`, the shared files, the index and the page of the reconciliation.
    The page and feed of releases and that of checks are left aside: they tell what arrived and what ran, which the archives of
    the bundles do not. A bundle that cannot be read or made again is a verdict, and the others are judged all the same.
    Raises SettingError when there is no bundle.
    """
    batches: dict[tuple[Any, ...], list[Claim]] = {}
    for bundle in bundles(place or paths.fiches):
        try:
            claim = read_claim(bundle)
            batches.setdefault(claim.batch, []).append(claim)
        except ComexError as error:
            yield Verdict(bundle, (error.expected_found,))
        except OSError as error:
            yield Verdict(bundle, (f"it cannot be read ({error.strerror})",))
    made = []
    with tempfile.TemporaryDirectory(prefix="comex-verify-") as name:
        for number, claims in enumerate(batches.values(), start=1):
            scratch = Paths(Path(name) / str(number))
            try:
                with writing(scratch.home):
                    again = _make(claims, paths, scratch)
            except ComexError as error:
                yield from (Verdict(claim.bundle, (f"it cannot be made again: {error}",)) for claim in claims)
                continue
            made.append(again)
            yield from (_judge(claim, again, paths) for claim in claims)
        if place is None:
            with writing(Path(name)):
                page.ecrire_commun(Path(name) / "commun")
            yield Verdict(paths.commun, tuple(comparer(paths.commun, Path(name) / "commun").differences))
            yield from _judge_pages(paths, made, Path(name))


def exit_code(words: list[str]) -> int:
    """Of a command that gave these verdicts: 1 where one differs, else 2 where one was compared in part, else 0."""
    return 1 if DIFFERS in words else 2 if PARTLY in words else 0


def bundles(place: Path) -> list[Path]:
    """The bundles at or below `place`: folders with a manifest or a fiche, and links to such. Raises SettingError for none."""
    place = place.resolve()
    found: list[Path] = []
    unread: list[OSError] = []
    for folder, inside, names in os.walk(place, onerror=unread.append):
        inside[:] = sorted(name for name in inside if not name.startswith("."))
        links = [Path(folder) / name for name in inside if (Path(folder) / name).is_symlink()]
        found += [link for link in links if any((link / name).exists() for name in NAMES)]
        if NAMES & {*names, *inside}:
            found.append(Path(folder))
    # What may not be looked into is judged like a bundle that cannot be read.
    found += [Path(error.filename) for error in unread if Path(error.filename) != place]
    if not found:
        raise SettingError(
            f"Bundles (folders with a manifest.json) were expected; {place} {'holds none' if place.exists() else 'does not exist'}.",
            where=str(place),
            cause="another folder, or nothing was built there yet",
            remedy="give the folder of a bundle such as fiches/2024/94-val-de-marne, or of several; or build first",
        )
    return sorted(found)


def read_claim(bundle: Path) -> Claim:
    """What a bundle says of itself. Raises DataError when it says too little, or nothing that can be believed."""
    try:
        if bundle.is_symlink():
            raise ValueError("the folder is a symbolic link")
        said = manifeste.declaration(bundle)
        known = {(t.niveau, t.code): t for t in tous()}
        if (place := (said.territoire.niveau, said.territoire.code)) not in known:
            raise ValueError(f"territoire: {'/'.join(place)} has no fiche")
        return Claim(
            bundle=bundle,
            territoire=known[place],
            periode=said.periode,
            niveau_produit=said.niveau_produit,
            quarantaine_max_pct=said.quarantaine_max_pct,
            releases=tuple((r.sha256, r.archive, r.millesime, r.origine) for r in said.chaine.releases),
            versions=said.versions,
            logo=_logo(bundle),
            est_anterieure=bool(said.edition),
            a_codes_admis=any(each.controle == "codes_are_known" for each in said.admis),
        )
    except (OSError, ValueError) as error:
        raise _unusable(bundle, str(error)) from error


def _unusable(bundle: Path, found: str) -> DataError:
    return DataError(
        "A manifest that names territory, period, versions and archives was expected; it cannot be believed:"
        f" {lisible(found)[:300]}.",
        where=str(bundle / "manifest.json"),
        cause="a manifest that was deleted or altered, or a bundle made before manifests held the chain of provenance",
        remedy="make the bundle again with `comex build`",
    )


def _logo(bundle: Path) -> Path | None:
    """The bundle's logo, which the fiche that is made again shows too."""
    names = [nom for nom in manifeste.inventaire(bundle).fichiers if nom in ("logo.svg", "logo.png")]
    for nom in names:
        manifeste.octets(bundle / nom, MAX_LOGO)
    return bundle / names[0] if names else None


def misplaced(claim: Claim, paths: Paths) -> list[str]:
    """What the bundle's place says otherwise than its manifest.

    Its folder bears the name of its territory wherever it travelled. The folder above bears that of its period below the
    home's `fiches/`, and wherever else that folder has the name of a period.
    """
    found, above = claim.bundle, claim.bundle.parent
    told = []
    if found.name != claim.territoire.slug:
        told.append(f"its folder is called {found.name}; the bundle of {claim.territoire.nom} is called {claim.territoire.slug}")
    at_home = paths.fiches.resolve() in above.resolve().parents or above.resolve() == paths.fiches.resolve()
    if at_home and above.resolve() != paths.fiches.resolve() / claim.periode:
        told.append(f"it lies in {above}; a bundle of {claim.periode} lies in {paths.fiches / claim.periode}")
    elif PERIODE.fullmatch(above.name) and above.name != claim.periode:
        told.append(f"it lies in a folder called {above.name}; it is a bundle of {claim.periode}")
    return told


def archives(claim: Claim, raw: Path) -> list[Kept]:
    """The archives of a claim, from the stores of any source below `raw`, whole to the byte, in the claim's order.

    Raises ReleaseError for the first that is not there or damaged.
    """
    return [kept for _, kept in _archives(claim, raw)]


def _archives(claim: Claim, raw: Path) -> list[tuple[Path, Kept]]:
    """The same, each with the folder of its store."""
    known, unread = [], []
    for path in sorted(raw.glob("*/datapackage.json")):
        try:
            known += [(path.parent, entry) for entry in entries(path.parent) if {"hash", "title", "path"} <= entry.keys()]
        except (ComexError, OSError, ValueError, KeyError, TypeError, AttributeError):
            unread.append(str(path))  # of another source, perhaps: what is not found elsewhere says so
    return [_archive(release, rang, known, unread, raw) for rang, release in enumerate(claim.releases, start=1)]


def _archive(
    release: tuple[str, str, str, str], rang: int, known: list[tuple[Path, dict[str, Any]]], unread: list[str], raw: Path
) -> tuple[Path, Kept]:
    sha256, name, vintage, origin = release
    same = [(folder, entry) for folder, entry in known if entry["hash"] == f"sha256:{sha256}" and entry["title"] == name]
    # The same bytes may have come by several ways: the one that was told first.
    same.sort(key=lambda one: (origine_lisible(one[1]["sources"][0]["title"]) != origin, one[1]["vintage"] != vintage))
    there = [one for one in same if (path := one[0] / one[1]["path"]).is_file() and digest(path) == sha256]
    if not there:
        damaged = [str(folder / entry["path"]) for folder, entry in same if (folder / entry["path"]).exists()]
        raise ReleaseError(
            f"The kept archive {lisible(name)} with sha256 {sha256} was expected; "
            + ("its file has other bytes." if damaged else f"{len(known)} arrivals are on record, and its file is not there.")
            + (f" {len(unread)} records of arrivals cannot be read: {', '.join(unread)}." if unread else ""),
            where=", ".join(damaged) or str(raw),
            cause="a file that was altered or damaged" if damaged else "another home, an archive deleted, or a forged manifest",
            remedy="restore it from a backup, or give with --home the outputs whose `raw` folder holds the archive",
        )
    folder, entry = there[0]
    return folder, _kept(folder, entry, rang)


def _kept(folder: Path, entry: dict[str, Any], rang: int) -> Kept:
    path = folder / entry["path"]
    return Kept(
        name=entry["title"],
        path=path,
        sha256=entry["hash"].removeprefix("sha256:"),
        contents=replace(inspect(path, entry["title"]), vintage=entry["vintage"]),
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
        found = _archives(first, kept_in.raw)
    kept = [archive for _, archive in found]
    if first.logo:
        try:
            epreuve.eprouver_logo(first.logo)
        except ValueError as error:
            raise _unusable(first.bundle, f"{first.logo.name} cannot be set into a page: {error}") from error
    releases = tables.build(kept, paths.raw_tables)
    made = _Made(paths, first.niveau_produit, releases)
    periods = []
    for periode in sorted({claim.periode for claim in claims}):
        try:
            periods.append(tables.choose_period(releases, periode))
        except ComexError as error:
            made.failures[None, periode] = error
    if not periods:
        return made
    releases = warehouse.build(kept, paths, first.niveau_produit, periods, quarantaine_max_pct=first.quarantaine_max_pct)
    for periode in periods:
        # The settings check the claim's values as they check an operator's.
        chosen = Settings(
            home=paths.home,
            periode=periode,
            niveau_produit=first.niveau_produit,
            quarantaine_max_pct=first.quarantaine_max_pct,
            logo=first.logo,
            source="example",
        )
        try:
            marts = Marts(paths.marts, periode)
            codes = codes_admis(marts) if first.a_codes_admis else ""
            origin = replace(provenance(releases, marts), est_anterieure=first.est_anterieure, codes_admis=codes)
        except ComexError as error:
            made.failures[None, periode] = error
            continue
        made.periods[periode] = marts, origin
        territoires = list(dict.fromkeys(claim.territoire for claim in claims if claim.periode == periode))
        shown = _shown(territoires)
        figures = draw(shown, marts, paths.charts / periode, mention=origin.mention)
        drawn = list(track(figures, total=4 * len(shown), label="Graphiques"))
        failed = {item.territoire: item.erreur for item in drawn if item.erreur}
        bound = bind(territoires, marts, origin, chosen, paths)
        for item in track(bound, total=len(territoires), label="Fiches"):
            if item.erreur:
                made.failures[item.territoire, periode] = failed.get(item.territoire, item.erreur)
    made.since.update(_since(found, list(made.periods), paths))
    return made


def _since(found: list[tuple[Path, Kept]], periods: list[str], paths: Paths) -> dict[str, str]:
    """By period, which archives of the same stores give other rows for its quarters, or for those a year before, today."""
    same = {kept.sha256 for _, kept in found}
    known = [(kept, rows.extract(kept, paths.raw_tables)) for _, kept in found]
    later = []
    for folder in sorted({folder for folder, _ in found}):
        for rang, entry in enumerate(entries(folder), start=len(known) + 1):
            if entry["hash"].removeprefix("sha256:") in same:
                continue
            try:
                kept = _kept(folder, entry, rang)
                later.append((kept, rows.extract(kept, paths.home.parent / "since")))
            except (ComexError, OSError, KeyError):
                continue  # no run could be made of it either
    then, now = _standing(known), _standing(known + later)
    told = {}
    for periode in periods:
        quarters = {*tables.quarters_of(periode), *tables.quarters_of(tables.year_before(periode))}
        moved = {
            key: kept.name
            for key, (kept, digest_) in now.items()
            if key[1] in quarters and then.get(key, (None, ""))[1] != digest_
        }
        if moved:
            by = ", ".join(sorted(set(moved.values())))
            told[periode] = f"{' '.join(sorted({quarter for _, quarter in moved}))} came otherwise since, in {by}"
    return told


def _standing(known: list[tuple[Kept, dict[str, Any]]]) -> dict[tuple[str, str], tuple[Kept, str]]:
    """For each flow and quarter the archive that stands, with the digest of its rows."""
    found = {}
    for kept, facts in sorted(known, key=lambda one: (one[1]["vintage"], one[0].rang)):
        for quarter, fact in facts["par_trimestre"].items():
            found[kept.contents.flux, quarter] = kept, fact["digest"]
    return found


def _shown(territoires: Iterable[Territoire]) -> list[Territoire]:
    """These territories and those whose figures stand in their fiches."""
    compared = {territoire.region_code for territoire in territoires}
    return list(dict.fromkeys([*territoires, *(region for code, region in regions().items() if code in compared), FRANCE]))


def _judge(claim: Claim, made: _Made, paths: Paths) -> Verdict:
    failure = made.failures.get((claim.territoire, claim.periode)) or made.failures.get((None, claim.periode))
    if failure:
        return Verdict(claim.bundle, (f"it cannot be made again: {failure}",))
    again = made.paths.fiches / claim.periode / claim.territoire.slug
    versions = manifeste.declaration(again).versions
    other = [
        f"{nom} {claim.versions.get(nom, 'unknown')} (here {versions.get(nom, 'none')})"
        for nom in sorted({*versions, *claim.versions})
        if versions.get(nom) != claim.versions.get(nom)
    ]
    try:
        compared = comparer(claim.bundle, again, octets=not other)
    except (OSError, ValueError, RecursionError) as error:
        compared = Comparaison([f"it cannot be read ({error})"])
    notes = []
    if other:
        notes.append(
            f"made with {', '.join(other)}: "
            + (
                "bytes that differ are put down to that; data files, the words of the page, the PDF and the figures, and each file"
                " with the manifest beside it are compared"
                if compared.non_compares or compared.differences
                else "all its files have the same bytes all the same"
            )
        )
    if since := made.since.get(claim.periode):
        notes.append(f"no longer what the archives give: {since}; it says what those that it names gave (its PDF cannot tell)")
    if told := _marked(claim, paths):
        notes.append(f"no longer what a run gives, as the index says: « {told} » (its PDF cannot tell)")
    return Verdict(
        claim.bundle,
        (*misplaced(claim, paths), *compared.differences),
        tuple(notes),
        tuple(f"{nom}, {what}" for nom, what in compared.non_compares.items()),
    )


def _marked(claim: Claim, paths: Paths) -> str:
    """What `etat.js` of the home says of a bundle that lies there; it is judged itself beside the index."""
    if claim.bundle != paths.fiches.resolve() / claim.periode / claim.territoire.slug:
        return ""
    try:
        script = manifeste.octets(paths.etat, MAX_PAGE)
        return str(
            manifeste.charger(script[script.index(b"{") : script.rindex(b"}") + 1])[claim.periode].get(claim.territoire.slug, "")
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""


def _judge_pages(paths: Paths, made: list[_Made], scratch: Path) -> Iterator[Verdict]:
    """The pages beside the bundles are of the last run: each holds when it is the one of some batch and period."""
    pages: dict[Path, Callable[[_Made, Marts, Provenance], str]] = {
        paths.index: lambda again, marts, origin: index.composer(
            paths.home, paths.fiches, marts.periode, marts.reperes, origin, _etats(paths, again).get(marts.periode)
        )[0],
        paths.rapprochement: lambda again, marts, origin: rapprochement.composer(paths, marts, origin),
        paths.etat: lambda again, marts, origin: etat.javascript(_etats(paths, again)),
    }
    periods = [(again, *period) for again in made for period in again.periods.values()]
    for path, composed in pages.items():
        found, wanted = scratch / path.stem / "found", scratch / path.stem / "wanted"
        for folder in (found, wanted):
            folder.mkdir(parents=True)
        try:
            content = manifeste.octets(path, MAX_PAGE)
        except FileNotFoundError:
            yield Verdict(path, ("the file is missing",))
            continue
        except (OSError, ValueError) as error:
            yield Verdict(path, (f"it cannot be read ({error})",))
            continue
        (found / path.name).write_bytes(content)
        made_by = GENERATOR.search(content.decode("utf-8", "replace"))
        octets = path.suffix == ".js" or (made_by is not None and made_by[1] == marque())
        told = []
        for again, marts, origin in periods:
            try:
                (wanted / path.name).write_text(composed(again, marts, origin), encoding="utf-8")
            except ComexError as error:
                told.append(Comparaison([f"it cannot be made again: {error}"]))
                continue
            told.append(compare_page(found / path.name, wanted / path.name, octets=octets))
        notes = () if octets else (f"made by {made_by[1] if made_by else 'another version'} (here {marque()})",)
        best = min(told, key=lambda one: (len(one.differences), len(one.non_compares)), default=None)
        if best is None:
            yield Verdict(path, ("no bundle could be made again that it might be of",), notes)
            continue
        if best.differences:
            notes = (*notes, "it is of an older run, of other data than each bundle here, or it was altered")
        yield Verdict(path, tuple(best.differences), notes, tuple(best.non_compares.values()))


def _etats(paths: Paths, again: _Made) -> etat.Etats:
    return etat.composer(paths, again.releases, again.niveau_produit)
