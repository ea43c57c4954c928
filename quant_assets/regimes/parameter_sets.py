"""A parameter set for each regime: what a strategy asks for on a session, answered with the regime known by then."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import polars as pl

from quant_assets.foundation.errors import UsageError
from quant_assets.regimes.states import STATES, Regime

__all__ = ["RegimeParameters", "regimes_known_at"]

Parameters = TypeVar("Parameters")


@dataclass(frozen=True, slots=True)
class RegimeParameters(Generic[Parameters]):
    """Parameters by regime, and those for sessions before the first label.

    Parameters
    ----------
    by_regime : mapping of Regime
        One entry for each of the four.
    before_first_label : object
        For sessions that have no label yet.
    """

    by_regime: Mapping[Regime, Parameters]
    before_first_label: Parameters

    def __post_init__(self) -> None:
        if missing := [str(state) for state in STATES if state not in self.by_regime]:
            raise UsageError(f"regime parameters lack {', '.join(missing)}; give one set for each regime")

    def known_at(self, rows: pl.DataFrame, sessions: Sequence[dt.date]) -> list[Parameters]:
        """Parameters for each session, by the newest label dated that session or before.

        A label dated t is known after the close of t, so the parameters of t may decide what is traded from t+1 on.

        Parameters
        ----------
        rows : polars.DataFrame
            date, regime of one series: rows of ``regimes.market_regimes``, or of one symbol.
        sessions : sequence of date
        """
        labels = regimes_known_at(rows, sessions)
        return [self.before_first_label if label is None else self.by_regime[label] for label in labels]


def regimes_known_at(rows: pl.DataFrame, sessions: Sequence[dt.date]) -> list[Regime | None]:
    """Newest label dated each session or before; None where there is none yet."""
    ordered = rows.sort("date")
    dates, labels = ordered["date"].to_list(), ordered["regime"].to_list()
    positions = [bisect_right(dates, session) - 1 for session in sessions]
    return [Regime(labels[position]) if position >= 0 else None for position in positions]
