"""What backtests read from other rooms, lined up with a price panel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.backtests.trials import Trial
from quant_assets.strategies import PricePanel

__all__ = ["Inputs"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Tables as long frames, nothing later than the run's as-of date.

    Parameters
    ----------
    bars : polars.DataFrame
        symbol, date, open, high, low, close, volume as traded, withheld bars left out.
    actions : polars.DataFrame
        symbol, effective_date, kind, value.
    predictions : polars.DataFrame
        symbol, date, probability: walk-forward predictions of one model version; may be empty.
    regimes : polars.DataFrame
        date, regime as filtered at that close; may be empty.
    tradable, indices : tuple of str
        Symbols of the universe that can and cannot be held.
    market : str, optional
        Symbol that stands for the market.
    tried : mapping of Trial to float
        Sharpe ratios of what was asked for in earlier calls; they deflate those of a new one.
    nightly : mapping of Trial to float
        Sharpe ratios of the default set as it is stored; they deflate those of any request.
    """

    bars: pl.DataFrame = field(repr=False)
    actions: pl.DataFrame = field(repr=False)
    predictions: pl.DataFrame = field(repr=False)
    regimes: pl.DataFrame = field(repr=False)
    tradable: tuple[str, ...] = ()
    indices: tuple[str, ...] = ()
    market: str | None = None
    tried: Mapping[Trial, float] = field(default_factory=dict, repr=False)
    nightly: Mapping[Trial, float] = field(default_factory=dict, repr=False)

    def panel(self, symbols: tuple[str, ...]) -> PricePanel:
        """Prices of some symbols."""
        return PricePanel.from_frames(self.bars, self.actions, symbols)

    def probability(self, panel: PricePanel) -> Floats | None:
        """Probabilities of shape (n_sessions, n_symbols), NaN where there is none; None without any."""
        wanted = self.predictions.filter(pl.col("symbol").is_in(panel.symbols))
        if wanted.is_empty():
            return None
        grid = np.full(panel.shape, np.nan)
        column = {symbol: i for i, symbol in enumerate(panel.symbols)}
        days = wanted["date"].to_numpy().astype("datetime64[D]")
        rows = np.searchsorted(panel.dates, days)
        inside = (rows < len(panel.dates)) & (panel.dates[np.minimum(rows, len(panel.dates) - 1)] == days)
        columns = np.array([column[symbol] for symbol in wanted["symbol"]])
        grid[rows[inside], columns[inside]] = wanted["probability"].to_numpy()[inside]
        return grid

    def regime(self, panel: PricePanel) -> npt.NDArray[np.str_] | None:
        """Regime at each session's close, empty where there is none; None without any."""
        if self.regimes.is_empty():
            return None
        sessions = pl.DataFrame({"date": pl.Series(panel.dates).cast(pl.Date)})
        joined = sessions.join(self.regimes.select("date", "regime"), on="date", how="left", maintain_order="left")
        return np.array(joined["regime"].fill_null("").to_list(), dtype=np.str_)

    def market_returns(self, panel: PricePanel) -> Floats:
        """Total returns of the market between the panel's sessions, shape (n_sessions - 1,); empty without one.

        A session without a bar of the market counts as unchanged; so does the time before its first bar.
        """
        if self.market is None or self.bars.filter(pl.col("symbol") == self.market).is_empty():
            return np.zeros(0)
        market = PricePanel.from_frames(self.bars, self.actions, [self.market])
        rows = np.searchsorted(market.dates, panel.dates, side="right") - 1
        worth = np.where(rows >= 0, (market.mark * market.growth)[np.maximum(rows, 0), 0], np.nan)
        returns = worth[1:] / worth[:-1] - 1.0
        return np.where(np.isfinite(returns), returns, 0.0)
