"""Random streams: one generator for each purpose and symbol, so that nothing depends on the size of the market."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

__all__ = ["MARKET", "Purpose", "stream"]

MARKET = 0
"""Number of the market itself; symbols count from 1."""


class Purpose(IntEnum):
    """What a stream is for. The numbers are part of the market's identity: never reuse or renumber one."""

    REGIME = 1
    RETURN = 2
    CLUSTER = 3
    INTRADAY = 4
    VOLUME = 5
    TRAITS = 6
    QUARTERS = 7
    LISTING = 8


def stream(seed: int, purpose: Purpose, number: int) -> np.random.Generator:
    """Generator of one purpose of one symbol (or :data:`MARKET`)."""
    return np.random.default_rng([seed, int(purpose), number])
