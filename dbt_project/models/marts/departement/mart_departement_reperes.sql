select
    periode,
    niveau,
    code,
    nom,
    flux,
    valeur_eur,
    valeur_precedente_eur,
    evolution_pct,
    part_region_pct,
    part_france_pct,
    hors_pays_eur,
    nb_pays,
    nb_produits,
    rang_france,
    solde_eur,
    taux_couverture_pct,
    quarantaine_eur,
    quarantaine_pct,
    energie_convention_eur,
    valeur_hors_convention_eur,
    part_region_hors_convention_pct,
    indetermine_eur,
    retours_eur,
    est_rupture,
    est_evolution_lisible
from {{ ref('int_reperes') }}
where niveau = 'departement'
order by periode, code, flux
