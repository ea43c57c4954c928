"""Tables of the ``regimes`` schema. The feature store joins the first two."""

from __future__ import annotations

from quant_assets.foundation.tables import Column, Table
from quant_assets.regimes.features import FEATURES
from quant_assets.regimes.states import STATES

__all__ = [
    "EVALUATION",
    "MARKET_FEATURES",
    "MARKET_REGIMES",
    "MODELS",
    "REGIME_CHANGES",
    "SYMBOL_REGIMES",
    "TABLES",
]

_REGIME = Column("regime", "VARCHAR", "Most probable state: bullish, bearish, sideways or high_volatility.")
_PROBABILITIES = tuple(
    Column(
        f"p_{state}",
        "DOUBLE",
        f"Filtered probability of the {state.replace('_', ' ')} state, from rows up to this session and a model "
        "fitted before it.",
        "probability",
    )
    for state in ("bullish", "bearish", "sideways", "high_volatility")
)
_MODEL_VERSION = Column("model_version", "VARCHAR", "Model that gave the probabilities.")

MARKET_REGIMES = Table(
    schema="regimes",
    name="market_regimes",
    key=("date",),
    description="One row per session: the regime of the market symbol as known after that session's close.",
    columns=(Column("date", "DATE", "Exchange session."), _REGIME, *_PROBABILITIES, _MODEL_VERSION),
)

SYMBOL_REGIMES = Table(
    schema="regimes",
    name="symbol_regimes",
    key=("symbol", "date"),
    description="One row per symbol and session: the symbol's own regime, as it could be known after that close.",
    columns=(
        Column("symbol", "VARCHAR", "Symbol as the vendor writes it."),
        Column("date", "DATE", "Exchange session."),
        _REGIME,
        *_PROBABILITIES,
        _MODEL_VERSION,
    ),
)

MARKET_FEATURES = Table(
    schema="regimes",
    name="market_features",
    key=("date",),
    description=(
        "One row per session: what the market's model looks at, computed once from closes up to that session and kept "
        "as it was known then."
    ),
    columns=(
        Column("date", "DATE", "Exchange session."),
        Column("symbol", "VARCHAR", "Symbol that stands for the market."),
        *(
            Column(
                feature.name,
                "DOUBLE",
                f"{feature.description[0].upper()}{feature.description[1:]}.",
                feature.unit,
                nullable=True,
            )
            for feature in FEATURES
        ),
        Column("rule_regime", "VARCHAR", "Label of the two-rule threshold, for comparison and for short histories."),
    ),
)

MODELS = Table(
    schema="regimes",
    name="models",
    key=("model_version",),
    description="One row per refit date and kind of model: what was fitted on which sessions, or why nothing was.",
    columns=(
        Column("model_version", "VARCHAR", "Such as regime-market-2008-09 or regime-symbols-2008."),
        Column("kind", "VARCHAR", "market, or symbols for the model pooled over all symbols."),
        Column("status", "VARCHAR", "fitted, or failed: then the model before stays in force."),
        Column("reason", "VARCHAR", "Why the fit failed; empty where it did not."),
        Column("effective_from", "DATE", "First date that the model may label."),
        Column("fitted_from", "DATE", "First session of the training window."),
        Column("fitted_to", "DATE", "Last session of the training window, before effective_from."),
        Column("states", "INTEGER", "Number of states."),
        Column("sessions", "BIGINT", "Rows fitted on.", nullable=True),
        Column(
            "log_likelihood",
            "DOUBLE",
            "Of the training window, each feature's log density times its weight.",
            "nats",
            nullable=True,
        ),
        *(
            Column(
                f"expected_stay_{state}", "DOUBLE", f"Expected stay in the {state} state.", "sessions", nullable=True
            )
            for state in STATES
        ),
        Column("transition", "VARCHAR", "JSON: rows from, columns to, in the order of the states.", nullable=True),
        Column("attempts", "VARCHAR", "JSON: each start of the fit and what came of it."),
        Column("parameters", "VARCHAR", "JSON: everything needed to filter with the model again.", nullable=True),
        Column("fitted_at", "TIMESTAMPTZ", "Source's clock when the model was fitted."),
    ),
)

REGIME_CHANGES = Table(
    schema="regimes",
    name="regime_changes",
    key=("scope", "date"),
    description="One row per confirmed change of a label, of the market or of one symbol.",
    columns=(
        Column("scope", "VARCHAR", "market, or the symbol."),
        Column("date", "DATE", "First session that carries the new label."),
        Column("before", "VARCHAR", "Label of the session before."),
        Column("after", "VARCHAR", "New label."),
        Column(
            "probability", "DOUBLE", "Filtered probability of the new state; 1 where the rule labels.", "probability"
        ),
        Column("cause", "VARCHAR", "evidence, or first_model on the session where a model takes over from the rule."),
        Column(
            "features_moved",
            "VARCHAR",
            "The three features that moved most: mean of 5 sessions against the 60 before, in standard deviations.",
        ),
        Column("model_version", "VARCHAR", "Model that gave the probability."),
        Column("detected_at", "TIMESTAMPTZ", "Source's clock when the change was found."),
    ),
)

EVALUATION = Table(
    schema="regimes",
    name="evaluation",
    key=("source", "method", "measure", "slice"),
    description=(
        "One row per figure: each method under the same causal protocol, on the reference synthetic market with known "
        "regimes (reference) and on the stored history (history)."
    ),
    columns=(
        Column("source", "VARCHAR", "reference or history."),
        Column(
            "method",
            "VARCHAR",
            "hmm, gaussian_mixture, pca_kmeans, threshold, markov_switching; on the reference market also ceiling, the "
            "filter with the true parameters, and ceiling_labelled, the same under the persistence rule.",
        ),
        Column("measure", "VARCHAR", "What is measured; the unit is part of the name."),
        Column("slice", "VARCHAR", "all, the seed of a market, a regime, or a date."),
        Column("value", "DOUBLE", "The figure; null where there is none (a regime that never came).", nullable=True),
        Column("standard_error", "DOUBLE", "Of the mean over seeds, or Newey-West with 20 lags.", nullable=True),
        Column("detail", "VARCHAR", "The label on a known date; empty otherwise."),
        Column("computed_at", "TIMESTAMPTZ", "When the figure last changed, by the source's clock."),
    ),
)

TABLES = (MARKET_REGIMES, SYMBOL_REGIMES, MARKET_FEATURES, MODELS, REGIME_CHANGES, EVALUATION)
