"""`comex doctor` looks at the machine and at a source, and says what holds, what does not and what to do.

It changes nothing: no file under the home, not even the folder; no lock, no storage of Dagster; what it downloads or draws lies
in a temporary folder that is gone when it ends. No fault stops it: each becomes a finding.

Rooms: `finding.py` (one thing looked at), `report.py` (all of them as text or data, without secrets), `machine.py`, `places.py`
and `choices.py` (this computer, its folders, the settings), `source.py` (a page or folder: what it links and what is taken), `archive.py` with
`parts.py`, `sample.py` and `labels.py` (one archive: members, first rows, label files).
"""

import tempfile
from pathlib import Path

from pipeline.doctor import choices, machine, places, source
from pipeline.doctor.finding import Finding
from pipeline.doctor.report import Report, encodable


def examine(source_given: str | None = None, home: Path | None = None) -> Report:
    """Look at everything; options win over the environment, as in a run."""
    given = {name: value for name, value in (("source", source_given), ("home", home)) if value is not None}
    settings, findings = choices.look(given)
    with tempfile.TemporaryDirectory(prefix="comex-doctor-", ignore_cleanup_errors=True) as folder:
        findings += machine.look(Path(folder)) + places.look(settings, Path(folder))
        findings += source.look(settings, Path(folder))
    return Report(findings, source=settings.source, home=str(home or settings.home), secrets=choices.secrets(settings))


__all__ = ["Finding", "Report", "encodable", "examine"]
