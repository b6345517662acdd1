select
    periode,
    niveau,
    code,
    flux,
    produit_code,
    produit,
    produit_libelle,
    valeur_eur,
    part_pct,
    rang,
    nb_produits
from {{ ref('int_produits__grouped') }}
where niveau != 'departement'
order by periode, niveau, code, flux, rang
