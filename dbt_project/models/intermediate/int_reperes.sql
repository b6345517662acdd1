-- The headline figures of each territory and flow; every territory has both rows, with zeros where it has no trade, and nothing
-- where its data are missing (int_pertes). Where too much is kept out, no growth and no rank: they would tell of what was lost.
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

joined as (
    select
        grille.periode,
        grille.niveau,
        grille.code,
        grille.nom,
        grille.region_code,
        grille.flux,
        grille.est_rupture,
        pertes.recue_eur,
        case when pertes_avant.est_disponible then pertes_avant.recue_eur end as valeur_precedente_eur,
        not pertes.est_perte_forte and not coalesce(pertes_avant.est_perte_forte, false) as est_comparable,
        {%- for colonne, valeur in {
            'valeur_eur': 'pertes.recue_eur',
            'energie_convention_eur': 'totaux.energie_convention_eur',
            'valeur_hors_convention_eur': 'totaux.valeur_eur - totaux.energie_convention_eur',
            'energie_eur': 'totaux.energie_eur',
            'indetermine_eur': 'totaux.indetermine_eur',
            'retours_eur': 'totaux.retours_eur',
            'nb_pays': 'nombres_pays.nb_pays',
            'nb_produits': 'nombres_produits.nb_produits',
        }.items() %}
        case when pertes.est_disponible then coalesce({{ valeur }}, 0) end as {{ colonne }},
        {%- endfor %}
        regions.valeur_eur as region_eur,
        regions.valeur_eur - regions.energie_convention_eur as region_hors_convention_eur,
        france.valeur_eur as france_eur,
        pertes.* exclude (periode, niveau, code, region_code, flux, recue_eur, avant_eur, disparus_eur)
    from grille
    left join totaux using (periode, niveau, code, flux)
    inner join {{ ref('int_pertes') }} as pertes using (periode, niveau, code, flux)
    left join {{ ref('int_pertes') }} as pertes_avant
        on
            grille.periode_precedente = pertes_avant.periode
            and grille.niveau = pertes_avant.niveau
            and grille.code = pertes_avant.code
            and grille.flux = pertes_avant.flux
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
        sum(valeur_eur) filter (where flux = 'export') over territoire as export_eur,
        sum(valeur_eur) filter (where flux = 'import') over territoire as import_eur
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
    case when est_comparable then 100.0 * (valeur_eur - valeur_precedente_eur) / nullif(valeur_precedente_eur, 0) end as evolution_pct,
    case when niveau = 'departement' then 100.0 * valeur_eur / nullif(region_eur, 0) end as part_region_pct,
    100.0 * valeur_eur / nullif(france_eur, 0) as part_france_pct,
    indetermine_eur + retours_eur as hors_pays_eur,
    nb_pays,
    nb_produits,
    -- What came of an incomplete total is at most what it is: the others keep their ranks, it takes none itself.
    case
        when niveau = 'departement' and valeur_eur is not null and not est_perte_forte
            then rank() over (partition by periode, niveau, flux order by valeur_eur desc nulls last)
    end as rang_france,
    (export_eur - import_eur)::bigint as solde_eur,
    100.0 * export_eur / nullif(import_eur, 0) as taux_couverture_pct,
    ecartees_eur as quarantaine_eur,
    ecartees_eur_pct as quarantaine_pct,
    energie_convention_eur,
    valeur_hors_convention_eur,
    case when niveau = 'departement' then 100.0 * valeur_hors_convention_eur / nullif(region_hors_convention_eur, 0) end as part_region_hors_convention_pct,
    indetermine_eur,
    retours_eur,
    est_rupture,
    coalesce(
        not est_rupture and valeur_precedente_eur >= {{ var('base_min_eur') }} and abs(evolution_pct) <= {{ var('evolution_max_pct') }}, false
    ) as est_evolution_lisible,
    est_disponible,
    est_perte_forte,
    perte_pct,
    lignes,
    ecartees as quarantaine_lignes,
    ecartees_pct as quarantaine_lignes_pct,
    zones_perdues,
    zones_perdues_pct,
    produits_perdus,
    produits_perdus_pct,
    pays_perdus,
    pays_perdus_pct,
    trimestres_manquants,
    departements_manquants,
    manquant_pct,
    case when valeur_eur is null and lignes > 0 then recue_eur end as valeur_partielle_eur,
    case when niveau = 'departement' then count(valeur_eur) over (partition by periode, niveau, flux) end as nb_departements,
    energie_eur,
    region_code,
    recue_eur
from soldes
