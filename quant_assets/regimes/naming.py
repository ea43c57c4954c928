"""Which fitted state carries which name: a rule on volatility, mean return and trend, aligned with the model before.

Rule: a state's volatility is compared with the ladder of ``anchors.py`` and its direction with the name's. Direction is
the mean of the 60-session trend and of the mean return over the volatility, both as 60-session t-statistics; its
sampling error, 60 over the state's sessions, widens the comparison, so that a mean of three weeks renames nothing.
Volatility is known after weeks, a mean return after decades, so the level speaks first and the direction decides
between states of similar volatility.

Alignment: states of a refit are matched with those of the model before by the distance of their densities. Rule and
distance are added and the assignment of four states to four names with the lowest total wins (Hungarian algorithm), so
a refit renames a state only where the rule speaks more strongly against its old name than the densities speak for it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from quant_assets.regimes.anchors import DIRECTIONS
from quant_assets.regimes.features import TREND
from quant_assets.regimes.model import RegimeModel, StateSummary

__all__ = ["density_distances", "name_states", "rule_costs"]

Floats = npt.NDArray[np.float64]

_LEVEL_SPREAD = 0.25
"""Log volatility by which a state may miss its rung at a cost of one half; rungs are log 1.9 = 0.64 apart."""
_DIRECTION_SPREAD = 0.5
"""Direction by which a state may miss its name's, beyond sampling error, at a cost of one half."""
_LOYALTY = 25.0
"""Weight of a density distance against the rule. Neighbouring states lie 0.1 to 0.2 apart, so a swap of two of them
adds 4 to 8 nats to what the rule has to outweigh."""


def rule_costs(summaries: tuple[StateSummary, ...], volatilities: Floats, sessions: int) -> Floats:
    """Cost of giving each state each name by the rule, shape (state, name); in nats of a normal density."""
    level = np.log([summary.volatility for summary in summaries])
    drift = np.sqrt(TREND) * np.array([summary.mean_return / summary.volatility for summary in summaries])
    direction = (np.array([summary.trend for summary in summaries]) + drift) / 2
    error = TREND / np.maximum([summary.share * sessions for summary in summaries], 1.0)
    level_gap = (level[:, None] - np.log(volatilities)) / _LEVEL_SPREAD
    direction_gap = (direction[:, None] - DIRECTIONS) ** 2 / (_DIRECTION_SPREAD**2 + error[:, None])
    return np.asarray((level_gap**2 + direction_gap) / 2)


def density_distances(means: Floats, variances: Floats, model: RegimeModel) -> Floats:
    """Weighted Bhattacharyya distance of each state to each state of ``model``, shape (state, name).

    Parameters
    ----------
    means, variances : array, shape (4, k)
        In the units and order of ``model.features``.
    """
    other_means, other_variances = np.asarray(model.means), np.asarray(model.variances)
    total = variances[:, None] + other_variances
    gap = (means[:, None] - other_means) ** 2 / total / 4
    shape = np.log(total / 2 / np.sqrt(variances[:, None] * other_variances)) / 2
    return np.asarray((gap + shape) @ np.asarray(model.weights))


def name_states(costs: Floats, distances: Floats | None = None) -> list[int]:
    """State for each name in the order of ``STATES``: the assignment with the lowest total cost."""
    total = costs if distances is None else costs + _LOYALTY * distances
    states, names = linear_sum_assignment(total)
    return [int(states[np.flatnonzero(names == name)[0]]) for name in range(len(names))]
