"""The record of rolling origins as arrays, and as the rows of ``forecasts.rolling_origins``.

One row per model, origin and horizon: the raw quantiles, the quantiles corrected with what was known at the origin, and
the realised change once it is known, all as fractions of the base at the origin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.forecasts.models import MODEL_NAMES
from quant_assets.forecasts.parameters import LEVEL_NAMES, LEVELS, Bools, Floats

__all__ = ["RAW_NAMES", "Record", "record_from_frame", "record_rows", "rounded"]

RAW_NAMES = tuple(f"raw_{name}" for name in LEVEL_NAMES)
_DIGITS = 6
"""Quantiles are kept to a hundredth of a basis point of the base; it halves the table's size."""


@dataclass(frozen=True, slots=True)
class Record:
    """Forecasts at rolling origins and what came of them.

    Parameters
    ----------
    sessions : ndarray of int
        Shape (n_origins,): exchange session number of each origin, rising.
    raw, corrected : Floats
        Shape (n_models, n_origins, n_horizons, n_levels); NaN where a model had no forecast.
    realised : Floats
        Shape (n_origins, n_horizons): change of value; NaN where not known yet.
    """

    sessions: npt.NDArray[np.int64]
    raw: Floats
    corrected: Floats
    realised: Floats

    @property
    def horizons(self) -> int:
        """Number of horizons, 1 to that."""
        return int(self.realised.shape[1])

    @staticmethod
    def empty(horizon_days: int) -> Record:
        """A record without origins."""
        quantiles = np.empty((len(MODEL_NAMES), 0, horizon_days, len(LEVELS)))
        return Record(np.empty(0, dtype=np.int64), quantiles, quantiles.copy(), np.empty((0, horizon_days)))

    def scores(self, quantiles: Floats) -> Floats:
        """``outcome - quantile``, shape (n_models, n_origins, n_horizons, n_levels); NaN where either is missing."""
        return np.asarray(self.realised[None, :, :, None] - quantiles)

    def known_by(self, session: int) -> Record:
        """The record as it stood at the close of a session: earlier origins, and outcomes that had happened."""
        kept = self.sessions <= session
        targets = self.sessions[kept, None] + np.arange(1, self.horizons + 1)
        realised = np.where(targets <= session, self.realised[kept], np.nan)
        return Record(self.sessions[kept], self.raw[:, kept], self.corrected[:, kept], realised)


def rounded(quantiles: Floats) -> Floats:
    """Quantiles as they are stored."""
    return np.round(quantiles, _DIGITS)


def record_rows(
    record: Record, exchange_sessions: npt.NDArray[np.datetime64], wanted: Bools | None = None
) -> pl.DataFrame:
    """Rows of the table, sorted by its key.

    Parameters
    ----------
    wanted : Bools, optional
        Shape (n_origins, n_horizons): cells to give; default all.
    """
    chosen = np.ones(record.realised.shape, dtype=np.bool_) if wanted is None else wanted
    there = np.isfinite(record.raw[..., 0]) & chosen
    model, origin, horizon = np.nonzero(there)
    numbers = record.sessions[origin]
    realised = record.realised[origin, horizon]
    columns = {
        "model": np.array(MODEL_NAMES)[model],
        "origin_date": exchange_sessions[numbers],
        "horizon_days": (horizon + 1).astype(np.int32),
        "target_date": exchange_sessions[numbers + horizon + 1],
        "realised_change": realised,
    }
    columns |= dict(zip(RAW_NAMES, record.raw[there].T, strict=True))
    columns |= dict(zip(LEVEL_NAMES, record.corrected[there].T, strict=True))
    return pl.DataFrame(columns).with_columns(pl.col("realised_change").fill_nan(None))


def record_from_frame(frame: pl.DataFrame, horizon_days: int, exchange_sessions: npt.NDArray[np.datetime64]) -> Record:
    """Arrays of stored rows; rows of unknown models or longer horizons are left out."""
    kept = frame.filter(pl.col("model").is_in(MODEL_NAMES), pl.col("horizon_days") <= horizon_days)
    if kept.is_empty():
        return Record.empty(horizon_days)
    numbers = np.searchsorted(exchange_sessions, kept["origin_date"].to_numpy().astype("datetime64[D]"))
    sessions, origin = np.unique(numbers, return_inverse=True)
    model = kept["model"].replace_strict(dict(zip(MODEL_NAMES, range(len(MODEL_NAMES)), strict=True))).to_numpy()
    horizon = kept["horizon_days"].to_numpy() - 1
    shape = (len(MODEL_NAMES), len(sessions), horizon_days, len(LEVELS))
    raw, corrected = np.full(shape, np.nan), np.full(shape, np.nan)
    raw[model, origin, horizon] = kept.select(RAW_NAMES).to_numpy()
    corrected[model, origin, horizon] = kept.select(LEVEL_NAMES).to_numpy()
    realised = np.full(shape[1:3], np.nan)
    realised[origin, horizon] = kept["realised_change"].fill_null(float("nan")).to_numpy()
    return Record(sessions.astype(np.int64), raw, corrected, realised)
