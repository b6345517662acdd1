-- The ten first goods of each territory and flow and, last, all the others together.
with groupes as (
    select
        periode,
        niveau,
        code,
        flux,
        groupe_code as produit_code,
        rang,
        sum(valeur_eur)::bigint as valeur_eur,
        count(*) as nb_produits
    from {{ ref('int_produits__ranked') }}
    group by all
)

select
    groupes.*,
    coalesce(nomenclatures.libelle_court, 'Autres produits') as produit,
    coalesce(nomenclatures.libelle, 'Autres produits') as produit_libelle,
    100.0 * groupes.valeur_eur / sum(groupes.valeur_eur) over (partition by groupes.periode, niveau, groupes.code, flux) as part_pct
from groupes
left join {{ ref('int_libelles') }} as nomenclatures
    on groupes.periode = nomenclatures.periode and nomenclatures.nomenclature = '{{ var("niveau_produit") }}' and groupes.produit_code = nomenclatures.code
