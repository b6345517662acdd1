"""Every path of the outputs, from one root.

Add here: a new place that the machine writes to. Keep out: names inside a bundle (`fiche/lot.py`).
"""

from dataclasses import dataclass
from pathlib import Path

from pipeline.settings import ROOT

DBT_PROJECT = ROOT / "dbt_project"
SEEDS = DBT_PROJECT / "seeds"


@dataclass(frozen=True)
class Paths:
    """Where things go under `home` (an absolute folder)."""

    home: Path

    @property
    def kiosk(self) -> Path:
        """The embedded example's releases: an index.html and ZIP archives."""
        return self.home / "kiosk"

    @property
    def raw(self) -> Path:
        """Archives as they came, and their manifest."""
        return self.home / "raw"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file and all Parquet tables."""
        return self.home / "warehouse"

    @property
    def raw_tables(self) -> Path:
        """Archives' rows as Parquet, one folder a table."""
        return self.warehouse / "raw"

    @property
    def marts(self) -> Path:
        """The marts, one Parquet file each."""
        return self.warehouse / "marts"

    @property
    def parsed(self) -> Path:
        """What dbt made of its project, one folder a version of it and a user."""
        return self.warehouse / "parsed"

    @property
    def charts(self) -> Path:
        """Figures before they are bound into bundles."""
        return self.home / "charts"

    @property
    def fiches(self) -> Path:
        """The bundles, by period."""
        return self.home / "fiches"

    def periodes(self) -> list[str]:
        """The periods of which there are bundles."""
        return sorted(folder.name for folder in self.fiches.glob("20*") if folder.is_dir())

    @property
    def commun(self) -> Path:
        """What all HTML fiches share: plotly.js, fonts, style."""
        return self.fiches / "commun"

    @property
    def etat(self) -> Path:
        """Which bundles are not of the last run: a script that their pages read."""
        return self.fiches / "etat.js"

    @property
    def revisions(self) -> Path:
        """Comparisons of two vintages, one folder each."""
        return self.home / "revisions"

    @property
    def index(self) -> Path:
        """The entry page."""
        return self.home / "index.html"

    @property
    def rapprochement(self) -> Path:
        """From the départements to the published totals, for the country."""
        return self.home / "rapprochement.html"

    @property
    def qualite(self) -> Path:
        """The page of checks; beside it the same as JSON."""
        return self.home / "qualite.html"

    @property
    def rapports(self) -> Path:
        """Reports, in French, on releases that drifted: refused, or kept with a warning."""
        return self.home / "rapports"

    @property
    def dagster(self) -> Path:
        """Dagster's own storage (DAGSTER_HOME)."""
        return self.home / "dagster"
