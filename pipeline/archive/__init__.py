"""How bytes arrive and are kept. `intake` takes what a source offers: `fetch` brings it, `inspect`, `rows` and `plausibility`
judge it, `store` keeps it, `compare` says what it changes. `tables` makes the tables of a run from what is kept.

Add here: what can be said of a file without knowing what its codes mean. Keep out: where releases come from (`sources/`),
what a code means or which vintage stands (dbt).
"""
