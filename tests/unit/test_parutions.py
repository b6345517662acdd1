"""The releases told to readers: what each changed, a feed that readers of feeds accept, and the index that leads there.

Add here: a release that is told in other words. Keep out: how arrivals are compared (`test_compare.py`).
"""

import json
import re
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pipeline.fiche import index, parutions
from pipeline.fiche.provenance import Archive, Provenance
from pipeline.paths import Paths
from tests.archives import row, take, write_archive, year

ATOM = "{http://www.w3.org/2005/Atom}"
TAG = re.compile(r"tag:[a-z0-9.-]+,20\d\d(-\d\d){0,2}:[A-Za-z0-9./_-]+")  # RFC 4151
FULL, ROLLING = "202502-Regional-2024-export.zip", "202505-stat-regional-ce-export.zip"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "home")


def origin(folder: Path) -> Provenance:
    entries = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))["resources"]
    archives = tuple(Archive(e["title"], e["hash"][7:], e["vintage"], "export", e["bytes"], "") for e in entries)
    return Provenance(est_exemple=False, millesime="202505", archives=archives, lues=archives)


def arrive(place: Path, paths: Paths, name: str, rows: list) -> Provenance:
    write_archive(place / name, rows)
    return origin(take(place, paths).folder)


def ecrire(paths: Paths, provenance: Provenance) -> tuple[str, ET.Element]:
    parutions.ecrire(paths.home, provenance)
    page, feed = ((paths.home / f"parutions.{kind}").read_text(encoding="utf-8") for kind in ("html", "xml"))
    return page, ET.fromstring(feed)


def assert_valid(feed: ET.Element) -> None:
    """RFC 4287, 4.1: what a feed and an entry must have, and have once."""
    assert feed.tag == f"{ATOM}feed" and all(child.tag.startswith(ATOM) for child in feed.iter())
    entries = feed.findall(f"{ATOM}entry")
    for element in (feed, *entries):
        for name in ("id", "title", "updated"):
            [child] = element.findall(f"{ATOM}{name}")
            assert child.text and child.text == child.text.strip()
        assert TAG.fullmatch(element.findtext(f"{ATOM}id", ""))
        for name in ("updated", "published"):
            if text := element.findtext(f"{ATOM}{name}"):
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", text) and datetime.fromisoformat(text)
        links = [(link.get("rel"), link.get("type")) for link in element.findall(f"{ATOM}link")]
        assert len(links) == len(set(links)) and all(link.get("href") for link in element.findall(f"{ATOM}link"))
    assert feed.findtext(f"{ATOM}author/{ATOM}name")  # or one in each entry
    assert all(entry.find(f"{ATOM}content").get("type") == "text" for entry in entries)  # pyright: ignore[reportOptionalMemberAccess]
    ids = [element.findtext(f"{ATOM}id") for element in (feed, *entries)]
    assert len(ids) == len(set(ids))
    assert feed.findtext(f"{ATOM}updated") == max(entry.findtext(f"{ATOM}updated", "") for entry in entries)


def test_each_release_says_what_it_changed(tmp_path: Path, paths: Paths) -> None:
    arrive(tmp_path / "s", paths, FULL, [*year(), row(trimestre=2, valeur=7)])
    revised = [row(trimestre=2), row(trimestre=3, valeur=2_001_000), row(trimestre=4), row(trimestre=1, annee=2025, pays="JP")]
    page, feed = ecrire(paths, arrive(tmp_path / "s", paths, ROLLING, revised))
    assert_valid(feed)
    told = [entry.findtext(f"{ATOM}content") for entry in feed.findall(f"{ATOM}entry")]
    assert told == [
        f"{ROLLING}. Exportations\u00a0: ajoute T1 2025\u00a0; révise T2 2024, T3 2024\u00a0; confirme T4 2024. Écart des trimestres"
        " révisés\u00a0: +2,0\u00a0M€. N’y figurent plus, et valent comme avant\u00a0: T1 2024. Codes apparus\u00a0: pays JP.",
        f"{FULL}. Exportations\u00a0: ajoute T1 2024, T2 2024, T3 2024, T4 2024. Première publication gardée de ce flux.",
    ]
    assert [entry.findtext(f"{ATOM}title") for entry in feed.findall(f"{ATOM}entry")] == [
        "Parution de mai 2025",
        "Parution de février 2025",
    ]
    for text in told:
        assert text and text.partition(". ")[2] in page
    for entry in feed.findall(f"{ATOM}entry"):
        address = entry.find(f"{ATOM}link").get("href")  # pyright: ignore[reportOptionalMemberAccess]
        assert f'<section id="{address.partition("#")[2]}">' in page  # pyright: ignore[reportOptionalMemberAccess]


def test_ids_stay_when_others_come_and_nothing_depends_on_the_clock(tmp_path: Path, paths: Paths) -> None:
    _, before = ecrire(paths, arrive(tmp_path / "s", paths, FULL, year()))
    kept = {path: path.read_bytes() for path in paths.home.glob("parutions.*")}
    ecrire(paths, origin(next(paths.raw.iterdir())))
    assert {path: path.read_bytes() for path in kept} == kept
    arrive(tmp_path / "s", paths, ROLLING, year())
    _, after = ecrire(paths, arrive(tmp_path / "s", paths, FULL.replace("2024-export", "2024-import"), year("I")))
    assert_valid(after)
    entries = {entry.findtext(f"{ATOM}id"): entry for entry in after.findall(f"{ATOM}entry")}
    [first] = before.findall(f"{ATOM}entry")
    again = entries[first.findtext(f"{ATOM}id")]
    assert len(entries) == 2 and before.findtext(f"{ATOM}id") == after.findtext(f"{ATOM}id")
    assert again.findtext(f"{ATOM}published") == first.findtext(f"{ATOM}published")
    assert again.findtext(f"{ATOM}updated", "") >= first.findtext(f"{ATOM}updated", "")
    assert again.findtext(f"{ATOM}content", "").count("Première publication gardée de ce flux.") == 2  # both flows of one month


def test_made_up_releases_say_so_and_a_site_of_another_store_has_no_feed(kiosk: Path, paths: Paths) -> None:
    provenance = origin(take(kiosk, paths).folder)
    page, feed = ecrire(paths, provenance)
    assert_valid(feed)
    assert "(Données d’exemple)" in feed.findtext(f"{ATOM}title", "") and page.count("Données d’exemple") >= 2
    other = Provenance(est_exemple=False, millesime="202505", lues=(Archive("x.zip", "0" * 64, "202505", "export", 1, ""),))
    assert parutions.depot(paths.home, other) is None


def test_the_index_lists_the_comparisons_that_exist(tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    index.actualiser(page)  # no fiche was made here yet
    assert not page.exists()
    page.write_text(f"<main>avant{index._section(tmp_path, True)}après</main>", encoding="utf-8")
    assert "Aucune comparaison" in page.read_text(encoding="utf-8")
    for after in ("202508", "202511"):
        folder = tmp_path / "revisions" / f"202502-{after}-2024"
        folder.mkdir(parents=True)
        rapport = {
            "periode": "2024", "est_exemple": True, "est_identique": after == "202508", "resume": [],
            "avant": {"millesime": "202502"}, "apres": {"millesime": after},
            "totaux": [{"niveau": "france", "flux": flux, "revision_eur": -12_345_678, "revision_pct": -0.24} for flux in ("export", "import")],
        }  # fmt: skip
        (folder / "revisions.json").write_text(json.dumps(rapport), encoding="utf-8")
    index.actualiser(page)
    index.actualiser(page)
    text = page.read_text(encoding="utf-8")
    links = re.findall(r'<li><a href="(.*?)">(.*?)</a>', text)
    assert links == [
        (f"revisions/202502-{after}-2024/index.html", f"2024, de février 2025 à {nom} 2025 (Données d’exemple)")
        for after, nom in (("202511", "novembre"), ("202508", "août"))
    ]
    assert "Exportations de la France\u00a0: révisées de −12,3\u00a0M€ (−0,2\u00a0%)." in text and "Rien n’a été révisé" in text
    assert text.startswith("<main>avant") and text.endswith("après</main>") and 'href="parutions.html"' in text
