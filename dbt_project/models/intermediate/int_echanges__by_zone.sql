-- The one big sum: rows of a period by département (Monaco included), good at the level chosen, and partner.
with trimestres as (
    select periode, unnest(range(dernier - 3, dernier + 1)) as numero from {{ ref('int_periodes') }}
)

select
    trimestres.periode,
    echanges.departement_code,
    echanges.region_code,
    echanges.flux,
    coalesce(echanges.{{ produit_code() }}, 'ZZ') as produit_code,
    case
        when echanges.a129_code = 'D35A' then 'electricite'
        when echanges.cpf4_code = '0620' then 'gaz'
        when echanges.a129_code in ('B05Z', 'B06Z', 'C19Z') then 'autre'  -- coal, crude oil, refined products
    end as energie,
    echanges.pays_code,
    sum(echanges.valeur_eur)::bigint as valeur_eur
from {{ ref('int_echanges__qualified') }} as echanges
inner join trimestres using (numero)
where echanges.motif_quarantaine is null
group by all
