"""The list of checks is that of the definitions, each has its sentences and its severity, and docs/controles.md is that list.

Write the table anew with `python -m tests.contract.test_controles` from the root of the project.
"""

from pathlib import Path

import pytest

from pipeline import controles, dbt
from pipeline.archive.rapport import TEXTES
from pipeline.controles import GRAVITES, Controle

TABLE = Path(__file__).resolve().parents[2] / "docs" / "controles.md"
HEAD = """# Checks

Every check of the line, in its order. *Error*: what depends on it is not made, and the former outputs stay. *Warning*: told in
the run, in the Dagster UI and on the site's page of checks (`qualite.html`); stops nothing. Thresholds of plausibility:
`dbt_project/dbt_project.yml`; those of an operator: settings. Written by `python -m tests.contract.test_controles`.

| stage | on | check | severity | sentence | what readers are told |
|---|---|---|---|---|---|
"""


def table(found: list[Controle]) -> str:
    severity = {"error": "error", "warn": "warning"}
    rows = [
        (c.etape, f"`{c.actif}`", f"`{c.nom}`", severity[c.gravite], c.description, c.phrase.replace("\u00a0", " "))
        for c in found
    ]
    return HEAD + "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in rows)


@pytest.fixture(scope="module")
def catalogue() -> list[Controle]:
    return controles.catalogue(dbt.manifest())


def test_the_list_is_that_of_the_definitions(catalogue: list[Controle]) -> None:
    from pipeline.definitions import defs

    graph = defs().resolve_asset_graph()
    real = {(key.asset_key.to_user_string(), key.name): graph.get_check_spec(key) for key in graph.asset_check_keys}
    assert {(c.actif, c.nom) for c in catalogue} == set(real)
    assert len(catalogue) == len(real)
    for each in catalogue:
        spec = real[each.actif, each.nom]
        assert spec.description == each.description, each.nom
        if "dbt" not in str(spec.metadata):
            assert spec.blocking == each.bloque, each.nom


def test_every_check_has_a_sentence_in_both_languages_and_a_severity(catalogue: list[Controle]) -> None:
    assert [c.nom for c in catalogue if not c.description.endswith(".")] == []
    assert [c.nom for c in catalogue if not c.phrase.endswith((".", ")."))] == []
    assert [c.nom for c in catalogue if c.gravite not in GRAVITES] == []
    assert [c.nom for c in catalogue if c.bloque and c.gravite != "error"] == []
    assert [c.nom for c in catalogue if "'" in c.phrase or " :" in c.phrase or " ;" in c.phrase] == []


def test_a_check_of_a_table_names_it_in_french(catalogue: list[Controle]) -> None:
    assert [c.phrase for c in catalogue if "mart_" in c.phrase] == []


def test_every_verdict_on_a_release_has_its_words_in_the_report() -> None:
    from pipeline.archive.intake import BLOCKING

    assert set(BLOCKING) - {"a_whole_period_is_present"} <= set(TEXTES)


def test_the_table_of_checks_is_the_list(catalogue: list[Controle]) -> None:
    assert TABLE.read_text(encoding="utf-8") == table(catalogue), "review the difference, then write docs/controles.md anew"


if __name__ == "__main__":
    TABLE.write_text(table(controles.catalogue(dbt.manifest())), encoding="utf-8")
