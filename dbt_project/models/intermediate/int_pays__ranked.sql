-- Partners of each territory and flow; only countries take a rank (ties: code). The rest, with what is not a country, is « Autres pays ».
with totaux as (
    select echanges.periode, echanges.niveau, echanges.code, echanges.flux, echanges.pays_code, pays.est_pays, sum(echanges.valeur_eur)::bigint as valeur_eur
    from {{ ref('int_echanges__by_territoire') }} as echanges
    inner join {{ ref('int_nomenclatures') }} as pays on pays.nomenclature = 'PAYS' and echanges.pays_code = pays.code
    group by all
    having sum(echanges.valeur_eur) > 0
)

select
    *,
    case when est_pays then row_number() over (partition by periode, niveau, code, flux order by est_pays desc, valeur_eur desc, pays_code) end as rang_brut,
    case when rang_brut <= 10 then pays_code else 'AUTRES' end as groupe_code,
    coalesce(least(rang_brut, 11), 11) as rang
from totaux
