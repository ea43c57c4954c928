"""The same two rules on other engines; runs in the rivals' environment and prints JSON.

usage: engines.py ENGINE RULE PRICES.csv    (columns date, open, high, low, close, volume)

Signals are computed here again, with pandas or by the engine itself, never taken from the project.
"""

from __future__ import annotations

import json
import sys
import warnings

import numpy as np
import pandas as pd

CASH, FEE = 100_000.0, 0.001
FAST, SLOW = 20, 100
WINDOW, LOW, HIGH = 14, 30, 55

warnings.filterwarnings("ignore")


def wilder_rsi(close: pd.Series, window: int) -> pd.Series:
    """Wilder's RSI: the first average is simple, later ones are (previous * (n - 1) + new) / n."""
    change = close.diff().to_numpy()
    up, down = np.maximum(change, 0), np.maximum(-change, 0)
    out = np.full(len(close), np.nan)
    gain, loss = up[1 : window + 1].mean(), down[1 : window + 1].mean()
    for i in range(window, len(close)):
        if i > window:
            gain, loss = (gain * (window - 1) + up[i]) / window, (loss * (window - 1) + down[i]) / window
        out[i] = 100 * gain / (gain + loss)
    return pd.Series(out, index=close.index)


def wanted(rule: str, close: pd.Series) -> pd.Series:
    """1 to hold, 0 to stay out, decided at each close."""
    if rule == "sma":
        fast, slow = close.rolling(FAST).mean(), close.rolling(SLOW).mean()
        return (fast > slow).astype(float).where(slow.notna(), 0.0)
    rsi = wilder_rsi(close, WINDOW)
    state = pd.Series(np.nan, index=close.index)
    state[rsi < LOW] = 1.0
    state[rsi > HIGH] = 0.0
    return state.ffill().fillna(0.0)


def with_backtesting(rule: str, prices: pd.DataFrame) -> dict:
    from backtesting import Backtest, Strategy

    target = wanted(rule, prices["close"]).to_numpy()

    class Rule(Strategy):
        def init(self):
            pass

        def next(self):
            hold = target[len(self.data) - 1]
            if hold and not self.position:
                self.buy()
            elif not hold and self.position:
                self.position.close()

    frame = prices.rename(columns=str.capitalize)
    stats = Backtest(frame, Rule, cash=CASH, commission=FEE, exclusive_orders=False, finalize_trades=False).run()
    trades = stats["_trades"]
    return {
        "equity": stats["_equity_curve"]["Equity"].tolist(),
        "trades": [
            [
                str(row.EntryTime.date()),
                float(row.EntryPrice),
                str(row.ExitTime.date()),
                float(row.ExitPrice),
                float(row.Size),
            ]
            for row in trades.itertuples()
        ],
    }


def with_vectorbt(rule: str, prices: pd.DataFrame) -> dict:
    import vectorbt as vbt

    target = wanted(rule, prices["close"]).shift(1).fillna(0.0) > 0
    before = target.shift(1, fill_value=False)
    portfolio = vbt.Portfolio.from_signals(
        prices["close"], target & ~before, ~target & before, price=prices["open"], fees=FEE, init_cash=CASH, freq="1D"
    )
    closed = portfolio.trades.closed.records_readable
    return {
        "equity": portfolio.value().tolist(),
        "trades": [
            [
                str(pd.Timestamp(row["Entry Timestamp"]).date()),
                float(row["Avg Entry Price"]),
                str(pd.Timestamp(row["Exit Timestamp"]).date()),
                float(row["Avg Exit Price"]),
                float(row["Size"]),
            ]
            for _, row in closed.iterrows()
        ],
    }


def with_backtrader(rule: str, prices: pd.DataFrame) -> dict:
    import backtrader as bt

    class Rule(bt.Strategy):
        def __init__(self):
            self.values, self.closed, self.entry = [], [], None
            if rule == "sma":
                self.fast, self.slow = bt.ind.SMA(period=FAST), bt.ind.SMA(period=SLOW)
            else:
                self.rsi = bt.ind.RSI_SMMA(period=WINDOW)

        def prenext(self):
            self.values.append(self.broker.getvalue())

        def next(self):
            self.values.append(self.broker.getvalue())
            hold = self.wants()
            if hold and not self.position:
                self.order_target_percent(target=0.5)
            elif not hold and self.position:
                self.close()

        def wants(self):
            if rule == "sma":
                return self.fast[0] > self.slow[0]
            return self.rsi[0] < LOW or (bool(self.position) and self.rsi[0] <= HIGH)

        def notify_order(self, order):
            if order.status != order.Completed:
                return
            fill = [str(bt.num2date(order.executed.dt).date()), order.executed.price]
            if order.isbuy():
                self.entry = [*fill, order.executed.size]
            else:
                self.closed.append([*self.entry[:2], *fill, float(self.entry[2])])

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.addstrategy(Rule)
    cerebro.adddata(bt.feeds.PandasData(dataname=prices))
    cerebro.broker.setcash(CASH)
    cerebro.broker.setcommission(commission=FEE)
    ran = cerebro.run()[0]
    return {"equity": ran.values, "trades": ran.closed}


if __name__ == "__main__":
    engine, rule, path = sys.argv[1:4]
    data = pd.read_csv(path, parse_dates=["date"]).set_index("date")
    run = {"backtesting": with_backtesting, "vectorbt": with_vectorbt, "backtrader": with_backtrader}[engine]
    print(json.dumps(run(rule, data)))
