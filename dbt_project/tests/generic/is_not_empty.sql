{# An empty external model still writes one row of NULLs to its Parquet: emptiness has to be tested on the view. #}
{% test is_not_empty(model) %}
select 'no row' as constat
where not exists (select 1 from {{ model }})
{% endtest %}
