"""Features and labels side by side: one row per symbol and session, sorted by session, as arrays.

Building it looks at nothing but the rows given: a feature stays as the store has it (null is NaN), a label is null
until it has matured. Whether a row may be trained on is decided by the walk-forward split alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.foundation.errors import DataError

__all__ = ["LEAST_KNOWN_SHARE", "TrainingTable", "feature_matrix", "knows_enough", "newest_sessions", "training_table"]

Floats = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

LEAST_KNOWN_SHARE = 0.5
"""Share of a model's features that have to be known for it to be fitted on a row or to predict it, in the walk-forward
as on a night. A symbol of a few weeks knows fewer; the heuristic scores it."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingTable:
    """Rows sorted by date, then symbol.

    Parameters
    ----------
    features : tuple of str
        Columns of ``matrix``.
    symbols : array of str, shape (n,)
    dates : array of datetime64[D], shape (n,)
    matrix : array of float32, shape (n, k)
        NaN where a feature is not known. Single precision: a tree cuts at one of 63 borders, and half the memory
        matters at 2.5 million rows.
    labels, forward_returns : array, shape (n,)
        NaN until matured.
    matures_on : array of datetime64[D], shape (n,)
        NaT until matured.
    bar_numbers : array of int, shape (n,)
    regimes : array of str, shape (n,)
        Market regime as known at the session; empty where not known.
    """

    features: tuple[str, ...]
    symbols: npt.NDArray[np.str_] = field(repr=False)
    dates: npt.NDArray[np.datetime64] = field(repr=False)
    matrix: Matrix = field(repr=False)
    labels: Floats = field(repr=False)
    forward_returns: Floats = field(repr=False)
    matures_on: npt.NDArray[np.datetime64] = field(repr=False)
    bar_numbers: Rows = field(repr=False)
    regimes: npt.NDArray[np.str_] = field(repr=False)

    def __len__(self) -> int:
        return len(self.dates)

    @property
    def matured(self) -> Rows:
        """Positions of the rows whose label is known."""
        return np.flatnonzero(~np.isnan(self.labels))

    @property
    def symbol_codes(self) -> Rows:
        """Each row's symbol as a number."""
        return np.unique(self.symbols, return_inverse=True)[1].astype(np.int64)

    def where(self, rows: Rows | npt.NDArray[np.bool_]) -> TrainingTable:
        """Some of the rows, in order."""
        return TrainingTable(
            self.features,
            self.symbols[rows],
            self.dates[rows],
            self.matrix[rows],
            self.labels[rows],
            self.forward_returns[rows],
            self.matures_on[rows],
            self.bar_numbers[rows],
            self.regimes[rows],
        )


def training_table(
    features: pl.DataFrame,
    labels: pl.DataFrame,
    names: Sequence[str],
    *,
    regime_column: str = "",
    symbols: Sequence[str] = (),
    lookback_sessions: int | None = None,
    least_known_share: float = LEAST_KNOWN_SHARE,
) -> TrainingTable:
    """Join features with labels, and leave out rows of which too little is known.

    Parameters
    ----------
    features : DataFrame
        symbol, date and the named columns.
    labels : DataFrame
        As :func:`quant_assets.signals.labels.forward_labels` gives them. Rows without a bar there are dropped.
    names : sequence of str
        Features, in the order of the matrix.
    regime_column : str
        Column of ``features`` with the market's regime; empty for none.
    symbols : sequence of str
        Keep only these; all where empty.
    lookback_sessions : int, optional
        Keep only the newest so many sessions.
    least_known_share : float
        Share of the named features that have to be known for a row to be kept.

    Raises
    ------
    DataError
        Naming a feature that is missing.
    """
    kept = features.filter(pl.col("symbol").is_in(list(symbols))) if symbols else features
    joined = (
        newest_sessions(kept, lookback_sessions).join(labels, on=["symbol", "date"], how="inner").sort("date", "symbol")
    )
    regimes = joined[regime_column].fill_null("") if regime_column else pl.Series([""] * joined.height)
    table = TrainingTable(
        features=tuple(names),
        symbols=np.array(joined["symbol"].to_list(), dtype=np.str_),
        dates=joined["date"].to_numpy().astype("datetime64[D]"),
        matrix=feature_matrix(joined, names),
        labels=joined["label"].fill_null(np.nan).to_numpy(),
        forward_returns=joined["forward_return"].fill_null(np.nan).to_numpy(),
        matures_on=joined["matures_on"].to_numpy().astype("datetime64[D]"),
        bar_numbers=joined["bar_number"].to_numpy().astype(np.int64),
        regimes=np.array(regimes.to_list(), dtype=np.str_),
    )
    enough = knows_enough(table.matrix, least_known_share)
    return table if enough.all() else table.where(enough)


def knows_enough(matrix: Matrix, least_known_share: float = LEAST_KNOWN_SHARE) -> npt.NDArray[np.bool_]:
    """Rows of which at least such a share of the features is known, shape (n,)."""
    unknown = np.count_nonzero(np.isnan(matrix), axis=1)
    enough: npt.NDArray[np.bool_] = matrix.shape[1] - unknown >= least_known_share * matrix.shape[1]
    return enough


def newest_sessions(frame: pl.DataFrame, sessions: int | None) -> pl.DataFrame:
    """Rows of the newest so many sessions; all of them for None."""
    if sessions is None or frame.is_empty():
        return frame
    newest = frame["date"].unique().sort().tail(sessions)
    return frame.filter(pl.col("date") >= newest[0])


def feature_matrix(frame: pl.DataFrame, names: Sequence[str]) -> Matrix:
    """The named columns as single-precision numbers, NaN for null and for infinity.

    Raises
    ------
    DataError
        Naming the columns that are missing: a model never guesses a feature.
    """
    if missing := [name for name in names if name not in frame.columns]:
        raise DataError(
            f"the feature store lacks {', '.join(missing[:3])}{' and others' if len(missing) > 3 else ''}, which the "
            "model was trained on; build the store's version that has them, or retrain."
        )
    matrix = np.empty((frame.height, len(names)), dtype=np.float32)
    for position, name in enumerate(names):
        matrix[:, position] = frame[name].cast(pl.Float32).fill_null(np.nan).to_numpy()
    matrix[~np.isfinite(matrix)] = np.nan
    return matrix
