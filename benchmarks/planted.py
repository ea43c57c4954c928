"""Bad bars planted into good ones, scored for the sentinel and two naive rules: for the benchmark and the scorecard.

Constants of the sentinel were chosen while looking at the packaged history up to 2013-03-01 and at synthetic markets
of a few seeds. Two markets here were never looked at while choosing: the index bars after 2013-03-01 (``arch`` ships
them to the end of 2018) and a synthetic market of another seed; plants have their own seeds as well. Figures on those
two are the honest ones.
"""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import dataclass

import polars as pl

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.market_data.adjustment import adjusted_bars, adjustment_factors
from quant_assets.market_data.tables import CORPORATE_ACTIONS, DAILY_PRICES
from quant_assets.quality.planting import plant_bad_bars
from quant_assets.quality.scan import scan_bars
from quant_assets.quality.scan_state import ScanInput, SentinelState
from quant_assets.quality.scoring import jump_rule_flags, score_detection, sigma_rule_flags
from quant_assets.replay.packaged import PACKAGED_TODAY, packaged_history
from quant_assets.replay.synthetic.market import SyntheticHistory
from quant_assets.replay.synthetic.parameters import EventRates

NOW = dt.datetime(2013, 3, 2, 2, 0, tzinfo=dt.UTC)
SEEDS = (101, 102, 103)
"""Of the plants; 1 to 11 were used while choosing."""
WORKERS = os.cpu_count() or 1
RULES = {"20 % jump": jump_rule_flags, "5 sigma": sigma_rule_flags}


@dataclass(frozen=True)
class Market:
    """Clean bars and corporate actions; bars up to ``scored_after`` are history that is neither planted nor scored."""

    name: str
    bars: pl.DataFrame
    actions: pl.DataFrame
    scored_after: dt.date = dt.date(1900, 1, 1)
    seeds: tuple[int, ...] = SEEDS

    def scored(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.filter(pl.col("date") > self.scored_after)


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


def packaged_market():
    """Seven symbols, 2000 to 2013-03-01: what the constants were chosen on."""
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


def later_indices():
    """S&P 500 and NASDAQ Composite after 2013-03-01, with four years before as history to calibrate on."""
    history = packaged_history()
    bars = pl.concat([history.bars(s).with_columns(pl.lit(s).alias("symbol")) for s in ("SPX", "IXIC")])
    recent = stored(bars.filter(pl.col("date") >= dt.date(2009, 1, 2)))
    return Market(
        "held out: index bars 2013-2018", recent, CORPORATE_ACTIONS.empty(), PACKAGED_TODAY, tuple(range(101, 109))
    )


def synthetic_market(seed=2013, symbols=15, years=12):
    history = SyntheticHistory(seed=seed, symbols=symbols, years=years, rates=EventRates.none())
    bars = pl.concat([history.bars(s).with_columns(pl.lit(s).alias("symbol")) for s in history.symbols()])
    return Market("held out: synthetic market", stored(bars), CORPORATE_ACTIONS.empty())


def flagged(market, bars, settings):
    """Bars that the sentinel raises as MEDIUM or HIGH."""
    newest = bars["date"].max()
    given = ScanInput(bars, market.actions, new_york_calendar(), newest, NOW, "benchmark")
    events = scan_bars(given, SentinelState(), settings).events
    return market.scored(events.filter(pl.col("severity") != "LOW").select("symbol", "date").unique())


def adjusted(market, bars):
    """Bars whose closes are adjusted for the recorded actions, which is what the naive rules are given, too."""
    factors = adjustment_factors(bars, market.actions, as_of=bars["date"].max())
    return adjusted_bars(bars, factors)


def clean_figures(market, settings):
    """Share of good bars that each method flags, per 10,000."""
    count = market.scored(market.bars).height
    found = {"sentinel": flagged(market, market.bars, settings).height}
    prices = adjusted(market, market.bars)
    found |= {name: market.scored(rule(prices)).height for name, rule in RULES.items()}
    return {name: 1e4 * flags / count for name, flags in found.items()}


def planted_figures(market, settings):
    """Per method: recall, precision and false alarms over the market's seeds; and recall by kind and size."""
    scores = {name: [] for name in ("sentinel", *RULES)}
    days = market.actions.select("symbol", pl.col("effective_date").alias("date"))
    before = market.bars.filter(pl.col("date") <= market.scored_after)
    for seed in market.seeds:
        wrong, truth = plant_bad_bars(market.scored(market.bars), seed=seed, avoid=days)
        whole = pl.concat([before, wrong]).sort("symbol", "date")
        scores["sentinel"].append(score_detection(truth, flagged(market, whole, settings), wrong))
        prices = adjusted(market, whole)
        for name, rule in RULES.items():
            scores[name].append(score_detection(truth, market.scored(rule(prices)), wrong))
    return {name: _summary(runs) for name, runs in scores.items()}, {
        name: _pooled(runs) for name, runs in scores.items()
    }


def _summary(runs):
    table = _pooled(runs).filter("is_material")
    total = table["planted"].sum()
    return {
        "planted": total,
        "recall_on_night": (table["night"] * table["planted"]).sum() / total,
        "recall_with_hindsight": (table["later"] * table["planted"]).sum() / total,
        "precision": sum(run.precision for run in runs) / len(runs),
        "false_per_10_000": sum(run.false_per_10_000 for run in runs) / len(runs),
    }


def _pooled(runs):
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
