"""The source as it is now: places reached, links taken and passed over with the reason, what the newest archive's server says.

Add here: another way in which a source can differ from what was expected. Keep out: one archive's inside (`archive.py`).
What a run would take comes from `open_source` itself; reasons are told beside it, and change nothing in it.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from time import monotonic
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pipeline.archive.fetch import Answer, Http, Offer, decoded, is_address
from pipeline.doctor import archive
from pipeline.doctor.archive import read
from pipeline.doctor.finding import Finding, looked, shown, told, within
from pipeline.errors import ComexError
from pipeline.paths import Paths
from pipeline.settings import Settings
from pipeline.sources import Source, example, open_source
from pipeline.sources.page import archive_name, targets

PART = "source"
ANSWERS_WITHIN_S = 60  # whatever is asked of a server, retries included
STALE_DAYS = 130  # the customs give new quarters every three months
HOSTS_ASKED = 4
OTHERS = (
    (r"national", "base of the whole country, without départements"),
    (r"drom|outre.?mer", "base of the DROM, which counts trade with the hexagone"),
    (r"region[_ -]?\d{2}(?!\d)", "base of one région: k€, with a header"),
)
PACKED = (".zip", ".7z", ".rar", ".gz", ".xz", ".tar", ".tgz", ".csv", ".txt", ".xls", ".xlsx", ".ods", ".parquet")


def look(settings: Settings, temp: Path) -> list[Finding]:
    """Everything about the source; what is downloaded lies in `temp`."""
    patient = {"attempts": min(settings.attempts, 2), "retry_wait_s": min(settings.retry_wait_s, 1.0)}
    settings = settings.model_copy(update=patient)
    findings = []
    if settings.source == "douane":
        findings += looked(PART, "page", lambda: page(settings, settings.douane_page))
        findings += looked(PART, "dataset", lambda: dataset(settings))
    elif is_address(settings.source):
        findings += looked(PART, "page", lambda: page(settings, settings.source))
    elif settings.source != "example":
        findings += looked(PART, "folder", lambda: folder(settings))
    opened: list[Source] = []

    def as_a_run() -> list[Finding]:
        opened.append(within(ANSWERS_WITHIN_S, settings.source, lambda: _opened(settings, temp)))
        offers = opened[0].offers
        found = f"A run would take {len(offers)} archives" + (" (made for this look)." if settings.source == "example" else ".")
        lines = shown((_line(offer) for offer in offers), 40)
        facts = {"archives": [{"name": offer.name, "origin": offer.origin, **read(offer)} for offer in offers]}
        notices = [told(notice, PART, "a run's notice", "to watch") for notice in opened[0].notices]
        return [Finding(PART, "archives on offer", found, lines=lines, facts=facts), *notices, *names(offers)]

    findings += looked(PART, "archives on offer", as_a_run)
    if opened and opened[0].offers:
        findings += looked("archive", "archive", lambda: archive.look(settings, opened[0], temp))
    return findings


def _opened(settings: Settings, temp: Path) -> Source:
    if settings.source != "example":
        return open_source(settings, Paths(settings.home))
    # The example's own place is under the home; a few of its rows tell the same.
    example.generate(temp / "kiosk", echelle=0.01)
    return open_source(settings.model_copy(update={"source": str(temp / "kiosk")}), Paths(temp))


def page(settings: Settings, url: str) -> list[Finding]:
    """What came from the address of an index page, and each link of it."""
    start = monotonic()
    answer = within(ANSWERS_WITHIN_S, url, lambda: Http(settings).ask(url))
    seconds = monotonic() - start
    charset = _charset(answer)
    text = decoded(answer.body, charset)
    title = re.search(r"(?is)<title[^>]*>(.*?)</title", text)
    named = " ".join(title[1].split())[:80] if title else "none"
    links = targets(text, answer.url)
    found = (
        f"Status {answer.status}, {len(answer.body):,} bytes in {seconds:.1f} s, {answer.headers.get('content-type', 'no type')},"
        f" {'encoding ' + charset if charset else 'no encoding told by the server'}; title « {named} »; {len(links)} links."
    )
    moved = f" It was found at {answer.url}." if answer.url.rstrip("/") != url.rstrip("/") and "@" not in url else ""
    facts = {
        "status": answer.status,
        "bytes": len(answer.body),
        "seconds": round(seconds, 1),
        "links": len(links),
        "address": answer.url,
    }
    findings = [Finding(PART, "page", found + moved, facts=facts)]
    if "\ufffd" in text:
        remedy = "nothing, if the names of the archives below are whole"
        findings.append(Finding(PART, "page", "Some bytes of the page are of another encoding than it says.", "to watch", remedy))
    if re.search(r"""(?i)<input[^>]+type\s*=\s*["']?password""", text):
        remedy = "open the address in a browser; save the archives by hand and give their folder as --source"
        findings.append(Finding(PART, "page", "The page asks for a password: it may be a login page.", "to watch", remedy))
    return [*findings, *_clock(answer), links_found(links, settings, "page")]


def _charset(answer: Answer) -> str | None:
    told = re.search(r"(?i)charset\s*=\s*[\"']?([\w.:-]+)", answer.headers.get("content-type", ""))
    return told[1] if told else None


def _clock(answer: Answer) -> list[Finding]:
    """This machine's clock against the server's."""
    try:
        theirs = parsedate_to_datetime(answer.headers.get("date", ""))
        apart = abs((datetime.now(UTC) - theirs).total_seconds())
    except (ValueError, TypeError):
        return []
    if apart < 300:
        return [Finding(PART, "clock", f"This clock and the server's agree within {max(apart, 1):.0f} s.")]
    found = f"The server says {theirs:%Y-%m-%d %H:%M} UTC; this clock is {apart / 60:,.0f} minutes away."
    return [Finding(PART, "clock", found, "wrong" if apart > 86400 else "to watch", "set this machine's clock")]


def links_found(links: Iterable[str], settings: Settings, subject: str) -> Finding:
    """The links that lead to archives, and why the others are passed over."""
    taken, over = [], list[tuple[str, str]]()
    for link in links:
        name = archive_name(link, settings.archive_pattern)
        taken += [name] if name else []
        if not name and (reason := passed_over(link)):
            over.append((_name(link), reason))
    return _sorted_out(taken, over, subject, settings)


def _sorted_out(taken: list[str], over: list[tuple[str, str]], subject: str, settings: Settings) -> Finding:
    counted = Counter(reason for _, reason in over)
    lines = [f"{count} passed over: {reason}" for reason, count in counted.most_common()]
    lines += shown([f"  {name} - {reason}" for name, reason in over])
    near = [name for name, reason in over if reason == NEAR]
    found = f"{len(taken)} lead to archives, {len(over)} to other files that are passed over."
    facts = {"taken": taken, "passed_over": [{"name": name, "reason": reason} for name, reason in over]}
    if not taken:
        remedy = f"look at it in a browser; if archives are there under other names, set COMEX_ARCHIVE_PATTERN (now {settings.archive_pattern.pattern})"
        return Finding(PART, f"links of the {subject}", found, "wrong", remedy, lines, facts)
    if near:
        remedy = f"if these are regional archives, set COMEX_ARCHIVE_PATTERN to an expression that they hold too (now {settings.archive_pattern.pattern})"
        return Finding(
            PART,
            f"links of the {subject}",
            f"{found} {len(near)} of those have names close to a regional archive's.",
            "to watch",
            remedy,
            lines,
            facts,
        )
    return Finding(PART, f"links of the {subject}", found, lines=lines, facts=facts)


NEAR = "named almost like a regional archive, and not as COMEX_ARCHIVE_PATTERN has it"


def passed_over(link: str) -> str | None:
    """Why a link is not taken; None for one that leads to no file of data (a page, a picture, a script)."""
    name = _name(link)
    low = name.lower()
    if not low.endswith(PACKED):
        return None
    if not name.isprintable():
        return "a name with control characters"
    if other := next((said for words, said in OTHERS if re.search(words, low)), None):
        return other
    if not low.endswith(".zip"):
        return f"a {PurePosixPath(low).suffix} file: archives are ZIPs"
    if "region" in low and re.search(r"import|export|(?<![a-z])(imp|exp|i|e)(?![a-z])", low):
        return NEAR
    return "a ZIP whose name does not say « regional » and a flow"


def _name(link: str) -> str:
    """The name of the file that a link leads to, in its path or its query."""
    parts = urlsplit(link)
    named = [PurePosixPath(unquote(unquote(text))).name for text in (parts.path, *(value for _, value in parse_qsl(parts.query)))]
    return next((name for name in named if name.lower().endswith(PACKED)), named[0])


def dataset(settings: Settings) -> list[Finding]:
    """The dataset on data.gouv.fr: what came, and each of its resources."""
    url = settings.douane_dataset
    http, start = Http(settings), monotonic()
    answer = within(ANSWERS_WITHIN_S, url, lambda: http.ask(url))
    seconds = monotonic() - start
    found = (
        f"Status {answer.status}, {len(answer.body):,} bytes in {seconds:.1f} s, {answer.headers.get('content-type', 'no type')}"
    )
    try:
        said: Any = json.loads(answer.body)
        resources = [each for each in said["resources"] if isinstance(each, dict)]
    except (ValueError, KeyError, TypeError):
        remedy = (
            "open the address in a browser; if the dataset moved, set COMEX_DOUANE_DATASET; the page alone is enough otherwise"
        )
        return [Finding(PART, "dataset", f"{found}; it is no dataset with a list of resources.", "to watch", remedy)]
    dates = sorted(str(each.get("last_modified") or "")[:10] for each in resources)
    sums = sum(1 for each in resources if each.get("checksum"))
    newest = dates[-1] if dates else "none"
    found += f"; {len(resources)} resources, the newest of {newest or 'no date'}, {sums} with a checksum."
    findings = [Finding(PART, "dataset", found, facts={"resources": len(resources), "newest": newest, "checksums": sums})]
    taken, over = [], []
    for each in resources:
        address, title = str(each.get("url") or each.get("latest") or ""), str(each.get("title") or "")
        name = next(
            filter(None, (archive_name(text, settings.archive_pattern) for text in (address, title, f"{title}.zip"))), None
        )
        if name and is_address(address):
            taken.append(name)
        elif name:
            over.append((name, "a resource without an http(s) address"))
        else:
            shown_as = _name(address) if _name(address).lower().endswith(PACKED) else title or address
            over.append((shown_as, passed_over(address) or passed_over(f"{title}.zip") or "not a ZIP"))
    sorted_out = _sorted_out(taken, over, "dataset", settings)
    # It completes the page: alone it stops nothing.
    if sorted_out.verdict == "wrong":
        sorted_out = Finding(
            PART, sorted_out.subject, sorted_out.found, "to watch", sorted_out.remedy, sorted_out.lines, sorted_out.facts
        )
    return [*findings, sorted_out]


def folder(settings: Settings) -> list[Finding]:
    """What lies in a folder, and why what is not taken is passed over."""
    place = Path(settings.source).expanduser().resolve()
    if not place.is_dir():
        return []  # `open_source` says so
    index = place / "index.html"
    files = sorted(path for path in place.iterdir() if path.is_file())
    found = f"{len(files)} files, {sum(path.suffix.lower() == '.zip' for path in files)} of them ZIPs, {sum(path.stat().st_size for path in files):,} bytes"
    if index.is_file():
        links = targets(decoded(index.read_bytes()))
        findings = [Finding(PART, "folder", f"{found}; its index.html says what is taken: {len(links)} links.")]
        findings.append(links_found(links, settings, "page"))
        named = {archive_name(link, settings.archive_pattern) for link in links}
        if left := [
            path.name
            for path in files
            if path.suffix.lower() == ".zip" and path.name not in named and archive_name(path.name, settings.archive_pattern)
        ]:
            remedy = "add links to them, or move index.html away: then every archive of the folder is taken"
            findings.append(
                Finding(
                    PART,
                    "folder",
                    f"{len(left)} archives lie here that index.html does not link.",
                    "to watch",
                    remedy,
                    shown(left),
                )
            )
        return findings
    offers = set[str]()
    with suppress(ComexError):  # said where the archives on offer are
        offers = {offer.name for offer in open_source(settings, Paths(settings.home)).offers}
    over = []
    for path in files:
        if path.name in offers:
            continue
        hidden = "hidden: a shadow that another system leaves" if path.name.startswith(".") else None
        no_data = "no data member of regional rows in it" if path.suffix.lower() == ".zip" else None
        if reason := hidden or passed_over(path.name) or no_data:
            over.append((path.name, f"{reason}; {no_data}" if no_data and reason != no_data and not hidden else reason))
    findings = [Finding(PART, "folder", f"{found}; no index.html: every archive is taken.")]
    counted = [f"  {name} - {reason}" for name, reason in over]
    if over:
        remedy = "if one of them holds regional rows, look at its members below, or save it again as it was published"
        zips = [name for name, _ in over if name.lower().endswith(".zip") and not name.startswith(".")]
        verdict = "to watch" if zips else "ok"
        findings.append(
            Finding(
                PART, "files passed over", f"{len(over)} files are not taken.", verdict, remedy if zips else "", shown(counted)
            )
        )
    return findings


def _line(offer: Offer) -> str:
    facts = read(offer)
    year = facts["year"] or "rolling quarters"
    return f"{offer.name}: {facts['flux'] or 'flow?'}, {year}, vintage {facts['vintage'] or '?'}, {offer.origin}"


def names(offers: list[Offer]) -> list[Finding]:
    """What the names of the archives tell together: pairs, dates, doubles."""
    facts = [(offer, read(offer)) for offer in offers]
    findings = []
    flows: dict[tuple[str, str], set[str]] = {}
    for _, each in facts:
        flows.setdefault((each["vintage"], each["year"]), set()).add(each["flux"])
    single = [
        f"{year or 'rolling quarters'} of {vintage or 'no vintage'}: {' '.join(found)} only"
        for (vintage, year), found in sorted(flows.items())
        if len(found) < 2
    ]
    if single:
        remedy = "look whether the other flow is on the page; a period needs both, of any vintage"
        findings.append(Finding(PART, "pairs", f"{len(single)} releases have one flow.", "to watch", remedy, shown(single)))
    now = f"{datetime.now(UTC):%Y%m}"
    if late := [offer.name for offer, each in facts if each["vintage"] > now]:
        remedy = "correct the name, or this machine's clock: the newest vintage stands for every quarter that it holds"
        findings.append(
            Finding(PART, "vintages", f"{len(late)} archives are of a month that has not begun.", "to watch", remedy, shown(late))
        )
    if undated := [offer.name for offer, each in facts if not each["vintage"]]:
        remedy = "nothing, if the month that their members were written in is right; else put AAAAMM before their name"
        found = f"{len(undated)} archives tell no month in name or address: their data member or its date will."
        findings.append(Finding(PART, "vintages", found, "to watch", remedy, shown(undated)))
    newest = max((each["vintage"] for _, each in facts if each["vintage"] <= now), default="")
    if newest:
        days = (datetime.now(UTC) - datetime(int(newest[:4]), int(newest[4:]), 1, tzinfo=UTC)).days
        span = f"Vintages from {min(each['vintage'] for _, each in facts if each['vintage'])} to {newest}."
        if days > STALE_DAYS:
            remedy = "look whether newer releases are published elsewhere: the place may not be kept up any more"
            findings.append(
                Finding(PART, "vintages", f"{span} The newest is {days} days old.", "to watch", remedy, facts={"newest": newest})
            )
        else:
            findings.append(Finding(PART, "vintages", span, facts={"newest": newest}))
    if twice := [name for name, count in Counter(offer.name for offer in offers).items() if count > 1]:
        remedy = "nothing, if they hold the same; of one vintage the last that arrives stands"
        findings.append(
            Finding(PART, "names", f"{len(twice)} names stand for several archives.", "to watch", remedy, shown(twice))
        )
    return findings
