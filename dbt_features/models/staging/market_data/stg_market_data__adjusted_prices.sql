with source as (

    select * from {{ source('market_data', 'adjusted_prices') }}

),

renamed as (

    select
        symbol,
        date,

        open,
        high,
        low,
        close,
        volume

    from source

)

select * from renamed
