with bars as (

    select * from {{ ref('int_bars_aligned') }}

),

traded as (

    select * from {{ ref('stg_market_data__daily_prices') }}

),

joined as (

    select
        bars.symbol,
        bars.date,

        bars.open,
        bars.high,
        bars.low,
        bars.close,
        bars.volume,
        bars.market_close,
        traded.close * traded.volume as dollar_volume

    from bars
    left join traded on traded.symbol = bars.symbol and traded.date = bars.date

)

select * from joined
