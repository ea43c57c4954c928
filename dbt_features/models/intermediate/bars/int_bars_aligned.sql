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

-- A session without a bar of the market has no market close: a guess would be a return of 0.
aligned as (

    select
        bars.symbol,
        bars.date,

        bars.open,
        bars.high,
        bars.low,
        bars.close,
        bars.volume,
        market_bars.close as market_close

    from bars
    left join market_bars on market_bars.date = bars.date

)

select * from aligned
