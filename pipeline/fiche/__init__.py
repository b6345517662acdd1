"""One territory's figures, bound into a fiche: the same content as a PDF, as a web page and as files to reuse.

`provenance` says where the numbers come from; `contexte` builds the content, typed and already worded by `textes`; `pdf` and
`page` set that content, word for word the same; `lot` writes the bundle, whole or not at all; `index` is the entry page.

Add here: another form of the same content. Keep out: figures' drawing (`charts/`), statistics (SQL), Dagster.
"""
