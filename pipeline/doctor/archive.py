"""One archive of the source: what its server says, its members, and what `sample.py` and `labels.py` see in them.

Add here: another thing to know of an archive before a run reads it. Keep out: verdicts of a run (`archive/inspect.py` and
`archive/rows.py`, which are asked), text (`sample.py`), label files (`labels.py`).

Of an archive on a server only parts are read, where the server knows how to give some; else it is downloaded into a temporary
folder. One that lies here is judged down to its last row, as a run does.
"""

import re
import shutil
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline.archive import rows
from pipeline.archive.fetch import Http, Offer
from pipeline.archive.inspect import DATA_MEMBER, DATED_ADDRESS, LABEL_MEMBER, VINTAGE, Contents, Received, digest, inspect
from pipeline.doctor import labels, sample
from pipeline.doctor.finding import Finding, looked, shown, told, within
from pipeline.doctor.parts import Remote
from pipeline.errors import ComexError, SourceError
from pipeline.settings import Settings
from pipeline.sources import Source

PART = "archive"
ANSWERS_WITHIN_S = 60
DOWNLOADS_WITHIN_S = 600
JUDGED_WITHIN_S = 600
HOSTS_ASKED = 4
SAMPLE_BYTES = 1 << 18  # of the data member, unpacked: some seven thousand rows
LABELS_READ_UP_TO = 4 << 20  # bytes, packed: theirs are below 100 kB
DIRECTORIES_READ = 60
METHODS = {0: "stored", 8: "deflated", 9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "XZ", 98: "PPMd", 99: "AES"}
CANNOT_BE_READ = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError)


def look(settings: Settings, source: Source, temp: Path) -> list[Finding]:
    """What the servers say of one archive each; then the newest export from outside to inside."""
    findings = []
    for offer in hosts(source.offers):
        findings += looked(PART, f"server of {offer.name}", lambda offer=offer: _head(settings, offer))
    offer = newest_export(source.offers)
    if offer.path:
        findings += looked(PART, "directories", lambda: _directories(source.offers))
        return findings + _inside(offer.path, True, offer, settings, temp)
    there: list[tuple[Path, bool]] = []
    findings += looked(PART, "download", lambda: _fetched(settings, offer, temp, there))
    return findings + [finding for path, is_whole in there for finding in _inside(path, is_whole, offer, settings, temp)]


def read(offer: Offer) -> dict[str, str]:
    """Flow, year and vintage, as the name tells them (the vintage: or the address); empty where it does not."""
    low = offer.name.lower()
    flux = next((word for word in ("import", "export") if word in low), "")
    dated = VINTAGE.search(offer.name)
    vintage = dated or DATED_ADDRESS.search(offer.origin)
    annee = re.search(r"(?<!\d)(20\d\d)(?!\d)", low[dated.end() :] if dated else low)
    return {"flux": flux, "year": annee[1] if annee else "", "vintage": "".join(vintage.groups()) if vintage else ""}


def hosts(offers: list[Offer]) -> list[Offer]:
    """One archive of each host, the newest."""
    found: dict[str, Offer] = {}
    for offer in sorted(offers, key=lambda offer: read(offer)["vintage"], reverse=True):
        if offer.path is None:
            found.setdefault(urlsplit(offer.origin).netloc, offer)
    return list(found.values())[:HOSTS_ASKED]


def newest_export(offers: list[Offer]) -> Offer:
    """The archive to look into."""
    return max(
        offers, key=lambda offer: (read(offer)["flux"] == "export", read(offer)["vintage"], read(offer)["year"], offer.name)
    )


def _head(settings: Settings, offer: Offer) -> Finding:
    said = within(ANSWERS_WITHIN_S, offer.origin, lambda: Http(settings).head(offer.origin))
    host = urlsplit(offer.origin).netloc
    size = f"{said.size:,} bytes" if said.size else "no size"
    found = f"{host} says of {offer.name}: {size}, ETag {said.etag or 'none'}, Last-Modified {said.last_modified or 'none'}."
    facts = {"size": said.size, "etag": said.etag, "last_modified": said.last_modified}
    if said.size and said.size > settings.archive_max_mib * 1024**2:
        remedy = "raise COMEX_ARCHIVE_MAX_MIB if archives really are so large"
        return Finding(
            PART, "server", f"{found} A run downloads {settings.archive_max_mib} MiB at most.", "wrong", remedy, facts=facts
        )
    if not said.etag and not said.last_modified:
        remedy = "nothing: each look downloads what it cannot tell apart, and a broken download begins again"
        return Finding(PART, "server", f"{found} Whether it changed cannot be asked.", "to watch", remedy, facts=facts)
    return Finding(PART, "server", found, facts=facts)


def _fetched(settings: Settings, offer: Offer, temp: Path, there: list[tuple[Path, bool]]) -> Finding:
    """The archive, or the parts of it that are to be looked at, in `temp`; `there` receives where, and whether it is whole."""

    def parts() -> Remote:
        remote = Remote(Http(settings), offer.origin, temp / "parts.zip")
        if remote.has_parts:
            _read_parts(remote)
        return remote

    remote = within(ANSWERS_WITHIN_S, offer.origin, parts)
    kind = remote.first.headers.get("content-type", "no type")
    if remote.has_parts:
        there.append((remote.copy, False))
        cost = f"{remote.received:,} bytes in {remote.requests} requests were enough"
        return Finding(PART, "download", f"{offer.name}: {remote.size:,} bytes, {kind}; the server gives parts of files: {cost}.")
    # One try: after a second one, begun when nobody waits any more, something would stay in the folder.
    once = settings.model_copy(update={"attempts": 1})
    fetched = within(DOWNLOADS_WITHIN_S, offer.origin, lambda: Http(once).fetch(offer, temp / "download"))
    assert fetched, "nothing is known of it before"
    there.append((fetched.path, True))
    size = fetched.path.stat().st_size
    found = f"{offer.name}: {size:,} bytes, {kind}; the server gives no parts of files, so that it was downloaded, for this look alone."
    return Finding(PART, "download", found, "to watch", "nothing: a download that breaks begins again there")


def _read_parts(remote: Remote) -> None:
    """Have what is to be looked at come: the directory, the label files, the first rows. Faults show where it is read again."""
    try:
        with zipfile.ZipFile(remote) as opened:  # pyright: ignore[reportArgumentType]
            for member in opened.infolist():
                is_label = LABEL_MEMBER.search(member.filename) or labels.ZONES.search(member.filename)
                if is_label and member.compress_size < LABELS_READ_UP_TO:
                    opened.read(member)
                elif DATA_MEMBER.search(member.filename):
                    opened.open(member).read(SAMPLE_BYTES)
    except SourceError:
        raise
    except CANNOT_BE_READ:
        pass


def _directories(offers: list[Offer]) -> Finding:
    """Which of the archives that lie here are what they should be, as far as their directories tell."""
    bad = []
    for offer in offers[:DIRECTORIES_READ]:
        try:
            inspect(offer.path or Path(), offer.name, offer.origin)
        except ComexError as error:
            bad.append(f"{offer.name}: {error.expected_found}")
        except OSError as error:
            bad.append(f"{offer.name}: the system answered: {error.strerror or error}")
    looked_at = min(len(offers), DIRECTORIES_READ)
    found = f"{looked_at - len(bad)} of {looked_at} archives hold one data member under a known name."
    if not bad:
        return Finding(PART, "directories", found)
    remedy = "download these again; take those of another product out of the folder: a run is refused as long as one is there"
    return Finding(PART, "directories", found, "wrong", remedy, shown(bad))


def _inside(path: Path, is_whole: bool, offer: Offer, settings: Settings, temp: Path) -> list[Finding]:
    """Members, verdicts, first rows and labels of the archive at `path`."""
    findings = looked(PART, "members", lambda: _members(path, offer))
    judged: list[Contents] = []
    refused = looked(PART, "verdict on the archive", lambda: judged.append(inspect(path, offer.name, offer.origin)) or [])
    if not judged:
        return [*findings, *(replace(finding, where=offer.origin) for finding in refused)]
    contents = judged[0]
    findings += looked(PART, "name and contents", lambda: _agreement(contents, offer))
    known: dict[str, set[str]] = {}
    findings += looked(PART, "label files", lambda: labels.look(path, contents, known))
    findings += looked(PART, "first rows", lambda: sample.look(_head_of(path, contents), contents, known, settings))
    if is_whole:
        findings += looked(PART, "all rows", lambda: _judged(path, contents, offer, temp))
    return findings


def _members(path: Path, offer: Offer) -> list[Finding]:
    try:
        with zipfile.ZipFile(path) as opened:
            members = opened.infolist()
    except CANNOT_BE_READ:
        return []  # the verdict says so
    lines, methods = [], set[int]()
    for member in members:
        name = member.filename
        label = LABEL_MEMBER.search(name)
        role = (
            "data"
            if DATA_MEMBER.search(name)
            else f"labels {label[2].upper()}"
            if label
            else "zones"
            if labels.ZONES.search(name)
            else "not read"
        )
        methods |= {member.compress_type} if role != "not read" else set()
        method = METHODS.get(member.compress_type, f"method {member.compress_type}")
        lines.append(f"{name}: {member.file_size:,} bytes, {method}, {member.date_time[0]}-{member.date_time[1]:02d}: {role}")
    roles = [line.rpartition(": ")[2] for line in lines]
    missing = [kind for kind in ("A129", "CPF4", "PAYS") if f"labels {kind}" not in roles]
    found = f"{offer.name} holds {len(members)} members: {roles.count('data')} of data, {sum(role.startswith('labels') for role in roles)} of labels."
    facts = {"members": lines, "missing_labels": missing}
    findings = [Finding(PART, "members", found, lines=shown(lines), facts=facts)]
    if missing:
        remedy = (
            "nothing: the labels of other releases, or our own, are printed; a code that only this release knows is quarantined"
        )
        findings.append(Finding(PART, "label files", f"None for {', '.join(missing)} under a known name.", "to watch", remedy))
    if methods - {0, 8, 12, 14}:
        named = ", ".join(METHODS.get(method, f"method {method}") for method in sorted(methods - {0, 8, 12, 14}))
        findings.append(
            Finding(PART, "members", f"Packed by {named}, which cannot be unpacked here.", "wrong", "unpack it and zip it again")
        )
    return findings


def _agreement(contents: Contents, offer: Offer) -> Finding:
    """The name of the archive against its data member."""
    said = read(offer)
    found = f"{contents.data_member}: {'export' if contents.flux == 'E' else 'import'}, vintage {contents.vintage}" + (
        ", marked as example data." if contents.est_exemple else "."
    )
    facts = {"data_member": contents.data_member, "flux": contents.flux, "vintage": contents.vintage}
    if said["flux"] and said["flux"][0].upper() != contents.flux:
        remedy = "look which is right: a run goes by the member, and compares its rows with it"
        return Finding(
            PART, "name and contents", f"{found} The archive's name says {said['flux']}.", "to watch", remedy, facts=facts
        )
    return Finding(PART, "name and contents", found, facts=facts)


def _head_of(path: Path, contents: Contents) -> bytes:
    with zipfile.ZipFile(path) as opened, opened.open(contents.data_member) as member:
        return member.read(SAMPLE_BYTES)


def _judged(path: Path, contents: Contents, offer: Offer, temp: Path) -> list[Finding]:
    """The verdict of a run on all rows."""
    with zipfile.ZipFile(path) as opened:
        size = opened.getinfo(contents.data_member).file_size
    if shutil.disk_usage(temp).free < 2 * size:
        remedy = "set TMPDIR to a larger disk to have all rows judged"
        return [Finding(PART, "all rows", f"Not judged: {2 * size:,} bytes are needed in {temp.parent}.", "to watch", remedy)]
    received = Received(offer.name, path, digest(path), contents)
    try:
        facts = within(JUDGED_WITHIN_S, offer.name, lambda: rows.extract(received, temp / "tables"))
    except ComexError as error:
        finding = told(error, PART, "all rows")
        lines = [f"line {line:,}: {text}" for line, text in error.facts.get("premieres", [])]
        return [replace(finding, lines=shown(lines), where=error.where.replace(str(path), offer.origin))]
    told_of = {name: facts[name] for name in ("lignes", "valeur_eur", "trimestres", "masses_absentes", "cles_repetees")}
    found = (
        f"{facts['lignes']:,} rows, {facts['valeur_eur']:,} EUR, quarters {facts['trimestres']};"
        f" {facts['masses_absentes']:,} without a mass, {facts['cles_repetees']:,} that repeat a key. Each passes the verdicts on rows."
    )
    findings = [Finding(PART, "all rows", found, facts=told_of)]
    if facts["cles_repetees"] > facts["lignes"] / 20:
        remedy = "look whether the file was written twice: all rows are summed"
        repeated = (
            f"{facts['cles_repetees']:,} of {facts['lignes']:,} rows repeat the key of another; the customs' own hardly do."
        )
        findings.append(Finding(PART, "repeated rows", repeated, "wrong", remedy))
    return [*findings, *_against_published(contents, facts)]


def _against_published(contents: Contents, facts: dict[str, Any]) -> list[Finding]:
    """The total of each whole year against what was published of France."""
    flux, findings = "export" if contents.flux == "E" else "import", []
    for row in sample.seed("totaux_publies"):
        quarters = {f"{row['annee']}T{n}" for n in range(1, 5)}
        if (row["niveau"], row["flux"], row["perimetre"]) != ("france", flux, "base_ouverte") or not quarters <= facts[
            "par_trimestre"
        ].keys():
            continue
        here, published = sum(facts["par_trimestre"][quarter]["valeur_eur"] for quarter in quarters), int(row["valeur_eur"])
        found = f"{row['annee']}: {here:,} EUR here, {published:,} published ({100 * here / published:.2f} %)."
        if abs(here / published - 1) < 0.02:  # back-revisions are about half a per cent
            findings.append(Finding(PART, "total of France", found))
        else:
            remedy = (
                "compare with what the customs publish: another unit (k€), a part of the rows, or an extract made for a trial"
            )
            findings.append(Finding(PART, "total of France", found, "to watch", remedy))
    return findings
