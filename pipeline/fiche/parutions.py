"""The releases behind a site, told as a page and as an Atom feed: what came when, and what it changed.

All of it comes from the store: its log of arrivals and the comparison kept of each. Add here: what a follower of the feed wants
to know of a release. Keep out: revisions of territories (`revisions.py`), how arrivals are compared (`archive/compare.py`).
One entry a vintage; its address and id never change, what it tells and its date do when another archive of that month comes.
"""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from pipeline.archive import compare, store
from pipeline.fiche.page import gabarits
from pipeline.fiche.provenance import LICENCE, MENTION_EXEMPLE, Provenance
from pipeline.outputs import write_whole
from pipeline.typographie import INSECABLE, de_mois, liste, millions, nombre, trimestres

ATOM = "http://www.w3.org/2005/Atom"
TITRE = "Parutions des Douanes : commerce extérieur des territoires".replace(" :", f"{INSECABLE}:")
NOMENCLATURES = {"departement": "départements", "a129": "A129", "cpf4": "CPF4", "pays": "pays"}


def depot(racine: Path, provenance: Provenance) -> Path | None:
    """The store under `racine`/raw that the archives of a site came from; None when they are kept elsewhere."""
    wanted = {f"sha256:{archive.sha256}" for archive in provenance.lues}
    stores = (path.parent for path in sorted(racine.glob("raw/*/datapackage.json")))
    return next((folder for folder in stores if wanted <= {entry["hash"] for entry in store.entries(folder)}), None)


def ecrire(racine: Path, provenance: Provenance) -> None:
    """Write parutions.html and parutions.xml into `racine`, if the store of the site's archives is there."""
    folder = depot(racine, provenance)
    if folder is not None:
        found = parutions(folder)
        mention = MENTION_EXEMPLE if any(parution["est_exemple"] for parution in found) else ""
        page = gabarits().get_template("parutions.html.j2")
        write_whole(racine / "parutions.html", page.render(parutions=found, titre=TITRE, mention=mention))
        write_whole(racine / "parutions.xml", flux(folder.name, found, mention))


def parutions(folder: Path) -> list[dict[str, Any]]:
    """What is kept in a store by vintage, the newest first, with what each archive changed when it came."""
    reports = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("comparaisons/*.json")]
    by_rang = {rapport["rang"]: rapport for rapport in reports}
    found: dict[str, dict[str, Any]] = {}
    for entry in store.entries(folder):
        parution = found.setdefault(
            entry["vintage"],
            {
                "millesime": entry["vintage"],
                "titre": f"Parution {de_mois(entry['vintage'])}",
                "publie": entry["archived_at"],
                "est_exemple": entry["est_exemple"],
                "archives": [],
            },
        )
        parution["mis_a_jour"] = entry["archived_at"]
        parution["archives"].append(
            {
                "nom": entry["title"],
                "sha256": entry["hash"].removeprefix("sha256:"),
                "changements": changements(by_rang.get(entry["rang"])),
            }
        )
    return [found[vintage] for vintage in sorted(found, reverse=True)]


def changements(rapport: dict[str, Any] | None) -> str:
    """What an archive changed when it came, in a sentence; that nothing is known when its comparison is missing."""
    if rapport is None:
        return "Comparaison absente."
    by_statut: dict[str, list[str]] = {}
    for fact in rapport["trimestres"]:
        by_statut.setdefault(fact["statut"], []).append(fact["trimestre"])
    told = {statut: trimestres(" ".join(codes)) for statut, codes in by_statut.items()}
    parts = [
        f"{words} {told[statut]}"
        for statut, words in (
            (compare.AJOUTE, "ajoute"),
            (compare.REVISE, "révise"),
            (compare.INCHANGE, "confirme"),
            (compare.ANCIEN, "est plus ancienne que ce qui vaut pour"),
        )
        if statut in told
    ]
    first = " Première publication gardée de ce flux." if rapport["est_premiere"] else ""
    moved = f" Écart des trimestres révisés{INSECABLE}: {millions(rapport['ecart_revise_eur'], signe=True)}."
    absent = trimestres(" ".join(fact["trimestre"] for fact in rapport["trimestres_absents"]))
    codes = [
        f" Codes {words}{INSECABLE}: {liste([_codes(name, found) for name, found in rapport[key].items() if found])}."
        for key, words in (("codes_apparus", "apparus"), ("codes_disparus", "disparus"))
        if any(rapport[key].values())
    ]
    return (
        f"{rapport['flux'].capitalize()}ations{INSECABLE}: {f'{INSECABLE}; '.join(parts)}.{first}"
        + (moved if compare.REVISE in told else "")
        + (f" N’y figurent plus, et valent comme avant{INSECABLE}: {absent}." if absent else "")
        + "".join(codes)
    )


def _codes(name: str, found: list[str]) -> str:
    """The codes of a nomenclature, or how many where they are many."""
    return f"{NOMENCLATURES[name]} {' '.join(found) if len(found) <= 12 else f'({nombre(len(found))} codes)'}"


def flux(source: str, found: list[dict[str, Any]], mention: str) -> str:
    """The Atom feed (RFC 4287) of a store's releases; `source` is its name, which makes the ids unique."""
    ET.register_namespace("", ATOM)
    feed = ET.Element(f"{{{ATOM}}}feed", {"xml:lang": "fr"})

    def add(parent: ET.Element, name: str, text: str | None = None, **attributes: str) -> ET.Element:
        child = ET.SubElement(parent, f"{{{ATOM}}}{name}", attributes)
        child.text = text
        return child

    # RFC 4151; a name that is nobody's, since the office that runs this has no say in ours.
    identity = f"tag:comex.invalid,2026:{source}/parutions"
    add(feed, "id", identity)
    add(feed, "title", TITRE + (f" ({mention})" if mention else ""))
    add(feed, "updated", max(parution["mis_a_jour"] for parution in found))
    add(add(feed, "author"), "name", "Comex")
    add(feed, "link", rel="self", type="application/atom+xml", href="parutions.xml")
    add(feed, "link", rel="alternate", type="text/html", href="parutions.html")
    add(feed, "rights", LICENCE)
    for parution in found:
        entry = add(feed, "entry")
        add(entry, "id", f"{identity}/{parution['millesime']}")
        add(entry, "title", parution["titre"])
        add(entry, "published", parution["publie"])
        add(entry, "updated", parution["mis_a_jour"])
        add(entry, "link", rel="alternate", type="text/html", href=f"parutions.html#m{parution['millesime']}")
        lines = [f"{archive['nom']}. {archive['changements']}" for archive in parution["archives"]]
        add(entry, "content", "\n".join(lines), type="text")
    ET.indent(feed)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(feed, encoding="unicode")}\n'
