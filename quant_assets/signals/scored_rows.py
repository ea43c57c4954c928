"""Out-of-sample predictions with what happened and what the naive forecasts said: what is evaluated and compared."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.signals.training_table import TrainingTable
from quant_assets.signals.walk_forward_training import WalkForwardResult

__all__ = ["ScoredRows", "prediction_rows", "scored_rows", "stored_rows"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ScoredRows:
    """Rows with known labels, all arrays of shape (n,).

    Parameters
    ----------
    horizon_days : int
    opponents : dict of str to array
        Probabilities of other forecasts on the same rows, NaN where they have none.
    """

    horizon_days: int
    symbols: npt.NDArray[np.str_] = field(repr=False)
    dates: npt.NDArray[np.datetime64] = field(repr=False)
    regimes: npt.NDArray[np.str_] = field(repr=False)
    probability: Floats = field(repr=False)
    base_rate: Floats = field(repr=False)
    labels: Floats = field(repr=False)
    forward_returns: Floats = field(repr=False)
    opponents: dict[str, Floats] = field(repr=False, default_factory=dict)

    def __len__(self) -> int:
        return len(self.dates)

    def where(self, chosen: npt.NDArray[np.bool_]) -> ScoredRows:
        """Some of the rows."""
        return ScoredRows(
            self.horizon_days,
            self.symbols[chosen],
            self.dates[chosen],
            self.regimes[chosen],
            self.probability[chosen],
            self.base_rate[chosen],
            self.labels[chosen],
            self.forward_returns[chosen],
            {name: values[chosen] for name, values in self.opponents.items()},
        )


def scored_rows(
    table: TrainingTable, result: WalkForwardResult, horizon_days: int, champion: pl.DataFrame | None = None
) -> ScoredRows:
    """The reported predictions whose label is known.

    Parameters
    ----------
    table : TrainingTable
    result : WalkForwardResult
    horizon_days : int
    champion : DataFrame, optional
        symbol, date, probability: the champion's out-of-sample predictions, which may have no rows yet; None without a
        champion.
    """
    predictions = result.predictions
    known = ~np.isnan(table.labels[predictions.rows])
    rows = predictions.rows[known]
    opponents = {"logistic": predictions.linear[known], "heuristic": predictions.heuristic[known]}
    if champion is not None:
        opponents["champion"] = _aligned(table.symbols[rows], table.dates[rows], champion)
    return ScoredRows(
        horizon_days,
        table.symbols[rows],
        table.dates[rows],
        table.regimes[rows],
        predictions.probability[known],
        predictions.base_rate[known],
        table.labels[rows],
        table.forward_returns[rows],
        opponents,
    )


def stored_rows(
    predictions: pl.DataFrame, labels: pl.DataFrame, horizon_days: int, champion: pl.DataFrame | None = None
) -> ScoredRows:
    """Predictions as stored, with what happened since; those whose label is not known are left out.

    Parameters
    ----------
    predictions : DataFrame
        symbol, date, probability, base_rate.
    labels : DataFrame
        As :func:`quant_assets.signals.labels.forward_labels` gives them: they say what is known.
    horizon_days : int
    champion : DataFrame, optional
        As in :func:`scored_rows`.
    """
    known = labels.filter(pl.col("label").is_not_null()).select("symbol", "date", "label", "forward_return")
    rows = predictions.join(known, on=["symbol", "date"], how="inner").sort("date", "symbol")
    symbols, dates = np.array(rows["symbol"].to_list(), dtype=np.str_), rows["date"].to_numpy().astype("datetime64[D]")
    opponents = {} if champion is None else {"champion": _aligned(symbols, dates, champion)}
    return ScoredRows(
        horizon_days,
        symbols,
        dates,
        np.full(rows.height, ""),
        rows["probability"].to_numpy(),
        rows["base_rate"].to_numpy(),
        rows["label"].to_numpy(),
        rows["forward_return"].to_numpy(),
        opponents,
    )


def prediction_rows(table: TrainingTable, result: WalkForwardResult) -> pl.DataFrame:
    """symbol, date, fold, probability, base_rate, label (null until known) of every reported prediction."""
    predictions = result.predictions
    return pl.DataFrame(
        {
            "symbol": table.symbols[predictions.rows],
            "date": pl.Series(table.dates[predictions.rows]).cast(pl.Date),
            "fold": pl.Series(predictions.folds).cast(pl.Int32),
            "probability": predictions.probability,
            "base_rate": predictions.base_rate,
            "label": pl.Series(table.labels[predictions.rows]).fill_nan(None),
        }
    ).sort("symbol", "date")


def _aligned(symbols: npt.NDArray[np.str_], dates: npt.NDArray[np.datetime64], other: pl.DataFrame) -> Floats:
    """Another forecast's probability on given rows, NaN where it has none."""
    wanted = pl.DataFrame({"symbol": symbols, "date": pl.Series(dates).cast(pl.Date)})
    joined = wanted.join(other.select("symbol", "date", "probability"), on=["symbol", "date"], how="left")
    found: Floats = joined["probability"].fill_null(np.nan).to_numpy()
    return found
