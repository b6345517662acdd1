-- What the first goods and partners of each territory weigh there, in its région and in France: what a fiche may call particular.
with objets as (
    select periode, niveau, code, flux, 'produit' as objet, produit_code as objet_code, valeur_eur, true as est_nomme, rang_brut as rang
    from {{ ref('int_produits__ranked') }}
    union all
    select periode, niveau, code, flux, 'pays', pays_code, valeur_eur, est_pays, rang_brut
    from {{ ref('int_pays__ranked') }}
),

parts as (
    select *, 100.0 * valeur_eur / sum(valeur_eur) over (partition by periode, niveau, code, flux, objet) as part_pct
    from objets
),

compared as (
    select
        parts.*,
        case when regions.code is not null then coalesce(part_region.part_pct, 0) end as region_part_pct,
        case when parts.niveau != 'france' then coalesce(part_france.part_pct, 0) end as france_part_pct
    from parts
    inner join {{ ref('int_territoires') }} as territoires using (niveau, code)
    left join {{ ref('int_territoires') }} as regions
        on parts.niveau = 'departement' and regions.niveau = 'region' and territoires.region_code = regions.code
    left join parts as part_region
        on
            part_region.niveau = 'region'
            and regions.code = part_region.code
            and parts.periode = part_region.periode
            and parts.flux = part_region.flux
            and parts.objet = part_region.objet
            and parts.objet_code = part_region.objet_code
    left join parts as part_france
        on
            part_france.niveau = 'france'
            and parts.periode = part_france.periode
            and parts.flux = part_france.flux
            and parts.objet = part_france.objet
            and parts.objet_code = part_france.objet_code
    where parts.est_nomme and parts.rang <= 5
)

select
    compared.periode,
    compared.niveau,
    compared.code,
    compared.flux,
    compared.objet,
    compared.objet_code,
    nomenclatures.libelle_court as libelle,
    compared.rang::int as rang,
    compared.valeur_eur,
    compared.part_pct,
    compared.region_part_pct,
    compared.france_part_pct,
    compared.part_pct - compared.france_part_pct as ecart_france_pts,
    coalesce(
        ecart_france_pts >= {{ var('saillant_pts') }} and compared.valeur_eur >= {{ var('base_min_eur') }}, false
    ) as est_saillant
from compared
inner join {{ ref('int_libelles') }} as nomenclatures
    on
        compared.periode = nomenclatures.periode
        and compared.objet_code = nomenclatures.code
        and nomenclatures.nomenclature = case compared.objet when 'pays' then 'PAYS' else '{{ var("niveau_produit") }}' end
order by compared.periode, niveau, compared.code, flux, objet, rang
