with source as (

    select * from {{ source('regimes', 'symbol_regimes') }}

),

renamed as (

    select
        symbol,
        date,

        regime,
        p_bullish,
        p_bearish,
        p_sideways,
        p_high_volatility

    from source

)

select * from renamed
