-- Goods that moved or were revised, by territory and flow; the largest revisions first.
select
    niveau,
    code,
    nom,
    flux,
    objet_code as produit_code,
    libelle as produit,
    mouvement,
    rang_avant,
    rang,
    valeur_avant_eur,
    valeur_eur,
    revision_eur,
    revision_pct,
    rang_revision
from objets
where objet = 'produit'
