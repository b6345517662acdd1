"""One territory's figures, bound into a fiche: the same content as a PDF, as a web page and as files to reuse.

`provenance` says where the numbers come from, `cellules` binds each printed one to the data file that holds it; `contexte`
builds the content (`contenu`: its blocks), worded by `textes` (what is said of any territory), `commentaire` (what its figures
allow to say; `pays` names countries) and `confiance` (how far they go); `pdf` and `page` set that content, word for word the
same; `lot` writes the bundle, whole or not at all, `bind` those of a run; `index` is the entry page, `rapprochement` the page
that reconciles the country; `etat` says which fiches are not of the run that stands. For `comex verify`, `manifeste` and `epreuve`
read a bundle as a stranger's, and `ecarts` compares two copies of one.

Add here: another form of the same content. Keep out: figures' drawing (`charts/`), statistics (SQL), Dagster.
"""
