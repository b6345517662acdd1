-- Partners that moved or were revised, by territory and flow; the largest revisions first.
select * exclude (objet, objet_code, libelle), objet_code as pays_code, libelle as pays
from objets
where objet = 'pays'
