select * exclude (energie_eur, region_code)
from {{ ref('int_reperes') }}
where niveau = 'departement'
order by periode, code, flux
