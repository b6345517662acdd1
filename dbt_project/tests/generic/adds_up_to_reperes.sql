{# Rows of a chart sum to the headline figure of their territory and flow, to the euro; shares to 100 %; where data are missing,
   neither has any (a balance needs both flows). #}
{% test adds_up_to_reperes(model, maille) %}
with chart as (
{%- if 'balance' in model.identifier %}
    select periode, niveau, code, 'import' as flux, sum(import_eur) as valeur_eur, 100.0 as part_pct from {{ model }} group by all
    union all
    select periode, niveau, code, 'export', sum(export_eur), 100.0 from {{ model }} group by all
{%- else %}
    select periode, niveau, code, flux, sum(valeur_eur) as valeur_eur, sum(part_pct) as part_pct from {{ model }} group by all
{%- endif %}
)

select periode, niveau, code, flux, reperes.attendu_eur, chart.valeur_eur as trouve_eur, chart.part_pct
from (
    select *, {% if 'balance' in model.identifier %}case when solde_eur is not null then valeur_eur end{% else %}valeur_eur{% endif %} as attendu_eur
    from {{ ref('mart_' ~ maille ~ '_reperes') }}
) as reperes
full join chart using (periode, niveau, code, flux)
where
    coalesce(chart.valeur_eur, case when reperes.attendu_eur is not null then 0 end) is distinct from reperes.attendu_eur
    or abs(coalesce(chart.part_pct, 100) - 100) > 1e-6
{% endtest %}
