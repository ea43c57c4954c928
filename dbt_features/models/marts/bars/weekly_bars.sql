with bars as (

    select * from {{ ref('feature_store', v=1) }}

),

weekly as (

    select
        symbol,
        date_trunc('week', date)::date as week_start,

        max(date) as date,
        count(*)::integer as sessions,

        arg_min(open, date) as open,
        max(high) as high,
        min(low) as low,
        arg_max(close, date) as close,
        -- Sorted: a sum of doubles depends on the order, and threads add in any.
        list_sum(list_sort(list(volume))) as volume

    from bars
    group by all

)

select * from weekly
