{{ config(meta={'dagster': {'ref': {'name': 'mart_departement_balance'}}, 'description': 'Balance = exports − imports for each partner and each territory, and the partners sum to the territory.', 'phrase': 'Solde apparent = exportations − importations, pour chaque partenaire et chaque territoire, et les partenaires font le territoire.'}) }}
with partenaires as (
    select periode, niveau, code, sum(solde_eur) as solde_eur, sum(export_eur - import_eur) as difference_eur
    from (from {{ ref('mart_departement_balance') }} union all from {{ ref('mart_national_balance') }})
    group by all
),

territoires as (
    select
        periode,
        niveau,
        code,
        max(solde_eur) as solde_eur,
        min(solde_eur) as autre_solde_eur,
        sum(case flux when 'export' then valeur_eur else -valeur_eur end) as difference_eur
    from (from {{ ref('mart_departement_reperes') }} union all from {{ ref('mart_national_reperes') }})
    group by all
)

select *
from territoires
left join partenaires using (periode, niveau, code)
where
    territoires.solde_eur != territoires.difference_eur
    or territoires.solde_eur != territoires.autre_solde_eur
    or coalesce(partenaires.solde_eur, 0) != territoires.solde_eur
    or coalesce(partenaires.difference_eur, 0) != territoires.solde_eur
