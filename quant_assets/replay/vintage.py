"""What of a history is served at an instant: bars and events up to it, values as they were known then."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

from quant_assets.replay.clock import NEW_YORK, ReplayClock
from quant_assets.replay.history import History, SymbolFrames

__all__ = ["Vintage", "served_frames", "vintage_of"]

_OPENS_AT = dt.time(9, 30)
_SESSION_SECONDS = 6.5 * 3600
_SETTLED_SHARE = 0.97
"""Share of the final volume that a bar shows between the close and the moment it is final."""


@dataclass(frozen=True, slots=True)
class Vintage:
    """What can be seen: final sessions up to a date, and perhaps the unfinished bar of a running session.

    ``running`` is the date of the running session (None: no unfinished bar is served), ``elapsed`` the share of it
    that is over, and ``refreshed`` the local time that the vendor then prints as its last refresh.
    """

    final_date: dt.date
    running: dt.date | None = None
    elapsed: float = 0.0
    refreshed: str = ""

    @property
    def newest_date(self) -> dt.date:
        """Newest date that anything served may carry."""
        return self.running or self.final_date


def vintage_of(clock: ReplayClock, *, partial_bars: bool, forced: bool = False) -> Vintage:
    """The vintage served when ``clock`` stands where it does.

    Parameters
    ----------
    clock : ReplayClock
    partial_bars : bool
        Whether the bar of a session that has opened and is not final yet is served.
    forced : bool
        Serve an unfinished bar dated the clock's New York date even outside trading hours (half of the session over).
    """
    local = clock.local
    final_date = clock.final_date
    opened = dt.datetime.combine(local.date(), _OPENS_AT, tzinfo=NEW_YORK)
    elapsed = min((local - opened).total_seconds() / _SESSION_SECONDS, 1.0)
    if final_date < local.date() and elapsed > 0 and (partial_bars or forced):
        return Vintage(final_date, local.date(), elapsed, f"{local:%Y-%m-%d %H:%M:%S}")
    if forced:
        return Vintage(final_date, local.date(), 0.5, f"{local:%Y-%m-%d %H:%M:%S}")
    return Vintage(final_date)


def served_frames(history: History, symbol: str, vintage: Vintage, *, invent: bool = False) -> SymbolFrames:
    """Bars, splits and dividends of a symbol as they were known at a vintage.

    A bar restated later carries its earlier values. Events after the newest date of the vintage are withheld.

    Parameters
    ----------
    history : History
    symbol : str
    vintage : Vintage
    invent : bool
        Where the history has no bar for the running session, make one from the bar before (for fault injection).
    """
    bars = history.bars(symbol)
    final = _as_known(_up_to(bars, vintage.final_date), history.restatements(symbol), vintage)
    if vintage.running is not None:
        today = bars.filter(pl.col("date") == vintage.running)
        if today.is_empty() and invent:
            today = final.tail(1).with_columns(date=pl.lit(vintage.running))
        today = _unfinished(today, vintage.elapsed)
        final = pl.concat([final.filter(pl.col("date") < vintage.running), today])
    newest = vintage.newest_date
    return SymbolFrames(
        final,
        _up_to(history.splits(symbol), newest),
        _up_to(history.dividends(symbol), newest),
    )


def _up_to(frame: pl.DataFrame, date: dt.date) -> pl.DataFrame:
    """Rows of a frame sorted by its first column, a date, up to and including ``date``; a view, no copy."""
    dates = frame.to_series(0)
    return frame.head(int(dates.search_sorted(date, side="right"))) if frame.height else frame


def _as_known(bars: pl.DataFrame, restatements: pl.DataFrame, vintage: Vintage) -> pl.DataFrame:
    if restatements.is_empty():
        return bars
    pending = restatements.filter(pl.col("restated_on") > vintage.final_date)
    if pending.is_empty():
        return bars
    earlier = pending.pivot("field", index="date", values="earlier_value", aggregate_function="first")
    fields = [name for name in bars.columns[1:] if name in earlier.columns]
    known = [pl.coalesce(f"{name}_earlier", name).cast(bars.schema[name]).alias(name) for name in fields]
    return (
        bars.join(earlier, on="date", how="left", suffix="_earlier", maintain_order="left")
        .select(*[pl.col(name) for name in bars.columns if name not in fields], *known)
        .select(bars.columns)
    )


def _unfinished(bar: pl.DataFrame, elapsed: float) -> pl.DataFrame:
    """The bar of a running session: on its way from the open to the final close, within the final range."""
    share = elapsed if elapsed < 1.0 else _SETTLED_SHARE
    last = (pl.col("open") + (pl.col("close") - pl.col("open")) * elapsed).round(4)
    top = pl.max_horizontal("open", "close")
    bottom = pl.min_horizontal("open", "close")
    return bar.with_columns(
        close=last,
        high=pl.max_horizontal("open", last, (top + (pl.col("high") - top) * elapsed * 0.5).round(4)),
        low=pl.min_horizontal("open", last, (bottom - (bottom - pl.col("low")) * elapsed * 0.5).round(4)),
        volume=(pl.col("volume") * share).round().cast(pl.Int64),
    )
