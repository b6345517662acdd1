"""Foreign-trade fiches of French territories: from the customs' archives to printed pages.

The tour. Data flow one way, through these rooms:

`sources/` finds releases: the customs' page, any index page, a folder, the embedded example. `archive/` fetches each archive,
judges it, reports in French on what drifts, keeps it as it came, says what it changes, and turns the rows of all that is kept
into Parquet. `dbt_project/` (SQL, beside this package) says what is true: what codes mean, what is summed, what ranks.
`marts.py` is the one door to its results. `charts/` turns a mart's frame into a figure and draws it. `fiche/` binds figures,
tables and sentences into a PDF, a page and a bundle. `warehouse.py` makes marts again from kept archives, apart from the
outputs: `verify.py` makes bundles of them and says what differs, `revisions.py` compares two vintages. `controles.py` lists
every check of the line with its sentences. `doctor/` looks at a machine and a source before the first run, and changes nothing.
`defs/` tells Dagster that all these exist, in which order and with which checks; `definitions.py` loads it, and `cli.py` launches
the same jobs from a terminal. `ui.py` starts Dagster's UI behind `guard.py`, which says what a browser may ask of it.

Shared by all: `settings.py` (an operator's choices), `paths.py`, `work.py` (what follows from both for a run), `territoires.py`
(who has a fiche), `pertes.py` (what is missing, in words), `typographie.py` (how numbers are printed, the only place where one
is rounded), `errors.py` (failures in four parts), `spreadsheets.py` (cells that no spreadsheet runs), `outputs.py` (one run at a
time, files that appear whole, disks that fail), `progress.py`, `dbt.py`. Around a command: `supervisor.py` (a small parent that
ends it whole on any signal), `worker.py` (the process it starts), `terminal.py` (any encoding, a reader that left), `memory.py`
(too little of it, in words).

If a journalist could dispute it, it is SQL. If a designer could, it is `charts/` or `fiche/`. If an operator could, it is
`defs/`. Only `defs/`, `definitions.py`, `cli.py` and `ui.py` import Dagster.
"""
