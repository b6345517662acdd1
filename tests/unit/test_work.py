"""What several assets ask of a run."""

import pytest

from pipeline.archive import tables
from pipeline.work import Work

ROW = {"nomenclature": "PAYS", "code": "JX", "libelle": "Pays 中"}


def test_labels_beyond_the_font_are_named_with_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "read_label_texts", lambda folder: [ROW, ROW | {"code": "JY", "libelle": "Île"}])
    words, found = Work().undrawable_labels()
    assert "1 have others, the first PAYS JX (U+4E2D), printed « Pays ? »" in words
    assert found == [ROW | {"caracteres": "U+4E2D", "imprime": "Pays ?"}]


def test_nothing_is_said_of_labels_that_the_font_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "read_label_texts", lambda folder: [ROW | {"libelle": "Îles (les)"}])
    assert Work().undrawable_labels() == ("", [])
