-- The 100 départements in the order of their trade; last those without a rank, whose data are incomplete or missing.
select
    periode,
    flux,
    rang_france as rang,
    code as departement_code,
    nom,
    region_code,
    valeur_eur,
    part_france_pct,
    est_disponible,
    est_perte_forte
from {{ ref('int_reperes') }}
where niveau = 'departement'
order by periode, flux, rang nulls last, valeur_eur desc nulls last, departement_code
