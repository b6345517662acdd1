-- Goods that moved or were revised, by territory and flow; the largest revisions first.
select * exclude (objet, objet_code, libelle), objet_code as produit_code, libelle as produit
from objets
where objet = 'produit'
