r"""From a probability to a recommendation: by its edge over the base rate, in standard deviations of the outcome.

.. math:: e = (p - b) / \sqrt{b (1 - b)}

An outcome that happens with the base rate b has the standard deviation in the denominator, so e is the expected gain of
a bet on it per unit of its risk, and for a calibrated model the deviation of e over time is its correlation with the
outcome. A model with an information coefficient of 0.05 has edges around 0.05; an edge of 0.15 is three times that.

A probability alone recommends nothing: 5 % for an event that happens in 2 % of sessions is a strong buy, 52 % for one
that happens in 55 % is none. Where missing the event is no bad news (a rise over 2 % that does not come), a low
probability is a hold, never a sell.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["EDGE", "SCORE", "STRONG_EDGE", "STRONG_SCORE", "edge", "recommend", "recommend_by_score"]

Floats = npt.NDArray[np.float64]

EDGE, STRONG_EDGE = 0.05, 0.15
SCORE, STRONG_SCORE = 0.2, 0.5
"""Heuristic score, of at most 1, for a buy and a strong buy; its mirror image for sells."""
_WORDS = np.array(["strong_sell", "sell", "hold", "buy", "strong_buy"])


def edge(probability: Floats, base_rate: Floats) -> Floats:
    """Edge of each row, shape (n,); base rates lie between 0 and 1, both excluded."""
    edges: Floats = (probability - base_rate) / np.sqrt(base_rate * (1.0 - base_rate))
    return edges


def recommend(edges: Floats, *, has_downside: bool) -> list[str]:
    """Recommendation of each edge."""
    return _named(edges, EDGE, STRONG_EDGE, has_downside=has_downside)


def recommend_by_score(scores: Floats, *, has_downside: bool) -> list[str]:
    """Recommendation of each heuristic score; hold where there is none."""
    return _named(np.nan_to_num(scores), SCORE, STRONG_SCORE, has_downside=has_downside)


def _named(values: Floats, plain: float, strong: float, *, has_downside: bool) -> list[str]:
    steps = np.searchsorted([plain, strong], values, side="right")
    falls = np.searchsorted([plain, strong], -values, side="right") if has_downside else 0
    return [str(word) for word in _WORDS[2 + steps - falls]]
