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
from pipeline.pertes import raison
from pipeline.territoires import FRANCE, Territoire, tous

SUJETS = ("reperes", "balance", "produits", "flux")
# Marts that fiches read: of each level, then those that hold all levels in one.
DE_FICHE = {
    "national": tuple(f"mart_national_{sujet}" for sujet in (*SUJETS, "classement")),
    "departement": tuple(f"mart_departement_{sujet}" for sujet in (*SUJETS, "fiabilite")),
}
COMMUNS = tuple(f"mart_national_{sujet}" for sujet in ("specificites", "pertes", "reconciliation", "publies"))
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
    "losses_are_small_everywhere": (
        "pertes",
        "perte_forte",
        "No territory and flow loses more than COMEX_QUARANTAINE_MAX_PCT; a fiche of one that does is made, and says so.",
    ),
    "no_data_are_missing": (
        "pertes",
        "donnees_manquantes",
        "Every territory has its data: no quarter without a row where there were some a year before, and none without any at all.",
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
        "What is kept out of all totals (unknown codes, no value, negative or suppressed values) stays below"
        " COMEX_QUARANTAINE_MAX_PCT of a flow of France: of its rows, euros, zones, goods and partners, the worst counts.",
    ),
}
# Why rows are kept out: the likely cause, and what to do about it. Any other reason is one that the file itself gives.
INCONNU = (
    "codes that the customs created since the seeds were made, or damaged rows",
    "add the codes to dbt_project/seeds with their source",
)
RETENU = ("values that the producer suppressed or left out of this release", "ask the producer for them")
CAUSES = {
    "departement_inconnu": INCONNU,
    "produit_inconnu": INCONNU,
    "pays_inconnu": INCONNU,
    "pays_echu": (
        "codes of countries that ended before these quarters, and that have several successors or none",
        "ask the producer which successor is meant; where there is one, add it to dbt_project/seeds/pays_successeurs.csv",
    ),
    "valeur_vide": ("rows without a value in the release", "ask the producer for the missing values"),
    "valeur_negative": ("corrections written as negative amounts", "ask the producer what they correct"),
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
        """What is kept out of the totals, by quarter; no row when every row counts."""
        return self._read("mart_national_quarantaine")

    def pertes(self, territoire: Territoire) -> pd.DataFrame:
        """What is kept out of a territory's flows, each reason apart; no row when every row counts."""
        return _de(self._read("mart_national_pertes"), territoire)

    def sans_donnees(self, territoire: Territoire) -> DataError | None:
        """Why there is nothing to say of a territory: its data are missing in both flows; None when one has some."""
        reperes = self.territoire(territoire)["reperes"]
        if any(reperes["est_disponible"]):
            return None
        inconnus = self.pertes(FRANCE).query("motif == 'departement_inconnu'")
        codes = " ".join(dict.fromkeys(" ".join(inconnus["codes"]).split()))
        elsewhere = f"; {inconnus['lignes'].sum():,} rows stand under codes of départements that no table knows ({codes})"
        quarters = {row["flux"]: row["trimestres_manquants"] for row in reperes.to_dict("records")}
        return DataError(
            f"Rows of {territoire.nom} ({territoire.code}) were expected in {self.periode}; none stands for "
            + ", ".join(f"{flux} {missing}" for flux, missing in quarters.items())
            + ". Missing data are not zero: no fiche is made of them.",
            where=str(self.folder / f"mart_{territoire.niveau.replace('region', 'national')}_reperes.parquet"),
            cause="its rows are not in the releases read, or are kept out of the totals" + (elsewhere if len(inconnus) else ""),
            remedy="ask the producer; if a code changed, add it to dbt_project/seeds/departement_alias.csv with its source, and run again",
        )

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
            columns = ["flux", "motif", "lignes", "lignes_pct", "valeur_eur", "valeur_pct", "codes"]
            return (str(notice), self.pertes(FRANCE).filter(columns).to_dict("records")) if notice else ("", [])
        if sujet == "pertes":
            return self._incomplets(check, rule)
        if sujet == "libelles":
            return self._other_labels(check, rule)
        found = self.plausibilite.loc[lambda rows: rows["regle"] == rule]
        if found.empty:
            return "", []
        first = found.to_dict("records")[0]
        digits = ",.4g" if first["unite"] == "eur_par_kg" else ",.0f"
        found_there = "nothing" if pd.isna(first["valeur"]) else f"{first['valeur']:{digits}}"
        expected = "" if pd.isna(first["attendu"]) else f" against {first['attendu']:{digits}}"
        change = "" if pd.isna(first["ecart_pct"]) else f" ({first['ecart_pct']:+.1f} %)"
        return (
            f"{check}, {self.periode}: {len(found)} found. The farthest: {first['niveau']} {first['code']}, {first['flux']},"
            f" {first['objet']}: {found_there}{expected} {first['unite']}{change}.",
            found.to_dict("records"),
        )

    def _incomplets(self, check: str, rule: str) -> tuple[str, list[dict[str, Any]]]:
        """The flows of territories that lose more than is allowed, or whose data are missing: words, and a row for each."""
        there = self.reperes["est_disponible"]
        found = self.reperes.loc[(there & self.reperes["est_perte_forte"]) if rule == "perte_forte" else ~there]
        if found.empty:
            return "", []
        reasons: dict[tuple[str, ...], list[str]] = {}
        for row in self._read("mart_national_pertes").to_dict("records"):
            told = f"{raison(row['motif'])} ({row['lignes']} lignes, {row['valeur_eur']} €)"
            reasons.setdefault((row["niveau"], row["code"], row["flux"]), []).append(told)
        columns = ["niveau", "code", "nom", "flux"] + (
            ["perte_pct", "quarantaine_lignes", "quarantaine_lignes_pct", "quarantaine_eur", "quarantaine_pct"]
            if rule == "perte_forte"
            else ["trimestres_manquants"]
        )
        extra = ["departements_manquants", "manquant_pct"] if rule == "perte_forte" else []
        rows = [
            row | {"raisons": ", ".join(reasons.get((row["niveau"], row["code"], row["flux"]), []))}
            for row in found.sort_values("perte_pct", ascending=False, kind="stable")
            .filter([*columns, *extra])
            .to_dict("records")
        ]
        names = [f"{row['nom']} ({row['code']}), {row['flux']}" for row in rows]
        what = "flows are incomplete, and marked so" if rule == "perte_forte" else "flows have no data, which is not zero"
        return f"{check}, {self.periode}: {len(rows)} {what}: {'; '.join(names[:10])}{' …' if len(names) > 10 else ''}.", rows

    def _other_labels(self, check: str, rule: str) -> tuple[str, list[dict[str, Any]]]:
        rows = self.libelles.loc[lambda rows: rows["regle"] == rule].to_dict("records")
        told = "; ".join(
            f"{row['nomenclature']} {row['code']}: « {row['libelle']} » in {row['archive']}, « {row['libelle_connu']} » in ours"
            for row in rows[:LABELS_TOLD]
        )
        more = f" and {len(rows) - LABELS_TOLD} more" if len(rows) > LABELS_TOLD else ""
        return (f"{check}, {self.periode}: {len(rows)} differ. {told}{more}. The release's is printed." if rows else "", rows)

    def quarantine_exceeds(self, limit_pct: float) -> bool:
        """Is more kept out of a national flow of this period than `limit_pct`, by the worst measure of it?"""
        france = self.reperes[self.reperes["niveau"] == "france"]
        return bool((france["perte_pct"] > limit_pct).any())

    def quarantine_notice(self, limit_pct: float) -> DataError | None:
        """What is kept out of the totals, in four parts, each reason apart; None when every row counts."""
        lost = self.pertes(FRANCE).to_dict("records")
        if not lost:
            return None
        named = "; ".join(
            f"{row['flux']}s {row['motif']}{_quoted(row['codes'].split())} ({row['lignes']:,} rows, {row['valeur_eur']:,} €)"
            for row in lost
        )
        told = [CAUSES.get(row["motif"], RETENU) for row in lost]
        causes, remedies = (dict.fromkeys(part) for part in zip(*told, strict=True))
        return DataError(
            f"Rows that count were expected; {sum(row['lignes'] for row in lost):,} rows do not: {named}. They are kept out of all"
            f" totals: {'; '.join(self._shares_lost())} in {self.periode} (blocked when the worst is above {limit_pct} %).",
            where=str(self.folder / "mart_national_pertes.parquet"),
            cause="; ".join(causes),
            remedy=f"{'; '.join(remedies)}; or raise COMEX_QUARANTAINE_MAX_PCT knowingly, and run again",
            check="codes_are_known",
        )

    def _shares_lost(self) -> list[str]:
        """What each national flow loses, by each measure."""
        return [
            f"{row['flux']} {row['quarantaine_lignes_pct']:.4f} % of rows, {row['quarantaine_pct']:.4f} % of euros,"
            f" {row['zones_perdues']} zones ({row['zones_perdues_pct']:.2f} %), {row['produits_perdus']} goods"
            f" ({row['produits_perdus_pct']:.2f} %), {row['pays_perdus']} partners ({row['pays_perdus_pct']:.2f} %)"
            for row in self.territoire(FRANCE)["reperes"].to_dict("records")
            if row["quarantaine_lignes"]
        ]

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


def _quoted(codes: list[str]) -> str:
    """The first codes, to be read after a reason; nothing for none."""
    return "".join(f" {code!r}" for code in codes[:5]) + (f" and {len(codes) - 5} more" if len(codes) > 5 else "")


def _csv(frame: pd.DataFrame) -> tuple[str, list[str]]:
    """Head and rows, each on a line; a row that holds a line end, in a label, is one all the same."""
    head, *lines = frame.to_csv(index=False, lineterminator="\0").split("\0")
    return head, lines[:-1]


def _digest(head: str, lines: list[str]) -> str:
    return hashlib.sha256("\n".join([head, *sorted(lines)]).encode()).hexdigest()
