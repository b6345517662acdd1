-- From the départements to the published headline, step by step, for France and the régions.
-- Rows whose département no table knows are held apart (étape « ecartees »), so that « indetermine » is 0 unless that changes.
with departements as (
    select reperes.periode, reperes.flux, coalesce(reperes.region_code, 'FR') as code, case when count(reperes.valeur_eur) > 0 then sum(reperes.recue_eur)::bigint end as valeur_eur
    from {{ ref('int_reperes') }} as reperes
    where reperes.niveau = 'departement'
    group by grouping sets ((periode, flux, region_code), (periode, flux))
),

hors_departements as (
    select
        periode,
        flux,
        case when grouping(region_code) = 0 then region_code else 'FR' end as code,
        sum(valeur_eur) filter (where departement_code = '99') as monaco_eur,
        sum(valeur_eur) filter (where departement_code is null) as indetermine_eur
    from {{ ref('int_echanges__by_zone') }}
    where departement_code is null or departement_code = '99'
    group by grouping sets ((periode, flux, region_code), (periode, flux))
),

regions as (
    select periode, flux, 'FR' as code, sum(recue_eur) as valeur_eur from {{ ref('int_reperes') }} where niveau = 'region' group by all
),

-- A rolling period that ends with a fourth quarter is a year.
publies as (
    select periodes.periode, totaux.* exclude (annee, date_publication)
    from {{ ref('totaux_publies') }} as totaux
    inner join {{ ref('int_periodes') }} as periodes on totaux.annee * 4 + 3 = periodes.dernier
),

-- Imports FAB are not printed, but exports and the balance FAB are.
publies_fab as (
    select soldes.periode, exports.valeur_eur - soldes.valeur_eur as valeur_eur, exports.precision_eur + soldes.precision_eur as precision_eur
    from publies as soldes
    inner join publies as exports on soldes.periode = exports.periode and exports.perimetre = 'chiffre_publie' and exports.flux = 'export'
    where soldes.perimetre = 'chiffre_publie_fab' and soldes.flux = 'solde'
),

territoires as (
    select
        reperes.periode,
        reperes.niveau,
        reperes.code,
        reperes.flux,
        reperes.niveau = 'france' as est_france,
        reperes.valeur_eur as base_eur,
        reperes.quarantaine_eur as ecartees_eur,
        departements.valeur_eur as departements_eur,
        coalesce(hors_departements.monaco_eur, 0) as monaco_eur,
        coalesce(hors_departements.indetermine_eur, 0) as indetermine_eur,
        regions.valeur_eur as regions_eur,
        publies.valeur_eur as publie_eur,
        publies.precision_eur,
        publies.source,
        fab.valeur_eur as fab_eur,
        fab.precision_eur as fab_precision_eur
    from {{ ref('int_reperes') }} as reperes
    left join departements using (periode, flux, code)
    left join hors_departements using (periode, flux, code)
    left join regions using (periode, flux, code)
    left join publies
        on
            reperes.periode = publies.periode
            and reperes.niveau = publies.niveau
            and reperes.code = publies.code
            and reperes.flux = publies.flux
            and publies.perimetre = case reperes.niveau when 'france' then 'chiffre_publie' else 'base_ouverte' end
    left join publies_fab as fab on reperes.periode = fab.periode and reperes.niveau = 'france' and reperes.flux = 'import'
    where reperes.niveau != 'departement'
),

-- valeur_eur and, where rounded by its publisher, precision_eur; est_publie: it needs a published figure.
etapes as (
    {%- set etapes = [
        ('departements', 'departements_eur', 'null', 'mesuree', 'true'),
        ('monaco', 'monaco_eur', 'null', 'mesuree', "est_france or code = (select region_code from " ~ ref('departements') ~ " where departement_code = '99')"),
        ('indetermine', 'indetermine_eur', 'null', 'mesuree', 'est_france'),
        ('regions', 'regions_eur', 'null', 'mesuree', 'est_france'),
        ('base_ouverte', 'base_eur', 'null', 'mesuree', 'true'),
        ('ecartees', 'ecartees_eur', 'null', 'mesuree', 'true'),
        ('materiel_militaire', 'null', 'null', 'non_mesurable', 'est_france'),
        ('seuils_et_non_reponse', 'null', 'null', 'non_mesurable', 'est_france'),
        ('ecart_ensemble', 'publie_eur - base_eur - ecartees_eur', 'precision_eur', 'mesuree', 'est_france'),
        ('total_publie', 'publie_eur', 'precision_eur', 'publiee', 'est_france or publie_eur is not null'),
        ('caf_fab', 'fab_eur - publie_eur', 'fab_precision_eur + precision_eur', 'publiee', "est_france and flux = 'import'"),
        ('total_publie_fab', 'fab_eur', 'fab_precision_eur', 'publiee', "est_france and flux = 'import'"),
    ] %}
    {%- for etape, valeur, precision, mesure, condition in etapes %}
    select
        periode,
        niveau,
        code,
        flux,
        {{ loop.index }} as ordre,
        '{{ etape }}' as etape,
        ({{ valeur }})::bigint as valeur_eur,
        '{{ mesure }}' as mesure,
        case when {{ loop.index }} >= 9 and valeur_eur is not null then source else '' end as source,
        ({{ precision }})::bigint as precision_eur
    from territoires
    where {{ condition }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    periode,
    niveau,
    code,
    flux,
    ordre,
    etape,
    valeur_eur,
    case
        when valeur_eur is null and mesure = 'mesuree' and etape != 'ecart_ensemble' then 'non_disponible'
        when valeur_eur is null and mesure != 'non_mesurable' then 'non_publiee'
        else mesure
    end as mesure,
    source,
    precision_eur
from etapes
order by periode, niveau, code, flux, ordre
