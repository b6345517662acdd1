-- What is unlikely in a period: against one year before where the warehouse holds it, and against published totals. Empty when
-- nothing is; nothing here keeps a figure from being printed. Thresholds: the variables `plausibilite` of dbt_project.yml.
{%- set seuil = var('plausibilite') %}
with trimestres as (
    select periode, unnest(range(dernier - 3, dernier + 1)) as numero from {{ ref('int_periodes') }}
),

-- Quarters of a period, with the same one year before where a release holds it.
calendrier as (
    select trimestres.periode, en_vigueur.flux, en_vigueur.numero, en_vigueur.annee || 'T' || en_vigueur.trimestre as objet, avant.numero as avant
    from trimestres
    inner join {{ ref('int_releases__standing') }} as en_vigueur using (numero)
    left join {{ ref('int_releases__standing') }} as avant on en_vigueur.flux = avant.flux and en_vigueur.numero - 4 = avant.numero
),

sommes as (
    select
        numero,
        flux,
        case when grouping(departement_code) = 0 then 'departement' when grouping(region_code) = 0 then 'region' else 'france' end as niveau,
        case when grouping(departement_code) = 0 then departement_code when grouping(region_code) = 0 then region_code else 'FR' end as code,
        sum(lignes)::bigint as lignes,
        coalesce(sum(valeur_eur) filter (where motif is null), 0)::bigint as valeur_eur
    from {{ ref('int_echanges__by_trimestre') }}
    group by grouping sets ((numero, flux, departement_code), (numero, flux, region_code), (numero, flux))
),

-- Every zone, région and France in every quarter, Monaco included.
compared as (
    select
        calendrier.periode,
        zones.niveau,
        zones.code,
        calendrier.flux,
        calendrier.objet,
        coalesce(sommes.lignes, 0) as lignes,
        coalesce(sommes.valeur_eur, 0) as valeur_eur,
        case when calendrier.avant is not null then coalesce(avant.lignes, 0) end as lignes_avant,
        case when calendrier.avant is not null then coalesce(avant.valeur_eur, 0) end as valeur_avant_eur
    from calendrier
    cross join (
        select 'departement' as niveau, departement_code as code from {{ ref('departements') }}
        union all
        select niveau, code from {{ ref('int_territoires') }} where niveau != 'departement'
    ) as zones
    left join sommes using (numero, flux, niveau, code)
    left join sommes as avant
        on calendrier.avant = avant.numero and calendrier.flux = avant.flux and zones.niveau = avant.niveau and zones.code = avant.code
),

poids as (
    select somme.periode, somme.flux, somme.produit_code, somme.pesee_eur, somme.pesee_eur / somme.masse_kg as eur_par_kg, periodes.periode_precedente
    from (
        select trimestres.periode, flux, produit_code, sum(pesee_eur)::bigint as pesee_eur, sum(masse_kg)::bigint as masse_kg
        from {{ ref('int_echanges__by_trimestre') }}
        inner join trimestres using (numero)
        where motif is null
        group by all
        having sum(masse_kg) > 0
    ) as somme
    inner join {{ ref('int_periodes') }} as periodes using (periode)
),

constats as (
    select periode, 'total_trimestriel' as regle, niveau, code, flux, objet, valeur_eur::double as valeur, valeur_avant_eur::double as attendu, 'eur' as unite
    from compared
    where
        greatest(valeur_eur, valeur_avant_eur) * 4 >= {{ seuil.total_min_eur }}
        and abs(valeur_eur - valeur_avant_eur) * 100.0
        > valeur_avant_eur * case niveau when 'departement' then {{ seuil.total_departement_pct }} else {{ seuil.total_pct }} end

    union all

    select periode, 'zone_absente', niveau, code, flux, objet, 0, lignes_avant, 'lignes'
    from compared
    where niveau = 'departement' and lignes = 0

    union all

    select periode, 'nombre_de_lignes', niveau, code, flux, objet, lignes, lignes_avant, 'lignes'
    from compared
    where niveau = 'france' and lignes * 100.0 < lignes_avant * (100 - {{ seuil.lignes_pct }})

    union all

    select periodes.periode, 'partenaire_disparu', 'france', 'FR', avant.flux, avant.pays_code, 0, avant.valeur_eur, 'eur'
    from {{ ref('int_pays__ranked') }} as avant
    inner join {{ ref('int_periodes') }} as periodes on avant.periode = periodes.periode_precedente
    inner join {{ ref('int_reperes') }} as reperes
        on avant.periode = reperes.periode and avant.niveau = reperes.niveau and avant.flux = reperes.flux
    anti join {{ ref('int_pays__ranked') }} as maintenant
        on
            periodes.periode = maintenant.periode
            and avant.niveau = maintenant.niveau
            and avant.flux = maintenant.flux
            and avant.pays_code = maintenant.pays_code
    where avant.niveau = 'france' and avant.valeur_eur * 100.0 >= reperes.valeur_eur * {{ seuil.partenaire_pct }}

    union all

    select poids.periode, 'valeur_unitaire', 'france', 'FR', poids.flux, poids.produit_code, poids.eur_par_kg, avant.eur_par_kg, 'eur_par_kg'
    from poids
    inner join poids as avant
        on poids.periode_precedente = avant.periode and poids.flux = avant.flux and poids.produit_code = avant.produit_code
    where
        least(poids.pesee_eur, avant.pesee_eur) > {{ seuil.unitaire_min_eur }}
        and greatest(poids.eur_par_kg / avant.eur_par_kg, avant.eur_par_kg / poids.eur_par_kg) > {{ seuil.unitaire_facteur }}

    union all

    select periode, 'total_publie', niveau, code, flux, perimetre, valeur_eur, publie_eur, 'eur'
    from {{ ref('mart_national_publies') }}
    where not est_conforme
)

select
    periode,
    regle,
    'avertissement' as gravite,
    niveau,
    code,
    flux,
    objet,
    valeur,
    attendu,
    100.0 * (valeur - attendu) / nullif(attendu, 0) as ecart_pct,
    unite
from constats
-- The farthest first: nothing against something, the most of it first, then the largest ratio.
order by
    periode,
    regle,
    case when least(coalesce(valeur, 0), coalesce(attendu, 0)) > 0 then greatest(valeur / attendu, attendu / valeur) end desc nulls first,
    greatest(valeur, attendu) desc nulls last,
    code,
    niveau,
    flux,
    objet
