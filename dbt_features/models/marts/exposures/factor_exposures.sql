with features as (

    select * from {{ ref('feature_store', v=2) }}

),

instruments as (

    select * from {{ ref('stg_ops__instruments') }}

),

-- Standardised over what can be traded: an index has a beta and no standing.
raw_exposures as (

    select
        features.symbol,
        features.date,

        features.market_beta_252 as market_beta,
        case when instruments.is_index then null else abs(features.price_change_20d) end as move_size,
        case when instruments.is_index then null else features.momentum_12_1 end as momentum,
        case when instruments.is_index then null else features.realised_volatility_ann_60 end as volatility

    from features
    left join instruments on instruments.symbol = features.symbol

),

-- Sorted: a sum of doubles depends on the order, and threads add in any.
sorted_values as (

    select
        date,

        list_sort(list(move_size)) as move_sizes,
        list_sort(list(momentum)) as momenta,
        list_sort(list(volatility)) as volatilities

    from raw_exposures
    group by date

),

cross_sections as (

    select
        date,

        list_avg(move_sizes) as move_size_mean,
        list_stddev_samp(move_sizes) as move_size_std,
        list_avg(momenta) as momentum_mean,
        list_stddev_samp(momenta) as momentum_std,
        list_avg(volatilities) as volatility_mean,
        list_stddev_samp(volatilities) as volatility_std

    from sorted_values

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
