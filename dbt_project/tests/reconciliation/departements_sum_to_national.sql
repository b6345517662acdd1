{{ config(meta={'dagster': {'ref': {'name': 'mart_national_reperes'}}, 'description': 'Départements and Monaco sum to their région, and régions to France, to the euro.', 'phrase': 'Les départements et Monaco font leur région, et les régions la France, à l’euro près.'}) }}
with zones as (
    select periode, flux, region_code, sum(valeur_eur) as valeur_eur, sum(valeur_eur) filter (where departement_code = '99') as monaco_eur
    from {{ ref('int_echanges__by_zone') }}
    group by all
),

departements as (
    select reperes.periode, reperes.flux, seeds.region_code, sum(coalesce(reperes.valeur_eur, reperes.valeur_partielle_eur, 0)) as valeur_eur
    from {{ ref('mart_departement_reperes') }} as reperes
    inner join {{ ref('departements') }} as seeds on reperes.code = seeds.departement_code
    group by all
),

regions as (
    select departements.periode, departements.flux, departements.region_code as code, departements.valeur_eur + coalesce(zones.monaco_eur, 0) as attendu_eur
    from departements
    left join zones using (periode, flux, region_code)
    union all
    select departements.periode, departements.flux, 'FR', sum(departements.valeur_eur + coalesce(zones.monaco_eur, 0))
    from departements
    left join zones using (periode, flux, region_code)
    group by all
)

select regions.*, reperes.valeur_eur
from regions
left join {{ ref('mart_national_reperes') }} as reperes using (periode, flux, code)
where coalesce(reperes.valeur_eur, reperes.valeur_partielle_eur, 0) is distinct from regions.attendu_eur
