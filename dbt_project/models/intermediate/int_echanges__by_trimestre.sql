-- The other sum: quarters, zones and goods, with rows and kilograms; and what is kept out of the totals: codes that nobody's
-- table knows, and rows without a usable value.
select
    annee,
    trimestre,
    numero,
    flux,
    departement_code,
    region_code,
    motif_quarantaine as motif,
    case motif_quarantaine
        when 'departement_inconnu' then departement_source
        when 'produit_inconnu' then a129_code || '/' || cpf4_code
        when 'pays_inconnu' then pays_code
        when 'pays_echu' then pays_code
        else case when motif_quarantaine is not null then '' end
    end as code_source,
    case when motif_quarantaine is null then coalesce({{ produit_code() }}, 'ZZ') end as produit_code,
    count(*) as lignes,
    coalesce(sum(valeur_eur), 0)::bigint as valeur_eur,
    coalesce(sum(valeur_eur) filter (where masse_kg > 0), 0)::bigint as pesee_eur,
    coalesce(sum(masse_kg) filter (where masse_kg > 0), 0)::bigint as masse_kg
from {{ ref('int_echanges__qualified') }}
group by all
