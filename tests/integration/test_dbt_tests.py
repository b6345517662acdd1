"""The dbt tests can fail: each one's compiled SQL, on the data as built and on the same data spoilt by one euro or one row.

Nothing is written: a relation of the query is replaced by a subquery that spoils it. Add here: a way to spoil for each new
test. Keep out: what the tests are about.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import pytest

from pipeline import paths
from tests.archives import Warehouse

RECONCILIATION = "mart_national_reconciliation"
SEEDS = sorted(path.stem for path in paths.SEEDS.glob("*.csv"))
# Of each test that stands alone: relations, and what is done to them, each of which must be found.
SEULS = {
    "departements_sum_to_national": [
        ("mart_departement_reperes", "replace (valeur_eur + (code = '94' and flux = 'export')::int as valeur_eur)", ""),
        ("mart_national_reperes", "replace (valeur_eur - (code = '93' and flux = 'import')::int as valeur_eur)", ""),
        ("mart_national_reperes", "replace (valeur_eur + (code = 'FR')::int as valeur_eur)", ""),
        ("mart_departement_reperes", "", "where code != '48'"),
        ("mart_departement_reperes", "replace (case when code != '94' then valeur_eur end as valeur_eur)", ""),
        ("mart_national_reperes", "", "where code != 'FR'"),
        ("int_echanges__by_zone", "", "where departement_code != '99'"),
    ],
    "raw_equals_marts_plus_quarantine": [
        ("mart_national_reperes", "replace (valeur_eur + (code = 'FR' and flux = 'export')::int as valeur_eur)", ""),
        ("mart_national_reperes", "replace (quarantaine_eur + 1 as quarantaine_eur)", ""),
        ("mart_national_reperes", "replace (quarantaine_lignes + 1 as quarantaine_lignes)", ""),
        ("mart_national_reperes", "replace (lignes - 1 as lignes)", ""),
        ("raw/echanges", "", "where pays_code != 'NA'"),
    ],
    "missing_data_are_never_zero": [
        ("mart_departement_reperes", "replace (not (code = '48' and flux = 'import') and est_disponible as est_disponible)", ""),
        ("mart_departement_reperes", "replace (case when code != '94' then valeur_eur end as valeur_eur)", ""),
        ("mart_national_reperes", "replace (code = 'FR' as est_perte_forte)", ""),
    ],
    "balance_equals_exports_minus_imports": [
        ("mart_departement_balance", "replace (solde_eur + (code = '94' and rang = 1)::int as solde_eur)", ""),
        ("mart_national_balance", "replace (export_eur + (code = 'FR' and rang = 1)::int as export_eur)", ""),
        ("mart_departement_reperes", "replace (solde_eur + (code = '2A')::int + (code = '20')::int as solde_eur)", ""),
        ("mart_departement_reperes", "replace (case flux when 'export' then solde_eur else -solde_eur end as solde_eur)", ""),
    ],
    "sankey_nodes_equal_their_links": [
        (
            "mart_departement_flux",
            "replace (valeur_eur + (code = '94' and produit_rang = 1 and pays_rang = 1)::int as valeur_eur)",
            "",
        ),
        ("mart_national_flux", "replace (pays_valeur_eur + (code = 'FR' and pays_code = 'AUTRES')::int as pays_valeur_eur)", ""),
        ("mart_departement_flux", "replace (est_principal or (produit_rang = 1 and pays_rang <= 10) as est_principal)", ""),
        ("mart_departement_flux", "replace (code = '94' and produit_rang = 11 and pays_rang = 1 as est_principal)", ""),
    ],
    "reconciliation_steps_add_up": [
        (RECONCILIATION, "replace (valeur_eur + (code = 'FR' and etape = 'monaco')::int as valeur_eur)", ""),
        (RECONCILIATION, "replace (valeur_eur - (code = '93' and etape = 'departements')::int as valeur_eur)", ""),
        (RECONCILIATION, "replace (valeur_eur + (etape = 'regions')::int as valeur_eur)", ""),
        (RECONCILIATION, "replace (valeur_eur + (etape = 'base_ouverte')::int as valeur_eur)", ""),
        (RECONCILIATION, "replace (valeur_eur + (etape = 'ecart_ensemble' and flux = 'export')::int as valeur_eur)", ""),
        (RECONCILIATION, "replace (valeur_eur + (etape = 'caf_fab')::int as valeur_eur)", ""),
        (RECONCILIATION, "", "where not (code = '11' and flux = 'import' and periode = '2024')"),
        (RECONCILIATION, "", "where etape != 'monaco'"),
        ("mart_national_reperes", "replace (valeur_eur + (code = '53')::int as valeur_eur)", ""),
    ],
    "seeds_have_one_row_by_key": [
        *((seed, "", "union all (select * from {quoted} limit 1)") for seed in SEEDS),
        ("pays", "replace (nullif(pays_code, 'NA') as pays_code)", ""),
        ("totaux_publies", "replace ('export' as flux)", ""),
    ],
    "top_ten_and_autres_equal_total": [
        ("mart_departement_produits", "replace (valeur_eur + (code = '94' and rang = 10)::int as valeur_eur)", ""),
        ("mart_national_flux", "", "where produit_rang != 10"),
        ("mart_national_produits", "", "where produit_code != 'AUTRES'"),
    ],
}


@dataclass
class Built:
    con: duckdb.DuckDBPyConnection
    tests: dict[str, dict]  # nodes of dbt's manifest, by name
    compiled: dict[str, str]

    def found(self, test: str, relation: str = "", replace: str = "", where: str = "") -> int:
        """Rows that the test finds, once `relation` is replaced by what `replace` and `where` make of it."""
        sql = self.compiled[test]
        if relation:
            quoted = self.relation(test, relation)
            sql = sql.replace(quoted, f"(select * {replace} from {quoted} {where.replace('{quoted}', quoted)})")
        return len(self.con.execute(sql).fetchall())

    def relation(self, test: str, name: str) -> str:
        """A model, seed or source as the test's SQL quotes it."""
        found = re.search(rf"""("comex"\."\w+"\."{name}")|(read_parquet\('[^']*/{name}/[^']*'\))""", self.compiled[test])
        assert found, (test, name)
        return found[0]


@pytest.fixture(scope="module")
def built(warehouse: Warehouse) -> Iterator[Built]:
    target = warehouse.paths.warehouse / "dbt"
    nodes = json.loads((target / "manifest.json").read_text(encoding="utf-8"))["nodes"].values()
    tests = {node["name"]: node for node in nodes if node["resource_type"] == "test"}
    compiled = {
        path.stem: path.read_text(encoding="utf-8") for path in (target / "compiled").rglob("*.sql") if path.stem in tests
    }
    con = duckdb.connect(str(warehouse.paths.warehouse / "comex.duckdb"), read_only=True)
    yield Built(con, tests, compiled)
    con.close()


def of_kind(built: Built, kind: str) -> dict[str, str]:
    """Tests of a generic kind: name → relation."""
    return {
        name: node["attached_node"].split(".")[-1]
        for name, node in built.tests.items()
        if (node.get("test_metadata") or {}).get("name") == kind
    }


def test_every_test_passes_on_the_data_as_built(built: Built) -> None:
    assert built.tests.keys() == built.compiled.keys()
    assert {name: built.found(name) for name in built.tests} == dict.fromkeys(built.tests, 0)


def test_every_kind_of_test_is_spoilt_here(built: Built) -> None:
    kinds = {(node.get("test_metadata") or {}).get("name") or name for name, node in built.tests.items()}
    assert kinds == {*SEULS, "is_not_empty", "is_unique_by", "covers_all_territories", "adds_up_to_reperes"}


@pytest.mark.parametrize(("test", "spoil"), [(test, spoil) for test, spoils in SEULS.items() for spoil in spoils])
def test_a_reconciliation_finds_one_euro_or_one_row(built: Built, test: str, spoil: tuple[str, str, str]) -> None:
    assert built.found(test, *spoil)


def test_an_empty_mart_is_found(built: Built) -> None:
    kind = of_kind(built, "is_not_empty")
    assert len(kind) == 13, "each mart but those that are empty when all is well or nothing is published"
    for name, relation in kind.items():
        assert built.found(name, relation, "", "where false") == 1, name


def test_a_key_that_stands_twice_or_is_null_is_found(built: Built) -> None:
    for name, relation in of_kind(built, "is_unique_by").items():
        key = built.tests[name]["test_metadata"]["kwargs"]["columns"]
        quoted = built.relation(name, relation)
        if not built.con.execute(f"from {quoted} limit 1").fetchall():
            # Empty when every row counts and every label is known: the comparison with pandas sees their keys.
            assert relation in ("mart_national_pertes", "mart_national_libelles")
            continue
        twice = f"union all (select * from {quoted} limit 1)"
        assert built.found(name, relation, "", twice) == 1, name
        for column in key:
            assert built.found(name, relation, f"replace (null as {column})"), (name, column)


def test_a_missing_territory_is_found(built: Built) -> None:
    kind = of_kind(built, "covers_all_territories")
    assert len(kind) == 5
    for name, relation in kind.items():
        arguments = built.tests[name]["test_metadata"]["kwargs"]
        code, missing = arguments.get("code", "code"), "976" if arguments["maille"] == "departement" else "11"
        assert built.found(name, relation, "", f"where {code} != '{missing}'") == 4, name  # two flows, two years
        assert built.found(name, relation, "", f"where not ({code} = '{missing}' and flux = 'export' and periode = '2024')") == 1


def test_a_chart_that_misses_one_euro_or_has_a_stranger_is_found(built: Built) -> None:
    kind = of_kind(built, "adds_up_to_reperes")
    assert len(kind) == 6
    for name, relation in kind.items():
        euros = "export_eur" if "balance" in name else "valeur_eur"
        code = "94" if "departement" in name else "FR"
        first = f"periode = '2024' and code = '{code}' and {'rang = 1' if 'flux' not in name else 'produit_rang = 1 and pays_rang = 1'}"
        assert built.found(name, relation, f"replace ({euros} + ({first})::int as {euros})"), name
        assert built.found(name, relation, "", f"where not ({first})"), name
        assert built.found(name, relation, f"replace (case when {first} then 'XX' else code end as code)") > 1, name
        if "balance" not in name:
            assert built.found(name, relation, "replace (part_pct * 1.001 as part_pct)"), name
