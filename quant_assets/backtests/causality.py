"""Proof by cutting and corrupting that a strategy does not look ahead."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quant_assets.strategies import Indicators, Knowledge, PricePanel, Strategy

__all__ = ["corrupted_knowledge", "look_ahead"]


def look_ahead(strategy: Strategy, known: Knowledge, cuts: Sequence[int], rng: np.random.Generator) -> list[str]:
    """Where decisions of the past change when the future is missing or wrong; an empty list is the proof.

    Parameters
    ----------
    strategy : Strategy
    known : Knowledge
        A whole history.
    cuts : sequence of int
        Sessions after which the future is cut off, and corrupted.
    rng : numpy.random.Generator
        Draws the corruption.

    Returns
    -------
    list of str
        One sentence per violation: the cut, the first session that changed and how.
    """
    whole = strategy.targets(known)
    found = []
    for cut in cuts:
        for what, other in (
            ("cut off", known.until(cut)),
            ("corrupted", corrupted_knowledge(known, cut, rng)),
        ):
            part = strategy.targets(other)
            rows = slice(cut + 1)
            differs = (part.weights[rows] != whole.weights[rows]) | (part.decided[rows] != whole.decided[rows])
            if differs.any():
                row, column = np.argwhere(differs)[0]
                found.append(
                    f"{strategy.name} decides otherwise on {known.panel.dates[row]} for "
                    f"{known.panel.symbols[column]} when the future after {known.panel.dates[cut]} is {what}"
                )
    return found


def corrupted_knowledge(known: Knowledge, cut: int, rng: np.random.Generator) -> Knowledge:
    """The same past with another future: prices, volumes, probabilities and regimes after ``cut`` are drawn anew."""
    panel = known.panel
    later = np.arange(panel.shape[0])[:, None] > cut

    def wrong(grid: np.ndarray) -> np.ndarray:
        return np.where(later, grid * np.exp(rng.uniform(-1.6, 1.6, grid.shape)), grid)

    other = PricePanel(
        panel.dates,
        panel.symbols,
        wrong(panel.open),
        wrong(panel.high),
        wrong(panel.low),
        wrong(panel.close),
        wrong(panel.volume),
        wrong(panel.dividend),
        panel.split,
    )
    probability, regime = known.probability, known.regime
    if probability is not None:
        probability = np.where(later, rng.random(probability.shape), probability)
    if regime is not None:
        regime = np.where(later[:, 0], rng.permutation(regime), regime)
    return Knowledge(other, Indicators(other), probability, regime)
