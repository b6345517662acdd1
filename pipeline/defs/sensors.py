"""When runs start by themselves: a sensor and a schedule, off until an operator turns them on.

Add here: another reason for the country to be made anew. Keep out: what counts as new (`sources/watch.py`).
"""

import json

import dagster as dg

from pipeline.defs.jobs import everything
from pipeline.defs.partitions import DEPARTEMENTS
from pipeline.sources import watch
from pipeline.work import Work

CODES = DEPARTEMENTS.get_partition_keys()
COUNTRY = {"dagster/asset_partition_range_start": CODES[0], "dagster/asset_partition_range_end": CODES[-1]}
# A run whose process was killed is begun again once; one that failed for a reason of ours would fail again.
ONCE_MORE = {"dagster/max_retries": "1", "dagster/retry_on_asset_or_op_failure": "false", "dagster/retry_strategy": "ALL_STEPS"}
UNDER_WAY = [dg.DagsterRunStatus[name] for name in ("QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING")]


def _offered(context: dg.SensorEvaluationContext | dg.ScheduleEvaluationContext) -> list[watch.Seen] | dg.SkipReason:
    """What the source offers now, or why this is not the time to look. An error of the source makes the tick fail."""
    for run in context.instance.get_runs(dg.RunsFilter(statuses=UNDER_WAY), limit=1):
        return dg.SkipReason(f"Run {run.run_id[:8]} ({run.job_name}) is {run.status.value.lower()}; looking again later.")
    return watch.look(Work().settings, Work().paths)


def _country(new: list[watch.Seen], run_key: str | None = None) -> dg.RunRequest:
    return dg.RunRequest(run_key, tags=COUNTRY | ONCE_MORE | {"comex/archives": watch.named(new)})


@dg.sensor(
    job=everything,
    minimum_interval_seconds=3600,  # releases are quarterly: an hour is soon, and 24 looks a day are no burden to a server
    description="Looks at the source every hour; makes the country anew when a release is new or was issued again.",
)
def new_release(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """One run for all that is new. The cursor is what was on offer at the last launch: fingerprints by origin."""
    offered = _offered(context)
    if isinstance(offered, dg.SkipReason):
        return offered
    seen = json.loads(context.cursor or "{}")
    if not (new := watch.news(seen, offered)):
        return dg.SkipReason(watch.nothing(offered))
    cursor = {offer.origin: offer.fingerprint for offer in offered}
    return dg.SensorResult([_country(new, watch.digest(seen, cursor))], cursor=json.dumps(cursor))


@dg.schedule(
    job=everything,
    cron_schedule="30 5 * * *",
    execution_timezone="Europe/Paris",
    description="Every morning: makes the country anew if something on offer is not kept, or if the last such run failed.",
)
def daily_belt(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """The belt to the sensor's braces: it trusts no cursor, only the archive and the last country run."""
    offered = _offered(context)
    if isinstance(offered, dg.SkipReason):
        return offered
    missing = [offer for offer in offered if not offer.kept]
    last = context.instance.get_runs(dg.RunsFilter(job_name=everything.name, tags=COUNTRY), limit=1)
    if missing or (last and last[0].status == dg.DagsterRunStatus.FAILURE):
        return _country(missing)
    return dg.SkipReason(watch.nothing(offered))
