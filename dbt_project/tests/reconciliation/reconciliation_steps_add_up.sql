{{ config(meta={'dagster': {'ref': {'name': 'mart_national_reconciliation'}}, 'description': 'Départements + Monaco + undetermined = régions = the total of the fiches, to the euro; and the bridge from there to the published headline adds up.', 'phrase': 'Départements + Monaco + indéterminé = régions = total des fiches, à l’euro près, et les étapes jusqu’au chiffre publié s’additionnent.'}) }}
with etapes as (
    select
        periode,
        niveau,
        code,
        flux,
        sum(valeur_eur) filter (where etape in ('departements', 'monaco', 'indetermine')) as zones_eur,
        {%- for etape in ('regions', 'base_ouverte', 'ecartees', 'ecart_ensemble', 'total_publie', 'caf_fab', 'total_publie_fab') %}
        max(valeur_eur) filter (where etape = '{{ etape }}') as {{ etape }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('mart_national_reconciliation') }}
    group by all
)

select *
from {{ ref('mart_national_reperes') }} as reperes
left join etapes using (periode, niveau, code, flux)
where
    etapes.base_ouverte is distinct from reperes.valeur_eur
    or etapes.zones_eur is distinct from reperes.valeur_eur
    or (
        niveau = 'france'
        and (
            regions is distinct from base_ouverte
            or base_ouverte + ecartees + ecart_ensemble is distinct from total_publie
            or total_publie + caf_fab is distinct from total_publie_fab
        )
    )
