-- The butterfly: the ten first import and ten first export partners together, in order of total trade (ties: code), then the rest.
-- A balance needs both flows: there is none where the data of one are missing.
with partenaires as (
    select
        periode,
        niveau,
        code,
        pays_code,
        coalesce(sum(valeur_eur) filter (where flux = 'import'), 0)::bigint as import_eur,
        coalesce(sum(valeur_eur) filter (where flux = 'export'), 0)::bigint as export_eur,
        case when min(rang) <= 10 then pays_code else 'AUTRES' end as groupe_code
    from {{ ref('int_pays__ranked') }}
    anti join (from {{ ref('int_pertes') }} where not est_disponible) as manquants using (periode, niveau, code)
    group by periode, niveau, code, pays_code
),

groupes as (
    select
        periode,
        niveau,
        code,
        groupe_code as pays_code,
        sum(import_eur)::bigint as import_eur,
        sum(export_eur)::bigint as export_eur,
        count(*) as nb_pays
    from partenaires
    group by all
)

select
    groupes.*,
    coalesce(nomenclatures.libelle_court, 'Autres pays') as pays,
    export_eur - import_eur as solde_eur,
    row_number() over (
        partition by groupes.periode, niveau, groupes.code order by pays_code = 'AUTRES', import_eur + export_eur desc, pays_code
    ) as rang
from groupes
left join {{ ref('int_libelles') }} as nomenclatures
    on groupes.periode = nomenclatures.periode and nomenclatures.nomenclature = 'PAYS' and groupes.pays_code = nomenclatures.code
