-- For each flow and quarter, the release that stands: the newest vintage and, of equal vintages, the last that arrived.
with trimestres as (
    select release_id, flux, vintage, rang_archive, unnest(string_split(trimestres, ' ')) as trimestre_code
    from {{ ref('stg_douane__releases') }}
)

select
    release_id,
    flux,
    left(trimestre_code, 4)::smallint as annee,
    right(trimestre_code, 1)::tinyint as trimestre,
    annee * 4 + trimestre - 1 as numero
from trimestres
qualify row_number() over (partition by flux, trimestre_code order by vintage desc, rang_archive desc) = 1
