-- Years with four quarters in both flows, and the rolling year asked for (with the one before it, for the comparison) where complete.
with trimestres as (
    select flux, annee, trimestre, annee * 4 + trimestre - 1 as numero
    from (select distinct flux, annee, trimestre from {{ ref('int_echanges__qualified') }})
),

fins as (
    select distinct annee::varchar as periode, annee * 4 + 3 as dernier from trimestres
    {%- if 'T' in var('periode') %}
    {%- set annee, trimestre = var('periode').split('T') %}
    union
    select '{{ annee }}T{{ trimestre }}', {{ annee }} * 4 + {{ trimestre }} - 1
    union
    select '{{ annee | int - 1 }}T{{ trimestre }}', {{ annee | int - 1 }} * 4 + {{ trimestre }} - 1
    {%- endif %}
)

select
    fins.periode,
    fins.dernier,
    case when position('T' in fins.periode) > 0 then (left(fins.periode, 4)::int - 1)::varchar || right(fins.periode, 2) else (fins.periode::int - 1)::varchar end
        as periode_precedente
from fins
inner join trimestres on trimestres.numero between fins.dernier - 3 and fins.dernier
group by all
having count(*) = 8
