with bars as (

    select * from {{ ref('int_bars_measured') }}

),

weekly as (

    select
        symbol,
        date_trunc('week', date)::date as week_start,

        min(date) as first_date,
        max(date) as date,
        count(*)::integer as sessions,
        bool_or(is_week_end = 1) as has_last_session,

        arg_min(open, date) as open,
        max(high) as high,
        min(low) as low,
        arg_max(close, date) as close,
        -- Sorted: a sum of doubles depends on the order, and threads add in any.
        case when count(volume) = count(*) then list_sum(list_sort(list(volume))) end as volume

    from bars
    group by symbol, week_start

),

-- Of every week, the first session of any symbol after it.
weeks as (

    select
        week_start,

        lead(min(first_date)) over (order by week_start) as next_session

    from weekly
    group by week_start

),

dated as (

    select
        weekly.symbol,
        weekly.week_start,

        weekly.date,
        case when weekly.has_last_session then weekly.date else weeks.next_session end as known_on,
        coalesce(weekly.has_last_session, false) or weeks.next_session is not null as is_complete,
        weekly.sessions,

        weekly.open,
        weekly.high,
        weekly.low,
        weekly.close,
        weekly.volume

    from weekly
    inner join weeks on weeks.week_start = weekly.week_start

)

select * from dated
