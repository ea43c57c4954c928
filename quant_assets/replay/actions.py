"""Corporate actions and the vendor's adjusted close, each derived from the other.

Convention, checked against the packaged history to 1e-13: going back over an ex-date, the adjusted close is multiplied
by ``C / (C + D) / S`` with ``C`` the close as traded on that date, ``D`` the dividend and ``S`` the split factor. (The
other convention in use, ``1 - D / C_previous``, is not the vendor's.)
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.foundation.errors import DataError
from quant_assets.replay.history import DIVIDENDS_SCHEMA, SPLITS_SCHEMA

__all__ = ["actions_by_bar", "adjusted_closes", "derive_actions"]

_NO_EVENT = 1e-9
"""Relative step below which two days share their base; rounding noise of the packaged closes is 1e-13."""
_SMALLEST_SPLIT = 1.2
"""A step below it is cash: MSFT's special dividend of 2004-11-15 is 1.112, and no packaged split is under 2."""
_LARGEST_YIELD = 0.05
"""Largest dividend taken for one paid on the day of a split, as a share of the close."""
_AMOUNT_DECIMALS = 6
"""Dividends are paid in whole units of 1e-6 or coarser; what is left beyond is rounding noise."""

_SPLIT_RATIOS: tuple[float, ...] = (
    *(float(new) for new in range(2, 51)),
    *(1.0 / old for old in range(2, 101)),
    *(3 / 2, 4 / 3, 5 / 4, 6 / 5, 5 / 3, 5 / 2),
)
"""Ratios in use. More of them would let a split with a dividend pass for another split without one."""


def derive_actions(closes: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Recover splits and dividends from raw against adjusted closes.

    A step between two days' ratio of raw to adjusted close is ``S * (C + D) / C``. A step under 1.2 and over 1 is a
    dividend. Any other is a split by the simple ratio that explains it best: exactly, or with the smallest dividend
    on the same day that is a whole number of 1e-4 units and at most 5 % of the close.

    Parameters
    ----------
    closes : DataFrame
        Columns ``date``, ``close``, ``adjusted_close`` of one symbol, sorted by date.

    Returns
    -------
    splits, dividends : DataFrame
        ``SPLITS_SCHEMA`` and ``DIVIDENDS_SCHEMA``.

    Raises
    ------
    DataError
        Where a step fits no split ratio.
    """
    base = closes["close"].to_numpy() / closes["adjusted_close"].to_numpy()
    steps = np.ones(len(base))
    steps[1:] = base[:-1] / base[1:]
    splits: list[tuple[object, float]] = []
    dividends: list[tuple[object, float]] = []
    for position in np.flatnonzero(np.abs(steps - 1.0) > _NO_EVENT):
        date, close = closes.item(int(position), "date"), float(closes.item(int(position), "close"))
        split, amount = _explain(float(steps[position]), close)
        if split is None:
            raise DataError(f"the adjusted close steps by {steps[position]:.6f} on {date}, which fits no split ratio")
        if split != 1.0:
            splits.append((date, split))
        if amount > 0.0:
            dividends.append((date, amount))
    return (
        pl.DataFrame(splits, schema=SPLITS_SCHEMA, orient="row"),
        pl.DataFrame(dividends, schema=DIVIDENDS_SCHEMA, orient="row"),
    )


def _explain(step: float, close: float) -> tuple[float | None, float]:
    """Split factor and dividend behind a step; the factor is None where nothing fits."""
    if 1.0 < step < _SMALLEST_SPLIT:
        return 1.0, round(close * (step - 1.0), _AMOUNT_DECIMALS)
    for ratio in sorted(_SPLIT_RATIOS, key=lambda ratio: abs(step / ratio - 1.0)):
        excess = step / ratio - 1.0
        if abs(excess) <= _NO_EVENT:
            return ratio, 0.0
        if not 0.0 < excess <= _LARGEST_YIELD:
            continue
        amount = round(close * excess, _AMOUNT_DECIMALS)
        # The step must come back from the rounded amount: this rejects a ratio that only lies near.
        if abs(ratio * (close + amount) / close / step - 1.0) <= _NO_EVENT and _is_tidy(amount):
            return ratio, amount
    return None, 0.0


def _is_tidy(amount: float) -> bool:
    """Whether an amount is a whole number of hundredths of a cent, as dividends are."""
    return abs(amount * 1e4 - round(amount * 1e4)) < 1e-3


def adjusted_closes(bars: pl.DataFrame, splits: pl.DataFrame, dividends: pl.DataFrame) -> npt.NDArray[np.float64]:
    """Adjusted close of every bar, based at the newest bar, whose factor is exactly 1.

    An event takes effect at the first bar on or after its date; one after the newest bar has no effect, so nothing
    later than the newest bar leaks into the numbers.

    Parameters
    ----------
    bars : DataFrame
        Columns ``date`` and ``close`` of one symbol, sorted by date.
    splits, dividends : DataFrame
        ``SPLITS_SCHEMA`` and ``DIVIDENDS_SCHEMA``.
    """
    dates = bars["date"].to_numpy()
    close = bars["close"].to_numpy()
    paid = np.zeros(len(dates) + 1)
    ratio = np.ones(len(dates) + 1)
    np.add.at(paid, *_events(dates, dividends))
    np.multiply.at(ratio, *_events(dates, splits))
    factor = np.ones(len(dates))
    if len(dates) > 1:
        steps = close[1:] / (close[1:] + paid[1:-1]) / ratio[1:-1]
        factor[:-1] = np.cumprod(steps[::-1])[::-1]
    adjusted: npt.NDArray[np.float64] = close * factor
    return adjusted


def actions_by_bar(
    bars: pl.DataFrame, splits: pl.DataFrame, dividends: pl.DataFrame
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Dividend (0 for none) and split factor (1 for none) of every bar; one whose bar is missing is in neither.

    Parameters as in :func:`adjusted_closes`.
    """
    dates = bars["date"].to_numpy()
    paid, ratio = np.zeros(len(dates)), np.ones(len(dates))
    for column, events in ((paid, dividends), (ratio, splits)):
        positions, values = _events(dates, events)
        found = positions < len(dates)
        found[found] = dates[positions[found]] == events.to_series(0).to_numpy()[found]
        (np.add if column is paid else np.multiply).at(column, positions[found], values[found])
    return paid, ratio


def _events(
    dates: npt.NDArray[np.datetime64], events: pl.DataFrame
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Position of the first bar on or after each event (one past the end where there is none), and its value."""
    positions: npt.NDArray[np.int64] = np.searchsorted(dates, events.to_series(0).to_numpy())
    return positions, events.to_series(1).to_numpy()
