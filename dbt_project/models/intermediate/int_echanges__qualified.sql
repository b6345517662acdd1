{{ config(materialized='view') }}
-- The rows that stand, each with the reason, if any, that keeps it out of the totals.
select
    echanges.* exclude (pays_code),
    coalesce(successeurs.successeur_code, echanges.pays_code) as pays_code,
    standing.numero,
    departements.region_code,
    a129.parent_code as a38_code,
    case
        when echanges.motif_source is not null then echanges.motif_source
        when echanges.valeur_eur is null then 'valeur_vide'
        when echanges.valeur_eur < 0 then 'valeur_negative'
        when echanges.departement_code is null then 'departement_inconnu'
        when cpf4.code is null or a129.code is null then 'produit_inconnu'
        when pays.code is null and successeurs.successeur_code is null
            then case when echus.code is null then 'pays_inconnu' else 'pays_echu' end
    end as motif_quarantaine
from {{ ref('stg_douane__echanges') }} as echanges
inner join {{ ref('int_releases__standing') }} as standing using (release_id, flux, annee, trimestre)
left join {{ ref('departements') }} as departements on echanges.departement_code = departements.departement_code
left join {{ ref('int_nomenclatures') }} as cpf4 on cpf4.nomenclature = 'CPF4' and echanges.cpf4_code = cpf4.code
left join {{ ref('int_nomenclatures') }} as a129 on a129.nomenclature = 'A129' and echanges.a129_code = a129.code
left join {{ ref('int_nomenclatures') }} as pays on pays.nomenclature = 'PAYS' and echanges.pays_code = pays.code
-- A code out of force: its successor where it had one alone, else told for what it is. One that came into force again is in pays.
left join {{ ref('pays_successeurs') }} as successeurs
    on
        pays.code is null
        and echanges.pays_code = successeurs.pays_code
        and echanges.annee || lpad((echanges.trimestre * 3 - 2)::varchar, 2, '0') > successeurs.fin
left join (select distinct code from {{ ref('stg_douane__libelles') }} where nomenclature = 'PAYS' and not est_en_vigueur) as echus
    on pays.code is null and echanges.pays_code = echus.code
