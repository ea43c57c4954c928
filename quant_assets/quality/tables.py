"""The tables that the sentinel owns."""

from __future__ import annotations

from quant_assets.foundation.tables import Column, Table

__all__ = [
    "ANOMALY_EVENTS",
    "BAR_SCORES",
    "DAILY_SUMMARY",
    "EVENT_CONFIRMATIONS",
    "ISOLATION_TREES",
    "MODELS",
    "PROPHET_PREDICTIONS",
    "QUARANTINED_PRICES",
    "SENTINEL_MEASURES",
    "TABLES",
    "THRESHOLDS",
]

BAR_SCORES = Table(
    schema="quality",
    name="bar_scores",
    key=("symbol", "date"),
    description=(
        "One row per stored bar: its scores on the night it was scored. A null score means that the detector could "
        "not say (too little history, no volume, a failed fit), never that all was well."
    ),
    columns=(
        Column("symbol", "VARCHAR", "Symbol."),
        Column("date", "DATE", "Exchange session."),
        Column(
            "isolation_score",
            "DOUBLE",
            "Isolation Forest score of the bar's features; higher is odder. Null before the first fit.",
            nullable=True,
        ),
        Column(
            "prophet_score",
            "DOUBLE",
            "Change of the Prophet residual of the log price since the last accepted bar, less what the market "
            "explains, over its robust scale; signed.",
            "robust standard deviations",
            nullable=True,
        ),
        Column(
            "volume_zscore",
            "DOUBLE",
            "Log volume against the trailing median, less what the market explains, over its robust scale; signed.",
            "robust standard deviations",
            nullable=True,
        ),
        Column("severity", "VARCHAR", "LOW, MEDIUM or HIGH; null where nothing was noticed.", nullable=True),
        Column(
            "residual_zscore",
            "DOUBLE",
            "Log return since the last accepted bar, less what the market explains, in volatilities; signed.",
            "robust standard deviations",
            nullable=True,
        ),
        Column("volatility_1d", "DOUBLE", "Robust scale of daily log returns before the bar.", "1/day", nullable=True),
        Column(
            "excursion_zscore",
            "DOUBLE",
            "How far the bar went beyond its own and the previous close, in volatilities.",
            nullable=True,
        ),
        Column("range_zscore", "DOUBLE", "Log of the bar's range over its trailing median.", nullable=True),
        Column("volume_log_ratio", "DOUBLE", "Log of the volume over its trailing median.", nullable=True),
        Column("is_withheld", "BOOLEAN", "Whether the bar was withheld on the night."),
        Column("muted_by", "VARCHAR", "Dismissed event whose pattern kept this bar quiet.", nullable=True),
        Column("bar_updated_at", "TIMESTAMPTZ", "Vintage of the bar that was scored (its updated_at)."),
        Column(
            "bar_checksum",
            "DOUBLE",
            "Weighted sum of the prices and volume that were scored; tells a restatement under an unmoved clock.",
            nullable=True,
        ),
    ),
)

ANOMALY_EVENTS = Table(
    schema="quality",
    name="anomaly_events",
    key=("event_id",),
    description=(
        "One row per thing noticed about one bar, as known on the night. What later bars showed is in "
        "quality.event_confirmations."
    ),
    columns=(
        Column("event_id", "VARCHAR", "Symbol, session, kind and a digest of the bar: stable over re-runs."),
        Column("symbol", "VARCHAR", "Symbol."),
        Column("date", "DATE", "Session of the bar; of a hole, its first missing session."),
        Column("kind", "VARCHAR", "What was noticed; each kind is explained in docs/data-quality.md."),
        Column("severity", "VARCHAR", "LOW, MEDIUM or HIGH."),
        Column("isolation_score", "DOUBLE", "As in quality.bar_scores.", nullable=True),
        Column("prophet_score", "DOUBLE", "As in quality.bar_scores.", nullable=True),
        Column("volume_zscore", "DOUBLE", "As in quality.bar_scores.", nullable=True),
        Column("details", "VARCHAR", "Why, in words."),
        Column("detected_at", "TIMESTAMPTZ", "The source's clock when it was noticed."),
        Column("status", "VARCHAR", "open, acknowledged or dismissed."),
        Column("status_by", "VARCHAR", "Who decided.", nullable=True),
        Column("status_at", "TIMESTAMPTZ", "When it was decided.", nullable=True),
        Column("note", "VARCHAR", "What they noted.", nullable=True),
        Column("pattern", "VARCHAR", "What a dismissal teaches: the kind with its direction or ratio."),
        Column("magnitude", "DOUBLE", "Size of what was noticed, in the kind's own unit.", nullable=True),
        Column("run_id", "VARCHAR", "Run that noticed it."),
    ),
)

EVENT_CONFIRMATIONS = Table(
    schema="quality",
    name="event_confirmations",
    key=("event_id", "verdict"),
    description="What bars after an event showed about it: a second record, the event keeps what was known at first.",
    columns=(
        Column("event_id", "VARCHAR", "The event."),
        Column("symbol", "VARCHAR", "Symbol."),
        Column("date", "DATE", "Session of the event."),
        Column(
            "verdict",
            "VARCHAR",
            "confirmed (the bar was wrong), released (the bar was right), restated (the vendor changed it) or "
            "resolved (a corporate action explains it).",
        ),
        Column("known_date", "DATE", "Session of the bar that showed it."),
        Column("details", "VARCHAR", "Why, in words."),
        Column("confirmed_at", "TIMESTAMPTZ", "The source's clock when it was recorded."),
    ),
)

QUARANTINED_PRICES = Table(
    schema="quality",
    name="quarantined_prices",
    key=("symbol", "date"),
    description=(
        "Bars withheld from adjusted_prices and everything after, as the vendor sent them; in force while "
        "released_at is null. The bar itself stays in market_data.daily_prices."
    ),
    columns=(
        Column("symbol", "VARCHAR", "Symbol."),
        Column("date", "DATE", "Session of the bar."),
        Column("open", "DOUBLE", "As traded.", "currency", nullable=True),
        Column("high", "DOUBLE", "As traded.", "currency", nullable=True),
        Column("low", "DOUBLE", "As traded.", "currency", nullable=True),
        Column("close", "DOUBLE", "As traded.", "currency", nullable=True),
        Column("volume", "BIGINT", "As traded.", "shares", nullable=True),
        Column("adjusted_close", "DOUBLE", "The vendor's own.", "currency", nullable=True),
        Column("dividend_amount", "DOUBLE", "Ex-dividend on this session.", "currency per share", nullable=True),
        Column("split_coefficient", "DOUBLE", "Split effective on this session.", nullable=True),
        Column("reason", "VARCHAR", "Why it was withheld, in words."),
        Column("quarantined_at", "TIMESTAMPTZ", "The source's clock when it was withheld."),
        Column(
            "released_at", "TIMESTAMPTZ", "The source's clock when it was released; null while withheld.", nullable=True
        ),
        Column("event_id", "VARCHAR", "Event that withholds it.", nullable=True),
        Column("release_reason", "VARCHAR", "Why it was released, in words.", nullable=True),
    ),
)

DAILY_SUMMARY = Table(
    schema="quality",
    name="daily_summary",
    key=("date",),
    description="One row per session: how many bars were checked, what was noticed, and what is withheld.",
    columns=(
        Column("date", "DATE", "Exchange session."),
        Column("bars_checked", "BIGINT", "Bars of the session that were scored."),
        Column("events_low", "BIGINT", "Events of severity LOW."),
        Column("events_medium", "BIGINT", "Events of severity MEDIUM."),
        Column("events_high", "BIGINT", "Events of severity HIGH."),
        Column("quarantined", "BIGINT", "Bars of the session that are withheld now."),
        Column("bars_without_scores", "BIGINT", "Bars that no statistical detector could score."),
        Column("bars_without_volume", "BIGINT", "Bars with no volume or zero volume."),
    ),
)

MODELS = Table(
    schema="quality",
    name="models",
    key=("model_version",),
    description="Every fit of a detector, failed ones included: window, sessions it serves, and how it ended.",
    columns=(
        Column("model_version", "VARCHAR", "Detector, symbol or panel, and refit date."),
        Column("method", "VARCHAR", "isolation_forest or prophet."),
        Column("symbol", "VARCHAR", "Symbol; * for the whole panel."),
        Column("refit_date", "DATE", "First session that the fit may serve; it saw only earlier bars."),
        Column("serves_to", "DATE", "Last session that the fit serves."),
        Column("fitted_from", "DATE", "First session of the window.", nullable=True),
        Column("fitted_to", "DATE", "Last session of the window.", nullable=True),
        Column("rows", "BIGINT", "Bars in the window."),
        Column("status", "VARCHAR", "fitted or failed."),
        Column("reason", "VARCHAR", "Why the fit failed.", nullable=True),
        Column("parameters", "VARCHAR", "JSON: settings and seed."),
    ),
)

PROPHET_PREDICTIONS = Table(
    schema="quality",
    name="prophet_predictions",
    key=("symbol", "date"),
    description="Log price that the Prophet fit in force expects per session, cached at the fit for 60 sessions.",
    columns=(
        Column("symbol", "VARCHAR", "Symbol."),
        Column("date", "DATE", "Exchange session."),
        Column("model_version", "VARCHAR", "Row of quality.models."),
        Column("step", "DOUBLE", "Expected change of the log price since the session before.", "log return"),
        Column("expected_log_price", "DOUBLE", "Expected log price in units of the fit's own adjustment vintage."),
    ),
)

ISOLATION_TREES = Table(
    schema="quality",
    name="isolation_trees",
    key=("model_version", "tree", "node"),
    description="Nodes of the newest Isolation Forest, so that a night scores without a fit.",
    columns=(
        Column("model_version", "VARCHAR", "Row of quality.models."),
        Column("tree", "INTEGER", "Tree."),
        Column("node", "INTEGER", "Node of the tree; 0 is the root."),
        Column("feature", "INTEGER", "Position of the feature compared; -2 at a leaf."),
        Column("threshold", "DOUBLE", "Go left where the feature is at most this."),
        Column("left", "INTEGER", "Left child; -1 at a leaf."),
        Column("right", "INTEGER", "Right child; -1 at a leaf."),
        Column("path_length", "DOUBLE", "Expected depth at which a bar reaching this leaf is isolated; 0 inside."),
    ),
)

THRESHOLDS = Table(
    schema="quality",
    name="thresholds",
    key=("calibrated_on", "measure", "severity"),
    description="Score from which a severity is raised, calibrated on earlier bars to the stated false-alarm budget.",
    columns=(
        Column("calibrated_on", "DATE", "First session that it judges; only earlier bars were used."),
        Column("measure", "VARCHAR", "Score that is compared."),
        Column("severity", "VARCHAR", "LOW, MEDIUM or HIGH."),
        Column("threshold", "DOUBLE", "In the score's own unit."),
        Column("budget", "DOUBLE", "Share of good bars that may exceed it."),
        Column("rows", "BIGINT", "Bars that it was calibrated on; 0 for the built-in starting value."),
    ),
)

SENTINEL_MEASURES = Table(
    schema="quality",
    name="sentinel_measures",
    key=("as_of", "measure"),
    description="How the sentinel itself does: events per batch, time to resolve, share dismissed as false.",
    columns=(
        Column("as_of", "DATE", "Newest session of the run."),
        Column("measure", "VARCHAR", "Name of the measure."),
        Column("value", "DOUBLE", "Its value; null where nothing was there to measure.", nullable=True),
    ),
)

TABLES = (
    BAR_SCORES,
    ANOMALY_EVENTS,
    EVENT_CONFIRMATIONS,
    QUARANTINED_PRICES,
    DAILY_SUMMARY,
    MODELS,
    PROPHET_PREDICTIONS,
    ISOLATION_TREES,
    THRESHOLDS,
    SENTINEL_MEASURES,
)
"""Every table of the room, for ``Warehouse.ensure`` and the data dictionary."""
