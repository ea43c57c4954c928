"""What trading costs: one object that a planner asks and the simulator charges."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from quant_assets.backtests import kernel

__all__ = ["Costs"]

Floats = npt.NDArray[np.float64]


class Costs(BaseModel):
    """Costs of one fill, in money.

    ::

        max(minimum, per_share * shares + (commission_bps + half_spread_bps) / 10,000 * value)
        + impact * sigma * sqrt(value / dollar_volume) * value

    with ``value`` the traded value, ``sigma`` the daily volatility and ``dollar_volume`` the mean traded value of the
    last 21 sessions known when the order was decided. The square-root law is Almgren, Thum, Hauptmann and Li (2005),
    "Direct Estimation of Equity Market Impact", with exponent 1/2 (Toth et al., 2011).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    commission_bps: float = Field(default=5.0, ge=0, le=1000, description="Commission, basis points of traded value.")
    half_spread_bps: float = Field(default=5.0, ge=0, le=1000, description="Half the quoted spread, basis points.")
    per_share: float = Field(default=0.0, ge=0, le=10, description="Commission per share, currency.")
    minimum: float = Field(default=0.0, ge=0, le=1000, description="Least commission and spread of a fill, currency.")
    impact: float = Field(
        default=0.0, ge=0, le=10, description="Coefficient of the square-root impact; about 1 in the literature."
    )

    @property
    def proportional_bps(self) -> float:
        """Commission and half-spread together: what ``cost_bps`` of ``backtests.runs`` records."""
        return self.commission_bps + self.half_spread_bps

    def as_array(self) -> Floats:
        """The vector the compiled code reads."""
        vector = np.zeros(4)
        vector[kernel.PER_SHARE] = self.per_share
        vector[kernel.PROPORTIONAL] = self.proportional_bps / 10_000
        vector[kernel.MINIMUM] = self.minimum
        vector[kernel.ROOT] = self.impact
        return vector

    def charge(self, shares: float, price: float, *, volatility: float = 0.0, dollar_volume: float = np.inf) -> float:
        """Cost of trading ``shares`` (signed) at ``price``, by the code that the simulator charges with."""
        scale = volatility / np.sqrt(dollar_volume)
        return float(kernel.charge(float(shares), float(price), float(scale), self.as_array()))
