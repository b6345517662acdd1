select *
from {{ ref('int_flux__linked') }}
where niveau = 'departement'
order by periode, code, flux, produit_rang, pays_rang
