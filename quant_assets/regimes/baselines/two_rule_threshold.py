"""The two-rule threshold of ``threshold.py``: 200-session average and volatility quantile. Nothing to fit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.regimes.baselines.protocol import Labeller
from quant_assets.regimes.states import STATES, Regime
from quant_assets.regimes.threshold import certain

__all__ = ["two_rule_threshold"]


def two_rule_threshold(past: pl.DataFrame, seed: int) -> Labeller:  # noqa: ARG001 - the protocol's signature
    """The rule's label with certainty."""

    def label(rows: pl.DataFrame, start: int) -> npt.NDArray[np.float64]:
        return certain(np.array([STATES.index(Regime(name)) for name in rows["rule_regime"][start:]], dtype=np.int64))

    return label
