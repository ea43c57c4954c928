{#-
  One row per symbol and session, neither of them null; returns the symbols that break it. A bit per day and symbol is
  set, then counted: exact, and three times as fast as grouping by the pair. `days` limits the test to the newest days,
  before the newest date of `bars`, for views whose parts are tested whole; as a literal, since DuckDB carries a
  literal into both sides of the view's joins and a subquery into neither.
-#}
{% test one_row_per_session(model, days=none, bars=none) %}

    {%- if days and execute and flags.WHICH in ('build', 'test') -%}
        {%- set after = run_query('select max(date) - ' ~ days ~ ' from ' ~ bars).columns[0].values()[0] -%}
    {%- endif %}

    select symbol
    from {{ model }}
    {% if after %} where date > date '{{ after }}' {% endif %}
    group by symbol
    having
        symbol is null
        or count(*) <> coalesce(bit_count(bitstring_agg(date - date '1900-01-01', 0, 73049)), 0)

{% endtest %}
