{#-
  Views are replaced by one statement. dbt-duckdb's own way makes another one, renames both and drops the old: with ten
  views a night of 20 symbols took 1.16 s of processor time instead of 1.02 s.
-#}
{% materialization view, adapter='duckdb' %}
    {%- set target = this.incorporate(type='view') -%}
    {% call statement('main') %}
        {% if config.get('contract').enforced %}{{ get_assert_columns_equivalent(sql) }}{% endif %}
        create or replace view {{ target }} as (
            {{ sql }}
        );
    {% endcall %}
    {% do adapter.commit() %}
    {% do return({'relations': [target]}) %}
{% endmaterialization %}
