{# A table of the source « raw »: Parquet beside the warehouse. Where that is, is asked when a model is compiled, not when the
   project is parsed: one parse serves every warehouse (pipeline/dbt.py). #}
{% macro raw(table) -%}
    {%- do source('raw', table) -%}
    read_parquet('{{ env_var("COMEX_WAREHOUSE", "../assets_out/warehouse") }}/raw/{{ table }}/*.parquet')
{%- endmacro %}
