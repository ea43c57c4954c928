with bars as (

    select * from {{ ref('int_bars_measured') }}

),

ranks as (

    select * from {{ ref('int_symbols_ranked') }}

),

instruments as (

    select * from {{ ref('stg_ops__instruments') }}

),

market_regimes as (

    select * from {{ ref('stg_regimes__market_regimes') }}

),

symbol_regimes as (

    select * from {{ ref('stg_regimes__symbol_regimes') }}

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

        market_regimes.regime as market_regime,

        bars.close / nullif(bars.sma_5, 0) - 1 as sma_5_distance,
        bars.close / nullif(bars.sma_10, 0) - 1 as sma_10_distance,
        bars.close / nullif(bars.sma_20, 0) - 1 as sma_20_distance,
        bars.close / nullif(bars.sma_50, 0) - 1 as sma_50_distance,
        bars.close / nullif(bars.sma_200, 0) - 1 as sma_200_distance,
        bars.close / nullif(bars.ema_12, 0) - 1 as ema_12_distance,
        bars.close / nullif(bars.ema_26, 0) - 1 as ema_26_distance,
        bars.macd_signal / nullif(bars.close, 0) as macd_signal_ratio,
        (bars.macd_fast - bars.ema_26 - bars.macd_signal) / nullif(bars.close, 0) as macd_hist_ratio,

        case when bars.true_range_14 > 1e-12 * bars.close
            then 100 * bars.plus_movement_14 / bars.true_range_14 end as plus_di_14,
        case when bars.true_range_14 > 1e-12 * bars.close
            then 100 * bars.minus_movement_14 / bars.true_range_14 end as minus_di_14,
        case when bars.true_range_14 > 1e-12 * bars.close then bars.adx_14 end as adx_14,

        bars.stochastic_k_14,
        bars.stochastic_d_14,
        bars.stochastic_k_14 - 100 as williams_r_14,
        bars.cci_20,
        bars.mfi_14,

        bars.rate_of_change_10d,
        bars.rate_of_change_60d,
        bars.momentum_12_1,
        bars.drawdown_252d,
        bars.overnight_return_1d,
        bars.close / nullif(bars.open, 0) - 1 as intraday_return_1d,
        bars.overnight_return_20d,
        bars.intraday_return_20d,
        bars.return_skewness_60,
        bars.return_autocorrelation_60,

        100 * bars.atr_14 / nullif(bars.close, 0) as natr_14,
        bars.realised_volatility_ann_20,
        bars.realised_volatility_ann_60,
        case when bars.realised_volatility_ann_60 > 1e-12
            then bars.realised_volatility_ann_20 / bars.realised_volatility_ann_60 end as volatility_term_ratio,
        bars.parkinson_volatility_ann_20,
        bars.garman_klass_volatility_ann_20,
        bars.yang_zhang_volatility_ann_20,
        bars.downside_deviation_ann_60,

        bars.obv_change_20d,
        case when instruments.is_index then null else bars.amihud_illiquidity_20 end as amihud_illiquidity_20,
        case when instruments.is_index then null else bars.dollar_volume_zscore_60 end as dollar_volume_zscore_60,

        bars.market_beta_252,
        bars.market_correlation_252,
        bars.idiosyncratic_volatility_ann_252,

        ranks.price_change_20d_rank,
        ranks.momentum_12_1_rank,
        ranks.drawdown_252d_rank,
        ranks.realised_volatility_ann_60_rank,
        ranks.market_beta_252_rank,
        ranks.dollar_volume_20_rank,
        ranks.amihud_illiquidity_20_rank,

        isodow(bars.date)::integer as day_of_week,
        bars.is_month_end = 1 as is_month_end,

        market_regimes.p_bullish as market_p_bullish,
        market_regimes.p_bearish as market_p_bearish,
        market_regimes.p_sideways as market_p_sideways,
        market_regimes.p_high_volatility as market_p_high_volatility,
        symbol_regimes.regime as symbol_regime,
        symbol_regimes.p_bullish as symbol_p_bullish,
        symbol_regimes.p_bearish as symbol_p_bearish,
        symbol_regimes.p_sideways as symbol_p_sideways,
        symbol_regimes.p_high_volatility as symbol_p_high_volatility

    from bars
    left join ranks on ranks.symbol = bars.symbol and ranks.date = bars.date
    left join instruments on instruments.symbol = bars.symbol
    left join market_regimes on market_regimes.date = bars.date
    left join symbol_regimes on symbol_regimes.symbol = bars.symbol and symbol_regimes.date = bars.date

)

select * from indicators
