"""The protocol that every baseline follows: same refit dates, same naming rule, same persistence rule as the model."""

from __future__ import annotations

import datetime as dt
import zlib
from contextlib import suppress
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl
from threadpoolctl import threadpool_limits

from quant_assets.regimes.anchors import MARKET_ANCHORS, ladder
from quant_assets.regimes.model import StateSummary
from quant_assets.regimes.naming import name_states, rule_costs
from quant_assets.regimes.persistence import confirmed_states
from quant_assets.regimes.refits import MINIMUM_SESSIONS, RefitEvery, refit_blocks
from quant_assets.regimes.states import STATES, Regime
from quant_assets.regimes.threshold import certain

__all__ = ["Baseline", "Labeller", "label_baseline", "named_order", "slow_features"]

Floats = npt.NDArray[np.float64]
States = npt.NDArray[np.int64]


class Labeller(Protocol):
    """A fitted baseline."""

    def __call__(self, rows: pl.DataFrame, start: int) -> Floats:
        """Probabilities in the order of ``STATES`` for the rows from ``start`` on, each from rows up to it."""
        ...


class Baseline(Protocol):
    """A method: fits on the feature rows before a refit date."""

    def __call__(self, past: pl.DataFrame, seed: int) -> Labeller:
        """Fit on ``past``, rows of ``market_features``; ValueError (LinAlgError is one) where the fit fails."""
        ...


def label_baseline(
    features: pl.DataFrame, baseline: Baseline, every: RefitEvery = RefitEvery.MONTH, seed: int = 20_000
) -> tuple[Floats, States]:
    """Walk a baseline forward over a history.

    A fit that fails leaves the one before in force, as it does for the hidden Markov model; before the first fit the
    threshold rule labels.

    Returns
    -------
    tuple
        Probabilities, shape (n, 4), and confirmed labels, shape (n,).
    """
    dates: list[dt.date] = features["date"].to_list()
    by_rule = np.array([STATES.index(Regime(name)) for name in features["rule_regime"]], dtype=np.int64)
    parts: list[Floats] = []
    labels: list[States] = []
    last: int | None = None
    labeller: Labeller | None = None
    # One thread: the matrices are small, and threads that wait for each other cost a factor of five.
    with threadpool_limits(1):
        for effective_from, start, stop in refit_blocks(dates, 0, every):
            past = features.filter(pl.col("date") < effective_from)
            if past.height >= MINIMUM_SESSIONS:
                with suppress(ValueError):
                    labeller = baseline(past, zlib.crc32(f"{seed} {effective_from}".encode()))
            if labeller is None:
                parts.append(certain(by_rule[start:stop]))
                labels.append(by_rule[start:stop])
            else:
                parts.append(labeller(features[:stop], start))
                labels.append(confirmed_states(parts[-1], last))
            last = int(labels[-1][-1])
    return np.concatenate(parts), np.concatenate(labels)


def named_order(past: pl.DataFrame, membership: Floats) -> list[int]:
    """Which fitted component carries each name, by the room's naming rule.

    Parameters
    ----------
    past : polars.DataFrame
        Training rows.
    membership : array, shape (n, 4)
        Probability of each component in each training row.
    """
    moves, trend = np.sinh(past["return_1d"].to_numpy()), past["trend_60d"].to_numpy()
    mass = np.maximum(membership.sum(axis=0), 1e-9)
    share = membership / mass
    volatility = np.maximum(np.sqrt(moves**2 @ share), 1e-6)
    values = np.column_stack([moves @ share, volatility, trend @ share, mass / len(membership)])
    summaries = tuple(StateSummary(*row) for row in values.tolist())
    return name_states(rule_costs(summaries, ladder(moves, MARKET_ANCHORS), len(membership)))


def slow_features(past: pl.DataFrame, rows: pl.DataFrame) -> Floats:
    """Standardised features that suit a method without memory: volatility, its change, trend, drawdown, correlation.

    Centre and spread are those of ``past``; a missing reading counts as the average one.
    """
    names = ["volatility_20d", "volatility_change", "trend_60d", "drawdown_252d", "correlation_60d"]
    known = past.select(names).with_columns(pl.col("volatility_20d").log())
    wanted = rows.select(names).with_columns(pl.col("volatility_20d").log())
    columns = []
    for name in names:
        centre, spread = known[name].mean(), known[name].std()
        if centre is None or not spread:
            continue
        columns.append(((wanted[name] - centre) / spread).fill_null(0.0).to_numpy())
    return np.column_stack(columns)
