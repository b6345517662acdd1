{# maille: departement (100 of them) or national (18 régions and France); two flows, each period. code: the column that names them. #}
{% test covers_all_territories(model, maille, code='code') %}
select periodes.periode, territoires.niveau, territoires.code, flux.flux
from {{ ref('int_periodes') }} as periodes
cross join {{ ref('int_territoires') }} as territoires
cross join (values ('export'), ('import')) as flux(flux)
anti join {{ model }} as present
    on periodes.periode = present.periode and territoires.code = present.{{ code }} and flux.flux = present.flux
where territoires.niveau {{ '=' if maille == 'departement' else '!=' }} 'departement'
{% endtest %}
