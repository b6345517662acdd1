"""Could this be the foreign trade of France? Rows, euros and euros per kilogram of an archive, against what is known.

`BANDS` is the whole of it, as data: what is measured, between which numbers, and where these come from. `judge` weighs the
facts of a new archive (`rows.py`) on them: against absolute bands, which hold on a first release too, and against the former
release of a quarter, the same quarter a year before and published totals. All that fails is told at once, with the cause
that the numbers bear out; an operator who knows better accepts a check by name (`--accept`, COMEX_ACCEPT).

Bands refuse what would make fiches nonsense. What is only unlikely is told later, by good and territory (dbt, `CONTROLES`).
Few rows with heavy tails must pass: with 10 000 rows a quarter, log-normal, one quarter in a thousand is 2.5 times its
neighbour and one row carries most of another, while a year's total is steady. So bands are narrow where years are summed.

Add here: a band, or a cause that the facts can test for. Keep out: verdicts on a row (`rows.py`), changes that are told and
kept (`drift.py`), meanings of codes (dbt).
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pipeline.archive.drift import Before, Drift
from pipeline.archive.inspect import Received
from pipeline.errors import ComexError, ReleaseError
from pipeline.territoires import seed
from pipeline.typographie import INSECABLE, liste, montant, nombre, pct

Facts = dict[str, dict[str, Any]]  # of an archive, by quarter: what `rows.extract` knows

ROWS, EMPTY = "row_counts_follow_the_former_release", "values_are_there"  # whose limits are settings
WHOLE = "plausibility"  # the name of the family, for `--accept`
CHECKS = {  # name: what is so, in English and in French
    "rows_are_written_once": (
        "Rows and keys stand once; the share of identical rows, and of keys that come again, is small.",
        "Chaque ligne n’est écrite qu’une fois\u00a0: la part des lignes identiques et des clés répétées est faible.",
    ),
    EMPTY: (
        "Values are there: rows without any are fewer than COMEX_QUARANTAINE_MAX_PCT of all.",
        "Les valeurs sont là\u00a0: les lignes qui n’en ont aucune sont moins nombreuses que la limite (réglage "
        "COMEX_QUARANTAINE_MAX_PCT).",
    ),
    "no_single_row_carries_the_flow": (
        "No single row carries most of a flow.",
        "Aucune ligne ne porte à elle seule l’essentiel d’un flux.",
    ),
    "unit_values_are_possible": (
        "Euros per kilogram, overall and at the median of the rows, are possible for foreign trade.",
        "Les euros par kilogramme, en tout et à la médiane des lignes, sont possibles pour un commerce extérieur.",
    ),
    "quarter_totals_are_possible": (
        "Totals of a quarter, and of a year, are possible for France.",
        "Les totaux d’un trimestre et d’une année sont possibles pour la France.",
    ),
    "rows_per_quarter_are_plausible": (
        "Each quarter has as many rows as a release of the country can have.",
        "Chaque trimestre a un nombre de lignes possible pour une publication du pays entier.",
    ),
    "totals_follow_the_published": (
        "The total of a year is near the one published for the same scope.",
        "Le total d’une année est proche de celui qui est publié pour le même champ.",
    ),
    "totals_follow_the_former_release": (
        "Each quarter's total is near the one of the former release of that quarter.",
        "Le total de chaque trimestre est proche de celui de la publication précédente.",
    ),
    "unit_values_follow_the_former_release": (
        "Euros per kilogram of a quarter are near those of the former release of that quarter.",
        "Les euros par kilogramme d’un trimestre sont proches de ceux de la publication précédente.",
    ),
    ROWS: (
        "Each quarter has about as many rows as the former release gave it (COMEX_ECART_LIGNES_MAX_PCT).",
        "Un trimestre a un nombre de lignes comparable à celui de la publication précédente (réglage COMEX_ECART_LIGNES_MAX_PCT).",
    ),
    "totals_follow_the_year_before": (
        "Totals are of the order of those of the same quarters a year before.",
        "Les totaux sont de l’ordre de ceux des mêmes trimestres un an plus tôt.",
    ),
    "row_counts_follow_the_year_before": (
        "Each quarter has rows in the order of those of the same quarter a year before.",
        "Chaque trimestre a un nombre de lignes de l’ordre de celui du même trimestre un an plus tôt.",
    ),
}
# The others of the family are judged elsewhere: suppressed values row by row, codes once they have a meaning (dbt).
FAMILY = (*CHECKS, "values_are_published", "codes_are_known")
LEAST_ROWS = 100  # of a quarter known before: below, half more or less says nothing


@dataclass(frozen=True)
class Allowed:
    """What an operator allows: two limits in percent, and the checks that may fail, by name."""

    rows_pct: float = 50.0
    empty_pct: float = 1.0
    names: frozenset[str] = frozenset()

    def accepts(self, check: str) -> bool:
        """May this check fail?"""
        return accepts(self.names, check)


STRICT = Allowed()


def accepts(names: Iterable[str], check: str) -> bool:
    """Do these names let a check of the family fail?"""
    return check in FAMILY and bool({check, WHOLE} & set(names))


@dataclass(frozen=True)
class Known:
    """What stands beside an archive: facts by its quarters, each with the name of the archive; published euros by year."""

    former: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    year_before: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    published: dict[str, tuple[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """One thing measured: of which quarters, what was found, and what it is held against, with its name."""

    where: str
    found: float
    against: float | None = None
    name: str = ""

    @property
    def weighed(self) -> float:
        """What must lie in the band: the measure itself, or its ratio to what it is held against."""
        return self.found if self.against is None else self.found / self.against


Measure = Callable[[Facts, Known], Iterable[Reading]]
Value = Callable[[dict[str, Any]], float | None]


def lignes(fact: dict[str, Any]) -> float | None:
    """Rows of a quarter."""
    return fact["lignes"]


def total(fact: dict[str, Any]) -> float | None:
    """Euros of a quarter."""
    return fact["valeur_eur"]


def mediane(fact: dict[str, Any]) -> float | None:
    """Median of the rows' euros per kilogram, where both are above zero."""
    return fact["prix_median"]


def ensemble(fact: dict[str, Any]) -> float | None:
    """Euros per kilogram of a quarter, over the rows that have both."""
    return fact["pesees_eur"] / fact["pesees_kg"] if fact["pesees_kg"] else None


def by_quarter(value: Value) -> Measure:
    """Each quarter's own."""
    return lambda facts, known: [Reading(q, found) for q, fact in facts.items() if (found := value(fact)) is not None]


def beside(value: Value, attribute: str, least_rows: int = 1) -> Measure:
    """Each quarter's own beside the former release's, or the one of a year before."""

    def measure(facts: Facts, known: Known) -> Iterator[Reading]:
        for quarter, (name, then) in getattr(known, attribute).items():
            found, against = value(facts[quarter]) if quarter in facts else None, value(then)
            if found is not None and against and against > 0 and then["lignes"] >= least_rows:
                yield Reading(quarter, found, against, name)

    return measure


def share(name: str) -> Measure:
    """Percent of the archive's rows."""
    return lambda facts, known: [Reading(_span(facts), 100 * _sum(facts, name) / max(_sum(facts, "lignes"), 1))]


def largest(facts: Facts, known: Known) -> Iterator[Reading]:
    """Percent that the largest amount, of either sign, has of all: itself and the sum of the others."""
    quarter, fact = max(facts.items(), key=lambda each: max(each[1]["plus_grandes"], default=0))
    if fact["plus_grandes"] and fact["plus_grandes"][0]:
        value = fact["ligne_valeur_masse"][0]
        yield Reading(quarter, 100 * abs(value) / (abs(value) + abs(_sum(facts, "valeur_eur") - value)))


def year(facts: Facts, known: Known) -> Iterator[Reading]:
    """Euros of a year: four times the mean quarter, where there are four at least."""
    if len(facts) >= 4:
        yield Reading(_span(facts), 4 * _sum(facts, "valeur_eur") / len(facts))


def year_beside_the_one_before(facts: Facts, known: Known) -> Iterator[Reading]:
    """Euros of all quarters of which the one of a year before is known, where there are four at least."""
    both = {quarter: facts[quarter] for quarter in known.year_before if quarter in facts}
    against = sum(known.year_before[quarter][1]["valeur_eur"] for quarter in both)
    if len(both) >= 4 and against > 0:
        yield Reading(_span(both), _sum(both, "valeur_eur"), against, next(iter(known.year_before.values()))[0])


def year_beside_the_published(facts: Facts, known: Known) -> Iterator[Reading]:
    """Euros of each whole year of which a total is published."""
    for annee, (name, euros) in known.published.items():
        quarters = {q: fact for q, fact in facts.items() if q[:4] == annee}
        if len(quarters) == 4:
            yield Reading(annee, _sum(quarters, "valeur_eur"), euros, name)


@dataclass(frozen=True)
class Band:
    """A measure of a check must lie between two numbers. `source`: where they come from; `flux`: the flows it holds for."""

    check: str
    measure: Measure
    low: float
    high: float
    unit: str  # rows, €, €/kg, %
    objet: str  # what is measured, in French
    source: str
    flux: str = "EI"


MD = 10**9
# Exports were 105 to 155 Md€ a quarter and imports 115 to 190 from 2015 to 2025 (DGDDI), 346 and 398 a year at the lowest, in 2009.
REAL = "105 to 190 a quarter from 2015 to 2025"
USUAL = 1.5, 50  # €/kg at the median of the rows
BANDS = (
    Band(
        "rows_are_written_once", share("jumelles"), 0, 1, "%", "lignes identiques à une autre", "one département, good, country"
    ),
    Band("rows_are_written_once", share("cles_repetees"), 0, 20, "%", "clés répétées", "one département, good, country"),
    Band(EMPTY, share("sans_valeur"), 0, math.nan, "%", "lignes sans valeur", "COMEX_QUARANTAINE_MAX_PCT"),
    # The largest real ones are some 5 Md€, 1 % of a year; a small sample with heavy tails has shown 30 %.
    Band("no_single_row_carries_the_flow", largest, 0, 60, "%", "part de la plus grande ligne", "really about 1 % of a year"),
    # Overall about 2 to 3, the median over rows 4 to 15: goods that are light and dear make many rows.
    Band("unit_values_are_possible", by_quarter(mediane), 0.6, 300, "€/kg", "médiane des lignes", "really about 4 to 15"),
    Band("unit_values_are_possible", by_quarter(ensemble), 0.1, 100, "€/kg", "ensemble du flux", "really about 2 to 3"),
    Band("quarter_totals_are_possible", by_quarter(total), 40 * MD, 600 * MD, "€", "total d’un trimestre", REAL),
    Band("quarter_totals_are_possible", year, 330 * MD, 950 * MD, "€", "total d’un an", "346 in 2009, about 620 in 2025", "E"),
    Band("quarter_totals_are_possible", year, 380 * MD, 1100 * MD, "€", "total d’un an", "398 in 2009, 760 in 2022", "I"),
    # The embedded example at a hundredth has 2 250; the customs have some hundreds of thousands.
    Band("rows_per_quarter_are_plausible", by_quarter(lignes), 2_000, 5_000_000, "rows", "trimestre", "really some 300,000"),
    # Revisions are about 0.5 % on a year.
    Band("totals_follow_the_published", year_beside_the_published, 0.75, 1.25, "€", "total publié", "revisions are about 0.5 %"),
    Band("totals_follow_the_former_release", beside(total, "former"), 0.7, 1.3, "€", "total", "revisions are about 0.5 %"),
    Band(
        "unit_values_follow_the_former_release",
        beside(mediane, "former"),
        0.5,
        2,
        "€/kg",
        "médiane des lignes",
        "moved by little",
    ),
    Band(
        "unit_values_follow_the_former_release",
        beside(ensemble, "former"),
        0.4,
        2.5,
        "€/kg",
        "ensemble du flux",
        "moved by little",
    ),
    Band(ROWS, beside(lignes, "former", LEAST_ROWS), math.nan, math.nan, "rows", "trimestre", "COMEX_ECART_LIGNES_MAX_PCT"),
    # The worst real ones: 0.70 (exports, second quarter of 2020), 1.35 (imports, first of 2022).
    Band(
        "totals_follow_the_year_before", beside(total, "year_before"), 0.25, 4, "€", "trimestre", "really 0.70 to 1.35 at worst"
    ),
    Band("totals_follow_the_year_before", year_beside_the_one_before, 0.6, 1.7, "€", "total d’un an", "really 0.83 to 1.30"),
    Band(
        "row_counts_follow_the_year_before",
        beside(lignes, "year_before", LEAST_ROWS),
        0.4,
        2.5,
        "rows",
        "trimestre",
        "moved by a few %",
    ),
)


@dataclass(frozen=True)
class Finding:
    """A check that fails: in English for the operator, in French for readers, and its readings as rows of a report."""

    check: str
    found: str
    constat: str
    readings: tuple[tuple[str, str, str, float | None, str], ...]


def judge(received: Received, facts: Facts, before: Before, allowed: Allowed = STRICT) -> dict[str, str]:
    """Weigh a new archive on all bands. Raises ReleaseError with everything that fails and is not accepted.

    `before` is what stood in its flow, by quarter. Returns what fails and is accepted: by check, what was found, in French.
    """
    flux = received.contents.flux
    sound = not _findings(facts, Known(), flux, allowed)
    known = _known(facts, before, flux, allowed, sound=sound)
    found = _findings(facts, known, flux, allowed)
    refused = [finding for finding in found if not allowed.accepts(finding.check)]
    if refused:
        raise _refusal(received, facts, known, found, refused, allowed)
    return {finding.check: finding.constat for finding in found}


def failed(error: ComexError) -> list[str]:
    """The checks of the family that a refusal names; none for another error."""
    return [drift.check for drift in drifts(error)]


def year_before(quarter: str) -> str:
    """`2024T1` → `2023T1`."""
    return f"{int(quarter[:4]) - 1}{quarter[4:]}"


@cache
def published(flux: str) -> dict[str, tuple[str, int]]:
    """Published totals of France in the scope of the open base, by year."""
    name = {"E": "export", "I": "import"}[flux]
    rows = (row for row in seed("totaux_publies") if row["niveau"] == "france" and row["perimetre"] == "base_ouverte")
    return {row["annee"]: (row["source"], int(row["valeur_eur"])) for row in rows if row["flux"] == name}


def _known(facts: Facts, before: Before, flux: str, allowed: Allowed, *, sound: bool) -> Known:
    """What an archive can be held against. One that is `sound` by itself is not held against one that is not, or that was
    accepted: a good release puts right what a bad one left.
    """
    whole: dict[str, Facts] = {}
    for quarter, (kept, fact) in before.items():
        whole.setdefault(kept.id, {})[quarter] = fact
    unfit = {
        kept.id for kept, _ in before.values() if sound and (kept.accepted or _findings(whole[kept.id], Known(), flux, allowed))
    }
    given = {quarter: (kept.name, fact) for quarter, (kept, fact) in before.items() if kept.id not in unfit}
    return Known(
        {quarter: given[quarter] for quarter in facts if quarter in given},
        {quarter: given[year_before(quarter)] for quarter in facts if year_before(quarter) in given},
        published(flux),
    )


def _findings(facts: Facts, known: Known, flux: str, allowed: Allowed) -> list[Finding]:
    """All checks that fail, in the order of CHECKS: the most telling first."""
    far: dict[str, list[tuple[Band, list[Reading], int]]] = {}
    for band in BANDS:
        low, high = _limits(band, allowed)
        readings = list(band.measure(facts, known)) if flux in band.flux else []
        outside = [reading for reading in readings if not low <= reading.weighed <= high]
        if outside:
            far.setdefault(band.check, []).append((band, outside, len(readings)))
    return [_finding(check, far[check], allowed) for check in CHECKS if check in far]


def _limits(band: Band, allowed: Allowed) -> tuple[float, float]:
    """The numbers of a band, those of the operator where they are settings."""
    if band.check == ROWS:
        return 1 - allowed.rows_pct / 100, 1 + allowed.rows_pct / 100
    return band.low, allowed.empty_pct if band.check == EMPTY else band.high


def _finding(check: str, bands: list[tuple[Band, list[Reading], int]], allowed: Allowed) -> Finding:
    english, french, rows = [], [], []
    for band, outside, measured in bands:
        low, high = _limits(band, allowed)
        worst = max(outside, key=lambda reading: _excess(reading.weighed, low, high))
        unit, value = band.unit, worst.found
        so = f" ({len(outside)} of {measured} so)" if measured > 1 else ""
        ainsi = f" ({nombre(len(outside))} trimestres sur {nombre(measured)})" if measured > 1 else ""
        if worst.against is None:
            english.append(
                f"{worst.where} has {_en(value, unit)}, {_en(low, unit)} to {_en(high, unit)} expected{so}: {band.source}"
                if low
                else f"{worst.where} has {_en(value, unit)}, {_en(high, unit)} at most expected: {band.source}"
            )
            attendu = f"de {_fr(low, unit)} à {_fr(high, unit)} attendus" if low else f"{_fr(high, unit)} au plus attendu"
            french.append(f"{band.objet}, {_quand(worst.where)}\u00a0: {_fr(value, unit)}, {attendu}{ainsi}")
        else:
            change, least, most = (100 * (ratio - 1) for ratio in (worst.weighed, low, high))
            english.append(
                f"{worst.where} has {_en(value, unit)} against {_en(worst.against, unit)} in {worst.name} ({change:+.1f} %,"
                f" {least:+g} to {most:+g} % allowed){so}: {band.source}"
            )
            french.append(
                f"{band.objet}, {_quand(worst.where)}\u00a0: {_fr(value, unit)} au lieu de {_fr(worst.against, unit)} ({pct(change, signe=True)},"
                f" de {nombre(least, signe=True)} à {nombre(most, signe=True)}{INSECABLE}% admis){ainsi}"
            )
        for reading in outside:
            expected = f"{_fr(low, unit)} – {_fr(high, unit)}" if reading.against is None else _fr(reading.against, unit)
            ratio = None if reading.against is None else 100 * (reading.weighed - 1)
            rows.append((reading.where, expected, _fr(reading.found, unit), ratio, reading.name))
    return Finding(check, "; ".join(english), "\u00a0; ".join(french), tuple(rows))


def _excess(value: float, low: float, high: float) -> float:
    """How far beyond its band a value is, in orders of magnitude."""
    if value <= 0:
        return math.inf
    return math.log(low / value) if value < low else math.log(value / high)


def _refusal(
    received: Received, facts: Facts, known: Known, found: list[Finding], refused: list[Finding], allowed: Allowed
) -> ReleaseError:
    cause, en_francais = _cause(facts, known, received.contents.flux, allowed, found)
    told = "".join(f"\n    {finding.check}: {finding.found}" + ("" if finding in refused else " [accepted]") for finding in found)
    names = " ".join(f"--accept {finding.check}" for finding in found)
    return ReleaseError(
        f"Rows, euros and euros per kilogram that are possible were expected; {received.name} fails {len(found)} of"
        f" {len(CHECKS)} checks of plausibility:{told}",
        where=f"{received.name}, {received.contents.data_member}",
        cause=cause,
        remedy=f"take the archive again, or ask the customs. Who knows better lets it in with {names}: every fiche made from it"
        " says so, and these bytes, once kept, need no second accept. `--accept plausibility` (the whole family) is meant for"
        " trials with few rows",
        check=refused[0].check,
        facts={
            "constats": [
                Drift(each.check, {"constat": each.constat, "cause": en_francais, "trimestres": list(each.readings)})
                for each in refused
            ]
        },
    )


def drifts(error: ComexError) -> list[Drift]:
    """All that a refusal found, one by one, for its report; nothing of another error."""
    return error.facts.get("constats", [])


# --- causes: what the file would be if it were put right --------------------------------------------------------------------


@dataclass(frozen=True)
class Cause:
    """A tested cause: in both languages, and the facts as they would be without it (None: they cannot be told)."""

    told: str
    dit: str
    repaired: Facts | None
    of_prices: bool = False


def _cause(facts: Facts, known: Known, flux: str, allowed: Allowed, found: list[Finding]) -> tuple[str, str]:
    """Of the causes that the numbers bear out, the one that leaves the least to explain; else that none of them does."""
    best: tuple[tuple[int, float], Cause, list[Finding]] | None = None
    for cause in _causes(facts, known, allowed):
        left = [] if cause.repaired is None else _findings(cause.repaired, known, flux, allowed)
        rank = len(left), math.inf if cause.repaired is None else _distance(cause.repaired, known, flux)
        if len(left) < len(found) and _is_usual(cause) and (best is None or rank < best[0]):
            best = rank, cause, left
    if best is None:
        return (
            "none of those that were tested for explains it: amounts in k€, M€ or cents, value and mass exchanged, rows written"
            " twice, values that are zero or empty, one giant row, a file that was cut, rows that are missing"
            " beside what is known",
            "aucune de celles qui ont été essayées n’explique cela\u00a0: montants en k€, en M€ ou en centimes, valeur et masse "
            "échangées, lignes écrites deux fois, valeurs nulles ou vides, une ligne démesurée, fichier "
            "coupé, lignes manquantes par rapport à ce qui est connu",
        )
    _, cause, left = best
    if cause.repaired is None:
        return cause.told, cause.dit
    euros, price = _sum(cause.repaired, "valeur_eur"), [m for fact in cause.repaired.values() if (m := mediane(fact))]
    told, dit = f"{_en(euros, '€')}", _fr(euros, "€")
    if price:
        middle = sorted(price)[len(price) // 2]
        told, dit = f"{told} and {_en(middle, '€/kg')} at the median", f"{dit} et {_fr(middle, '€/kg')} à la médiane"
    remain = f"; {', '.join(finding.check for finding in left)} would still fail" if left else ", all of them in the bands"
    reste = "\u00a0; d’autres contrôles échoueraient encore" if left else ", ce qui est dans les bornes"
    return f"{cause.told}: put right, the flow has {told}{remain}", f"{cause.dit}\u00a0; corrigé, le flux porte {dit}{reste}"


def _is_usual(cause: Cause) -> bool:
    """Are euros per kilogram, where the cause touches them, not only possible but like those of trade? A factor finds some band."""
    medians = [each for fact in (cause.repaired or {}).values() if (each := mediane(fact))]
    return not cause.of_prices or not medians or USUAL[0] <= sorted(medians)[len(medians) // 2] <= USUAL[1]


def _causes(facts: Facts, known: Known, allowed: Allowed) -> Iterator[Cause]:
    rows = _sum(facts, "lignes")
    twins, again = _sum(facts, "jumelles"), _sum(facts, "cles_repetees")
    for name, copies, told, dit in (
        ("jumelles", twins, "rows written more than once", "sont la copie d’une autre"),
        (
            "cles_repetees",
            again,
            "two versions of the same rows in one file",
            "reprennent la clé d’une autre avec d’autres montants",
        ),
    ):
        if copies > rows / 100 and (name == "jumelles" or copies > 2 * twins):
            once = {q: _once(fact, name) for q, fact in facts.items()}
            yield Cause(
                f"{told}: {copies:,} of {rows:,} have the {'fields' if name == 'jumelles' else 'key'} of another",
                f"des lignes écrites plusieurs fois ({nombre(copies)} sur {nombre(rows)} {dit})",
                once,
            )
    if (zeros := _sum(facts, "nulles")) > rows * 0.9:
        yield Cause(
            f"values that are zero: {zeros:,} of {rows:,} rows",
            f"des valeurs nulles ({nombre(zeros)} lignes sur {nombre(rows)})",
            None,
        )
    empty = _sum(facts, "sans_valeur")
    if rows and 100 * empty / rows > allowed.empty_pct:
        told = f"empty values: {empty:,} of {rows:,} rows have none"
        dit = f"des valeurs vides ({nombre(empty)} lignes sur {nombre(rows)})"
        filled = (
            {q: fact | {"sans_valeur": 0} for q, fact in _times(facts, rows / (rows - empty)).items()} if empty < rows else None
        )
        yield Cause(told, dit, filled)
    for factor, told, dit in (
        (1_000, "amounts in thousands of euros (k€) instead of euros", "des montants en milliers d’euros (k€) au lieu d’euros"),
        (10**6, "amounts in millions of euros (M€) instead of euros", "des montants en millions d’euros (M€) au lieu d’euros"),
        (1e-2, "amounts in cents instead of euros", "des montants en centimes au lieu d’euros"),
        (1e-3, "amounts a thousand times too large", "des montants mille fois trop grands"),
    ):
        yield Cause(told, dit, _times(facts, factor, prices=True), of_prices=True)
    exchanged = {q: _exchanged(fact) for q, fact in facts.items()}
    yield Cause(
        "value and mass exchanged (fields 9 and 10)", "valeur et masse échangées (champs 9 et 10)", exchanged, of_prices=True
    )
    yield from _giants(facts)
    cut = list(_cut(facts))
    yield from cut
    yield from [] if cut else _missing(facts, known)


def _once(fact: dict[str, Any], name: str) -> dict[str, Any]:
    """A quarter with each of its rows once."""
    [once] = _times({"": fact}, 1 - fact[name] / fact["lignes"], rows=True).values()
    return once | {"jumelles": 0, "cles_repetees": 0}


def _giants(facts: Facts) -> Iterator[Cause]:
    """One row in a quarter that is worth more than all its others; its fields are quoted."""
    repaired, quoted = dict(facts), []
    for quarter, fact in facts.items():
        value, mass = fact["ligne_valeur_masse"] or (None, None)
        if value is None or abs(value) <= abs(fact["valeur_eur"] - value):
            continue
        quoted.append(fact["ligne"])
        weighed = (value, mass) if value > 0 and (mass or 0) > 0 else (0, 0)
        repaired[quarter] = fact | {
            "valeur_eur": fact["valeur_eur"] - value,
            "pesees_eur": fact["pesees_eur"] - weighed[0],
            "pesees_kg": fact["pesees_kg"] - weighed[1],
            "plus_grandes": fact["plus_grandes"][1:],
            "ligne_valeur_masse": [*fact["plus_grandes"][1:2], None] if fact["plus_grandes"][1:] else None,
        }
    if quoted:
        shown = " and ".join(f"« {line} »" for line in quoted)
        yield Cause(
            f"a row that is worth more than all others of its quarter: {shown}",
            f"une ligne qui vaut plus que toutes les autres de son trimestre\u00a0: {shown}",
            repaired,
        )


def _cut(facts: Facts) -> Iterator[Cause]:
    """Rows that end at a département: files are in its order, those before it are there and none after, in every quarter or,
    where quarters follow each other in the file, in the last one.
    """
    zones = sorted(code for row in seed("departements") if (code := row["douane_code"]))
    ends, repaired = {}, dict(facts)
    for quarter, fact in facts.items():
        there = sorted(set(fact["codes"]["departement"]) & set(zones))
        first = set(zones[: len(there)])
        if there and len(there) < 0.97 * len(zones) and len(first - set(there)) <= len(there) // 20:
            ends[quarter] = there[-1]
            repaired |= _times({quarter: fact}, len(zones) / len(there), rows=True)
    if ends and len(facts) > 1 and list(ends) == [max(facts)]:
        repaired = {quarter: fact for quarter, fact in facts.items() if quarter not in ends}
    elif len(ends) < len(facts):
        return
    if ends:
        shown = ", ".join(f"{q} at {code}" for q, code in ends.items())
        yield Cause(
            f"a file that was cut: rows end with a département and there is none after it ({shown}, of {zones[0]} to {zones[-1]})",
            "un fichier coupé\u00a0: les lignes s’arrêtent à un département, aucun de ceux qui suivent n’est là "
            f"({liste([f'{q} au {code}' for q, code in ends.items()])})",
            repaired,
        )


def _missing(facts: Facts, known: Known) -> Iterator[Cause]:
    """Rows that are gone while those that are there look as before: rows and euros fall alike, euros per kilogram stay."""
    there = known.former or known.year_before
    if not there:
        return
    then, now = {q: fact for q, (_, fact) in there.items()}, {q: facts[q] for q in there}
    rows, euros = (_sum(now, name) / max(_sum(then, name), 1) for name in ("lignes", "valeur_eur"))
    steady = all(0.7 < (mediane(now[q]) or 1) / (mediane(fact) or 1) < 1.4 for q, fact in then.items())
    if rows < 0.9 and abs(rows - euros) < 0.2 and steady:
        yield Cause(
            f"missing rows: {_sum(now, 'lignes'):,} of {_sum(then, 'lignes'):,} are there, with {100 * euros:.0f} % of the euros and"
            " the same euros per kilogram",
            f"des lignes manquantes ({nombre(_sum(now, 'lignes'))} au lieu de {nombre(_sum(then, 'lignes'))}), avec "
            f"{pct(100 * euros, 0)} des euros et les mêmes euros par kilogramme",
            facts | _times(now, 1 / max(rows, 1e-9), rows=True),
        )


def _distance(facts: Facts, known: Known, flux: str) -> float:
    """How far totals and median prices are from what is known or usual, in orders of magnitude."""
    usual = {annee: euros / 4 for annee, (_, euros) in known.published.items()}
    far = 0.0
    for quarter, fact in facts.items():
        _, then = known.former.get(quarter) or known.year_before.get(quarter) or ("", {})
        centre = then.get("valeur_eur") or usual.get(quarter[:4]) or {"E": 130, "I": 155}[flux] * MD
        far += abs(math.log(fact["valeur_eur"] / centre)) if fact["valeur_eur"] > 0 and centre > 0 else 100
        price = ensemble(fact)
        far += abs(math.log(price / 2.7)) if price else 0
    return far


def _times(facts: Facts, factor: float, *, rows: bool = False, prices: bool = False) -> Facts:
    """These facts with euros multiplied: by as many rows more (`rows`), or each row's (`prices`: then euros per kilogram too)."""
    found: Facts = {}
    for quarter, fact in facts.items():
        scaled = {name: round(fact[name] * factor) for name in ("valeur_eur", "pesees_eur")}
        if rows:
            scaled |= {name: round(fact[name] * factor) for name in ("lignes", "pesees_kg", "masse_kg")}
        elif prices:
            value, mass = fact["ligne_valeur_masse"] or (0, None)
            scaled |= {
                "prix_median": fact["prix_median"] and fact["prix_median"] * factor,
                "plus_grandes": [each * factor for each in fact["plus_grandes"]],
                "ligne_valeur_masse": [(value or 0) * factor, mass],
            }
        else:
            scaled["pesees_kg"] = round(fact["pesees_kg"] * factor)
        found[quarter] = fact | scaled
    return found


def _exchanged(fact: dict[str, Any]) -> dict[str, Any]:
    """A quarter with value and mass the other way round; the largest of its masses is not known."""
    return fact | {
        "valeur_eur": fact["masse_kg"],
        "masse_kg": fact["valeur_eur"],
        "pesees_eur": fact["pesees_kg"],
        "pesees_kg": fact["pesees_eur"],
        "prix_median": 1 / fact["prix_median"] if fact["prix_median"] else None,
        "plus_grandes": [],
        "ligne_valeur_masse": None,
    }


def _sum(facts: Facts, name: str) -> int:
    return sum(fact[name] for fact in facts.values())


def _span(facts: Facts) -> str:
    quarters = sorted(facts)
    return quarters[0] if len(quarters) == 1 else f"{quarters[0]}–{quarters[-1]}"


def _quand(where: str) -> str:
    """Quarters as readers have them: `2024T1–2024T4` → `T1 2024–T4 2024`."""
    return re.sub(r"(\d{4})(T\d)", rf"\2{INSECABLE}\1", where)


def _en(value: float, unit: str) -> str:
    if unit == "€":
        value, unit = value / MD, "Md€"
    return f"{value:,.0f} {unit}" if unit == "rows" or abs(value) >= 1000 else f"{value:,.4g} {unit}"


def _fr(value: float, unit: str) -> str:
    if unit == "€":
        return montant(round(value), seuil=MD)
    if unit == "rows":
        return f"{nombre(value)}{INSECABLE}lignes"
    if unit == "%":
        return pct(value)
    decimales = 2 if abs(value) >= 0.1 or not value else 1 - math.floor(math.log10(abs(value)))
    return f"{nombre(value, 0 if value >= 100 else decimales)}{INSECABLE}€/kg"
