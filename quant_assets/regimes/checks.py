"""Asset checks on regimes: nothing looks ahead, probabilities are probabilities, labels and models are current."""

from __future__ import annotations

import dagster as dg
import numpy as np

from quant_assets.ops.tables import RUN_STATE
from quant_assets.regimes.night_proof import prove_night
from quant_assets.regimes.tables import MARKET_REGIMES, MODELS, SYMBOL_REGIMES
from quant_assets.settings import Universe
from resources.warehouse import Warehouse, asset_key

__all__ = [
    "labels_do_not_look_ahead",
    "labels_reach_the_newest_session",
    "newest_fits_succeeded",
    "probabilities_are_probabilities",
]


@dg.asset_check(
    asset=asset_key(MARKET_REGIMES),
    blocking=True,
    description="Labels of a past month come out the same to the last bit with the future cut off or corrupted.",
)
def labels_do_not_look_ahead(
    warehouse: dg.ResourceParam[Warehouse], universe: dg.ResourceParam[Universe]
) -> dg.AssetCheckResult:
    """Label a stretch of past sessions again without their future, a refit included."""
    as_of = warehouse.read(RUN_STATE)["as_of"][0]
    finding = prove_night(warehouse, str(universe.market), rng=np.random.default_rng(as_of.toordinal()))
    words = (
        f"{finding.rows_different} of {finding.rows_compared} rows differ without their future; "
        f"{finding.refits} refits inside"
    )
    return dg.AssetCheckResult(
        passed=finding.rows_different == 0,
        description=words,
        metadata={"rows_compared": finding.rows_compared, "refits": finding.refits},
    )


@dg.asset_check(
    asset=asset_key(SYMBOL_REGIMES),
    blocking=True,
    description="The four probabilities of every row lie in 0 to 1 and sum to 1, for the market and for each symbol.",
)
def probabilities_are_probabilities(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    """Count rows that contradict themselves."""
    wrong = warehouse.query(_IMPOSSIBLE)["wrong"][0]
    return dg.AssetCheckResult(passed=wrong == 0, description=f"{wrong} rows are no probabilities")


@dg.asset_check(
    asset=asset_key(MARKET_REGIMES),
    description="The market has a label for the newest session of its prices.",
)
def labels_reach_the_newest_session(
    warehouse: dg.ResourceParam[Warehouse], universe: dg.ResourceParam[Universe]
) -> dg.AssetCheckResult:
    """Compare the newest label with the newest price."""
    found = warehouse.query(_NEWEST, [str(universe.market)]).row(0, named=True)
    words = f"prices of {universe.market} reach {found['prices']}, labels {found['labels']}"
    return dg.AssetCheckResult(passed=found["prices"] == found["labels"], description=words)


@dg.asset_check(
    asset=asset_key(MODELS),
    description="The newest refit of each kind succeeded; where it did not, the model before is in force.",
)
def newest_fits_succeeded(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    """Name the newest refits that failed, with the reason."""
    failed = warehouse.query(_FAILED)
    words = "; ".join(f"{row['model_version']}: {row['reason']}" for row in failed.iter_rows(named=True))
    return dg.AssetCheckResult(
        passed=failed.is_empty(), severity=dg.AssetCheckSeverity.WARN, description=words or "all fitted"
    )


_IMPOSSIBLE = """
SELECT count(*) AS wrong
FROM (
    SELECT p_bullish, p_bearish, p_sideways, p_high_volatility FROM regimes.market_regimes
    UNION ALL
    SELECT p_bullish, p_bearish, p_sideways, p_high_volatility FROM regimes.symbol_regimes
) AS labels
WHERE least(p_bullish, p_bearish, p_sideways, p_high_volatility) < 0
    OR abs(p_bullish + p_bearish + p_sideways + p_high_volatility - 1) > 1e-9
"""
_NEWEST = """
SELECT
    (SELECT max(date) FROM market_data.adjusted_prices WHERE symbol = ?) AS prices,
    (SELECT max(date) FROM regimes.market_regimes) AS labels
"""
_FAILED = """
SELECT models.model_version, models.reason
FROM regimes.models AS models
JOIN (SELECT kind, max(effective_from) AS effective_from FROM regimes.models GROUP BY kind) AS newest
    ON models.kind = newest.kind AND models.effective_from = newest.effective_from
WHERE models.status = 'failed'
ORDER BY 1
"""
