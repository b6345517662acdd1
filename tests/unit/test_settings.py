"""An operator's choices, from the environment and from arguments."""

from pathlib import Path

import pytest

from pipeline.errors import SettingError
from pipeline.outputs import writing
from pipeline.paths import Paths
from pipeline.settings import ROOT, Settings


@pytest.fixture(autouse=True)
def _no_choice_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"COMEX_{name.upper()}", raising=False)


def test_without_a_choice_the_example_is_drawn_into_the_repository():
    settings = Settings()
    assert (settings.home, settings.source, settings.periode) == (ROOT / "assets_out", "example", None)
    assert (settings.niveau_produit, settings.quarantaine_max_pct) == ("A129", 1.0)


def test_the_environment_is_read_and_arguments_win(monkeypatch, tmp_path):
    monkeypatch.setenv("COMEX_HOME", str(tmp_path / "a" / ".." / "b"))
    monkeypatch.setenv("COMEX_PERIODE", "2023")
    assert Settings().home == tmp_path / "b"
    assert Settings().periode == "2023"
    assert Settings(periode="2025T3").periode == "2025T3"
    monkeypatch.setenv("COMEX_PERIODE", "")
    assert Settings().periode is None


def test_all_paths_are_under_home(tmp_path):
    paths = Paths(tmp_path)
    names = [name for name, value in vars(Paths).items() if isinstance(value, property)]
    assert len(names) > 5
    assert all(tmp_path in getattr(paths, name).parents for name in names)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PERIODE", "24"),
        ("PERIODE", "2024-T1"),
        ("PERIODE", "2024T5"),
        ("PERIODE", "1999"),
        ("PERIODE", "2024T1; drop"),
        ("NIVEAU_PRODUIT", "NC8"),
        ("QUARANTAINE_MAX_PCT", "un peu"),
        ("HOME", "/tmp/l'office"),
        ("HOME", "/tmp/*"),
        ("ARCHIVE_PATTERN", "regional("),
        ("DOUANE_PAGE", "lekiosque"),
        ("HOSTS", "https://www.douane.gouv.fr"),
        ("HOSTS", "www.douane.gouv.fr:https"),
        ("ATTEMPTS", "0"),
    ],
)
def test_a_bad_choice_is_told_in_four_parts(monkeypatch, name, value):
    monkeypatch.setenv(f"COMEX_{name}", value)
    with pytest.raises(SettingError) as caught:
        Settings()
    error = caught.value
    assert value in error.expected_found
    assert all((error.expected_found, error.where, error.cause, error.remedy))


@pytest.mark.parametrize("value", ["", "a.example", "a.example:8080, b-c.example  d.example:1,"])
def test_hosts_as_people_write_lists(monkeypatch, value):
    monkeypatch.setenv("COMEX_HOSTS", value)
    assert Settings().hosts == value


def test_a_disk_that_refuses_is_told_in_four_parts():
    from pipeline.errors import OutputError

    with pytest.raises(OutputError, match="No space left") as caught, writing(Path("/somewhere")):
        raise OSError(28, "No space left on device")
    assert "/somewhere" in caught.value.where


@pytest.mark.parametrize("name", ["home", "source"])
def test_a_path_in_another_encoding_is_told(name: str) -> None:
    with pytest.raises(SettingError, match=r"in UTF-8 was expected; '/srv/d\\udce9p\\udcf4t' has other bytes"):
        Settings(**{name: "/srv/d\udce9p\udcf4t"})
