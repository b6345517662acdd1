-- The rows kept out of each territory and flow, each reason apart; rows of an unknown département belong to France alone.
with sommes as (
    select
        periodes.periode,
        case when grouping(departement_code) = 0 then 'departement' when grouping(region_code) = 0 then 'region' else 'france' end as niveau,
        case when grouping(departement_code) = 0 then departement_code when grouping(region_code) = 0 then region_code else 'FR' end as code,
        ecartees.flux,
        ecartees.motif,
        sum(ecartees.lignes)::bigint as lignes,
        sum(ecartees.valeur_eur)::bigint as valeur_eur,
        sum(abs(ecartees.valeur_eur))::bigint as absolue_eur,
        coalesce(string_agg(distinct nullif(ecartees.code_source, ''), ' ' order by nullif(ecartees.code_source, '')), '') as codes
    from {{ ref('int_echanges__by_trimestre') }} as ecartees
    inner join {{ ref('int_periodes') }} as periodes on ecartees.numero between periodes.dernier - 3 and periodes.dernier
    where ecartees.motif is not null
    group by grouping sets ((periode, departement_code, flux, motif), (periode, region_code, flux, motif), (periode, flux, motif))
)

select
    sommes.periode,
    sommes.niveau,
    sommes.code,
    territoires.nom,
    sommes.flux,
    sommes.motif,
    sommes.lignes,
    100.0 * sommes.lignes / (pertes.lignes + pertes.ecartees) as lignes_pct,
    sommes.valeur_eur,
    coalesce(100.0 * sommes.absolue_eur / nullif(pertes.recue_eur + pertes.ecartees_absolues_eur, 0), 0) as valeur_pct,
    sommes.codes,
    pertes.est_perte_forte
from sommes
inner join {{ ref('int_territoires') }} as territoires using (niveau, code)
inner join {{ ref('int_pertes') }} as pertes using (periode, niveau, code, flux)
