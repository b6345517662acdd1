"""What an arrival changes: quarters added or revised, euros moved, codes that came or went.

Each arrival is compared once with what stood for its flow when it came, and the result is stored beside the archives:
`comparaisons/<vintage>-<id>.json`, and the same for readers in `.md`. It depends on the log of arrivals alone: a run that was
killed before it is caught up by the next. Add here: another difference worth telling. Keep out: which release stands
in the figures (dbt).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.archive import rows
from pipeline.archive.inspect import FLUX
from pipeline.archive.store import Kept
from pipeline.outputs import write_whole
from pipeline.typographie import INSECABLE, euros, mois, nombre

LARGEST = 10  # movements told
AJOUTE, REVISE, INCHANGE, ANCIEN = "ajouté", "révisé", "inchangé", "plus ancien que ce qui vaut"
Fact = dict[str, Any]  # what is known of a quarter: see `rows.extract`


@dataclass(frozen=True)
class Comparison:
    """One arrival compared: `rapport` as stored, `line` for the summary of a run, `texte` (Markdown) for readers."""

    rapport: dict[str, Any]
    line: str
    texte: str


def write_missing(kept: Iterable[Kept], folder: Path, tables_folder: Path) -> list[Comparison]:
    """Compare the arrivals (`kept`, oldest first) that have no comparison in `folder`, and return these."""
    made: list[Comparison] = []
    standing: dict[str, dict[str, tuple[Kept, Fact]]] = {"E": {}, "I": {}}
    seen: set[str] = set()
    for arrival in kept:
        before, now = standing[arrival.contents.flux], rows.extract(arrival, tables_folder)["par_trimestre"]
        again = f"-{arrival.rang}" if arrival.id in seen else ""  # the same bytes came back
        path = folder / f"{arrival.contents.vintage}-{arrival.id}{again}.json"
        if not path.exists():
            made.append(_told(_compare(arrival, now, before, tables_folder)))
            write_whole(path.with_suffix(".md"), made[-1].texte)
            write_whole(path, json.dumps(made[-1].rapport, ensure_ascii=False, indent=1) + "\n")
        for quarter, fact in now.items():
            if quarter not in before or before[quarter][0].contents.vintage <= arrival.contents.vintage:
                before[quarter] = arrival, fact
        seen.add(arrival.id)
    return made


def _compare(arrival: Kept, now: dict[str, Fact], standing: dict[str, tuple[Kept, Fact]], tables_folder: Path) -> dict[str, Any]:
    """`now` is what the arrival holds and `standing` what stood for its flow, both by quarter."""
    before = {quarter: kept for quarter, (kept, _) in standing.items()}
    then = {quarter: fact for quarter, (_, fact) in standing.items()}
    statuts = {}
    for quarter, fact in now.items():
        former = before.get(quarter)
        if former is None:
            statuts[quarter] = AJOUTE
        elif former.contents.vintage > arrival.contents.vintage:
            statuts[quarter] = ANCIEN
        else:
            statuts[quarter] = INCHANGE if then[quarter]["digest"] == fact["digest"] else REVISE
    replaced = {before[quarter].rang for quarter, statut in statuts.items() if statut in (REVISE, INCHANGE)}
    revised = [quarter for quarter, statut in statuts.items() if statut == REVISE]
    current = [now[quarter] for quarter, statut in statuts.items() if statut != ANCIEN]
    compared = [then[quarter] for quarter, statut in statuts.items() if statut in (REVISE, INCHANGE)]
    return {
        "archive": arrival.name,
        "release_id": arrival.id,
        "rang": arrival.rang,
        "millesime": arrival.contents.vintage,
        "flux": FLUX[arrival.contents.flux],
        "est_premiere": not before,
        "trimestres": [
            {
                "trimestre": quarter,
                "statut": statut,
                "lignes": now[quarter]["lignes"],
                "lignes_avant": then[quarter]["lignes"] if quarter in then else None,
                "valeur_eur": now[quarter]["valeur_eur"],
                "valeur_avant_eur": then[quarter]["valeur_eur"] if quarter in then else None,
                "archive_avant": before[quarter].name if quarter in before else None,
            }
            for quarter, statut in statuts.items()
        ],
        "ecart_revise_eur": sum(now[quarter]["valeur_eur"] - then[quarter]["valeur_eur"] for quarter in revised),
        "trimestres_absents": [
            {"trimestre": quarter, "archive": kept.name}
            for quarter, kept in sorted(before.items())
            if kept.rang in replaced and quarter not in now
        ],
        "codes_apparus": _codes(current, then.values()) if before else {},
        "codes_disparus": _codes(compared, now.values()),
        "mouvements": _movements(arrival, {quarter: before[quarter] for quarter in revised}, tables_folder) if revised else [],
    }


def _codes(these: Iterable[Fact], others: Iterable[Fact]) -> dict[str, list[str]]:
    """By nomenclature, the codes of some quarters' facts that are in none of the others'."""
    these, others = list(these), list(others)
    return {
        name: sorted(
            {code for fact in these for code in fact["codes"][name]} - {c for fact in others for c in fact["codes"][name]}
        )
        for name in rows.CODES
    }


def _movements(arrival: Kept, former: dict[str, Kept], tables_folder: Path) -> list[Fact]:
    """The largest differences of a département, good and partner over the quarters revised."""

    def cells(kept: Kept, quarters: list[str], now: str, then: str) -> str:
        listed = ", ".join(f"'{quarter}'" for quarter in quarters)
        return (
            f"select departement_code, a129_code, pays_code, {now} as apres, {then} as avant"
            f" from read_parquet('{rows.table(tables_folder, kept.id)}') where annee || 'T' || trimestre in ({listed})"
        )

    by_archive: dict[str, tuple[Kept, list[str]]] = {}
    for quarter, kept in former.items():
        by_archive.setdefault(kept.id, (kept, []))[1].append(quarter)
    parts = [cells(arrival, list(former), "valeur_eur", "0"), *(cells(*part, "0", "valeur_eur") for part in by_archive.values())]
    with rows.connect(tables_folder) as con:
        return [
            dict(zip(("departement", "a129", "pays", "valeur_avant_eur", "valeur_eur"), row, strict=True))
            for row in con.execute(
                f"""
                select * from (
                    select departement_code, a129_code, pays_code,
                        coalesce(sum(avant), 0)::bigint as avant, coalesce(sum(apres), 0)::bigint as apres
                    from ({" union all ".join(parts)}) group by departement_code, a129_code, pays_code
                )
                where avant != apres
                order by abs(apres - avant) desc, departement_code, a129_code, pays_code
                limit {LARGEST}
                """
            ).fetchall()
        ]


def _told(rapport: dict[str, Any]) -> Comparison:
    by_statut = {
        statut: [quarter["trimestre"] for quarter in rapport["trimestres"] if quarter["statut"] == statut]
        for statut in (AJOUTE, REVISE, INCHANGE, ANCIEN)
    }
    words = {AJOUTE: "added", REVISE: "revised", INCHANGE: "unchanged", ANCIEN: "older than what stands"}
    parts = [
        f"{len(quarters)} quarter{'s' if len(quarters) > 1 else ''} {words[statut]}"
        + (f" ({' '.join(quarters)})" if statut != INCHANGE else "")
        for statut, quarters in by_statut.items()
        if quarters
    ]
    if rapport["est_premiere"]:
        parts = [f"first release of {rapport['flux']}s, {' '.join(by_statut[AJOUTE])}"]
    if by_statut[REVISE]:
        parts.append(euros(rapport["ecart_revise_eur"], signe=True))
    if absent := " ".join(quarter["trimestre"] for quarter in rapport["trimestres_absents"]):
        parts.append(f"without {absent} (the former release stands there)")
    line = f"  {rapport['archive']} ({rapport['flux']}, vintage {rapport['millesime']}): {', '.join(parts)}"
    return Comparison(rapport, line, _texte(rapport))


def _texte(rapport: dict[str, Any]) -> str:
    """The report for readers, in French."""

    def table(head: str, body: Iterable[Iterable[str]]) -> list[str]:
        columns = [column.strip() for column in head.split("|")]
        rule = "|".join("---" if n < 2 else "--:" for n in range(len(columns)))
        return ["", f"| {' | '.join(columns)} |", f"|{rule}|", *(f"| {' | '.join(cells)} |" for cells in body)]

    def change(fact: dict[str, Any]) -> tuple[str, ...]:
        before = fact["valeur_avant_eur"]
        ecart = "" if before is None else euros(fact["valeur_eur"] - before, signe=True)
        return ("" if before is None else euros(before), euros(fact["valeur_eur"]), ecart)

    lines = [
        f"# {rapport['archive']}",
        "",
        f"Millésime {mois(rapport['millesime'])}, {rapport['flux']}ations, arrivée nº {rapport['rang']}."
        + (" Première publication gardée de ce flux." if rapport["est_premiere"] else ""),
        *table(
            "trimestre | statut | lignes avant | lignes | valeur avant | valeur | écart",
            [
                (
                    fact["trimestre"],
                    fact["statut"],
                    "" if fact["lignes_avant"] is None else nombre(fact["lignes_avant"]),
                    nombre(fact["lignes"]),
                    *change(fact),
                )
                for fact in rapport["trimestres"]
            ],
        ),
    ]
    if rapport["trimestres_absents"]:
        absents = ", ".join(f"{fact['trimestre']} ({fact['archive']})" for fact in rapport["trimestres_absents"])
        lines += ["", f"N’y figurent plus, et valent comme avant{INSECABLE}: {absents}."]
    for titre, codes in (("Codes apparus", rapport["codes_apparus"]), ("Codes disparus", rapport["codes_disparus"])):
        lines += ["", f"{titre}{INSECABLE}:"] if any(codes.values()) else []
        lines += [f"- {name}{INSECABLE}: {', '.join(found)}" for name, found in codes.items() if found]
    if rapport["mouvements"]:
        lines += ["", "Plus grands mouvements, trimestres révisés ensemble (codes des Douanes)."]
        lines += table(
            "département, bien | pays | valeur avant | valeur | écart",
            [(f"{fact['departement']} {fact['a129']}", fact["pays"], *change(fact)) for fact in rapport["mouvements"]],
        )
    return "\n".join(lines) + "\n"
