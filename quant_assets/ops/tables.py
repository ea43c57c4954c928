"""Tables of the ``ops`` schema: what runs and people did to the system."""

from __future__ import annotations

from quant_assets.foundation.tables import Column, Table

__all__ = ["ALERTS", "INSTRUMENTS", "PUBLICATIONS", "RUN_STATE", "SERVICE_LEVELS", "TABLES"]

PUBLICATIONS = Table(
    schema="ops",
    name="publications",
    key=("published_at",),
    description="One row per publication of the readers' database: which run closed, how, and what each table held.",
    columns=(
        Column("published_at", "TIMESTAMPTZ", "Wall clock at which the readers' database was written."),
        Column("run_id", "VARCHAR", "Dagster run that closed."),
        Column("outcome", "VARCHAR", "success, or failed where a stage failed or was blocked."),
        Column("as_of", "DATE", "Session up to which everything in the database was computed.", nullable=True),
        Column("source", "VARCHAR", "Where the prices come from.", nullable=True),
        Column("source_clock", "TIMESTAMPTZ", "The source's clock when the run read it.", nullable=True),
        Column("git_revision", "VARCHAR", "Code revision of the run; empty outside a checkout."),
        Column("tables", "VARCHAR", "JSON: per table its rows, whether this run updated it, and why not."),
    ),
)

ALERTS = Table(
    schema="ops",
    name="alerts",
    key=("alert_id",),
    description="One row per alert; delivery is recorded in the operations store and copied here by the next run.",
    columns=(
        Column("alert_id", "VARCHAR", "Identifier; the same event always has the same one."),
        Column("kind", "VARCHAR", "What the alert is about, such as run_failure."),
        Column("severity", "VARCHAR", "LOW, MEDIUM or HIGH."),
        Column("subject", "VARCHAR", "One line."),
        Column("body", "VARCHAR", "What happened, with figures, and what to do."),
        Column("created_at", "TIMESTAMPTZ", "When the alert was raised."),
        Column("delivered_at", "TIMESTAMPTZ", "Wall clock of the first delivery.", nullable=True),
        Column("attempts", "INTEGER", "Deliveries tried."),
        Column("last_error", "VARCHAR", "Why the last delivery failed.", nullable=True),
    ),
)

INSTRUMENTS = Table(
    schema="ops",
    name="instruments",
    key=("symbol",),
    description="The universe of the newest run, one row per symbol.",
    columns=(
        Column("symbol", "VARCHAR", "Symbol as the vendor writes it."),
        Column("name", "VARCHAR", "Name of the instrument."),
        Column("asset_class", "VARCHAR", "equity, etf or index."),
        Column("is_market", "BOOLEAN", "Whether this symbol stands for the market."),
    ),
)

RUN_STATE = Table(
    schema="ops",
    name="run_state",
    key=("as_of",),
    description="One row: the session and source that every table was computed for.",
    columns=(
        Column("as_of", "DATE", "Nothing later than this session enters any derived table."),
        Column("source", "VARCHAR", "Where the prices come from."),
        Column("dividend_adjustment", "VARCHAR", "How dividends enter adjusted prices: vendor or crsp."),
        Column("source_clock", "TIMESTAMPTZ", "The source's clock when the run read it."),
    ),
)

SERVICE_LEVELS = Table(
    schema="ops",
    name="service_levels",
    key=("as_of", "stage"),
    description=(
        "One row per session and stage (features, regimes, signals): how long after the session's close it was ready "
        "for the first time. Null where the night published without it."
    ),
    columns=(
        Column("as_of", "DATE", "The session."),
        Column("stage", "VARCHAR", "features, regimes or signals."),
        Column("ready_at", "TIMESTAMPTZ", "Wall clock when the stage was written.", nullable=True),
        Column(
            "lag_hours",
            "DOUBLE",
            "From the close to then: the source's clock when the run asked it, and the time the run has taken since.",
            "hours",
            nullable=True,
        ),
    ),
)

TABLES = (PUBLICATIONS, ALERTS, INSTRUMENTS, RUN_STATE, SERVICE_LEVELS)
