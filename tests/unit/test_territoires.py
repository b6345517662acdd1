"""Who has a fiche, and how a French sentence names it."""

import re

import pytest

from pipeline import territoires
from pipeline.errors import SettingError


def test_there_are_100_departements_18_regions_and_france():
    codes = list(territoires.departements())
    metropole = [f"{n:02d}" for n in range(1, 96)]
    assert codes == [*metropole, "971", "972", "973", "974", "976"]
    assert len(territoires.regions()) == 18
    assert len(territoires.tous()) == 119
    assert "99" not in codes, "Monaco counts in its région and has no fiche"


def test_corsica_and_the_five_drom_are_regions_by_themselves():
    alone = {t.code for t in territoires.departements().values() if t.est_region}
    assert alone == {"20", "971", "972", "973", "974", "976"}
    assert {t.code for t in territoires.departements().values() if t.est_drom} == alone - {"20"}
    assert all(t.region_code in territoires.regions() for t in territoires.departements().values())


def test_slugs_are_unique_plain_file_names():
    slugs = [t.slug for t in territoires.tous()]
    assert len(set(slugs)) == 119
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug) for slug in slugs)
    assert territoires.departement("94").slug == "94-val-de-marne"
    assert territoires.departement("22").slug == "22-cotes-d-armor"
    assert territoires.regions()["11"].slug == "region-11-ile-de-france"
    assert territoires.FRANCE.slug == "france"


@pytest.mark.parametrize(
    ("code", "de", "dans"),
    [
        ("94", "du Val-de-Marne", "dans le Val-de-Marne"),
        ("75", "de Paris", "à Paris"),
        ("31", "de la Haute-Garonne", "en Haute-Garonne"),
        ("23", "de la Creuse", "dans la Creuse"),
        ("06", "des Alpes-Maritimes", "dans les Alpes-Maritimes"),
        ("01", "de l’Ain", "dans l’Ain"),
        ("974", "de La Réunion", "à La Réunion"),
    ],
)
def test_names_in_sentences(code, de, dans):
    found = territoires.departement(code)
    assert (found.nom_de, found.nom_dans) == (de, dans)


def test_names_have_typographic_apostrophes():
    assert not [t for t in territoires.tous() if "'" in "".join((t.nom, t.nom_article, t.nom_de, t.nom_dans))]


@pytest.mark.parametrize(
    ("given", "code"), [("94", "94"), (" 1 ", "01"), ("2a", "20"), ("2B", "20"), ("9E", "976"), ("974", "974")]
)
def test_codes_and_their_aliases(given, code):
    assert territoires.departement(given).code == code


@pytest.mark.parametrize("given", ["99", "96", "00", "", "FR", "region-11", "Paris", "1000", "２"])
def test_other_codes_are_refused_in_four_parts(given):
    with pytest.raises(SettingError) as caught:
        territoires.departement(given)
    error = caught.value
    assert repr(given) in error.expected_found
    assert all((error.expected_found, error.where, error.cause, error.remedy))


def test_territoires_d_industrie_some_have_several_paris_none():
    assert territoires.departement("75").territoires_industrie == ()
    assert len(territoires.departement("01").territoires_industrie) > 1
