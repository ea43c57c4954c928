"""The synthetic market as a history to serve, and the markets that tests and scorecards name."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.errors import ConfigurationError
from quant_assets.replay.history import Listing
from quant_assets.replay.synthetic.parameters import EventRates, MarketParameters, RegimeParameters, RegimeState
from quant_assets.replay.synthetic.paths import MarketPath, market_path, symbol_path
from quant_assets.replay.synthetic.simulation import SimulatedSymbol, simulate_market_index, simulate_symbol
from quant_assets.replay.synthetic.truth import MarketTruth, truth_of

__all__ = ["FIRST_SESSION", "MARKET_SYMBOL", "SyntheticHistory", "noise_market", "reference_market", "signal_market"]

MARKET_SYMBOL = "MKT"
FIRST_SESSION = dt.date(2000, 1, 3)
_SESSIONS_A_YEAR = 252


class SyntheticHistory:
    """A seeded market: ``MKT`` and symbols ``SYM000``, ``SYM001``, and so on, over sessions of the exchange.

    Symbols are simulated when first asked for, a few milliseconds each, and kept. Neither the number of symbols nor
    the number of sessions changes what is common to two markets of the same seed and parameters.

    Parameters
    ----------
    seed : int
        Not negative.
    symbols : int
        Besides the market.
    years : int
        Of 252 sessions; ``sessions`` overrules it.
    sessions : int, optional
        Exact number of sessions.
    start : date
        The first session is the first one on or after it.
    parameters : MarketParameters
    rates : EventRates
        ``EventRates.none()`` gives clean prices.

    Raises
    ------
    ConfigurationError
        Where the sizes are not positive or the exchange calendar ends before the market does.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        symbols: int = 20,
        years: int = 20,
        sessions: int | None = None,
        start: dt.date = FIRST_SESSION,
        parameters: MarketParameters | None = None,
        rates: EventRates | None = None,
    ) -> None:
        count = years * _SESSIONS_A_YEAR if sessions is None else sessions
        if seed < 0 or symbols < 1 or count < 1:
            raise ConfigurationError(
                "a synthetic market needs a seed of 0 or more, at least one symbol and at least one session"
            )
        self.seed = seed
        self.parameters = parameters or MarketParameters()
        self.rates = rates or EventRates()
        self._start = start
        self.dates = _sessions_from(start, count)
        self._numbers = {f"SYM{number:03d}": number + 1 for number in range(symbols)}
        self._simulated: dict[str, SimulatedSymbol] = {}

    @property
    def identity(self) -> str:
        """``synthetic-<seed>``; a start, parameters or rates of one's own add a suffix of eight hex digits."""
        default = (FIRST_SESSION, MarketParameters(), EventRates())
        own = (self._start, self.parameters, self.rates)
        if own == default:
            return f"synthetic-{self.seed}"
        return f"synthetic-{self.seed}-{hashlib.sha256(repr(own).encode()).hexdigest()[:8]}"

    @property
    def last_session(self) -> dt.date:
        """The last session simulated."""
        last: dt.date = self.dates[-1].item()
        return last

    @cached_property
    def market(self) -> MarketPath:
        """States, log returns and volatilities of the market."""
        return market_path(self.parameters, self.seed, len(self.dates))

    def symbols(self) -> tuple[str, ...]:
        """``MKT`` and the symbols."""
        return (MARKET_SYMBOL, *self._numbers)

    def simulated(self, symbol: str) -> SimulatedSymbol:
        """Everything about one symbol, the truth behind its bars included."""
        found = self._simulated.get(symbol)
        if found is None:
            found = self._simulated[symbol] = self._simulate(symbol)
        return found

    def listing(self, symbol: str) -> Listing:
        """Name and listing interval."""
        return self.simulated(symbol).listing

    def bars(self, symbol: str) -> pl.DataFrame:
        """Bars as the vendor ends up serving them: anomalies, holes and halts included."""
        return self.simulated(symbol).frames.bars

    def splits(self, symbol: str) -> pl.DataFrame:
        """Listed splits; a missed one is not among them."""
        return self.simulated(symbol).frames.splits

    def dividends(self, symbol: str) -> pl.DataFrame:
        """Dividends."""
        return self.simulated(symbol).frames.dividends

    def restatements(self, symbol: str) -> pl.DataFrame:
        """Values first served differently."""
        return self.simulated(symbol).frames.restatements

    def truth(self) -> MarketTruth:
        """The truth of the whole market; simulates every symbol."""
        names = np.array([regime.state.value for regime in self.parameters.regimes])
        regimes = pl.DataFrame(
            {
                "date": self.dates,
                "regime": names[self.market.states],
                "log_return": self.market.log_returns,
                "volatility": self.market.volatilities,
            },
            schema_overrides={"date": pl.Date()},
        )
        return truth_of(regimes, [self.simulated(symbol) for symbol in self.symbols()])

    def _simulate(self, symbol: str) -> SimulatedSymbol:
        if symbol == MARKET_SYMBOL:
            return simulate_market_index(symbol, self.market, self.seed, self.dates)
        number = self._numbers[symbol]
        path = symbol_path(self.parameters, self.market, self.seed, number)
        return simulate_symbol(symbol, path, self.rates, seed=self.seed, number=number, dates=self.dates)


def _sessions_from(start: dt.date, count: int) -> npt.NDArray[np.datetime64]:
    sessions = new_york_calendar().sessions
    first = int(np.searchsorted(sessions, np.array(start, dtype="datetime64[D]")))
    dates = sessions[first : first + count]
    if len(dates) < count:
        raise ConfigurationError(
            f"the exchange calendar holds {len(dates)} sessions from {start}, not {count}; "
            "ask for fewer years or an earlier start"
        )
    return dates


def reference_market(seed: int, *, symbols: int = 20, years: int = 20) -> SyntheticHistory:
    """The reference market for regimes: its parameters alone, no other clusters, no events, clean prices."""
    parameters = replace(MarketParameters(), cluster_log_sd=0.0)
    return SyntheticHistory(seed=seed, symbols=symbols, years=years, parameters=parameters, rates=EventRates.none())


def noise_market(seed: int, *, symbols: int = 20, years: int = 20) -> SyntheticHistory:
    """Independent symbols without drift, regimes or memory: nothing can be predicted, and nothing must be found."""
    parameters = MarketParameters(
        regimes=(RegimeParameters(RegimeState.SIDEWAYS, 0.0, 1.5, 2.0),),
        cluster_log_sd=0.0,
        beta_range=(0.0, 0.0),
        idiosyncratic_range=(1.0, 1.0),
    )
    return SyntheticHistory(seed=seed, symbols=symbols, years=years, parameters=parameters, rates=EventRates.none())


def signal_market(seed: int, *, symbols: int = 20, years: int = 20, autocorrelation: float = 0.15) -> SyntheticHistory:
    """The noise market with one planted signal: tomorrow's return follows today's with a known correlation."""
    noise = noise_market(seed, symbols=symbols, years=years)
    parameters = replace(noise.parameters, autocorrelation=autocorrelation)
    return SyntheticHistory(seed=seed, symbols=symbols, years=years, parameters=parameters, rates=EventRates.none())
