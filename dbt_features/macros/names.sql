{#- Schemas are named as written in dbt_project.yml, without the target's name in front. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}

{#- Relations are named without their database, so that a view works in any copy of the file. -#}
{% macro ref() %}
    {% set version = kwargs.get('v') or kwargs.get('version') %}
    {% if version %}
        {% do return(builtins.ref(*varargs, v=version).include(database=false)) %}
    {% endif %}
    {% do return(builtins.ref(*varargs).include(database=false)) %}
{% endmacro %}

{% macro source() %}
    {% do return(builtins.source(*varargs).include(database=false)) %}
{% endmacro %}
