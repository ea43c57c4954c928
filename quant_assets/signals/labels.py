"""Labels: what happened after a session, when that was known, and how much of it a label has to itself.

Returns run from the close of the session to the close of the symbol's ``horizon_days``-th bar after it, on adjusted
prices. A label is known at that bar's close, never before, and stays null until then. Overlapping labels repeat each
other; a training row weighs by the part of its return that no other row shares.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.signals.model_spec import LabelRule

__all__ = ["MAX_HALT_SESSIONS", "forward_labels", "uniqueness_weights"]

MAX_HALT_SESSIONS = 5
"""Sessions without a bar of the symbol inside a label's span beyond which there is no label: the return would cover a
week more than its neighbours'."""


def forward_labels(
    closes: pl.DataFrame, rule: LabelRule, sessions: npt.NDArray[np.datetime64] | None = None
) -> pl.DataFrame:
    """Label every bar.

    Parameters
    ----------
    closes : DataFrame
        symbol, date, close (adjusted, positive), one row per bar, nothing later than is known.
    rule : LabelRule
    sessions : array of datetime64[D], optional
        The exchange's sessions, ascending; without them halts are not looked at.

    Returns
    -------
    DataFrame
        symbol, date, bar_number (from 0 within the symbol), forward_return (fraction), label (1 where the return
        exceeds the threshold, else 0), matures_on (date); the last three null where not known yet or across a halt.
        Sorted by symbol and date.
    """
    horizon = rule.horizon_days
    later = pl.col("close").shift(-horizon).over("symbol")
    labelled = (
        closes.select("symbol", "date", "close")
        .sort("symbol", "date")
        .with_columns(
            bar_number=pl.int_range(pl.len()).over("symbol"),
            forward_return=later / pl.col("close") - 1.0,
            matures_on=pl.col("date").shift(-horizon).over("symbol"),
        )
    )
    if sessions is not None:
        position = {name: _positions(labelled[name], sessions) for name in ("date", "matures_on")}
        spans_halt = position["matures_on"] - position["date"] > horizon + MAX_HALT_SESSIONS
        labelled = labelled.with_columns(
            pl.when(~spans_halt.fill_null(value=True)).then(pl.col(name)).alias(name)
            for name in ("forward_return", "matures_on")
        )
    is_event = (pl.col("forward_return") > rule.threshold).cast(pl.Float64)
    return labelled.with_columns(label=is_event).drop("close")


def uniqueness_weights(
    symbols: npt.NDArray[np.int64], bar_numbers: npt.NDArray[np.int64], horizon_days: int
) -> npt.NDArray[np.float64]:
    r"""Weight of each training row by the uniqueness of its label, with mean 1.

    With :math:`c_j` the number of labels of the same symbol among these rows whose return contains bar j, a label that
    spans bars i+1 to i+h weighs :math:`\frac{1}{h} \sum_{j=i+1}^{i+h} 1 / c_j`. Source: Lopez de Prado, M. (2018),
    Advances in Financial Machine Learning, sec. 4.4. Only the rows given count, so the weights know nothing of later
    labels.

    Parameters
    ----------
    symbols : array of int, shape (n,)
        Code of each row's symbol.
    bar_numbers : array of int, shape (n,)
        Number of the row's bar within its symbol, not negative.
    horizon_days : int
    """
    if not len(symbols):
        return np.zeros(0)
    stride = int(bar_numbers.max()) + horizon_days + 2
    start = symbols * stride + bar_numbers + 1
    steps = np.zeros((int(symbols.max()) + 1) * stride + 1)
    np.add.at(steps, start, 1.0)
    np.add.at(steps, start + horizon_days, -1.0)
    concurrent = np.cumsum(steps)
    share = np.divide(1.0, concurrent, out=np.zeros_like(concurrent), where=concurrent > 0.5)
    running = np.concatenate([[0.0], np.cumsum(share)])
    weights = (running[start + horizon_days] - running[start]) / horizon_days
    scaled: npt.NDArray[np.float64] = weights / weights.mean()
    return scaled


def _positions(dates: pl.Series, sessions: npt.NDArray[np.datetime64]) -> pl.Series:
    """Number of each date's session; null for null."""
    found = np.searchsorted(sessions, dates.fill_null(strategy="zero").to_numpy().astype("datetime64[D]"))
    return pl.Series(found.astype(np.int64)).zip_with(dates.is_not_null(), pl.Series([None], dtype=pl.Int64))
