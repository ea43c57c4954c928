"""Confirmed changes of a label, and what moved when they came."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["CONTEXT", "change_positions", "features_moved"]

Floats = npt.NDArray[np.float64]
States = npt.NDArray[np.int64]

RECENT, USUAL = 5, 60
CONTEXT = RECENT + USUAL - 1
"""Sessions before a change that the comparison looks at."""
_SHOWN = 3


def change_positions(states: States, before: int | None) -> npt.NDArray[np.int64]:
    """Rows whose label differs from that of the session before; the first label of a history is no change."""
    previous = np.concatenate([states[:1] if before is None else [before], states[:-1]])
    return np.flatnonzero(states != previous)


def features_moved(names: tuple[str, ...], matrix: Floats) -> str:
    """The three features that moved most, such as ``move_size_1d +2.3, trend_60d -1.9, drawdown_252d -1.1``.

    A feature's move is the mean of its last 5 sessions less the mean of the up to 60 sessions before, in standard
    deviations of those 60.

    Parameters
    ----------
    names : tuple of str, length k
    matrix : array, shape (n, k)
        Rows up to and including the change, NaN where missing; only the last 65 count.

    Returns
    -------
    str
        Empty where fewer than 20 earlier sessions are known.
    """
    recent, usual = matrix[-RECENT:], matrix[-RECENT - USUAL : -RECENT]
    moves = []
    for name, late, early in zip(names, recent.T, usual.T, strict=True):
        late, early = late[np.isfinite(late)], early[np.isfinite(early)]  # noqa: PLW2901
        if len(late) and len(early) >= 20 and early.std() > 0:
            moves.append(((late.mean() - early.mean()) / early.std(), name))
    moves.sort(key=lambda move: (-abs(move[0]), move[1]))
    return ", ".join(f"{name} {size:+.1f}" for size, name in moves[:_SHOWN])
