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
    valeur_hors_electricite_eur,
    part_region_hors_electricite_pct,
    hors_pays_eur,
    nb_pays,
    nb_produits,
    rang_france,
    solde_eur,
    taux_couverture_pct,
    quarantaine_eur,
    quarantaine_pct
from {{ ref('int_reperes') }}
where niveau = 'departement'
order by periode, code, flux
