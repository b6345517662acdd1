"""Every mart once more, from the text of the archives by other means: pandas, the rules of FORMAT and of the figures.

Compared for all 119 territories: integers and words exactly, shares to 1e-9. Nothing of the pipeline is used but what it
wrote. Add here: a column that a mart gained. Keep out: how the marts come about.
"""

# pandas' own annotations give most expressions half a dozen types.
# pyright: reportArgumentType=false, reportCallIssue=false, reportReturnType=false, reportGeneralTypeIssues=false
# pyright: reportAttributeAccessIssue=false, reportOptionalOperand=false, reportOptionalMemberAccess=false

import csv
import datetime
import io
import math
import re
import unicodedata
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree

import duckdb
import pandas as pd
import pytest
import yaml

from pipeline import dbt
from pipeline.errors import DataError
from pipeline.fiche.bind import Bound, told_failures
from pipeline.marts import CONTROLES, Marts
from pipeline.paths import DBT_PROJECT
from pipeline.territoires import FRANCE, departement, tous
from tests.archives import Warehouse, build_warehouse, seed
from tests.oddities import EGALITES, HORS_PAYS, NOUVEAUX, PARTI, RECODE, SANS_EXPORT, TROUE, UN_PAYS, write_oddities

CHAMPS = ["flux", "trimestre", "annee", "dep", "reg", "a129", "cpf4", "pays", "valeur", "masse"]
FLUX = {"E": "export", "I": "import"}
Rows = list[dict]
KEYS = {
    "reperes": ("periode", "niveau", "code", "flux"),
    "balance": ("periode", "niveau", "code", "pays_code"),
    "produits": ("periode", "niveau", "code", "flux", "produit_code"),
    "flux": ("periode", "niveau", "code", "flux", "produit_code", "pays_code"),
    "classement": ("periode", "flux", "departement_code"),
    "pertes": ("periode", "niveau", "code", "flux", "motif"),
    "quarantaine": ("periode", "annee", "trimestre", "flux", "motif", "code_source", "departement_code"),
    "fiabilite": ("periode", "niveau", "code", "flux"),
    "specificites": ("periode", "niveau", "code", "flux", "objet", "objet_code"),
    "reconciliation": ("periode", "niveau", "code", "flux", "etape"),
    "publies": ("periode", "niveau", "code", "flux", "perimetre"),
    "libelles": ("periode", "regle", "nomenclature", "code"),
    "plausibilite": ("periode", "regle", "niveau", "code", "flux", "objet"),
}
SUJETS = ("reperes", "balance", "produits", "flux")
VARIABLES = yaml.safe_load((DBT_PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]


# --- the same by other means --------------------------------------------------------------------------------------------


@dataclass
class Codes:
    """Known codes and their labels: the seeds' and, for other codes, the newest in force in the releases' own tables."""

    pays: dict[str, str]
    hors_pays: set[str]
    court: dict[str, dict[str, str]]  # by level, short labels
    long: dict[str, dict[str, str]]
    a38: dict[str, str]  # of each A129
    douane: dict[tuple[str, str], set[str]]  # what the seeds say, in our words and in the customs', by table and code
    echus: set[str]  # countries that are only known as out of force
    venus: dict[str, dict[tuple[str, str], str]]  # labels in force, by archive in their order
    noms: dict[str, str]  # of these archives


def read(source: Path) -> tuple[pd.DataFrame, Codes]:
    """The rows that stand, as text, and the codes."""
    frames, libelles, venus, noms, tous = [], {}, {}, {}, set()
    for rang, path in enumerate(sorted(source.glob("*.zip"), key=lambda path: path.name)):
        vintage, debut_donnees = path.name[:6], ""
        noms[f"{vintage}-{rang:03d}"] = path.name
        with zipfile.ZipFile(path) as archive:
            # The data first: a label counts if it was in force in some month since the first quarter.
            for name in sorted(archive.namelist(), key=lambda name: "Libelle" in name):
                payload = archive.read(name)
                if re.search(r"Region_|REGIONAL_CPF4", name):
                    frame = pd.read_csv(io.BytesIO(payload), sep=";", header=None, names=CHAMPS, dtype=str, keep_default_na=False)
                    debut_donnees = min(frame["annee"] + frame["trimestre"].map({"1": "01", "2": "04", "3": "07", "4": "10"}))
                    frames.append(frame.assign(ordre=f"{vintage}-{rang:03d}"))
                if found := re.search(r"Libelle_(A129|CPF4|PAYS)", name):
                    try:
                        text = payload.decode("utf-8-sig")
                    except UnicodeDecodeError:
                        text = payload.decode("cp1252")
                    for code, libelle, debut, fin in csv.reader(io.StringIO(text, newline=""), delimiter=";"):
                        if debut <= vintage and fin >= debut_donnees:
                            libelles[found[1], code] = libelle
                            venus.setdefault(f"{vintage}-{rang:03d}", {})[found[1], code] = libelle
                        tous |= {code} if found[1] == "PAYS" else set()
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
        {
            (table, r[key]): {r["libelle_douane"], r.get("libelle", ""), r.get("libelle_court", ""), r.get("pays", "")}
            for table, name, key in (
                ("PAYS", "pays", "pays_code"),
                ("A129", "nomenclature_a129", "a129_code"),
                ("CPF4", "nomenclature_cpf4", "cpf4_code"),
            )
            for r in seed(name)
        },
        tous - {code for table, code in libelles if table == "PAYS"},
        venus,
        noms,
    )
    for (table, code), given in libelles.items():
        libelle = given.replace("'", "’")
        short = libelle if len(libelle) <= 40 else libelle[:39].rstrip() + "…"
        if table == "PAYS":
            codes.pays.setdefault(code, short)
        else:
            codes.court[table].setdefault(code, short)
            codes.long[table].setdefault(code, libelle)
    court["A38"]["ZZ"] = long["A38"]["ZZ"] = "Produits hors nomenclature"
    return rows, codes


def energie(a129: str, cpf4: str) -> str:
    """Gas and electricity are booked to Paris by convention; coal, crude oil and refined products are energy too."""
    if a129 == "D35A" or cpf4 == "0620":
        return "convention"
    return "autre" if a129 in ("B05Z", "B06Z", "C19Z") else ""


def decode(rows: pd.DataFrame, codes: Codes) -> pd.DataFrame:
    alias = {r["code_source"]: r["departement_code"] for r in seed("departement_alias")}
    region = {r["departement_code"]: r["region_code"] for r in seed("departements")}
    rows = rows.assign(
        flux=rows["flux"].map(FLUX),
        source=rows["dep"],
        numero=rows["annee"].astype(int) * 4 + rows["trimestre"].astype(int) - 1,
        dep=[alias.get(code, "") for code in rows["dep"]],
        euros=[int(valeur or 0) for valeur in rows["valeur"]],
        kilos=[int(masse) if masse.isdigit() else 0 for masse in rows["masse"]],
        energie=[energie(a129, cpf4) for a129, cpf4 in zip(rows["a129"], rows["cpf4"], strict=True)],
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
        if pays in codes.pays:
            return "", ""
        return "pays_echu" if pays in codes.echus else "pays_inconnu", pays

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


def plie(libelle: str) -> str:
    """A label without case, accents and punctuation."""
    plain = unicodedata.normalize("NFKD", libelle.lower().replace("œ", "oe"))
    return " ".join(re.findall("[a-z0-9]+", "".join(sign for sign in plain if not unicodedata.combining(sign))))


def relabelled(rows: pd.DataFrame, codes: Codes, ends: dict[str, int]) -> Iterator[dict]:
    """Where the newest label of the archives that stand for a period says something else than the seeds."""
    for p, end in ends.items():
        found: dict[tuple[str, str], tuple[str, str]] = {}
        for ordre in sorted(rows[rows["numero"].between(end - 3, end)]["ordre"].unique()):
            found |= {key: (libelle, codes.noms[ordre]) for key, libelle in codes.venus.get(ordre, {}).items()}
        for (table, code), (libelle, archive) in found.items():
            ours = codes.douane.get((table, code))
            if ours and plie(libelle) not in {plie(each) for each in ours}:
                known = codes.pays[code] if table == "PAYS" else codes.long[table][code]
                yield {
                    "periode": p,
                    "regle": "libelle",
                    "nomenclature": table,
                    "code": code,
                    "libelle_connu": known,
                    "libelle": libelle.replace("'", "’"),
                    "archive": archive,
                }


def territories() -> list[tuple[str, str, str, Callable[[str, str], bool]]]:
    deps = [
        ("departement", r["departement_code"], r["nom"], lambda dep, _, code=r["departement_code"]: dep == code)
        for r in seed("departements")
        if r["est_fiche"] == "true"
    ]
    regions = [("region", r["region_code"], r["nom"], lambda _, reg, code=r["region_code"]: reg == code) for r in seed("regions")]
    return [*deps, *regions, ("france", "FR", "France", lambda *_: True)]


def is_example(source: Path) -> bool:
    return any(zipfile.ZipFile(path).comment for path in source.glob("*.zip"))


def expected(source: Path, niveau_produit: str, periode: str) -> dict[str, Rows]:
    rows, codes = read(source)
    rows = decode(rows, codes)
    bad = rows[rows["motif"] != ""]
    ends = periodes(rows, periode)
    out: dict[str, Rows] = {sujet: [] for sujet in KEYS}
    losses, out["pertes"] = losses_of(rows, ends)
    totals: dict[tuple, int] = {}
    poids: dict[tuple, tuple[Counter, list[str]]] = {}  # goods and partners of each territory and flow, and the first of them
    for (annee, trimestre, numero, flux, motif, code, dep), group in bad.groupby(
        ["annee", "trimestre", "numero", "flux", "motif", "code_source", "dep"]
    ):
        found = {"annee": int(annee), "trimestre": int(trimestre), "flux": flux, "motif": motif, "code_source": code}
        found |= {"departement_code": dep or None, "lignes": len(group), "valeur_eur": int(group["euros"].sum())}
        out["quarantaine"] += [{"periode": p, **found} for p, end in ends.items() if end - 3 <= numero <= end]
    for p, end in ends.items():
        inside = rows[rows["numero"].between(end - 3, end)]
        good = inside[inside["motif"] == ""]
        cells = Counter()
        columns = ("dep", "region", "flux", niveau_produit.lower(), "energie", "pays")
        for *key, euros in zip(*(good[c] for c in columns), good["euros"], strict=True):
            cells[tuple(key)] += euros
        for niveau, code, nom, holds in territories():
            mine = [(key, euros) for key, euros in cells.items() if holds(key[0], key[1])]
            place = {"periode": p, "niveau": niveau, "code": code}
            tops = {}
            for flux in ("export", "import"):
                by_pays, by_produit, links = Counter(), Counter(), Counter()
                energies = Counter()
                for (_, _, f, produit, energie, pays), euros in mine:
                    if f == flux:
                        by_pays[pays] += euros
                        by_produit[produit] += euros
                        links[produit, pays] += euros
                        energies[energie] += euros
                total = totals[p, niveau, code, flux] = by_pays.total()
                totals[p, niveau, code, flux, "sans"] = total - energies["convention"]
                lost = losses[p, niveau, code, flux]
                assert lost["recue_eur"] == total
                if not (there := lost["est_disponible"]):  # what came of it is not its trade
                    by_pays, by_produit, links, energies = Counter(), Counter(), Counter(), Counter()

                def known(value: int, there: bool = there) -> int | None:
                    return value if there else None

                top_pays, top_produits = ranked(by_pays, codes.hors_pays), ranked(by_produit)
                tops[flux] = (by_pays, top_pays)
                poids[p, niveau, code, flux, "produit"] = by_produit, top_produits
                poids[p, niveau, code, flux, "pays"] = by_pays, top_pays
                out["reperes"].append(
                    place
                    | {
                        "nom": nom,
                        "flux": flux,
                        "valeur_eur": known(total),
                        "valeur_partielle_eur": total if not there and lost["lignes"] else None,
                        "hors_pays_eur": known(sum(by_pays[c] for c in codes.hors_pays)),
                        "energie_convention_eur": known(energies["convention"]),
                        "valeur_hors_convention_eur": known(total - energies["convention"]),
                        "indetermine_eur": known(sum(by_pays[c] for c in ("QP", "QQ", "QR", "QS", "QU", "EU"))),
                        "retours_eur": known(by_pays["FR"]),
                        "est_rupture": end - 7 < 2022 * 4 <= end,
                        "nb_pays": known(sum(e > 0 and c not in codes.hors_pays for c, e in by_pays.items())),
                        "nb_produits": known(sum(e > 0 for e in by_produit.values())),
                        **{column: value for column, value in lost.items() if column != "recue_eur"},
                    }
                )
                if niveau == "departement":
                    named = {link: e for link, e in links.items() if e > 0 and link[0] in top_produits and link[1] in top_pays}
                    out["fiabilite"].append(fiabilite_of(place | {"flux": flux}, known(total), energies, named, lost))
                out["produits"] += produits_of(place, flux, by_produit, top_produits, codes, niveau_produit)
                out["flux"] += links_of(place, flux, links, by_produit, by_pays, top_produits, top_pays, codes, niveau_produit)
            if all(losses[p, niveau, code, flux]["est_disponible"] for flux in FLUX.values()):
                out["balance"] += balance_of(place, tops, codes)
            monaco = {flux: sum(e for key, e in cells.items() if key[0] == "99" and key[2] == flux) for flux in FLUX.values()}
            totals |= {(p, "departement", "99", flux): euros for flux, euros in monaco.items()}
    complete_reperes(out["reperes"], totals, ends, losses)
    out["specificites"] = list(specificites_of(poids, codes, niveau_produit))
    out["reconciliation"] = list(reconciliation_of(out["reperes"], totals, ends, losses))
    out["publies"] = list(publies_of(totals, ends, losses, est_exemple=is_example(source)))
    out["plausibilite"] = list(plausibilite_of(rows, niveau_produit, totals, ends, out["publies"]))
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
            "est_disponible": r["est_disponible"],
            "est_perte_forte": r["est_perte_forte"],
        }
        for r in out["reperes"]
        if r["niveau"] == "departement"
    ]
    out["libelles"] = list(relabelled(rows, codes, ends))
    printed(out, niveau_produit)
    return out


def losses_of(rows: pd.DataFrame, ends: dict[str, int]) -> tuple[dict[tuple, dict], Rows]:
    """What each territory and flow of each period lacks, and the rows set aside by reason."""
    limit, least = VARIABLES["quarantaine_max_pct"], VARIABLES["disparition_min_lignes"]
    lines, euros, away, away_euros, away_sizes = (Counter() for _ in range(5))
    reasons: dict[tuple, list[int]] = defaultdict(lambda: [0, 0, 0])
    found: dict[tuple, set[str]] = defaultdict(set)
    columns = ("flux", "numero", "dep", "region", "motif", "euros", "code_source")
    for flux, numero, dep, region, motif, valeur, code_source in zip(*(rows[c] for c in columns), strict=True):
        for place in (("departement", dep), ("region", region), ("france", "FR")):
            at = (*place, flux, numero)
            if motif:
                away[at] += 1
                away_euros[at] += valeur
                away_sizes[at] += abs(valeur)
                for p, end in ends.items():
                    if end - 3 <= numero <= end:
                        counts = reasons[p, *place, flux, motif]
                        counts[:] = counts[0] + 1, counts[1] + valeur, counts[2] + abs(valeur)
                        found[p, *place, flux, motif].add(code_source)
            else:
                lines[at] += 1
                euros[at] += valeur
    out: dict[tuple, dict] = {}
    missing: dict[tuple, list[tuple[str, int]]] = defaultdict(list)
    regions = {r["departement_code"]: r["region_code"] for r in seed("departements")}
    for p, end in ends.items():
        quarters = range(end - 3, end + 1)
        for niveau, code, _, _ in territories():
            whole = {f: sum(lines[niveau, code, f, n] for n in quarters) for f in FLUX.values()}
            for flux in FLUX.values():
                at = (niveau, code, flux)
                now, then = ({n: lines[*at, n - lag] for n in quarters} for lag in (0, 4))
                vanished = [
                    n
                    for n in quarters
                    if not now[n] and then[n] and (then[n] >= least or (not whole[flux] and sum(then.values()) >= least))
                ]
                kept_out = sum(away[*at, n] for n in quarters)
                there = bool(not vanished and sum(whole.values()) and (whole[flux] or not kept_out))
                if niveau == "departement" and not there:
                    lost_then = sum(euros[*at, n - 4] for n in vanished)
                    missing[p, "region", regions[code], flux].append((code, lost_then))
                    missing[p, "france", "FR", flux].append((code, lost_then))
                empty = " ".join(f"{n // 4}T{n % 4 + 1}" for n in quarters if not now[n])
                total, sizes = sum(euros[*at, n] for n in quarters), sum(away_sizes[*at, n] for n in quarters)
                out[p, *at] = {
                    "est_disponible": there,
                    "trimestres_manquants": "" if there else empty,
                    "lignes": whole[flux],
                    "recue_eur": total,
                    "quarantaine_lignes": kept_out,
                    "quarantaine_lignes_pct": pct(kept_out, whole[flux] + kept_out),
                    "quarantaine_eur": sum(away_euros[*at, n] for n in quarters),
                    "quarantaine_pct": pct(sizes, total + sizes),
                    **dict.fromkeys(("zones_perdues", "produits_perdus", "pays_perdus")),
                    **dict.fromkeys(("zones_perdues_pct", "produits_perdus_pct", "pays_perdus_pct")),
                    "departements_manquants": "",
                    "manquant_pct": None,
                    "avant": sum(euros[*at, n - 4] for n in quarters),
                }
        for flux in FLUX.values():
            inside = rows[rows["numero"].between(end - 3, end) & (rows["flux"] == flux)]
            zones = [dep or source for dep, source in zip(inside["dep"], inside["source"], strict=True)]
            for name, column in (("zones_perdues", zones), ("produits_perdus", inside["cpf4"]), ("pays_perdus", inside["pays"])):
                pairs = [(code, motif == "") for code, motif in zip(column, inside["motif"], strict=True) if code]
                lost = {code for code, _ in pairs} - {code for code, counts in pairs if counts}
                size = len(seed("departements")) if name == "zones_perdues" else len({code for code, _ in pairs})
                out[p, "france", "FR", flux] |= {name: len(lost), f"{name}_pct": min(100.0, len(lost) / size * 100)}
    for key, there in missing.items():
        there.sort(key=lambda one: (len(one[0]), one[0]))
        lost = sum(euros for _, euros in there)
        out[key] |= {"departements_manquants": " ".join(code for code, _ in there), "manquant_pct": pct(lost, out[key]["avant"])}
    for row in out.values():
        shares = [row[c] for c in ("quarantaine_pct", "quarantaine_lignes_pct", "zones_perdues_pct", "produits_perdus_pct")]
        row["perte_pct"] = max([0.0, *(share for share in [*shares, row["pays_perdus_pct"]] if share)])
        row["est_perte_forte"] = row["perte_pct"] > limit or (row["manquant_pct"] or 0) > limit
        del row["avant"]
    noms = {(niveau, code): nom for niveau, code, nom, _ in territories()}
    told = [
        {
            "periode": p,
            "niveau": niveau,
            "code": code,
            "nom": noms[niveau, code],
            "flux": flux,
            "motif": motif,
            "lignes": n,
            "lignes_pct": n / (out[p, niveau, code, flux]["lignes"] + out[p, niveau, code, flux]["quarantaine_lignes"]) * 100,
            "valeur_eur": e,
            "valeur_pct": pct(size, out[p, niveau, code, flux]["recue_eur"] + all_sizes(reasons, p, niveau, code, flux)) or 0.0,
            "codes": " ".join(sorted(found[p, niveau, code, flux, motif] - {""})),
            "est_perte_forte": out[p, niveau, code, flux]["est_perte_forte"],
        }
        for (p, niveau, code, flux, motif), (n, e, size) in reasons.items()
        if (niveau, code) in noms
    ]
    return out, told


def all_sizes(reasons: dict[tuple, list[int]], *place: str) -> int:
    """Euros set aside from a flow, without their sign, over all reasons."""
    return sum(size for key, (_, _, size) in reasons.items() if key[:-1] == place)


def printed(out: dict[str, Rows], niveau_produit: str) -> None:
    """Put the label of the release where it differs from the seeds'."""
    new = {(r["periode"], r["nomenclature"], r["code"]): r["libelle"] for r in out["libelles"]}

    def put(r: dict, table: str, code: str, column: str, *, whole: bool = False) -> None:
        if libelle := new.get((r["periode"], table, code)):
            r[column] = libelle if whole or len(libelle) <= 40 else libelle[:39].rstrip() + "…"

    for r in (*out["balance"], *out["flux"]):
        put(r, "PAYS", r["pays_code"], "pays")
    for r in (*out["produits"], *out["flux"]):
        put(r, niveau_produit, r["produit_code"], "produit")
        put(r, niveau_produit, r["produit_code"], "produit_libelle", whole=True)
    for r in out["specificites"]:
        put(r, "PAYS" if r["objet"] == "pays" else niveau_produit, r["objet_code"], "libelle")


def specificites_of(poids: dict[tuple, tuple[Counter, list[str]]], codes: Codes, niveau_produit: str) -> Iterator[dict]:
    """The first five of each kind beside their share in the région and in France."""
    regions = {r["departement_code"]: r["region_code"] for r in seed("departements")}

    def share(code: str, *key: str) -> float:
        return pct(poids[key][0][code], poids[key][0].total()) or 0.0

    for (p, niveau, territoire, flux, objet), (euros, first) in poids.items():
        for rang, code in enumerate(first[:5], start=1):
            part = share(code, p, niveau, territoire, flux, objet)
            region = share(code, p, "region", regions[territoire], flux, objet) if niveau == "departement" else None
            france = share(code, p, "france", "FR", flux, objet) if niveau != "france" else None
            yield {
                "periode": p,
                "niveau": niveau,
                "code": territoire,
                "flux": flux,
                "objet": objet,
                "objet_code": code,
                "libelle": (codes.pays if objet == "pays" else codes.court[niveau_produit])[code],
                "rang": rang,
                "valeur_eur": euros[code],
                "part_pct": part,
                "region_part_pct": region,
                "france_part_pct": france,
                "ecart_france_pts": None if france is None else part - france,
                "est_saillant": france is not None and part - france >= 5 and euros[code] >= 10_000_000,
            }


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
                "produit_part_pct": pct(sum(by_produit[c] for c in produits[produit]), drawn.total()),
                "pays_part_pct": pct(sum(by_pays[c] for c in pays[partner]), drawn.total()),
            }


def fiabilite_of(key: dict, total: int | None, energies: Counter, links: dict[tuple[str, str], int], lost: dict) -> dict:
    """The five rules of the seed, what is missing, and the note that follows from their levels."""
    seuils = {r["regle"]: (int(r["seuil_1"]), int(r["seuil_2"] or 10**18)) for r in seed("regles_fiabilite")}
    first = min(links, key=lambda link: (-links[link], *link), default=(None, None))
    order = {"port": 0, "logistique": 1, "aeroport": 2}
    platforms = sorted((order[r["type"]], r["nom"]) for r in seed("plateformes") if r["departement_code"] == key["code"])
    shares = {
        "convention": pct(energies["convention"], total),
        "concentration": pct(links[first], total) if first in links else None,
        "energie": pct(energies["convention"] + energies["autre"], total),
        "plateforme": len(platforms[:1]),
    }
    levels = {rule: sum((share or 0) >= seuil for seuil in seuils[rule]) for rule, share in shares.items()}
    levels["petit"] = 0 if total is None else sum(total < seuil for seuil in seuils["petit"])
    levels["perte"] = 0 if lost["est_disponible"] and not lost["est_perte_forte"] else 2
    ones = sum(level == 1 for level in levels.values())
    return key | {
        "note": "C" if 2 in levels.values() or ones >= 3 else "B" if ones else "A",
        "convention_pct": shares["convention"],
        "premier_flux_produit_code": first[0],
        "premier_flux_pays_code": first[1],
        "premier_flux_pct": shares["concentration"],
        "energie_pct": shares["energie"],
        "plateformes": ", ".join(nom for _, nom in platforms),
        "valeur_eur": total,
        **{f"niveau_{rule}": level for rule, level in levels.items()},
        "perte_pct": lost["perte_pct"],
        "est_disponible": lost["est_disponible"],
        "perte_max_pct": VARIABLES["quarantaine_max_pct"],
    }


def published(ends: dict[str, int]) -> Iterator[tuple[str, dict]]:
    """Rows of the seed of published totals, by period: a rolling one that ends with a year is that year."""
    for row in seed("totaux_publies"):
        yield from ((p, row) for p, end in ends.items() if end == int(row["annee"]) * 4 + 3)


def reconciliation_of(reperes: Rows, totals: dict[tuple, int], ends: dict[str, int], losses: dict[tuple, dict]) -> Iterator[dict]:
    regions = {r["departement_code"]: r["region_code"] for r in seed("departements")}
    printed = {
        (p, r["niveau"], r["code"], r["flux"], r["perimetre"]): (int(r["valeur_eur"]), int(r["precision_eur"]), r["source"])
        for p, r in published(ends)
    }
    for r in reperes:
        if r["niveau"] == "departement":
            continue
        p, flux, france = r["periode"], r["flux"], r["niveau"] == "france"
        deps = [d for d, region in regions.items() if d != "99" and (france or region == r["code"])]
        base, away, monaco = r["valeur_eur"], r["quarantaine_eur"], totals[p, "departement", "99", flux]
        whole = printed.get((p, r["niveau"], r["code"], flux, "chiffre_publie" if france else "base_ouverte"))
        fab, exports = (
            printed.get((p, "france", "FR", *key)) for key in (("solde", "chiffre_publie_fab"), ("export", "chiffre_publie"))
        )
        some = any(losses[p, "departement", d, flux]["est_disponible"] for d in deps)
        summed = sum(totals[p, "departement", d, flux] for d in deps) if some else None
        steps: list[tuple] = [(1, "departements", summed, "mesuree" if some else "non_disponible", None)]
        if france or r["code"] == "93":
            steps += [(2, "monaco", monaco, "mesuree", None)]
        if france:
            steps += [(3, "indetermine", 0, "mesuree", None)]
            steps += [(4, "regions", sum(totals[p, "region", c, flux] for c in set(regions.values())), "mesuree", None)]
            steps += [
                (n, etape, None, "non_mesurable", None) for n, etape in ((7, "materiel_militaire"), (8, "seuils_et_non_reponse"))
            ]
            gap = (whole[0] - base - away, "mesuree", whole[1]) if whole else (None, "non_publiee", None)
            steps += [(9, "ecart_ensemble", *gap)]
        steps += [(5, "base_ouverte", base, "non_disponible" if base is None else "mesuree", None)]
        steps += [(6, "ecartees", away, "mesuree", None)]
        if whole or france:
            steps += [(10, "total_publie", *((whole[0], "publiee", whole[1]) if whole else (None, "non_publiee", None)))]
        if france and flux == "import":
            total_fab = (exports[0] - fab[0], "publiee", exports[1] + fab[1]) if exports and fab else (None, "non_publiee", None)
            caf_fab = (total_fab[0] - whole[0], "publiee", total_fab[2] + whole[1]) if whole else (None, "non_publiee", None)
            steps += [(11, "caf_fab", *caf_fab), (12, "total_publie_fab", *total_fab)]
        for ordre, etape, euros, mesure, precision in steps:
            yield {
                **{column: r[column] for column in ("periode", "niveau", "code", "flux")},
                "ordre": ordre,
                "etape": etape,
                "valeur_eur": euros,
                "mesure": mesure,
                "source": whole[2] if whole and precision is not None else "",
                "precision_eur": precision,
            }


def publies_of(totals: dict[tuple, int], ends: dict[str, int], losses: dict[tuple, dict], *, est_exemple: bool) -> Iterator[dict]:
    for p, r in published(ends):
        if r["flux"] == "solde":
            continue
        at, theirs, precision = (p, r["niveau"], r["code"], r["flux"]), int(r["valeur_eur"]), int(r["precision_eur"])
        ours = totals[at] if r["code"] == "99" or losses[at]["est_disponible"] else None
        comparable = r["perimetre"] == "base_ouverte" and not est_exemple
        gap = None if ours is None else pct(ours - theirs, theirs)
        tolerance = VARIABLES["revision_pct"] + precision / theirs * 100
        yield {
            "periode": p,
            **{column: r[column] for column in ("niveau", "code", "flux", "perimetre")},
            "valeur_eur": ours,
            "publie_eur": theirs,
            "precision_eur": precision,
            "ecart_eur": None if ours is None else ours - theirs,
            "ecart_pct": gap,
            "tolerance_pct": tolerance,
            "source": r["source"],
            "date_publication": datetime.date.fromisoformat(r["date_publication"]) if r["date_publication"] else None,
            "est_comparable": comparable,
            "est_conforme": (gap is not None and abs(gap) <= tolerance) if comparable else None,
        }


def plausibilite_of(
    rows: pd.DataFrame, niveau_produit: str, totals: dict[tuple, int], ends: dict[str, int], publies: Rows
) -> Iterator[dict]:
    """Offenders of the six rules, each against the same a year before."""
    limits = VARIABLES["plausibilite"]
    good = rows[rows["motif"] == ""]
    present = set(zip(rows["flux"], rows["numero"], strict=True))
    lines, euros = Counter(), Counter()
    for counter, frame in ((lines, rows.assign(n=1)), (euros, good.assign(n=good["euros"]))):
        for niveau, column in (("departement", "dep"), ("region", "region"), ("france", "")):
            frame_of = frame.assign(code=frame[column] if column else "FR")
            for (flux, numero, code), n in frame_of.groupby(["flux", "numero", "code"])["n"].sum().items():
                counter[niveau, code, flux, numero] = int(n)
    zones = [("departement", r["departement_code"]) for r in seed("departements")]
    zones += [("region", r["region_code"]) for r in seed("regions")] + [("france", "FR")]
    weights, partners = {}, {}
    for p, end in ends.items():
        inside = good[good["numero"].between(end - 3, end)]
        weighed = inside[inside["kilos"] > 0].groupby(["flux", niveau_produit.lower()])[["euros", "kilos"]].sum()
        weights[p] = {key: (int(e), int(kg)) for key, e, kg in weighed.itertuples()}
        partners[p] = {key: int(e) for key, e in inside.groupby(["flux", "pays"])["euros"].sum().items() if e > 0}

    def found(
        p: str, regle: str, place: tuple[str, str, str], objet: str, was: float | None, before: float | None, unite: str
    ) -> dict:
        niveau, code, flux = place
        return {
            "periode": p,
            "regle": regle,
            "gravite": "avertissement",
            "niveau": niveau,
            "code": code,
            "flux": flux,
            "objet": objet,
            "valeur": None if was is None else float(was),
            "attendu": None if before is None else float(before),
            "ecart_pct": (was - before) / before * 100 if before and was is not None else None,
            "unite": unite,
        }

    for p, end in ends.items():
        for flux in FLUX.values():
            for n in range(end - 3, end + 1):
                quarter, known = f"{n // 4}T{n % 4 + 1}", (flux, n - 4) in present
                for niveau, code in zones:
                    place, at = (niveau, code, flux), (niveau, code, flux, n)
                    then = (niveau, code, flux, n - 4)
                    if niveau == "departement" and not lines[at]:
                        yield found(p, "zone_absente", place, quarter, 0, lines[then] if known else None, "lignes")
                    if not known:
                        continue
                    limit = limits["total_departement_pct" if niveau == "departement" else "total_pct"]
                    large = max(euros[at], euros[then]) * 4 >= limits["total_min_eur"]
                    if large and abs(euros[at] - euros[then]) > euros[then] * limit / 100:
                        yield found(p, "total_trimestriel", place, quarter, euros[at], euros[then], "eur")
                    if niveau == "france" and lines[at] < lines[then] * (100 - limits["lignes_pct"]) / 100:
                        yield found(p, "nombre_de_lignes", place, quarter, lines[at], lines[then], "lignes")
        before = f"{int(p[:4]) - 1}{p[4:]}"
        if before not in ends:
            continue
        for (flux, pays), e in partners[before].items():
            share = e / totals[before, "france", "FR", flux] * 100
            if share >= limits["partenaire_pct"] and (flux, pays) not in partners[p]:
                yield found(p, "partenaire_disparu", ("france", "FR", flux), pays, 0, e, "eur")
        for (flux, produit), (e, kg) in weights[p].items():
            e_then, kg_then = weights[before].get((flux, produit), (0, 1))
            if min(e, e_then) > limits["unitaire_min_eur"]:
                unit, then = e / kg, e_then / kg_then
                if max(unit / then, then / unit) > limits["unitaire_facteur"]:
                    yield found(p, "valeur_unitaire", ("france", "FR", flux), produit, unit, then, "eur_par_kg")
    for r in publies:
        if r["est_conforme"] is False:
            place = (r["niveau"], r["code"], r["flux"])
            yield found(r["periode"], "total_publie", place, r["perimetre"], r["valeur_eur"], r["publie_eur"], "eur")


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


def complete_reperes(reperes: Rows, totals: dict[tuple, int], ends: dict[str, int], losses: dict[tuple, dict]) -> None:
    """What compares a territory with others, with the other flow or with the year before; nothing where data are missing."""

    def there(*at: str) -> int | None:
        return totals[at] if losses[at]["est_disponible"] else None

    regions = {r["departement_code"]: r["region_code"] for r in seed("departements")}
    deps = [r["departement_code"] for r in seed("departements") if r["est_fiche"] == "true"]
    for r in reperes:
        p, flux, euros = r["periode"], r["flux"], r["valeur_eur"]
        before = f"{int(p[:4]) - 1}{p[4:]}"
        former = there(before, r["niveau"], r["code"], flux) if before in ends else None
        whole = not r["est_perte_forte"] and not (
            before in ends and losses[before, r["niveau"], r["code"], flux]["est_perte_forte"]
        )
        change = pct(euros - former, former) if former and euros is not None and whole else None
        known = [other for d in deps if (other := there(p, "departement", d, flux)) is not None]
        local = r["niveau"] == "departement"
        region = ("region", regions[r["code"]], flux) if local else None
        sold, bought = (there(p, r["niveau"], r["code"], f) for f in ("export", "import"))
        r |= {
            "valeur_precedente_eur": former,
            "evolution_pct": change,
            "est_evolution_lisible": bool(
                change is not None
                and euros is not None
                and former is not None
                and former >= 10_000_000
                and not r["est_rupture"]
                and abs(euros - former) <= 2 * former
            ),
            "part_region_pct": pct(euros, totals[p, *region]) if region and euros is not None else None,
            "part_france_pct": None if euros is None else pct(euros, totals[p, "france", "FR", flux]),
            "part_region_hors_convention_pct": pct(r["valeur_hors_convention_eur"], totals[p, *region, "sans"])
            if region and euros is not None
            else None,
            "rang_france": 1 + sum(other > euros for other in known)
            if local and euros is not None and not r["est_perte_forte"]
            else None,
            "nb_departements": len(known) if local else None,
            "solde_eur": None if sold is None or bought is None else sold - bought,
            "taux_couverture_pct": None if sold is None or bought is None else pct(sold, bought),
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

    assert {r["regle"] for r in odd_expected["plausibilite"]} == {
        rule for sujet, rule, _ in CONTROLES.values() if sujet == "plausibilite"
    }
    assert {r["mesure"] for r in odd_expected["reconciliation"]} == {
        *("mesuree", "publiee", "non_mesurable", "non_publiee", "non_disponible")
    }
    assert {r["note"] for r in odd_expected["fiabilite"]} == {"A", "B", "C"}
    assert of("reperes", "75", flux="import")[0]["energie_convention_eur"] > 3e12
    assert {r["motif"] for r in odd_expected["quarantaine"]} == {
        *("valeur_vide", "valeur_negative", "departement_inconnu", "produit_inconnu", "pays_inconnu", "pays_echu")
    }
    assert {r["code_source"] for r in odd_expected["quarantaine"]} >= {"96", "2C", "ZZ", "XU", "na", "Q99Z/2910", "/"}
    assert of("reperes", SANS_EXPORT, flux="export")[0]["valeur_eur"] == 0 and not of("flux", SANS_EXPORT, flux="export")
    assert [r["pays_code"] for r in of("flux", UN_PAYS, flux="export")] == ["BE"]
    assert of("reperes", HORS_PAYS, flux="import")[0]["nb_pays"] == 0
    assert {r["pays_code"] for r in of("flux", HORS_PAYS)} == {"AUTRES"}
    # What did not come: both flows of one, and of the région that it is; a quarter of another; and one under an unknown code.
    for niveau, code in (("departement", PARTI[0]), ("departement", RECODE[0]), ("region", "06")):
        rows = of("reperes", code, niveau=niveau)
        assert [r["valeur_eur"] for r in rows] == [None, None], code
        assert not of("produits", code, niveau=niveau) and not of("balance", code, niveau=niveau), code
        assert [r["valeur_partielle_eur"] for r in rows] == [None, None] and {r["solde_eur"] for r in rows} == {None}
    [holed] = of("reperes", TROUE[0], flux="export")
    assert (holed["valeur_eur"], holed["trimestres_manquants"]) == (None, f"2024T{TROUE[1]}")
    assert holed["valeur_partielle_eur"] > 0 and of("produits", TROUE[0], flux="import") and not of("balance", TROUE[0])
    [occitanie] = of("reperes", "76", niveau="region", flux="export")
    assert occitanie["departements_manquants"] == f"{RECODE[0]} {TROUE[0]}" and occitanie["manquant_pct"] > 0
    assert occitanie["valeur_eur"] == sum(
        r["valeur_eur"] or r["valeur_partielle_eur"] or 0 for r in of_region("76", odd_expected)
    )
    assert [r["nb_departements"] for r in of("reperes", "94", niveau="departement")] == [97, 98]
    assert max(r["rang"] or 0 for r in odd_expected["classement"] if r["periode"] == "2024" and r["flux"] == "export") <= 97
    # Nobody's rows are France's alone.
    assert {r["niveau"] for r in odd_expected["pertes"] if r["motif"] == "departement_inconnu"} == {"france"}
    ties = of("flux", EGALITES, flux="export")
    assert [r["est_principal"] for r in ties].count(True) == 5 and len({r["valeur_eur"] for r in ties if r["est_principal"]}) == 1
    new = {r["pays"] for r in of("balance", NOUVEAUX)}
    assert new == {"République d’un nom trop long à mettre…", "Île neuve", "Pays clos"}
    assert {"Biens nouveaux ; divers"} <= {r["produit"] for r in of("produits", NOUVEAUX)}
    assert any(r["pays_code"] == "NA" for r in of("balance", "77"))
    assert any(r["pays_code"] == "XS" and r["rang"] == 1 for r in of("balance", "93"))
    assert all(r["valeur_eur"] > 2**31 for r in of("reperes", "75"))


def of_region(code: str, expected: dict[str, Rows]) -> Rows:
    regions = {r["departement_code"]: r["region_code"] for r in seed("departements")}
    return [
        r
        for r in expected["reperes"]
        if (r["periode"], r["niveau"], r["flux"]) == ("2024", "departement", "export") and regions[r["code"]] == code
    ]


def test_growth_across_january_2022_is_flagged(warehouse: Warehouse) -> None:
    """The model's own SQL, over quarters that no example has: eight years, and rolling years that end with a first quarter."""
    [path] = (warehouse.paths.warehouse / "dbt" / "compiled").rglob("int_periodes.sql")
    quarters = "(select y::smallint as annee, y * 4 + q as numero from range(2018, 2026) y(y), range(4) q(q), range(2))"
    years = re.sub(r'"comex"\."\w+"\."int_releases__standing"', quarters, path.read_text(encoding="utf-8"))
    rolling = years.replace("annee::varchar as periode, annee * 4 + 3", "annee || 'T1' as periode, annee * 4")
    for sql, flagged in ((years, ["2022"]), (rolling, ["2022T1", "2023T1"])):
        assert duckdb.sql(f"select periode from ({sql}) where est_rupture order by 1").fetchall() == [(p,) for p in flagged]


# --- through the one door -----------------------------------------------------------------------------------------------


def test_the_quarantine_is_told_in_four_parts_with_its_euros(odd: Warehouse, odd_expected: dict[str, Rows]) -> None:
    notice = odd.marts.quarantine_notice(1.0)
    assert notice and notice.check == "codes_are_known"
    mine = [r for r in odd_expected["quarantaine"] if r["periode"] == "2025T1"]
    assert f"{sum(r['lignes'] for r in mine):,} rows" in notice.expected_found  # of that period alone
    assert all((notice.where, notice.cause, notice.remedy))
    france = [r["perte_pct"] for r in odd_expected["reperes"] if r["code"] == "FR" and r["periode"] == "2025T1"]
    assert "rows without a value in the release" in notice.cause and "'96'" in notice.expected_found
    assert not re.search(r"valeur_(vide|negative) '", notice.expected_found)  # no code is to blame for a missing value
    assert odd.marts.quarantine_exceeds(max(france) / 2) and not odd.marts.quarantine_exceeds(max(france) * 2)


def test_a_check_on_plausibility_tells_how_many_and_the_farthest(odd: Warehouse, odd_expected: dict[str, Rows]) -> None:
    marts = Marts(odd.paths.marts, "2024")
    for check, (sujet, rule, _) in CONTROLES.items():
        words, offenders = marts.offenders(check, 1.0)
        if sujet == "pertes":
            marked = [
                r
                for r in odd_expected["reperes"]
                if r["periode"] == "2024"
                and ((r["est_disponible"] and r["est_perte_forte"]) if rule == "perte_forte" else not r["est_disponible"])
            ]
            assert f"{check}, 2024: {len(marked)} flows " in words
            assert {(r["niveau"], r["code"], r["flux"]) for r in offenders} == {
                (r["niveau"], r["code"], r["flux"]) for r in marked
            }
        elif sujet == "libelles":
            mine = [r for r in odd_expected["libelles"] if r["periode"] == "2024" and r["regle"] == rule]
            assert (f"{check}, 2024: {len(mine)} differ. " in words) == bool(mine) and len(offenders) == len(mine)
        elif rule:
            mine = [r for r in odd_expected["plausibilite"] if r["periode"] == "2024" and r["regle"] == rule]
            assert f"{check}, 2024: {len(mine)} found. The farthest: " in words
            assert len(offenders) == len(mine)
        else:
            assert words == str(marts.quarantine_notice(1.0)) and {"departement_inconnu"} < {row["motif"] for row in offenders}
    words, _ = marts.offenders("no_great_partner_vanishes", 1.0)
    assert "france FR, " in words and ", AR: 0 against 100,000,000,000 eur (-100.0 %)." in words
    words, offenders = marts.offenders("totals_agree_with_published", 1.0)
    farthest = max(
        (r for r in odd_expected["plausibilite"] if r["periode"] == "2024" and r["regle"] == "total_publie"),
        key=lambda r: max(r["valeur"] / r["attendu"], r["attendu"] / r["valeur"]),
    )
    assert (
        f"{farthest['niveau']} {farthest['code']}, {farthest['flux']}, base_ouverte: {farthest['valeur']:,.0f} against" in words
    )


def test_what_is_missing_altogether_is_the_farthest(odd: Warehouse) -> None:
    """Nothing against something, then the largest ratio; whatever the published totals of today are."""
    [path] = (odd.paths.warehouse / "dbt" / "compiled").rglob("mart_national_plausibilite.sql")
    order = path.read_text(encoding="utf-8").rpartition("order by")[2]
    cases = {
        "none": (None, 5.0),
        "zero": (0.0, 90.0),
        "half": (1.0, 2.0),
        "tenth": (0.1, 1.0),
        "alone": (7.0, None),
        "more": (9.0, 3.0),
    }
    values = ", ".join(
        f"('p', 'r', '{n}', {'null' if a is None else a}, {'null' if b is None else b})" for n, (a, b) in cases.items()
    )
    sql = f"select code from (values {values}) t(periode, regle, code, valeur, attendu), (select '' as niveau, '' as flux, '' as objet) order by {order}"
    assert [code for (code,) in duckdb.sql(sql).fetchall()] == ["zero", "alone", "none", "tenth", "more", "half"]


def test_nothing_is_told_of_a_period_without_one_to_compare(odd: Warehouse) -> None:
    first = Marts(odd.paths.marts, "2024T1")
    assert set(first.plausibilite["regle"]) == {"zone_absente", "total_trimestriel", "nombre_de_lignes"}
    assert first.offenders("no_great_partner_vanishes", 1.0) == ("", [])


def test_the_doors_give_the_rows_of_their_period_and_territory(warehouse: Warehouse) -> None:
    marts, val_de_marne = warehouse.marts, departement("94")
    assert list(marts.fiabilite(val_de_marne)["flux"]) == ["export", "import"]
    assert set(marts.fiabilite(val_de_marne)["code"]) == {"94"} and marts.fiabilite(FRANCE).empty
    france = marts.reconciliation.query("niveau == 'france' and flux == 'import'")
    assert list(france["ordre"]) == list(range(1, 13))
    assert france.set_index("etape")["valeur_eur"]["caf_fab"] == -19_600_000_000
    assert france["valeur_eur"].isna().sum() == 2
    assert not marts.publies["est_comparable"].any() and marts.publies["est_conforme"].isna().all()  # the example is no source


def test_a_territory_without_data_is_told_in_four_parts_with_where_its_rows_may_be(odd: Warehouse) -> None:
    marts = Marts(odd.paths.marts, "2024")
    assert marts.sans_donnees(departement("94")) is None and marts.sans_donnees(departement(TROUE[0])) is None
    assert marts.sans_donnees(departement(SANS_EXPORT)) is None  # no exports in any year: nothing is missing
    error = marts.sans_donnees(departement(RECODE[0]))
    assert error and "export 2024T1 2024T2 2024T3 2024T4" in error.expected_found
    assert RECODE[1] in error.cause.split("(")[-1] and all((error.where, error.remedy))
    bound = [Bound(departement("94")), Bound(departement(RECODE[0]), absence=error)]
    assert [item.est_faite for item in bound] == [True, False]
    assert told_failures(bound) == ""  # a run of the whole country makes the others
    assert "2 fiches were expected; 1 were made, 1 could not be:\n12 (Aveyron): Rows of" in told_failures(bound, asked=True)


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
