select *
from {{ ref('int_flux__linked') }}
where niveau != 'departement'
order by periode, niveau, code, flux, produit_rang, pays_rang
