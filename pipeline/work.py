"""What one run works with, and the steps that are the same for départements and for régions and France.

Add here: something that several assets ask of the settings, of the marts or of the outputs. Keep out: what a figure or a
fiche is (`charts/`, `fiche/`), and the order of things (`defs/`).
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pipeline.archive import tables
from pipeline.archive.plausibility import accepts
from pipeline.charts import dessins
from pipeline.charts.draw import Drawn, draw
from pipeline.charts.texte import imprimable, indessinables
from pipeline.fiche import bind, etat, index, rapprochement
from pipeline.fiche.provenance import Provenance
from pipeline.marts import Marts
from pipeline.paths import Paths
from pipeline.progress import track
from pipeline.settings import Settings
from pipeline.territoires import Territoire


class Work:
    """Settings, and what follows from them: paths, period, marts, provenance."""

    @property
    def settings(self) -> Settings:
        """The environment's choices."""
        return Settings()

    @property
    def paths(self) -> Paths:
        """Where the outputs go."""
        return Paths(self.settings.home)

    def period(self) -> str:
        """The period to draw, from the releases of the last raw step."""
        return tables.choose_period(tables.read_releases(self.paths.raw_tables), self.settings.periode)

    def undrawable_labels(self) -> tuple[str, list[dict[str, Any]]]:
        """Labels of the releases with characters that the packaged font does not draw: words and rows; both empty for none."""
        found = [
            row | {"caracteres": " ".join(f"U+{ord(char):04X}" for char in beyond), "imprime": imprimable(row["libelle"])}
            for row in tables.read_label_texts(self.paths.raw_tables)
            if (beyond := indessinables([row["libelle"]]))
        ]
        if not found:
            return "", []
        first = found[0]
        return (
            f"Labels in the characters of the packaged font were expected; {len(found)} have others, the first {first['nomenclature']}"
            f" {first['code']} ({first['caracteres']}), printed « {first['imprime']} ». Data files keep the label as it came.",
            found,
        )

    def marts(self) -> Marts:
        """The marts of that period."""
        return Marts(self.paths.marts, self.period())

    def marts_to_publish(self) -> Marts:
        """The same, refused when more is quarantined than the operator allows: a job without the check asks here too."""
        marts, limit = self.marts(), self.settings.quarantaine_max_pct
        if self.quarantine_blocks(marts) and (notice := marts.quarantine_notice(limit)):
            raise notice
        return marts

    def quarantine_blocks(self, marts: Marts) -> bool:
        """Is more kept out of the totals than the limit, without having been accepted by name?"""
        settings = self.settings
        return marts.quarantine_exceeds(settings.quarantaine_max_pct) and not accepts(settings.accepted, "codes_are_known")

    def provenance(self) -> Provenance:
        """What that period was computed from."""
        marts = self.marts()
        origin = bind.provenance(tables.read_releases(self.paths.raw_tables), marts)
        if marts.quarantine_exceeds(self.settings.quarantaine_max_pct):  # and yet fiches are made: it was accepted
            return replace(origin, codes_admis=bind.codes_admis(marts))
        return origin

    def draw(self, territoires: list[Territoire], sujets: Iterable[str], label: str) -> list[Drawn]:
        """Draw these subjects of these territories in one browser."""
        marts, sujets = self.marts_to_publish(), list(sujets)
        folder, mention = self.paths.charts / marts.periode, self.provenance().mention
        drawn = draw(territoires, marts, folder, sujets, mention=mention)
        return list(track(drawn, total=sum(len(dessins(sujets, territoire)) for territoire in territoires), label=label))

    def bind(self, territoires: list[Territoire], label: str) -> list[bind.Bound]:
        """Write the bundles of these territories, and the index anew: if a later step fails, it still tells what is there."""
        bundles = bind.bind(territoires, self.marts_to_publish(), self.provenance(), self.settings, self.paths)
        bound = list(track(bundles, total=len(territoires), label=label))
        self.write_index()
        return bound

    def write_index(self) -> int:
        """Write the entry page of the bundles that are there, and the country's page beside it; how many bundles it lists."""
        marts, origin = self.marts_to_publish(), self.provenance()
        etats = etat.composer(self.paths, tables.read_releases(self.paths.raw_tables), self.settings.niveau_produit)
        etat.ecrire(self.paths, etats)
        rapprochement.ecrire(self.paths, marts, origin)
        return index.ecrire(self.paths.index, self.paths.fiches, marts.periode, marts.reperes, origin, etats.get(marts.periode))
