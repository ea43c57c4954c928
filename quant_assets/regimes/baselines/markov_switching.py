"""Hamilton's Markov switching regression of the daily return: four means and variances (statsmodels)."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
import polars as pl
from statsmodels.tsa.regime_switching.markov_regression import MarkovRegression

from quant_assets.regimes.anchors import MARKET_ANCHORS, ladder
from quant_assets.regimes.baselines.protocol import Labeller, named_order
from quant_assets.regimes.states import STATE_COUNT

__all__ = ["markov_switching"]

_ITERATIONS = 40
"""Steps of expectation-maximisation. The library's gradient search on top takes a hundred times longer and did not
converge in 50 steps on 600 to 5,000 sessions of the reference market."""
_STAY = 0.98


def markov_switching(past: pl.DataFrame, seed: int) -> Labeller:  # noqa: ARG001 - deterministic
    """Fit by expectation-maximisation from the volatility ladder; probabilities are the library's filtered ones."""
    returns = _per_cent(past)
    model = _model(returns)
    levels = np.sort(ladder(returns, MARKET_ANCHORS))
    columns = np.full((STATE_COUNT - 1, STATE_COUNT), (1 - _STAY) / (STATE_COUNT - 1))  # to, from
    np.fill_diagonal(columns, _STAY)
    first = np.concatenate([columns.ravel(), np.full(STATE_COUNT, returns.mean()), levels**2])
    with warnings.catch_warnings():
        # EM of a state that empties divides by its weight; the fit is a baseline's, and stands or falls by its labels.
        warnings.simplefilter("ignore")
        parameters = model._fit_em(start_params=first, maxiter=_ITERATIONS).params  # noqa: SLF001 - EM alone
        if not np.isfinite(parameters).all():
            raise ValueError("expectation-maximisation left the numbers")
        membership = model.filter(parameters).filtered_marginal_probabilities
    if not np.isfinite(membership).all():
        raise ValueError("the filter left the numbers")
    order = named_order(past, membership)

    def label(rows: pl.DataFrame, start: int) -> npt.NDArray[np.float64]:
        filtered = _model(_per_cent(rows)).filter(parameters).filtered_marginal_probabilities
        return np.asarray(filtered[start:][:, order])

    return label


def _per_cent(rows: pl.DataFrame) -> npt.NDArray[np.float64]:
    return np.asarray(np.sinh(rows["return_1d"].to_numpy()))


def _model(returns: npt.NDArray[np.float64]) -> MarkovRegression:
    return MarkovRegression(returns, k_regimes=STATE_COUNT, trend="c", switching_variance=True)
