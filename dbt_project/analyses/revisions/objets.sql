-- Partners and goods of each territory and flow, ranked to the last where a figure names ten: who enters or leaves these ten, who
-- moves among them, and the ten largest revisions. What is not a country has no rank.
with rangs as (
    select 'avant' as cote, niveau, code, flux, 'pays' as objet, pays_code as objet_code, valeur_eur, rang_brut
    from avant.int_pays__ranked where periode = getvariable('periode')
    union all
    select 'apres', niveau, code, flux, 'pays', pays_code, valeur_eur, rang_brut
    from apres.int_pays__ranked where periode = getvariable('periode')
    union all
    select 'avant', niveau, code, flux, 'produit', produit_code, valeur_eur, rang_brut
    from avant.int_produits__ranked where periode = getvariable('periode')
    union all
    select 'apres', niveau, code, flux, 'produit', produit_code, valeur_eur, rang_brut
    from apres.int_produits__ranked where periode = getvariable('periode')
),

compares as (
    select
        niveau,
        code,
        flux,
        objet,
        objet_code,
        coalesce(max(valeur_eur) filter (where cote = 'avant'), 0) as valeur_avant_eur,
        coalesce(max(valeur_eur) filter (where cote = 'apres'), 0) as valeur_eur,
        max(rang_brut) filter (where cote = 'avant') as rang_avant,
        max(rang_brut) filter (where cote = 'apres') as rang
    from rangs
    group by all
),

mouvements as (
    select
        *,
        valeur_eur - valeur_avant_eur as revision_eur,
        coalesce(rang_avant, 11) <= 10 as etait_nomme,
        coalesce(rang, 11) <= 10 as est_nomme,
        case
            when est_nomme and not etait_nomme then 'entre'
            when etait_nomme and not est_nomme then 'sort'
            when est_nomme and rang < rang_avant then 'monte'
            when est_nomme and rang > rang_avant then 'descend'
        end as mouvement,
        case
            when revision_eur != 0
                then row_number() over (partition by niveau, code, flux, objet order by abs(revision_eur) desc, objet_code)
        end as rang_revision
    from compares
),

libelles as (
    select nomenclature, code, libelle_court from apres.int_libelles where periode = getvariable('periode')
    union
    select nomenclature, code, libelle_court
    from avant.int_libelles
    anti join (from apres.int_libelles where periode = getvariable('periode')) using (nomenclature, code)
    where periode = getvariable('periode')
)

select
    mouvements.niveau,
    mouvements.code,
    totaux.nom,
    mouvements.flux,
    mouvements.objet,
    mouvements.objet_code,
    coalesce(libelles.libelle_court, mouvements.objet_code) as libelle,
    mouvements.mouvement,
    mouvements.rang_avant,
    mouvements.rang,
    mouvements.valeur_avant_eur,
    mouvements.valeur_eur,
    mouvements.revision_eur,
    100.0 * mouvements.revision_eur / nullif(mouvements.valeur_avant_eur, 0) as revision_pct,
    mouvements.rang_revision
from mouvements
inner join totaux using (niveau, code, flux)
left join libelles
    on mouvements.objet_code = libelles.code and libelles.nomenclature = case mouvements.objet when 'pays' then 'PAYS' else getvariable('niveau_produit') end
where mouvements.mouvement is not null or mouvements.rang_revision <= 10
order by
    case mouvements.niveau when 'france' then 1 when 'region' then 2 else 3 end,
    length(mouvements.code),
    mouvements.code,
    mouvements.flux,
    mouvements.objet,
    mouvements.rang_revision nulls last,
    mouvements.objet_code
