"""Tables of the ``market_data`` schema."""

from __future__ import annotations

from quant_assets.foundation.tables import Column, Table

__all__ = [
    "ADJUSTED_PRICES",
    "ADJUSTMENT_FACTORS",
    "CORPORATE_ACTIONS",
    "DAILY_PRICES",
    "FETCH_LOG",
    "FETCH_STATE",
    "PRICE_REVISIONS",
    "TABLES",
]

_SYMBOL = Column("symbol", "VARCHAR", "Symbol as the vendor writes it.")
_SESSION = Column("date", "DATE", "Exchange session.")

DAILY_PRICES = Table(
    schema="market_data",
    name="daily_prices",
    key=("symbol", "date"),
    description="One row per symbol and session: the bar as traded, exactly as the source sent it.",
    columns=(
        _SYMBOL,
        _SESSION,
        Column("open", "DOUBLE", "First price, as traded.", "currency", nullable=True),
        Column("high", "DOUBLE", "Highest price, as traded.", "currency", nullable=True),
        Column("low", "DOUBLE", "Lowest price, as traded.", "currency", nullable=True),
        Column("close", "DOUBLE", "Last price, as traded.", "currency", nullable=True),
        Column("volume", "BIGINT", "Shares traded, as traded.", "shares", nullable=True),
        Column(
            "adjusted_close",
            "DOUBLE",
            "The vendor's own adjusted close when the bar was last fetched; kept to compare, never computed with.",
            "currency",
            nullable=True,
        ),
        Column(
            "dividend_amount",
            "DOUBLE",
            "Cash dividend with this ex-date, as paid.",
            "currency per share",
            nullable=True,
        ),
        Column(
            "split_coefficient",
            "DOUBLE",
            "Split factor effective on this session; 1 without one.",
            "ratio",
            nullable=True,
        ),
        Column("source", "VARCHAR", "Where the bar came from."),
        Column("first_seen_at", "TIMESTAMPTZ", "Source's clock when the bar was first stored."),
        Column("updated_at", "TIMESTAMPTZ", "Source's clock when a value of the bar was last changed."),
    ),
)

ADJUSTMENT_FACTORS = Table(
    schema="market_data",
    name="adjustment_factors",
    key=("symbol", "valid_from"),
    description=(
        "One row per symbol and span between two corporate actions: what as-traded values are multiplied with. "
        "A symbol without actions has no row (its factors are 1)."
    ),
    columns=(
        _SYMBOL,
        Column("valid_from", "DATE", "First session of the span."),
        Column("valid_to", "DATE", "Last date of the span, the day before the next action."),
        Column("price_factor", "DOUBLE", "Adjusted price = as-traded price x this (splits and dividends).", "ratio"),
        Column("volume_factor", "DOUBLE", "Adjusted volume = as-traded volume x this (splits only).", "ratio"),
    ),
)

ADJUSTED_PRICES = Table(
    schema="market_data",
    name="adjusted_prices",
    key=("symbol", "date"),
    description=(
        "One row per symbol and session up to the run's as-of date: the bar adjusted for splits and dividends known "
        "by then (volume for splits), without bars that are withheld by the quality room."
    ),
    columns=(
        _SYMBOL,
        _SESSION,
        Column("open", "DOUBLE", "First price, adjusted.", "currency"),
        Column("high", "DOUBLE", "Highest price, adjusted.", "currency"),
        Column("low", "DOUBLE", "Lowest price, adjusted.", "currency"),
        Column("close", "DOUBLE", "Last price, adjusted.", "currency"),
        Column("volume", "DOUBLE", "Shares traded, adjusted for splits.", "shares", nullable=True),
    ),
    view_sql="""
SELECT
    prices.symbol,
    prices.date,
    prices.open * coalesce(factors.price_factor, 1) AS open,
    prices.high * coalesce(factors.price_factor, 1) AS high,
    prices.low * coalesce(factors.price_factor, 1) AS low,
    prices.close * coalesce(factors.price_factor, 1) AS close,
    prices.volume * coalesce(factors.volume_factor, 1) AS volume
FROM market_data.daily_prices AS prices
ANTI JOIN (SELECT symbol, date FROM quality.quarantined_prices WHERE released_at IS NULL) AS withheld
    ON prices.symbol = withheld.symbol AND prices.date = withheld.date
ASOF LEFT JOIN market_data.adjustment_factors AS factors
    ON prices.symbol = factors.symbol AND prices.date >= factors.valid_from
WHERE prices.date <= (SELECT max(as_of) FROM ops.run_state)
""",
)

CORPORATE_ACTIONS = Table(
    schema="market_data",
    name="corporate_actions",
    key=("symbol", "effective_date", "kind"),
    description="One row per symbol, effective date and kind of event; kept also when the bar of that day is missing.",
    columns=(
        _SYMBOL,
        Column("effective_date", "DATE", "Session from which the event is in the price (the ex-date of a dividend)."),
        Column("kind", "VARCHAR", "split, spin_off, dividend or special_dividend."),
        Column("value", "DOUBLE", "Factor of a split or spin-off; cash per share of a dividend.", "ratio or currency"),
        Column("source", "VARCHAR", "Which reply named the event, or inferred from the vendor's adjusted closes."),
        Column("first_seen_at", "TIMESTAMPTZ", "Source's clock when the event was first stored."),
    ),
)

PRICE_REVISIONS = Table(
    schema="market_data",
    name="price_revisions",
    key=("symbol", "date", "field", "seen_at"),
    description="One row per changed value of a stored bar: a vendor's restatement never overwrites silently.",
    columns=(
        _SYMBOL,
        _SESSION,
        Column("field", "VARCHAR", "Column of daily_prices."),
        Column("old_value", "DOUBLE", "Value stored before.", nullable=True),
        Column("new_value", "DOUBLE", "Value stored now.", nullable=True),
        Column("seen_at", "TIMESTAMPTZ", "Source's clock when the change was seen."),
    ),
)

FETCH_LOG = Table(
    schema="market_data",
    name="fetch_log",
    key=("request_id",),
    description="One row per request to the price source, whatever came of it.",
    columns=(
        Column("request_id", "VARCHAR", "Identifier of the request."),
        Column("run_id", "VARCHAR", "Dagster run that asked."),
        _SYMBOL,
        Column("function", "VARCHAR", "Function of the vendor's protocol, with the output size where it has one."),
        Column("requested_at", "TIMESTAMPTZ", "Wall clock of the request."),
        Column("outcome", "VARCHAR", "ok, no_events, or the kind of failure."),
        Column("rows_received", "BIGINT", "Rows in the reply.", "rows"),
        Column("rows_new", "BIGINT", "Rows stored for the first time.", "rows"),
        Column("rows_changed", "BIGINT", "Stored rows of which a value changed.", "rows"),
        Column("latency_ms", "DOUBLE", "Time from asking to the whole reply, retries included.", "ms"),
        Column("attempts", "INTEGER", "Calls that left this machine.", "calls"),
        Column("message", "VARCHAR", "The source's words or ours, with the key removed; empty when all went well."),
    ),
)

FETCH_STATE = Table(
    schema="market_data",
    name="fetch_state",
    key=("symbol",),
    description="One row per symbol: what the fetch planner remembers between nights.",
    columns=(
        _SYMBOL,
        Column(
            "last_checked_session", "DATE", "Newest finished session when prices were last received.", nullable=True
        ),
        Column("last_reply_newest", "DATE", "Newest bar of the last reply with prices.", nullable=True),
        Column("splits_checked_on", "DATE", "Session of the last SPLITS reply.", nullable=True),
        Column("dividends_checked_on", "DATE", "Session of the last DIVIDENDS reply.", nullable=True),
        Column("jumps_scanned_to", "DATE", "Newest bar that was looked at for unexplained jumps.", nullable=True),
        Column(
            "hole_from",
            "DATE",
            "First session of a hole that the plan could not fill; null where it reaches back to the beginning.",
            nullable=True,
        ),
        Column("hole_to", "DATE", "Last session of that hole.", nullable=True),
    ),
)

TABLES = (
    DAILY_PRICES,
    CORPORATE_ACTIONS,
    PRICE_REVISIONS,
    FETCH_LOG,
    FETCH_STATE,
    ADJUSTMENT_FACTORS,
    ADJUSTED_PRICES,
)
