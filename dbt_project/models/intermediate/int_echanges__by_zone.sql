-- The one big sum: rows of a period by département (Monaco included), good at all levels, and partner.
select
    periodes.periode,
    echanges.departement_code,
    echanges.region_code,
    echanges.flux,
    echanges.a38_code,
    echanges.a129_code,
    echanges.cpf4_code,
    echanges.pays_code,
    sum(echanges.valeur_eur)::bigint as valeur_eur
from {{ ref('int_echanges__qualified') }} as echanges
inner join {{ ref('int_periodes') }} as periodes
    on echanges.annee * 4 + echanges.trimestre - 1 between periodes.dernier - 3 and periodes.dernier
where echanges.motif_quarantaine is null
group by all
