"""The embedded example: a kiosk of invented releases in the customs' exact format, so that a first run needs no network.

`generate` writes an index.html and four archives, two full years of two flows, about two million rows a year. The rows
come from `example_profils` (who trades what with whom) through numpy, always the same ones; their margins are the
published totals, which exist nowhere downstream: fiches print them because millions of rows add up to them.

Choices where the format leaves one: data files are ASCII with CRLF, like the label files, and end with a newline; rows
are ordered by département, good, country, quarter.

Add here: what a real release contains and this one lacks. Keep out: figures and affinities (`example_profils`), and
reading (the pipeline reads the example by the same code as real releases; only the ZIP comment tells them apart).
"""

import csv
import io
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from pipeline.outputs import writing
from pipeline.sources import example_profils as profils
from pipeline.territoires import seed

COMMENT = "Données d'exemple fabriquées par un générateur : ce ne sont pas des statistiques."
"""ZIP comment of every archive; its first two words are how the pipeline recognises example data."""

FLUX = ("export", "import")
ROWS_A_YEAR = {"export": 900_000, "import": 1_100_000}
GRAINE = 202502  # everything random hangs on it
CROISSANCE = 1.025  # a year over the former, where no total is published

# Customs codes of former days that stand in the companion table beside those in force; QU, XI, XK and XS were used again.
PAYS_ECHUS = (
    ("AN", "Antilles néerlandaises", "190001", "201212"),
    ("CS", "Serbie-et-Monténégro", "200401", "200505"),
    ("DD", "Allemagne de l'Est", "190001", "199012"),
    ("QU", "Pays NDA", "190001", "199912"),
    ("SU", "Union soviétique", "190001", "199205"),
    ("TP", "Timor oriental", "200101", "200212"),
    ("XI", "Saint-Martin, partie méridionale", "190001", "200512"),
    ("XK", "Yougoslavie", "199206", "199212"),
    ("XS", "Saba", "190001", "200505"),
    ("XU", "UEBL (union économique belgo-luxembourgeoise)", "190001", "199812"),
    ("YU", "République fédérale de Yougoslavie", "199301", "200312"),
)


@dataclass(frozen=True)
class _Codes:
    """The three axes, each sorted by code: 101 customs zones, 314 goods, 251 countries."""

    zones: tuple[str, ...]
    regions: tuple[str, ...]  # customs région of each zone
    produits: tuple[str, ...]  # CPF4
    a129: tuple[str, ...]  # of each good
    pays: tuple[str, ...]


def generate(folder: Path, *, echelle: float = 1.0, annees: Sequence[int] = (2023, 2024)) -> None:
    """Write the kiosk into `folder`, which is replaced as a whole once everything is written.

    `echelle` scales the number of rows (1: about two million a year), never the totals. The years of
    `example_profils.MARGES` sum to published totals, others to supposed ones. Same arguments and versions: same bytes.
    Raises OutputError when the disk refuses.
    """
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as aside:
            new = Path(aside) / "kiosk"
            new.mkdir()
            archives = _write_archives(new, Path(aside), echelle, annees)
            (new / "index.html").write_bytes(_index(archives).encode())
            if folder.exists():
                folder.rename(Path(aside) / "former")
            new.rename(folder)


def _write_archives(new: Path, aside: Path, echelle: float, annees: Sequence[int]) -> list[str]:
    companions = _companions()
    # Deflating is more than half of the work and needs no interpreter lock: it goes on while the next rows are drawn.
    with ThreadPoolExecutor(max_workers=2) as zipper:
        pending = []
        for flux in FLUX:
            for annee, lignes in _lignes(flux, annees, echelle):
                text = aside / f"{annee}-{flux}.txt"
                _copy_csv(lignes, text)
                pending.append(zipper.submit(_zip, new, text, flux, annee, companions))
        return sorted(done.result() for done in pending)


def _zip(new: Path, text: Path, flux: str, annee: int, companions: dict[str, bytes]) -> str:
    """One archive from the text of its rows (lines end in LF there, in CRLF inside); returns its name."""
    stem = f"Regional-{annee}-{flux}"
    name = f"{annee + 1}02-{stem}.zip"
    stamp = (annee + 1, 2, 7, 8, 45, 0)  # fixed: the archive's bytes depend on its content only
    with zipfile.ZipFile(new / name, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.comment = COMMENT.encode()
        with text.open("rb") as rows, archive.open(_member(f"{stem}/Region_{annee}_{flux.title()}.txt", stamp), "w") as out:
            while chunk := rows.read(1 << 20):
                out.write(chunk.replace(b"\n", b"\r\n"))
        for companion, content in companions.items():
            archive.writestr(_member(f"{stem}/{companion}", stamp), content)
    text.unlink()
    return name


def _member(name: str, stamp: tuple[int, int, int, int, int, int]) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, stamp)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system, info.external_attr = 3, 0o644 << 16  # as on Unix, whatever the machine
    return info


def _copy_csv(lignes: pd.DataFrame, path: Path) -> None:
    """Write the rows as `;` text without header; DuckDB is some ten times faster at it than pandas."""
    with duckdb.connect(config={"threads": 2, "preserve_insertion_order": True}) as con:
        con.from_df(lignes).write_csv(str(path), sep=";", header=False)


# --- rows -------------------------------------------------------------------------------------------------------------


def _lignes(flux: str, annees: Sequence[int], echelle: float) -> Iterator[tuple[int, pd.DataFrame]]:
    """Each year's rows, ten columns in the official order.

    A cell is zone × good × country. Cells that trade, and how much, are drawn once per flow: years resemble each other.
    """
    codes, rng = _codes(), np.random.default_rng([GRAINE, FLUX.index(flux)])
    zone_produit, affinite = _zone_produit(flux, rng), _produit_pays(flux, rng)
    attendu = _attendu(zone_produit, affinite, rng)
    cells, rate = _cells(attendu, zone_produit, affinite, ROWS_A_YEAR[flux] * echelle, rng)
    euros = np.maximum(attendu[cells].astype(np.float64), 800.0)  # a declaration is seldom worth less
    del attendu
    z, gc = np.divmod(cells, len(codes.produits) * len(codes.pays))
    g, c = np.divmod(gc, len(codes.pays))
    prix = _prix()[g] * rng.lognormal(0, 0.45, len(cells))
    saison = _saisons()[g]
    for annee in annees:
        rng = np.random.default_rng([GRAINE, FLUX.index(flux), annee])
        growth = (_prix_annee(annee) * rng.lognormal(0, 0.05, len(codes.produits)))[g] * rng.lognormal(0, 0.22, len(cells))
        present = rng.random((len(cells), 4)) < rate[:, None]
        row, quarter = np.nonzero(present)
        poids = (euros * growth)[row] * saison[row, quarter] * rng.lognormal(0, 0.3, len(row))
        valeur = _apportion(poids, z[row], _totaux(flux, annee))
        masse = np.rint(np.divide(valeur, prix[row], out=np.zeros(len(row)), where=prix[row] > 0)).astype(np.int64)
        yield (
            annee,
            pd.DataFrame(
                {
                    "flux": pd.Categorical.from_codes(np.zeros(len(row), np.int8), [flux[0].upper()]),
                    "trimestre": (quarter + 1).astype(np.int8),
                    "annee": np.full(len(row), annee, np.int16),
                    "departement": _decode(z[row], codes.zones),
                    "region": _decode(z[row], codes.regions),
                    "a129": _decode(g[row], codes.a129),
                    "cpf4": _decode(g[row], codes.produits),
                    "pays": _decode(c[row], codes.pays),
                    "valeur": valeur,
                    "masse": masse,
                }
            ),
        )


def _decode(index: np.ndarray, codes: Sequence[str]) -> pd.Categorical:
    distinct = sorted(set(codes))
    lookup = np.array([distinct.index(code) for code in codes], np.int16)
    return pd.Categorical.from_codes(lookup[index], distinct)


def _zone_produit(flux: str, rng: np.random.Generator) -> np.ndarray:
    """Euros expected by zone and good in 2024, (101, 314): its specialities, then the national profile of the rest."""
    codes = _codes()
    totaux = _totaux(flux, 2024).astype(np.float64)
    national, split = _produits(flux)
    special = np.zeros((len(codes.zones), len(codes.produits)))
    for z, zone in enumerate(codes.zones):
        for code, pct in _pairs(_zones()[zone][2 + FLUX.index(flux)]):
            goods = _matching(code)
            special[z, goods] += pct / 100 * split[goods] / split[goods].sum()
    # What specialities do not explain goes to every zone, with a character of its own: a factor per zone and good.
    rest = np.maximum(national * totaux.sum() - totaux @ special, 0.05 * national * totaux.sum())
    a129 = np.unique(np.array(codes.a129), return_inverse=True)[1]
    character = rng.lognormal(0, 0.6, (len(codes.zones), a129.max() + 1))[:, a129] * rng.lognormal(0, 0.5, special.shape)
    residual = rest * character
    for code in profils.RESERVES:
        residual[:, _matching(code)] = 0
    residual *= ((1 - special.sum(axis=1)) / residual.sum(axis=1))[:, None]
    return (special * rng.lognormal(0, 0.12, special.shape) + residual) * totaux[:, None]


def _produit_pays(flux: str, rng: np.random.Generator) -> np.ndarray:
    """Weight of each country for each good, (314, 251); rows need not sum to one."""
    codes, side = _codes(), FLUX.index(flux)
    poids = np.full(len(codes.pays), 0.03 if flux == "export" else 0.01)
    for item in "|".join(_lines(profils.PAYS)).split("|"):
        pays, *milliards = item.split()
        poids[codes.pays.index(pays)] = float(milliards[side])
    affinite = np.tile(poids, (len(codes.produits), 1)) * rng.lognormal(0, 0.25, (len(codes.produits), len(codes.pays)))
    lines = [line.removeprefix(flux).split("|") for line in _lines(profils.AFFINITES) if line.startswith(flux)]
    for code, wanted in sorted(lines, key=lambda line: line[0].strip().isdigit()):  # a CPF4 after the A129 that holds it
        goods = _matching(code.strip())
        if "=" in wanted:
            affinite[goods] = 1e-4 * poids  # everybody else: almost nothing
        for pays, factor in _pairs(wanted.replace("=", "")):
            c = codes.pays.index(pays)
            affinite[goods, c] = factor if "=" in wanted else affinite[goods, c] * factor
    return affinite


def _attendu(zone_produit: np.ndarray, affinite: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Euros expected in 2024 by cell, flat float32 of 101 × 314 × 251: some 32 MB, filled zone by zone."""
    codes = _codes()
    attendu = np.empty((len(codes.zones), *affinite.shape), np.float32)
    for z, zone in enumerate(codes.zones):
        near = np.ones(len(codes.pays), np.float32)
        for pays, factor in _pairs(_zones()[zone][4]):
            near[codes.pays.index(pays)] = factor
        cell = attendu[z]
        rng.standard_normal(out=cell, dtype=np.float32)
        # How far two zones' partners differ for one good: the more they trade of it, the less.
        cell *= np.clip(0.75 - 0.1 * np.log(np.maximum(zone_produit[z], 1) / 2e7), 0.25, 0.75)[:, None]
        np.exp(cell, out=cell)
        cell *= affinite * near
        cell *= (zone_produit[z] / cell.sum(axis=1))[:, None]
    return attendu.reshape(-1)


def _cells(
    attendu: np.ndarray, zone_produit: np.ndarray, affinite: np.ndarray, rows: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The cells that trade, as flat sorted indices, and the probability that each has a row in a quarter.

    The larger the cell the likelier, by a law tuned on a sample to give `rows` a year. Each zone, good and country
    keeps at least its largest cell, whatever the scale.
    """

    def living(euros: np.ndarray, scale: float) -> np.ndarray:
        return 1 - np.exp(-((euros / scale) ** 0.65))

    def quarterly(euros: np.ndarray, scale: float) -> np.ndarray:
        return np.minimum(1, 0.3 + (euros / scale) ** 0.65 / 4)

    sample = attendu[::23].astype(np.float64)
    low, high = 1.0, 1e13
    for _ in range(40):
        middle = (low * high) ** 0.5
        expected = 4 * 23 * float((living(sample, middle) * quarterly(sample, middle)).sum())
        low, high = (middle, high) if expected > rows else (low, middle)
    scale = (low * high) ** 0.5
    nz, (ng, nc) = len(zone_produit), affinite.shape
    best_zone, best_pays = zone_produit.argmax(axis=0), affinite.argmax(axis=1)
    by_zone = attendu.reshape(nz, -1).argmax(axis=1) + np.arange(nz) * ng * nc
    by_good = (best_zone * ng + np.arange(ng)) * nc + best_pays
    good_of_pays = (affinite / affinite.sum(axis=1, keepdims=True) * zone_produit.sum(axis=0)[:, None]).argmax(axis=0)
    by_pays = (best_zone[good_of_pays] * ng + good_of_pays) * nc + np.arange(nc)
    forced = np.concatenate([by_zone, by_good, by_pays])
    forced = forced[attendu[forced] > 0]  # France itself is the origin of imports only
    alive = rng.random(len(attendu), np.float32) < living(attendu, scale)
    alive[forced] = True
    cells = np.flatnonzero(alive)
    rate = quarterly(attendu[cells].astype(np.float64), scale)
    rate[np.searchsorted(cells, forced)] = 1
    return cells, rate


def _apportion(poids: np.ndarray, zone: np.ndarray, totaux: np.ndarray) -> np.ndarray:
    """Whole euros ≥ 1 in proportion to `poids` whose sum in each zone is its total, by largest remainder.

    Rows must come grouped by zone, in order; `totaux` is int64 euros by zone.
    """
    valeur = np.empty(len(poids), np.int64)
    bounds = np.searchsorted(zone, np.arange(len(totaux) + 1))
    for z, total in enumerate(totaux.tolist()):
        part = slice(bounds[z], bounds[z + 1])
        valeur[part] = 1 + _largest_remainder(poids[part], total - (part.stop - part.start))
    return valeur


def _largest_remainder(poids: np.ndarray, total: int) -> np.ndarray:
    exact = poids * (total / poids.sum())
    whole = np.floor(exact).astype(np.int64)
    missing = total - int(whole.sum())
    if missing:
        whole[np.argsort(whole - exact, kind="stable")[:missing]] += 1
    return whole


# --- profiles ---------------------------------------------------------------------------------------------------------


@cache
def _totaux(flux: str, annee: int) -> np.ndarray:
    """Euros by zone, int64, which sum to every published margin of the year: zones first, then régions, then France."""
    codes = _codes()
    supposed = np.array([float(_zones()[zone][1].split()[FLUX.index(flux)]) for zone in codes.zones])
    # Round as they are in the profiles, they would look like nothing that was summed.
    supposed *= np.random.default_rng([GRAINE, FLUX.index(flux)]).lognormal(0, 0.015, len(supposed))
    if annee != 2024:  # the year the profiles describe
        supposed *= np.random.default_rng([GRAINE, len(FLUX) + FLUX.index(flux), annee]).lognormal(0, 0.035, len(supposed))
    fixed = np.zeros(len(supposed), bool)
    result = np.zeros(len(supposed), np.int64)
    margins = [(code, euros) for (year, sens, code), euros in profils.MARGES.items() if (year, sens) == (annee, flux)]
    for code, euros in sorted(margins, key=lambda margin: (margin[0] == "FR", margin[0].startswith("r"))):
        inside = np.array([code in (zone, f"r{region}", "FR") for zone, region in zip(codes.zones, codes.regions, strict=True)])
        free = inside & ~fixed
        result[free] = _largest_remainder(supposed[free], euros - int(result[inside & fixed].sum()))
        fixed |= inside
    # A year without published margins is as large as its distance from the described one lets suppose.
    result[~fixed] = (supposed[~fixed] * 1e6 * CROISSANCE ** (annee - 2024)).round()
    return result


@cache
def _codes() -> _Codes:
    zones = sorted(seed("departements"), key=lambda row: row["douane_code"])
    goods = sorted((row for row in seed("nomenclature_cpf4") if row["est_bien"] == "true"), key=lambda row: row["cpf4_code"])
    return _Codes(
        tuple(row["douane_code"] for row in zones),
        tuple(row["region_douane_code"] for row in zones),
        tuple(row["cpf4_code"] for row in goods),
        tuple(row["a129_code"] for row in goods),
        tuple(sorted(row["pays_code"] for row in seed("pays"))),
    )


@cache
def _matching(code: str) -> np.ndarray:
    """Positions of the goods of an A129 or CPF4 code."""
    codes = _codes()
    return np.array([g for g in range(len(codes.produits)) if code in (codes.produits[g], codes.a129[g])])


@cache
def _zones() -> dict[str, list[str]]:
    return {fields[0].strip(): fields for fields in (line.split("|") for line in _lines(profils.ZONES))}


def _produits(flux: str) -> tuple[np.ndarray, np.ndarray]:
    """National share of each good (sums to 1) and its weight inside its A129."""
    side, codes = FLUX.index(flux), _codes()
    national, split = np.zeros(len(codes.produits)), np.ones(len(codes.produits))
    for line in _lines(profils.PRODUITS):
        code, totals, _, *inside = line.split("|")
        for item in " ".join(inside).split():
            cpf4, weights = item.split(":")
            split[_matching(cpf4)] = float(weights.split("/")[side if "/" in weights else 0])
        goods = _matching(code.strip())
        national[goods] = float(totals.split()[side]) * split[goods] / split[goods].sum()
    return national / national.sum(), split


def _prix() -> np.ndarray:
    prix = np.zeros(len(_codes().produits))
    for line in _lines(profils.PRODUITS):
        prix[_matching(line.split("|")[0].strip())] = float(line.split("|")[2])
    return prix


def _prix_annee(annee: int) -> np.ndarray:
    factors = np.ones(len(_codes().produits))
    for line in _lines(profils.PRIX_ANNEE):
        if line.startswith(str(annee)):
            for code, factor in _pairs(line.split("|")[1]):
                factors[_matching(code)] = factor
    return factors


def _saisons() -> np.ndarray:
    saisons = np.full((len(_codes().produits), 4), 0.25)
    for line in _lines(profils.SAISONS):
        saisons[_matching(line.split("|")[0].strip())] = [float(pct) / 100 for pct in line.split("|")[1].split()]
    return saisons


def _lines(table: str) -> list[str]:
    return table.strip().replace("\n  ", " ").splitlines()  # an indented line continues the one above


def _pairs(text: str) -> list[tuple[str, float]]:
    """`C30C:76 C26E:4` → pairs."""
    return [(code, float(value)) for code, value in (item.split(":") for item in text.split())]


# --- what stands beside the rows --------------------------------------------------------------------------------------


def _companions() -> dict[str, bytes]:
    """The label files that a real archive holds, by name, with the encodings it really uses."""
    pays = [(row["pays_code"], row["libelle_douane"], row["debut"], row["fin"]) for row in seed("pays") if row["libelle_douane"]]
    zones = sorted(
        seed("departements"), key=lambda row: (row["region_douane_code"] == "24", row["region_douane_code"], row["douane_code"])
    )
    return {
        "Libelle_A129.txt": _table(
            (row["a129_code"], row["libelle_douane"], "200901", "999912") for row in seed("nomenclature_a129")
        ).encode("utf-8-sig"),
        "Libelle_CPF4_rev2.1.txt": _table(
            (row["cpf4_code"], row["libelle_douane"], "201501", "999912") for row in seed("nomenclature_cpf4")
        ).encode("cp1252"),
        "Libelle_PAYS.txt": _table(sorted([*pays, *PAYS_ECHUS], key=lambda row: (row[0], row[3]))).encode(),
        "Departement_region.txt": _table(
            (row["douane_code"], row["libelle_douane"], row["region_douane_code"], row["region_libelle_douane"]) for row in zones
        ).encode(),
        "Lisez-moi.txt": LISEZ_MOI.replace("\n", "\r\n").encode(),
    }


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=";", lineterminator="\r\n").writerows(rows)  # quotes the labels that hold a semicolon
    return text.getvalue()


LISEZ_MOI = """\
Données d’exemple

Ces fichiers ont été fabriqués par un programme (pipeline/sources/example.py). Ce ne sont pas des statistiques : seuls
quelques totaux reprennent des chiffres publiés, le reste est vraisemblable et faux. Ne pas citer.

Format : celui des bases régionales du commerce extérieur. Une ligne par trimestre, département, produit et pays ;
dix champs séparés par des points-virgules, sans en-tête :
flux (E ou I) ; trimestre ; année ; code département ; code région ; code A129 ; code CPF4 ; code pays ;
valeur en euros ; masse en kilogrammes.
Les codes sont ceux de la douane ; leurs libellés figurent dans les fichiers joints.
"""


def _index(archives: Sequence[str]) -> str:
    """The kiosk page: one relative link an archive."""
    items = "\n".join(f'      <li><a href="{name}">{name.removesuffix(".zip")}</a></li>' for name in archives)
    return f"""\
<!doctype html>
<html lang="fr">
  <head>
    <meta charset="utf-8">
    <title>Statistiques régionales du commerce extérieur – Données d’exemple</title>
  </head>
  <body>
    <h1>Statistiques régionales et départementales du commerce extérieur</h1>
    <p><strong>Données d’exemple</strong>, fabriquées par un programme&nbsp;: ce ne sont pas des statistiques.</p>
    <h2>Bases complètes, par trimestre, département, produit et pays</h2>
    <ul>
{items}
    </ul>
  </body>
</html>
"""
