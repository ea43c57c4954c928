"""Drift: retrainings asked for on a market whose law never changes, and sessions until a planted change is confirmed.

The reference market: its regimes come and go, its law stays. ``jump`` is trained on ten years of ten plain features and
watched every session of the next ten, the champion staying what it is. A false alarm is a confirmed drift after 60
sessions without one; a request is what the sensor makes of it, one in 20 sessions at most while drift lasts. For the
planted changes, every return is multiplied for good a year into the watch.

Run: python -m benchmarks.signals_drift [--markets 4]
"""

from __future__ import annotations

import argparse
import datetime as dt
from dataclasses import dataclass

import numpy as np
import polars as pl

from quant_assets.foundation.reference_market import REFERENCE, ReferencePath, reference_path
from quant_assets.signals.drift import STRIKE_SESSIONS, CurrentWindow, PastReport, drift_measures, strike_sessions
from quant_assets.signals.drift_reference import WINDOW_SESSIONS
from quant_assets.signals.labels import forward_labels
from quant_assets.signals.model_spec import DEFAULT_MODELS
from quant_assets.signals.signal_model import SignalModel
from quant_assets.signals.training import Circumstances, train_model
from quant_assets.signals.training_table import training_table
from sensors.drift_sensor import COOL_DOWN_SESSIONS

TRAINED, YEAR = 2520, 252
CHANGES = {"volatility x 1.5": 1.5, "volatility x 2": 2.0, "volatility x 3": 3.0}
NAMES = ("r1", "r5", "r20", "r60", "vol20", "vol60", "vol_ratio", "drawdown", "market_r20", "market_vol20")
SPEC = next(spec for spec in DEFAULT_MODELS if spec.name == "jump")
NOW = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Panel:
    """A market as features and closes, sorted by date, then symbol."""

    features: pl.DataFrame
    closes: pl.DataFrame
    sessions: np.ndarray

    def head(self, sessions: int) -> Panel:
        """The first so many sessions."""
        seen = pl.col("date") <= self.sessions[sessions - 1].item()
        return Panel(self.features.filter(seen), self.closes.filter(seen), self.sessions[:sessions])


def make_panel(path: ReferencePath, *, factor: float = 1.0, since: int | None = None) -> Panel:
    """The market's features; from session ``since`` on every return is multiplied by ``factor``."""
    returns = path.symbol_returns.copy()
    if since is not None:
        returns[since:] *= factor
    days = np.arange(np.datetime64("2003-01-01"), np.datetime64("2035-01-01"))
    sessions = days[np.is_busday(days)][: len(returns)]
    symbols = [f"S{number:02d}" for number in range(returns.shape[1])]
    wide = pl.DataFrame({"date": sessions, **dict(zip(symbols, returns.T, strict=True))})
    market = pl.col("r1").mean().over("date")
    r, by = pl.col("r1"), "symbol"
    level = r.cum_sum().over(by)
    frame = (
        wide.unpivot(index="date", variable_name="symbol", value_name="r1")
        .with_columns(pl.col("date").cast(pl.Date), level=level, market=market)
        .sort("symbol", "date")
        .with_columns(
            *(r.rolling_sum(n).over(by).alias(f"r{n}") for n in (5, 20, 60)),
            *(r.rolling_std(n).over(by).alias(f"vol{n}") for n in (20, 60)),
            drawdown=pl.col("level") - pl.col("level").rolling_max(YEAR, min_samples=1).over(by),
            market_r20=pl.col("market").rolling_sum(20).over(by),
            market_vol20=pl.col("market").rolling_std(20).over(by),
            close=100 * pl.col("level").exp(),
        )
        .with_columns(vol_ratio=pl.col("vol20") / pl.col("vol60"))
        .sort("date", "symbol")
    )
    return Panel(frame.select("symbol", "date", *NAMES), frame.select("symbol", "date", "close"), sessions)


class Watch:
    """One market watched night by night."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._labels = forward_labels(panel.closes, SPEC.label)
        self._symbols = panel.features["symbol"].n_unique()
        ordered = panel.features.join(self._labels, on=["symbol", "date"], how="left").sort("date", "symbol")
        self._label = ordered["label"].fill_null(np.nan).to_numpy()
        self._matrix = ordered.select(NAMES).to_numpy().astype(np.float32)

    def train(self, until: int) -> SignalModel:
        """``jump`` as it is trained on the sessions before ``until``."""
        last = self._panel.sessions[until - 1].item()
        seen = pl.col("date") <= last
        labels = forward_labels(self._panel.closes.filter(seen), SPEC.label)
        table = training_table(self._panel.features.filter(seen), labels, NAMES)
        return train_model(table, SPEC, Circumstances("jump-1", 2, NOW, "")).model

    def confirmed(self, model: SignalModel, begin: int) -> list[int]:
        """Sessions from ``begin`` on at which drift was confirmed."""
        found: list[int] = []
        said = model.probabilities(self._panel.features)
        past: list[PastReport] = []
        for session in range(begin, len(self._panel.sessions)):
            strike = self._is_strike(model, said, session)
            today = PastReport(session, strike)
            if strike and strike_sessions(past, today) >= STRIKE_SESSIONS:
                found.append(session)
            past = [*past[-2 * WINDOW_SESSIONS :], today]
        return found

    def _is_strike(self, model: SignalModel, said: np.ndarray, session: int) -> bool:
        rows = slice((session - WINDOW_SESSIONS) * self._symbols, session * self._symbols)
        # Labels of the newest session are not known; those before the training are not out of sample.
        first = max(session - WINDOW_SESSIONS - 1, TRAINED)
        matured = slice(first * self._symbols, (session - 1) * self._symbols)
        window = CurrentWindow(
            WINDOW_SESSIONS,
            max(session - 1 - first, 0),
            self._matrix[rows],
            said[rows],
            said[matured],
            self._label[matured],
        )
        return next(
            measure.drifted for measure in drift_measures(model.reference, window) if measure.measure == "strike"
        )


def apart(sessions: list[int], gap: int, *, since_last: bool) -> int:
    """How many of these sessions come ``gap`` or more after the last one counted, or after the one before."""
    count, last = 0, -gap
    for session in sessions:
        is_new = session - last >= gap
        count += is_new
        last = session if is_new or since_last else last
    return count


def measure_market(seed: int) -> dict:
    """False alarms and requests in ten years, and the delay of each planted change (None where never)."""
    path = reference_path(np.random.default_rng(seed))
    watch = Watch(make_panel(path))
    model = watch.train(TRAINED)
    sessions = watch.confirmed(model, TRAINED)
    found = {
        "alarms": apart(sessions, WINDOW_SESSIONS, since_last=True),
        "requests": apart(sessions, COOL_DOWN_SESSIONS, since_last=False),
    }
    change = TRAINED + YEAR
    for name, factor in CHANGES.items():
        planted = Watch(make_panel(path, factor=factor, since=change).head(change + YEAR))
        asked = planted.confirmed(model, change)
        found[name] = asked[0] - change if asked else None
    return found


def measure(markets: int) -> dict:
    """Summary over seeds: false alarms and requests a year, and the median delay and the share found of each change."""
    found = [measure_market(seed) for seed in range(markets)]
    years = markets * (REFERENCE.sessions - TRAINED) / YEAR
    summary = {"markets": markets, "years": years}
    summary |= {f"{kind}_per_year": sum(one[kind] for one in found) / years for kind in ("alarms", "requests")}
    for name in CHANGES:
        delays = [one[name] for one in found if one[name] is not None]
        summary[name] = {"found": len(delays), "median": float(np.median(delays)) if delays else None}
    return summary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markets", type=int, default=4)
    markets = parser.parse_args().markets
    found = measure(markets)
    print(f"{markets} reference markets, {found['years']:.0f} years watched\n")
    print(f"false alarms a year, law unchanged      {found['alarms_per_year']:6.2f}")
    print(f"requests a year, repeated while it lasts{found['requests_per_year']:6.2f}")
    for name in CHANGES:
        one = found[name]
        delay = "" if one["median"] is None else f", median {one['median']:.0f} sessions to the confirmation"
        print(f"{name:<25} found within a year in {one['found']} of {markets}{delay}")


if __name__ == "__main__":
    main()
