select *
from {{ ref('int_balance__ranked') }}
where niveau = 'departement'
order by periode, code, rang
