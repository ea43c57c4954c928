"""The market's regime walked forward: features, a model per calendar month fitted on what came before, filtering.

Everything goes forward from what is stored. A night hands in where the market stands, the models known and the feature
rows; only new sessions are labelled, and a model is fitted only where a new session is the first of its month.
"""

from __future__ import annotations

import datetime as dt
import zlib
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.foundation.errors import DataError
from quant_assets.regimes.anchors import MARKET_ANCHORS, Anchors
from quant_assets.regimes.cross_section import cross_section
from quant_assets.regimes.features import CROSS_FEATURES, FEATURES, SERIES_FEATURES, series_features
from quant_assets.regimes.gaussian_hmm import TrainingWindow, fit_model
from quant_assets.regimes.model import FitReport, RegimeModel, model_for
from quant_assets.regimes.path import CHANGE_SCHEMA, Block, Standing, label_series
from quant_assets.regimes.refits import MINIMUM_SESSIONS, RefitEvery, model_version_name, refit_blocks
from quant_assets.regimes.states import STATES, Regime
from quant_assets.regimes.threshold import threshold_states

__all__ = ["MARKET_SCALE", "MarketPath", "MarketSettings", "label_market", "market_features"]

Floats = npt.NDArray[np.float64]

MARKET_SCALE = 0.01
"""The market's returns are measured in per cent."""
_COVERAGE = 0.5
"""A feature takes part in a fit where at least this share of the window has it (few symbols have no correlation)."""


@dataclass(frozen=True, slots=True)
class MarketSettings:
    """How the market's models are fitted.

    Parameters
    ----------
    every : RefitEvery
    window_sessions : int, optional
        Newest sessions that a fit uses; all of them by default, since a model should remember the last crisis.
    anchors : Anchors
    seed : int
        With the model's version it seeds the random starts of each fit.
    """

    every: RefitEvery = RefitEvery.MONTH
    window_sessions: int | None = None
    anchors: Anchors = MARKET_ANCHORS
    seed: int = 20_000


@dataclass(frozen=True, slots=True)
class MarketPath:
    """New labels and what was fitted for them.

    Parameters
    ----------
    rows : polars.DataFrame
        date, regime, p_bullish, p_bearish, p_sideways, p_high_volatility, model_version.
    changes : polars.DataFrame
        Confirmed changes, columns as ``CHANGE_SCHEMA``.
    reports : tuple of FitReport
        One for each refit date that came, failures included.
    """

    rows: pl.DataFrame
    changes: pl.DataFrame
    reports: tuple[FitReport, ...]


def market_features(closes: pl.DataFrame, market: str, after: dt.date | None = None) -> pl.DataFrame:
    """Features of the market's sessions.

    Parameters
    ----------
    closes : polars.DataFrame
        symbol, date, close (adjusted) of the universe. To continue, at least ``LOOKBACK`` sessions before the first
        new one; the whole history otherwise.
    market : str
        Symbol that stands for the market; it is left out of the cross-section.
    after : date, optional
        Only sessions after this one.

    Returns
    -------
    polars.DataFrame
        date, the eight features, and ``rule_regime``, the threshold rule's label. Starts with the 21st session. The two
        cross-sectional features are null where fewer than two symbols have 60 returns in a row.

    Raises
    ------
    DataError
        Where the market symbol has no prices.
    """
    own = closes.filter(pl.col("symbol") == market).sort("date")
    if own.is_empty():
        raise DataError(
            f"the market symbol {market} has no prices; add it to 'symbols' in the universe file and fetch it, "
            "or choose as 'market' a symbol that has some."
        )
    close = own["close"].to_numpy()
    start = 0 if after is None else int((own["date"] <= after).sum())
    values = series_features(close, np.full(len(close), MARKET_SCALE), start)
    wanted = np.isfinite(values[:, 0])
    others = _aligned(closes.filter(pl.col("symbol") != market), own)
    shared = cross_section(others, wanted)
    rules = [str(STATES[state]) for state in threshold_states(close, start)[wanted]]
    columns = {f.name: values[wanted, i] for i, f in enumerate(SERIES_FEATURES)}
    columns |= {f.name: shared[wanted, i] for i, f in enumerate(CROSS_FEATURES)}
    frame = pl.DataFrame({"date": own["date"].filter(pl.Series(wanted)), **columns}).fill_nan(None)
    return frame.with_columns(rule_regime=pl.Series(rules, dtype=pl.String))


def _aligned(closes: pl.DataFrame, own: pl.DataFrame) -> Floats:
    """Closes of the other symbols by the market's sessions, shape (n, s), NaN without a bar."""
    if closes.is_empty():
        return np.full((own.height, 0), np.nan)
    wide = closes.pivot(on="symbol", index="date", values="close")
    return own.select("date").join(wide, on="date", how="left", maintain_order="left").drop("date").to_numpy()


def label_market(
    features: pl.DataFrame,
    reports: Iterable[FitReport] = (),
    before: Standing | None = None,
    settings: MarketSettings = MarketSettings(),
) -> MarketPath:
    """Label every session after ``before``.

    Parameters
    ----------
    features : polars.DataFrame
        Of :func:`market_features`, all sessions so far.
    reports : iterable of FitReport
        What earlier nights fitted; a refit date that has a report is not fitted again.
    before : Standing, optional
        Where the market stands; None labels the whole history.
    settings : MarketSettings

    Returns
    -------
    MarketPath
        Sessions before the first model carry the threshold rule's label and version.
    """
    dates: list[dt.date] = features["date"].to_list()
    known = {report.model_version: report for report in reports}
    fitted: list[FitReport] = []
    blocks: list[Block] = []
    first = 0 if before is None else bisect_right(dates, before.date)
    for effective_from, start, stop in refit_blocks(dates, first, settings.every):
        version = model_version_name("market", effective_from, settings.every)
        if version not in known:
            report = _refit(features, effective_from, version, model_for(known.values(), effective_from), settings)
            if report is not None:
                known[version] = report
                fitted.append(report)
        blocks.append(Block(start, stop, model_for(known.values(), effective_from)))
    names = tuple(feature.name for feature in FEATURES)
    matrix = features.select(names).fill_null(np.nan).to_numpy()
    by_rule = np.array([STATES.index(Regime(name)) for name in features["rule_regime"]], dtype=np.int64)
    series = label_series(matrix, names, by_rule, blocks, before)
    changes = pl.DataFrame(series.changes("market", dates, names, matrix), schema=CHANGE_SCHEMA)
    return MarketPath(series.frame(dates), changes, tuple(fitted))


def _refit(
    features: pl.DataFrame,
    effective_from: dt.date,
    version: str,
    in_force: RegimeModel | None,
    settings: MarketSettings,
) -> FitReport | None:
    """The report of one refit date; None where there is too little history to try."""
    past = features.filter(pl.col("date") < effective_from)
    if past.height < MINIMUM_SESSIONS:
        return None
    past = past.tail(settings.window_sessions or past.height)
    modelled = tuple(f for f in FEATURES if f.weight > 0 and past[f.name].count() >= _COVERAGE * past.height)
    window = TrainingWindow(
        dates=(past["date"][0], past["date"][-1]),
        matrix=past.select([f.name for f in modelled]).fill_null(np.nan).to_numpy(),
        lengths=np.array([past.height]),
        moves=np.sinh(past["return_1d"].to_numpy()),
        trend=past["trend_60d"].to_numpy(),
        features=modelled,
    )
    return fit_model(
        window,
        settings.anchors,
        model_version=version,
        effective_from=effective_from,
        seed=zlib.crc32(f"{settings.seed} {version}".encode()),
        before=in_force,
    )
