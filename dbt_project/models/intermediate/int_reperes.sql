-- The headline figures of each territory and flow; every territory has both rows, with zeros where it has no trade.
with grille as (
    select periodes.periode, periodes.periode_precedente, periodes.est_rupture, territoires.*, flux.flux
    from {{ ref('int_periodes') }} as periodes
    cross join {{ ref('int_territoires') }} as territoires
    cross join (values ('export'), ('import')) as flux(flux)
),

zones as (
    select
        zones.periode,
        zones.departement_code,
        zones.region_code,
        zones.flux,
        sum(zones.valeur_eur)::bigint as valeur_eur,
        coalesce(sum(zones.valeur_eur) filter (where zones.energie in ('electricite', 'gaz')), 0)::bigint as energie_convention_eur,
        coalesce(sum(zones.valeur_eur) filter (where zones.energie is not null), 0)::bigint as energie_eur,
        coalesce(sum(zones.valeur_eur) filter (where not pays.est_pays and zones.pays_code != 'FR'), 0)::bigint as indetermine_eur,
        coalesce(sum(zones.valeur_eur) filter (where zones.pays_code = 'FR'), 0)::bigint as retours_eur
    from {{ ref('int_echanges__by_zone') }} as zones
    inner join {{ ref('int_nomenclatures') }} as pays on pays.nomenclature = 'PAYS' and zones.pays_code = pays.code
    group by all
),

totaux as (
    select
        periode,
        case when grouping(departement_code) = 0 then 'departement' when grouping(region_code) = 0 then 'region' else 'france' end as niveau,
        case when grouping(departement_code) = 0 then departement_code when grouping(region_code) = 0 then region_code else 'FR' end as code,
        flux,
        sum(valeur_eur)::bigint as valeur_eur,
        sum(energie_convention_eur)::bigint as energie_convention_eur,
        sum(energie_eur)::bigint as energie_eur,
        sum(indetermine_eur)::bigint as indetermine_eur,
        sum(retours_eur)::bigint as retours_eur
    from zones
    group by grouping sets ((periode, departement_code, flux), (periode, region_code, flux), (periode, flux))
),

nombres_pays as (
    select periode, niveau, code, flux, count(*) filter (where est_pays) as nb_pays from {{ ref('int_pays__ranked') }} group by all
),

nombres_produits as (
    select periode, niveau, code, flux, count(*) as nb_produits from {{ ref('int_produits__ranked') }} group by all
),

quarantaine as (
    select
        periode,
        case when grouping(departement_code) = 0 then 'departement' when grouping(region_code) = 0 then 'region' else 'france' end as niveau,
        case when grouping(departement_code) = 0 then departement_code when grouping(region_code) = 0 then region_code else 'FR' end as code,
        flux,
        sum(quarantaine.valeur_eur)::bigint as valeur_eur,
        sum(abs(quarantaine.valeur_eur))::bigint as absolue_eur  -- negative rows do not hide as many positive euros
    from {{ ref('int_echanges__by_trimestre') }} as quarantaine
    inner join {{ ref('int_periodes') }} as periodes on quarantaine.numero between periodes.dernier - 3 and periodes.dernier
    where quarantaine.motif is not null
    group by grouping sets ((periode, departement_code, flux), (periode, region_code, flux), (periode, flux))
),

joined as (
    select
        grille.periode,
        grille.niveau,
        grille.code,
        grille.nom,
        grille.region_code,
        grille.flux,
        grille.est_rupture,
        coalesce(totaux.valeur_eur, 0) as valeur_eur,
        case when precedente.periode is not null then coalesce(precedents.valeur_eur, 0) end as valeur_precedente_eur,
        coalesce(totaux.energie_convention_eur, 0) as energie_convention_eur,
        coalesce(totaux.valeur_eur - totaux.energie_convention_eur, 0) as valeur_hors_convention_eur,
        coalesce(totaux.energie_eur, 0) as energie_eur,
        coalesce(totaux.indetermine_eur, 0) as indetermine_eur,
        coalesce(totaux.retours_eur, 0) as retours_eur,
        coalesce(nombres_pays.nb_pays, 0) as nb_pays,
        coalesce(nombres_produits.nb_produits, 0) as nb_produits,
        regions.valeur_eur as region_eur,
        regions.valeur_eur - regions.energie_convention_eur as region_hors_convention_eur,
        france.valeur_eur as france_eur,
        coalesce(quarantaine.valeur_eur, 0) as quarantaine_eur,
        coalesce(quarantaine.absolue_eur, 0) as quarantaine_absolue_eur
    from grille
    left join totaux using (periode, niveau, code, flux)
    left join quarantaine using (periode, niveau, code, flux)
    left join {{ ref('int_periodes') }} as precedente on grille.periode_precedente = precedente.periode
    left join totaux as precedents
        on
            grille.periode_precedente = precedents.periode
            and grille.niveau = precedents.niveau
            and grille.code = precedents.code
            and grille.flux = precedents.flux
    left join totaux as regions
        on regions.niveau = 'region' and grille.periode = regions.periode and grille.region_code = regions.code and grille.flux = regions.flux
    left join totaux as france
        on france.niveau = 'france' and grille.periode = france.periode and grille.flux = france.flux
    left join nombres_pays
        on grille.periode = nombres_pays.periode and grille.niveau = nombres_pays.niveau and grille.code = nombres_pays.code and grille.flux = nombres_pays.flux
    left join nombres_produits
        on grille.periode = nombres_produits.periode and grille.niveau = nombres_produits.niveau and grille.code = nombres_produits.code and grille.flux = nombres_produits.flux
),

soldes as (
    select
        *,
        coalesce(sum(valeur_eur) filter (where flux = 'export') over territoire, 0)::bigint as export_eur,
        coalesce(sum(valeur_eur) filter (where flux = 'import') over territoire, 0)::bigint as import_eur
    from joined
    window territoire as (partition by periode, niveau, code)
)

select
    periode,
    niveau,
    code,
    nom,
    flux,
    valeur_eur,
    valeur_precedente_eur,
    100.0 * (valeur_eur - valeur_precedente_eur) / nullif(valeur_precedente_eur, 0) as evolution_pct,
    case when niveau = 'departement' then 100.0 * valeur_eur / nullif(region_eur, 0) end as part_region_pct,
    100.0 * valeur_eur / nullif(france_eur, 0) as part_france_pct,
    indetermine_eur + retours_eur as hors_pays_eur,
    nb_pays,
    nb_produits,
    case when niveau = 'departement' then rank() over (partition by periode, niveau, flux order by valeur_eur desc) end as rang_france,
    export_eur - import_eur as solde_eur,
    100.0 * export_eur / nullif(import_eur, 0) as taux_couverture_pct,
    quarantaine_eur,
    100.0 * quarantaine_absolue_eur / nullif(valeur_eur + quarantaine_absolue_eur, 0) as quarantaine_pct,
    energie_convention_eur,
    valeur_hors_convention_eur,
    case when niveau = 'departement' then 100.0 * valeur_hors_convention_eur / nullif(region_hors_convention_eur, 0) end as part_region_hors_convention_pct,
    indetermine_eur,
    retours_eur,
    est_rupture,
    coalesce(
        not est_rupture and valeur_precedente_eur >= {{ var('base_min_eur') }} and abs(evolution_pct) <= {{ var('evolution_max_pct') }}, false
    ) as est_evolution_lisible,
    energie_eur,
    region_code
from soldes
