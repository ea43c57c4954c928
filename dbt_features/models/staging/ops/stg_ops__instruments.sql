with source as (

    select * from {{ source('ops', 'instruments') }}

),

renamed as (

    select
        symbol,

        is_market

    from source

)

select * from renamed
