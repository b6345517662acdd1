-- Codes that the totals of the period hold on one side only, with the euros they carry there.
with cotes as (
    select 'disparu' as statut, * from avant.int_echanges__by_zone where periode = getvariable('periode')
    union all
    select 'apparu', * from apres.int_echanges__by_zone where periode = getvariable('periode')
),

codes as (
    select 'departement' as nature, departement_code as code, statut, valeur_eur from cotes
    union all
    select 'pays', pays_code, statut, valeur_eur from cotes
    union all
    select 'produit', produit_code, statut, valeur_eur from cotes
)

select nature, code, max(statut) as statut, sum(valeur_eur)::bigint as valeur_eur
from codes
group by nature, code
having count(distinct statut) = 1
order by nature, statut, code
