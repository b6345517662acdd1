"""What is printed of a code: the release's own label where it says something new, by period; codes out of force go to their successor."""

import duckdb
import pytest

from pipeline.fiche import pays
from pipeline.fiche.cellules import Ligne
from tests.archives import Warehouse, build_warehouse, country, row, write_archive

ANCIEN = {
    "Libelle_PAYS.txt": (
        "BQ;Bonaire, Saint-Eustache et Saba;201301;999912\r\nJK;Ancien sens;190001;202312\r\n"
        "CS;Serbie-et-Monténégro;200401;200505\r\nTP;Timor oriental;200101;200212\r\nTL;Timor-Oriental;200301;999912\r\n"
    ).encode(),
    "Libelle_CPF4_rev2.1.txt": b"2910;Vehicules automobiles;201501;999912\r\n",
}
NOUVEAU = {
    # DE and SZ say what the seeds say, in the customs' words; JK means something else since 2024.
    "Libelle_PAYS.txt": (
        "BQ;République de Quelquepart;202508;999912\r\nJK;Ancien sens;190001;202312\r\nJK;Nouveau sens;202401;999912\r\n"
        "DE;ALLEMAGNE;190001;999912\r\nSZ;Swaziland;190001;999912\r\nXS;Saba;190001;200505\r\nXS;Serbie;200506;999912\r\n"
    ).encode(),
    "Libelle_A129.txt": "C30C;Véhicules de combat, d'assaut et de transport de troupes;202508;999912\r\n".encode("utf-8-sig"),
    "Libelle_CPF4_rev2.2.txt": '2910;"VÉHICULES AUTOMOBILES"\r\n'.encode("cp1252"),
}
DU_POSTE = ("BQ", "JK", "TP", "CS", "DE", "XS")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    place = tmp_path_factory.mktemp("labels")
    for annee, vintage, labels in ((2023, "202402", ANCIEN), (2024, "202508", NOUVEAU)):
        for flux, word in (("E", "export"), ("I", "import")):
            odd = [row(flux, 1, annee, "94", code, 10**10 + n, a129="C30C", cpf4="3030") for n, code in enumerate(DU_POSTE)]
            name = f"{vintage}-Regional-{annee}-{word}.zip"
            member = f"Region_{annee}_{word.title()}.txt"
            write_archive(place / name, [*country(flux, annee, 1, lignes=3), *odd], member=member, labels=labels)
    return build_warehouse(place, tmp_path_factory.mktemp("home"), periode="2024")


def read(built: Warehouse, query: str) -> list[tuple]:
    with duckdb.connect(str(built.paths.warehouse / "comex.duckdb"), read_only=True) as con:
        return con.execute(query).fetchall()


def noms(built: Warehouse, periode: str) -> dict[str, str]:
    path = built.paths.marts / "mart_departement_balance.parquet"
    return dict(duckdb.execute(f"select pays_code, pays from '{path}' where periode = '{periode}' and code = '94'").fetchall())


def test_each_period_has_the_label_of_its_release(built):
    before, now = noms(built, "2023"), noms(built, "2024")
    assert (before["BQ"], now["BQ"]) == ("Pays-Bas caribéens", "République de Quelquepart")
    assert (before["JK"], now["JK"]) == ("Ancien sens", "Nouveau sens")
    assert (now["DE"], now["XS"]) == ("Allemagne", "Serbie")  # the seeds' wording where both say the same
    path = built.paths.marts / "mart_departement_produits.parquet"
    found = duckdb.execute(
        f"select periode, produit, produit_libelle from '{path}' where code = '94' and flux = 'export' and produit_code = 'C30C' order by 1"
    ).fetchall()
    assert found[1] == (
        "2024",
        "Véhicules de combat, d’assaut et de tra…",
        "Véhicules de combat, d’assaut et de transport de troupes",
    )
    assert found[0][2] == "Produits de la construction aéronautique et spatiale"


def test_what_differs_is_told_with_both_labels_and_nothing_else_is(built):
    words, rows = built.marts.offenders("labels_agree_with_seeds", 1.0)
    assert {(r["code"], r["libelle_connu"], r["libelle"]) for r in rows} == {
        ("BQ", "Pays-Bas caribéens", "République de Quelquepart"),
        (
            "C30C",
            "Produits de la construction aéronautique et spatiale",
            "Véhicules de combat, d’assaut et de transport de troupes",
        ),
    }
    assert "2 differ" in words and "« République de Quelquepart » in 202508-Regional-2024-" in words
    assert type(built.marts)(built.paths.marts, "2023").offenders("labels_agree_with_seeds", 1.0) == ("", [])


def test_the_revision_that_came_is_the_one_that_is_printed(built):
    words, rows = built.marts.offenders("nomenclatures_keep_their_revision", 1.0)
    assert len(rows) == 1 and "« CPF rév. 2.2 » in 202508-Regional-2024-" in words and "« CPF rév. 2.1 » in ours" in words
    assert built.marts.nomenclature == "CPF rév. 2.2"
    assert type(built.marts)(built.paths.marts, "2023").nomenclature == "CPF rév. 2.1"


def test_a_code_out_of_force_goes_to_its_one_successor_or_is_told_for_what_it_is(built):
    found = read(
        built,
        "select flux, annee, pays_code, motif_quarantaine, sum(valeur_eur)::bigint from int_echanges__qualified"
        " where departement_code = '94' and valeur_eur between 10000000000 and 10000000009 group by all",
    )
    euros = {(flux, annee, code): (motif, valeur) for flux, annee, code, motif, valeur in found}
    for flux in ("export", "import"):
        for annee in (2023, 2024):
            assert euros[flux, annee, "TL"] == (None, 10**10 + 2)
            assert euros[flux, annee, "CS"] == ("pays_echu", 10**10 + 3)  # divided into two: no one can say which
            assert (flux, annee, "TP") not in euros
    quarantine = {(r["motif"], r["code_source"]) for r in built.marts.quarantaine.to_dict("records")}
    assert quarantine == {("pays_echu", "CS")}


def test_a_sentence_names_a_country_by_the_label_that_is_printed():
    assert pays.nom_de(Ligne({"pays_code": "BQ", "pays": "Pays-Bas caribéens"}, "balance")) == "des Pays-Bas caribéens"
    assert (
        pays.nom_de(Ligne({"pays_code": "BQ", "pays": "République de Quelquepart"}, "balance"))
        == "du pays « République de Quelquepart »"
    )
