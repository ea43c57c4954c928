with bars as (

    select * from {{ ref('int_bars_averaged') }}

),

market_regimes as (

    select * from {{ ref('stg_regimes__market_regimes') }}

),

indicators as (

    select
        bars.symbol,
        bars.date,

        bars.open,
        bars.high,
        bars.low,
        bars.close,
        bars.volume,

        case when bars.average_gain + bars.average_loss > 1e-12 * bars.close
            then 100 * bars.average_gain / (bars.average_gain + bars.average_loss) end as rsi_14,

        case when bars.macd_signal is not null then bars.macd_fast - bars.ema_26 end as macd,
        bars.macd_signal,
        bars.macd_fast - bars.ema_26 - bars.macd_signal as macd_hist,

        bars.sma_20 + bars.bb_distance as bb_upper,
        bars.sma_20 as bb_middle,
        bars.sma_20 - bars.bb_distance as bb_lower,
        2 * bars.bb_distance / nullif(bars.sma_20, 0) as bb_width,
        case when bars.bb_distance > 1e-12 * bars.sma_20
            then (bars.close - bars.sma_20 + bars.bb_distance) / (2 * bars.bb_distance) end as bb_position,

        bars.sma_5,
        bars.sma_10,
        bars.sma_20,
        bars.sma_50,
        bars.ema_12,
        bars.ema_26,

        bars.volume_sma_20,
        bars.volume / nullif(bars.volume_sma_20, 0) as volume_ratio,
        case when bars.volume is not null then bars.obv end as obv,

        bars.price_change_1d,
        bars.price_change_5d,
        bars.price_change_20d,
        (bars.high - bars.low) / nullif(bars.close, 0) as high_low_range,

        market_regimes.regime as market_regime

    from bars
    left join market_regimes on market_regimes.date = bars.date

)

select * from indicators
