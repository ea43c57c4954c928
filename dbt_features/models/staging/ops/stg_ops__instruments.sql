with source as (

    select * from {{ source('ops', 'instruments') }}

),

renamed as (

    select
        symbol,

        is_market,
        coalesce(asset_class = 'index', false) as is_index

    from source

)

select * from renamed
