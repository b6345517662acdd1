-- Years with four quarters in both flows, and the rolling year asked for (with the one before it, for the comparison) where complete.
with fins as (
    select distinct annee::varchar as periode, annee * 4 + 3 as dernier from {{ ref('int_releases__standing') }}
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
    (left(fins.periode, 4)::int - 1)::varchar || substr(fins.periode, 5) as periode_precedente,
    -- The period, or the change since the one before it, lies across the start of EMEBI in January 2022.
    {{ var('rupture').split('T')[0] }} * 4 + {{ var('rupture').split('T')[1] }} - 1 between fins.dernier - 6 and fins.dernier as est_rupture
from fins
inner join {{ ref('int_releases__standing') }} as standing on standing.numero between fins.dernier - 3 and fins.dernier
group by all
having count(*) = 8
