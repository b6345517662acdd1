{% test is_unique_by(model, columns) %}
select {{ columns | join(', ') }}, count(*) as lignes
from {{ model }}
group by all
having count(*) > 1 or {% for column in columns %}{{ column }} is null{{ ' or ' if not loop.last }}{% endfor %}
{% endtest %}
