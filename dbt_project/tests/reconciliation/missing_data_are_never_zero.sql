{{ config(meta={'dagster': {'ref': {'name': 'mart_departement_reperes'}}, 'description': 'A flow whose data are missing has no value, no balance, no rank, and no row in any figure; one whose data are there has a value.', 'phrase': 'Un flux dont les données manquent n’a ni valeur, ni solde, ni rang, ni figure ; aucun zéro n’en tient lieu.'}) }}
with reperes as (
    from {{ ref('mart_departement_reperes') }} union all from {{ ref('mart_national_reperes') }}
),

figures as (
    {%- for maille in ('departement', 'national') %}
    select periode, niveau, code, flux, 'produits' as figure from {{ ref('mart_' ~ maille ~ '_produits') }}
    union all
    select periode, niveau, code, flux, 'flux' from {{ ref('mart_' ~ maille ~ '_flux') }}
    union all
    select periode, niveau, code, unnest(['export', 'import']), 'balance' from {{ ref('mart_' ~ maille ~ '_balance') }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select distinct reperes.periode, reperes.niveau, reperes.code, reperes.flux, reperes.est_disponible, reperes.valeur_eur, reperes.solde_eur, figures.figure
from reperes
left join figures using (periode, niveau, code, flux)
where
    reperes.est_disponible != (reperes.valeur_eur is not null)
    or not reperes.est_disponible
    and (
        figures.figure is not null
        or coalesce(reperes.solde_eur, reperes.taux_couverture_pct, reperes.evolution_pct, reperes.part_france_pct, reperes.rang_france, reperes.nb_pays) is not null
    )
    or reperes.est_perte_forte and coalesce(reperes.evolution_pct, reperes.rang_france) is not null
