"""Asset checks of the signal models."""

import datetime as dt
from typing import Any

import dagster as dg
import polars as pl

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.ops.store import OperationsStore
from quant_assets.ops.tables import RUN_STATE
from quant_assets.signals.causality import compare_without_future
from quant_assets.signals.feature_list import FEATURES
from quant_assets.signals.ledger import CHAMPION, ModelLedger
from quant_assets.signals.promotion import ABSURD_IC
from quant_assets.signals.registration import ModelRegistry, trained_predictions
from quant_assets.signals.tables import (
    CONTRIBUTIONS,
    DRIFT_REPORTS,
    MODEL_METRICS,
    SIGNALS,
    WALK_FORWARD_PREDICTIONS,
)
from quant_assets.signals.training_run import read_training_inputs
from resources.model_registry import MlflowRecords, ModelFolders
from resources.warehouse import Warehouse, asset_key

__all__ = [
    "champions_score",
    "contributions_add_up",
    "drift_is_not_confirmed",
    "predictions_do_not_look_ahead",
    "rank_ic_is_credible",
    "signals_cover_the_session",
]

_TOLERANCE = 1e-9
_SHOWN = 20


@dg.asset_check(asset=asset_key(SIGNALS), description="Every symbol with a bar in the session has a signal per model.")
def signals_cover_the_session(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    """Name symbols and models without a signal."""
    missing = warehouse.query(
        "SELECT bars.symbol, named.model FROM market_data.adjusted_prices AS bars, "
        "(SELECT DISTINCT model FROM signals.signals WHERE date = ?) AS named "
        "WHERE bars.date = ? AND NOT EXISTS (SELECT 1 FROM signals.signals AS s "
        "WHERE s.symbol = bars.symbol AND s.date = bars.date AND s.model = named.model) ORDER BY ALL",
        [_as_of(warehouse), _as_of(warehouse)],
    )
    return dg.AssetCheckResult(
        passed=missing.is_empty(),
        description=f"{missing.height} signals are missing",
        metadata=_table("missing", missing),
    )


@dg.asset_check(asset=asset_key(SIGNALS), description="Champions score; anything in a champion's place warns.")
def champions_score(
    warehouse: dg.ResourceParam[Warehouse], operations: dg.ResourceParam[OperationsStore]
) -> dg.AssetCheckResult:
    """Say for which models something else stood in, or nothing scored, although the ledger has a champion."""
    champions = pl.DataFrame(
        [(h.model, h.model_version) for h in ModelLedger(operations).holders() if h.alias == CHAMPION],
        schema={"model": pl.String, "champion": pl.String},
        orient="row",
    )
    scored = warehouse.query(
        "SELECT model, model_version, count(*) AS symbols, any_value(note) AS note FROM signals.signals "
        "WHERE date = ? GROUP BY ALL ORDER BY ALL",
        [_as_of(warehouse)],
    )
    replaced = champions.join(scored, on="model", how="left").filter(
        pl.col("champion").ne_missing(pl.col("model_version"))
    )
    return dg.AssetCheckResult(
        passed=replaced.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        description="every champion scored" if replaced.is_empty() else "something stood in for a champion",
        metadata=_table("replaced", replaced),
    )


@dg.asset_check(asset=asset_key(CONTRIBUTIONS), description="Contributions and bias add up to the signal's log-odds.")
def contributions_add_up(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    """Compare the sums of the newest session with the log-odds."""
    worst = warehouse.query(
        "SELECT max(abs(parts.total - s.log_odds)) AS gap FROM signals.signals AS s JOIN "
        "(SELECT symbol, date, model, sum(contribution) AS total FROM signals.contributions "
        "WHERE date = ? GROUP BY ALL) AS parts USING (symbol, date, model) WHERE s.log_odds IS NOT NULL",
        [_as_of(warehouse)],
    )["gap"][0]
    gap = float(worst or 0.0)
    return dg.AssetCheckResult(
        passed=gap <= _TOLERANCE, description=f"largest gap {gap:.1e}", metadata={"largest_gap": gap}
    )


@dg.asset_check(
    asset=asset_key(MODEL_METRICS),
    description=f"No rank IC above {ABSURD_IC}: on daily bars that is a leak until proven otherwise.",
)
def rank_ic_is_credible(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    """Name versions with a rank IC that is too good."""
    absurd = warehouse.query(
        "SELECT model_version, value FROM signals.model_metrics "
        "WHERE metric = 'rank_ic' AND slice = 'all' AND value > ? ORDER BY model_version",
        [ABSURD_IC],
    )
    return dg.AssetCheckResult(
        passed=absurd.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{absurd.height} versions are too good to be true",
        metadata=_table("versions", absurd),
    )


@dg.asset_check(
    asset=asset_key(WALK_FORWARD_PREDICTIONS),
    description=(
        "The first reported fold of each new version, trained again as if history ended with it, gives the stored "
        "predictions to 1e-12. Runs when a version was trained."
    ),
)
def predictions_do_not_look_ahead(
    warehouse: dg.ResourceParam[Warehouse],
    operations: dg.ResourceParam[OperationsStore],
    model_folders: dg.ResourceParam[ModelFolders],
    model_records: dg.ResourceParam[MlflowRecords],
) -> dg.AssetCheckResult:
    """Cut the future off and compare."""
    new = warehouse.query(
        "SELECT model_version FROM signals.models WHERE created_at = (SELECT source_clock FROM ops.run_state) "
        "AND EXISTS (SELECT 1 FROM ops.table_changes WHERE table_name = 'signals.models' AND run_id = ?) "
        "QUALIFY row_number() OVER (PARTITION BY model ORDER BY length(model_version) DESC, model_version DESC) = 1",
        [warehouse.run_id],
    )["model_version"].to_list()
    if not new:
        return dg.AssetCheckResult(passed=True, description="no version was trained in this run")
    registry = ModelRegistry(model_folders, model_records, ModelLedger(operations), operations)
    inputs, sessions = read_training_inputs(warehouse), new_york_calendar().sessions
    gaps: dict[str, float] = {}
    for version in new:
        spec = registry.load(version).card.spec
        stored = warehouse.read(WALK_FORWARD_PREDICTIONS, where="model_version = ?", parameters=[version])
        if stored.is_empty():  # kept without an alias: only its folder has them
            stored = trained_predictions(registry, version)
        compared = compare_without_future(
            inputs.features, inputs.closes, FEATURES, spec, stored=stored, sessions=sessions
        )
        gaps[version] = compared if stored.height else float("inf")
    return dg.AssetCheckResult(
        passed=all(gap <= 1e-12 for gap in gaps.values()),
        description=", ".join(f"{version}: largest difference {gap:.1e}" for version, gap in gaps.items()),
        metadata=dict(gaps),
    )


@dg.asset_check(
    asset=asset_key(DRIFT_REPORTS), description="No confirmed drift; a confirmed one asks for a retraining."
)
def drift_is_not_confirmed(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    """Name models whose drift has lasted."""
    confirmed = warehouse.query(
        "SELECT model, model_version, value AS sessions FROM signals.drift_reports "
        "WHERE as_of = ? AND measure = 'strikes' AND drifted ORDER BY model",
        [_as_of(warehouse)],
    )
    return dg.AssetCheckResult(
        passed=confirmed.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{confirmed.height} models have drifted",
        metadata=_table("drifted", confirmed),
    )


def _as_of(warehouse: Warehouse) -> dt.date:
    as_of: dt.date = warehouse.read(RUN_STATE, ["as_of"])["as_of"][0]
    return as_of


def _table(name: str, rows: pl.DataFrame) -> dict[str, Any]:
    if rows.is_empty():
        return {}
    shown = rows.head(_SHOWN).with_columns(pl.col(pl.Date).cast(pl.String)).to_dicts()
    return {name: dg.MetadataValue.table([dg.TableRecord(row) for row in shown])}
