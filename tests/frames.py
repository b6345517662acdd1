"""Synthetic mart frames: what charts and fiches receive, already filtered to one territory and period.

Add here: a shape of territory (`FORMES`) that a figure must survive. Keep out: expectations (they belong in the tests).
The amounts are random draws from a seed, and say nothing about any real territory. Labels are those of the dbt seeds.
"""

# pandas' own annotations give most expressions half a dozen types: not worth casts in a factory of examples.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportIndexIssue=false, reportOperatorIssue=false, reportReturnType=false

from functools import cache
from itertools import product

import numpy as np
import pandas as pd

from tests.archives import seed

FORMES = (
    "diversifie",  # many goods, many partners, both flows alike
    "concentre",  # one good and one partner carry nearly everything; a flow 1000 times the other links
    "desequilibre",  # imports thirteen times the exports
    "minuscule",  # three goods, two partners, thousands of euros
    "un_partenaire",  # one good to one partner, on either flow
    "sans_export",  # exports of 0 €
    "vide",  # nothing at all
    "hors_pays",  # codes that are no countries, and nothing else
    "france",  # Md€
    "libelles_longs",  # the longest labels of the nomenclatures and of the countries
)
HORS_PAYS = ("QU", "QS", "FR")
COLONNES = {
    "reperes": "periode niveau code nom flux valeur_eur valeur_precedente_eur evolution_pct part_region_pct part_france_pct"
    " hors_pays_eur nb_pays nb_produits rang_france solde_eur"
    " taux_couverture_pct quarantaine_eur energie_convention_eur valeur_hors_convention_eur part_region_hors_convention_pct"
    " indetermine_eur retours_eur est_rupture est_evolution_lisible est_disponible est_perte_forte perte_pct quarantaine_lignes"
    " quarantaine_lignes_pct quarantaine_pct trimestres_manquants departements_manquants manquant_pct nb_departements",
    "balance": "periode niveau code pays_code pays import_eur export_eur solde_eur rang nb_pays",
    "produits": "periode niveau code flux produit_code produit produit_libelle valeur_eur part_pct rang nb_produits",
    "fiabilite": "periode niveau code flux note convention_pct premier_flux_produit_code premier_flux_pays_code premier_flux_pct"
    " energie_pct plateformes valeur_eur niveau_convention niveau_concentration niveau_plateforme niveau_energie niveau_petit"
    " niveau_perte perte_pct est_disponible perte_max_pct",
    "specificites": "periode niveau code flux objet objet_code libelle rang valeur_eur part_pct region_part_pct france_part_pct"
    " ecart_france_pts est_saillant",
    "flux": "periode niveau code flux produit_code produit produit_libelle produit_rang produit_valeur_eur produit_nb"
    " pays_code pays pays_rang pays_valeur_eur pays_nb valeur_eur part_pct est_principal produit_part_pct pays_part_pct",
}


@cache
def libelles_pays() -> dict[str, str]:
    return {row["pays_code"]: row["pays"] for row in seed("pays")} | {"AUTRES": "Autres pays"}


@cache
def libelles_produits() -> dict[str, tuple[str, str]]:
    rows = {row["a129_code"]: (row["libelle_court"], row["libelle"]) for row in seed("nomenclature_a129")}
    return rows | {"AUTRES": ("Autres produits", "Autres produits")}


def _codes(forme: str, flux: str) -> tuple[list[str], list[str]]:
    """The codes of goods and of countries, in the order of their weight."""
    goods = [code for code in libelles_produits() if code != "AUTRES"]
    countries = [row["pays_code"] for row in seed("pays") if row["est_pays"] == "true" and row["fin"] == "999912"]
    if forme == "libelles_longs" or (forme.startswith("hasard-") and int(forme[7:]) % 3 == 0):
        return (
            sorted(goods, key=lambda code: -len(libelles_produits()[code][0])),
            sorted(countries, key=lambda code: -len(libelles_pays()[code])),
        )
    first = ["DE", "IT", "BE", "ES", "US", "GB", "NL", "CN", "CH", "PL", "TR", "JP", "MA", "CZ", "SE", "PT", "IE", "IN"]
    rng = np.random.default_rng(11 if flux == "export" else 12)
    goods = [goods[i] for i in rng.permutation(len(goods))]
    first = [first[i] for i in rng.permutation(len(first))]
    return goods, first + [code for code in countries if code not in first]


def _au_hasard(forme: str, flux: str) -> tuple[int, int, int, float]:
    """`hasard-7`: anything between two goods and the whole nomenclature, thousands and milliards."""
    rng = np.random.default_rng([int(forme.removeprefix("hasard-")), len(flux), ord(flux[0])])
    return int(rng.integers(1, 77)), int(rng.integers(1, 200)), int(10 ** rng.uniform(4, 11.8)), float(rng.uniform(0.1, 2.5))


def matrice(forme: str, flux: str) -> pd.DataFrame:
    """Euros by good and country (columns produit_code, pays_code, valeur_eur), all > 0; may be empty."""
    goods, countries = _codes(forme, flux)
    if forme == "hors_pays":
        countries = list(HORS_PAYS)
    nb_goods, nb_countries, total, slope = {
        "diversifie": (76, 120, {"import": 1_737_912_345, "export": 4_074_612_345}[flux], 0.9),
        "concentre": (60, 80, 5_472_000_321, 1.6),
        "desequilibre": (70, 90, {"import": 4_200_123_456, "export": 310_045_678}[flux], 1.1),
        "minuscule": (3, 2, 48_765, 1.0),
        "un_partenaire": (1, 1, 7_654_321, 1.0),
        "sans_export": ({"import": 30, "export": 0}[flux], 25, 36_123_456, 1.2),
        "vide": (0, 0, 0, 1.0),
        "hors_pays": (1, 2, 14_900_000, 1.0),
        "france": (76, 240, {"import": 684_776_312_345, "export": 580_354_498_765}[flux], 1.0),
        "libelles_longs": (40, 60, 2_345_678_901, 0.3),
    }.get(forme) or _au_hasard(forme, flux)
    if not nb_goods:
        return pd.DataFrame({"produit_code": [], "pays_code": [], "valeur_eur": np.array([], dtype="int64")})
    rng = np.random.default_rng(sum(map(ord, forme + flux)))
    good_weight = 1 / np.arange(1, nb_goods + 1) ** slope
    country_weight = 1 / np.arange(1, nb_countries + 1) ** slope
    weights = np.outer(good_weight, country_weight) * rng.gamma(0.7, 1.0, (nb_goods, nb_countries))
    if forme == "concentre":
        weights[0, 0] = weights.sum()
    weights[(weights < np.quantile(weights, 0.3)) & (weights.size > 100)] = 0
    values = np.floor(weights / weights.sum() * total).astype("int64")
    keys = pd.DataFrame(list(product(goods[:nb_goods], countries[:nb_countries])), columns=["produit_code", "pays_code"])
    frame = keys.assign(valeur_eur=values.ravel())
    if forme in ("diversifie", "france"):
        extra = [(goods[i], code, total // 500 // (i + 1)) for i, code in enumerate(HORS_PAYS)]
        frame = pd.concat([frame, pd.DataFrame(extra, columns=frame.columns)], ignore_index=True)
    return frame[frame["valeur_eur"] > 0].reset_index(drop=True)


def _rangs(values: pd.Series) -> dict[str, int]:
    """Rank by value, then code, of a series indexed by code."""
    return {code: rang for rang, (code, _) in enumerate(sorted(values.items(), key=lambda item: (-item[1], item[0])), 1)}


def _est_pays(codes: pd.Series) -> pd.Series:
    return ~codes.isin(HORS_PAYS)


def _groupe(detail: pd.DataFrame, column: str) -> pd.Series:
    """The node of each row: its own code for the ten first, AUTRES for the rest."""
    named = detail[_est_pays(detail[column])] if column == "pays_code" else detail
    rangs = _rangs(named.groupby(column)["valeur_eur"].sum())
    return detail[column].where(detail[column].map(rangs).fillna(99) <= 10, "AUTRES")


def _flux(detail: pd.DataFrame, flux: str) -> pd.DataFrame:
    detail = detail.assign(p=_groupe(detail, "produit_code"), c=_groupe(detail, "pays_code"))
    total = int(detail["valeur_eur"].sum())
    links = detail.groupby(["p", "c"], as_index=False)["valeur_eur"].sum()
    for side, column, prefix in (("p", "produit_code", "produit"), ("c", "pays_code", "pays")):
        sums = detail.groupby(side)["valeur_eur"].sum()
        rangs = _rangs(sums.drop("AUTRES", errors="ignore")) | {"AUTRES": 11}
        links[f"{prefix}_rang"] = links[side].map(rangs).astype("int64")
        links[f"{prefix}_valeur_eur"] = links[side].map(sums).astype("int64")
        links[f"{prefix}_nb"] = links[side].map(detail.groupby(side)[column].nunique()).astype("int64")
    named = links[(links["p"] != "AUTRES") & (links["c"] != "AUTRES")]
    first = named.sort_values(["valeur_eur", "p", "c"], ascending=[False, True, True]).head(5).index
    links = links.assign(
        flux=flux,
        produit_code=links["p"],
        produit=links["p"].map(lambda code: libelles_produits()[code][0]),
        produit_libelle=links["p"].map(lambda code: libelles_produits()[code][1]),
        pays_code=links["c"],
        pays=links["c"].map(libelles_pays()),
        part_pct=links["valeur_eur"] / max(total, 1) * 100,
        est_principal=links.index.isin(first),
        produit_part_pct=links["produit_valeur_eur"] / max(total, 1) * 100,
        pays_part_pct=links["pays_valeur_eur"] / max(total, 1) * 100,
    )
    return links.sort_values(["produit_rang", "pays_rang"])


def _produits(detail: pd.DataFrame, flux: str) -> pd.DataFrame:
    detail = detail.assign(p=_groupe(detail, "produit_code"))
    sums = detail.groupby("p")["valeur_eur"].sum()
    rangs = _rangs(sums.drop("AUTRES", errors="ignore")) | {"AUTRES": 11}
    frame = pd.DataFrame({"produit_code": sums.index, "valeur_eur": sums.to_numpy(dtype="int64")})
    return frame.assign(
        flux=flux,
        produit=frame["produit_code"].map(lambda code: libelles_produits()[code][0]),
        produit_libelle=frame["produit_code"].map(lambda code: libelles_produits()[code][1]),
        part_pct=frame["valeur_eur"] / max(int(sums.sum()), 1) * 100,
        rang=frame["produit_code"].map(rangs).astype("int64"),
        nb_produits=frame["produit_code"].map(detail.groupby("p")["produit_code"].nunique()).astype("int64"),
    ).sort_values("rang")


def _balance(details: dict[str, pd.DataFrame]) -> pd.DataFrame:
    sums = pd.DataFrame({flux: detail.groupby("pays_code")["valeur_eur"].sum() for flux, detail in details.items()})
    sums = sums.reindex(columns=["import", "export"]).fillna(0).astype("int64")
    named = sums[[code not in HORS_PAYS for code in sums.index]]
    kept = {code for flux in named for code, rang in _rangs(named[named[flux] > 0][flux]).items() if rang <= 10}
    order = sorted(kept, key=lambda code: (-int(sums.loc[code].sum()), code))
    rows = [(code, libelles_pays()[code], *map(int, sums.loc[code]), 1) for code in order]
    others = sums.drop(index=order)
    if len(others):
        rows.append(("AUTRES", "Autres pays", *map(int, others.sum()), len(others)))
    frame = pd.DataFrame(rows, columns=["pays_code", "pays", "import_eur", "export_eur", "nb_pays"])
    return frame.assign(solde_eur=frame["export_eur"] - frame["import_eur"], rang=range(1, len(frame) + 1))


def _reperes(details: dict[str, pd.DataFrame], niveau: str, nom: str) -> pd.DataFrame:
    totals = {flux: int(detail["valeur_eur"].sum()) for flux, detail in details.items()}
    rows = []
    for flux, detail in details.items():
        value = totals[flux]
        before = int(value * 0.96) if value else None
        rows.append(
            {
                "nom": nom,
                "flux": flux,
                "valeur_eur": value,
                "valeur_precedente_eur": before,
                "evolution_pct": (value / before - 1) * 100 if before else None,
                "part_region_pct": (value / 1_416_663_000.0) / 37 if niveau == "departement" else None,
                "part_france_pct": 100.0 if niveau == "france" else value / 5_803_544_987.65,
                "hors_pays_eur": int(detail.loc[~_est_pays(detail["pays_code"]), "valeur_eur"].sum()),
                "energie_convention_eur": 0,
                "valeur_hors_convention_eur": value,
                "part_region_hors_convention_pct": (value / 1_416_663_000.0) / 36 if niveau == "departement" else None,
                "indetermine_eur": int(detail.loc[detail["pays_code"].isin(["QU", "QS"]), "valeur_eur"].sum()),
                "retours_eur": int(detail.loc[detail["pays_code"] == "FR", "valeur_eur"].sum()),
                "est_rupture": False,
                "est_evolution_lisible": bool(before and before >= 10_000_000),
                "nb_pays": detail.loc[_est_pays(detail["pays_code"]), "pays_code"].nunique(),
                "nb_produits": detail["produit_code"].nunique(),
                "rang_france": 37 if niveau == "departement" and value else None,
                "solde_eur": totals["export"] - totals["import"],
                "taux_couverture_pct": totals["export"] / totals["import"] * 100 if totals["import"] else None,
                "quarantaine_eur": 0,
                "est_disponible": True,
                "est_perte_forte": False,
                **dict.fromkeys(("perte_pct", "quarantaine_lignes_pct", "quarantaine_pct"), 0.0),
                "quarantaine_lignes": 0,
                **dict.fromkeys(("trimestres_manquants", "departements_manquants"), ""),
                "manquant_pct": None,
                "nb_departements": 100 if niveau == "departement" else None,
            }
        )
    return pd.DataFrame(rows).astype(
        {
            "valeur_precedente_eur": "Int64",
            "rang_france": "Int64",
            "evolution_pct": "Float64",
            "part_region_pct": "Float64",
            "part_region_hors_convention_pct": "Float64",
            "taux_couverture_pct": "Float64",
            "manquant_pct": "float64",
            "nb_departements": "Int64",
        }
    )


def _specificites(details: dict[str, pd.DataFrame], niveau: str) -> pd.DataFrame:
    rows = []
    for flux, detail in details.items():
        total = max(int(detail["valeur_eur"].sum()), 1)
        for objet, column in (("produit", "produit_code"), ("pays", "pays_code")):
            named = detail[_est_pays(detail[column])] if objet == "pays" else detail
            sums = named.groupby(column)["valeur_eur"].sum()
            for code, rang in _rangs(sums).items():
                part = float(sums[code]) / total * 100
                label = libelles_pays()[code] if objet == "pays" else libelles_produits()[code][0]
                compared = {"region_part_pct": part * 0.8, "france_part_pct": part * 0.5, "ecart_france_pts": part * 0.5}
                row = {"flux": flux, "objet": objet, "objet_code": code, "libelle": label, "rang": rang, "part_pct": part}
                row |= {"valeur_eur": int(sums[code]), "est_saillant": part >= 10} | (compared if niveau != "france" else {})
                rows += [row] if rang <= 5 else []
    return pd.DataFrame(rows, columns=COLONNES["specificites"].split()[3:])


def _fiabilite(details: dict[str, pd.DataFrame], niveau: str) -> pd.DataFrame:
    """Every rule raised for exports, none for imports; no row but for départements."""
    rows = [
        {
            "flux": flux,
            "note": "C" if level else "A",
            **dict.fromkeys(("convention_pct", "premier_flux_pct", "energie_pct"), 21.5),
            "plateformes": "port de Port-Vendres, aéroport d’Orly" if level else "",
            "valeur_eur": int(details[flux]["valeur_eur"].sum()),
            **{f"niveau_{rule}": level for rule in ("convention", "concentration", "plateforme", "energie", "petit")},
            "niveau_perte": 0,
            "perte_pct": 0.0,
            "est_disponible": True,
            "perte_max_pct": 1.0,
        }
        for flux, level in (("export", 1), ("import", 0))
    ]
    return pd.DataFrame(rows if niveau == "departement" else [], columns=COLONNES["fiabilite"].split()[3:])


def frames(
    forme: str = "diversifie", *, niveau: str = "departement", code: str = "94", nom: str = "Val-de-Marne", periode: str = "2024"
) -> dict[str, pd.DataFrame]:
    """The frames of one territory (`reperes`, `balance`, `produits`, `flux`, `fiabilite`, `specificites`) in one of the `FORMES`, or `hasard-<n>`."""
    details = {flux: matrice(forme, flux) for flux in ("export", "import")}
    made = {
        "reperes": _reperes(details, niveau, nom),
        "balance": _balance(details),
        "produits": pd.concat([_produits(detail, flux) for flux, detail in details.items()], ignore_index=True),
        "flux": pd.concat([_flux(detail, flux) for flux, detail in details.items()], ignore_index=True),
        "fiabilite": _fiabilite(details, niveau),
        "specificites": _specificites(details, niveau),
    }
    return {
        name: frame.assign(periode=periode, niveau=niveau, code=code)[COLONNES[name].split()].reset_index(drop=True)
        for name, frame in made.items()
    }


def rapprochement(periode: str = "2024") -> pd.DataFrame:
    """The steps of PACA (with Monaco), of Île-de-France and of France."""
    shared = {"departements": 1_000_000_321, "monaco": 7_000_001, "base_ouverte": 1_007_000_322, "ecartees": 0}
    france = {"indetermine": 0, "regions": 1_007_000_322, "materiel_militaire": None, "ecart_ensemble": 42_999_678}
    france |= {"total_publie": 1_050_000_000}
    rows = [
        (niveau, code, flux, step, value)
        for niveau, code, steps in (
            ("region", "93", shared),
            ("region", "11", {step: value for step, value in shared.items() if step != "monaco"}),
            ("france", "FR", shared | france),
        )
        for flux in ("export", "import")
        for step, value in steps.items()
    ]
    made = pd.DataFrame(rows, columns=["niveau", "code", "flux", "etape", "valeur_eur"]).assign(periode=periode)
    published = made["etape"].isin(["ecart_ensemble", "total_publie"])
    return made.assign(
        ordre=range(1, len(made) + 1),
        valeur_eur=made["valeur_eur"].astype("Int64"),
        mesure=made["etape"].map({"materiel_militaire": "non_mesurable", "total_publie": "publiee"}).fillna("mesuree"),
        source=["DGDDI" if one else "" for one in published],
        precision_eur=pd.Series([50_000_000 if one else None for one in published], dtype="Int64"),
    )


def publies(periode: str = "2024") -> pd.DataFrame:
    """One published total of Val-de-Marne and one of France, of the same scope; France's headline, of another."""
    rows = [
        ("departement", "94", "export", "base_ouverte", 5_400_000_000),
        ("france", "FR", "export", "base_ouverte", 580_300_000_000),
        ("france", "FR", "export", "chiffre_publie", 598_300_000_000),
    ]
    made = pd.DataFrame(rows, columns=["niveau", "code", "flux", "perimetre", "publie_eur"])
    return made.assign(
        periode=periode,
        valeur_eur=made["publie_eur"] + 12_437,
        precision_eur=50_000_000,
        ecart_eur=12_437,
        ecart_pct=12_437 / made["publie_eur"] * 100,
        tolerance_pct=0.5,
        source="ANCT",
    )


def classement(periode: str = "2024") -> pd.DataFrame:
    """The national ranking: one row per flux and département (all 100)."""
    rows = [row for row in seed("departements") if row["est_fiche"] == "true"]
    parts = []
    for flux, graine in (("export", 1), ("import", 2)):
        values = (60e9 / np.arange(1, len(rows) + 1) ** 1.1 * (1 + graine / 10)).astype("int64")
        order = np.random.default_rng(graine).permutation(len(rows))
        parts.append(
            pd.DataFrame(
                {
                    "periode": periode,
                    "flux": flux,
                    "rang": range(1, len(rows) + 1),
                    "departement_code": [rows[i]["departement_code"] for i in order],
                    "nom": [rows[i]["nom"] for i in order],
                    "region_code": [rows[i]["region_code"] for i in order],
                    "valeur_eur": values,
                    "part_france_pct": values / values.sum() * 99.5,
                    "est_disponible": True,
                    "est_perte_forte": False,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
