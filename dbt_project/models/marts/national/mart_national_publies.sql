-- Our totals beside those published elsewhere, where a publication is known; null where we have none. Empty for the periods of which none is.
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

-- Every published total of the period, whether or not we have one beside it.
compared as (
    select
        periodes.periode,
        publies.niveau,
        publies.code,
        publies.flux,
        publies.perimetre,
        totaux.valeur_eur,
        publies.valeur_eur as publie_eur,
        publies.precision_eur,
        totaux.valeur_eur - publies.valeur_eur as ecart_eur,
        100.0 * ecart_eur / publies.valeur_eur as ecart_pct,
        {{ var('revision_pct') }} + 100.0 * publies.precision_eur / publies.valeur_eur as tolerance_pct,
        publies.source,
        publies.date_publication,
        publies.perimetre = 'base_ouverte' and not exemples.est_exemple as est_comparable
    from {{ ref('totaux_publies') }} as publies
    inner join {{ ref('int_periodes') }} as periodes on publies.annee * 4 + 3 = periodes.dernier
    inner join exemples using (periode)
    left join totaux
        on
            periodes.periode = totaux.periode
            and publies.niveau = totaux.niveau
            and publies.code = totaux.code
            and publies.flux = totaux.flux
    where publies.flux != 'solde'
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
    case when est_comparable then coalesce(abs(ecart_pct) <= tolerance_pct, false) end as est_conforme
from compared
order by periode, niveau, code, perimetre, flux
