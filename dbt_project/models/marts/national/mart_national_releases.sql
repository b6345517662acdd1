-- The archives that each period was computed from, with the quarters that each one gave.
select
    periodes.periode,
    en_vigueur.flux,
    releases.release_id,
    releases.nom,
    releases.sha256,
    releases.vintage,
    string_agg(en_vigueur.annee || 'T' || en_vigueur.trimestre, ' ' order by en_vigueur.numero) as trimestres
from {{ ref('int_releases__standing') }} as en_vigueur
inner join {{ ref('int_periodes') }} as periodes on en_vigueur.numero between periodes.dernier - 3 and periodes.dernier
inner join {{ ref('stg_douane__releases') }} as releases using (release_id)
group by all
order by periode, flux, trimestres
