"""Tables of the ``signals`` schema."""

from __future__ import annotations

from quant_assets.foundation.tables import Column, Table

__all__ = [
    "CHALLENGER_SCORES",
    "CONTRIBUTIONS",
    "DRIFT_REPORTS",
    "MODELS",
    "MODEL_EVENTS",
    "MODEL_METRICS",
    "SIGNALS",
    "TABLES",
    "WALK_FORWARD_PREDICTIONS",
]

_SYMBOL = Column("symbol", "VARCHAR", "Symbol as the vendor writes it.")
_DATE = Column("date", "DATE", "Session whose close the prediction was made on.")
_MODEL = Column("model", "VARCHAR", "Named model: direction, jump, or one of your own.")
_VERSION = Column("model_version", "VARCHAR", "Version, unique over all models, such as jump-3.")

SIGNALS = Table(
    schema="signals",
    name="signals",
    key=("symbol", "date", "model"),
    description=(
        "One row per symbol, session and model, written on the night after the session: a calibrated probability of "
        "the model's event, a recommendation and its reasons. Rows say whether a model or the heuristic made them."
    ),
    columns=(
        _SYMBOL,
        _DATE,
        _MODEL,
        Column(
            "probability",
            "DOUBLE",
            "Calibrated probability of the event; null where no matured label allows one.",
            "probability",
            nullable=True,
        ),
        Column(
            "base_rate",
            "DOUBLE",
            "How often the event happened for this symbol in the training rows; the naive forecast.",
            "probability",
            nullable=True,
        ),
        Column("recommendation", "VARCHAR", "strong_buy, buy, hold, sell or strong_sell."),
        Column("source", "VARCHAR", "model or heuristic."),
        Column("model_version", "VARCHAR", "Version that scored; heuristic where none did."),
        Column("decided_at", "TIMESTAMPTZ", "The source's clock when the row was made; before the outcome was known."),
        Column(
            "edge",
            "DOUBLE",
            "(probability - base rate) over the deviation of the outcome, sqrt(b (1 - b)); recommends, for a model.",
            "standard deviations",
            nullable=True,
        ),
        Column("log_odds", "DOUBLE", "Log-odds of the probability; what the contributions add up to.", nullable=True),
        Column("score", "DOUBLE", "Heuristic score, -1 to 1; recommends, for the heuristic.", nullable=True),
        Column("horizon_days", "INTEGER", "Bars after the session in which the event may happen.", "sessions"),
        Column("threshold", "DOUBLE", "Return that the event exceeds.", "ratio"),
        Column("reasons", "VARCHAR", "What moved the odds most, in words."),
        Column(
            "note",
            "VARCHAR",
            "Why the heuristic or an earlier champion was used; null for the champion.",
            nullable=True,
        ),
    ),
)

CONTRIBUTIONS = Table(
    schema="signals",
    name="contributions",
    key=("symbol", "date", "model", "feature"),
    description=(
        "One row per signal and feature, of the newest 252 sessions: TreeSHAP contributions in log-odds. With the row "
        "(bias) they add up to the signal's log_odds; for the heuristic, its rules do. A heuristic without matured "
        "labels has no log-odds; its rules then add up to its score."
    ),
    columns=(
        _SYMBOL,
        _DATE,
        _MODEL,
        Column("feature", "VARCHAR", "Feature, heuristic rule, (bias) or (calibration)."),
        Column("value", "DOUBLE", "Value of the feature; null where unknown and for the bias.", nullable=True),
        Column("contribution", "DOUBLE", "What it adds to the log-odds.", "log-odds"),
    ),
)

WALK_FORWARD_PREDICTIONS = Table(
    schema="signals",
    name="walk_forward_predictions",
    key=("symbol", "date", "model", "model_version"),
    description=(
        "One row per symbol, session and version of champion and challenger: predictions by models that had not seen "
        "the session, for the whole history and on from the registration, wherever at least half of the features are "
        "known. Backtests use these and nothing else."
    ),
    columns=(
        _SYMBOL,
        _DATE,
        _MODEL,
        _VERSION,
        Column("fold", "INTEGER", "Fold of the walk-forward; the last number + 1 is the registered model itself."),
        Column("probability", "DOUBLE", "Calibrated probability.", "probability"),
        Column("label", "DOUBLE", "1 where the event happened, else 0; null until it is known.", nullable=True),
        Column("base_rate", "DOUBLE", "Naive forecast, from the same training rows.", "probability"),
    ),
)

MODELS = Table(
    schema="signals",
    name="models",
    key=("model", "model_version"),
    description="One row per registered version: what it was fitted on and with, and which alias it holds.",
    columns=(
        _MODEL,
        _VERSION,
        Column("alias", "VARCHAR", "champion or challenger; null for neither.", nullable=True),
        Column("created_at", "TIMESTAMPTZ", "The source's clock at its training."),
        Column("trained_from", "DATE", "First session of the training rows."),
        Column("trained_to", "DATE", "Last session of the training rows."),
        Column("known_on", "DATE", "Session at whose close the last training label was known."),
        Column("feature_version", "INTEGER", "Version of the feature store."),
        Column("features", "VARCHAR", "JSON list of the features, in the model's order."),
        Column("parameters", "VARCHAR", "JSON: label, split, LightGBM's parameters, rounds, calibration."),
        Column("git_revision", "VARCHAR", "Code revision; empty outside a checkout."),
        Column("seed", "INTEGER", "Seed of everything random."),
        Column("horizon_days", "INTEGER", "Bars in which the event may happen.", "sessions"),
        Column("threshold", "DOUBLE", "Return that the event exceeds.", "ratio"),
        Column("rows", "BIGINT", "Training rows."),
        Column("verdict", "VARCHAR", "Why it took the champion's place or did not, on the day of its training."),
        Column("mlflow_run_id", "VARCHAR", "Run in MLflow; null where it could not be recorded.", nullable=True),
    ),
)

MODEL_METRICS = Table(
    schema="signals",
    name="model_metrics",
    key=("model", "model_version", "metric", "slice"),
    description=(
        "One row per version, metric and slice of its out-of-sample predictions, beside the naive figure. Slices: all, "
        "year:, regime:, symbol:, decile:, against:, as of its training; live: a challenger beside the champion (the "
        "base rate without one) on the sessions since, carried on every night while it is held."
    ),
    columns=(
        _MODEL,
        _VERSION,
        Column("metric", "VARCHAR", "Name of the measure."),
        Column("slice", "VARCHAR", "Part of the predictions."),
        Column("value", "DOUBLE", "The model's figure; null where not defined.", nullable=True),
        Column("baseline", "DOUBLE", "The naive figure on the same rows; null where not defined.", nullable=True),
        Column("baseline_name", "VARCHAR", "Which naive forecast that is."),
        Column("rows", "BIGINT", "Predictions (sessions, for rank_ic) that the figure rests on."),
        Column("low", "DOUBLE", "Lower end of the value's 95 % interval.", nullable=True),
        Column("high", "DOUBLE", "Upper end of the value's 95 % interval.", nullable=True),
    ),
)

CHALLENGER_SCORES = Table(
    schema="signals",
    name="challenger_scores",
    key=("symbol", "date", "model", "model_version"),
    description="One row per symbol and session: what the challenger said on the night on which the champion decided.",
    columns=(
        _SYMBOL,
        _DATE,
        _MODEL,
        _VERSION,
        Column("probability", "DOUBLE", "Calibrated probability.", "probability"),
        Column("decided_at", "TIMESTAMPTZ", "The source's clock when the row was made."),
    ),
)

DRIFT_REPORTS = Table(
    schema="signals",
    name="drift_reports",
    key=("as_of", "model", "measure", "feature"),
    description=(
        "One row per night, model, measure and feature: how far the newest 60 sessions lie from what the champion was "
        "trained on. The measure strikes of (all) says whether a retraining is asked for."
    ),
    columns=(
        Column("as_of", "DATE", "Session of the report."),
        _MODEL,
        Column(
            "measure", "VARCHAR", "psi, wasserstein, brier_excess, drifted_importance, strike, or strikes (sessions)."
        ),
        Column("feature", "VARCHAR", "Feature, or (prediction), (performance), (all)."),
        Column("value", "DOUBLE", "Size of the drift; null where it cannot be judged.", nullable=True),
        Column("threshold", "DOUBLE", "Value above which it counts."),
        Column("drifted", "BOOLEAN", "Whether it counts; for strikes, whether a retraining is asked for."),
        Column("model_version", "VARCHAR", "Champion that was compared."),
    ),
)

MODEL_EVENTS = Table(
    schema="signals",
    name="model_events",
    key=("event_id",),
    description="One row per event of a model: promoted, challenger, judged again, rolled back, deleted; who and why.",
    columns=(
        Column("event_id", "BIGINT", "Number in order of time."),
        Column("happened_at", "TIMESTAMPTZ", "Wall clock."),
        _MODEL,
        Column("model_version", "VARCHAR", "Version concerned; null where none came of it.", nullable=True),
        Column(
            "event",
            "VARCHAR",
            "promoted; challenger (trained, did not win, takes that place); kept (trained, no alias); judged (a held "
            "challenger judged again, did not win); failed (to train); rolled_back; deleted.",
        ),
        Column("actor", "VARCHAR", "Person or job."),
        Column("reason", "VARCHAR", "Why, with figures."),
    ),
)

TABLES = (
    SIGNALS,
    CONTRIBUTIONS,
    WALK_FORWARD_PREDICTIONS,
    MODELS,
    MODEL_METRICS,
    CHALLENGER_SCORES,
    DRIFT_REPORTS,
    MODEL_EVENTS,
)
