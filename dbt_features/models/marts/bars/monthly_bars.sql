with bars as (

    select * from {{ ref('int_bars_measured') }}

),

monthly as (

    select
        symbol,
        date_trunc('month', date)::date as month_start,

        min(date) as first_date,
        max(date) as date,
        count(*)::integer as sessions,
        bool_or(is_month_end = 1) as has_last_session,

        arg_min(open, date) as open,
        max(high) as high,
        min(low) as low,
        arg_max(close, date) as close,
        -- Sorted: a sum of doubles depends on the order, and threads add in any.
        case when count(volume) = count(*) then list_sum(list_sort(list(volume))) end as volume

    from bars
    group by symbol, month_start

),

-- Of every month, the first session of any symbol after it.
months as (

    select
        month_start,

        lead(min(first_date)) over (order by month_start) as next_session

    from monthly
    group by month_start

),

dated as (

    select
        monthly.symbol,
        monthly.month_start,

        monthly.date,
        case when monthly.has_last_session then monthly.date else months.next_session end as known_on,
        coalesce(monthly.has_last_session, false) or months.next_session is not null as is_complete,
        monthly.sessions,

        monthly.open,
        monthly.high,
        monthly.low,
        monthly.close,
        monthly.volume

    from monthly
    inner join months on months.month_start = monthly.month_start

)

select * from dated
