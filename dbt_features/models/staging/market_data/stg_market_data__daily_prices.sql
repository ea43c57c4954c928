with source as (

    select * from {{ source('market_data', 'daily_prices') }}

),

renamed as (

    select
        symbol,
        date,

        close,
        volume

    from source

)

select * from renamed
