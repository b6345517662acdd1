-- The same for each level of territory. Monaco is part of its région and of France. A flow whose data are missing has no rows: what
-- came of it is not its trade.
with territoires as (
    select
        periode,
        case when grouping(departement_code) = 0 then 'departement' when grouping(region_code) = 0 then 'region' else 'france' end as niveau,
        case when grouping(departement_code) = 0 then departement_code when grouping(region_code) = 0 then region_code else 'FR' end as code,
        flux,
        produit_code,
        pays_code,
        sum(valeur_eur)::bigint as valeur_eur
    from {{ ref('int_echanges__by_zone') }}
    group by grouping sets (
        (periode, departement_code, flux, produit_code, pays_code),
        (periode, region_code, flux, produit_code, pays_code),
        (periode, flux, produit_code, pays_code)
    )
    having niveau != 'departement' or code in (select code from {{ ref('int_territoires') }} where niveau = 'departement')
)

select territoires.*
from territoires
inner join {{ ref('int_pertes') }} as pertes using (periode, niveau, code, flux)
where pertes.est_disponible
