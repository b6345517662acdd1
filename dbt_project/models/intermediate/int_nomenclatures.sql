-- Every code that may stand in a row, with its labels: the seeds', and the newest of the releases where the seeds do not know the
-- code. What is printed in a period, which is the release's own word, is in int_libelles.
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
        {{ libelle_court('libelles.libelle') }} as libelle_court,
        {{ libelle_imprime('libelles.libelle') }} as libelle,
        true as est_pays,
        null as parent_code
    from {{ ref('stg_douane__libelles') }} as libelles
    anti join connus using (nomenclature, code)
    where libelles.est_en_vigueur
    qualify row_number() over (
        partition by libelles.nomenclature, libelles.code order by vintage desc, rang_archive desc, debut desc, libelles.libelle
    ) = 1
)

from connus
union all
from nouveaux
