"""The goals of the design beside what was measured, read from what runs published. Nothing here is typed in."""

import sys
from collections.abc import Callable

import duckdb

from quant_assets.foundation.home import Home
from quant_assets.settings import load_settings

NOT_MEASURED = "not measured yet"


def _rows(connection, sql: str) -> list[tuple]:
    try:
        return connection.execute(sql).fetchall()
    except duckdb.CatalogException:
        return []


def features_reused(connection) -> str:
    rows = _rows(
        connection,
        "SELECT version, count(*) FILTER (WHERE len(string_split(used_by, ',')) > 1), count(*) "
        "FROM features.feature_catalog WHERE used_by <> '' GROUP BY version ORDER BY version",
    )
    return "; ".join(f"v{v}: {shared} of {used} used features" for v, shared, used in rows) or NOT_MEASURED


def signal_accuracy(connection) -> str:
    rows = _rows(
        connection,
        "SELECT metric, value, baseline FROM signals.model_metrics WHERE model = 'jump' AND slice = 'all' "
        "AND metric IN ('accuracy', 'brier_skill', 'auc') ORDER BY metric",
    )
    return "; ".join(f"{m} {v:.3f} (baseline {b:.3f})" for m, v, b in rows if b is not None) or NOT_MEASURED


def regime_accuracy(connection) -> str:
    rows = _rows(connection, "SELECT method, measure, value FROM regimes.evaluation WHERE measure = 'accuracy'")
    return "; ".join(f"{m} {v:.3f}" for m, _, v in rows) or NOT_MEASURED


def forecast_error(connection) -> str:
    rows = _rows(
        connection,
        "SELECT model, mae_pct, coverage_90 FROM forecasts.forecast_evaluations WHERE horizon_days = 20 ORDER BY model",
    )
    return "; ".join(f"{m} {e:.2f} %, 5-95 coverage {100 * c:.1f} %" for m, e, c in rows) or NOT_MEASURED


def sharpe_beside_twin(connection) -> str:
    rows = _rows(connection, "SELECT strategy, sharpe FROM backtests.runs ORDER BY strategy")
    return "; ".join(f"{s} {v:.2f}" for s, v in rows if v is not None) or NOT_MEASURED


ROWS: tuple[tuple[str, str, Callable], ...] = (
    ("signal accuracy, next-day move over 2 %", "> 85 %, Brier skill > 0", signal_accuracy),
    ("regime accuracy, reference market", "> 80 %, or 95 % of the ceiling", regime_accuracy),
    ("forecast at 20 sessions", "no worse than the random walk; coverage 88 to 92 %", forecast_error),
    ("features reused by more than one consumer", "> 80 %", features_reused),
    ("Sharpe of the strategies, after costs", "reported", sharpe_beside_twin),
)


def main() -> int:
    database = Home(load_settings().home).readers_database
    if not database.exists():
        print(f"nothing is published in {database.parent}: run 'make run' first")
        return 1
    with duckdb.connect(str(database.resolve()), read_only=True) as connection:
        as_of, source = _rows(
            connection, "SELECT as_of, source FROM ops.publications ORDER BY published_at DESC LIMIT 1"
        )[0]
        print(f"From {database}, {source}, as of {as_of}\n")
        for measure, goal, read in ROWS:
            print(f"{measure}\n    goal      {goal}\n    measured  {read(connection)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
