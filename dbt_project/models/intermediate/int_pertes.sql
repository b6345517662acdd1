-- What is missing from each territory and flow: rows kept out of the totals, in rows, in euros where known and, for France, in
-- zones, goods and countries that no other row holds; and quarters of which nothing stands though something did a year before.
with trimestres as (
    select periode, unnest(range(dernier - 3, dernier + 1)) as numero from {{ ref('int_periodes') }}
),

grille as (
    select territoires.niveau, territoires.code, territoires.region_code, flux.flux
    from {{ ref('int_territoires') }} as territoires
    cross join (values ('export'), ('import')) as flux(flux)
),

sommes as (
    select
        numero,
        case when grouping(departement_code) = 0 then 'departement' when grouping(region_code) = 0 then 'region' else 'france' end as niveau,
        case when grouping(departement_code) = 0 then departement_code when grouping(region_code) = 0 then region_code else 'FR' end as code,
        flux,
        coalesce(sum(lignes) filter (where motif is null), 0)::bigint as lignes,
        coalesce(sum(valeur_eur) filter (where motif is null), 0)::bigint as valeur_eur,
        coalesce(sum(lignes) filter (where motif is not null), 0)::bigint as ecartees,
        coalesce(sum(valeur_eur) filter (where motif is not null), 0)::bigint as ecartees_eur,
        -- Negative rows do not hide as many positive euros.
        coalesce(sum(abs(valeur_eur)) filter (where motif is not null), 0)::bigint as ecartees_absolues_eur
    from {{ ref('int_echanges__by_trimestre') }}
    group by grouping sets ((numero, flux, departement_code), (numero, flux, region_code), (numero, flux))
),

par_trimestre as (
    select
        trimestres.periode,
        trimestres.numero,
        grille.*,
        coalesce(sommes.lignes, 0) as lignes,
        coalesce(sommes.valeur_eur, 0) as valeur_eur,
        coalesce(sommes.ecartees, 0) as ecartees,
        coalesce(sommes.ecartees_eur, 0) as ecartees_eur,
        coalesce(sommes.ecartees_absolues_eur, 0) as ecartees_absolues_eur,
        coalesce(avant.lignes, 0) as lignes_avant,
        coalesce(avant.valeur_eur, 0) as avant_eur
    from trimestres
    cross join grille
    left join sommes using (numero, niveau, code, flux)
    left join sommes as avant
        on trimestres.numero - 4 = avant.numero and grille.niveau = avant.niveau and grille.code = avant.code and grille.flux = avant.flux
),

-- A quarter without a row that stands, where at least so many did a year before, or all four quarters together: no département
-- stops trading from one year to the next, its rows did not come or did not count.
disparus as (
    select
        *,
        lignes = 0 and lignes_avant > 0 and (
            lignes_avant >= {{ var('disparition_min_lignes') }}
            or (sum(lignes) over flux_entier = 0 and sum(lignes_avant) over flux_entier >= {{ var('disparition_min_lignes') }})
        ) as est_disparu,
        -- No row stands in either flow: that is no territory's year, whether or not the year before is known.
        sum(lignes) over (partition by periode, niveau, code) = 0 as est_absent
    from par_trimestre
    window flux_entier as (partition by periode, niveau, code, flux)
),

flux as (
    select
        periode,
        niveau,
        code,
        region_code,
        flux,
        sum(lignes)::bigint as lignes,
        sum(valeur_eur)::bigint as recue_eur,
        sum(avant_eur)::bigint as avant_eur,
        sum(ecartees)::bigint as ecartees,
        sum(ecartees_eur)::bigint as ecartees_eur,
        sum(ecartees_absolues_eur)::bigint as ecartees_absolues_eur,
        -- All rows of a flow set aside: its value is unknown as well.
        not (bool_or(est_disparu) or bool_or(est_absent) or (sum(lignes) = 0 and sum(ecartees) > 0)) as est_disponible,
        coalesce(
            case when not est_disponible then string_agg(numero // 4 || 'T' || (numero % 4 + 1), ' ' order by numero) filter (where lignes = 0) end, ''
        ) as trimestres_manquants,
        coalesce(sum(avant_eur) filter (where est_disparu), 0)::bigint as disparus_eur
    from disparus
    group by periode, niveau, code, region_code, flux
),

-- A région and France lack the départements that are not there.
manquants as (
    select
        periode,
        case when grouping(region_code) = 0 then 'region' else 'france' end as niveau,
        case when grouping(region_code) = 0 then region_code else 'FR' end as code,
        flux,
        string_agg(code, ' ' order by length(code), code) as departements_manquants,
        sum(disparus_eur)::bigint as disparus_eur
    from flux
    where niveau = 'departement' and not est_disponible
    group by grouping sets ((periode, region_code, flux), (periode, flux))
),

-- What only rows kept out hold, in all of France. Zones are counted in those that exist; goods and countries in those received.
objets as (
    select
        trimestres.periode,
        echanges.flux,
        coalesce(echanges.departement_code, nullif(echanges.departement_source, '')) as zone,
        nullif(echanges.cpf4_code, '') as produit,
        nullif(echanges.pays_code, '') as pays,
        echanges.motif_quarantaine is null as compte
    from {{ ref('int_echanges__qualified') }} as echanges
    inner join trimestres using (numero)
),

distincts as (
    select
        periode,
        flux,
        count(distinct zone) - count(distinct zone) filter (where compte) as zones_perdues,
        least(100.0, 100.0 * zones_perdues / (select count(*) from {{ ref('departements') }})) as zones_perdues_pct,
        {%- for objet, perdus in [('produit', 'produits_perdus'), ('pays', 'pays_perdus')] %}
        count(distinct {{ objet }}) - count(distinct {{ objet }}) filter (where compte) as {{ perdus }},
        coalesce(100.0 * {{ perdus }} / nullif(count(distinct {{ objet }}), 0), 0) as {{ perdus }}_pct{{ ',' if not loop.last }}
        {%- endfor %}
    from objets
    group by periode, flux
),

mesures as (
    select
        flux.*,
        100.0 * flux.ecartees / nullif(flux.lignes + flux.ecartees, 0) as ecartees_pct,
        100.0 * flux.ecartees_absolues_eur / nullif(flux.recue_eur + flux.ecartees_absolues_eur, 0) as ecartees_eur_pct,
        distincts.* exclude (periode, flux),
        coalesce(manquants.departements_manquants, '') as departements_manquants,
        case when manquants.code is not null then 100.0 * manquants.disparus_eur / nullif(flux.avant_eur, 0) end as manquant_pct
    from flux
    left join distincts on flux.niveau = 'france' and flux.periode = distincts.periode and flux.flux = distincts.flux
    left join manquants
        on flux.periode = manquants.periode and flux.niveau = manquants.niveau and flux.code = manquants.code and flux.flux = manquants.flux
)

select
    *,
    -- The worst of them; the limit is the operator's.
    coalesce(greatest(ecartees_pct, ecartees_eur_pct, zones_perdues_pct, produits_perdus_pct, pays_perdus_pct), 0)::double as perte_pct,
    perte_pct > {{ var('quarantaine_max_pct') }} or coalesce(manquant_pct > {{ var('quarantaine_max_pct') }}, false) as est_perte_forte
from mesures
