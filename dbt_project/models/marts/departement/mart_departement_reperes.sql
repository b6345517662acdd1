select * exclude (energie_eur, region_code, recue_eur)
from {{ ref('int_reperes') }}
where niveau = 'departement'
order by periode, code, flux
