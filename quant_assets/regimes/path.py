"""Labelled sessions of one series, and where it stands after its last one: all that a next night needs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.regimes.changes import change_positions, features_moved
from quant_assets.regimes.filtering import filter_path
from quant_assets.regimes.model import RegimeModel
from quant_assets.regimes.persistence import confirmed_states
from quant_assets.regimes.states import PROBABILITY_COLUMNS, STATE_COUNT, STATES, Regime
from quant_assets.regimes.threshold import THRESHOLD_VERSION, certain

__all__ = ["CHANGE_SCHEMA", "PATH_SCHEMA", "Block", "LabelledSeries", "Standing", "label_series"]

Floats = npt.NDArray[np.float64]
States = npt.NDArray[np.int64]

PATH_SCHEMA: dict[str, pl.DataType] = {
    "date": pl.Date(),
    "regime": pl.String(),
    **dict.fromkeys(PROBABILITY_COLUMNS, pl.Float64()),
    "model_version": pl.String(),
}
CHANGE_SCHEMA: dict[str, pl.DataType] = {
    "scope": pl.String(),
    "date": pl.Date(),
    "before": pl.String(),
    "after": pl.String(),
    "probability": pl.Float64(),
    "cause": pl.String(),
    "features_moved": pl.String(),
    "model_version": pl.String(),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a series stands after a session.

    Parameters
    ----------
    date : date
    state : int
        Its label, a position in ``STATES``.
    probabilities : array, shape (4,), optional
        Filtered probabilities; None where the threshold rule gave the label, which has none to go on from.
    """

    date: dt.date
    state: int
    probabilities: Floats | None

    @classmethod
    def of_row(cls, row: dict[str, Any]) -> Standing:
        """From a stored row of a regime table."""
        by_rule = row["model_version"] == THRESHOLD_VERSION
        probabilities = None if by_rule else np.array([row[name] for name in PROBABILITY_COLUMNS])
        return cls(row["date"], STATES.index(Regime(row["regime"])), probabilities)


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive rows ``start`` to ``stop`` (exclusive) under one model, or under the rule where there is none."""

    start: int
    stop: int
    model: RegimeModel | None


@dataclass(frozen=True, slots=True)
class LabelledSeries:
    """Labels of consecutive rows of a series.

    Parameters
    ----------
    start : int
        First labelled row of the series.
    probabilities : array, shape (n, 4)
    states : array of int, shape (n,)
    versions : tuple of str, length n
    before : Standing, optional
        Where the series stood before.
    """

    start: int
    probabilities: Floats
    states: States
    versions: tuple[str, ...]
    before: Standing | None

    def frame(self, dates: Sequence[dt.date]) -> pl.DataFrame:
        """Rows of a regime table without their symbol; ``dates`` are those of the whole series."""
        names = np.array([str(state) for state in STATES], dtype=object)
        return pl.DataFrame(
            {
                "date": dates[self.start : self.start + len(self.states)],
                "regime": names[self.states].tolist(),
                **{name: self.probabilities[:, i] for i, name in enumerate(PROBABILITY_COLUMNS)},
                "model_version": self.versions,
            },
            schema=PATH_SCHEMA,
        )

    def changes(
        self, scope: str, dates: Sequence[dt.date], names: tuple[str, ...], matrix: Floats
    ) -> list[dict[str, object]]:
        """Confirmed changes as rows of ``CHANGE_SCHEMA``.

        A change's cause is ``evidence``, or ``first_model`` on the session where a model takes over from the rule.
        """
        found: list[dict[str, object]] = []
        for i in change_positions(self.states, None if self.before is None else self.before.state):
            row, after = self.start + int(i), int(self.states[i])
            was = int(self.states[i - 1]) if i else self._standing().state
            takeover = self.versions[i] != THRESHOLD_VERSION and self._was_rule(int(i))
            found.append(
                {
                    "scope": scope,
                    "date": dates[row],
                    "before": str(STATES[was]),
                    "after": str(STATES[after]),
                    "probability": float(self.probabilities[i, after]),
                    "cause": "first_model" if takeover else "evidence",
                    "features_moved": features_moved(names, matrix[: row + 1]),
                    "model_version": self.versions[i],
                }
            )
        return found

    def _standing(self) -> Standing:
        if self.before is None:
            raise IndexError("the first label of a history is no change")
        return self.before

    def _was_rule(self, i: int) -> bool:
        return self.versions[i - 1] == THRESHOLD_VERSION if i else self._standing().probabilities is None


def label_series(
    matrix: Floats, names: tuple[str, ...], by_rule: States, blocks: Sequence[Block], before: Standing | None
) -> LabelledSeries:
    """Label consecutive blocks of rows, each going on from where the one before ended.

    Parameters
    ----------
    matrix : array, shape (n, k)
        Features of the whole series, NaN where missing.
    names : tuple of str, length k
    by_rule : array of int, shape (n,)
        Labels of the threshold rule.
    blocks : sequence of Block
        Adjacent, in order.
    before : Standing, optional
        Where the series stood before the first block.
    """
    probabilities: list[Floats] = [np.empty((0, STATE_COUNT))]
    states: list[States] = [np.empty(0, dtype=np.int64)]
    versions: list[str] = []
    last, label = (None, None) if before is None else (before.probabilities, before.state)
    for block in blocks:
        rows = slice(block.start, block.stop)
        if block.model is None:
            part, labels, last = certain(by_rule[rows]), by_rule[rows], None
        else:
            columns = [names.index(name) for name in block.model.features]
            part, _ = filter_path(block.model, matrix[rows, columns], last)
            labels, last = confirmed_states(part, label), part[-1]
        label = int(labels[-1])
        probabilities.append(part)
        states.append(labels)
        versions += [block.model.model_version if block.model else THRESHOLD_VERSION] * (block.stop - block.start)
    start = blocks[0].start if blocks else len(matrix)
    return LabelledSeries(start, np.concatenate(probabilities), np.concatenate(states), tuple(versions), before)
