select
    periode,
    niveau,
    code,
    flux,
    produit_code,
    produit,
    produit_libelle,
    produit_rang,
    produit_valeur_eur,
    produit_nb,
    pays_code,
    pays,
    pays_rang,
    pays_valeur_eur,
    pays_nb,
    valeur_eur,
    part_pct,
    est_principal,
    produit_part_pct,
    pays_part_pct
from {{ ref('int_flux__linked') }}
where niveau != 'departement'
order by periode, niveau, code, flux, produit_rang, pays_rang
