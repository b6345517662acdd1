-- How much of the period was revised, by flow: cells are a département (or Monaco), a good and a partner. Upward and downward
-- revisions make up for one another in totals; `mouvement_eur` counts both.
with cotes as (
    select flux, departement_code, produit_code, pays_code, -valeur_eur as revision_eur
    from avant.int_echanges__by_zone where periode = getvariable('periode')
    union all
    select flux, departement_code, produit_code, pays_code, valeur_eur
    from apres.int_echanges__by_zone where periode = getvariable('periode')
),

cellules as (
    select flux, sum(revision_eur)::bigint as revision_eur
    from cotes
    group by flux, departement_code, produit_code, pays_code
)

select
    flux,
    count(*) filter (where revision_eur != 0) as cellules_revisees,
    sum(abs(revision_eur))::bigint as mouvement_eur,
    (select count(*) from totaux where totaux.flux = cellules.flux and niveau = 'departement' and totaux.revision_eur != 0) as departements_revises,
    (select count(*) from rangs where rangs.flux = cellules.flux) as rangs_changes,
    (
        select count(*) from partenaires
        where partenaires.flux = cellules.flux and niveau = 'departement' and mouvement = 'entre'
    ) as partenaires_entres,
    (
        select count(*) from produits
        where produits.flux = cellules.flux and niveau = 'departement' and mouvement = 'entre'
    ) as produits_entres
from cellules
group by flux
order by flux
