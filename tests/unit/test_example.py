"""The embedded example: the format of real releases to the byte, and the published margins as sums of rows."""

import csv
import io
import re
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from pipeline.errors import OutputError
from pipeline.paths import SEEDS
from pipeline.sources import example
from pipeline.typographie import millions, pct

ECHELLE = 0.01
ARCHIVES = [
    "202402-Regional-2023-export.zip",
    "202402-Regional-2023-import.zip",
    "202502-Regional-2024-export.zip",
    "202502-Regional-2024-import.zip",
]
CHAMPS = ["flux", "trimestre", "annee", "departement", "region", "a129", "cpf4", "pays", "valeur", "masse"]


@pytest.fixture(scope="module")
def kiosk(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("example") / "kiosk"
    example.generate(folder, echelle=ECHELLE)
    return folder


@pytest.fixture(scope="module")
def rows(kiosk) -> pd.DataFrame:
    frames = []
    for name in ARCHIVES:
        with zipfile.ZipFile(kiosk / name) as archive, archive.open(archive.namelist()[0]) as member:
            frames.append(pd.read_csv(member, sep=";", header=None, names=CHAMPS, dtype=str, keep_default_na=False))
    whole = pd.concat(frames, ignore_index=True)
    return whole.assign(valeur=whole["valeur"].astype("int64"), masse=whole["masse"].astype("int64"))


def seed(name: str) -> list[dict[str, str]]:
    with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def member(kiosk: Path, name: str) -> bytes:
    with zipfile.ZipFile(kiosk / ARCHIVES[2]) as archive:
        return archive.read(f"Regional-2024-export/{name}")


def table(payload: bytes, encoding: str) -> list[list[str]]:
    text = payload.decode(encoding)
    assert text.count("\n") == text.count("\r\n") and text.endswith("\r\n")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))


# --- the archives -------------------------------------------------------------------------------------------------------


def test_index_links_the_four_archives_relatively(kiosk):
    assert sorted(path.name for path in kiosk.iterdir()) == [*ARCHIVES, "index.html"]
    page = (kiosk / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'href="([^"]+)"', page) == ARCHIVES
    assert "Données d’exemple" in page


@pytest.mark.parametrize("name", ARCHIVES)
def test_members_are_those_of_a_real_archive(kiosk, name):
    annee, flux = name[16:20], name[21:27]
    with zipfile.ZipFile(kiosk / name) as archive:
        assert archive.testzip() is None
        assert archive.comment.decode().startswith("Données d'exemple")
        assert [info.filename for info in archive.infolist()] == [
            f"Regional-{annee}-{flux}/{file}"
            for file in (
                f"Region_{annee}_{flux.title()}.txt",
                "Libelle_A129.txt",
                "Libelle_CPF4_rev2.1.txt",
                "Libelle_PAYS.txt",
                "Departement_region.txt",
                "Lisez-moi.txt",
            )
        ]


def test_same_bytes_on_each_call_whatever_the_other_years(kiosk, tmp_path):
    example.generate(tmp_path / "again", echelle=ECHELLE, annees=(2024,))
    for name in ARCHIVES[2:]:
        assert (tmp_path / "again" / name).read_bytes() == (kiosk / name).read_bytes()


def test_replaces_the_former_kiosk_and_leaves_nothing_aside(tmp_path, monkeypatch):
    folder = tmp_path / "home" / "kiosk"
    folder.mkdir(parents=True)
    (folder / "former.txt").write_text("former")

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(example, "_write_archives", full_disk)
        with pytest.raises(OutputError, match="No space left"):
            example.generate(folder)
    assert (folder / "former.txt").exists()
    monkeypatch.setattr(example, "_write_archives", lambda *_: ARCHIVES)
    example.generate(folder)
    assert [path.name for path in folder.iterdir()] == ["index.html"]
    assert [path.name for path in folder.parent.iterdir()] == ["kiosk"]


# --- the companion files ------------------------------------------------------------------------------------------------


def test_a129_labels_have_a_bom_and_quotes_where_needed(kiosk):
    payload = member(kiosk, "Libelle_A129.txt")
    assert payload.startswith(b"\xef\xbb\xbfA01Z;")
    assert payload.count(b'"') == 2 * 3
    read = table(payload, "utf-8-sig")
    assert len(read) == 76
    assert all(row[2:] == ["200901", "999912"] for row in read)


def test_cpf4_labels_are_windows_1252(kiosk):
    payload = member(kiosk, "Libelle_CPF4_rev2.1.txt")
    with pytest.raises(UnicodeDecodeError):
        payload.decode()
    read = table(payload, "cp1252")
    assert len(read) == 576
    assert all(row[2:] == ["201501", "999912"] for row in read)
    assert payload.count(b'"') == 2 * sum(";" in row[1] for row in read) > 0


def test_countries_reused_by_the_customs_stand_twice(kiosk):
    read = table(member(kiosk, "Libelle_PAYS.txt"), "utf-8")
    in_force = [row[0] for row in read if row[3] == "999912"]
    assert len(in_force) == len(set(in_force)) == 250
    assert "NA" in in_force and "XI" not in in_force
    assert sorted(row[0] for row in read if row[0] in {"QU", "XK", "XS"}) == ["QU", "QU", "XK", "XK", "XS", "XS"]


def test_zones_are_the_customs_own(kiosk):
    read = table(member(kiosk, "Departement_region.txt"), "utf-8")
    assert len(read) == 101
    assert all(len(row) == 4 for row in read)
    assert ["20", "Corse", "22", "Corse"] in read
    assert ["9E", "Mayotte", "24", "DOM"] in read
    assert ["99", "Principauté de Monaco", "21", "Provence-Alpes-Côte d'Azur"] in read


# --- the rows -----------------------------------------------------------------------------------------------------------


def test_data_file_is_ten_plain_fields_a_line(kiosk):
    payload = member(kiosk, "Region_2024_Export.txt")
    assert payload.isascii() and payload.endswith(b"\r\n")
    row = re.compile(rb"E;[1-4];2024;[0-9][0-9A-E];\d\d;[A-Z]\d\d[A-Z];\d{4};[A-Z]{2};[1-9]\d*;(0|[1-9]\d*)\r")
    lines = payload.split(b"\n")[:-1]
    assert [line for line in lines if not row.fullmatch(line)] == []


def test_scale_sets_the_number_of_rows(rows):
    counts = rows.groupby(["annee", "flux"]).size()
    assert all(ECHELLE * example.ROWS_A_YEAR["export"] < count < 3 * ECHELLE * example.ROWS_A_YEAR["import"] for count in counts)


def test_keys_are_unique_and_codes_known(rows):
    assert not rows.duplicated(CHAMPS[:8]).any()
    goods = {(row["a129_code"], row["cpf4_code"]) for row in seed("nomenclature_cpf4") if row["est_bien"] == "true"}
    zones = {(row["douane_code"], row["region_douane_code"]) for row in seed("departements")}
    assert set(zip(rows["a129"], rows["cpf4"], strict=True)) == goods
    assert set(zip(rows["departement"], rows["region"], strict=True)) == zones
    assert set(rows["pays"]) == {row["pays_code"] for row in seed("pays")}


def test_every_zone_trades_both_ways_each_quarter(rows):
    assert len(rows.groupby(["annee", "flux", "trimestre", "departement"])) == 2 * 2 * 4 * 101


def test_codes_that_mislead_are_there(rows):
    for flux in "EI":
        assert {"NA", "XS", "QU", "XI"} <= set(rows.loc[rows["flux"] == flux, "pays"])
    assert set(rows.loc[rows["pays"] == "FR", "flux"]) == {"I"}


def test_gas_and_electricity_are_booked_to_paris(rows):
    by_convention = rows[(rows["a129"] == "D35A") | (rows["cpf4"] == "0620")]
    assert set(by_convention["departement"]) == {"75"}
    assert set(by_convention["cpf4"]) >= {"3511", "0620"}


def test_no_row_is_empty_of_value(rows):
    assert rows["valeur"].min() >= 1
    assert rows["masse"].min() >= 0


# FORMAT of publications: M€ with one decimal; the press rounds régions to the hundred million.
@pytest.mark.parametrize(
    ("annee", "flux", "champ", "codes", "imprime"),
    [
        ("2024", "E", "departement", ["94"], "5 415,8"),
        ("2024", "I", "departement", ["94"], "12 699,9"),
        ("2024", "E", "region", ["03"], "141 666,3"),
        ("2024", "I", "region", ["03"], "192 202,9"),
        ("2024", "E", "annee", ["2024"], "580 354,5"),
        ("2024", "I", "annee", ["2024"], "684 776,3"),
        ("2024", "E", "region", ["13"], "67 600,0"),
        ("2024", "I", "region", ["13"], "63 400,0"),
        ("2024", "E", "region", ["18"], "71 300,0"),
        ("2024", "E", "region", ["01"], "68 000,0"),
        ("2024", "E", "region", ["07"], "12 280,0"),
        ("2024", "I", "region", ["07"], "13 900,0"),
        ("2024", "E", "departement", ["99"], "1 300,0"),
        ("2024", "I", "departement", ["99"], "2 800,0"),
        ("2023", "E", "region", ["08"], "25 477,0"),
        ("2023", "I", "region", ["08"], "35 750,0"),
        ("2023", "E", "region", ["05"], "38 700,0"),
        ("2023", "I", "region", ["05"], "49 200,0"),
    ],
)
def test_rows_sum_to_the_published_total(rows, annee, flux, champ, codes, imprime):
    total = rows.loc[(rows["annee"] == annee) & (rows["flux"] == flux) & rows[champ].isin(codes), "valeur"].sum()
    assert millions(int(total)) == f"{imprime.replace(' ', chr(0x202F))}\u00a0M€"


@pytest.mark.parametrize(("flux", "region", "france"), [("E", "3,8", "0,93"), ("I", "6,6", "1,85")])
def test_val_de_marne_has_its_published_shares(rows, flux, region, france):
    year = rows[(rows["annee"] == "2024") & (rows["flux"] == flux)]
    own = year.loc[year["departement"] == "94", "valeur"].sum()
    assert pct(own / year.loc[year["region"] == "03", "valeur"].sum() * 100, 1).startswith(region + "\u00a0")
    assert pct(own / year["valeur"].sum() * 100, 2).startswith(france + "\u00a0")


def test_years_resemble_each_other(rows):
    by_year = rows.pivot_table(index=["flux", "departement", "a129"], columns="annee", values="valeur", aggfunc="sum").dropna()
    assert by_year.corr(method="spearman").loc["2023", "2024"] > 0.9
