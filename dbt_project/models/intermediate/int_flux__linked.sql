-- The links of the Sankey: ten first goods × ten first countries of a territory and flow, and the rest on either side.
with liens as (
    select
        echanges.periode,
        echanges.niveau,
        echanges.code,
        echanges.flux,
        coalesce(produits.produit_code, 'AUTRES') as produit_code,
        coalesce(pays.pays_code, 'AUTRES') as pays_code,
        sum(echanges.valeur_eur)::bigint as valeur_eur
    from {{ ref('int_echanges__by_territoire') }} as echanges
    -- Only the ten first of each: joining all the ranked ones costs forty times as much.
    left join (from {{ ref('int_produits__ranked') }} where rang <= 10) as produits using (periode, niveau, code, flux, produit_code)
    left join (from {{ ref('int_pays__ranked') }} where rang <= 10) as pays using (periode, niveau, code, flux, pays_code)
    group by all
    having sum(echanges.valeur_eur) > 0
),

noeuds_pays as (
    select periode, niveau, code, flux, groupe_code as pays_code, rang as pays_rang, sum(valeur_eur)::bigint as pays_valeur_eur, count(*) as pays_nb
    from {{ ref('int_pays__ranked') }}
    group by all
),

joined as (
    select
        liens.*,
        produits.produit,
        produits.produit_libelle,
        produits.rang as produit_rang,
        produits.valeur_eur as produit_valeur_eur,
        produits.nb_produits as produit_nb,
        coalesce(nomenclatures.libelle_court, 'Autres pays') as pays,
        noeuds_pays.pays_rang,
        noeuds_pays.pays_valeur_eur,
        noeuds_pays.pays_nb,
        liens.produit_code != 'AUTRES' and liens.pays_code != 'AUTRES' as est_nomme
    from liens
    inner join {{ ref('int_produits__grouped') }} as produits using (periode, niveau, code, flux, produit_code)
    inner join noeuds_pays using (periode, niveau, code, flux, pays_code)
    left join {{ ref('int_libelles') }} as nomenclatures
        on liens.periode = nomenclatures.periode and nomenclatures.nomenclature = 'PAYS' and liens.pays_code = nomenclatures.code
)

select
    * exclude (est_nomme),
    100.0 * valeur_eur / sum(valeur_eur) over territoire as part_pct,
    100.0 * produit_valeur_eur / sum(valeur_eur) over territoire as produit_part_pct,
    100.0 * pays_valeur_eur / sum(valeur_eur) over territoire as pays_part_pct,
    est_nomme and row_number() over (
        partition by periode, niveau, code, flux, est_nomme order by valeur_eur desc, produit_code, pays_code
    ) <= 5 as est_principal
from joined
window territoire as (partition by periode, niveau, code, flux)
