-- Goods of each territory and flow, largest first (ties: code); the ten first keep their name, the rest becomes « Autres produits ».
with totaux as (
    select periode, niveau, code, flux, produit_code, sum(valeur_eur)::bigint as valeur_eur
    from {{ ref('int_echanges__by_territoire') }}
    group by all
    having sum(valeur_eur) > 0
)

select
    *,
    row_number() over (partition by periode, niveau, code, flux order by valeur_eur desc, produit_code) as rang_brut,
    case when rang_brut <= 10 then produit_code else 'AUTRES' end as groupe_code,
    least(rang_brut, 11) as rang
from totaux
