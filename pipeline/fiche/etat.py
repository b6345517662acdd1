"""Whether a fiche is of the run that stands: what it was made from, against what it would be made from now.

The index marks those that are not, and `etat.js` beside the bundles tells their pages, which cannot be written anew without
breaking their proof: the script that all pages share reads it, and says nothing where it is missing. A PDF cannot tell.
Add here: a choice or an input that changes what a fiche prints. Keep out: how a bundle is proved (`verify.py`).
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline.archive.tables import Release, quarters_of, standing, year_before
from pipeline.fiche import manifeste
from pipeline.fiche.provenance import Fabrication, empreinte_du_code
from pipeline.outputs import put_whole, writing
from pipeline.paths import Paths
from pipeline.territoires import tous
from pipeline.typographie import liste, periode

Etats = dict[str, dict[str, str]]  # period → slug → what its fiche was made with, where that is not what stands


def fabrication(releases: Iterable[Release], wanted: str) -> Fabrication:
    """What a fiche of the period `wanted` is made from, of these releases."""
    found = standing(releases)
    parts = [_donnees(found, quarters_of(each)) for each in (wanted, year_before(wanted))]
    ids = {release_id for part in parts for release_id, _ in part}
    used = {release for release in found.values() if release.release_id in ids}
    return Fabrication(
        sources=tuple(sorted({_source(release) for release in used})),
        periode=parts[0],
        comparaison=parts[1],
        admis=tuple(sorted({name for release in used for name in release.admis.split()})),
    )


def _donnees(found: dict[tuple[str, str], Release], quarters: list[str]) -> tuple[tuple[str, str], ...]:
    given: dict[str, list[str]] = {}
    for flux in "EI":
        for quarter in quarters:
            if release := found.get((flux, quarter)):
                given.setdefault(release.release_id, []).append(quarter)
    return tuple(sorted((release_id, " ".join(own)) for release_id, own in given.items()))


def _source(release: Release) -> str:
    if release.est_exemple:
        return "exemple"
    return (urlsplit(release.origine).hostname or "dossier") if "://" in release.origine else "dossier"


def composer(paths: Paths, releases: list[Release], niveau_produit: str) -> Etats:
    """Of the bundles that are there, those that a run of these releases would make otherwise."""
    slugs = sorted(territoire.slug for territoire in tous())
    lues = {release.release_id for release in releases}
    found: Etats = {}
    for each in paths.periodes():
        actuelle = fabrication(releases, each)
        stale = {}
        for dossier in (paths.fiches / each / slug for slug in slugs):
            if dossier.is_dir() and (dits := _raisons(dossier, each, actuelle, niveau_produit, lues)):
                stale[dossier.name] = f"faite {liste(dits)}"
        found[each] = stale
    return found


def ecrire(paths: Paths, etats: Etats) -> None:
    """Write `etat.js`, which pages read. Raises OutputError."""
    with writing(paths.etat):
        put_whole(paths.etat, javascript(etats).encode())


def javascript(etats: Etats) -> str:
    """What `etat.js` holds: a script, since a page that was opened from a disk may read no other file."""
    return f"window.comexEtats = {json.dumps(etats, indent=1, sort_keys=True)};\n"


def _raisons(dossier: Path, each: str, actuelle: Fabrication, niveau_produit: str, lues: set[str]) -> list[str]:
    """In what a bundle is not of `actuelle`, in French; nothing when it is."""
    try:
        manifest = manifeste.lire(dossier)
        told = _donnees_autres(manifest, each, actuelle.manifeste(), lues)
        if manifest["niveau_produit"] != niveau_produit:
            told.append(f"à un autre niveau de produits ({manifest['niveau_produit']})")
        if manifest["versions"]["code"] != empreinte_du_code():
            told.append("avec une autre version de l’outil")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ["on ne sait avec quoi\u00a0: son manifeste ne se lit pas"]
    return told


def _donnees_autres(manifest: dict[str, Any], each: str, actuelle: dict[str, Any], lues: set[str]) -> list[str]:
    # Manifests had no such key before: those tell what stood for the period, not for the year before.
    faite = manifest.get("fabrication")
    if faite is None:
        given = {release["release_id"]: release["trimestres"] for release in manifest["chaine"]["releases"]}
        faite = actuelle | {"periode": {release_id: quarters for release_id, quarters in given.items() if quarters}}
        faite["sources"] = ["exemple"] if manifest["est_exemple"] else [s for s in actuelle["sources"] if s != "exemple"]
    told = []
    if faite["periode"] != actuelle["periode"]:
        if not {*faite["sources"]} & {*actuelle["sources"]} or not {*faite["periode"]} & lues:
            told.append("avec une autre source ou d’autres archives")
        elif {*faite["periode"]} <= lues:
            told.append(f"avant la révision {_de(each)}")
        else:
            told.append("avec une autre édition des données")
    elif faite["comparaison"] != actuelle["comparaison"]:
        avant = _de(year_before(each))
        revised = faite["comparaison"] and {*faite["comparaison"]} <= lues
        told.append(f"avant la révision {avant}" if revised else f"avec d’autres données {avant}")
    if faite["admis"] != actuelle["admis"]:
        told.append("avec d’autres contrôles admis")
    return told


def _de(each: str) -> str:
    return f"{'des' if 'T' in each else 'de'} {periode(each)}"
