select *
from {{ ref('int_produits__grouped') }}
where niveau = 'departement'
order by periode, code, flux, rang
