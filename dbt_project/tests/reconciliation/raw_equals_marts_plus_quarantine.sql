{{ config(meta={'dagster': {'ref': {'name': 'mart_national_reperes'}}, 'description': 'Rows and euros of the releases that stand equal those of the marts and of the quarantine: no code is lost on the way.', 'phrase': 'Les euros des lignes reçues sont ceux des fiches et des lignes écartées : aucun code ne se perd en route.'}) }}
-- Straight from the source, without the staging models, so that a join that loses rows there shows here.
with en_vigueur as (
    select
        brut.flux,
        brut.annee,
        brut.trimestre,
        brut.annee * 4 + brut.trimestre - 1 as numero,
        count(*) as lignes,
        coalesce(sum(brut.valeur_eur), 0) as valeur_eur
    from {{ raw('echanges') }} as brut
    -- Rows beside the period that an archive announces stand for no quarter.
    inner join {{ raw('releases') }} as releases
        on brut.release_id = releases.release_id and contains(releases.trimestres, brut.annee || 'T' || brut.trimestre)
    group by brut.flux, brut.annee, brut.trimestre, releases.vintage, releases.rang_archive
    qualify row_number() over (partition by brut.flux, annee, trimestre order by releases.vintage desc, releases.rang_archive desc) = 1
),

attendu as (
    select periodes.periode, case flux when 'E' then 'export' else 'import' end as flux, sum(lignes) as lignes, sum(valeur_eur) as valeur_eur
    from en_vigueur
    inner join {{ ref('int_periodes') }} as periodes on numero between dernier - 3 and dernier
    group by all
)

select attendu.periode, attendu.flux, attendu.valeur_eur as brut_eur, reperes.valeur_eur as mart_eur, reperes.quarantaine_eur, attendu.lignes
from attendu
inner join {{ ref('mart_national_reperes') }} as reperes on reperes.niveau = 'france' and attendu.periode = reperes.periode and attendu.flux = reperes.flux
where
    attendu.valeur_eur is distinct from reperes.valeur_eur + reperes.quarantaine_eur
    or attendu.lignes is distinct from reperes.lignes + reperes.quarantaine_lignes
