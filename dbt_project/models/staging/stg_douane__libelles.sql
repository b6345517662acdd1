-- Every row of the label files. One counts where it was in force at some time from the first quarter of its release to the month
-- of it: a code that ended within a year stands in rows that come out later. Serbia, Kosovo and QU stand twice in the file.
with source as (
    select * from {{ raw('libelles') }}
)

select
    source.release_id,
    releases.vintage,
    releases.rang_archive,
    source.nomenclature,
    source.code,
    source.libelle,
    source.debut,
    source.fin,
    source.fichier,
    source.revision,
    source.debut <= releases.vintage
    and source.fin >= left(releases.trimestres, 4) || lpad((substr(releases.trimestres, 6, 1)::int * 3 - 2)::varchar, 2, '0') as est_en_vigueur
from source
inner join {{ ref('stg_douane__releases') }} as releases using (release_id)
