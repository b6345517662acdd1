"""How bytes arrive and are kept: `fetch` downloads an archive, `inspect` judges it, `store` keeps it, `tables` turns its
rows into Parquet.

Add here: what can be said of a file without knowing what its codes mean. Keep out: where releases come from (`sources/`),
what a code means or which vintage stands (dbt).
"""
