"""Two vintages compared: every number once more from the text of the archives, by pandas; the page against the JSON.

Add here: what a comparison must hold. Keep out: what a single vintage must give (`test_marts_against_pandas.py`).
"""

# pyright: reportArgumentType=false, reportReturnType=false

import html
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from pipeline import revisions
from pipeline.errors import DataError, SettingError
from pipeline.paths import DBT_PROJECT, Paths
from pipeline.settings import Settings
from pipeline.sources import source_id
from pipeline.typographie import millions, pct
from tests.archives import Row, country, row, take, write_archive
from tests.integration.test_marts_against_pandas import decode, read, territories
from tests.integration.test_runs import COMEX, PARTS, fingerprint
from tests.oddities import write_oddities

FLUX = {"E": "export", "I": "import"}
Table = dict[tuple[str, ...], dict[str, Any]]


def settings(home: Path, source: Path, **others: str) -> Settings:
    return Settings(home=home, source=str(source), **others)


def fetch(home: Path, source: Path) -> Path:
    """What the source offers, in the archive, where `comex` looks for it."""
    taken = take(source, Paths(home))
    taken.folder.rename(taken.folder.with_name(source_id(settings(home, source))))
    return home


def made(home: Path, name: str, source: Path) -> Path:
    """The folder of a comparison: two sources of one home do not write over each other."""
    return home / "revisions" / f"{name}-{source_id(settings(home, source))}"


def table(rows: Iterable[dict[str, Any]], *key: str) -> Table:
    found = {tuple(line[name] for name in key): line for line in rows}
    assert len(found) == len(list(rows))
    return found


# --- by other means -----------------------------------------------------------------------------------------------------


def known(source: Path, vintage: str, folder: Path) -> pd.DataFrame:
    """The rows of 2024, of the archives that were out at a vintage."""
    folder.mkdir()
    for path in source.glob("*.zip"):
        if path.name[:6] <= vintage:
            (folder / path.name).symlink_to(path)
    rows = decode(*read(folder))
    return rows[rows["annee"] == "2024"]


def incomplete(rows: pd.DataFrame) -> set[tuple[str, str]]:
    """Départements and flows of which more than 1 % is kept out, in rows or in euros without their sign: they have no rank."""
    found: dict[tuple[str, str], list[int]] = {}
    for dep, flux, motif, euros in zip(rows["dep"], rows["flux"], rows["motif"], rows["euros"], strict=True):
        counts = found.setdefault((dep, flux), [0, 0, 0, 0])
        counts[2 * bool(motif)] += 1
        counts[2 * bool(motif) + 1] += abs(euros) if motif else euros
    return {key for key, (there, worth, away, lost) in found.items() if away * 100 > there + away or lost * 100 > worth + lost}


def totals(rows: pd.DataFrame, *columns: str) -> Counter:
    found = Counter()
    for *key, euros in zip(*(rows[column] for column in columns), rows["euros"], strict=True):
        found[tuple(key)] += euros
    return found


def ranks(values: dict[str, int], excluded: Iterable[str] = ()) -> dict[str, int]:
    """1 for the largest; ties by code."""
    order = sorted((code for code, euros in values.items() if euros > 0 and code not in excluded), key=lambda c: (-values[c], c))
    return {code: n for n, code in enumerate(order, start=1)}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    source = write_oddities(tmp_path_factory.mktemp("oddities") / "kiosk", is_whole=True)
    return source, fetch(tmp_path_factory.mktemp("odd") / "home", source)


@pytest.fixture(scope="module")
def compared(odd: tuple[Path, Path]) -> dict[str, Any]:
    source, home = odd
    folder, rapport = revisions.diff(settings(home, source), Paths(home), ("202505", "202502"))
    assert folder == made(home, "202502-202505-2024", source)
    assert json.loads((folder / "revisions.json").read_text(encoding="utf-8")) == rapport
    return rapport


@pytest.fixture(scope="module")
def received(odd: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, pd.DataFrame]:
    place = tmp_path_factory.mktemp("known")
    return known(odd[0], "202502", place / "avant"), known(odd[0], "202505", place / "apres")


@pytest.fixture(scope="module")
def sides(received: tuple[pd.DataFrame, pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows that count."""
    before, after = (rows[rows["motif"] == ""] for rows in received)
    return before, after


def test_every_total_share_rank_and_balance_is_revised_as_the_rows_say(compared: dict, sides: tuple, received: tuple) -> None:
    found = table(compared["totaux"], "niveau", "code", "flux")
    places = [*territories(), ("hors_fiche", "99", "Monaco", lambda dep, _: dep == "99")]
    assert set(found) == {(niveau, code, flux) for niveau, code, *_ in places for flux in FLUX.values()}
    for which, suffix in ((0, "_avant"), (1, "")):
        cells = totals(sides[which], "dep", "region", "flux")
        marked = incomplete(received[which])
        assert marked
        value = {
            (niveau, code, flux): sum(euros for (dep, reg, f), euros in cells.items() if f == flux and holds(dep, reg))
            for niveau, code, _, holds in places
            for flux in FLUX.values()
        }
        for (niveau, code, flux), line in found.items():
            mine = value[niveau, code, flux]
            assert line[f"valeur{suffix}_eur"] == mine, (niveau, code, flux)
            if niveau != "hors_fiche":
                assert line[f"part_france{suffix}_pct"] == pytest.approx(mine / value["france", "FR", flux] * 100, rel=1e-9)
                assert line[f"solde{suffix}_eur"] == value[niveau, code, "export"] - value[niveau, code, "import"]
            larger = sum(n == niveau and f == flux and other > mine for (n, _, f), other in value.items())
            is_ranked = niveau == "departement" and (code, flux) not in marked
            assert line[f"rang{suffix}"] == (1 + larger if is_ranked else None), (code, flux)
    for line in found.values():
        assert line["revision_eur"] == line["valeur_eur"] - line["valeur_avant_eur"]
        if line["valeur_avant_eur"]:
            assert line["revision_pct"] == pytest.approx(line["revision_eur"] / line["valeur_avant_eur"] * 100, rel=1e-9)
            assert line["est_forte"] == (abs(line["revision_pct"]) > 1)
        else:
            assert line["revision_pct"] is None and line["est_forte"] == (line["revision_eur"] != 0)
    moved = {(code, flux): (line["rang_avant"], line["rang"]) for (_, code, flux), line in found.items()}
    told = {(line["code"], line["flux"]): (line["rang_avant"], line["rang"]) for line in compared["rangs"]}
    both = {key: ranks for key, ranks in moved.items() if None not in ranks}
    assert told == {key: ranks for key, ranks in both.items() if ranks[0] != ranks[1]} and told
    assert all(line["places_gagnees"] == line["rang_avant"] - line["rang"] for line in compared["rangs"])


def test_revisions_of_departements_and_monaco_make_that_of_france(compared: dict) -> None:
    for flux in FLUX.values():
        by_niveau = Counter()
        for line in compared["totaux"]:
            by_niveau[line["niveau"]] += line["revision_eur"] * (line["flux"] == flux)
        assert by_niveau["departement"] + by_niveau["hors_fiche"] == by_niveau["region"] == by_niveau["france"] != 0


@pytest.mark.parametrize(
    ("name", "column", "code_column"), [("partenaires", "pays", "pays_code"), ("produits", "a129", "produit_code")]
)
def test_who_enters_leaves_or_is_revised_most(
    compared: dict, sides: tuple, odd: tuple[Path, Path], name: str, column: str, code_column: str
) -> None:
    excluded = read(odd[0])[1].hors_pays if column == "pays" else ()
    cells = [totals(rows, "dep", "region", "flux", column) for rows in sides]
    found = table(compared[name], "niveau", "code", "flux", code_column)
    told: Table = {}
    for niveau, code, nom, holds in territories():
        for flux in FLUX.values():
            values = [Counter(), Counter()]
            for side, counted in enumerate(cells):
                for (dep, reg, f, item), euros in counted.items():
                    if f == flux and holds(dep, reg):
                        values[side][item] += euros
            rank = [ranks(side, excluded) for side in values]
            revised = {item: values[1][item] - values[0][item] for item in {*values[0], *values[1]}}
            largest = sorted((item for item in revised if revised[item]), key=lambda item: (-abs(revised[item]), item))
            for item in revised:
                before, after = (rank[side].get(item) for side in (0, 1))
                was, named = (bool(place and place <= 10) for place in (before, after))
                moved = {(False, True): "entre", (True, False): "sort"}.get((was, named))
                if was and named and before and after and before != after:
                    moved = "monte" if after < before else "descend"
                if moved or item in largest[:10]:
                    told[niveau, code, flux, item] = {
                        "nom": nom, "mouvement": moved, "rang_avant": before, "rang": after,
                        "valeur_avant_eur": values[0][item], "valeur_eur": values[1][item], "revision_eur": revised[item],
                        "rang_revision": largest.index(item) + 1 if revised[item] else None,
                    }  # fmt: skip
    assert found.keys() == told.keys()
    for key, line in told.items():
        assert {column: found[key][column] for column in line} == line, key
    assert {"entre", "sort", "monte", "descend", None} == {line["mouvement"] for line in told.values()}
    assert column != "pays" or any(key[3] == "NA" for key in told)


def test_the_summary_counts_what_the_tables_hold(compared: dict, sides: tuple) -> None:
    before, after = (totals(rows, "flux", "dep", "a129", "pays") for rows in sides)
    for line in compared["resume"]:
        flux = line["flux"]
        moved = [after[cell] - before[cell] for cell in {*before, *after} if cell[0] == flux and after[cell] != before[cell]]
        assert (line["cellules_revisees"], line["mouvement_eur"]) == (len(moved), sum(map(abs, moved)))
        mine = {
            name: [row for row in compared[name] if row["flux"] == flux]
            for name in ("totaux", "rangs", "partenaires", "produits")
        }
        deps = [row for row in mine["totaux"] if row["niveau"] == "departement"]
        assert line["departements_revises"] == sum(row["revision_eur"] != 0 for row in deps)
        assert line["rangs_changes"] == len(mine["rangs"])
        for name in ("partenaires", "produits"):
            entered = [row for row in mine[name] if (row["niveau"], row["mouvement"]) == ("departement", "entre")]
            assert line[f"{name}_entres"] == len(entered)


def test_quarters_archives_and_codes_are_named(compared: dict, sides: tuple) -> None:
    quarters = table(compared["trimestres"], "flux", "trimestre")
    assert quarters["export", "2025T1"]["statut"] == "ajouté"
    assert quarters["import", "2024T2"]["statut"] == "inchangé" and quarters["import", "2024T2"]["revision_eur"] == 0
    assert quarters["import", "2024T3"]["statut"] == "publié à nouveau"
    by_quarter = [totals(rows, "flux", "trimestre") for rows in sides]
    for (flux, quarter), line in quarters.items():
        if quarter.startswith("2024"):
            assert (line["valeur_avant_eur"], line["valeur_eur"]) == tuple(side[flux, quarter[-1]] for side in by_quarter)
    given = {
        cote: {(a["archive"][:6], a["flux"], a["trimestres"]) for a in compared[cote]["archives"]} for cote in ("avant", "apres")
    }
    assert given["avant"] == {("202502", flux, "2024T1 2024T2 2024T3 2024T4") for flux in FLUX.values()}
    assert ("202502", "import", "2024T1 2024T2") in given["apres"] and ("202505", "import", "2024T3 2024T4") in given["apres"]
    codes = {("departement", "dep"), ("pays", "pays"), ("produit", "a129")}
    gone, came = (
        {(nature, code) for nature, column in codes for code in {*a[column]} - {*b[column]}} for a, b in (sides, sides[::-1])
    )
    told = {(line["nature"], line["code"]): line["statut"] for line in compared["codes"]}
    assert told == dict.fromkeys(gone, "disparu") | dict.fromkeys(came, "apparu")


def cells(page: str, ancre: str) -> dict[str, list[str]]:
    """The cells of a table of the page, by the heads of its rows."""
    [body] = re.findall(rf'<table class="dense" id="{ancre}">.*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', html.unescape(body))
    return {name: re.findall(r"<td[^>]*>(.*?)</td>", rest) for name, rest in rows}


def test_the_page_prints_the_numbers_of_the_json(compared: dict, odd: tuple[Path, Path]) -> None:
    page = (made(odd[1], "202502-202505-2024", odd[0]) / "index.html").read_text(encoding="utf-8")
    for line in compared["totaux"]:
        niveau = "france" if line["niveau"] == "hors_fiche" else line["niveau"]
        name = f"{line['nom']} ({line['code']})" if niveau == "departement" else line["nom"]
        printed = cells(page, f"{niveau}-{line['flux']}")[name]
        assert printed[:2] == [millions(line["valeur_avant_eur"]), millions(line["valeur_eur"])], name
        assert printed[2] == (millions(line["revision_eur"], signe=True) if line["revision_eur"] else "inchangé")
        if line["revision_pct"] is not None and abs(line["revision_pct"]) >= 0.05:
            assert printed[3] == pct(line["revision_pct"], 1, signe=True)
        if niveau == "departement" and line["rang"] != line["rang_avant"]:
            assert re.fullmatch(rf"{line['rang_avant']}e[r]? → {line['rang']}e[r]?", printed[5])
    france = {line["flux"]: line for line in compared["totaux"] if line["niveau"] == "france"}
    for flux, line in france.items():
        words = f"révisées de {millions(line['revision_eur'], signe=True)} ({pct(line['revision_pct'], 1, signe=True)})"
        assert html.unescape(page).count(words) >= 2, flux
    entered = [line for line in compared["partenaires"] if line["mouvement"] == "entre" and line["niveau"] == "departement"]
    first = entered[0]
    [printed] = [row for name, row in cells(page, "premiers-partenaires").items() if f"({first['code']})" in name][:1]
    assert f"{first['pays']} (" in html.unescape(page) and printed


def test_documented_columns_are_those_of_the_files_which_say_what_they_compare(compared: dict, odd: tuple[Path, Path]) -> None:
    folder = made(odd[1], "202502-202505-2024", odd[0])
    described = yaml.safe_load((DBT_PROJECT / "analyses/revisions/revisions.yml").read_text(encoding="utf-8"))["analyses"]
    assert {analysis["name"] for analysis in described} == {path.stem for path in revisions.QUERIES.glob("*.sql")}
    columns = {analysis["name"]: [column["name"] for column in analysis.get("columns", [])] for analysis in described}
    assert {path.name for path in folder.iterdir()} == {
        "index.html",
        "revisions.json",
        *(f"{name}.csv" for name in revisions.FILES),
    }
    for name in revisions.FILES:
        frame = pd.read_csv(folder / f"{name}.csv", keep_default_na=False, dtype=str)
        assert list(frame.columns) == [*columns[name], "millesime_avant", "millesime", "source"]
        assert list(compared[name][0]) == columns[name]
        assert len(frame) == len(compared[name])
        assert set(zip(frame["millesime_avant"], frame["millesime"], frame["source"], strict=True)) == {
            ("202502", "202505", "DGDDI (Douanes)")
        }
        revised = [str(line["revision_eur"]) for line in compared[name]]
        assert list(frame["revision_eur"]) == revised


# --- known changes, by the command ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A year; the same with three changes in exports and a quarter more; and that once more under a later name."""
    place = tmp_path_factory.mktemp("source") / "douanes"
    for flux, word in FLUX.items():
        rows: list[Row] = [*country(flux, 2024, 1, lignes=4), row(flux, 2, departement="94", pays="TG", valeur=1_000_000)]
        write_archive(place / f"202502-Regional-2024-{word}.zip", rows)
        if flux == "E":
            rows = [*rows[:-1], row(flux, 2, departement="94", pays="TG", valeur=1_250_000)]  # one cell revised
            rows.append(row(flux, 3, departement="99", pays="TG", valeur=7))  # Monaco
            rows.append(row(flux, 4, departement="48", pays="KM", valeur=10**12))  # a partner comes, and is the first of Lozère
        for vintage in ("202508", "202511"):
            write_archive(
                place / f"{vintage}-stat-regional-ce-{word}.zip",
                [*rows, *country(flux, 2025, 1, (1,), lignes=4)],
                member=f"REGIONAL_CPF4PAYS{flux}.txt",
            )
    return place


@pytest.fixture(scope="module")
def home(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fetch(tmp_path_factory.mktemp("crafted") / "home", source)


def comex_diff(home: Path, source: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [COMEX, "diff", *arguments, "--home", str(home), "--source", str(source)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)


def test_three_known_changes_and_nothing_else(home: Path, source: Path) -> None:
    done = comex_diff(home, source, "202502", "202508")
    assert done.returncode == 0, done.stderr
    folder = made(home, "202502-202508-2024", source)
    assert str(folder / "index.html") in done.stdout and "imports of France" in done.stdout
    rapport = json.loads((folder / "revisions.json").read_text(encoding="utf-8"))
    changed = {(line["code"], line["flux"]): line["revision_eur"] for line in rapport["totaux"] if line["revision_eur"]}
    whole = 250_000 + 7 + 10**12
    assert changed == {("FR", "export"): whole, ("99", "export"): 7, ("94", "export"): 250_000, ("48", "export"): 10**12} | {
        ("11", "export"): 250_000, ("93", "export"): 7, ("76", "export"): 10**12,
    }  # fmt: skip
    export, imports = sorted(rapport["resume"], key=lambda line: line["flux"])
    assert (export["cellules_revisees"], export["mouvement_eur"], imports["cellules_revisees"]) == (3, whole, 0)
    lozere = [line for line in rapport["partenaires"] if line["code"] == "48" and line["mouvement"] == "entre"]
    assert [(line["pays_code"], line["rang_avant"], line["rang"]) for line in lozere] == [("KM", None, 1)]
    assert [(line["nature"], line["code"], line["statut"]) for line in rapport["codes"]] == [("pays", "KM", "apparu")]
    page = (folder / "index.html").read_text(encoding="utf-8").replace("&nbsp;", "\u00a0")
    assert "Trimestres ajoutés, importations\u00a0: T1 2025." in page
    assert "Importations de la France\u00a0: total inchangé." in page
    before = fingerprint(folder)
    assert comex_diff(home, source, "202508", "202502").returncode == 0
    assert fingerprint(folder) == before  # in either order, and whenever


def test_a_vintage_that_changes_nothing_says_so(home: Path, source: Path) -> None:
    done = comex_diff(home, source, "202508", "202511", "--periode", "2025T1")
    assert done.returncode == 0, done.stderr
    assert "2025T1 as known in 202508 and in 202511: nothing differs" in done.stdout
    folder = made(home, "202508-202511-2025T1", source)
    rapport = json.loads((folder / "revisions.json").read_text(encoding="utf-8"))
    assert rapport["est_identique"] and not any(line["revision_eur"] for line in rapport["totaux"])
    assert [rapport[name] for name in ("rangs", "partenaires", "produits", "codes")] == [[], [], [], []]
    assert "Rien n’a été révisé" in (folder / "index.html").read_text(encoding="utf-8")


def test_what_cannot_be_compared_is_told_and_leaves_what_was_there(home: Path, source: Path) -> None:
    before = fingerprint(home / "revisions")
    done = comex_diff(home, source, "202502", "202503")
    assert done.returncode == 1 and all(part in done.stderr for part in PARTS)
    assert "202503 is not among the 3 of this source: 202502 202508 202511" in done.stderr
    with pytest.raises(DataError, match="the period 2025T1"):
        revisions.diff(settings(home, source, periode="2025T1"), Paths(home), ("202502", "202508"))
    with pytest.raises(SettingError, match="none"):
        revisions.diff(settings(home, source.parent), Paths(home), ("202502", "202508"))
    assert fingerprint(home / "revisions") == before and not list(home.glob("revisions/.*"))
