-- Départements that moved among the hundred; the longest moves first.
select code, nom, flux, rang_avant, rang, rang_avant - rang as places_gagnees, valeur_avant_eur, valeur_eur, revision_eur
from totaux
where rang != rang_avant
order by abs(places_gagnees) desc, flux, rang, code
