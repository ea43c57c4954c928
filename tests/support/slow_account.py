"""The account written out in plain Python, from the documentation and not from the compiled code."""

import math


def _whole(x, on):
    return math.copysign(math.floor(abs(x) + 1e-9), x) if on else x


class SlowAccount:
    """One dictionary per quantity, one loop per rule."""

    def __init__(self, panel, rules, costs, impact):
        self.panel, self.rules, self.costs, self.impact = panel, rules, costs, impact
        self.cash = rules.capital
        self.shares = [0.0] * panel.shape[1]
        self.orders = {}
        self.entitled = {}
        self.marks = [0.0] * panel.shape[1]
        self.idle = [0] * panel.shape[1]
        self.equity = rules.capital
        self.ruined = False
        self.events = []
        self.spent = 0.0

    def _fee(self, t, s, shares, price):
        if shares == 0:
            return 0.0
        c, value = self.costs, abs(shares) * price
        fixed = max(c.minimum, abs(shares) * c.per_share + value * (c.commission_bps + c.half_spread_bps) / 1e4)
        return fixed + c.impact * self.impact[t, s] * math.sqrt(value) * value

    def _price(self, t, s):
        p = self.panel
        bar = p.close[t, s] > 0 and p.volume[t, s] != 0
        price = p.open[t, s] if self.rules.fill == "open" else p.close[t, s]
        return float(price) if bar and price > 0 else None

    def _overnight(self, days):
        r = self.rules
        short = sum(-n * m for n, m in zip(self.shares, self.marks, strict=True) if n < 0)
        free = self.cash - short
        interest = free * (r.margin_rate_ann if free < 0 else r.cash_rate_ann)
        self.cash -= (short * r.borrow_rate_ann - interest) * days / 365

    def _actions(self, t):
        for s in range(len(self.shares)):
            ratio, dividend = float(self.panel.split[t, s]), float(self.panel.dividend[t, s])
            self.shares[s] *= ratio
            self.marks[s] /= ratio
            if s in self.orders and self.rules.sizing == "decision":
                self.orders[s] *= ratio
            whole = _whole(self.shares[s], self.rules.whole_shares and ratio != 1)
            self.cash += (self.shares[s] - whole) * self.marks[s]
            self.shares[s] = whole
            paid = self.shares[s] * dividend
            self.cash += paid
            if paid > 0 and self.rules.reinvest_dividends and self._price(t, s) is not None:
                self.entitled[s] = self.shares[s]

    def _reinvest(self, t, floor):
        for s, before in self.entitled.items():
            close, kept = float(self.panel.close[t, s]), max(min(before, self.shares[s]), 0)
            money = min(kept * float(self.panel.dividend[t, s]), max(self.cash - floor, 0))
            bought = _whole(money / close, self.rules.whole_shares)
            self.shares[s] += bought
            self.cash -= bought * close
        self.entitled = {}

    def _fill(self, t):
        prices = [self._price(t, s) for s in range(len(self.shares))]
        worth = [n * (p if p is not None else m) for n, p, m in zip(self.shares, prices, self.marks, strict=True)]
        equity = self.cash + sum(worth)
        if equity <= 0:
            return
        live = [s for s in sorted(self.orders) if prices[s] is not None]
        fixed = sum(abs(w) for s, w in enumerate(worth) if s not in live)
        by_weight = self.rules.sizing == "fill"
        cost = 0.0
        for _ in range(200):
            money = equity - cost
            asked = sum(abs(self.orders[s]) * (money if by_weight else prices[s]) for s in live)
            free = max(self.rules.max_leverage * money - fixed, 0.0)
            scale = 1.0 if asked <= free * (1 + 1e-12) else free / asked
            trades, rest = {}, {}
            for s in live:
                wanted = self.orders[s] * scale * (money / prices[s] if by_weight else 1.0)
                change = _whole(wanted, self.rules.whole_shares) - self.shares[s]
                capped = min(max(change, -self._cap(t, s)), self._cap(t, s))
                rest[s] = (abs(change) - self._cap(t, s)) * prices[s] > 1e-8 * equity
                trades[s] = capped if abs(capped) * prices[s] > 1e-8 * equity else 0.0
            again = sum(self._fee(t, s, n, prices[s]) for s, n in trades.items())
            if abs(again - cost) < 1e-13 * equity:
                break
            cost = again
        for s, n in trades.items():
            fee = self._fee(t, s, n, prices[s])
            self.cash -= n * prices[s] + fee
            self.shares[s] += n
            self.spent += fee
            if not rest[s]:
                del self.orders[s]

    def _cap(self, t, s):
        if self.rules.participation == 0 or math.isnan(self.panel.volume[t, s]):
            return math.inf
        return _whole(self.rules.participation * float(self.panel.volume[t, s]), self.rules.whole_shares)

    def session(self, t, targets, days):
        """One session; ``targets`` maps symbols to weights decided at its close."""
        if self.ruined:
            return
        self._overnight(days)
        floor = min(self.cash, 0)
        self._actions(t)
        if self.orders:
            self._fill(t)
        self._reinvest(t, floor)
        for s in range(len(self.shares)):
            has_bar = self.panel.close[t, s] > 0
            self.idle[s] = 0 if has_bar else self.idle[s] + 1
            if has_bar:
                self.marks[s] = float(self.panel.close[t, s])
            if self.idle[s] == self.rules.halt_limit:
                side = 1 if self.shares[s] > 0 else -1
                self.cash += self.shares[s] * self.marks[s] * (1 - side * self.rules.delisting_haircut)
                self.shares[s] = 0.0
                self.orders.pop(s, None)
        self.equity = self.cash + sum(n * m for n, m in zip(self.shares, self.marks, strict=True))
        if self.equity <= 0:
            self.ruined, self.equity, self.cash = True, 0.0, 0.0
            self.shares = [0.0] * len(self.shares)
            return
        for s, weight in targets.items():
            if weight == 0 and self.shares[s] == 0:
                self.orders.pop(s, None)
                continue
            if self.rules.sizing == "decision":
                self.orders[s] = weight * self.equity / self.marks[s] if self.marks[s] > 0 else 0.0
            else:
                self.orders[s] = weight
