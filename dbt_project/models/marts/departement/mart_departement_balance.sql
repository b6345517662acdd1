select
    periode,
    niveau,
    code,
    pays_code,
    pays,
    import_eur,
    export_eur,
    solde_eur,
    rang,
    nb_pays
from {{ ref('int_balance__ranked') }}
where niveau = 'departement'
order by periode, code, rang
