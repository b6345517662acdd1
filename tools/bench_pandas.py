"""The plain pandas way to the marts of one year: read_csv, merge, groupby. The benchmark's peer, and nothing else.

It trusts its input: no verdict, no quarantine beyond inner joins, no test, no contract.
"""

import sys
import zipfile
from pathlib import Path

import pandas as pd

SEEDS = Path(__file__).resolve().parent.parent / "dbt_project" / "seeds"
FIELDS = ["flux", "trimestre", "annee", "departement", "region", "a129", "cpf4", "pays", "valeur", "masse"]
KEY = ["niveau", "code", "flux"]


def seed(name: str) -> pd.DataFrame:
    """A seed, all text."""
    return pd.read_csv(SEEDS / f"{name}.csv", dtype=str, keep_default_na=False)


def read(archive: Path) -> pd.DataFrame:
    """The rows of an archive."""
    with zipfile.ZipFile(archive) as opened:
        member = next(name for name in opened.namelist() if "Region_" in name)
        types = dict.fromkeys(FIELDS, str) | {"trimestre": "int8", "annee": "int16", "valeur": "int64", "masse": "float64"}
        return pd.read_csv(
            opened.open(member), sep=";", header=None, names=FIELDS, dtype=types, keep_default_na=False, na_values={"masse": [""]}
        )


def grouped(levels: pd.DataFrame, column: str, keep: pd.Series) -> pd.DataFrame:
    """Totals by `column` with their rank; beyond the tenth, or where `keep` is False, the group is AUTRES."""
    totals = levels.groupby([*KEY, column], as_index=False)["valeur"].sum()
    totals["ranked"] = totals[column].map(keep).fillna(True)
    totals = totals.sort_values([*KEY, "ranked", "valeur", column], ascending=[True, True, True, False, False, True])
    totals["rang"] = totals.groupby(KEY).cumcount() + 1
    totals["groupe"] = totals[column].where((totals["rang"] <= 10) & totals["ranked"], "AUTRES")
    return totals


def compute(archives: list[Path]) -> dict[str, pd.DataFrame]:
    """The four marts for every territory."""
    departements, alias, pays = seed("departements"), seed("departement_alias"), seed("pays")
    goods, countries = seed("nomenclature_a129"), pays.set_index("pays_code")["est_pays"].eq("true")
    rows = pd.concat([read(archive) for archive in archives])
    rows = rows.merge(alias, left_on="departement", right_on="code_source").merge(
        departements[["departement_code", "region_code", "est_fiche"]], on="departement_code"
    )
    rows = rows.merge(goods[["a129_code"]], left_on="a129", right_on="a129_code").merge(
        pays[["pays_code"]], left_on="pays", right_on="pays_code"
    )
    zones = rows.groupby(["departement_code", "region_code", "est_fiche", "flux", "a129", "pays"], as_index=False)["valeur"].sum()
    levels = pd.concat(
        [
            zones[zones["est_fiche"] == "true"].assign(niveau="departement", code=zones["departement_code"]),
            zones.assign(niveau="region", code=zones["region_code"]),
            zones.assign(niveau="france", code="FR"),
        ]
    )
    levels = levels.groupby([*KEY, "a129", "pays"], as_index=False)["valeur"].sum()
    produits = grouped(levels, "a129", pd.Series(dtype=bool))
    partners = grouped(levels, "pays", countries)
    flux = levels.merge(produits[[*KEY, "a129", "groupe"]], on=[*KEY, "a129"]).merge(
        partners[[*KEY, "pays", "groupe"]], on=[*KEY, "pays"], suffixes=("_produit", "_pays")
    )
    flux = flux.groupby([*KEY, "groupe_produit", "groupe_pays"], as_index=False)["valeur"].sum()
    flux["part_pct"] = 100 * flux["valeur"] / flux.groupby(KEY)["valeur"].transform("sum")
    totals = levels.groupby(KEY, as_index=False)["valeur"].sum()
    totals["part_france_pct"] = (
        100 * totals["valeur"] / totals["flux"].map(totals[totals["code"] == "FR"].set_index("flux")["valeur"])
    )
    first = set(map(tuple, partners[partners["groupe"] != "AUTRES"][["niveau", "code", "pays"]].to_numpy()))
    balance = partners.pivot_table(index=["niveau", "code", "pays"], columns="flux", values="valeur", fill_value=0).reset_index()
    named = [key in first for key in zip(balance["niveau"], balance["code"], balance["pays"], strict=True)]
    balance["pays"] = balance["pays"].where(named, "AUTRES")
    balance = balance.groupby(["niveau", "code", "pays"], as_index=False)[["E", "I"]].sum()
    balance["solde"] = balance["E"] - balance["I"]
    produits = produits.groupby([*KEY, "groupe"], as_index=False)["valeur"].sum()
    return {"reperes": totals, "balance": balance, "produits": produits, "flux": flux}


if __name__ == "__main__":
    home = Path(sys.argv[1])
    for name, frame in compute(sorted(home.glob("*.zip"))).items():
        frame.to_csv(home / f"{name}.csv", index=False)
