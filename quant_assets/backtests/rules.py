"""The conditions an account trades under: everything of a backtest that is neither strategy nor cost."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from quant_assets.backtests import kernel
from quant_assets.backtests.costs import Costs

__all__ = ["Rules"]

Floats = npt.NDArray[np.float64]


class Rules(BaseModel):
    """Trading rules; rates are simple annual rates charged per calendar day (actual/365)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    capital: float = Field(default=100_000.0, gt=0, le=1e15, description="Cash at the start, currency.")
    fill: Literal["open", "close"] = Field(
        default="open", description="Which price of the session after the decision fills the order."
    )
    sizing: Literal["fill", "decision"] = Field(
        default="fill",
        description="fill: an order is an amount of money, shares follow from the price it gets; "
        "decision: an order is a number of shares, fixed at the close of the decision.",
    )
    max_leverage: float = Field(
        default=1.0, gt=0, le=10, description="Most gross position over equity when an order is filled."
    )
    whole_shares: bool = Field(default=False, description="Round positions towards zero to whole shares.")
    participation: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Most of a session's volume that one fill may take; 0 is no cap, an unknown volume caps nothing.",
    )
    borrow_rate_ann: float = Field(default=0.03, ge=0, le=1, description="Fee on the value of short positions.")
    margin_rate_ann: float = Field(
        default=0.06, ge=0, le=1, description="Interest on what cash lacks of the value of short positions."
    )
    cash_rate_ann: float = Field(
        default=0.0, ge=0, le=1, description="Interest on cash beyond the value of short positions."
    )
    reinvest_dividends: bool = Field(
        default=False, description="Buy shares at the ex-date's close, free of cost, instead of taking cash."
    )
    delisting_haircut: float = Field(
        default=0.3, ge=0, le=1, description="Loss on the last price when a symbol stops trading."
    )
    halt_limit: int = Field(
        default=10, ge=1, le=252, description="Sessions without a bar after which a position is closed out."
    )

    def terms(self, costs: Costs) -> Floats:
        """Rules and costs as the vector the compiled account reads."""
        vector = np.zeros(kernel.TERM_FIELDS)
        vector[:4] = costs.as_array()
        vector[kernel.AT_DECISION] = float(self.sizing == "decision")
        vector[kernel.WHOLE] = float(self.whole_shares)
        vector[kernel.PARTICIPATION] = self.participation
        vector[kernel.LEVERAGE] = self.max_leverage
        vector[kernel.BORROW] = self.borrow_rate_ann
        vector[kernel.MARGIN] = self.margin_rate_ann
        vector[kernel.INTEREST] = self.cash_rate_ann
        vector[kernel.REINVEST] = float(self.reinvest_dividends)
        vector[kernel.HAIRCUT] = self.delisting_haircut
        return vector
