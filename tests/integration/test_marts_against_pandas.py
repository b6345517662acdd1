"""Every mart once more, from the text of the archives by other means: pandas, the rules of FORMAT and of the figures.

Compared for all 119 territories: integers and words exactly, shares to 1e-9. Nothing of the pipeline is used but what it
wrote. Add here: a column that a mart gained. Keep out: how the marts come about.
"""

# pandas' own annotations give most expressions half a dozen types.
# pyright: reportArgumentType=false, reportCallIssue=false, reportReturnType=false, reportGeneralTypeIssues=false

import csv
import io
import math
import re
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree

import duckdb
import pandas as pd
import pytest

from pipeline import dbt
from pipeline.errors import DataError
from pipeline.marts import Marts
from pipeline.territoires import departement, tous
from tests.archives import Warehouse, build_warehouse, seed
from tests.oddities import EGALITES, HORS_PAYS, LIBELLE_LONG, NOUVEAUX, SANS_EXPORT, UN_PAYS, write_oddities

CHAMPS = ["flux", "trimestre", "annee", "dep", "reg", "a129", "cpf4", "pays", "valeur", "masse"]
FLUX = {"E": "export", "I": "import"}
Rows = list[dict]
KEYS = {
    "reperes": ("periode", "niveau", "code", "flux"),
    "balance": ("periode", "niveau", "code", "pays_code"),
    "produits": ("periode", "niveau", "code", "flux", "produit_code"),
    "flux": ("periode", "niveau", "code", "flux", "produit_code", "pays_code"),
    "classement": ("periode", "flux", "departement_code"),
    "quarantaine": ("annee", "trimestre", "flux", "motif", "code_source", "departement_code"),
}
SUJETS = ("reperes", "balance", "produits", "flux")


# --- the same by other means --------------------------------------------------------------------------------------------


@dataclass
class Codes:
    """Known codes and their labels: the seeds' and, for other codes, the newest in force in the releases' own tables."""

    pays: dict[str, str]
    hors_pays: set[str]
    court: dict[str, dict[str, str]]  # by level, short labels
    long: dict[str, dict[str, str]]
    a38: dict[str, str]  # of each A129


def read(source: Path) -> tuple[pd.DataFrame, Codes]:
    """The rows that stand, as text, and the codes."""
    frames, libelles = [], {}
    for rang, path in enumerate(sorted(source.glob("*.zip"), key=lambda path: path.name)):
        vintage = path.name[:6]
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                payload = archive.read(name)
                if re.search(r"Region_|REGIONAL_CPF4", name):
                    frame = pd.read_csv(io.BytesIO(payload), sep=";", header=None, names=CHAMPS, dtype=str, keep_default_na=False)
                    frames.append(frame.assign(ordre=f"{vintage}-{rang:03d}"))
                if found := re.search(r"Libelle_(A129|CPF4|PAYS)", name):
                    try:
                        text = payload.decode("utf-8-sig")
                    except UnicodeDecodeError:
                        text = payload.decode("cp1252")
                    for code, libelle, debut, fin in csv.reader(io.StringIO(text, newline=""), delimiter=";"):
                        if debut <= vintage <= fin:
                            libelles[found[1], code] = libelle
    rows = pd.concat(frames, ignore_index=True)
    rows = rows[rows["ordre"] == rows.groupby(["flux", "annee", "trimestre"])["ordre"].transform("max")]
    niveaux = {"A38": "nomenclature_a38", "A129": "nomenclature_a129", "CPF4": "nomenclature_cpf4"}
    court = {n: {r[f"{n.lower()}_code"]: r["libelle_court"] or r["libelle"] for r in seed(table)} for n, table in niveaux.items()}
    long = {n: {r[f"{n.lower()}_code"]: r["libelle"] for r in seed(table)} for n, table in niveaux.items()}
    codes = Codes(
        {r["pays_code"]: r["pays"] for r in seed("pays")},
        {r["pays_code"] for r in seed("pays") if r["est_pays"] == "false"},
        court,
        long,
        {r["a129_code"]: r["a38_code"] for r in seed("nomenclature_a129")},
    )
    for (table, code), libelle in libelles.items():
        short = libelle if len(libelle) <= 40 else libelle[:39] + "…"
        if table == "PAYS":
            codes.pays.setdefault(code, short)
        else:
            codes.court[table].setdefault(code, short)
            codes.long[table].setdefault(code, libelle)
    court["A38"]["ZZ"] = long["A38"]["ZZ"] = "Produits hors nomenclature"
    return rows, codes


def decode(rows: pd.DataFrame, codes: Codes) -> pd.DataFrame:
    alias = {r["code_source"]: r["departement_code"] for r in seed("departement_alias")}
    region = {r["departement_code"]: r["region_code"] for r in seed("departements")}
    rows = rows.assign(
        flux=rows["flux"].map(FLUX),
        source=rows["dep"],
        numero=rows["annee"].astype(int) * 4 + rows["trimestre"].astype(int) - 1,
        dep=[alias.get(code, "") for code in rows["dep"]],
        euros=[int(valeur or 0) for valeur in rows["valeur"]],
    )
    rows["region"] = [region.get(code, "") for code in rows["dep"]]
    rows["a38"] = [codes.a38.get(code, "ZZ") for code in rows["a129"]]

    def motif(valeur: str, dep: str, a129: str, cpf4: str, pays: str) -> tuple[str, str]:
        if not valeur:
            return "valeur_vide", ""
        if int(valeur) < 0:
            return "valeur_negative", ""
        if not dep:
            return "departement_inconnu", "source"
        if a129 not in codes.court["A129"] or cpf4 not in codes.court["CPF4"]:
            return "produit_inconnu", f"{a129}/{cpf4}"
        return ("", "") if pays in codes.pays else ("pays_inconnu", pays)

    motifs = [motif(*fields) for fields in zip(*(rows[c] for c in ("valeur", "dep", "a129", "cpf4", "pays")), strict=True)]
    rows["motif"] = [m for m, _ in motifs]
    rows["code_source"] = [source if code == "source" else code for (_, code), source in zip(motifs, rows["source"], strict=True)]
    return rows


def periodes(rows: pd.DataFrame, wanted: str) -> dict[str, int]:
    """Complete periods, each with the number of its last quarter: all years, and the rolling one asked for with the one before."""
    ends = {annee: int(annee) * 4 + 3 for annee in rows["annee"].unique()}
    if "T" in wanted:
        annee, trimestre = map(int, wanted.split("T"))
        ends |= {f"{a}T{trimestre}": a * 4 + trimestre - 1 for a in (annee - 1, annee)}
    present = set(zip(rows["flux"], rows["numero"], strict=True))
    return {p: end for p, end in ends.items() if all((f, end - n) in present for f in FLUX.values() for n in range(4))}


def ranked(totals: Counter, excluded: Iterable[str] = ()) -> list[str]:
    """The ten first codes with a value: value, then code."""
    return sorted((code for code, euros in totals.items() if euros > 0 and code not in excluded), key=lambda c: (-totals[c], c))[
        :10
    ]


def pct(part: int, whole: int) -> float | None:
    return part / whole * 100 if whole else None


def territories() -> list[tuple[str, str, str, Callable[[str, str], bool]]]:
    deps = [
        ("departement", r["departement_code"], r["nom"], lambda dep, _, code=r["departement_code"]: dep == code)
        for r in seed("departements")
        if r["est_fiche"] == "true"
    ]
    regions = [("region", r["region_code"], r["nom"], lambda _, reg, code=r["region_code"]: reg == code) for r in seed("regions")]
    return [*deps, *regions, ("france", "FR", "France", lambda *_: True)]


def expected(source: Path, niveau_produit: str, periode: str) -> dict[str, Rows]:
    rows, codes = read(source)
    rows = decode(rows, codes)
    bad = rows[rows["motif"] != ""]
    ends = periodes(rows, periode)
    out: dict[str, Rows] = {sujet: [] for sujet in KEYS}
    totals: dict[tuple, int] = {}
    for (annee, trimestre, flux, motif, code, dep, _), group in bad.groupby(
        ["annee", "trimestre", "flux", "motif", "code_source", "dep", "region"]
    ):
        found = {"annee": int(annee), "trimestre": int(trimestre), "flux": flux, "motif": motif, "code_source": code}
        out["quarantaine"].append(
            found | {"departement_code": dep or None, "lignes": len(group), "valeur_eur": int(group["euros"].sum())}
        )
    for p, end in ends.items():
        inside = rows[rows["numero"].between(end - 3, end)]
        good, kept_out = inside[inside["motif"] == ""], inside[inside["motif"] != ""]
        cells = Counter()
        columns = ("dep", "region", "flux", niveau_produit.lower(), "a129", "pays")
        for *key, euros in zip(*(good[c] for c in columns), good["euros"], strict=True):
            cells[tuple(key)] += euros
        for niveau, code, nom, holds in territories():
            mine = [(key, euros) for key, euros in cells.items() if holds(key[0], key[1])]
            away = [
                (f, e)
                for f, d, r, e in zip(*(kept_out[c] for c in ("flux", "dep", "region", "euros")), strict=True)
                if holds(d, r)
            ]
            place = {"periode": p, "niveau": niveau, "code": code}
            tops = {}
            for flux in ("export", "import"):
                by_pays, by_produit, links = Counter(), Counter(), Counter()
                electricite = 0
                for (_, _, f, produit, a129, pays), euros in mine:
                    if f == flux:
                        by_pays[pays] += euros
                        by_produit[produit] += euros
                        links[produit, pays] += euros
                        electricite += euros if a129 == "D35A" else 0
                total = totals[p, niveau, code, flux] = by_pays.total()
                totals[p, niveau, code, flux, "sans"] = total - electricite
                top_pays, top_produits = ranked(by_pays, codes.hors_pays), ranked(by_produit)
                tops[flux] = (by_pays, top_pays)
                euros_away = [e for f, e in away if f == flux]
                out["reperes"].append(
                    place
                    | {
                        "nom": nom,
                        "flux": flux,
                        "valeur_eur": total,
                        "valeur_hors_electricite_eur": total - electricite,
                        "hors_pays_eur": sum(by_pays[c] for c in codes.hors_pays),
                        "nb_pays": sum(e > 0 and c not in codes.hors_pays for c, e in by_pays.items()),
                        "nb_produits": sum(e > 0 for e in by_produit.values()),
                        "quarantaine_eur": sum(euros_away),
                        "quarantaine_pct": pct(sum(map(abs, euros_away)), total + sum(map(abs, euros_away))),
                    }
                )
                out["produits"] += produits_of(place, flux, by_produit, top_produits, codes, niveau_produit)
                out["flux"] += links_of(place, flux, links, by_produit, by_pays, top_produits, top_pays, codes, niveau_produit)
            out["balance"] += balance_of(place, tops, codes)
    complete_reperes(out["reperes"], totals, ends)
    noms = {r["departement_code"]: r["region_code"] for r in seed("departements")}
    out["classement"] = [
        {
            "periode": r["periode"],
            "flux": r["flux"],
            "rang": r["rang_france"],
            "departement_code": r["code"],
            "nom": r["nom"],
            "region_code": noms[r["code"]],
            "valeur_eur": r["valeur_eur"],
            "part_france_pct": r["part_france_pct"],
        }
        for r in out["reperes"]
        if r["niveau"] == "departement"
    ]
    return out


def produits_of(place: dict, flux: str, totals: Counter, top: list[str], codes: Codes, niveau: str) -> Iterator[dict]:
    rest = [code for code, euros in totals.items() if euros > 0 and code not in top]
    for rang, code in enumerate([*top, *(["AUTRES"] if rest else [])], start=1):
        euros = totals[code] if code != "AUTRES" else sum(totals[c] for c in rest)
        yield place | {
            "flux": flux,
            "produit_code": code,
            "produit": codes.court[niveau].get(code, "Autres produits"),
            "produit_libelle": codes.long[niveau].get(code, "Autres produits"),
            "valeur_eur": euros,
            "part_pct": pct(euros, totals.total()),
            "rang": rang,
            "nb_produits": len(rest) if code == "AUTRES" else 1,
        }


def links_of(
    place: dict,
    flux: str,
    links: Counter,
    by_produit: Counter,
    by_pays: Counter,
    top_produits: list[str],
    top_pays: list[str],
    codes: Codes,
    niveau: str,
) -> Iterator[dict]:
    drawn, produits, pays = Counter(), defaultdict(set), defaultdict(set)
    for code, euros in by_produit.items():
        if euros > 0:
            produits[code if code in top_produits else "AUTRES"].add(code)
    for code, euros in by_pays.items():
        if euros > 0:
            pays[code if code in top_pays else "AUTRES"].add(code)
    for (produit, partner), euros in links.items():
        drawn[produit if produit in top_produits else "AUTRES", partner if partner in top_pays else "AUTRES"] += euros
    named = [link for link, euros in drawn.items() if euros > 0 and "AUTRES" not in link]
    principal = sorted(named, key=lambda link: (-drawn[link], *link))[:5]
    for (produit, partner), euros in drawn.items():
        if euros > 0:
            yield place | {
                "flux": flux,
                "produit_code": produit,
                "produit": codes.court[niveau].get(produit, "Autres produits"),
                "produit_libelle": codes.long[niveau].get(produit, "Autres produits"),
                "produit_rang": top_produits.index(produit) + 1 if produit in top_produits else 11,
                "produit_valeur_eur": sum(by_produit[c] for c in produits[produit]),
                "produit_nb": len(produits[produit]),
                "pays_code": partner,
                "pays": codes.pays.get(partner, "Autres pays"),
                "pays_rang": top_pays.index(partner) + 1 if partner in top_pays else 11,
                "pays_valeur_eur": sum(by_pays[c] for c in pays[partner]),
                "pays_nb": len(pays[partner]),
                "valeur_eur": euros,
                "part_pct": pct(euros, drawn.total()),
                "est_principal": (produit, partner) in principal,
            }


def balance_of(place: dict, tops: dict[str, tuple[Counter, list[str]]], codes: Codes) -> Iterator[dict]:
    (exports, first_exports), (imports, first_imports) = tops["export"], tops["import"]
    named = sorted({*first_exports, *first_imports}, key=lambda c: (-exports[c] - imports[c], c))
    rest = [c for c in {*exports, *imports} if c not in named and exports[c] + imports[c] > 0]
    for rang, code in enumerate([*named, *(["AUTRES"] if rest else [])], start=1):
        members = rest if code == "AUTRES" else [code]
        sold, bought = sum(exports[c] for c in members), sum(imports[c] for c in members)
        yield place | {
            "pays_code": code,
            "pays": codes.pays.get(code, "Autres pays"),
            "import_eur": bought,
            "export_eur": sold,
            "solde_eur": sold - bought,
            "rang": rang,
            "nb_pays": len(members),
        }


def complete_reperes(reperes: Rows, totals: dict[tuple, int], ends: dict[str, int]) -> None:
    """What compares a territory with others, with the other flow or with the year before."""
    regions = {r["departement_code"]: r["region_code"] for r in seed("departements")}
    deps = [r["departement_code"] for r in seed("departements") if r["est_fiche"] == "true"]
    for r in reperes:
        p, flux, euros = r["periode"], r["flux"], r["valeur_eur"]
        before = f"{int(p[:4]) - 1}{p[4:]}"
        former = totals[before, r["niveau"], r["code"], flux] if before in ends else None
        local = r["niveau"] == "departement"
        region = ("region", regions[r["code"]], flux) if local else None
        sold, bought = (totals[p, r["niveau"], r["code"], f] for f in ("export", "import"))
        r |= {
            "valeur_precedente_eur": former,
            "evolution_pct": pct(euros - former, former) if former else None,
            "part_region_pct": pct(euros, totals[p, *region]) if region else None,
            "part_france_pct": pct(euros, totals[p, "france", "FR", flux]),
            "part_region_hors_electricite_pct": pct(r["valeur_hors_electricite_eur"], totals[p, *region, "sans"])
            if region
            else None,
            "rang_france": 1 + sum(totals[p, "departement", d, flux] > euros for d in deps) if local else None,
            "solde_eur": sold - bought,
            "taux_couverture_pct": pct(sold, bought),
        }


# --- the comparison -----------------------------------------------------------------------------------------------------


def actual(marts: Path, sujet: str) -> Rows:
    found = []
    for maille in ("departement", "national"):
        if (path := marts / f"mart_{maille}_{sujet}.parquet").exists():
            relation = duckdb.read_parquet(str(path))
            relation = relation.filter(f"{relation.columns[0]} is not null")  # an empty mart is one row of NULLs
            found += [dict(zip(relation.columns, fields, strict=True)) for fields in relation.fetchall()]
    return found


def same(a: object, b: object) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
    return a == b and (a is None) == (b is None)


def assert_same(marts: Path, wanted: dict[str, Rows]) -> None:
    for sujet, key in KEYS.items():
        found = {tuple(r[c] for c in key): r for r in actual(marts, sujet)}
        hoped = {tuple(r[c] for c in key): r for r in wanted[sujet]}
        assert len(found) == len(actual(marts, sujet)), sujet
        assert found.keys() == hoped.keys(), (sujet, sorted(map(str, found.keys() ^ hoped.keys()))[:5])
        columns = {frozenset(r) for r in [*found.values(), *hoped.values()]}
        assert len(columns) <= 1, (sujet, "columns", [set(a) ^ set(b) for a in columns for b in columns])
        wrong = [(k, c, found[k][c], hoped[k][c]) for k in found for c in found[k] if not same(found[k][c], hoped[k][c])]
        assert not wrong, (sujet, len(wrong), wrong[:5])


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    place = write_oddities(tmp_path_factory.mktemp("oddities") / "kiosk")
    return build_warehouse(place, tmp_path_factory.mktemp("odd"), periode="2025T1")


@pytest.fixture(scope="module")
def odd_expected(odd: Warehouse) -> dict[str, Rows]:
    return expected(odd.source, "A129", "2025T1")


def test_the_example_s_marts(warehouse: Warehouse) -> None:
    assert_same(warehouse.paths.marts, expected(warehouse.source, "A129", "2024"))


def test_marts_of_odd_releases_and_rolling_quarters(odd: Warehouse, odd_expected: dict[str, Rows]) -> None:
    assert {r["periode"] for r in odd_expected["reperes"]} == {"2023", "2024", "2024T1", "2025T1"}
    assert_same(odd.paths.marts, odd_expected)


@pytest.mark.parametrize("niveau_produit", ["A38", "CPF4"])
def test_marts_at_other_levels_of_goods(odd: Warehouse, tmp_path: Path, niveau_produit: str) -> None:
    copytree(odd.paths.raw_tables, tmp_path / "warehouse" / "raw")
    paths = type(odd.paths)(tmp_path)
    dbt.build(paths, niveau_produit, "2024")
    assert_same(paths.marts, expected(odd.source, niveau_produit, "2024"))


def test_the_odd_releases_are_as_odd_as_they_say(odd_expected: dict[str, Rows]) -> None:
    """What the comparison would not notice missing from both sides."""

    def of(sujet: str, code: str, **fixed: str) -> Rows:
        return [r for r in odd_expected[sujet] if r["code"] == code and r["periode"] == "2024" and fixed.items() <= r.items()]

    assert {r["motif"] for r in odd_expected["quarantaine"]} == {
        *("valeur_vide", "valeur_negative", "departement_inconnu", "produit_inconnu", "pays_inconnu")
    }
    assert {r["code_source"] for r in odd_expected["quarantaine"]} >= {"96", "2C", "ZZ", "XU", "na", "Q99Z/2910", "/"}
    assert of("reperes", SANS_EXPORT, flux="export")[0]["valeur_eur"] == 0 and not of("flux", SANS_EXPORT, flux="export")
    assert [r["pays_code"] for r in of("flux", UN_PAYS, flux="export")] == ["BE"]
    assert of("reperes", HORS_PAYS, flux="import")[0]["nb_pays"] == 0
    assert {r["pays_code"] for r in of("flux", HORS_PAYS)} == {"AUTRES"}
    ties = of("flux", EGALITES, flux="export")
    assert [r["est_principal"] for r in ties].count(True) == 5 and len({r["valeur_eur"] for r in ties if r["est_principal"]}) == 1
    new = {r["pays"] for r in of("balance", NOUVEAUX)}
    assert new == {LIBELLE_LONG[:39] + "…", "Île neuve"}
    assert {"Biens nouveaux ; divers"} <= {r["produit"] for r in of("produits", NOUVEAUX)}
    assert any(r["pays_code"] == "NA" for r in of("balance", "77"))
    assert any(r["pays_code"] == "XS" and r["rang"] == 1 for r in of("balance", "93"))
    assert all(r["valeur_eur"] > 2**31 for r in of("reperes", "75"))


# --- through the one door -----------------------------------------------------------------------------------------------


def test_the_quarantine_is_told_in_four_parts_with_its_euros(odd: Warehouse, odd_expected: dict[str, Rows]) -> None:
    notice = odd.marts.quarantine_notice(1.0)
    assert notice and notice.check == "codes_are_known"
    assert f"{sum(r['lignes'] for r in odd_expected['quarantaine']):,} rows" in notice.expected_found
    assert all((notice.where, notice.cause, notice.remedy))
    france = [r["quarantaine_pct"] for r in odd_expected["reperes"] if r["code"] == "FR" and r["periode"] == "2025T1"]
    assert odd.marts.quarantine_exceeds(max(france) / 2) and not odd.marts.quarantine_exceeds(max(france) * 2)


def test_every_territory_has_frames_even_without_trade(odd: Warehouse, warehouse: Warehouse) -> None:
    lozere = Marts(odd.paths.marts, "2024").territoire(departement(SANS_EXPORT))
    assert list(lozere) == list(SUJETS)
    assert lozere["reperes"].set_index("flux")["valeur_eur"]["export"] == 0
    assert set(lozere["flux"]["flux"]) == {"import"}
    assert warehouse.marts.quarantaine.empty and warehouse.marts.quarantine_notice(1.0) is None
    assert not warehouse.marts.quarantine_exceeds(0.0)
    former = Marts(warehouse.paths.marts, "2023")
    assert {len(former.territoire(t)["reperes"]) for t in tous()} == {2}


def test_a_period_that_no_mart_holds_is_told_in_four_parts(warehouse: Warehouse, tmp_path: Path) -> None:
    for folder, periode in ((warehouse.paths.marts, "2019"), (tmp_path, "2024")):
        with pytest.raises(DataError) as caught:
            Marts(folder, periode).territoire(departement("94"))
        error = caught.value
        assert all((error.expected_found, error.where, error.cause, error.remedy))
