with features as (

    select * from {{ ref('feature_store', v=2) }}

),

raw_exposures as (

    select
        symbol,
        date,

        market_beta_252 as market_beta,
        abs(price_change_20d) as move_size,
        momentum_12_1 as momentum,
        realised_volatility_ann_60 as volatility

    from features

),

cross_sections as (

    select
        date,

        avg(move_size) as move_size_mean,
        stddev_samp(move_size) as move_size_std,
        avg(momentum) as momentum_mean,
        stddev_samp(momentum) as momentum_std,
        avg(volatility) as volatility_mean,
        stddev_samp(volatility) as volatility_std

    from raw_exposures
    group by date

),

standardised as (

    select
        raw_exposures.symbol,
        raw_exposures.date,

        raw_exposures.market_beta,
        (raw_exposures.move_size - cross_sections.move_size_mean)
            / nullif(cross_sections.move_size_std, 0) as move_size_exposure,
        (raw_exposures.momentum - cross_sections.momentum_mean)
            / nullif(cross_sections.momentum_std, 0) as momentum_exposure,
        (raw_exposures.volatility - cross_sections.volatility_mean)
            / nullif(cross_sections.volatility_std, 0) as volatility_exposure

    from raw_exposures
    inner join cross_sections on cross_sections.date = raw_exposures.date

)

select * from standardised
