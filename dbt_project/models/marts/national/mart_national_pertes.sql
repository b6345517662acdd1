-- What is kept out of each territory and flow, each reason apart. Empty when every row counts.
select *
from {{ ref('int_pertes__by_motif') }}
order by periode, niveau, code, flux, motif
