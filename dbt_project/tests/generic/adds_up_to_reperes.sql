{# Rows of a chart sum to the headline figure of their territory and flow, to the euro; shares to 100 %. #}
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

select periode, niveau, code, flux, reperes.valeur_eur as attendu_eur, chart.valeur_eur as trouve_eur, chart.part_pct
from {{ ref('mart_' ~ maille ~ '_reperes') }} as reperes
full join chart using (periode, niveau, code, flux)
where coalesce(chart.valeur_eur, 0) is distinct from reperes.valeur_eur or abs(coalesce(chart.part_pct, 100) - 100) > 1e-6
{% endtest %}
