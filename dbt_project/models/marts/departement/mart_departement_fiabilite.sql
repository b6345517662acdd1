-- How far the figures of a département can be trusted: five rules, each at level 0, 1 or 2 (thresholds: seed regles_fiabilite), and
-- a sixth at level 2 where more is kept out than the operator allows, or data are missing.
-- The note is C with a rule at level 2 or three at level 1, B with one at level 1, else A.
with premiers as (
    -- Above 10 % the largest named link is the largest of all: fewer than ten goods and ten countries can outrank it.
    select periode, code, flux, produit_code, pays_code, part_pct
    from {{ ref('int_flux__linked') }}
    where niveau = 'departement' and est_principal
    qualify row_number() over (partition by periode, code, flux order by valeur_eur desc, produit_code, pays_code) = 1
),

plateformes as (
    select departement_code, string_agg(nom, ', ' order by type desc, nom) as plateformes from {{ ref('plateformes') }} group by departement_code
),

mesures as (
    select
        reperes.periode,
        reperes.niveau,
        reperes.code,
        reperes.flux,
        reperes.valeur_eur,
        100.0 * reperes.energie_convention_eur / nullif(reperes.valeur_eur, 0) as convention_pct,
        premiers.produit_code as premier_flux_produit_code,
        premiers.pays_code as premier_flux_pays_code,
        premiers.part_pct as premier_flux_pct,
        100.0 * reperes.energie_eur / nullif(reperes.valeur_eur, 0) as energie_pct,
        coalesce(plateformes.plateformes, '') as plateformes,
        reperes.est_disponible,
        reperes.perte_pct,
        reperes.est_perte_forte
    from {{ ref('int_reperes') }} as reperes
    left join premiers using (periode, code, flux)
    left join plateformes on reperes.code = plateformes.departement_code
    where reperes.niveau = 'departement'
),

niveaux as (
    select
        mesures.*,
        {%- for regle, mesure in [('convention', 'convention_pct'), ('concentration', 'premier_flux_pct'), ('energie', 'energie_pct')] %}
        coalesce(({{ mesure }} >= {{ regle }}.seuil_1)::int + ({{ mesure }} >= {{ regle }}.seuil_2)::int, 0) as niveau_{{ regle }},
        {%- endfor %}
        (plateformes != '')::int as niveau_plateforme,
        coalesce((valeur_eur < petit.seuil_1)::int + (valeur_eur < petit.seuil_2)::int, 0) as niveau_petit,
        case when est_perte_forte or not est_disponible then 2 else 0 end as niveau_perte
    from mesures
    {%- for regle in ('convention', 'concentration', 'energie', 'petit') %}
    cross join (from {{ ref('regles_fiabilite') }} where regle = '{{ regle }}') as {{ regle }}
    {%- endfor %}
),

notes as (
    select *, [niveau_convention, niveau_concentration, niveau_plateforme, niveau_energie, niveau_petit, niveau_perte] as tous
    from niveaux
)

select
    periode,
    niveau,
    code,
    flux,
    case
        when list_max(tous) = 2 or list_sum(tous) >= 3 then 'C'
        when list_max(tous) = 1 then 'B'
        else 'A'
    end as note,
    convention_pct,
    premier_flux_produit_code,
    premier_flux_pays_code,
    premier_flux_pct,
    energie_pct,
    plateformes,
    valeur_eur,
    niveau_convention,
    niveau_concentration,
    niveau_plateforme,
    niveau_energie,
    niveau_petit,
    niveau_perte,
    perte_pct,
    est_disponible,
    {{ var('quarantaine_max_pct') }}::double as perte_max_pct
from notes
order by periode, code, flux
