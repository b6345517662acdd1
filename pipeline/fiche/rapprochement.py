"""The page of the country: how départements make régions, régions France, and what parts France from the published totals.

Add here: a table that concerns all territories at once. Keep out: the tables that fiches print too (`confiance.py`), statistics.
"""

from pipeline.fiche import confiance
from pipeline.fiche.cellules import Ligne
from pipeline.fiche.contenu import Colonne, Tableau
from pipeline.fiche.contexte import lignes
from pipeline.fiche.page import gabarits
from pipeline.fiche.provenance import Provenance, marque
from pipeline.fiche.textes import DEFINI, insecables, majuscule
from pipeline.marts import Marts
from pipeline.outputs import write_whole, writing
from pipeline.paths import Paths
from pipeline.territoires import FRANCE, regions_par_nom
from pipeline.typographie import euros


def ecrire(paths: Paths, marts: Marts, provenance: Provenance) -> None:
    """Write the page beside the index; its numbers are bound to the data files of France's bundle. Raises OutputError."""
    html = composer(paths, marts, provenance)
    with writing(paths.rapprochement):
        write_whole(paths.rapprochement, html)


def composer(paths: Paths, marts: Marts, provenance: Provenance) -> str:
    """The HTML of that page."""
    path = paths.rapprochement
    dossier = f"{(paths.fiches / marts.periode / FRANCE.slug).relative_to(path.parent).as_posix()}/"
    donnees = confiance.Donnees(
        {},
        [Ligne(row, "rapprochement", dossier) for row in lignes(marts.reconciliation)],
        [Ligne(row | {"nom": confiance.nom(row)}, "publies", dossier) for row in lignes(marts.publies)],
    )
    tableaux = [
        confiance.tableau_france(donnees, provenance.ligne),
        *(_tableau_regions(donnees, flux, provenance.ligne) for flux in confiance.FLUX),
    ]
    if memes := [row for row in donnees.publies if row["perimetre"] == "base_ouverte"]:
        tableaux.append(confiance.tableau_publies(memes, provenance.ligne))
    return (
        gabarits()
        .get_template("rapprochement.html.j2")
        .render(
            periode=marts.periode,
            dossier=dossier,
            provenance=provenance,
            marque=marque(),
            tableaux=tableaux,
            chapeau=insecables(confiance.CHAPEAU),
            presse=insecables(confiance.PRESSE),
            exemple=insecables(confiance.EXEMPLE),
            commun=paths.commun.relative_to(path.parent).as_posix(),
        )
    )


def _tableau_regions(donnees: confiance.Donnees, flux: str, source: str) -> Tableau:
    """Départements, Monaco and total of each région, to the euro."""
    cases = []
    for territoire in (*regions_par_nom(), FRANCE):
        etapes = donnees.etapes(territoire.niveau, territoire.code)
        cases.append(
            (
                territoire.nom,
                *(
                    etapes[etape, flux].dit("valeur_eur", euros) if (etape, flux) in etapes else ""
                    for etape in ("departements", "monaco", "base_ouverte")
                ),
            )
        )
    return Tableau(
        f"Des départements aux régions et à la France, {DEFINI[flux]}",
        (
            Colonne("Territoire", nombre=False, largeur=2),
            Colonne("Départements, somme"),
            Colonne("Principauté de Monaco"),
            Colonne(f"{majuscule(DEFINI[flux])}, total"),
        ),
        tuple(cases),
        note=source,
        donnees="rapprochement",
        total=True,
    )
