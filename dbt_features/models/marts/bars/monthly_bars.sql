with bars as (

    select * from {{ ref('feature_store', v=1) }}

),

monthly as (

    select
        symbol,
        date_trunc('month', date)::date as month_start,

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

select * from monthly
