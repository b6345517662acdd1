"""The label files of an archive against our seeds: codes that only one side knows, labels that differ, encodings.

Add here: another companion file. Keep out: how a run reads them (`archive/labels.py`), which label is printed (dbt).
"""

import csv
import io
import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path

from pipeline.archive import labels
from pipeline.archive.inspect import UNDATED, Contents
from pipeline.doctor.finding import Finding, shown
from pipeline.doctor.sample import encoding_of, seed

PART = "archive"
ZONES = re.compile(r"(?i)(^|[/\\])departements?_regions?[^/]*\.(txt|csv)$")
SEEDS = {"A129": ("nomenclature_a129", "a129_code"), "CPF4": ("nomenclature_cpf4", "cpf4_code"), "PAYS": ("pays", "pays_code")}


def look(path: Path, contents: Contents, known: dict[str, set[str]]) -> list[Finding]:
    """Each nomenclature and the table of zones; `known` receives the codes of each, for those who judge rows."""
    encodings = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if member in contents.label_members or ZONES.search(member):
                encodings[member] = encoding_of(archive.read(member))
        zones = next((member for member in encodings if ZONES.search(member)), None)
        payload = archive.read(zones) if zones else b""
    rows = labels.read(path, contents)
    month = f"{datetime.now(UTC):%Y%m}" if contents.vintage == UNDATED else contents.vintage
    findings = []
    for nomenclature in sorted(set(contents.label_members.values())):
        own = [row for row in rows if row.nomenclature == nomenclature]
        in_force = {row.code: row.libelle for row in own if row.debut <= month <= row.fin}
        known[nomenclature] = {row.code for row in own}
        said = ", ".join(
            f"{Path(member).name} ({encodings[member]})"
            for member, kind in contents.label_members.items()
            if kind == nomenclature
        )
        findings.append(_compared(nomenclature, in_force, len(known[nomenclature]), said, month))
    return findings + ([_zones(payload, f"{zones} ({encodings[zones]})")] if zones else [])


def _compared(nomenclature: str, theirs: dict[str, str], every: int, said: str, month: str) -> Finding:
    name, column = SEEDS[nomenclature]
    ours: dict[str, set[str]] = {}
    for row in seed(name):
        in_force = row.get("debut", "190001") <= month <= row.get("fin", "999912")
        ours.setdefault(row[column], set()).update({_plain(row["libelle_douane"])} if in_force else ())
    unknown = sorted(theirs.keys() - ours.keys())
    missing = sorted(code for code, labels in ours.items() if labels and code not in theirs)
    other = [
        f"{code}: {label} - ours: {' / '.join(sorted(ours[code]))}"
        for code, label in sorted(theirs.items())
        if ours.get(code) and _plain(label) not in ours[code]
    ]
    found = (
        f"{said}: {every} codes, {len(theirs)} in force in {month}; {len(unknown)} unknown to our tables,"
        f" {len(missing)} of ours missing, {len(other)} labels differ."
    )
    lines = [f"unknown to us: {' '.join(unknown[:30])}"] if unknown else []
    lines += [f"missing there: {' '.join(missing[:30])}"] if missing else []
    lines += shown(other, 8)
    facts = {"codes": every, "in_force": len(theirs), "unknown": unknown, "missing": missing, "differ": other}
    if not theirs:
        remedy = "look into the file: another separator, or a page under its name"
        return Finding(PART, f"labels {nomenclature}", found, "wrong", remedy, lines, facts)
    if lines:
        remedy = "nothing stops: a code with a label of its own is counted; new nomenclatures belong into dbt_project/seeds, so send this report"
        return Finding(PART, f"labels {nomenclature}", found, "to watch", remedy, lines, facts)
    return Finding(PART, f"labels {nomenclature}", found, facts=facts)


def _zones(payload: bytes, said: str) -> Finding:
    """The customs' table of départements and régions against ours."""
    codec = {"Windows-1252": "cp1252", "UTF-16": "utf-16"}.get(encoding_of(payload), "utf-8-sig")
    rows = [
        [field.strip() for field in row]
        for row in csv.reader(io.StringIO(payload.decode(codec, "replace"), newline=""), delimiter=";")
        if row
    ]
    widths = sorted({len(row) for row in rows})
    ours = {
        row["douane_code"]: (row["libelle_douane"], row["region_douane_code"], row["region_libelle_douane"])
        for row in seed("departements")
    }
    theirs = {row[0]: tuple(row[1:4]) for row in rows if len(row) >= 4}
    other = [
        f"{code}: {'; '.join(theirs[code])} - ours: {'; '.join(ours[code])}"
        for code in sorted(theirs.keys() & ours.keys())
        if [_plain(text) for text in theirs[code]] != [_plain(text) for text in ours[code]]
    ]
    unknown, missing = sorted(theirs.keys() - ours.keys()), sorted(ours.keys() - theirs.keys())
    found = f"{said}: {len(rows)} rows of {' or '.join(map(str, widths))} columns; {len(unknown)} codes unknown to us, {len(missing)} missing, {len(other)} rows differ."
    lines = [f"unknown to us: {' '.join(unknown)}"] if unknown else []
    lines += [f"missing there: {' '.join(missing[:30])}"] if missing else []
    lines += shown(other, 8)
    facts = {"rows": len(rows), "columns": widths, "unknown": unknown, "missing": missing, "differ": other}
    if lines or widths != [4]:
        remedy = "nothing, if four columns of code, name, région, its name come first; else dbt_project/seeds/departements.csv is to be compared"
        return Finding(PART, "zones", found, "to watch", remedy, lines, facts)
    return Finding(PART, "zones", found, facts=facts)


def _plain(label: str) -> str:
    """A label whatever its spaces and apostrophes."""
    return " ".join(label.replace("\u00a0", " ").replace("\u202f", " ").replace("’", "'").split())
