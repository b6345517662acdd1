-- The 100 départements in the order of their trade.
select
    periode,
    flux,
    rang_france as rang,
    code as departement_code,
    nom,
    region_code,
    valeur_eur,
    part_france_pct
from {{ ref('int_reperes') }}
where niveau = 'departement'
order by periode, flux, rang, departement_code
