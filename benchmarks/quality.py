"""What the sentinel finds and what it costs.

    python benchmarks/quality.py score          recall by kind and size, precision, false alarms, beside naive rules
    python benchmarks/quality.py score --quick  the same without Prophet (a quarter of the time)
    python benchmarks/quality.py speed          one session of 500 symbols; the back-scan's cost per bar and per fit

Everything is computed in this run, on packaged real history and a seeded synthetic market. Timings of a shared machine
are noisy: compare the ratios.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import resource
import time
from dataclasses import dataclass

import numpy as np
import polars as pl

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.market_data.tables import CORPORATE_ACTIONS, DAILY_PRICES
from quant_assets.quality.planting import plant_bad_bars
from quant_assets.quality.prophet_detector import ProphetSettings, due_prophet_tasks, fit_prophets
from quant_assets.quality.scan import scan_bars
from quant_assets.quality.scan_state import ScanInput, ScanSettings, SentinelState
from quant_assets.quality.scoring import DetectionScore, jump_rule_flags, score_detection, sigma_rule_flags
from quant_assets.replay.packaged import PACKAGED_TODAY, packaged_history
from quant_assets.replay.synthetic.market import SyntheticHistory
from quant_assets.replay.synthetic.parameters import EventRates

NOW = dt.datetime(2013, 3, 2, 2, 0, tzinfo=dt.UTC)
SEEDS = (1, 2, 3)
WORKERS = os.cpu_count() or 1


@dataclass(frozen=True)
class Market:
    """Clean bars and corporate actions."""

    name: str
    bars: pl.DataFrame
    actions: pl.DataFrame


def stored(bars):
    columns = {
        name: bars[name] if name in bars.columns else pl.Series(name, [None] * len(bars))
        for name in DAILY_PRICES.column_names
    }
    frame = pl.DataFrame(columns).with_columns(
        pl.lit("benchmark").alias("source"), pl.lit(NOW).alias("first_seen_at"), pl.lit(NOW).alias("updated_at")
    )
    return frame.select(pl.col(name).cast(dtype) for name, dtype in DAILY_PRICES.polars_schema.items()).sort(
        "symbol", "date"
    )


def real_market():
    history = packaged_history()
    bars = pl.concat([history.bars(s).with_columns(pl.lit(s).alias("symbol")) for s in history.symbols()])
    actions = [
        (symbol, date, kind, value, "benchmark", NOW)
        for symbol in history.symbols()
        for kind, frame in (("split", history.splits(symbol)), ("dividend", history.dividends(symbol)))
        for date, value in frame.iter_rows()
    ]
    return Market(
        "packaged history",
        stored(bars.filter(pl.col("date") <= PACKAGED_TODAY)),
        pl.DataFrame(actions, schema=CORPORATE_ACTIONS.polars_schema, orient="row"),
    )


def synthetic_market(symbols=15, years=12, seed=3):
    history = SyntheticHistory(seed=seed, symbols=symbols, years=years, rates=EventRates.none())
    bars = pl.concat([history.bars(s).with_columns(pl.lit(s).alias("symbol")) for s in history.symbols()])
    return Market("synthetic market", stored(bars), CORPORATE_ACTIONS.empty())


def scan(bars, actions, settings):
    given = ScanInput(bars, actions, new_york_calendar(), bars["date"].max(), NOW, "benchmark")
    return scan_bars(given, SentinelState(), settings)


def flagged(result):
    return result.events.filter(pl.col("severity") != "LOW").select("symbol", "date").unique()


def line(name, score: DetectionScore):
    print(
        f"  {name:<22} recall on the night {score.material_recall:6.1%}, with hindsight "
        f"{score.material_recall_with_hindsight:6.1%}; precision {score.precision:6.1%}; "
        f"false alarms per 10,000 bars {score.false_per_10_000:6.1f}"
    )


def score(settings):
    for market in (real_market(), synthetic_market()):
        clean = flagged(scan(market.bars, market.actions, settings))
        print(f"\n{market.name}: {market.bars.height:,} bars, nothing planted")
        print(f"  sentinel, MEDIUM or above    {1e4 * len(clean) / market.bars.height:6.1f} per 10,000 bars")
        for name, rule in (("20 % jump rule", jump_rule_flags), ("5-sigma rule", sigma_rule_flags)):
            print(f"  {name:<28} {1e4 * len(rule(adjusted(market))) / market.bars.height:6.1f} per 10,000 bars")
        planted(market, settings)


def adjusted(market):
    """Bars whose closes are adjusted for the recorded actions, which is what the naive rules are given, too."""
    from quant_assets.market_data.adjustment import adjusted_bars, adjustment_factors

    factors = adjustment_factors(market.bars, market.actions, as_of=market.bars["date"].max())
    return adjusted_bars(market.bars, factors)


def planted(market, settings):
    scores = {"sentinel": [], "20 % jump rule": [], "5-sigma rule": []}
    days = market.actions.select("symbol", pl.col("effective_date").alias("date"))
    for seed in SEEDS:
        wrong, truth = plant_bad_bars(market.bars, seed=seed, avoid=days)
        fixed = Market(market.name, wrong, market.actions)
        scores["sentinel"].append(score_detection(truth, flagged(scan(wrong, market.actions, settings)), wrong))
        prices = adjusted(fixed)
        scores["20 % jump rule"].append(score_detection(truth, jump_rule_flags(prices), wrong))
        scores["5-sigma rule"].append(score_detection(truth, sigma_rule_flags(prices), wrong))
    print(f"{market.name}, planted ({len(SEEDS)} seeds):")
    for name, runs in scores.items():
        line(name, mean_score(runs))
    print(
        f"\n  {'kind':<18}{'size':<22}{'material':<10}{'planted':>8}{'night':>9}{'later':>9}{'20 %':>9}{'5 sigma':>9}"
    )
    tables = [pooled(runs) for runs in scores.values()]
    for row, jump, sigma in zip(*(table.iter_rows(named=True) for table in tables), strict=True):
        print(
            f"  {row['kind']:<18}{row['size']:<22}{'yes' if row['is_material'] else '':<10}{row['planted']:>8}"
            f"{row['night']:>9.0%}{row['later']:>9.0%}{jump['night']:>9.0%}{sigma['night']:>9.0%}"
        )


def pooled(runs):
    n = pl.col("planted")
    return (
        pl.concat([run.by_kind for run in runs])
        .group_by("kind", "size", "is_material")
        .agg(
            n.sum(),
            ((pl.col("found_on_night") * n).sum() / n.sum()).alias("night"),
            ((pl.col("found_with_hindsight") * n).sum() / n.sum()).alias("later"),
        )
        .sort("kind", "size")
    )


def mean_score(runs):
    table = pooled(runs).filter("is_material")
    total = table["planted"].sum()
    return DetectionScore(
        by_kind=table,
        material_recall=(table["night"] * table["planted"]).sum() / total,
        material_recall_with_hindsight=(table["later"] * table["planted"]).sum() / total,
        precision=float(np.mean([run.precision for run in runs])),
        false_per_10_000=float(np.mean([run.false_per_10_000 for run in runs])),
        bars=sum(run.bars for run in runs),
    )


def made_up(symbols, sessions):
    dates = new_york_calendar().sessions_between(dt.date(2000, 1, 3), dt.date(2026, 1, 1))[:sessions]
    rng = np.random.default_rng(0)
    market, frames = rng.standard_t(5, sessions) * 0.008, []
    for number in range(symbols):
        moves = market + rng.standard_t(5, sessions) * 0.012
        close = np.round(50 * np.exp(np.cumsum(moves - moves.mean())), 2).clip(1)
        opened = np.round(close * np.exp(rng.normal(0, 0.004, sessions)), 2)
        reach = 1 + np.abs(rng.normal(0, 0.006, (2, sessions)))
        volume = np.round(1e6 * np.exp(rng.normal(0, 0.3, sessions) + 0.4 * np.abs(moves) / 0.015)).astype(int)
        frames.append(
            pl.DataFrame(
                {
                    "symbol": [f"S{number:03d}"] * sessions,
                    "date": dates,
                    "open": opened,
                    "high": np.round(np.maximum(opened, close) * reach[0], 2),
                    "low": np.round(np.minimum(opened, close) / reach[1], 2),
                    "close": close,
                    "volume": volume,
                }
            )
        )
    return stored(pl.concat(frames))


def timed(work):
    """Wall seconds, and CPU seconds of this process and its children."""
    wall, before = time.perf_counter(), cpu()
    result = work()
    return result, time.perf_counter() - wall, cpu() - before


def cpu():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def speed():
    calendar, prophet = new_york_calendar(), ProphetSettings()
    bars = made_up(500, 900)
    newest = bars["date"].max()
    before = bars.filter(pl.col("date") < newest)
    quiet = ScanSettings(prophet=None, workers=WORKERS)
    given = ScanInput(before, CORPORATE_ACTIONS.empty(), calendar, before["date"].max(), NOW, "benchmark")
    first, wall, used = timed(lambda: scan_bars(given, SentinelState(), quiet))
    print(f"back-scan without Prophet, 500 x 900: {wall:.1f} s wall, {used:.1f} s CPU")
    per_bar = used / before.height
    state = SentinelState(
        scores=first.scores,
        events=first.events,
        quarantined=first.quarantined,
        models=first.models,
        trees=first.trees,
        thresholds=first.thresholds,
    )
    night = ScanInput(bars, CORPORATE_ACTIONS.empty(), calendar, newest, NOW, "benchmark")
    _, wall, used = timed(lambda: scan_bars(night, state, quiet))
    print(f"one new session of 500 symbols, no fit due: {wall:.2f} s wall, {used:.2f} s CPU (goal: under 5 s)")
    with_steps = bars.with_columns(pl.lit(1.0).alias("price_factor"), pl.lit(0.02).alias("volatility_1d"))
    tasks = due_prophet_tasks(with_steps, bars.filter(pl.col("date") == newest), calendar, prophet)[:100]
    fit_prophets(tasks[:2], 1)
    _, wall, used = timed(lambda: fit_prophets(tasks, WORKERS))
    # CPU over cores is what an idle machine would take; the wall clock of a busy one says more about its other work.
    each = used / len(tasks) / WORKERS
    print(f"Prophet: {used / len(tasks):.3f} s CPU a fit, {wall / len(tasks):.3f} s wall on {WORKERS} threads; a night")
    print(f"  refits 500 / 60 = 8.3 symbols on average: {8.3 * used / len(tasks):.2f} s CPU more a night")
    fits, rows = 500 * (5_000 // prophet.refit_sessions), 500 * 5_000
    total = per_bar * rows + fits * each
    print(
        f"back-scan of 500 x 5,000, extrapolated from CPU on {WORKERS} cores: "
        f"{fits:,} fits {fits * each / 60:.1f} min, the rest "
        f"{per_bar * rows / 60:.1f} min; together {total / 60:.1f} min, of which Prophet {fits * each / total:.0%} "
        "(goal: under 30 min)"
    )
    print(f"peak memory of this benchmark {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("score", "speed"))
    parser.add_argument("--quick", action="store_true", help="without Prophet")
    given = parser.parse_args()
    if given.what == "score":
        score(ScanSettings(prophet=None if given.quick else ProphetSettings(), workers=WORKERS))
    else:
        speed()


if __name__ == "__main__":
    main()
