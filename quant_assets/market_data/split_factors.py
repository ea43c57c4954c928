"""What a split factor says: a share split, a spin-off, or nothing; and where a split is missing.

The vendor sends share splits and spin-offs through one channel, as a factor: 2 is a two-for-one split, 0.1 a
one-for-ten reverse split, 1.046 the price lost to a spin-off. Factors arrive with noise (7.00000700001, 0.3333).
This module cleans them. It does not decide which events exist; see ``corporate_actions``.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.market_data.bar_order import in_order, previous

__all__ = [
    "SPIN_OFF",
    "SPLIT",
    "SPLIT_ROUNDING",
    "SplitFactor",
    "nearest_simple_ratio",
    "read_split_factor",
    "suspect_jumps",
    "suspect_split_symbols",
]

SPLIT = "split"
SPIN_OFF = "spin_off"

_SMALL_TERM = 10
"""Largest p and q of a ratio p/q that counts as simple: 3/2, 5/4, 7/5. Larger terms would begin to meet
spin-off factors, which are quotients of prices and may take any value."""
_MANY_FOR_ONE = 100
"""n-for-1 and 1-for-n are simple up to here; large forward splits of US shares reach 50-for-1 (2024)."""
_LARGE_REVERSE = (150, 200, 250, 300, 400, 500, 1000)
_STOCK_DIVIDENDS = (Fraction(11, 10), Fraction(21, 20))
"""Stock dividends of 10 % and 5 % are splits: they add shares."""

SPLIT_ROUNDING = 5.1e-5
"""Half of the last of the four decimals that the vendor prints (1/3 arrives as 0.3333), and a little."""
_WIDEST_RELATIVE = 2e-3
"""Four decimals of a small factor say little: beyond 1/40 the tolerance is cut to this part of the factor."""

_JUMP_TOLERANCE = 0.05
"""Log distance between a price jump and a ratio that still counts as near it. The jump holds the day's own move
as well; 5 % covers all but about 1 in 100 daily moves of a large share."""


def _simple_ratios() -> list[Fraction]:
    small = {Fraction(p, q) for p in range(1, _SMALL_TERM + 1) for q in range(1, _SMALL_TERM + 1)}
    forward = {Fraction(n) for n in range(1, _MANY_FOR_ONE + 1)}
    reverse = {Fraction(1, n) for n in (*range(1, _MANY_FOR_ONE + 1), *_LARGE_REVERSE)}
    return sorted(small | forward | reverse | set(_STOCK_DIVIDENDS))


_RATIOS = _simple_ratios()
_RATIO_VALUES = np.array([float(ratio) for ratio in _RATIOS])


@dataclass(frozen=True, slots=True)
class SplitFactor:
    """A cleaned factor. ``kind`` is ``split`` or ``spin_off``; a raw price before the event divides by ``value``."""

    kind: str
    value: float


def nearest_simple_ratio(factor: float, tolerance: float) -> Fraction | None:
    """The simple ratio within ``tolerance`` (absolute) of ``factor`` or equal to it in three decimals, or ``None``.

    Simple are p/q with p and q up to 10, n-for-1 and 1-for-n up to 100 (and the usual larger reverse splits),
    11/10 and 21/20.
    """
    if not (math.isfinite(factor) and factor > 0):
        return None
    nearest = _RATIOS[int(np.argmin(np.abs(_RATIO_VALUES - factor)))]
    # 4/3 may also arrive as 1.333: three decimals, exactly.
    cut = nearest >= Fraction(1, _SMALL_TERM) and math.isclose(round(float(nearest), 3), factor, rel_tol=1e-12)
    return nearest if cut or abs(float(nearest) - factor) <= tolerance else None


def read_split_factor(factor: float) -> SplitFactor | None:
    """Clean one factor of the vendor's split channel.

    Parameters
    ----------
    factor : float
        Shares after the event for one share before it (or, for a spin-off, the price ratio).

    Returns
    -------
    SplitFactor or None
        ``None`` where there is no event: the factor is 1 within the printed decimals, not positive, or not finite.
        A factor near a simple ratio is a split with exactly that ratio. Another factor above 1 is a spin-off; one
        below 1 is a reverse split as printed, since a spin-off never raises the price. A spin-off whose factor
        happens to be a simple ratio such as 1.25 cannot be told from a split.
    """
    if not (math.isfinite(factor) and factor > 0):
        return None
    tolerance = min(SPLIT_ROUNDING * max(1.0, factor), _WIDEST_RELATIVE * factor)
    ratio = nearest_simple_ratio(factor, tolerance)
    if ratio == 1:
        return None
    if ratio is not None:
        return SplitFactor(SPLIT, float(ratio))
    return SplitFactor(SPIN_OFF if factor > 1 else SPLIT, factor)


def _suspect_log_ratios() -> npt.NDArray[np.float64]:
    # Fewer ratios than above: with 5 % of room on each side, all of p/q up to 10 would cover every large move.
    plain = {Fraction(n) for n in range(2, _MANY_FOR_ONE + 1)}
    between = {Fraction(3, 2), Fraction(4, 3), Fraction(5, 4), Fraction(5, 2)}
    forward = plain | between
    return np.sort(np.log([float(ratio) for ratio in forward | {1 / ratio for ratio in forward}]))


_SUSPECT_LOGS = _suspect_log_ratios()


def _distance(log_jump: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Nearest suspect log ratio of each jump, and the distance to it."""
    after = np.clip(np.searchsorted(_SUSPECT_LOGS, log_jump), 1, len(_SUSPECT_LOGS) - 1)
    low, high = _SUSPECT_LOGS[after - 1], _SUSPECT_LOGS[after]
    nearest = np.where(log_jump - low <= high - log_jump, low, high)
    return nearest, np.abs(log_jump - nearest)


def suspect_jumps(bars: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """Find price jumps near a simple ratio that no known split or spin-off explains.

    Parameters
    ----------
    bars : pl.DataFrame
        symbol, date, open, close as traded. Rows with a missing or non-positive price are left out.
    actions : pl.DataFrame
        symbol, effective_date, kind; any action with a factor between the two bars explains the jump.

    Returns
    -------
    pl.DataFrame
        symbol, date (of the bar after the jump), ratio (the simple ratio: 2 where the price halved). A jump counts
        when the close before over the open, or over the close, lies within 5 % of the ratio. A crash of the same
        size is listed as well: the list says where to ask, not that there was a split. The row of ``date`` depends
        on that bar and the one before only.
    """
    clean = bars.select("symbol", "date", "open", "close")
    clean = in_order(clean.filter((pl.col("open") > 0) & (pl.col("close") > 0) & pl.col("close").is_finite()))
    jumps = (
        clean.lazy()
        .with_columns(previous(["close", "date"]))
        .with_columns(
            by_open=(pl.col("previous_close") / pl.col("open")).log(),
            by_close=(pl.col("previous_close") / pl.col("close")).log(),
        )
        # The smallest suspect ratio is 5/4; less than its tolerance below it cannot match.
        .filter(pl.max_horizontal(pl.col("by_open").abs(), pl.col("by_close").abs()) > math.log(1.25) - _JUMP_TOLERANCE)
        .collect()
    )
    by_open, open_distance = _distance(jumps["by_open"].to_numpy())
    by_close, close_distance = _distance(jumps["by_close"].to_numpy())
    nearest = np.where(open_distance <= close_distance, by_open, by_close)
    found = jumps.select("symbol", "date", "previous_date").with_columns(
        ratio=pl.Series(np.exp(nearest)), distance=pl.Series(np.minimum(open_distance, close_distance))
    )
    found = found.filter(pl.col("distance") <= _JUMP_TOLERANCE)
    explained = (
        actions.filter(pl.col("kind").is_in([SPLIT, SPIN_OFF]))
        .select("symbol", "effective_date")
        .join(found, on="symbol")
        .filter((pl.col("effective_date") > pl.col("previous_date")) & (pl.col("effective_date") <= pl.col("date")))
    )
    return found.join(explained, on=["symbol", "date"], how="anti").select("symbol", "date", "ratio")


def suspect_split_symbols(
    bars: pl.DataFrame, actions: pl.DataFrame, splits_checked_on: dict[str, dt.date]
) -> tuple[str, ...]:
    """Symbols for which the vendor's list of splits should be asked now, sorted.

    Parameters
    ----------
    bars, actions : pl.DataFrame
        As for :func:`suspect_jumps`.
    splits_checked_on : dict
        Symbol -> last finished session at the time when the list was last received. A jump dated on or before it
        is taken for a real move, so a crash costs one call and not one every night.
    """
    jumps = suspect_jumps(bars, actions)
    return tuple(
        sorted(
            {
                symbol
                for symbol, date in jumps.select("symbol", "date").iter_rows()
                if symbol not in splits_checked_on or splits_checked_on[symbol] < date
            }
        )
    )
