"""One partition a département, by public code; any number of them run in one run.

Add here: another way to cut the work. Keep out: what is done with a partition.
"""

import dagster as dg

from pipeline.territoires import departements

DEPARTEMENTS = dg.StaticPartitionsDefinition(list(departements()))
ONE_RUN = dg.BackfillPolicy.single_run()
