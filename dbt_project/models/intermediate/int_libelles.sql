-- What is printed of each code in each period. The label that came with the newest release that stands for the period wins; of
-- several the one that was in force in the period. Where it says what the seeds say, in the customs' words of February 2025 or in
-- ours, the seeds' wording stays, which has short labels and current names of countries.
with periodes as (
    select
        periode,
        dernier,
        ((dernier - 3) // 4)::varchar || lpad(((dernier - 3) % 4 * 3 + 1)::varchar, 2, '0') as debut_periode,
        (dernier // 4)::varchar || lpad((dernier % 4 * 3 + 3)::varchar, 2, '0') as fin_periode
    from {{ ref('int_periodes') }}
),

donnees as (
    select distinct periodes.periode, periodes.debut_periode, periodes.fin_periode, standing.release_id
    from periodes
    inner join {{ ref('int_releases__standing') }} as standing on standing.numero between periodes.dernier - 3 and periodes.dernier
),

propres as (
    select donnees.periode, libelles.nomenclature, libelles.code, libelles.libelle, libelles.release_id
    from donnees
    inner join {{ ref('stg_douane__libelles') }} as libelles using (release_id)
    where libelles.est_en_vigueur
    qualify row_number() over (
        partition by donnees.periode, libelles.nomenclature, libelles.code
        order by
            libelles.vintage desc,
            libelles.debut <= donnees.fin_periode and libelles.fin >= donnees.debut_periode desc,
            libelles.rang_archive desc,
            libelles.debut desc,
            libelles.libelle
    ) = 1
),

douane as (
    select 'CPF4' as nomenclature, cpf4_code as code, libelle_douane from {{ ref('nomenclature_cpf4') }}
    union all
    select 'A129', a129_code, libelle_douane from {{ ref('nomenclature_a129') }}
    union all
    select 'PAYS', pays_code, coalesce(libelle_douane, pays) from {{ ref('pays') }}
),

compares as (
    select
        periodes.periode,
        connus.nomenclature,
        connus.code,
        connus.libelle_court,
        connus.libelle,
        propres.libelle as libelle_propre,
        propres.release_id,
        douane.code is not null as est_connu,
        propres.libelle is not null
        and coalesce({{ libelle_plie('propres.libelle') }} not in (
            {{ libelle_plie('connus.libelle') }}, {{ libelle_plie('connus.libelle_court') }}, {{ libelle_plie('douane.libelle_douane') }}
        ), true) as est_autre
    from periodes
    cross join {{ ref('int_nomenclatures') }} as connus
    left join propres using (periode, nomenclature, code)
    left join douane using (nomenclature, code)
)

select
    periode,
    nomenclature,
    code,
    case when est_autre then {{ libelle_court('libelle_propre') }} else libelle_court end as libelle_court,
    case when est_autre then {{ libelle_imprime('libelle_propre') }} else libelle end as libelle,
    est_connu and est_autre as est_nouveau,
    case when est_connu and est_autre then libelle end as libelle_connu,
    release_id
from compares
