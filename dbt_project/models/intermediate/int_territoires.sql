-- The 119 territories that have a fiche.
select 'departement' as niveau, departement_code as code, nom, region_code from {{ ref('departements') }} where est_fiche
union all
select 'region', region_code, nom, region_code from {{ ref('regions') }}
union all
select 'france', 'FR', 'France', null
