{# The column of the goods at the level chosen by the variable niveau_produit. #}
{% macro produit_code() -%}
    {%- set colonnes = {'A38': 'a38_code', 'A129': 'a129_code', 'CPF4': 'cpf4_code'} -%}
    {%- if var('niveau_produit') not in colonnes -%}
        {{ exceptions.raise_compiler_error("niveau_produit is A38, A129 or CPF4; found " ~ var('niveau_produit')) }}
    {%- endif -%}
    {{ colonnes[var('niveau_produit')] }}
{%- endmacro %}
