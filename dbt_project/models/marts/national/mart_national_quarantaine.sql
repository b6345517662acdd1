-- What is kept out of the totals of each period, by quarter. Empty when every row counts.
select
    periodes.periode,
    quarantaine.annee,
    quarantaine.trimestre,
    quarantaine.flux,
    quarantaine.motif,
    quarantaine.code_source,
    quarantaine.departement_code,
    quarantaine.lignes,
    quarantaine.valeur_eur
from {{ ref('int_echanges__by_trimestre') }} as quarantaine
inner join {{ ref('int_periodes') }} as periodes on quarantaine.numero between periodes.dernier - 3 and periodes.dernier
where quarantaine.motif is not null
order by all
