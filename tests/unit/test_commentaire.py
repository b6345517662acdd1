"""Sentences: what they say, and above all when they say nothing."""

from typing import Any

import pytest

from pipeline.fiche import commentaire, confiance
from pipeline.fiche.cellules import Ligne, baliser, delier
from pipeline.territoires import FRANCE, Territoire, departement, regions
from pipeline.typographie import INSECABLE

LA = {"est_disponible": True, "niveau_perte": 0}


def plain(text: str) -> str:
    return delier(text).replace(INSECABLE, " ")


def reperes(**export: Any) -> dict[str, Ligne]:
    base = {"niveau": "departement", "code": "94", "valeur_eur": 2_000_000_000, "solde_eur": -1, "nb_pays": 3, "nb_produits": 1}
    base |= {"est_rupture": False, "est_evolution_lisible": True, "evolution_pct": 4.2}
    base |= {"est_disponible": True, "est_perte_forte": False}
    return {
        "export": Ligne(base | {"flux": "export"} | export, "reperes"),
        "import": Ligne(base | {"flux": "import", "evolution_pct": -1.26}, "reperes"),
    }


def fiabilite(export: str, import_: str = "A") -> dict[str, Ligne]:
    notes = {"export": export, "import": import_}
    return {
        flux: Ligne(
            {"niveau": "departement", "code": "94", "flux": flux, "note": note, "valeur_eur": 1_000_000} | LA, "fiabilite"
        )
        for flux, note in notes.items()
    }


@pytest.mark.parametrize(
    ("export", "told"),
    [
        ({}, "Sur un an, les exportations progressent de 4,2 % et les importations reculent de 1,3 %."),
        ({"evolution_pct": -0.7}, "Sur un an, les exportations reculent de 0,7 % et les importations de 1,3 %."),
        ({"evolution_pct": 0.04}, "Sur un an, les exportations sont stables et les importations reculent de 1,3 %."),
        ({"evolution_pct": 312.0, "est_evolution_lisible": False}, "Sur un an, les importations reculent de 1,3 %."),
    ],
)
def test_growth_is_told_where_it_means_something(export: dict[str, Any], told: str) -> None:
    assert plain(commentaire.evolutions(reperes(**export))) == told


def test_growth_across_the_series_break_is_not_commented() -> None:
    told = commentaire.evolutions(reperes(est_rupture=True))
    assert "rupture de série de janvier 2022" in told and "%" not in told


@pytest.mark.parametrize(("solde", "etat"), [(1, "excédentaire"), (0, "équilibré"), (-1, "déficitaire")])
def test_the_balance_is_told_by_its_sign(solde: int, etat: str) -> None:
    told = commentaire.balance(departement("94"), "2024", reperes(solde_eur=solde), fiabilite("A"))
    assert told.startswith(f"En 2024, le solde apparent (CAF/FAB) des échanges de biens du Val-de-Marne est {etat}. Sur un an")


def test_without_trade_there_is_no_balance_to_tell() -> None:
    empty = {flux: Ligne(row | {"valeur_eur": 0}, "reperes") for flux, row in reperes().items()}
    assert commentaire.balance(departement("94"), "2024", empty, {}) == ""


def test_a_note_c_calls_for_prudence() -> None:
    assert "les exportations portent la note de fiabilité\u00a0C" in commentaire.prudence_solde(fiabilite("C"))
    assert commentaire.prudence_solde(fiabilite("B")) == commentaire.prudence("export", fiabilite("B")) == ""
    assert commentaire.prudence("export", fiabilite("C")) and not commentaire.prudence("import", fiabilite("C"))
    premier = [Ligne({"flux": "export", "produit_code": "C29A", "produit": "Automobile", "part_pct": 30.0}, "produits")]
    assert "(fiabilité\u00a0C, à lire avec prudence), un seul" in commentaire.premiers_produits("export", premier, fiabilite("C"))
    assert "prudence" not in commentaire.premiers_produits("export", premier, fiabilite("B"))


def test_where_nothing_is_traded_nothing_is_told_to_be_read_with_prudence() -> None:
    none = {"export": Ligne(fiabilite("C")["export"] | {"valeur_eur": 0}, "fiabilite")}
    assert commentaire.prudence("export", none) == commentaire.prudence_solde(none) == ""
    assert confiance.raisons(none["export"]) == ["aucun échange n’est relevé"]


def test_the_first_good_elsewhere_begins_with_the_place_where_one_is_told() -> None:
    def premier(code: str, produit: str) -> Ligne:
        return Ligne({"flux": "export", "produit_code": code, "produit": produit, "part_pct": 12.5}, "produits")

    auto, vins = premier("C29A", "Automobile"), premier("C11Z", "Boissons")
    told = plain(commentaire.premiers_ailleurs("export", [(regions()["44"], auto)], "C11Z"))
    assert told == "Dans le Grand Est, le premier produit à l’exportation est « Automobile » (12,5 %)."
    told = plain(commentaire.premiers_ailleurs("export", [(regions()["44"], auto), (FRANCE, vins)], "C11Z"))
    assert (
        told
        == "Le premier produit à l’exportation est « Automobile » dans le Grand Est (12,5 %) et « Boissons » en France (12,5 %)."
    )


def test_a_first_good_that_is_the_same_elsewhere_is_told_from_one_that_is_the_same_here() -> None:
    def told(own: str, *where: Territoire) -> str:
        row = Ligne({"flux": "export", "produit_code": "C29A", "produit": "Automobile", "part_pct": 12.5}, "produits")
        return plain(commentaire.premiers_ailleurs("export", [(territoire, row) for territoire in where], own))

    grand_est = regions()["44"]
    elsewhere = "Dans le Grand Est (12,5 %) comme en France (12,5 %), le premier produit à l’exportation est « Automobile »."
    assert told("C11Z", grand_est, FRANCE) == elsewhere
    assert told("C29A", grand_est, FRANCE) == elsewhere.replace("est «", "est aussi «")
    assert told("C29A", FRANCE) == "En France aussi, le premier produit à l’exportation est « Automobile » (12,5 %)."


def specificite(code: str = "US", objet: str = "pays", libelle: str = "États-Unis") -> Ligne:
    shares = {"part_pct": 21.04, "region_part_pct": 9.96, "france_part_pct": 8.0}
    return Ligne({"flux": "export", "objet": objet, "objet_code": code, "libelle": libelle} | shares, "specificites")


def test_what_stands_out_is_told_beside_region_and_france() -> None:
    rows = [specificite("C29A", "produit", "Automobile"), specificite()]
    told = plain(commentaire.distingue(departement("08"), "export", rows, regions()["44"], "A"))
    assert told == (
        "Ce qui distingue les Ardennes de l’ensemble du pays, en part des exportations : « Automobile » (21,0 %, contre 10,0 % dans "
        "le Grand Est et 8,0 % en France) et les ventes vers les États-Unis (21,0 %, contre 10,0 % dans le Grand Est et 8,0 % en "
        "France)."
    )
    assert "semble distinguer" in commentaire.distingue(departement("08"), "export", rows, None, "C")
    assert commentaire.distingue(departement("08"), "export", [], None, "A") == ""


@pytest.mark.parametrize(
    ("code", "libelle", "vers", "originaires"),
    [
        ("US", "États-Unis", "vers les États-Unis", "originaires des États-Unis"),
        ("CN", "Chine", "vers la Chine", "originaires de Chine"),
        ("JP", "Japon", "vers le Japon", "originaires du Japon"),
        ("IR", "Iran", "vers l’Iran", "originaires d’Iran"),
        ("SG", "Singapour", "vers Singapour", "originaires de Singapour"),
        ("NA", "Namibie", "vers la Namibie", "originaires de Namibie"),
        ("ZQ", "Zubrowka", "vers le pays « Zubrowka »", "originaires du pays « Zubrowka »"),  # only the release knows it
    ],
)
def test_countries_have_their_articles(code: str, libelle: str, vers: str, originaires: str) -> None:
    row = [specificite(code, libelle=libelle)]
    assert vers in commentaire.distingue(departement("94"), "export", row, None, "A")
    assert originaires in commentaire.distingue(departement("94"), "import", row, None, "A")


def test_one_and_many_are_counted_as_such() -> None:
    assert plain(commentaire.nombre_produits(reperes(nb_produits=2))) == (
        "Les échanges portent sur 2 produits exportés et 1 produit importé."
    )
    assert plain(commentaire.nombre_produits(reperes(nb_produits=0))) == "Les échanges portent sur 1 produit importé."
    assert commentaire.premiers_pays("export", []) == commentaire.premiers_produits("import", [], {}) == ""


def test_reasons_and_what_must_not_be_concluded_follow_from_the_levels() -> None:
    levels = dict.fromkeys(
        (f"niveau_{rule}" for rule in ("convention", "concentration", "plateforme", "energie", "petit", "perte")), 0
    )
    row = {"niveau": "departement", "code": "94", "flux": "export", "plateformes": "port de Sète", "valeur_eur": 12_000_000}
    row |= {"premier_flux_pct": 41.0, "convention_pct": 0.0, "energie_pct": 0.0, "perte_pct": 67.26, "est_disponible": True}
    small = Ligne(row | levels | {"niveau_petit": 2}, "fiabilite")
    assert [plain(reason) for reason in confiance.raisons(small)] == [
        "le total est petit (12,0 M€) : une seule opération peut le changer"
    ]
    assert confiance.raisons(Ligne(row | levels, "fiabilite")) == []
    partial = Ligne(row | levels | {"niveau_petit": 1, "niveau_perte": 2}, "fiabilite")
    assert plain(confiance.raisons(partial)[0]).startswith("les données sont incomplètes (67,3 % des lignes ou de la valeur")
    missing = Ligne(row | levels | {"niveau_perte": 2, "est_disponible": False, "valeur_eur": None}, "fiabilite")
    assert confiance.raisons(missing) == ["les données ne sont pas disponibles"]
    told = confiance.ne_permet_pas(departement("94"), {"export": small})
    assert "tendance" in told[0] and not any("électricité" in text for text in told)
    assert len(confiance.ne_permet_pas(FRANCE, {})) == 3
    assert "chaque département" in confiance.ne_permet_pas(regions()["44"], {})[-1]
    assert "bassin d’emploi" in confiance.ne_permet_pas(regions()["06"], {})[-1]  # one département: none to tell apart


def test_an_incomplete_flow_is_not_commented_on_and_says_why() -> None:
    rows = reperes(est_perte_forte=True, est_evolution_lisible=False)
    told = plain(commentaire.balance(departement("94"), "2024", rows, fiabilite("C")))
    assert told.startswith("Les exportations sont incomplètes :") and "déficitaire" not in told
    assert told.endswith("Sur un an, les importations reculent de 1,3 %.")
    rows = reperes(est_disponible=False, est_evolution_lisible=False, valeur_eur=None, solde_eur=None)
    told = plain(commentaire.balance(departement("94"), "2024", rows, {}))
    assert told.startswith(
        "Les exportations ne sont pas disponibles : aucun montant n’en est donné, ce qui n’est pas un montant nul."
    )


def test_a_fall_that_leaves_something_is_not_told_as_a_whole_one() -> None:
    assert "reculent de plus de 99,9 %" in plain(commentaire.evolutions(reperes(evolution_pct=-99.98)))


def test_a_missing_number_is_not_a_zero() -> None:
    assert plain(reperes(valeur_eur=None)["export"].dit("valeur_eur", str)) == "n. d."


def test_a_bound_number_goes_through_text_and_leaves_it_whole() -> None:
    bound = f"Total <{reperes()['export'].dit('valeur_eur', str)}>"
    assert delier(bound) == "Total <2000000000>"
    assert baliser(bound) == (
        'Total &lt;<data value="2000000000" data-cellule="donnees/reperes.csv:departement/94/export:valeur_eur">2000000000</data>&gt;'
    )
    assert baliser("sans nombre") == "sans nombre"
