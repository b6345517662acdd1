{{ config(meta={'dagster': {'ref': {'name': 'mart_departement_flux'}}, 'description': 'In each Sankey the links of a node sum to the node, and at most five links, never one of « Autres », are principal.', 'phrase': 'Dans chaque diagramme de flux, les liens d’un nœud font ce nœud ; cinq liens au plus, jamais d’« Autres », sont principaux.'}) }}
with liens as (
    from {{ ref('mart_departement_flux') }} union all from {{ ref('mart_national_flux') }}
),

noeuds as (
    select periode, niveau, code, flux, produit_code as noeud, max(produit_valeur_eur) as valeur_eur, sum(valeur_eur) as liens_eur, 0 as principaux
    from liens
    group by all
    union all
    select periode, niveau, code, flux, pays_code, max(pays_valeur_eur), sum(valeur_eur), 0
    from liens
    group by all
    union all
    select periode, niveau, code, flux, 'principaux', 0, 0, count(*) filter (where est_principal)
    from liens
    group by all
    having count(*) filter (where est_principal) > 5 or bool_or(est_principal and 'AUTRES' in (produit_code, pays_code))
)

select * from noeuds where valeur_eur != liens_eur or principaux > 0
