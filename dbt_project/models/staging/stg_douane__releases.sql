with source as (
    select * from {{ raw('releases') }}
),

renamed as (
    select
        release_id,
        nom,
        sha256,
        vintage,
        rang_archive,
        case flux when 'E' then 'export' when 'I' then 'import' end as flux,
        lignes,
        valeur_eur,
        est_exemple,
        trimestres
    from source
)

select * from renamed
