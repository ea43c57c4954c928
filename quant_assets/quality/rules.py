"""Rules that need no statistics: what no true bar can be.

Each rule looks at a bar alone, or at a bar and the calendar, so that it can be wrong about nothing but its own
wording. Everything found here is ``HIGH``: the bar is withheld. What needs the bar's own past (jumps, repeats, holes,
splits) lives in the modules beside this one.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.quality.findings import FINDINGS_SCHEMA, Severity, empty_findings

__all__ = ["PRICE_LIMITS", "UNUSABLE_KINDS", "PriceLimits", "price_sanity_findings"]

_PRICES = ("open", "high", "low", "close")
_ROUNDING = 1e-6
"""Relative slack of comparisons inside a bar: vendors print four decimals, and 0 of 19,278 packaged bars needs more."""


UNUSABLE_KINDS = frozenset({"missing_value", "non_positive_price", "future_date", "repeated_date"})
"""Bars that nothing after can work with: a person may silence the alarm, the bar stays withheld."""


@dataclass(frozen=True, slots=True)
class PriceLimits:
    """Prices beyond which a bar is absurd, in currency.

    The dearest listed share trades near 8e5 and the largest index near 1e5; the vendor prints four decimals, so
    nothing trades below 1e-4.
    """

    lowest: float = 1e-4
    highest: float = 1e7


PRICE_LIMITS = PriceLimits()


def price_sanity_findings(
    bars: pl.DataFrame, calendar: TradingCalendar, *, today: dt.date, limits: PriceLimits = PRICE_LIMITS
) -> pl.DataFrame:
    """Bars that cannot be true whatever the market did.

    Parameters
    ----------
    bars : pl.DataFrame
        Raw bars: symbol, date, open, high, low, close (currency) and volume (shares); any may be null or NaN. A
        (symbol, date) may be repeated. A null volume means that there is no volume feed and is not an error.
    calendar : TradingCalendar
        Sessions of the exchange.
    today : date
        Newest session that the source's clock allows; later bars are from the future.
    limits : PriceLimits, optional

    Returns
    -------
    pl.DataFrame
        ``FINDINGS_SCHEMA``, sorted by symbol, date and kind; a bar has one row per broken rule, all ``HIGH``.
        Kinds: ``missing_value``, ``non_positive_price``, ``absurd_price``, ``high_below_low``,
        ``open_outside_range``, ``close_outside_range``, ``negative_volume``, ``not_a_session``, ``future_date``,
        ``repeated_date``.
    """
    if bars.is_empty():
        return empty_findings()
    frame = bars.with_columns(pl.col(_PRICES).cast(pl.Float64).fill_nan(None))
    found = [
        frame.filter(condition).select(
            "symbol",
            "date",
            pl.lit(kind).alias("kind"),
            pl.lit(Severity.HIGH.value).alias("severity"),
            details.alias("details"),
            pl.lit(kind).alias("pattern"),
            pl.lit(None, dtype=pl.Float64).alias("magnitude"),
        )
        for kind, condition, details in (*_bar_rules(limits), *_date_rules(calendar, today))
    ]
    return (
        pl.concat(found)
        .unique(("symbol", "date", "kind"))
        .sort("symbol", "date", "kind")
        .cast(pl.Schema(FINDINGS_SCHEMA))
    )


_Rule = tuple[str, pl.Expr, pl.Expr]


def _bar_rules(limits: PriceLimits) -> list[_Rule]:
    opened, high, low, close = (pl.col(name) for name in _PRICES)
    any_price = [pl.col(name) for name in _PRICES]
    positive = pl.min_horizontal(any_price) > 0
    absurd = positive & (
        (pl.max_horizontal(any_price) > limits.highest) | (pl.min_horizontal(any_price) < limits.lowest)
    )
    bar = pl.format("open {}, high {}, low {}, close {}", *any_price)
    missing = pl.concat_str(
        [pl.when(pl.col(name).is_null()).then(pl.lit(name)) for name in _PRICES], separator=", ", ignore_nulls=True
    )
    return [
        (
            "missing_value",
            pl.any_horizontal(price.is_null() for price in any_price),
            pl.format("no value for {}", missing),
        ),
        ("non_positive_price", pl.min_horizontal(any_price) <= 0, pl.format("a price is not above zero: {}", bar)),
        (
            "absurd_price",
            absurd,
            pl.format(f"a price lies outside {limits.lowest:g} to {limits.highest:g}: {{}}", bar),
        ),
        ("high_below_low", high < low * (1 - _ROUNDING), pl.format("high {} is below low {}", high, low)),
        *(
            (
                f"{name}_outside_range",
                (high >= low) & ((price > high * (1 + _ROUNDING)) | (price < low * (1 - _ROUNDING))),
                pl.format(f"{name} {{}} lies outside low {{}} to high {{}}", price, low, high),
            )
            for name, price in (("open", opened), ("close", close))
        ),
        ("negative_volume", pl.col("volume") < 0, pl.format("volume {} is negative", pl.col("volume"))),
    ]


def _date_rules(calendar: TradingCalendar, today: dt.date) -> list[_Rule]:
    date = pl.col("date")
    # The calendar is long (9,000 sessions); membership over the column at once costs milliseconds.
    sessions = pl.Series("sessions", calendar.sessions).cast(pl.Date)
    text = date.dt.strftime("%Y-%m-%d")
    return [
        (
            "not_a_session",
            # Bars older than the calendar, and exchanges abroad (a suffix such as .LON), cannot be judged by it.
            (date >= sessions[0]) & ~pl.col("symbol").str.contains(".", literal=True) & ~date.is_in(sessions.implode()),
            pl.format("the exchange was closed on {}", text),
        ),
        (
            "future_date",
            date > pl.lit(today),
            pl.format(f"{{}} lies after {today}, the newest session there can be", text),
        ),
        (
            "repeated_date",
            pl.struct("symbol", "date").is_duplicated(),
            pl.format("{} bars for one session", pl.len().over("symbol", "date")),
        ),
    ]
