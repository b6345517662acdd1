"""The runs that people launch, for one département or a range of them.

Add here: a selection of assets worth a name. Keep out: when runs start.
"""

from functools import partial

import dagster as dg

from pipeline.charts import SUJETS
from pipeline.defs.charts import chart_key
from pipeline.defs.fiches import FICHES, INDEX
from pipeline.defs.partitions import DEPARTEMENTS
from pipeline.defs.qualite import checks_are_told

_job = partial(dg.define_asset_job, hooks={checks_are_told})

everything = _job(
    "everything",
    dg.AssetSelection.all(),
    partitions_def=DEPARTEMENTS,
    description="From the source to the fiches. Launch it for one département, or for the range 01…976: the country in one run.",
)

marts = _job(
    "marts",
    dg.AssetSelection.groups("raw", "seeds", "staging", "intermediate", "marts_departement", "marts_national"),
    description="From the source to the marts, with every check on figures, and no fiche.",
)

departements = _job(
    "departements",
    dg.AssetSelection.assets(*map(chart_key, SUJETS), FICHES, INDEX),
    partitions_def=DEPARTEMENTS,
    description="Charts and fiches alone, from the marts and national charts of the last full run.",
)
