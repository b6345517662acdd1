-- Where the tables that came with a period's releases differ from ours: labels, and revisions of a nomenclature. Empty when none does.
with revisions as (
    select
        periodes.periode,
        libelles.nomenclature,
        libelles.revision,
        libelles.fichier,
        libelles.release_id
    from {{ ref('int_periodes') }} as periodes
    inner join {{ ref('int_releases__standing') }} as standing on standing.numero between periodes.dernier - 3 and periodes.dernier
    inner join {{ ref('stg_douane__libelles') }} as libelles using (release_id)
    where libelles.revision != '' and libelles.nomenclature in ('A129', 'CPF4')
    qualify row_number() over (
        partition by periodes.periode, libelles.nomenclature order by libelles.vintage desc, libelles.rang_archive desc, libelles.fichier desc
    ) = 1
),

found as (
    select
        libelles.periode,
        'libelle' as regle,
        libelles.nomenclature,
        libelles.code,
        libelles.libelle_connu,
        libelles.libelle,
        libelles.release_id
    from {{ ref('int_libelles') }} as libelles
    where libelles.est_nouveau
    union all
    select
        periode,
        'revision',
        nomenclature,
        '',
        case nomenclature when 'CPF4' then 'CPF rév. 2.1' else 'NAF rév. 2' end,
        case nomenclature when 'CPF4' then 'CPF ' else 'NAF ' end || case when length(revision) < 4 then 'rév. ' else '' end || revision,
        release_id
    from revisions
    where revision not in ('2.1', '2008') and (nomenclature, revision) != ('A129', '2')
)

select
    found.periode,
    found.regle,
    found.nomenclature,
    found.code,
    found.libelle_connu,
    found.libelle,
    releases.nom as archive
from found
inner join {{ ref('stg_douane__releases') }} as releases using (release_id)
order by all
