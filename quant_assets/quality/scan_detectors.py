"""The detectors in force during a scan: fitted and calibrated where a fixed date has come, taken from storage else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.quality.bar_measures import excused_score
from quant_assets.quality.detector_fits import FITTED, DetectorFit, fits_frame
from quant_assets.quality.isolation_detector import IsolationForest, fit_isolation_forest, half_year_start
from quant_assets.quality.prophet_detector import due_prophet_tasks, fit_prophets
from quant_assets.quality.scan_state import ScanSettings, SentinelState
from quant_assets.quality.tables import ISOLATION_TREES, PROPHET_PREDICTIONS, THRESHOLDS
from quant_assets.quality.thresholds import (
    CALIBRATION_SESSIONS,
    Thresholds,
    calibrated_thresholds,
    thresholds_from,
)

__all__ = ["Detectors", "prophet_scores"]


def prophet_scores(rows: pl.DataFrame) -> pl.Series:
    """Surprise of each bar against Prophet's expected step, less what the market explains; null without a fit.

    Parameters
    ----------
    rows : pl.DataFrame
        return_log, sessions_since, volatility_1d, market_zscore, turbulence and expected_step (per session).
    """
    surprise = pl.col("return_log") - pl.col("expected_step") * pl.col("sessions_since")
    return rows.select(excused_score(surprise).alias("prophet_score"))["prophet_score"]


def _is_due(record: Mapping[str, Any] | None, rows: int) -> bool:
    """Whether a fit is wanted: never made, or failed on fewer bars than there are now (history was imported)."""
    return record is None or (record["status"] != FITTED and rows > record["rows"])


@dataclass(slots=True)
class Detectors:
    """Detectors of one scan; what is fitted on the way is collected to be stored."""

    calendar: TradingCalendar
    settings: ScanSettings
    state: SentinelState
    fits: list[DetectorFit] = field(default_factory=list)
    predictions: list[pl.DataFrame] = field(default_factory=list)
    thresholds: list[pl.DataFrame] = field(default_factory=list)
    trees: pl.DataFrame | None = None
    forests: dict[dt.date, IsolationForest | None] = field(default_factory=dict)

    def with_expected_steps(self, measures: pl.DataFrame) -> pl.DataFrame:
        """Add ``expected_step`` to the measures, fitting Prophet for pending bars that no prediction covers."""
        stored = self.state.predictions
        wanted = measures.filter("is_pending").join(stored, on=("symbol", "date"), how="anti")
        prophet = self.settings.prophet
        tasks = due_prophet_tasks(measures, wanted, self.calendar, prophet) if prophet else []
        known = {row["model_version"]: row for row in self.state.models.iter_rows(named=True)}
        due = [task for task in tasks if _is_due(known.get(task.model_version), len(task.dates))]
        fitted = fit_prophets(due, self.settings.workers)
        self.fits.extend(item.fit for item in fitted)
        self.predictions.extend(item.predictions for item in fitted)
        steps = pl.concat([stored, *self.predictions]).select("symbol", "date", pl.col("step").alias("expected_step"))
        return measures.join(steps, on=("symbol", "date"), how="left", maintain_order="left")

    def thresholds_at(self, refit_date: dt.date, scored: Sequence[pl.DataFrame], excluded: pl.DataFrame) -> Thresholds:
        """Thresholds in force from ``refit_date``.

        Parameters
        ----------
        refit_date : date
            First session of a quarter.
        scored : sequence of pl.DataFrame
            Scores of bars; those of the three years before the date are used.
        excluded : pl.DataFrame
            symbol and date of bars that are known to be wrong.
        """
        stored = self.state.thresholds.filter(pl.col("calibrated_on") == refit_date)
        if stored.is_empty():
            first = self.calendar.shift(refit_date, -CALIBRATION_SESSIONS)
            within = pl.col("date").is_between(first, refit_date, closed="left")
            window = pl.concat([frame.filter(within) for frame in scored])
            sample = window.join(excluded, on=("symbol", "date"), how="anti").with_columns(
                pl.coalesce("prophet_score", "residual_zscore").alias("price_score")
            )
            stored = calibrated_thresholds(sample, refit_date)
            self.thresholds.append(stored)
        return thresholds_from(stored)[0]

    def forest_at(self, date: dt.date, measures: pl.DataFrame, withheld: pl.DataFrame) -> IsolationForest | None:
        """Isolation Forest in force on ``date``; None where it could not be fitted.

        Parameters
        ----------
        date : date
        measures : pl.DataFrame
            Of all loaded bars.
        withheld : pl.DataFrame
            symbol and date of bars that a fit must not see.
        """
        refit_date = half_year_start(date, self.calendar)
        if refit_date not in self.forests:
            self.forests[refit_date] = self._forest(refit_date, measures, withheld)
        return self.forests[refit_date]

    def _forest(self, refit_date: dt.date, measures: pl.DataFrame, withheld: pl.DataFrame) -> IsolationForest | None:
        version = f"isolation-forest-{refit_date:%Y%m%d}"
        record = self.state.models.filter(pl.col("model_version") == version)
        trees = self.state.trees.filter(pl.col("model_version") == version)
        if len(trees):
            return IsolationForest.from_trees(trees, self.settings.isolation.tree_samples)
        first = self.calendar.shift(refit_date, -self.settings.isolation.window_sessions)
        window = measures.filter(pl.col("date").is_between(first, refit_date, closed="left"))
        flags = withheld.select("symbol", "date", pl.lit(value=True).alias("is_withheld"))
        flagged = window.join(flags, on=["symbol", "date"], how="left", maintain_order="left")
        following = half_year_start(refit_date + dt.timedelta(days=200), self.calendar)
        fit, forest = fit_isolation_forest(
            flagged.with_columns(pl.col("is_withheld").fill_null(value=False)),
            refit_date,
            calendar=self.calendar,
            serves_to=self.calendar.shift(following, -1),
            settings=self.settings.isolation,
        )
        if _is_due(record.row(0, named=True) if len(record) else None, fit.rows):
            self.fits.append(fit)
        if forest is not None:
            self._keep_newest(forest, version)
        return forest

    def _keep_newest(self, forest: IsolationForest, version: str) -> None:
        known = [
            frame["model_version"][0] for frame in (self.state.trees, self.trees) if frame is not None and len(frame)
        ]
        if all(version >= other for other in known):
            self.trees = forest.nodes.with_columns(pl.lit(version).alias("model_version")).select(
                ISOLATION_TREES.column_names
            )

    def new_models(self) -> pl.DataFrame:
        """Rows for ``quality.models``."""
        return fits_frame(self.fits)

    def new_predictions(self) -> pl.DataFrame:
        """Rows for ``quality.prophet_predictions``."""
        return pl.concat([PROPHET_PREDICTIONS.empty(), *self.predictions])

    def new_thresholds(self) -> pl.DataFrame:
        """Rows for ``quality.thresholds``."""
        return pl.concat([THRESHOLDS.empty(), *self.thresholds])
