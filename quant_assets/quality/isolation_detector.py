"""Isolation Forest over the panel: how odd a bar is in all its measures together.

Fitted with PyOD on a trailing window of all symbols' bars at fixed calendar dates, the first session of January and
of July. A fit is kept as plain arrays of its trees, so that a night scores bars without fitting, importing or
unpickling anything; the score is the one of Liu, Ting and Zhou (2008), equation 2: ``2 ** (-E[h(x)] / c(n))``.
"""

from __future__ import annotations

import datetime as dt
import json
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.quality.detector_fits import FITTED, PANEL, DetectorFit

__all__ = [
    "FEATURES",
    "METHOD",
    "IsolationForest",
    "IsolationSettings",
    "fit_isolation_forest",
    "half_year_start",
    "quarter_start",
]

METHOD = "isolation_forest"
FEATURES = (
    "return_zscore",
    "gap_zscore",
    "range_zscore",
    "volume_zscore",
    "close_location",
    "residual_zscore",
)
"""Return, gap, range, volume ratio, close location and market-residual return of a bar, each in units of its past."""
_NEUTRAL = {"range_zscore": 0.0, "volume_zscore": 0.0}
"""A bar without a range or without a volume feed counts as ordinary in that measure: it can hide, never accuse."""


@dataclass(frozen=True, slots=True)
class IsolationSettings:
    """How the forest is fitted.

    Parameters
    ----------
    window_sessions : int
        Sessions before the refit date that are used: two years, so that a crisis stays in the picture for a while.
    minimum_rows : int
        Bars needed; a tree of 256 samples wants at least as many.
    trees, tree_samples : int
        As in the paper; more trees change no ranking.
    most_rows : int
        Bars are thinned at random to this number, since each tree samples 256 of them.
    seed : int
    """

    window_sessions: int = 504
    minimum_rows: int = 500
    trees: int = 100
    tree_samples: int = 256
    most_rows: int = 50_000
    seed: int = 20_080_815


def quarter_start(date: dt.date, calendar: TradingCalendar) -> dt.date:
    """First session of the calendar quarter of ``date``: a fixed date, whatever history is there."""
    return _period_start(date, 3, calendar)


def half_year_start(date: dt.date, calendar: TradingCalendar) -> dt.date:
    """First session of the half-year of ``date``, when the forest is fitted anew."""
    return _period_start(date, 6, calendar)


def _period_start(date: dt.date, months: int, calendar: TradingCalendar) -> dt.date:
    return calendar.session_on_or_after(dt.date(date.year, months * ((date.month - 1) // months) + 1, 1))


@dataclass(frozen=True, slots=True)
class IsolationForest:
    """A fitted forest as arrays, all trees one after the other.

    Parameters
    ----------
    nodes : pl.DataFrame
        tree, node, feature, threshold, left, right, path_length, sorted by tree and node.
    average_path : float
        c(n) of the paper for the trees' sample size.
    """

    nodes: pl.DataFrame
    average_path: float

    @classmethod
    def from_trees(cls, trees: pl.DataFrame, tree_samples: int) -> IsolationForest:
        """Take up stored trees (rows of ``quality.isolation_trees``) that were grown on samples of this size."""
        nodes = trees.drop("model_version").sort("tree", "node")
        return cls(nodes, float(_average_path_length(np.array([tree_samples]))[0]))

    def score(self, measures: pl.DataFrame) -> pl.Series:
        """Anomaly score of each row, between 0 and 1; null where a feature other than volume or range is null."""
        features = _feature_matrix(measures)
        usable = np.isfinite(features).all(axis=1)
        scores = np.full(len(features), np.nan)
        if usable.any():
            scores[usable] = self._score(features[usable])
        return pl.Series("isolation_score", scores, nan_to_null=True)

    def _score(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        starts = self.nodes["tree"].search_sorted(self.nodes["tree"].unique(maintain_order=True)).to_numpy()
        feature, left, right = (self.nodes[name].to_numpy() for name in ("feature", "left", "right"))
        threshold, path_length = self.nodes["threshold"].to_numpy(), self.nodes["path_length"].to_numpy()
        rows = np.arange(len(features))
        depth = np.zeros(len(features))
        for start in starts:
            node = np.full(len(features), start)
            while not (at_leaf := left[node] < 0).all():
                goes_left = features[rows, np.where(at_leaf, 0, feature[node])] <= threshold[node]
                node = np.where(at_leaf, node, start + np.where(goes_left, left[node], right[node]))
            depth += path_length[node]
        score: npt.NDArray[np.float64] = 2.0 ** (-depth / (len(starts) * self.average_path))
        return score


def fit_isolation_forest(
    measures: pl.DataFrame,
    refit_date: dt.date,
    *,
    calendar: TradingCalendar,
    serves_to: dt.date,
    settings: IsolationSettings | None = None,
) -> tuple[DetectorFit, IsolationForest | None]:
    """Fit the forest on the bars of the window before ``refit_date``.

    Parameters
    ----------
    measures : pl.DataFrame
        symbol, date and :data:`FEATURES`; rows of ``refit_date`` and later are not looked at, and neither are rows
        with ``is_withheld``.
    refit_date, serves_to : date
        First and last session that the fit scores.
    calendar : TradingCalendar
    settings : IsolationSettings, optional

    Returns
    -------
    tuple of DetectorFit and IsolationForest
        The record of the fit; no forest where it failed, with the reason in the record.
    """
    settings = settings or IsolationSettings()
    first = calendar.shift(refit_date, -settings.window_sessions)
    window = measures.filter(pl.col("date").is_between(first, refit_date, closed="left") & ~pl.col("is_withheld"))
    window = window.sort("date", "symbol")
    features = _feature_matrix(window)
    usable = np.isfinite(features).all(axis=1)
    window, features = window.filter(pl.Series(usable)), features[usable]
    fit = DetectorFit(
        model_version=f"isolation-forest-{refit_date:%Y%m%d}",
        method=METHOD,
        symbol=PANEL,
        refit_date=refit_date,
        serves_to=serves_to,
        fitted_from=window["date"][0] if len(window) else None,
        fitted_to=window["date"][-1] if len(window) else None,
        rows=len(window),
        status=FITTED,
        reason=None,
        parameters=json.dumps({"features": FEATURES, "trees": settings.trees, "seed": settings.seed}),
    )
    if len(window) < settings.minimum_rows:
        return fit.with_failure(f"{len(window)} bars in the window, {settings.minimum_rows} needed"), None
    if len(window) > settings.most_rows:
        generator = np.random.default_rng(settings.seed)
        features = features[np.sort(generator.choice(len(features), settings.most_rows, replace=False))]
    try:
        forest = _fit(features, settings)
    except Exception as error:  # noqa: BLE001 - whatever the library raises is recorded as the reason of this fit
        return fit.with_failure(f"{type(error).__name__}: {error}"), None
    return fit, forest


def _feature_matrix(measures: pl.DataFrame) -> npt.NDArray[np.float32]:
    # Trees compare in single precision, as they were grown.
    columns = [pl.col(name).fill_null(_NEUTRAL[name]) if name in _NEUTRAL else pl.col(name) for name in FEATURES]
    return measures.select(columns).cast(pl.Float32).fill_null(float("nan")).to_numpy().reshape(-1, len(FEATURES))


def _fit(features: npt.NDArray[np.float32], settings: IsolationSettings) -> IsolationForest:
    # Imported here: the library costs 1.5 s to import and most nights fit nothing.
    from pyod.models.iforest import IForest  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's own deprecations are not ours to act on
        detector: Any = IForest(
            n_estimators=settings.trees, max_samples=settings.tree_samples, random_state=settings.seed
        ).fit(features)
    trees = [_nodes(number, estimator.tree_) for number, estimator in enumerate(detector.detector_.estimators_)]
    return IsolationForest(
        pl.concat(trees), float(_average_path_length(np.array([detector.detector_.max_samples_]))[0])
    )


def _nodes(number: int, tree: Any) -> pl.DataFrame:
    left, right = tree.children_left, tree.children_right
    depth = np.zeros(tree.node_count)
    for node in range(tree.node_count):  # children come after their parent
        if left[node] >= 0:
            depth[[left[node], right[node]]] = depth[node] + 1
    path_length = np.where(left < 0, depth + _average_path_length(tree.n_node_samples), 0.0)
    return pl.DataFrame(
        {
            "tree": np.full(tree.node_count, number, dtype=np.int32),
            "node": np.arange(tree.node_count, dtype=np.int32),
            "feature": tree.feature.astype(np.int32),
            "threshold": tree.threshold.astype(np.float64),
            "left": left.astype(np.int32),
            "right": right.astype(np.int32),
            "path_length": path_length,
        }
    )


def _average_path_length(samples: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """c(n) of the paper: mean depth of an unsuccessful search in a tree of n samples; 0 for one, 1 for two."""
    count = np.asarray(samples, dtype=np.float64)
    larger = np.maximum(count, 3.0)
    found = 2.0 * (np.log(larger - 1.0) + np.euler_gamma) - 2.0 * (larger - 1.0) / larger
    return np.where(count <= 1, 0.0, np.where(count == 2, 1.0, found))
