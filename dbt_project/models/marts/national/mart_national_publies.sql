-- Our totals beside those published elsewhere, where a publication is known. Empty for the periods of which none is.
with totaux as (
    select periode, niveau, code, flux, valeur_eur from {{ ref('int_reperes') }}
    union all
    select periode, 'departement', departement_code, flux, sum(valeur_eur)::bigint
    from {{ ref('int_echanges__by_zone') }}
    where departement_code = '99'
    group by all
),

exemples as (
    select periodes.periode, bool_or(releases.est_exemple) as est_exemple
    from {{ ref('int_releases__standing') }} as en_vigueur
    inner join {{ ref('int_periodes') }} as periodes on en_vigueur.numero between periodes.dernier - 3 and periodes.dernier
    inner join {{ ref('stg_douane__releases') }} as releases using (release_id)
    group by periodes.periode
),

compared as (
    select
        totaux.*,
        publies.perimetre,
        publies.valeur_eur as publie_eur,
        publies.precision_eur,
        totaux.valeur_eur - publies.valeur_eur as ecart_eur,
        100.0 * ecart_eur / publies.valeur_eur as ecart_pct,
        {{ var('revision_pct') }} + 100.0 * publies.precision_eur / publies.valeur_eur as tolerance_pct,
        publies.source,
        publies.date_publication,
        publies.perimetre = 'base_ouverte' and not exemples.est_exemple as est_comparable
    from totaux
    inner join {{ ref('int_periodes') }} as periodes using (periode)
    inner join {{ ref('totaux_publies') }} as publies
        on
            periodes.dernier = publies.annee * 4 + 3
            and totaux.niveau = publies.niveau
            and totaux.code = publies.code
            and totaux.flux = publies.flux
    inner join exemples using (periode)
)

select
    periode,
    niveau,
    code,
    flux,
    perimetre,
    valeur_eur,
    publie_eur,
    precision_eur,
    ecart_eur,
    ecart_pct,
    tolerance_pct,
    source,
    date_publication,
    est_comparable,
    case when est_comparable then abs(ecart_pct) <= tolerance_pct end as est_conforme
from compared
order by periode, niveau, code, perimetre, flux
