"""What the signal models look at: the scale-free features of version 2, the regime probabilities among them.

Price and volume levels are left out, since a model that pools symbols must not know which one it looks at; so is
Williams %R, which is the stochastic less 100. Each feature has a phrase for the reasons; the full definitions are in
the store's contract.
"""

from __future__ import annotations

from quant_assets.features.consumers import FeatureConsumer
from quant_assets.signals.heuristic import RULE_FEATURES

__all__ = [
    "CONSUMERS",
    "FEATURES",
    "FEATURE_VERSION",
    "HEURISTIC_CONSUMER",
    "PHRASES",
    "REGIME_COLUMN",
    "VOLATILITY_LEVELS",
    "rising_features",
]

FEATURE_VERSION = 2

PHRASES: dict[str, str] = {
    "rsi_14": "RSI",
    "bb_position": "position in the Bollinger band",
    "bb_width": "width of the Bollinger band",
    "volume_ratio": "volume against its 20-session mean",
    "price_change_1d": "return of the session",
    "price_change_5d": "return over 5 sessions",
    "price_change_20d": "return over 20 sessions",
    "high_low_range": "range of the session",
    "sma_5_distance": "distance to the 5-session mean",
    "sma_10_distance": "distance to the 10-session mean",
    "sma_20_distance": "distance to the 20-session mean",
    "sma_50_distance": "distance to the 50-session mean",
    "sma_200_distance": "distance to the 200-session mean",
    "ema_12_distance": "distance to the 12-session exponential mean",
    "ema_26_distance": "distance to the 26-session exponential mean",
    "macd_signal_ratio": "MACD signal line",
    "macd_hist_ratio": "MACD histogram",
    "plus_di_14": "upward directional movement",
    "minus_di_14": "downward directional movement",
    "adx_14": "strength of trend (ADX)",
    "stochastic_k_14": "stochastic %K",
    "stochastic_d_14": "stochastic %D",
    "cci_20": "commodity channel index",
    "mfi_14": "money flow index",
    "rate_of_change_10d": "return over 10 sessions",
    "rate_of_change_60d": "return over 60 sessions",
    "momentum_12_1": "12-1 month momentum",
    "drawdown_252d": "distance from the year's high",
    "overnight_return_1d": "return of the night",
    "intraday_return_1d": "return from open to close",
    "overnight_return_20d": "returns of 20 nights",
    "intraday_return_20d": "returns of 20 days from open to close",
    "return_skewness_60": "skewness of 60 returns",
    "return_autocorrelation_60": "autocorrelation of 60 returns",
    "natr_14": "average true range",
    "realised_volatility_ann_20": "volatility of 20 sessions",
    "realised_volatility_ann_60": "volatility of 60 sessions",
    "volatility_term_ratio": "short against long volatility",
    "parkinson_volatility_ann_20": "volatility from ranges (Parkinson)",
    "garman_klass_volatility_ann_20": "volatility from ranges (Garman-Klass)",
    "yang_zhang_volatility_ann_20": "volatility from bars (Yang-Zhang)",
    "downside_deviation_ann_60": "downside deviation",
    "obv_change_20d": "on-balance volume over 20 sessions",
    "amihud_illiquidity_20": "illiquidity (Amihud)",
    "dollar_volume_zscore_60": "value traded against its habit",
    "market_beta_252": "beta to the market",
    "market_correlation_252": "correlation with the market",
    "idiosyncratic_volatility_ann_252": "volatility apart from the market",
    "price_change_20d_rank": "rank of the 20-session return",
    "momentum_12_1_rank": "rank of the momentum",
    "drawdown_252d_rank": "rank of the drawdown",
    "realised_volatility_ann_60_rank": "rank of the volatility",
    "market_beta_252_rank": "rank of the beta",
    "dollar_volume_20_rank": "rank of the value traded",
    "amihud_illiquidity_20_rank": "rank of the illiquidity",
    "day_of_week": "day of the week",
    "is_month_end": "end of the month",
    "market_p_bullish": "probability of a bullish market",
    "market_p_bearish": "probability of a bearish market",
    "market_p_sideways": "probability of a sideways market",
    "market_p_high_volatility": "probability of a volatile market",
    "symbol_p_bullish": "probability of a bullish symbol",
    "symbol_p_bearish": "probability of a bearish symbol",
    "symbol_p_sideways": "probability of a sideways symbol",
    "symbol_p_high_volatility": "probability of a volatile symbol",
}
"""Feature -> phrase. A feature that the reasons do not know is called by its name."""

FEATURES: tuple[str, ...] = tuple(PHRASES)

VOLATILITY_LEVELS: tuple[str, ...] = (
    "natr_14",
    "realised_volatility_ann_20",
    "realised_volatility_ann_60",
    "parkinson_volatility_ann_20",
    "garman_klass_volatility_ann_20",
    "yang_zhang_volatility_ann_20",
    "downside_deviation_ann_60",
    "idiosyncratic_volatility_ann_252",
)

REGIME_COLUMN = "market_regime"
"""Read for slices of the evaluation, never by the models."""

_READ = (*FEATURES, REGIME_COLUMN)
HEURISTIC_CONSUMER = FeatureConsumer("signals.heuristic", FEATURE_VERSION, RULE_FEATURES)
CONSUMERS: tuple[FeatureConsumer, ...] = (
    FeatureConsumer("signals.direction", FEATURE_VERSION, _READ),
    FeatureConsumer("signals.jump", FEATURE_VERSION, _READ),
    HEURISTIC_CONSUMER,
)
"""What the room declares to the catalogue. The two named models read the same columns."""


def rising_features(threshold: float) -> tuple[str, ...]:
    """Features that may only raise the probability of a return over ``threshold``.

    For any law of returns with a median near zero, a wider one has more mass beyond a threshold above zero. A model
    that learned the opposite somewhere learned noise. The constraint costs 0.1 points of skill out of 8.3 on the
    packaged history, within the error, and holds outside the range seen. Nothing of the kind holds for a threshold
    of zero.
    """
    return VOLATILITY_LEVELS if threshold > 0.0 else ()
