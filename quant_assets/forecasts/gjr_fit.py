"""GJR-GARCH(1,1) parameters of one symbol, fitted with ``arch`` by Gaussian quasi-likelihood."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from arch import arch_model

from quant_assets.forecasts.parameters import Floats

__all__ = ["GjrParameters", "fit_gjr", "with_variance", "without_fits"]

_PERCENT = 100.0
"""The optimiser wants returns of about 1, so it gets them in per cent."""
_HIGHEST_PERSISTENCE = 0.999
"""Above it a shock halves in more than 690 sessions, longer than anything that ten years can tell from a unit root."""


@dataclass(frozen=True, slots=True)
class GjrParameters:
    """``s_t+1 = omega + (alpha + gamma 1[e_t < 0]) e_t^2 + beta s_t``, in squared log returns per session."""

    omega: float
    alpha: float
    gamma: float
    beta: float

    @property
    def persistence(self) -> float:
        """Share of a variance shock that is left after a session: ``alpha + gamma / 2 + beta``."""
        return self.alpha + 0.5 * self.gamma + self.beta


def fit_gjr(returns: Floats) -> GjrParameters:
    """Fit a constant-mean GJR-GARCH(1,1) to log returns of shape (n,).

    Quasi-likelihood is consistent also where the shocks are not normal (Bollerslev and Wooldridge 1992, Econometric
    Reviews 11(2)), and the simulation takes its shocks from the history, not from a normal.

    Raises
    ------
    ValueError
        Where the optimiser does not converge or the variance would explode, with the reason.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # convergence is judged below by the optimiser's own flag
        model = arch_model(returns * _PERCENT, mean="Constant", vol="GARCH", p=1, o=1, q=1, rescale=False)
        result = model.fit(disp="off", show_warning=False)
    if result.convergence_flag != 0:
        raise ValueError(f"the optimiser stopped with code {result.convergence_flag}")
    values = result.params.to_numpy()[1:]
    fitted = GjrParameters(float(values[0]) / _PERCENT**2, float(values[1]), float(values[2]), float(values[3]))
    if not np.isfinite(values).all() or fitted.omega <= 0:
        raise ValueError("the optimiser returned no usable numbers")
    if fitted.persistence > _HIGHEST_PERSISTENCE:
        raise ValueError(f"persistence {fitted.persistence:.4f} is above {_HIGHEST_PERSISTENCE}")
    return fitted


def with_variance(shape: GjrParameters, variance: float) -> GjrParameters:
    """The dynamics of ``shape`` around another long-run variance (variance targeting)."""
    return GjrParameters(variance * (1.0 - shape.persistence), shape.alpha, shape.gamma, shape.beta)


def without_fits(fitted: list[GjrParameters]) -> GjrParameters:
    """Dynamics for a symbol without a fit of its own: the medians of those that have one.

    Common dynamics with a variance of one's own are what a panel of GARCH models is fitted with when series are short
    (Pakel, Shephard and Sheppard 2011, Statistica Sinica 21(1)).
    """
    alpha, gamma, beta = (
        float(np.median([getattr(one, name) for one in fitted])) for name in ("alpha", "gamma", "beta")
    )
    # Medians of stationary fits need not be stationary together.
    excess = max(0.0, alpha + 0.5 * gamma + beta - _HIGHEST_PERSISTENCE)
    return GjrParameters(1.0, alpha, gamma, beta - excess)
