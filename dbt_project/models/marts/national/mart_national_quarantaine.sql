-- What is kept out of the totals, for every quarter in the warehouse. Empty when all codes are known.
select
    annee,
    trimestre,
    flux,
    motif,
    code_source,
    departement_code,
    lignes,
    valeur_eur
from {{ ref('int_echanges__quarantined') }}
order by all
