"""A folder of releases full of what the customs may one day send, for the marts to be compared on.

Add here: a row that no archive had so far. Keep out: expectations (`integration/test_marts_against_pandas.py`).
"""

from pathlib import Path

from tests.archives import PAYS, Row, country, produits, row, seed, write_archive

LIBELLE_LONG = "République d'un nom trop long à mettre sous une figure"  # cut after a space, with an apostrophe of typewriters
LABELS = {
    # XU is out of force, JX and JY came after the seeds were made, JZ ended with 2024, DE has another label than the seeds'.
    "Libelle_PAYS.txt": (
        "XU;Union économique;190001;199812\r\nDE;Allemagne fédérale;190001;999912\r\n"
        f"JX;Ancien nom;190001;201012\r\nJX;{LIBELLE_LONG};201101;999912\r\nJY;Île neuve;202501;999912\r\nJZ;Pays clos;190001;202412\r\n"
    ).encode("utf-8-sig"),
    "Libelle_A129.txt": b'Z99Z;"Biens nouveaux ; divers";202001;999912\r\n',
    "Libelle_CPF4_rev2.1.txt": "9998;Œuvres d'un genre nouveau;202001;999912\r\n".encode("cp1252"),
}
SANS_EXPORT, UN_PAYS, EGALITES, HORS_PAYS, NOUVEAUX = "48", "23", "15", "09", "05"
# What does not come any more from 2024 on: a département that is a région by itself, in both flows; a quarter of the exports of
# another; and a third whose rows come under a code that nobody knows.
PARTI, TROUE, RECODE = ("976", "9E"), ("46", 2), ("12", "4A")


def odd(flux: str, trimestre: int, annee: int) -> list[Row]:
    """One row of each kind; amounts are told apart by their digits."""

    def one(departement: str = "94", pays: str = "DE", valeur: int | str = 1000, **others: str) -> Row:
        return row(flux, trimestre, annee, departement, pays, valeur, **others)

    return [
        one("2A", valeur=1_000_003),
        one("2B", "US", 2_000_003),
        one("971", valeur=3_000_003),
        one("96", valeur=40_000_001),
        one("", valeur=40_000_002),
        one("2C", "ZZ", 40_000_003),
        one("94", "ZZ", 50_000_001),
        one("94", "XU", 50_000_002),
        one("94", "", 50_000_003),
        one("94", "na", 50_000_004),
        one("99", "ZZ", 50_000_005),
        one(valeur=60_000_001, cpf4="0000"),
        one(valeur=60_000_002, a129="Q99Z"),
        one(valeur=60_000_003, a129="", cpf4=""),
        one(valeur=""),
        one("96", valeur=""),
        one(valeur=-500_000_000),
        one("33", "ZZ", -7),
        one(valeur=0),
        one("59", "JP", 0),
        one(valeur=70_000_001, masse=""),
        one(valeur=70_000_002, masse="1,5"),
        one(valeur=80_000_001),
        one(valeur=80_000_001),
        one("75", "DZ", 700_000_000, a129="B06Z", cpf4="0620"),
        one("13", "SA", 600_000_000, a129="B06Z", cpf4="0610"),
        *([one("13", "AR", 100_000_000_000)] if annee == 2023 else []),  # a partner of weight that vanishes
        one("75", "DE", 3_000_000_000_001, a129="D35A", cpf4="3511"),
        one("77", "NA", 2**31 + 5),
        one("93", "XS", 2**33 + 5, region="99"),
        one("92", "XI", 5_000_000_000, region=""),
        one("91", "US", 5, region="11"),
        *(one("13", code, 900_000_000 + n) for n, code in enumerate(("QU", "QP", "QR", "QS", "QQ", "EU"))),
        one(NOUVEAUX, "JX", 123_456, a129="Z99Z", cpf4="9998"),
        one(NOUVEAUX, "JY", 23_456, a129="C29A", cpf4="9998"),
        one(NOUVEAUX, "JX", 3_456, a129="Z99Z", cpf4="2910"),
        one(NOUVEAUX, "JZ", 7_654),
        one(UN_PAYS, "BE", 777),
        *(one(HORS_PAYS, code, 1000 + n) for n, code in enumerate(("QU", "FR"))),
        *(
            one(EGALITES, pays, 100, a129=a129, cpf4=cpf4)
            for n, (a129, cpf4) in enumerate(produits()[:13])
            for m, pays in enumerate(PAYS[:13])
            if (n + m) % 13 < 11
        ),
    ]


def flow(flux: str, annee: int, graine: int, trimestres: tuple[int, ...] = (1, 2, 3, 4), *, is_whole: bool = False) -> list[Row]:
    """A flow of all zones but the peculiar ones, with odd rows in its first quarter; `is_whole`: nothing stops coming."""
    peculiar = {UN_PAYS, EGALITES, HORS_PAYS, NOUVEAUX} | ({SANS_EXPORT} if flux == "E" else set())
    lignes = 24 if annee == 2023 else 12  # twice as many as a year later
    rows = [fields for fields in country(flux, annee, graine, trimestres, lignes) if fields[3] not in peculiar]
    if annee > 2023 and not is_whole:
        gone = {(PARTI[1], quarter) for quarter in trimestres} | ({TROUE} if flux == "E" else set())
        rows = [
            (*fields[:3], RECODE[1], *fields[4:]) if fields[3] == RECODE[0] else fields
            for fields in rows
            if (fields[3], int(fields[1])) not in gone
        ]
    return [*rows, *odd(flux, trimestres[0], annee)]


def write_oddities(place: Path, *, is_whole: bool = False) -> Path:
    """Two full years, an older vintage of the second, and the five last quarters: which stands is said by flow and quarter.

    The page links absolute addresses, as if saved from the web, and another product that is not to be taken.
    """
    names = []

    def archive(name: str, rows: list[Row], member: str | None = None) -> None:
        write_archive(place / name, rows, member=member, labels=LABELS if name.startswith("2025") else None)
        names.append(name)

    for flux, word in (("E", "export"), ("I", "import")):
        archive(f"202402-Regional-2023-{word}.zip", flow(flux, 2023, 1, is_whole=is_whole))
        archive(
            f"202410-Regional-2024-{word}.zip", flow(flux, 2024, 2, (1, 2, 3, 4) if flux == "E" else (2, 3), is_whole=is_whole)
        )
        archive(f"202502-Regional-2024-{word}.zip", flow(flux, 2024, 3, is_whole=is_whole))
        last = [
            *flow(flux, 2024, 4, (1, 2, 3, 4) if flux == "E" else (3, 4), is_whole=is_whole),
            *flow(flux, 2025, 5, (1,), is_whole=is_whole),
        ]
        archive(f"202505-stat-regional-ce-{word}.zip", last, f"REGIONAL_CPF4PAYS{flux}.txt")
    links = "\n".join(f'<a href="https://www.douane.gouv.fr/sites/default/files/{name}">{name}</a>' for name in names)
    page = f'<html><body><a href="202502-National-2024-import.zip">base nationale</a>\n{links}</body></html>'
    (place / "index.html").write_text(page, encoding="utf-8")
    assert {fields["douane_code"] for fields in seed("departements")} >= {SANS_EXPORT, UN_PAYS, EGALITES, HORS_PAYS, NOUVEAUX}
    return place
