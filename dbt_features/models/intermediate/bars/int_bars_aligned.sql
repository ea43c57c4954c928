with bars as (

    select * from {{ ref('int_bars_averaged') }}

),

instruments as (

    select * from {{ ref('stg_ops__instruments') }}

),

market_bars as (

    select
        bars.date,
        bars.close

    from bars
    inner join instruments on instruments.symbol = bars.symbol
    where instruments.is_market

),

sessions as (

    select distinct date from bars

),

-- A session without a bar of the market has the market's last close before it.
market_closes as (

    select
        sessions.date,
        market_bars.close as market_close

    from sessions
    asof left join market_bars on sessions.date >= market_bars.date

),

aligned as (

    select
        bars.symbol,
        bars.date,

        bars.open,
        bars.high,
        bars.low,
        bars.close,
        bars.volume,
        market_closes.market_close

    from bars
    left join market_closes on market_closes.date = bars.date

)

select * from aligned
