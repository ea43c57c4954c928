with source as (

    select * from {{ source('regimes', 'market_regimes') }}

),

renamed as (

    select
        date,

        regime,
        p_bullish,
        p_bearish,
        p_sideways,
        p_high_volatility

    from source

)

select * from renamed
