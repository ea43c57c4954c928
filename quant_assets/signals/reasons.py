"""A prediction's reasons in words: the features that moved its odds most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from quant_assets.signals.feature_list import PHRASES

__all__ = ["BIAS", "CALIBRATION", "heuristic_reasons", "top_reasons"]

Floats = npt.NDArray[np.float64]

BIAS = "(bias)"
"""The part of the log-odds that every row has: what the model says before it looks at a feature."""
CALIBRATION = "(calibration)"
"""What isotonic calibration adds to the booster's own log-odds; Platt's is spread over the other parts."""
_SHOWN = 3
_NEGLIGIBLE = 0.005


def top_reasons(features: Sequence[str], values: npt.NDArray[np.float32], contributions: Floats) -> str:
    """The three largest contributions of one row, such as ``volatility of 20 sessions 0.42 raises the odds by 35 %``.

    Parameters
    ----------
    features : sequence of str
    values : array, shape (k,)
    contributions : array, shape (k,)
        In log-odds.
    """
    order = np.argsort(-np.abs(contributions), kind="stable")[:_SHOWN]
    parts = [
        f"{PHRASES.get(features[i], features[i])} {_number(float(values[i]))} {_effect(float(contributions[i]))}"
        for i in order
        if abs(contributions[i]) >= _NEGLIGIBLE
    ]
    return "; ".join(parts) if parts else "nothing sets this session apart"


def heuristic_reasons(rules: Sequence[str], parts: Floats) -> str:
    """The parts of one row's score, unknown rules left out."""
    known = [f"{rule} {part:+.2f}" for rule, part in zip(rules, parts, strict=True) if not np.isnan(part)]
    return ", ".join(known) if known else "no rule has its inputs yet"


def _effect(contribution: float) -> str:
    verb = "raises" if contribution > 0.0 else "lowers"
    return f"{verb} the odds by {abs(np.expm1(contribution)):.0%}"


def _number(value: float) -> str:
    return "unknown" if np.isnan(value) else f"{value:.3g}"
