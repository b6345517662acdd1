"""What the dbt project says of itself is so: documented columns are the real ones, seeds have their source, marts their contract.

Add here: a promise of the project's YAML. Keep out: figures (`integration/`).
"""

import json
import re
from pathlib import Path

import duckdb
import pytest

from pipeline.paths import DBT_PROJECT
from pipeline.territoires import regions
from tests.archives import Warehouse, seed

# What charts, fiches and other people's programs read. More columns may follow; none of these goes or changes its name.
MARTS = {
    "reperes": "periode niveau code nom flux valeur_eur valeur_precedente_eur evolution_pct part_region_pct part_france_pct"
    " hors_pays_eur nb_pays nb_produits rang_france solde_eur"
    " taux_couverture_pct quarantaine_eur quarantaine_pct energie_convention_eur valeur_hors_convention_eur"
    " part_region_hors_convention_pct indetermine_eur retours_eur est_rupture est_evolution_lisible est_disponible est_perte_forte"
    " perte_pct lignes quarantaine_lignes quarantaine_lignes_pct zones_perdues zones_perdues_pct produits_perdus produits_perdus_pct"
    " pays_perdus pays_perdus_pct trimestres_manquants departements_manquants manquant_pct valeur_partielle_eur nb_departements",
    "balance": "periode niveau code pays_code pays import_eur export_eur solde_eur rang nb_pays",
    "produits": "periode niveau code flux produit_code produit produit_libelle valeur_eur part_pct rang nb_produits",
    "flux": "periode niveau code flux produit_code produit produit_libelle produit_rang produit_valeur_eur produit_nb"
    " pays_code pays pays_rang pays_valeur_eur pays_nb valeur_eur part_pct est_principal produit_part_pct pays_part_pct",
}
NATIONAL = {
    "classement": "periode flux rang departement_code nom region_code valeur_eur part_france_pct",
    "quarantaine": "periode annee trimestre flux motif code_source departement_code lignes valeur_eur",
    "pertes": "periode niveau code nom flux motif lignes lignes_pct valeur_eur valeur_pct codes est_perte_forte",
    "releases": "periode flux release_id nom sha256 vintage trimestres",
    "reconciliation": "periode niveau code flux ordre etape valeur_eur mesure source precision_eur",
    "publies": "periode niveau code flux perimetre valeur_eur publie_eur precision_eur ecart_eur ecart_pct tolerance_pct source"
    " date_publication est_comparable est_conforme",
    "specificites": "periode niveau code flux objet objet_code libelle rang valeur_eur part_pct region_part_pct france_part_pct"
    " ecart_france_pts est_saillant",
    "libelles": "periode regle nomenclature code libelle_connu libelle archive",
    "plausibilite": "periode regle gravite niveau code flux objet valeur attendu ecart_pct unite",
}
EXPECTED = {f"mart_{maille}_{sujet}": columns for maille in ("departement", "national") for sujet, columns in MARTS.items()} | {
    f"mart_national_{sujet}": columns for sujet, columns in NATIONAL.items()
}
EXPECTED["mart_departement_fiabilite"] = (
    "periode niveau code flux note convention_pct premier_flux_produit_code premier_flux_pays_code premier_flux_pct energie_pct"
    " plateformes valeur_eur niveau_convention niveau_concentration niveau_plateforme niveau_energie niveau_petit"
)
VIDES = {
    f"mart_national_{sujet}" for sujet in ("quarantaine", "pertes", "publies", "plausibilite", "libelles")
}  # empty when all is well or unknown
TYPES = {"eur": "BIGINT", "pct": "DOUBLE", "code": "VARCHAR"}


@pytest.fixture(scope="module")
def manifest(warehouse: Warehouse) -> dict:
    return json.loads((warehouse.paths.warehouse / "dbt" / "manifest.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def models(manifest: dict) -> dict[str, dict]:
    return {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}


def test_every_model_and_column_is_described_and_real(models: dict[str, dict], warehouse: Warehouse) -> None:
    with duckdb.connect(str(warehouse.paths.warehouse / "comex.duckdb"), read_only=True) as con:
        for name, node in models.items():
            assert node["description"], name
            assert all(column["description"] for column in node["columns"].values()), name
            real = [row[0] for row in con.execute(f"describe {node['relation_name']}").fetchall()]
            assert list(node["columns"]) == real, name


def test_sources_are_described_and_real(manifest: dict, warehouse: Warehouse) -> None:
    for source in manifest["sources"].values():
        columns = duckdb.read_parquet(f"{warehouse.paths.raw_tables}/{source['name']}/*.parquet").columns
        assert set(source["columns"]) == set(columns) - {"verdict"}, source["name"]
        assert source["description"] and all(column["description"] for column in source["columns"].values())


def test_marts_hold_the_columns_that_others_rely_on(models: dict[str, dict], warehouse: Warehouse) -> None:
    assert {name for name in models if name.startswith("mart_")} == set(EXPECTED)
    assert {path.stem for path in warehouse.paths.marts.glob("*.parquet")} == set(EXPECTED)
    for name, columns in EXPECTED.items():
        relation = duckdb.read_parquet(f"{warehouse.paths.marts / name}.parquet")
        assert relation.columns[: len(columns.split())] == columns.split(), name
        for column, kind in zip(relation.columns, map(str, relation.types), strict=True):
            assert kind == TYPES.get(column.split("_")[-1], kind), (name, column)


def test_mart_contracts_are_enforced_and_typed(models: dict[str, dict]) -> None:
    for name in EXPECTED:
        assert models[name]["config"]["contract"]["enforced"], name
        assert models[name]["config"]["materialized"] == "external", name
        assert all(column["data_type"] for column in models[name]["columns"].values()), name


def test_every_mart_is_tested_for_emptiness_keys_and_territories(manifest: dict) -> None:
    tests: dict[str, set[str]] = {}
    for node in manifest["nodes"].values():
        if node["resource_type"] == "test" and node.get("test_metadata"):
            tests.setdefault(node["attached_node"].split(".")[-1], set()).add(node["test_metadata"]["name"])
            assert node["config"]["meta"]["description"], node["name"]
    for name in set(EXPECTED) - VIDES:
        assert {"is_not_empty", "is_unique_by"} <= tests[name], name
        partial = name in ("mart_national_releases", "mart_national_specificites")
        assert tests[name] & {"covers_all_territories", "adds_up_to_reperes"} or partial, name


def test_every_model_has_its_place_by_its_name(models: dict[str, dict]) -> None:
    for name, node in models.items():
        stage = {"stg": "staging", "int": "intermediate", "mart": "marts"}[name.split("_")[0]]
        assert Path(node["path"]).parts[0] == stage, name


def test_every_seed_has_a_source_and_a_date_and_its_columns_described(manifest: dict) -> None:
    seeds = [node for node in manifest["nodes"].values() if node["resource_type"] == "seed"]
    assert {node["name"] for node in seeds} == {path.stem for path in (DBT_PROJECT / "seeds").glob("*.csv")}
    for node in seeds:
        assert re.search(r"Source .+ checked 20\d\d-\d\d\.", node["description"]), node["name"]
        assert list(node["columns"]) == list(seed(node["name"])[0]), node["name"]
        assert all(column["description"] for column in node["columns"].values()), node["name"]


def test_codes_of_seeds_refer_to_codes_of_seeds() -> None:
    a38 = {row["a38_code"] for row in seed("nomenclature_a38")}
    a129 = {row["a129_code"]: row["a38_code"] for row in seed("nomenclature_a129")}
    departements = {row["departement_code"] for row in seed("departements")}
    assert set(a129.values()) == a38
    assert {row["a129_code"] for row in seed("nomenclature_cpf4") if row["est_bien"] == "true"} == set(a129)
    assert {row["region_code"] for row in seed("departements")} == set(regions())
    assert {row["departement_code"] for row in seed("departement_alias")} == departements
    pays = {row["pays_code"] for row in seed("pays")}
    assert {row["successeur_code"] for row in seed("pays_successeurs")} <= pays
    assert not {row["pays_code"] for row in seed("pays_successeurs")} & pays
    assert {row["departement_code"] for row in seed("territoires_industrie")} <= departements
    assert {row["douane_code"] for row in seed("departements")} <= {row["code_source"] for row in seed("departement_alias")}


def test_short_labels_fit_a_figure() -> None:
    for table in ("nomenclature_a38", "nomenclature_a129", "nomenclature_cpf4"):
        assert not [row for row in seed(table) if len(row["libelle_court"]) > 40], table
        assert not [row for row in seed(table) if row.get("est_bien", "true") == "true" and not row["libelle_court"]], table
    assert not [row["pays"] for row in seed("pays") if not row["pays"] or len(row["pays"]) > 40]


def test_every_country_has_the_forms_that_sentences_need() -> None:
    wrong = []
    for row in seed("pays"):
        article, de = row["nom_article"], row["nom_de"]
        if row["est_pays"] == "false":
            assert not article and not de, row
            continue
        head, name = re.fullmatch(r"(le |la |les |l’|)(.+)", article).groups()  # pyright: ignore[reportOptionalMemberAccess]
        bare = f"d’{name}" if re.match(r"[AEIOUÉÎ]|Haï", name) else f"de {name}"
        allowed = {"le ": [f"du {name}"], "la ": [bare, f"de la {name}"], "les ": [f"des {name}"], "l’": [bare, f"de l’{name}"]}
        if de not in allowed.get(head, [bare]) or row["pays"].lower() not in (name.lower(), name.lower().removeprefix("île ")):
            wrong.append((row["pays"], article, de))
    assert wrong == []


def test_parsing_the_project_does_not_depend_on_the_environment() -> None:
    """`comex-dbt` parses it once for all warehouses: the profile and a macro's body are read when a model is built."""
    files = [path for path in DBT_PROJECT.rglob("*") if path.suffix in {".sql", ".yml"} and "target" not in path.parts]
    assert sorted(path.name for path in files if "env_var" in path.read_text(encoding="utf-8")) == ["profiles.yml", "raw.sql"]
