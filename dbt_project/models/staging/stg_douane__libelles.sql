-- The newest label of each code that is in force at the release's month; Serbia, Kosovo and QU stand twice in the file.
with source as (
    select * from {{ source('raw', 'libelles') }}
),

in_force as (
    select source.*, releases.vintage, releases.rang_archive
    from source
    inner join {{ ref('stg_douane__releases') }} as releases using (release_id)
    where releases.vintage between source.debut and source.fin
)

select nomenclature, code, libelle
from in_force
qualify row_number() over (partition by nomenclature, code order by vintage desc, rang_archive desc, debut desc, libelle) = 1
