{# A label without what editions of a table write differently: case, accents, apostrophes, spaces, punctuation. #}
{% macro libelle_plie(colonne) -%}
    trim(regexp_replace(strip_accents(replace(lower({{ colonne }}), 'œ', 'oe')), '[^a-z0-9]+', ' ', 'g'))
{%- endmacro %}

{# A label of the customs as it is printed, and the same in the 40 characters of a figure. #}
{% macro libelle_imprime(colonne) -%}
    replace({{ colonne }}, '''', '’')
{%- endmacro %}
{% macro libelle_court(colonne) -%}
    case
        when length({{ colonne }}) <= 40 then {{ libelle_imprime(colonne) }}
        else rtrim(left({{ libelle_imprime(colonne) }}, 39)) || '…'
    end
{%- endmacro %}
