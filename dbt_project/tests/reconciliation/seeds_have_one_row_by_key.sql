{{ config(meta={'dagster': {'ref': {'name': 'departements'}}, 'description': 'Each seed holds one row by its key, which is never empty: a code that stands twice would count twice.', 'phrase': 'Chaque table de référence a une seule ligne par clé : un code en double compterait deux fois.'}) }}
{%- set keys = {
    'departements': ['departement_code'],
    'departement_alias': ['code_source'],
    'regions': ['region_code'],
    'pays': ['pays_code'],
    'pays_successeurs': ['pays_code', 'fin'],
    'nomenclature_cpf4': ['cpf4_code'],
    'nomenclature_a129': ['a129_code'],
    'nomenclature_a38': ['a38_code'],
    'territoires_industrie': ['departement_code', 'ti_code'],
    'totaux_publies': ['niveau', 'code', 'annee', 'flux', 'perimetre'],
    'plateformes': ['departement_code', 'nom'],
    'regles_fiabilite': ['regle'],
} %}
{%- for seed, columns in keys.items() %}
select '{{ seed }}' as seed, concat_ws('/', {{ columns | join(', ') }}) as cle, count(*) as lignes
from {{ ref(seed) }}
group by {{ columns | join(', ') }}
having count(*) > 1 or {{ columns | join(' is null or ') }} is null
{{ 'union all' if not loop.last }}
{%- endfor %}
