"""The regime of each symbol: one pooled model over all of them, filtered symbol by symbol.

A symbol's returns are measured in units of its own volatility of the last ten years, so that one model serves a utility
and a biotechnology share. The model is fitted once a year on at most 100,000 rows: segments of up to 1,250 sessions of
randomly chosen symbols, kept apart as sequences of their own.
"""

from __future__ import annotations

import datetime as dt
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.regimes.anchors import SYMBOL_ANCHORS, Anchors
from quant_assets.regimes.changes import CONTEXT
from quant_assets.regimes.features import FIRST_LABEL, SERIES_FEATURES, own_scale, series_features
from quant_assets.regimes.gaussian_hmm import TrainingWindow, fit_model
from quant_assets.regimes.model import FitReport, model_for
from quant_assets.regimes.path import CHANGE_SCHEMA, PATH_SCHEMA, Block, LabelledSeries, Standing, label_series
from quant_assets.regimes.refits import MINIMUM_SESSIONS, RefitEvery, model_version_name, refit_blocks, refit_date
from quant_assets.regimes.threshold import threshold_states

__all__ = ["SymbolPath", "SymbolSettings", "label_symbols"]

Floats = npt.NDArray[np.float64]

_NAMES = tuple(feature.name for feature in SERIES_FEATURES)
_MODELLED = tuple(feature for feature in SERIES_FEATURES if feature.weight > 0)
_MODELLED_COLUMNS = [_NAMES.index(feature.name) for feature in _MODELLED]
_RETURN, _TREND = _NAMES.index("return_1d"), _NAMES.index("trend_60d")
_SETTLED = 252
"""Rows of a symbol before its first training row: a scale from a few weeks would teach the model the wrong sizes."""


@dataclass(frozen=True, slots=True)
class SymbolSettings:
    """How the pooled model is fitted.

    Parameters
    ----------
    every : RefitEvery
    row_limit : int
        Rows of a fit over all symbols.
    segment : int
        Most rows that one symbol gives.
    anchors : Anchors
    seed : int
        With the model's version it seeds the choice of segments and the random starts.
    """

    every: RefitEvery = RefitEvery.YEAR
    row_limit: int = 100_000
    segment: int = 1250
    anchors: Anchors = SYMBOL_ANCHORS
    seed: int = 20_000


@dataclass(frozen=True, slots=True)
class SymbolPath:
    """New labels of all symbols and what was fitted for them.

    Parameters
    ----------
    rows : polars.DataFrame
        symbol, date, regime, p_bullish, p_bearish, p_sideways, p_high_volatility, model_version; sorted by key.
    changes : polars.DataFrame
        Confirmed changes, columns as ``CHANGE_SCHEMA``.
    reports : tuple of FitReport
        One for each refit date that came, failures included.
    """

    rows: pl.DataFrame
    changes: pl.DataFrame
    reports: tuple[FitReport, ...]


@dataclass(frozen=True, slots=True)
class _Series:
    """One symbol: its sessions, features from some row on, the rule's labels, and its first row without a label."""

    symbol: str
    dates: list[dt.date]
    close: Floats
    matrix: Floats
    by_rule: npt.NDArray[np.int64]
    first: int

    def blocks(self, reports: Iterable[FitReport], every: RefitEvery) -> list[Block]:
        """New rows by model; by the rule where there is no model, too little history, or no scale (constant price)."""
        found: list[Block] = []
        for effective_from, start, stop in refit_blocks(self.dates, self.first, every):
            model = model_for(reports, effective_from)
            fit_to_filter = np.isfinite(self.matrix[start:stop, _RETURN])
            fit_to_filter &= np.arange(start, stop) >= MINIMUM_SESSIONS
            borders = [start, *(np.flatnonzero(np.diff(fit_to_filter)) + start + 1).tolist(), stop]
            for left, right in pairwise(borders):
                found.append(Block(left, right, model if fit_to_filter[left - start] else None))
        return found


def label_symbols(
    closes: pl.DataFrame,
    reports: Iterable[FitReport] = (),
    before: Mapping[str, Standing] | None = None,
    settings: SymbolSettings = SymbolSettings(),
) -> SymbolPath:
    """Label every session of each symbol after where it stands.

    Parameters
    ----------
    closes : polars.DataFrame
        symbol, date, close (adjusted). For a symbol that stands somewhere, at least ``LOOKBACK + CONTEXT`` sessions up
        to there; its whole history otherwise. Where a refit date comes, the whole history of all.
    reports : iterable of FitReport
        What earlier nights fitted; a refit date that has a report is not fitted again.
    before : mapping of str to Standing, optional
        Where each known symbol stands; sessions up to there keep what they have.
    settings : SymbolSettings

    Returns
    -------
    SymbolPath
        A symbol's first 500 sessions, and sessions before the first model, carry the threshold rule's label. A symbol
        with fewer than 21 sessions has none.
    """
    standings = before or {}
    known = {report.model_version: report for report in reports}
    ordered = closes.sort("symbol", "date").partition_by("symbol", maintain_order=True)
    series = [_prepared(frame, standings) for frame in ordered]
    fitted = _refits(series, known, settings)
    labelled: list[tuple[_Series, LabelledSeries]] = []
    for one in series:
        if one.first < len(one.dates):
            blocks = one.blocks(known.values(), settings.every)
            standing = standings.get(one.symbol)
            labelled.append((one, label_series(one.matrix, _NAMES, one.by_rule, blocks, standing)))
    rows = [path.frame(one.dates).insert_column(0, pl.lit(one.symbol).alias("symbol")) for one, path in labelled]
    changes = [row for one, path in labelled for row in path.changes(one.symbol, one.dates, _NAMES, one.matrix)]
    empty = pl.DataFrame(schema={"symbol": pl.String(), **PATH_SCHEMA})
    return SymbolPath(pl.concat([empty, *rows]), pl.DataFrame(changes, schema=CHANGE_SCHEMA), tuple(fitted))


def _prepared(frame: pl.DataFrame, standings: Mapping[str, Standing]) -> _Series:
    """Features and rule labels of a symbol's new sessions, and of the few before that a change is held against."""
    symbol, dates = str(frame["symbol"][0]), frame["date"].to_list()
    close = frame["close"].to_numpy()
    standing = standings.get(symbol)
    first = max(FIRST_LABEL, 0 if standing is None else bisect_right(dates, standing.date))
    if first >= len(dates):
        return _Series(symbol, dates, close, np.empty((0, len(_NAMES))), np.empty(0, dtype=np.int64), len(dates))
    start = max(first - CONTEXT, 0)
    matrix = series_features(close, own_scale(close, start), start)
    return _Series(symbol, dates, close, matrix, threshold_states(close, first), first)


def _refits(series: list[_Series], known: dict[str, FitReport], settings: SymbolSettings) -> list[FitReport]:
    """Fit what is missing for the refit dates of the new sessions, in order, and add it to ``known``."""
    new: set[dt.date] = set().union(*(one.dates[one.first :] for one in series))
    wanted = {refit_date(date, settings.every) for date in new}
    fitted = []
    for effective_from in sorted(wanted):
        version = model_version_name("symbols", effective_from, settings.every)
        if version in known:
            continue
        seed = zlib.crc32(f"{settings.seed} {version}".encode())
        window = _pooled_window(series, effective_from, seed, settings)
        if window is not None:
            in_force = model_for(known.values(), effective_from)
            known[version] = fit_model(
                window,
                settings.anchors,
                model_version=version,
                effective_from=effective_from,
                seed=seed,
                before=in_force,
            )
            fitted.append(known[version])
    return fitted


def _pooled_window(
    series: list[_Series], effective_from: dt.date, seed: int, settings: SymbolSettings
) -> TrainingWindow | None:
    """Segments of randomly chosen symbols before a date; None where no symbol has enough history.

    Each symbol draws its own place in the order and its own segment, so that symbols listed later change nothing.
    """
    parts: list[Floats] = []
    dates: list[dt.date] = []
    room = settings.row_limit
    for draw, one in sorted(((zlib.crc32(f"{seed} {one.symbol}".encode()), one) for one in series), key=itemgetter(0)):
        stop = bisect_left(one.dates, effective_from)
        length = min(stop - _SETTLED, settings.segment, room)
        if stop < MINIMUM_SESSIONS or length <= 0:
            continue
        start = _SETTLED + draw % (stop - _SETTLED - length + 1)
        matrix = series_features(one.close[: start + length], own_scale(one.close[: start + length], start), start)
        part = matrix[start:]
        # A constant stretch has no scale; a sequence is cut there rather than filled.
        part = part[np.isfinite(part).all(axis=1)]
        if len(part):
            parts.append(part)
            dates += [one.dates[start], one.dates[start + length - 1]]
            room -= len(part)
    if not parts:
        return None
    rows = np.concatenate(parts)
    return TrainingWindow(
        dates=(min(dates), max(dates)),
        matrix=rows[:, _MODELLED_COLUMNS],
        lengths=np.array([len(part) for part in parts]),
        moves=np.sinh(rows[:, _RETURN]),
        trend=rows[:, _TREND],
        features=_MODELLED,
    )
