"""What each position contributes to tonight's VaR and CVaR: shares that add up.

Euler's rule: the contribution of a position to CVaR is its mean loss on the paths of the tail, to VaR its mean loss
on the paths around the quantile (Tasche 1999, "Risk contributions and performance measurement", section 5). Paths
come from the filtered historical simulation; where it is not available, contributions are those of a normal
portfolio, proportional to the covariance of a position with the whole. What is served can differ a little from what
the paths give (another model, corrected quantiles); the difference is spread over the positions in proportion to
their absolute value, so that the column adds up to the served figure.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from quant_assets.forecasts.distribution import Origin
from quant_assets.forecasts.filtered_simulation import PositionGains
from quant_assets.forecasts.parameters import Floats

__all__ = ["COMPONENT_HORIZONS", "component_rows", "normal_gains", "tail_contributions"]

COMPONENT_HORIZONS = (1, 5, 10, 20, 60)
"""Horizons with contributions: 500 positions over every horizon would be 30,000 rows a night."""
_TAIL = 0.05
_AROUND = 0.025
"""Paths between the 2.5 and 7.5 % quantiles stand for those at the 5 % quantile: 500 of 10,000."""


def tail_contributions(gains: Floats) -> tuple[Floats, Floats]:
    """Contributions to VaR and CVaR at 95 %, losses positive, from joint gains of shape (n_paths, k)."""
    order = np.argsort(gains.sum(axis=1), kind="stable")
    count = len(order)
    tail = order[: max(1, round(_TAIL * count))]
    around = order[round((_TAIL - _AROUND) * count) : max(1, round((_TAIL + _AROUND) * count))]
    return -gains[around].mean(axis=0), -gains[tail].mean(axis=0)


def normal_gains(origin: Origin) -> tuple[Floats, Floats]:
    """Contributions proportional to ``cov(position, portfolio)``, summing to 1 (to 0 where nothing moves), twice."""
    moves = np.expm1(origin.returns) * origin.positions.values
    total = moves.sum(axis=1)
    spread = float(np.var(total))
    if spread == 0:
        none = np.zeros(moves.shape[1])
        return none, none
    share = ((moves - moves.mean(axis=0)) * (total - total.mean())[:, None]).mean(axis=0) / spread
    return share, share


def component_rows(origin: Origin, gains: PositionGains | None, served: dict[int, tuple[float, float]]) -> pl.DataFrame:
    """Rows of ``forecasts.component_var``.

    Parameters
    ----------
    origin : Origin
        Tonight's positions.
    gains : PositionGains, optional
        Joint gains; None where the simulation was not available.
    served : dict
        Horizon -> VaR and CVaR at 95 % of the served model, in currency.
    """
    frames = []
    for horizon, (value_at_risk, conditional) in served.items():
        if gains is not None:
            slot = gains.horizons.index(horizon)
            parts, method = tail_contributions(gains.gains[slot]), "simulated"
        else:
            shares = normal_gains(origin)
            parts, method = (shares[0] * value_at_risk, shares[1] * conditional), "normal"
        frames.append(
            pl.DataFrame(
                {
                    "as_of": [origin.date] * len(origin.symbols),
                    "horizon_days": np.full(len(origin.symbols), horizon, dtype=np.int32),
                    "symbol": list(origin.symbols),
                    "value": origin.positions.values,
                    "component_var_95": adding_up(parts[0], value_at_risk, origin.positions.values),
                    "component_cvar_95": adding_up(parts[1], conditional, origin.positions.values),
                    "method": [method] * len(origin.symbols),
                }
            )
        )
    return pl.concat(frames)


def adding_up(parts: Floats, total: float, values: Floats) -> Floats:
    """Parts moved in proportion to absolute values so that they sum to ``total``."""
    weights = np.abs(values) / np.abs(values).sum()
    return np.asarray(parts + (total - parts.sum()) * weights)
