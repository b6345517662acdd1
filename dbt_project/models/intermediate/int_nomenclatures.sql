-- Every code that may stand in a row, with its labels: the seeds' first, the release's own where the seeds do not know the code.
with connus as (
    select 'CPF4' as nomenclature, cpf4_code as code, coalesce(libelle_court, libelle) as libelle_court, libelle, true as est_pays, a129_code as parent_code
    from {{ ref('nomenclature_cpf4') }}
    union all
    select 'A129', a129_code, libelle_court, libelle, true, a38_code from {{ ref('nomenclature_a129') }}
    union all
    select 'A38', a38_code, libelle_court, libelle, true, null from {{ ref('nomenclature_a38') }}
    union all
    -- The A38 level of a good that only the release's own label file knows.
    select 'A38', 'ZZ', 'Produits hors nomenclature', 'Produits hors nomenclature', true, null
    union all
    select 'PAYS', pays_code, pays, pays, est_pays, null from {{ ref('pays') }}
),

nouveaux as (
    select
        libelles.nomenclature,
        libelles.code,
        replace(libelles.libelle, '''', '’') as libelle_imprime,
        case when length(libelles.libelle) <= 40 then libelle_imprime else rtrim(left(libelle_imprime, 39)) || '…' end as libelle_court,
        libelle_imprime as libelle,
        true as est_pays,
        null as parent_code
    from {{ ref('stg_douane__libelles') }} as libelles
    anti join connus using (nomenclature, code)
)

from connus
union all
select * exclude (libelle_imprime) from nouveaux
