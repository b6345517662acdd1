"""What is missing, in words: each reason apart, and the marks of incomplete numbers."""

from typing import Any

import pytest

from pipeline import pertes
from pipeline.fiche import revisions
from pipeline.typographie import INSECABLE


def ligne(flux: str = "export", **autres: Any) -> dict[str, Any]:
    whole = {"flux": flux, "est_disponible": True, "est_perte_forte": False, "perte_pct": 0.0, "quarantaine_pct": 0.0}
    whole |= {
        "quarantaine_lignes_pct": 0.0,
        "zones_perdues_pct": None,
        "departements_manquants": "",
        "manquant_pct": float("nan"),
    }
    return whole | autres


@pytest.mark.parametrize("motif", ["valeur_vide", "valeur_negative", "valeur_supprimee", "hors_periode", "motif_neuf"])
def test_no_reason_but_an_unknown_code_is_called_one(motif: str) -> None:
    assert "code" not in pertes.raison(motif) and "inconnu" not in pertes.raison(motif)


def test_a_reason_without_words_of_its_own_is_named() -> None:
    assert pertes.raison("motif_neuf") == "autre raison (motif neuf)"
    assert pertes.raison("pays_inconnu") == "code de pays inconnu"


def test_a_mark_tells_the_worst_of_the_measures() -> None:
    exports = ligne(est_perte_forte=True, perte_pct=67.26, quarantaine_pct=67.26, quarantaine_lignes_pct=1.2)
    imports = ligne("import", est_perte_forte=True, perte_pct=33.3, quarantaine_lignes_pct=33.3)
    assert pertes.mention([exports, imports]).replace(INSECABLE, " ") == (
        "Exportations incomplètes : il manque 67,3 % de leur valeur · Importations incomplètes : il manque 33,3 % de leurs lignes"
    )
    assert pertes.mention([ligne(), ligne("import")]) == ""


def test_a_mark_names_the_departement_that_is_missing() -> None:
    region = ligne(est_perte_forte=True, departements_manquants="48", manquant_pct=8.4)
    assert pertes.mention([region]).endswith("il manque la Lozère")


def test_the_state_of_a_territory_in_a_list() -> None:
    gone, partial = ligne(est_disponible=False), ligne("import", est_perte_forte=True)
    assert pertes.etat([gone, ligne("import", est_disponible=False)]) == "données non disponibles"
    assert pertes.etat([gone, partial]) == "exportations non disponibles, importations incomplètes"
    assert pertes.etat([ligne(departements_manquants="48"), ligne("import")]) == "sans la Lozère"
    assert pertes.etat([ligne(departements_manquants="48 974 976"), ligne("import")]) == f"sans 3{INSECABLE}départements"
    assert pertes.etat([ligne(), ligne("import")]) == ""


@pytest.mark.parametrize(
    ("avant", "apres", "ecart", "attendu"),
    [(5, None, None, ("5\u00a0€", "n.\u00a0d.", "n.\u00a0d.")), (None, None, None, ("n.\u00a0d.", "n.\u00a0d.", "inchangé"))],
)
def test_a_comparison_prints_no_zero_for_data_that_are_missing(
    avant: int | None, apres: int | None, ecart: int | None, attendu: tuple[str, ...]
) -> None:
    row = {"niveau": "departement", "code": "48", "nom": "Lozère", "valeur_avant_eur": avant, "valeur_eur": apres}
    row |= {"revision_eur": ecart, "revision_pct": None, "part_france_avant_pct": 1.0, "part_france_pct": None}
    told = revisions._total(row | {"rang_avant": 3, "rang": None, "est_forte": True})
    assert (told["avant"], told["apres"], told["revision"]) == attendu
