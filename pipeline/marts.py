"""The one door to the marts: a frame, or an error that helps. Python never opens the warehouse file itself.

Add here: a way to ask for rows of a mart. Keep out: sums, ranks, shares: those are SQL (`dbt_project/models`).
"""

import hashlib
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from pipeline.dbt import SEAL
from pipeline.errors import DataError
from pipeline.territoires import FRANCE, Territoire, tous

SUJETS = ("reperes", "balance", "produits", "flux")
# Marts that fiches read: of each level, then those that hold all levels in one.
DE_FICHE = {
    "national": tuple(f"mart_national_{sujet}" for sujet in (*SUJETS, "classement")),
    "departement": tuple(f"mart_departement_{sujet}" for sujet in (*SUJETS, "fiabilite")),
}
COMMUNS = tuple(f"mart_national_{sujet}" for sujet in ("specificites", "reconciliation", "publies"))
DE_TOUS = ("mart_national_reconciliation", "mart_national_publies")  # whose rows of all territories the fiche of France shows
NOMENCLATURE = "CPF rév. 2.1"  # that of the seeds
LABELS_TOLD = 20  # in words; the others are among the check's rows
# Checks that tell their offenders: the national mart and the rule in it that each reads, and what is so when it found nothing.
CONTROLES = {
    "quarter_totals_are_plausible": (
        "plausibilite",
        "total_trimestriel",
        "No large total of a quarter is far from that of the same quarter a year before.",
    ),
    "no_great_partner_vanishes": (
        "plausibilite",
        "partenaire_disparu",
        "No partner of weight in a flow of France a year before is absent.",
    ),
    "unit_values_are_plausible": (
        "plausibilite",
        "valeur_unitaire",
        "No good of France has quite other euros per kilogram than a year before.",
    ),
    "every_zone_is_present": (
        "plausibilite",
        "zone_absente",
        "Every département, and Monaco, has rows in each quarter of both flows.",
    ),
    "row_counts_are_plausible": (
        "plausibilite",
        "nombre_de_lignes",
        "No quarter of France has far fewer rows than the same quarter a year before.",
    ),
    "totals_agree_with_published": (
        "plausibilite",
        "total_publie",
        "No total is further from a published one of the same scope than rounding and revisions explain.",
    ),
    "labels_agree_with_seeds": (
        "libelles",
        "libelle",
        "No label that came with a release differs from that of the seeds; where one does, the release's is printed.",
    ),
    "nomenclatures_keep_their_revision": (
        "libelles",
        "revision",
        "The label files name no revision of a nomenclature other than that of the seeds; where they do, it is printed.",
    ),
    # The last, since it alone may block.
    "codes_are_known": (
        "quarantaine",
        "",
        "Codes that no table knows carry less than COMEX_QUARANTAINE_MAX_PCT of a flow; what they carry is kept out of all totals.",
    ),
}


@dataclass(frozen=True)
class Lu:
    """What was read of a mart for one territory and period: rows, and a digest of their values."""

    mart: str
    territoire: str  # its key; « tous » for all rows of the period
    lignes: int
    sha256: str


class Marts:
    """The Parquet marts of `folder` for one period, read once and cut by territory.

    Raises DataError when they are not those of a build that passed all its tests.
    """

    def __init__(self, folder: Path, periode: str) -> None:
        if not (folder / SEAL).exists():
            raise DataError(
                f"Marts of a finished build were expected; {len(list(folder.glob('*.parquet')))} Parquet files without {SEAL} were found.",
                where=str(folder),
                cause="no build has finished here yet, or the last one failed on the way or at a test",
                remedy="run `make fiches`, and read its first error",
            )
        self.folder = folder
        self.periode = periode
        self._read = cache(self._read_mart)

    @cached_property
    def _frames(self) -> dict[str, dict[tuple[str, str], pd.DataFrame]]:
        frames: dict[str, dict[tuple[str, str], pd.DataFrame]] = {sujet: {} for sujet in SUJETS}
        for sujet in SUJETS:
            for maille in ("departement", "national"):
                frame = self._read(f"mart_{maille}_{sujet}")
                for niveau_code, rows in frame.groupby(frame["niveau"] + "/" + frame["code"], sort=False):
                    niveau, code = str(niveau_code).split("/")
                    frames[sujet][niveau, code] = rows.reset_index(drop=True)
        return frames

    def territoire(self, territoire: Territoire) -> dict[str, pd.DataFrame]:
        """Frames of one territory, by mart: reperes, balance, produits, flux (the last three empty without trade).

        Raises DataError when the territory is not in the marts.
        """
        key = (territoire.niveau, territoire.code)
        if key not in self._frames["reperes"]:
            raise DataError(
                f"mart_…_reperes was expected to hold {territoire.code} ({territoire.nom}) for {self.periode};"
                f" it holds {len(self._frames['reperes'])} of {len(tous())} territories.",
                where=str(self.folder),
                cause="the marts were built from other releases, or by an older version",
                remedy="run `make fiches` again, which rebuilds the marts",
            )
        empty = {sujet: next(iter(frames.values())).iloc[:0] for sujet, frames in self._frames.items() if frames}
        return {sujet: frames[key] if key in frames else empty[sujet] for sujet, frames in self._frames.items()}

    def lus(self, territoire: Territoire) -> list[Lu]:
        """The rows of this territory in every mart; for France also the marts that hold one table for all."""
        found = self._empreintes.get((territoire.niveau, territoire.code), {})
        return [Lu(mart, territoire.cle, lignes, sha256) for mart, (lignes, sha256) in found.items()]

    def lus_de_tous(self) -> list[Lu]:
        """The marts that the fiche of France shows whole."""
        frames = {mart: self._read(mart) for mart in DE_TOUS}
        return [Lu(mart, "tous", len(frame), empreinte(frame)) for mart, frame in frames.items() if len(frame)]

    @cached_property
    def _empreintes(self) -> dict[tuple[str, str], dict[str, tuple[int, str]]]:
        found: dict[tuple[str, str], dict[str, tuple[int, str]]] = {}
        for path in sorted(self.folder.glob("mart_*.parquet")):
            frame = self._read(path.stem)
            head, lines = _csv(frame)  # of all territories at once: writing each one's apart takes ten times as long
            parts: dict[tuple[str, str], list[str]] = {}
            if {"niveau", "code"} <= set(frame):
                for key, line in zip(zip(frame["niveau"], frame["code"], strict=True), lines, strict=True):
                    parts.setdefault(key, []).append(line)
            else:
                parts[FRANCE.niveau, FRANCE.code] = lines
            for key, own in parts.items():
                found.setdefault(key, {})[path.stem] = (len(own), _digest(head, own))
        return found

    @property
    def classement(self) -> pd.DataFrame:
        """The 100 départements by flow and rank."""
        return self._read("mart_national_classement")

    @cached_property
    def reperes(self) -> pd.DataFrame:
        """Headline figures of all territories."""
        return pd.concat([self._read("mart_departement_reperes"), self._read("mart_national_reperes")], ignore_index=True)

    @property
    def releases(self) -> pd.DataFrame:
        """The archives that the period was computed from."""
        return self._read("mart_national_releases")

    @property
    def quarantaine(self) -> pd.DataFrame:
        """What is kept out of the totals, by quarter; no row when every code is known."""
        return self._read("mart_national_quarantaine")

    @cached_property
    def reconciliation(self) -> pd.DataFrame:
        """From the départements to the published headline, in the order of the steps; null where it cannot be measured."""
        return self._read("mart_national_reconciliation").astype({"valeur_eur": "Int64"})

    @property
    def publies(self) -> pd.DataFrame:
        """Our totals beside published ones; no row when none is known for the period."""
        return self._read("mart_national_publies")

    @property
    def plausibilite(self) -> pd.DataFrame:
        """What is unlikely, the most unlikely first within its rule; no row when nothing is."""
        return self._read("mart_national_plausibilite")

    @property
    def libelles(self) -> pd.DataFrame:
        """Labels and revisions of nomenclatures that came with the releases and differ from the seeds'; no row when none does."""
        return self._read("mart_national_libelles")

    @property
    def nomenclature(self) -> str:
        """How readers are told which revision of the classification the goods are in."""
        found = self.libelles.loc[lambda rows: rows["regle"] == "revision"].sort_values("nomenclature", ascending=False)
        return " et ".join(found["libelle"]) or NOMENCLATURE

    def fiabilite(self, territoire: Territoire) -> pd.DataFrame:
        """The note of a département's two flows and what it rests on; no row for régions and France."""
        return _de(self._read("mart_departement_fiabilite"), territoire)

    def specificites(self, territoire: Territoire) -> pd.DataFrame:
        """The first goods and countries of a territory, beside its région and France."""
        return _de(self._read("mart_national_specificites"), territoire)

    def offenders(self, check: str, limit_pct: float) -> tuple[str, list[dict[str, Any]]]:
        """What one of CONTROLES has to tell: words, and the rows that it found; both empty for none."""
        sujet, rule, _ = CONTROLES[check]
        if sujet == "quarantaine":
            notice = self.quarantine_notice(limit_pct)
            return (str(notice), self.quarantaine.to_dict("records")) if notice else ("", [])
        if sujet == "libelles":
            return self._other_labels(check, rule)
        found = self.plausibilite.loc[lambda rows: rows["regle"] == rule]
        if found.empty:
            return "", []
        first = found.to_dict("records")[0]
        digits = ",.4g" if first["unite"] == "eur_par_kg" else ",.0f"
        expected = "" if pd.isna(first["attendu"]) else f" against {first['attendu']:{digits}}"
        change = "" if pd.isna(first["ecart_pct"]) else f" ({first['ecart_pct']:+.1f} %)"
        return (
            f"{check}, {self.periode}: {len(found)} found. The farthest: {first['niveau']} {first['code']}, {first['flux']},"
            f" {first['objet']}: {first['valeur']:{digits}}{expected} {first['unite']}{change}.",
            found.to_dict("records"),
        )

    def _other_labels(self, check: str, rule: str) -> tuple[str, list[dict[str, Any]]]:
        rows = self.libelles.loc[lambda rows: rows["regle"] == rule].to_dict("records")
        told = "; ".join(
            f"{row['nomenclature']} {row['code']}: « {row['libelle']} » in {row['archive']}, « {row['libelle_connu']} » in ours"
            for row in rows[:LABELS_TOLD]
        )
        more = f" and {len(rows) - LABELS_TOLD} more" if len(rows) > LABELS_TOLD else ""
        return (f"{check}, {self.periode}: {len(rows)} differ. {told}{more}. The release's is printed." if rows else "", rows)

    def quarantine_exceeds(self, limit_pct: float) -> bool:
        """Does the quarantine of this period take more than `limit_pct` of the euros of a national flow?"""
        france = self.reperes[self.reperes["niveau"] == "france"]
        return bool((france["quarantaine_pct"] > limit_pct).any())

    def quarantine_notice(self, limit_pct: float) -> DataError | None:
        """What is kept out of the totals, in four parts; None when every code is known."""
        if self.quarantaine.empty:
            return None
        by_code: dict[str, tuple[int, int]] = {}
        for row in self.quarantaine.to_dict("records"):
            name = f"{row['motif']} {row['code_source']!r}"
            rows, euros = by_code.get(name, (0, 0))
            by_code[name] = rows + row["lignes"], euros + row["valeur_eur"]
        named = ", ".join(f"{name} ({rows:,} rows, {euros:,} €)" for name, (rows, euros) in list(by_code.items())[:8])
        france = [row for row in self.reperes.to_dict("records") if row["niveau"] == "france" and row["quarantaine_eur"]]
        shares = ", ".join(f"{row['flux']} {row['quarantaine_pct']:.4f} %" for row in france)
        return DataError(
            f"Codes of the seeds or of the release's own label files were expected; {sum(rows for rows, _ in by_code.values()):,}"
            f" rows have others: {named}{' …' if len(by_code) > 8 else ''}. They are kept out of all totals: {shares or '0 %'}"
            f" in {self.periode} (blocked above {limit_pct} % of a flow).",
            where=str(self.folder / "mart_national_quarantaine.parquet"),
            cause="a code that the customs created since the seeds were made, or a damaged row",
            remedy="add the code to dbt_project/seeds with its source, or raise COMEX_QUARANTAINE_MAX_PCT knowingly, and run again",
            check="codes_are_known",
        )

    def _read_mart(self, mart: str) -> pd.DataFrame:
        """Rows of the period. Asked for through `_read`, which keeps them: a frame is shared, nobody may change it."""
        path = self.folder / f"{mart}.parquet"
        if not path.exists():
            raise DataError(
                f"{path.name} was expected; the folder holds {len(list(self.folder.glob('*.parquet')))} marts.",
                where=str(self.folder),
                cause="no build has finished here yet, or the last one failed before its marts",
                remedy="run `make fiches`, and read its first error",
            )
        # dbt writes one row of NULLs for an empty mart; it has no period.
        frame = duckdb.connect().execute(f"from read_parquet('{path}') where periode = '{self.periode}'").df()
        optional = {column: "Int64" for column in ("valeur_precedente_eur", "rang_france", "precision_eur") if column in frame}
        return frame.astype(optional)


def _de(frame: pd.DataFrame, territoire: Territoire) -> pd.DataFrame:
    return frame.loc[(frame["niveau"] == territoire.niveau) & (frame["code"] == territoire.code)].reset_index(drop=True)


def row_count(folder: Path, mart: str) -> int:
    """Rows of a mart's Parquet, over all periods; not the one of NULLs that dbt writes for an empty mart."""
    [(count,)] = duckdb.connect().execute(f"select count(periode) from read_parquet('{folder / mart}.parquet')").fetchall()
    return count


def empreinte(frame: pd.DataFrame) -> str:
    """Digest of the values, whatever the order of the rows and the bytes of the Parquet: sha256 of the sorted lines of their CSV."""
    return _digest(*_csv(frame))


def _csv(frame: pd.DataFrame) -> tuple[str, list[str]]:
    """Head and rows, each on a line; a row that holds a line end, in a label, is one all the same."""
    head, *lines = frame.to_csv(index=False, lineterminator="\0").split("\0")
    return head, lines[:-1]


def _digest(head: str, lines: list[str]) -> str:
    return hashlib.sha256("\n".join([head, *sorted(lines)]).encode()).hexdigest()
