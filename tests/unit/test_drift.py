"""Each way in which a release drifts: refused or kept with a warning, and the report in French has its numbers; else there is none."""

import html
import re
from pathlib import Path

import pytest

from pipeline.archive import intake, plausibility, rapport
from pipeline.archive.inspect import digest
from pipeline.errors import ReleaseError
from pipeline.paths import Paths
from pipeline.settings import Settings
from tests.archives import Row, row, text, write_archive

FORMER, NAME = "202502-Regional-2024-export.zip", "202505-Regional-2024-export.zip"
LABELS = {"Libelle_PAYS.txt": "DE;Allemagne fédérale;190001;999912\r\n".encode("utf-8-sig")}


def rows(lignes: int = 120, trimestres: tuple[int, ...] = (1, 2, 3, 4)) -> list[Row]:
    """A year of exports with so many rows a quarter."""
    return [row("E", t, 2024, valeur=1000 + n, pays=("DE", "ES", "NA")[n % 3]) for t in trimestres for n in range(lignes)]


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "home")


@pytest.fixture
def place(tmp_path: Path, paths: Paths) -> Path:
    """A folder of which a first release is kept; its fiches are there."""
    write_archive(tmp_path / "source" / FORMER, rows(), labels=LABELS)
    take(tmp_path / "source", paths)
    (paths.fiches / "2024").mkdir(parents=True)
    return tmp_path / "source"


def take(place: Path, paths: Paths, **settings: float) -> intake.Taken:
    """Releases of a few absurd amounts are let in; their numbers of rows are judged."""
    accept = " ".join(check for check in plausibility.FAMILY if check != plausibility.ROWS)
    return intake.take(Settings(source=str(place), home=paths.home, accept=accept, **settings), paths)  # pyright: ignore[reportArgumentType]


def reports(paths: Paths) -> dict[str, str]:
    """The reports, as read."""
    return {
        path.name: html.unescape(re.sub(r"<[^>]+>", " ", path.read_text(encoding="utf-8"))).replace("\u202f", "")
        for path in paths.rapports.glob("*")
    }


def refused(place: Path, paths: Paths, check: str) -> str:
    """The one report on a refusal, which the error names; nothing of the release is kept."""
    kept = sorted(path.name for path in paths.raw.rglob("*.zip"))
    with pytest.raises(ReleaseError) as caught:
        take(place, paths)
    [(name, report)] = reports(paths).items()
    assert caught.value.check == check
    assert str(paths.rapports / name) in caught.value.where
    assert "Publication refusée." in report and rapport.TEXTES[check].attendu in report
    assert sorted(path.name for path in paths.raw.rglob("*.zip")) == kept
    return report


def told(place: Path, paths: Paths, check: str) -> str:
    """The one report on a release that was kept with a warning, which names it."""
    [notice] = take(place, paths).drifted
    [(name, report)] = reports(paths).items()
    assert str(paths.rapports / name) in notice.where and check in notice.expected_found
    assert "Publication gardée, avec avertissement." in report and rapport.TEXTES[check].attendu in report
    return report


def test_a_release_like_the_former_one_has_no_report(place: Path, paths: Paths) -> None:
    write_archive(place / NAME, rows(130), labels=LABELS)
    assert take(place, paths).drifted == [] and reports(paths) == {}


SPOILT = {
    "has_ten_fields": (text(rows()[:3]) + b"E;1;2024;94\r\n", "4 champs à la première", "4 E;1;2024;94"),
    "has_no_header": (b"FLUX;TRIM;ANNEE;DEP;REG;A129;CPF4;PAYS;VALEUR;MASSE\r\n" + text(rows()), "1 ligne(s) d’en-tête sur 481", "FLUX;TRIM"),
    "euros_are_whole": (text([*rows()[:5], *[row(valeur="12,5")] * 3]), "3 ligne(s) sur 8 en défaut", "8 E;1;2024;94;03;C29A;2910;DE;12,5;10"),
    "flow_is_known": (text([*rows()[:5], row("X")]), "1 ligne(s) sur 6 en défaut", "6 X;1;2024"),
    "flow_is_the_announced_one": (text([*rows()[:5], row("I")]), "1 ligne(s) sur 6 en défaut", "6 I;1;2024"),
    "goods_are_in_official_order": (text([row(a129="2910", cpf4="C29A")]), "1 ligne(s) sur 1 en défaut", "03;2910;C29A"),
    "quarter_is_plausible": (text([*rows()[:2], row(trimestre=5)]), "1 ligne(s) sur 3 en défaut", "3 E;5;2024"),
}  # fmt: skip


@pytest.mark.parametrize("check", SPOILT)
def test_a_refused_member_is_reported_with_its_numbers_and_first_lines(check: str, place: Path, paths: Paths) -> None:
    payload, found, line = SPOILT[check]
    archive = write_archive(place / NAME, payload)
    report = re.sub(r"\s+", " ", refused(place, paths, check))
    assert found in report and line in report
    # What was received, what stays, whom to write to.
    assert digest(archive) in report and f"{archive.stat().st_size}" in report
    assert archive.name in report and str(archive.parent) not in report and "mai 2025" in report and "exportations" in report
    assert "Les fiches déjà faites (2024) restent telles qu’elles étaient." in report
    assert "direction générale des douanes" in report


@pytest.mark.parametrize(
    ("check", "payload", "found"),
    [
        ("is_not_an_html_page", b"<!doctype html><p>Connexion", "<!doctype html><p>Connexion"),
        ("is_a_real_archive", b"PK\x03\x04 cut", "ne s’ouvre pas"),
    ],
)
def test_what_is_no_archive_is_reported_too(check: str, payload: bytes, found: str, place: Path, paths: Paths) -> None:
    (place / NAME).write_bytes(payload)
    assert found in refused(place, paths, check)


def test_a_renamed_data_member_is_refused_with_what_the_archive_holds(place: Path, paths: Paths) -> None:
    write_archive(place / NAME, rows(), member="Region/Donnees.csv")
    report = refused(place, paths, "has_exactly_one_data_member")
    assert "0 fichier(s) de données. Contenu de l’archive\u00a0: Region/Donnees.csv" in report


@pytest.mark.parametrize("lignes", [59, 181])
def test_a_quarter_with_half_more_or_less_rows_is_refused_unless_allowed(lignes: int, place: Path, paths: Paths) -> None:
    write_archive(place / NAME, [*rows(trimestres=(1, 2, 4)), *rows(lignes, (3,))], labels=LABELS)
    report = re.sub(r"\s+", " ", refused(place, paths, "row_counts_follow_the_former_release"))
    ecart = {59: "−50,8", 181: "+50,8"}[lignes]
    assert f"2024T3 120 lignes {lignes} lignes {ecart} % {FORMER}" in report
    assert "de −50 à +50 % admis" in report
    assert f"2024T1 {FORMER} février 2025 120" in report  # what stays in place
    assert "2024T1 120 lignes 120" not in report
    assert take(place, paths, ecart_lignes_max_pct=60).drifted == []
    assert reports(paths) == {}, "a release that came right takes its report away"


def test_few_rows_are_no_drift(paths: Paths, tmp_path: Path) -> None:
    write_archive(tmp_path / "source" / FORMER, rows(99))
    take(tmp_path / "source", paths)
    write_archive(tmp_path / "source" / NAME, rows(1))
    assert take(tmp_path / "source", paths).drifted == []


def test_an_older_release_is_not_held_against_a_newer_one(place: Path, paths: Paths) -> None:
    write_archive(place / "202501-Regional-2024-export.zip", rows(10), labels=LABELS)
    assert take(place, paths).drifted == []


def test_another_encoding_of_labels_is_told(place: Path, paths: Paths) -> None:
    write_archive(place / NAME, rows(), labels={"Libelle_PAYS.txt": "DE;Allemagne fédérale;190001;999912\r\n".encode("cp1252")})
    report = re.sub(r"\s+", " ", told(place, paths, "labels_keep_their_encoding"))
    assert "PAYS UTF-8 avec BOM Windows-1252" in report and FORMER in report


def test_renamed_and_missing_members_are_told(place: Path, paths: Paths) -> None:
    write_archive(place / NAME, rows(), member="Regional-2024-export/Regional_2024_Export.txt")
    report = re.sub(r"\s+", " ", told(place, paths, "members_keep_their_names"))
    assert "Libelle_PAYS.txt – Region_2024_Export.txt Regional_2024_Export.txt" in report


def test_a_quarter_that_disappears_is_told_and_the_former_one_stands(place: Path, paths: Paths) -> None:
    write_archive(place / NAME, rows(trimestres=(1, 2, 3)), labels=LABELS)
    report = told(place, paths, "no_quarter_disappears")
    assert f"Trimestres absents, présents dans {FORMER}\u00a0: 2024T4." in report


def test_rolling_quarters_lose_their_oldest_and_no_other(tmp_path: Path, paths: Paths) -> None:
    place, member = tmp_path / "source", "REGIONAL_CPF4PAYSE.txt"
    write_archive(place / "202502-stat-regional-ce-export.zip", rows(), member=member)
    take(place, paths)
    write_archive(place / "202505-stat-regional-ce-export.zip", rows(trimestres=(2, 3, 4)), member=member)
    assert take(place, paths).drifted == []
    write_archive(place / "202508-stat-regional-ce-export.zip", rows(trimestres=(2, 4)), member=member)
    assert "2024T3" in told(place, paths, "no_quarter_disappears")


def test_the_same_release_gives_the_same_report(place: Path, paths: Paths, tmp_path: Path) -> None:
    write_archive(place / NAME, SPOILT["euros_are_whole"][0])
    refused(place, paths, "euros_are_whole")
    first = next(paths.rapports.iterdir()).read_bytes()
    refused(place, paths, "euros_are_whole")
    assert next(paths.rapports.iterdir()).read_bytes() == first
    assert b"http" not in first and b"<script" not in first and b"<link" not in first
