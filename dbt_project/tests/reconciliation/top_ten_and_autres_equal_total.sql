{{ config(meta={'dagster': {'ref': {'name': 'mart_departement_produits'}}, 'description': 'Goods of the treemap and of the Sankey are the same ten and « Autres », with the same euros.', 'phrase': 'Les produits de la carte et du diagramme de flux sont les mêmes dix et « Autres », avec les mêmes euros.'}) }}
with sankey as (
    select distinct periode, niveau, code, flux, produit_code, produit_valeur_eur as valeur_eur
    from (from {{ ref('mart_departement_flux') }} union all from {{ ref('mart_national_flux') }})
),

treemap as (
    select periode, niveau, code, flux, produit_code, valeur_eur
    from (from {{ ref('mart_departement_produits') }} union all from {{ ref('mart_national_produits') }})
)

(from sankey except from treemap)
union all
(from treemap except from sankey)
