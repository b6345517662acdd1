-- Each territory and flow as known before and after, with the largest revision first; Monaco, which has no fiche, makes the sum whole.
with reperes as (
    select 'avant' as cote, * from avant.int_reperes where periode = getvariable('periode')
    union all
    select 'apres', * from apres.int_reperes where periode = getvariable('periode')
),

monaco as (
    select 'avant' as cote, flux, sum(valeur_eur)::bigint as valeur_eur
    from avant.int_echanges__by_zone where periode = getvariable('periode') and departement_code = '99' group by flux
    union all
    select 'apres', flux, sum(valeur_eur)::bigint
    from apres.int_echanges__by_zone where periode = getvariable('periode') and departement_code = '99' group by flux
),

compares as (
    select
        niveau,
        code,
        nom,
        region_code,
        flux,
        max(valeur_eur) filter (where cote = 'avant') as valeur_avant_eur,
        max(valeur_eur) filter (where cote = 'apres') as valeur_eur,
        max(part_france_pct) filter (where cote = 'avant') as part_france_avant_pct,
        max(part_france_pct) filter (where cote = 'apres') as part_france_pct,
        max(rang_france) filter (where cote = 'avant') as rang_avant,
        max(rang_france) filter (where cote = 'apres') as rang,
        max(solde_eur) filter (where cote = 'avant') as solde_avant_eur,
        max(solde_eur) filter (where cote = 'apres') as solde_eur,
        max(quarantaine_eur) filter (where cote = 'avant') as quarantaine_avant_eur,
        max(quarantaine_eur) filter (where cote = 'apres') as quarantaine_eur
    from reperes
    group by all
    union all by name
    select
        'hors_fiche' as niveau,
        '99' as code,
        'Monaco' as nom,
        '93' as region_code,
        flux,
        coalesce(max(valeur_eur) filter (where cote = 'avant'), 0) as valeur_avant_eur,
        coalesce(max(valeur_eur) filter (where cote = 'apres'), 0) as valeur_eur
    from monaco
    group by flux
)

select
    niveau,
    code,
    nom,
    region_code,
    flux,
    valeur_avant_eur,
    valeur_eur,
    valeur_eur - valeur_avant_eur as revision_eur,
    100.0 * revision_eur / nullif(valeur_avant_eur, 0) as revision_pct,
    -- A year is revised by about 0,5 % as a rule (`revision_pct` in dbt_project.yml): twice as much stands out.
    -- So do data that are missing on one side.
    coalesce(abs(revision_pct) > 1, revision_eur != 0, (valeur_avant_eur is null) != (valeur_eur is null)) as est_forte,
    part_france_avant_pct,
    part_france_pct,
    rang_avant,
    rang,
    solde_avant_eur,
    solde_eur,
    solde_eur - solde_avant_eur as solde_revision_eur,
    quarantaine_avant_eur,
    quarantaine_eur,
    case
        when revision_eur != 0 then row_number() over (partition by niveau, flux order by abs(revision_eur) desc, code)
    end as rang_revision
from compares
order by
    case niveau when 'france' then 1 when 'hors_fiche' then 2 when 'region' then 3 else 4 end,
    length(code),
    code,
    flux
