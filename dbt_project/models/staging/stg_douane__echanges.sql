with source as (
    select * from {{ raw('echanges') }}
),

renamed as (
    select
        release_id,
        case flux when 'E' then 'export' when 'I' then 'import' end as flux,
        annee,
        trimestre,
        departement_code as departement_source,
        a129_code,
        cpf4_code,
        pays_code,
        valeur_eur,
        masse_kg,
        motif_source
    from source
)

select renamed.*, alias.departement_code
from renamed
left join {{ ref('departement_alias') }} as alias on renamed.departement_source = alias.code_source
