-- Quarters of each flow: which are new, which come from another release than before, and by how much they were revised.
with standing as (
    select 'avant' as cote, flux, annee, trimestre, release_id from avant.int_releases__standing
    union all
    select 'apres', flux, annee, trimestre, release_id from apres.int_releases__standing
),

valeurs as (
    select 'avant' as cote, flux, annee, trimestre, valeur_eur from avant.int_echanges__by_trimestre where motif is null
    union all
    select 'apres', flux, annee, trimestre, valeur_eur from apres.int_echanges__by_trimestre where motif is null
),

totaux_trimestriels as (
    select cote, flux, annee, trimestre, sum(valeur_eur)::bigint as valeur_eur from valeurs group by all
),

compares as (
    select
        flux,
        annee || 'T' || trimestre as trimestre,
        max(release_id) filter (where cote = 'avant') as release_avant_id,
        max(release_id) filter (where cote = 'apres') as release_id,
        max(valeur_eur) filter (where cote = 'avant') as valeur_avant_eur,
        max(valeur_eur) filter (where cote = 'apres') as valeur_eur
    from standing
    left join totaux_trimestriels using (cote, flux, annee, trimestre)
    group by all
)

select
    *,
    case when release_avant_id is null then 'ajouté' when release_id != release_avant_id then 'publié à nouveau' else 'inchangé' end as statut,
    valeur_eur - valeur_avant_eur as revision_eur
from compares
order by trimestre, flux
