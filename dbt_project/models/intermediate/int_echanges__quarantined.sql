-- What is kept out of the totals, with its euros: codes that nobody's table knows, and rows without a usable value.
select
    annee,
    trimestre,
    flux,
    motif_quarantaine as motif,
    case motif_quarantaine
        when 'departement_inconnu' then departement_source
        when 'produit_inconnu' then a129_code || '/' || cpf4_code
        when 'pays_inconnu' then pays_code
        else ''
    end as code_source,
    departement_code,
    region_code,
    count(*) as lignes,
    coalesce(sum(valeur_eur), 0)::bigint as valeur_eur
from {{ ref('int_echanges__qualified') }}
where motif_quarantaine is not null
group by all
