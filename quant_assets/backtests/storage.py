"""Reading the inputs of backtests from the warehouse and writing their results."""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl

from quant_assets.backtests.inputs import Inputs
from quant_assets.backtests.report import report_html
from quant_assets.backtests.requests import DEFAULT, Outcome
from quant_assets.backtests.tables import BY_REGIME, BY_YEAR, EQUITY_CURVES, RUNS, TRADES
from quant_assets.backtests.trials import Trial
from quant_assets.foundation.errors import DataError
from quant_assets.foundation.table_store import TableStore
from quant_assets.foundation.tables import Table
from quant_assets.strategies import STRATEGIES, build_strategy, parameters_json

__all__ = ["read_inputs", "report_path", "store_outcome", "write_reports"]

_BARS = """
SELECT symbol, date, open, high, low, close, CAST(volume AS DOUBLE) AS volume
FROM market_data.daily_prices AS prices
WHERE
    date <= (SELECT max(as_of) FROM ops.run_state)
    AND NOT EXISTS (
        SELECT 1 FROM quality.quarantined_prices AS withheld
        WHERE withheld.symbol = prices.symbol AND withheld.date = prices.date AND withheld.released_at IS NULL
    )
ORDER BY symbol, date
"""
_ACTIONS = """
SELECT symbol, effective_date, kind, value FROM market_data.corporate_actions
WHERE effective_date <= (SELECT max(as_of) FROM ops.run_state)
ORDER BY ALL
"""
_REGIMES = "SELECT date, regime FROM regimes.market_regimes ORDER BY date"
# The champion's predictions; before there is a champion, those of the newest version that has any.
_PREDICTIONS = """
WITH versions AS (SELECT DISTINCT model_version FROM signals.walk_forward_predictions WHERE model = 'direction'),
chosen AS (
    SELECT versions.model_version FROM versions
    LEFT JOIN signals.models AS models ON models.model_version = versions.model_version
    ORDER BY
        coalesce(models.alias = 'champion', false) DESC,
        models.created_at DESC NULLS LAST,
        versions.model_version DESC
    LIMIT 1
)
SELECT symbol, date, probability FROM signals.walk_forward_predictions
WHERE model = 'direction' AND model_version = (SELECT model_version FROM chosen)
ORDER BY symbol, date
"""
# Dates that a trial ended on are left out: a night later is no new attempt. The newest result of each counts.
_TRIED = """
SELECT strategy, parameters, symbols, start_date, rules, costs, sharpe FROM backtests.runs
WHERE origin <> ? ORDER BY end_date
"""
# The set of the last night: the symbols, rules and costs of the default rows, also where a request has taken one over.
_NIGHTLY = """
SELECT strategy, parameters, symbols, start_date, rules, costs, sharpe FROM backtests.runs
WHERE
    (symbols, rules, costs, end_date)
    IN (SELECT (symbols, rules, costs, end_date) FROM backtests.runs WHERE origin = ?)
ORDER BY origin = ?
"""
_NO_PREDICTIONS = {"symbol": pl.String, "date": pl.Date, "probability": pl.Float64}
_OF_THE_REQUEST = ("origin", "variants", "deflated_sharpe")
_NO_REGIMES = {"date": pl.Date, "regime": pl.String}


def read_inputs(store: TableStore) -> Inputs:
    """Everything backtests look at, up to the run's as-of date.

    Predictions and regimes are empty where their rooms have not stored any; strategies that need them then say so.

    Raises
    ------
    DataError
        Where no prices are stored at all.
    """
    bars = store.query(_BARS)
    if bars.is_empty():
        raise DataError("there are no prices to backtest on; run the nightly job first.")
    universe = store.query("SELECT symbol, asset_class, is_market FROM ops.instruments ORDER BY symbol")
    priced = set(bars["symbol"].unique())
    chosen = universe.filter(pl.col("symbol").is_in(priced))
    index = pl.col("asset_class") == "index"
    market = universe.filter(pl.col("is_market"))["symbol"].to_list()
    signals = ("signals.walk_forward_predictions", "signals.models")
    return Inputs(
        bars=bars,
        actions=store.query(_ACTIONS),
        predictions=store.query(_PREDICTIONS) if _exist(store, *signals) else pl.DataFrame(schema=_NO_PREDICTIONS),
        regimes=store.query(_REGIMES) if _exist(store, "regimes.market_regimes") else pl.DataFrame(schema=_NO_REGIMES),
        tradable=tuple(chosen.filter(~index)["symbol"]),
        indices=tuple(universe.filter(index)["symbol"]),
        market=market[0] if market else None,
        tried=_trials(store.query(_TRIED, [DEFAULT])),
        nightly=_nightly(store),
    )


def _trials(rows: pl.DataFrame) -> dict[Trial, float]:
    """Sharpe ratios by what makes an attempt; of the same attempt the last row counts."""
    return {
        Trial(**{name: row[name] for name in row if name != "sharpe"}): row["sharpe"] or math.nan
        for row in rows.iter_rows(named=True)
    }


def _nightly(store: TableStore) -> dict[Trial, float]:
    """The default set as it is stored: every strategy with its default parameters."""
    defaults = {name: parameters_json(build_strategy(name)) for name in STRATEGIES}
    found = _trials(store.query(_NIGHTLY, [DEFAULT, DEFAULT]))
    return {trial: sharpe for trial, sharpe in found.items() if trial.parameters == defaults.get(trial.strategy)}


def store_outcome(store: TableStore, outcome: Outcome) -> None:
    """Write the rows of all five tables; runs of the default set take the place of those of the night before.

    The row in ``runs`` is written last, so that a run that is listed has its curve and trades. A run that was asked
    for stays so when the night repeats it, with the number of variants it was picked from.
    """
    full, runs = outcome.results, outcome.runs
    previous: set[str] = set()
    if outcome.origin == DEFAULT:
        previous = set(store.read(RUNS, ["backtest_id"], "origin = ?", [DEFAULT])["backtest_id"])
        asked = store.read(RUNS, ["backtest_id", *_OF_THE_REQUEST], "origin <> ?", [DEFAULT])
        runs = RUNS.validate(runs.update(asked, on="backtest_id", include_nulls=True))
    frames: dict[Table, pl.DataFrame] = {
        EQUITY_CURVES: _stacked(EQUITY_CURVES, [one.equity_curve() for one in full]),
        TRADES: _stacked(TRADES, [one.trades() for one in full]),
        BY_REGIME: _stacked(BY_REGIME, [one.by_regime() for one in full]),
        BY_YEAR: _stacked(BY_YEAR, [one.by_year() for one in full]),
    }
    # A sweep keeps the curves that its unkept variants have from another call: the same id has the same curve.
    for table, frame, gone in (
        *((table, frame, previous | {one.backtest_id for one in full}) for table, frame in frames.items()),
        (RUNS, runs, previous | set(runs["backtest_id"])),
    ):
        if gone:
            places = ", ".join("?" for _ in gone)
            store.replace(table, frame.sort(table.key), f"backtest_id IN ({places})", sorted(gone))


def report_path(home: Path, backtest_id: str) -> Path:
    """Where the page of a run lies inside the home."""
    return home / "reports" / "backtests" / f"{backtest_id}.html"


def write_reports(home: Path, outcome: Outcome, *, stored: set[str]) -> list[Path]:
    """Write the page of every run in full that has none yet, and remove pages of runs no longer ``stored``.

    A page of the nightly set is a function of the run's id, so one that exists is current; one of a search also shows
    how many variants were tried until then.
    """
    folder = report_path(home, "x").parent
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.html"):
        if old.stem not in stored:
            old.unlink()
    paths = []
    for one in outcome.results:
        path = report_path(home, one.backtest_id)
        paths.append(path)
        if outcome.origin != DEFAULT or not path.exists():
            draft = path.with_suffix(".part")
            draft.write_text(report_html(one, market=outcome.market), encoding="utf-8")
            draft.replace(path)
    return paths


def _stacked(table: Table, frames: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat([table.empty(), *frames])


def _exist(store: TableStore, *tables: str) -> bool:
    """Whether tables exist that another room makes; before its first run they do not."""
    known = store.query("SELECT table_schema || '.' || table_name AS name FROM information_schema.tables")
    return set(tables) <= set(known["name"])
