"""Proof that past labels do not depend on the future: cut it off, corrupt it, and compare.

A short stretch of sessions is labelled three times from what was stored before it: with everything after its end, with
nothing after its end, and with prices after its end multiplied by random factors. The three must agree to the last bit,
features, refits, probabilities and labels alike.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from quant_assets.foundation.point_in_time import corrupted_after
from quant_assets.regimes.market import label_market, market_features
from quant_assets.regimes.model import FitReport
from quant_assets.regimes.path import Standing
from quant_assets.regimes.symbols import label_symbols

__all__ = ["CausalityFinding", "differing_market_rows", "differing_symbol_rows"]


@dataclass(frozen=True, slots=True)
class CausalityFinding:
    """What the comparison found.

    Parameters
    ----------
    rows_compared : int
    rows_different : int
        Rows that changed when the future was cut off or corrupted; anything but 0 is look-ahead.
    refits : int
        Models fitted inside the stretch.
    """

    rows_compared: int
    rows_different: int
    refits: int


def differing_market_rows(
    closes: pl.DataFrame,
    market: str,
    stored: pl.DataFrame,
    reports: Sequence[FitReport],
    *,
    before: Standing | None,
    end: dt.date,
    rng: np.random.Generator,
) -> CausalityFinding:
    """Compare the market's labels after ``before`` and up to ``end``.

    Parameters
    ----------
    closes : polars.DataFrame
        symbol, date, close of the universe, with the look-back that the stretch needs and all later sessions.
    market : str
    stored : polars.DataFrame
        Rows of ``market_features`` up to where the market stands.
    reports : sequence of FitReport
        Models fitted before the stretch; later refit dates inside it are fitted each time.
    before : Standing, optional
        Where the market stood; None from the start of the history.
    end : date
        Last session of the stretch.
    rng : numpy.random.Generator
        Of the corruption.
    """
    last = None if before is None else before.date

    def labelled(frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
        features = market_features(frame, market, last)
        path = label_market(pl.concat([stored.select(features.columns), features]), reports, before)
        rows = features.join(path.rows, on="date").filter(pl.col("date") <= end)
        return rows, sum(report.effective_from <= end for report in path.reports)

    return _compared(*(labelled(frame) for frame in _three(closes, end, rng)))


def differing_symbol_rows(
    closes: pl.DataFrame,
    reports: Sequence[FitReport],
    *,
    before: dict[str, Standing],
    end: dt.date,
    rng: np.random.Generator,
) -> CausalityFinding:
    """Compare the symbols' labels after where each stands and up to ``end``; arguments as for the market."""

    def labelled(frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
        path = label_symbols(frame, reports, before)
        return path.rows.filter(pl.col("date") <= end), sum(r.effective_from <= end for r in path.reports)

    return _compared(*(labelled(frame) for frame in _three(closes, end, rng)))


def _three(
    closes: pl.DataFrame, end: dt.date, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    return closes, closes.filter(pl.col("date") <= end), corrupted_after(closes, end, rng=rng)


def _compared(
    whole: tuple[pl.DataFrame, int], cut: tuple[pl.DataFrame, int], corrupted: tuple[pl.DataFrame, int]
) -> CausalityFinding:
    different = 0
    for other, _ in (cut, corrupted):
        if other.height != whole[0].height:
            different += abs(other.height - whole[0].height) or 1
            continue
        unequal = pl.any_horizontal(pl.col(name).ne_missing(other[name]) for name in other.columns)
        different += int(whole[0].select(unequal.sum()).item())
    return CausalityFinding(whole[0].height, different, cut[1])
