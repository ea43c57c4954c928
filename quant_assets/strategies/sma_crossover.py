"""Crossover of two simple moving averages."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from quant_assets.strategies.base import Knowledge, Strategy, slot
from quant_assets.strategies.parameters import parameter
from quant_assets.strategies.settling import hold_above
from quant_assets.strategies.targets import Targets

__all__ = ["Side", "SmaCrossover", "side_field"]

Side = Literal["long", "both"]


def side_field() -> Side:
    """Whether a rule may sell short, as a field with choices."""
    field: Side = Field(
        default="long",
        description="long: out of the market otherwise; both: short otherwise.",
        json_schema_extra={"choices": ["long", "both"]},
    )
    return field


class SmaCrossover(Strategy):
    """Hold a symbol while its fast average is above its slow one."""

    name: ClassVar[str] = "sma_crossover"
    summary: ClassVar[str] = "Long while the fast simple moving average is above the slow one."

    fast: int = parameter(20, low=2, high=200, step=1, unit="sessions", description="Window of the fast average.")
    slow: int = parameter(100, low=5, high=400, step=1, unit="sessions", description="Window of the slow average.")
    side: Side = side_field()

    @model_validator(mode="after")
    def _fast_is_faster(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError(f"fast ({self.fast}) must be below slow ({self.slow})")
        return self

    def targets(self, known: Knowledge) -> Targets:
        """Slot weight where fast > slow; minus it (both) or nothing (long) where not."""
        size = slot(known)
        return hold_above(
            known.indicators.sma(self.fast),
            known.indicators.sma(self.slow),
            weight=size,
            otherwise=0.0 if self.side == "long" else -size,
        )
