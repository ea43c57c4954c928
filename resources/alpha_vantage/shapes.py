"""Which columns each function's reply must have, and the one way to refuse a reply that has others."""

from __future__ import annotations

from typing import NoReturn

from quant_assets.foundation.errors import UnrecognisedReplyError
from quant_assets.market_data.ports import FetchRequest, VendorFunction

__all__ = ["BAR_COLUMNS", "EVENT_COLUMNS", "expected_columns", "refuse"]

BAR_COLUMNS: dict[VendorFunction, tuple[str, ...]] = {
    VendorFunction.DAILY: ("open", "high", "low", "close", "volume"),
    VendorFunction.DAILY_ADJUSTED: (
        "open",
        "high",
        "low",
        "close",
        "adjusted_close",
        "volume",
        "dividend_amount",
        "split_coefficient",
    ),
}
"""Columns of a bar beside its date. Volume is fifth in one and sixth in the other, so columns go by name."""

EVENT_COLUMNS: dict[VendorFunction, tuple[str, str, str]] = {
    VendorFunction.SPLITS: ("split", "effective_date", "split_factor"),
    VendorFunction.DIVIDENDS: ("dividend", "ex_dividend_date", "amount"),
}
"""Kind of the action, and the columns that hold its date and its value."""


def expected_columns(request: FetchRequest) -> tuple[str, ...]:
    """Columns without which a reply is not what was asked for; the first is the date."""
    if request.function in EVENT_COLUMNS:
        return EVENT_COLUMNS[request.function][1:]
    return ("timestamp", *BAR_COLUMNS[request.function])


def refuse(request: FetchRequest, reason: str) -> NoReturn:
    """Raise the error of a reply that is not what was asked for."""
    raise UnrecognisedReplyError(
        f"the reply to {request.function} for {request.symbol} {reason}; nothing of it was kept."
    )
