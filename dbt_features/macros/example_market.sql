{#-
  The sources of the `example` target: three symbols over 300 weekdays, prices that wave, and no regimes. Lets
  `dbt build` run anywhere without a warehouse; never runs on one.
-#}
{% macro example_market() %}
    {% if execute and target.name == 'example' %}
        {% set statements = [
            "create schema if not exists market_data",
            "create schema if not exists ops",
            "create schema if not exists regimes",
            "create or replace table market_data.daily_prices as
                with days as (
                    select symbol, cast(day as date) as date, row_number() over (partition by symbol order by day) as n
                    from range(date '2020-01-01', date '2021-02-24', interval 1 day) as days(day),
                        (values ('ALPHA', 0.7), ('BETA', 1.3), ('MARKET', 1.0)) as symbols(symbol, speed)
                    where isodow(day) < 6
                ), closes as (
                    select *, 100 * exp(0.0004 * n + 0.05 * sin(n / 9.0 + length(symbol)) + 0.01 * sin(n * 1.7)) as close
                    from days
                )
                select
                    symbol, date, close * (1 + 0.002 * sin(n)) as open,
                    close * 1.01 as high, close * 0.99 as low, close,
                    cast(1000000 * (1.5 + sin(n / 3.0)) as bigint) as volume
                from closes order by symbol, date",
            "create or replace view market_data.adjusted_prices as
                select symbol, date, open, high, low, close, cast(volume as double) as volume
                from market_data.daily_prices",
            "create or replace table ops.instruments as
                select distinct symbol, symbol as name, 'equity' as asset_class, symbol = 'MARKET' as is_market
                from market_data.daily_prices",
            "create or replace table regimes.market_regimes (
                date date, regime varchar, p_bullish double, p_bearish double, p_sideways double,
                p_high_volatility double, model_version varchar)",
            "create or replace table regimes.symbol_regimes (
                symbol varchar, date date, regime varchar, p_bullish double, p_bearish double, p_sideways double,
                p_high_volatility double, model_version varchar)",
        ] %}
        {% for statement in statements %}
            {% do run_query(statement) %}
        {% endfor %}
    {% endif %}
{% endmacro %}
