"""All findings as a report that can be sent: plain text (Markdown) or data, without passwords, in any encoding.

Add here: another way to show findings. Keep out: what is looked at.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version

from pipeline.doctor.finding import Finding

MASK = "(masked)"
USERINFO = re.compile(r"(://)[^\s/?#]*@")
TOKENS = re.compile(r"(?i)([?&;](?:[\w.-]*(?:token|key|secret|passw|pwd|auth|sig|session)[\w.-]*)=)[^&\s#;»,)]+")
PLAIN = str.maketrans({"«": '"', "»": '"', "…": "...", "’": "'", "‘": "'", "—": "-", "–": "-", "→": "->", "·": "-", "€": "EUR"})
MARKS = {"ok": "ok", "to watch": "TO WATCH", "wrong": "WRONG"}


@dataclass(frozen=True)
class Report:
    """What was found, for which source and home; `secrets` are words that no report may hold."""

    findings: list[Finding]
    source: str
    home: str
    secrets: Iterable[str] = ()
    made: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def is_good(self) -> bool:
        """Is nothing wrong? What is to be watched stops no run."""
        return not any(finding.verdict == "wrong" for finding in self.findings)

    def text(self) -> str:
        """The report as Markdown that reads well as it is."""
        counted = Counter(finding.verdict for finding in self.findings)
        lines = [
            "# comex doctor",
            "",
            f"comex {version('comex')}, {self.made:%Y-%m-%d %H:%M} UTC. Source: {self.source}. Home: {self.home}.",
            f"{len(self.findings)} things were looked at: {counted['ok']} ok, {counted['to watch']} to watch,"
            f" {counted['wrong']} wrong. Nothing was changed.",
        ]
        for verdict, title in (("wrong", "What is wrong"), ("to watch", "What to watch")):
            if bad := [finding for finding in self.findings if finding.verdict == verdict]:
                lines += ["", f"## {title}", ""]
                lines += [f"{n}. {each.part}, {each.subject}: {each.found}" for n, each in enumerate(bad, start=1)]
        for part in dict.fromkeys(finding.part for finding in self.findings):
            lines += ["", f"## {part.capitalize()}", ""]
            for finding in self.findings:
                lines += _lines(finding) if finding.part == part else []
        return self._masked("\n".join(lines) + "\n")

    def data(self) -> str:
        """The same as JSON, in ASCII."""
        said = {
            "comex": version("comex"),
            "made": self.made.isoformat(timespec="seconds"),
            "source": self.source,
            "home": self.home,
            "ok": self.is_good,
            "findings": [asdict(finding) for finding in self.findings],
        }
        masked = _each_text(said, self._masked)
        return json.dumps(masked, indent=1, default=str) + "\n"

    def _masked(self, text: str) -> str:
        for secret in sorted(filter(None, self.secrets), key=len, reverse=True):
            text = text.replace(secret, MASK)
        return TOKENS.sub(rf"\1{MASK}", USERINFO.sub(rf"\1{MASK}@", text))


def encodable(text: str, encoding: str | None) -> str:
    """`text` in characters that `encoding` has: plain signs for typographic ones, else their number."""
    encoding = encoding or "ascii"
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        encoding = "ascii" if encoding.lower() in ("ascii", "us-ascii") else encoding
        try:
            return text.translate(PLAIN).encode(encoding, "backslashreplace").decode(encoding)
        except LookupError:
            return text.translate(PLAIN).encode("ascii", "backslashreplace").decode()
    return text


def _lines(finding: Finding) -> list[str]:
    told = [f"- [{MARKS[finding.verdict]}] **{finding.subject}**: {finding.found}"]
    for name, said in (("where", finding.where), ("likely cause", finding.cause), ("what to do", finding.remedy)):
        told += [f"  - {name}: {said}"] if said else []
    if finding.lines:
        told += ["", *(f"      {''.join(c if c.isprintable() else repr(c)[1:-1] for c in line)}" for line in finding.lines), ""]
    return told


def _each_text(value: object, change) -> object:
    if isinstance(value, dict):
        return {change(str(key)): _each_text(each, change) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_each_text(each, change) for each in value]
    return change(value) if isinstance(value, str) else value
