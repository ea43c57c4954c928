{#-
  Incremental strategy of the stored intermediate models. The new rows hold, for every symbol that changed, all of
  its rows from the first changed session on: what is stored from that session on is replaced. A row whose date is
  null says that everything stored of the symbol is.
-#}
{% macro get_incremental_changed_rows_sql(arg_dict) %}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set changed = arg_dict['temp_relation'] -%}
    {%- set written = run_query('select count(date) from ' ~ changed).columns[0].values()[0] -%}
    {%- do log('rows written: ' ~ written, info=true) -%}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
    delete from {{ target }} as stored
    using (
        select symbol, case when count(date) = count(*) then min(date) else '-infinity'::date end as first_date
        from {{ changed }}
        group by symbol
    ) as changed
    where stored.symbol = changed.symbol and stored.date >= changed.first_date;

    insert into {{ target }} ({{ columns }})
    select {{ columns }} from {{ changed }} where date is not null;

    drop table {{ changed }};
{% endmacro %}

{#- dbt-duckdb leaves the table of new rows behind where a run is killed in between. -#}
{% macro drop_abandoned_tables() %}
    {% if execute %}
        {% set found = run_query(
            "select schema_name || '.' || table_name from duckdb_tables() "
            ~ "where database_name = current_database() and table_name like '%\\_\\_dbt\\_tmp%' escape '\\'"
        ) %}
        {% for name in found.columns[0].values() %}
            {% do run_query('drop table ' ~ name) %}
        {% endfor %}
    {% endif %}
{% endmacro %}

{#-
  The same for whole sessions: the new rows hold every row of each session that changed; a row whose symbol is null
  says that the session is gone.
-#}
{% macro get_incremental_changed_sessions_sql(arg_dict) %}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set changed = arg_dict['temp_relation'] -%}
    {%- set written = run_query('select count(symbol) from ' ~ changed).columns[0].values()[0] -%}
    {%- do log('rows written: ' ~ written, info=true) -%}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
    delete from {{ target }} where date in (select date from {{ changed }});

    insert into {{ target }} ({{ columns }})
    select {{ columns }} from {{ changed }} where symbol is not null;
{% endmacro %}
