"""Measures of one bar against its own past and against the market of that session.

Everything here is causal: a measure dated t uses bars up to t and the other symbols' bars of t. Scales are medians
over a trailing window, so that a few bad bars in it change nothing worth mentioning, and a window never needs to
know which of its bars were withheld.
"""

from __future__ import annotations

import polars as pl

from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.quality.market import excused, median_of_others

__all__ = ["HISTORY_BARS", "MEASURES", "WINDOW", "bar_measures", "excused_score", "measured_against"]

WINDOW = 63
"""Bars (a quarter) that scales are taken over."""
HISTORY_BARS = 2 * WINDOW + 1
"""Earlier bars that determine a measure fully: the volume scale is a median of distances from a median."""
_MINIMUM = 20
"""Bars before anything is said about a symbol: a median of 20 absolute returns is within about 25 % of its limit."""
_MAD_TO_SIGMA = 1.4826
"""Standard deviation of a normal variable over its median absolute value."""
_SMALLEST_VOLATILITY = 5e-4
"""Floor of the daily volatility: cash-like funds move by single ticks, which are no anomalies."""
_SMALLEST_VOLUME_SCALE = 0.15
"""Floor of the log-volume scale: about 0.1 on the packaged indices, which would flag a change of 60 %."""
_FIRST_VOLUME_SCALE = 0.5
"""Scale until 20 distances are known, so that a young symbol's volume is judged too: twice the median packaged one."""
_BUSY_DAY = 1.5
"""Ratio of the others' ranges to usual from which a session counts as turbulent: one in eight on packaged history."""

MEASURES = (
    "session_number",
    "level",
    "return_log",
    "sessions_since",
    "volatility_1d",
    "return_zscore",
    "residual_zscore",
    "gap_zscore",
    "range_zscore",
    "excursion_zscore",
    "volume_log_ratio",
    "volume_scale",
    "volume_zscore",
    "close_location",
    "market_zscore",
    "turbulence",
)
"""Columns that :func:`bar_measures` adds."""


def bar_measures(bars: pl.DataFrame, calendar: TradingCalendar) -> pl.DataFrame:
    """Add the measures of each bar against the bar before it.

    Parameters
    ----------
    bars : pl.DataFrame
        symbol, date, open, high, low, close (as traded, positive), volume (as traded; null or 0 means no feed),
        price_factor and volume_factor (what as-traded values are multiplied with; 1 without corporate actions).
        At most one row per symbol and date; impossible bars already removed.
    calendar : TradingCalendar
        Counts the sessions between two bars.

    Returns
    -------
    pl.DataFrame
        The rows sorted by symbol and date, with

        - ``session_number``: position in the calendar; ``level``: log of the adjusted close;
        - ``return_log``: log return from the previous bar, adjusted; ``sessions_since`` that bar;
        - ``volatility_1d``: 1.4826 x median absolute daily log return of the 63 bars before;
        - ``market_zscore``: median over the other symbols of return / volatility that session;
        - ``turbulence``: scale of the session: how much wider the others' bars are than usual (median ratio) beyond
          the 1.5 times that any busy day shows, at least 1;
        - ``return_zscore``: return / volatility, scaled by the root of the sessions between;
        - ``residual_zscore``: the same less what the market explains, over the turbulence;
        - ``gap_zscore``: the same of the open against the previous close;
        - ``range_zscore``: log of high/low over its trailing median; ``close_location``: 0 at the low, 1 at the high;
        - ``excursion_zscore``: how far the bar went beyond both the previous close and its own close, in
          volatilities;
        - ``volume_log_ratio``: log of volume over its trailing median; ``volume_scale``: robust scale of that ratio;
          ``volume_zscore``: ratio over scale, less what the market explains.

        A measure is null where fewer than 20 earlier bars exist or, for volume, where there is none.
    """
    frame = _own_past(bars.sort("symbol", "date"), calendar)
    frame = frame.with_columns(
        median_of_others(frame, "return_zscore").alias("market_zscore"),
        (median_of_others(frame, "range_zscore").exp() / _BUSY_DAY)
        .clip(lower_bound=1.0)
        .fill_null(1.0)
        .alias("turbulence"),
        median_of_others(frame, "plain_volume_zscore").alias("market_volume"),
    )
    frame = frame.with_columns(
        excused(pl.col("plain_volume_zscore"), pl.col("market_volume")).alias("volume_zscore"), *_market_scores()
    )
    return frame.select(*bars.columns, *MEASURES)


def measured_against(rows: pl.DataFrame, references: pl.DataFrame, measures: pl.DataFrame) -> pl.DataFrame:
    """Take bars that follow a withheld one against the last accepted bar instead.

    Parameters
    ----------
    rows : pl.DataFrame
        Some rows of :func:`bar_measures`; further columns are kept.
    references : pl.DataFrame
        symbol, date and reference_date, the session of the accepted bar.
    measures : pl.DataFrame
        Rows that hold the accepted bars.

    Returns
    -------
    pl.DataFrame
        The same rows and columns, sorted by symbol and date. Scales and the market's part are kept: a window does
        not ask which of its bars were withheld.
    """
    if references.is_empty():
        return rows
    wanted = references.select("symbol", pl.col("reference_date").alias("date")).unique()
    accepted = measures.join(wanted, on=("symbol", "date"), how="semi").select(
        "symbol",
        pl.col("date").alias("reference_date"),
        pl.col("level").alias("before"),
        pl.col("session_number").alias("since"),
    )
    changed = (
        rows.join(references, on=("symbol", "date"), how="inner")
        .join(accepted, on=("symbol", "reference_date"), how="inner")
        .with_columns((pl.col("session_number") - pl.col("since")).clip(lower_bound=1).alias("sessions_since"))
        .with_columns(*_moves(pl.col("before")))
        .with_columns(*_own_scores())
        .with_columns(*_market_scores())
        .select(rows.columns)
    )
    kept = rows.join(changed, on=("symbol", "date"), how="anti")
    return pl.concat([kept, changed]).sort("symbol", "date")


def _own_past(bars: pl.DataFrame, calendar: TradingCalendar) -> pl.DataFrame:
    """Measures that need no other symbol."""
    sessions = pl.Series(calendar.sessions).cast(pl.Date)
    volume = pl.when(pl.col("volume") > 0).then(pl.col("volume") * pl.col("volume_factor"))
    has_range = pl.col("high") > pl.col("low")
    frame = bars.with_columns(
        _adjusted_log("close").alias("level"),
        sessions.search_sorted(bars["date"]).cast(pl.Int64).alias("session_number"),
        volume.log().alias("volume_log"),
        pl.when(has_range).then((pl.col("high") / pl.col("low")).log()).alias("range_log"),
        pl.when(has_range)
        .then((pl.col("close") - pl.col("low")) / (pl.col("high") - pl.col("low")))
        .otherwise(0.5)
        .alias("close_location"),
    ).with_columns(
        *_moves(pl.col("level").shift(1).over("symbol")),
        pl.col("session_number").diff().over("symbol").clip(lower_bound=1).alias("sessions_since"),
        _trailing_median("range_log").alias("range_usual"),
        _trailing_median("volume_log").alias("volume_usual"),
    )
    frame = frame.with_columns(
        (pl.col("return_log").abs() / pl.col("sessions_since").sqrt()).alias("move_1d"),
        (pl.col("range_log") / pl.col("range_usual")).log().alias("range_zscore"),
        (pl.col("volume_log") - pl.col("volume_usual")).alias("volume_log_ratio"),
    ).with_columns(pl.col("volume_log_ratio").abs().alias("volume_distance"))
    frame = frame.with_columns(
        (_MAD_TO_SIGMA * _trailing_median("move_1d")).clip(lower_bound=_SMALLEST_VOLATILITY).alias("volatility_1d"),
        pl.when(pl.col("volume_log_ratio").is_not_null())
        .then((_MAD_TO_SIGMA * _trailing_median("volume_distance")).fill_null(_FIRST_VOLUME_SCALE))
        .clip(lower_bound=_SMALLEST_VOLUME_SCALE)
        .alias("volume_scale"),
    )
    return frame.with_columns(
        *_own_scores(), (pl.col("volume_log_ratio") / pl.col("volume_scale")).alias("plain_volume_zscore")
    )


def _adjusted_log(price: str) -> pl.Expr:
    return (pl.col(price) * pl.col("price_factor")).log()


def _moves(before: pl.Expr) -> list[pl.Expr]:
    """Log distances from the adjusted log close ``before``."""
    return [
        (pl.col("level") - before).alias("return_log"),
        (_adjusted_log("open") - before).alias("gap_log"),
        pl.max_horizontal(
            _adjusted_log("high") - pl.max_horizontal("level", before),
            pl.min_horizontal("level", before) - _adjusted_log("low"),
            0.0,
        ).alias("excursion_log"),
    ]


def _own_scores() -> list[pl.Expr]:
    """Moves in volatilities over the sessions between."""
    scale = pl.col("volatility_1d") * pl.col("sessions_since").sqrt()
    return [
        (pl.col("return_log") / scale).alias("return_zscore"),
        (pl.col("gap_log") / scale).alias("gap_own"),
        (pl.col("excursion_log") / scale).alias("excursion_own"),
    ]


def _market_scores() -> list[pl.Expr]:
    """The same less what the market explains, in the scale of the session."""
    market, turbulence = pl.col("market_zscore"), pl.col("turbulence")
    return [
        (excused(pl.col("return_zscore"), market) / turbulence).alias("residual_zscore"),
        (excused(pl.col("gap_own"), market) / turbulence).alias("gap_zscore"),
        (pl.col("excursion_own") / turbulence).alias("excursion_zscore"),
    ]


def excused_score(surprise: pl.Expr) -> pl.Expr:
    """Score of a log surprise since the reference bar: in volatilities of the session, less the market's part.

    Needs ``volatility_1d``, ``sessions_since``, ``market_zscore`` and ``turbulence`` of :func:`bar_measures`.
    """
    own = surprise / (pl.col("volatility_1d") * pl.col("sessions_since").sqrt())
    return excused(own, pl.col("market_zscore")) / pl.col("turbulence")


def _trailing_median(column: str) -> pl.Expr:
    """Median of the 63 values before the bar, 20 at least."""
    return pl.col(column).rolling_median(WINDOW, min_samples=_MINIMUM).shift(1).over("symbol")
