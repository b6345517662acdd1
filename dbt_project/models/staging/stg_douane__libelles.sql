-- The newest label of each code that was in force from the first quarter of the release to its month: a code that ended within
-- a year stands in its rows, which come out later. Serbia, Kosovo and QU stand twice in the file.
with source as (
    select * from {{ raw('libelles') }}
),

in_force as (
    select source.*, releases.vintage, releases.rang_archive
    from source
    inner join {{ ref('stg_douane__releases') }} as releases using (release_id)
    where
        source.debut <= releases.vintage
        and source.fin >= left(releases.trimestres, 4) || lpad((substr(releases.trimestres, 6, 1)::int * 3 - 2)::varchar, 2, '0')
)

select nomenclature, code, libelle
from in_force
qualify row_number() over (partition by nomenclature, code order by vintage desc, rang_archive desc, debut desc, libelle) = 1
