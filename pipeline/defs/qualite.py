"""Checks as Dagster has them: their specs from the list of all, their results from its own event log to the page of checks.

Add here: a fact of a run that the page needs. Keep out: sentences (`controles.py`), the page (`fiche/qualite.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from typing import Any

import dagster as dg

from pipeline import controles, dbt
from pipeline.defs.resources import Workspace
from pipeline.fiche import qualite

GATE = dg.AssetCheckKey(dg.AssetKey("mart_national_quarantaine"), "codes_are_known")  # who passes it may make fiches
BUNDLES = dg.AssetCheckKey(dg.AssetKey(["fiches", "departement"]), controles.BUNDLES)
Type = dg.DagsterEventType
CHECKS = {Type.ASSET_CHECK_EVALUATION_PLANNED, Type.ASSET_CHECK_EVALUATION}
RUNS = 200  # looked back at


def specs(*actifs: str) -> list[dg.AssetCheckSpec]:
    """The Python checks of these assets, as `controles.py` tells them."""
    return [
        dg.AssetCheckSpec(each.nom, asset=each.actif.split("/"), blocking=each.bloque, description=each.description)
        for each in controles.python()
        if each.actif in actifs
    ]


def offending(rows: Sequence[Mapping[str, Any]], found: int | None = None) -> dict[str, Any]:
    """Metadata of a check that failed: how many cases, and the first of them as a table; nothing without rows."""
    table = [dg.TableRecord(row) for row in qualite.propre(rows)]
    return {"found": found or len(rows), "offenders": dg.MetadataValue.table(table)} if table else {}


def write(instance: dg.DagsterInstance) -> None:
    """Write the page: the run that the site comes from, those that made a few fiches since, and one that stopped after it."""
    paths, log = Workspace().paths, instance.event_log_storage
    gates = log.get_asset_check_execution_history(GATE, limit=RUNS)
    told = [(record.run_id, record.event.get_dagster_event().event_specific_data) for record in gates if record.event]
    passed = [run for run, gate in told if qualite.passe(gate)]
    site = _passage(instance, passed[0]) if passed else None
    if site:
        later = [record.run_id for record in log.get_asset_check_execution_history(BUNDLES, limit=RUNS)]
        later = later[: later.index(passed[0]) if passed[0] in later else 0]
        few = [_passage(instance, run) for run in reversed(later) if run not in {run for run, _ in told}]
        etats = {(etat.actif, etat.nom, etat.portee): etat for passage in (site, *few) for etat in passage.etats}
        site = replace(site, etats=list(etats.values()))
    stopped = [run for run, _ in told[:1] if run not in passed[:1]]
    qualite.ecrire(paths, site, _passage(instance, stopped[0]) if stopped else None, controles.catalogue(dbt.manifest()))


@dg.failure_hook(name="checks_are_told")
def checks_are_told(context: dg.HookContext) -> None:
    """A run that fails on its way writes the page too."""
    write(context.instance)


def _passage(instance: dg.DagsterInstance, run_id: str) -> qualite.Passage:
    record = instance.get_run_record_by_id(run_id)
    assert record, run_id
    events = [
        entry.get_dagster_event() for entry in instance.all_logs(run_id, {*CHECKS, Type.ASSET_MATERIALIZATION, Type.STEP_FAILURE})
    ]
    made = [event.step_materialization_data.materialization for event in events if event.event_type == Type.ASSET_MATERIALIZATION]
    facts: dict[str, Any] = {
        name: told.value for each in made if each.asset_key.path[0] == "raw" for name, told in each.metadata.items()
    }
    portee = qualite.portee(record.dagster_run.tags)
    etats = [qualite.etat(event.event_specific_data, portee) for event in events if event.event_type in CHECKS]
    return qualite.Passage(
        run_id,
        record.dagster_run.job_name,
        record.create_timestamp.replace(tzinfo=UTC).isoformat(timespec="seconds"),
        facts.get("periode", ""),
        qualite.lignes(facts.get("archives")),
        facts.get("versions", {}),
        [event.step_key or "" for event in events if event.event_type == Type.STEP_FAILURE],
        list({(etat.actif, etat.nom): etat for etat in etats}.values()),
    )
