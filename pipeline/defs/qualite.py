"""Checks as Dagster has them: their specs and results from the list of all, and its own event log to the page of checks.

Add here: what only Dagster's storage can tell of a run. Keep out: sentences (`controles.py`), the page (`fiche/qualite.py`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from pipeline import controles, dbt
from pipeline.defs.resources import Workspace
from pipeline.fiche import qualite

GATE = dg.AssetCheckKey(dg.AssetKey("mart_national_quarantaine"), "codes_are_known")  # who passes it may make fiches
FICHES = dg.AssetCheckKey(dg.AssetKey(["fiches", "departement"]), controles.BUNDLES)
EVENTS = {dg.DagsterEventType[name] for name in qualite.EVENEMENTS}


def specs(*actifs: str) -> list[dg.AssetCheckSpec]:
    """The Python checks of these assets."""
    return [
        dg.AssetCheckSpec(each.nom, asset=each.actif.split("/"), blocking=each.bloque, description=each.description)
        for each in controles.python()
        if each.actif in actifs
    ]


def result(
    name: str, asset: dg.AssetKey, words: str, rows: Sequence[Mapping[str, Any]] = (), severe: bool | None = None
) -> dg.AssetCheckResult:
    """A check passes when there are no words; `rows` are its offenders, `severe` overrules the severity of the list."""
    is_error = controles.est_bloquant(name) if severe is None else severe
    severity = dg.AssetCheckSeverity["ERROR" if is_error else "WARN"]
    return dg.AssetCheckResult(
        passed=not words, asset_key=asset, check_name=name, severity=severity, description=words or None, metadata=offending(rows)
    )


def offending(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Metadata of a check that failed: how many cases, and the first of them as a table; nothing without rows."""
    table = [dg.TableRecord(row) for row in qualite.propre(rows)]
    return {"found": len(rows), "offenders": dg.MetadataValue.table(table)} if table else {}


def write(instance: dg.DagsterInstance) -> None:
    """Write the page of checks from the event log."""
    qualite.ecrire(Workspace().paths, *qualite.lire(instance, GATE, FICHES, EVENTS), controles.catalogue(dbt.manifest()))


@dg.failure_hook(name="checks_are_told")
def checks_are_told(context: dg.HookContext) -> None:
    """A run that fails on its way writes the page too."""
    write(context.instance)
