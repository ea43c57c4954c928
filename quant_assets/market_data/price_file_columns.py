"""Recognising whose price file it is by the names of its columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from quant_assets.market_data.price_file_rejects import RejectedPriceFileError

__all__ = ["FileLayout", "Vendor", "recognise_columns"]


class Vendor(StrEnum):
    """Whose column names a file has."""

    ALPHA_VANTAGE = "alpha_vantage"
    YAHOO = "yahoo"
    STOOQ = "stooq"
    UNKNOWN = "unknown"


_FIELDS = {
    "date": ("date", "timestamp"),
    "symbol": ("symbol", "ticker"),
    "open": ("open",),
    "high": ("high",),
    "low": ("low",),
    "close": ("close",),
    "volume": ("volume", "vol"),
    "adjusted_close": ("adjusted close", "adj close"),
    "dividend_amount": ("dividend amount", "dividends"),
    "split_coefficient": ("split coefficient", "stock splits"),
}
_FIELD_OF = {name: field for field, names in _FIELDS.items() for name in names}
_REQUIRED = ("date", "open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class FileLayout:
    """Field -> column name of the file, columns without a meaning here, and whose names they are."""

    columns: dict[str, str]
    ignored: tuple[str, ...]
    vendor: Vendor


def _plain(name: str) -> str:
    """A column name without case, marks and numbering: ``<CLOSE>``, ``4. close``, ``Close*`` are all close."""
    text = re.sub(r"^\d+\.\s*", "", name.strip().strip("<>*").strip().lower())
    return re.sub(r"[\s_]+", " ", text)


def _vendor(names: Sequence[str]) -> Vendor:
    plain = {_plain(name) for name in names}
    if any(name.strip().startswith("<") for name in names):
        return Vendor.STOOQ
    if "adj close" in plain or "stock splits" in plain:
        return Vendor.YAHOO
    if plain & {"timestamp", "adjusted close", "dividend amount", "split coefficient"}:
        return Vendor.ALPHA_VANTAGE
    return Vendor.UNKNOWN


def recognise_columns(file_name: str, names: Sequence[str]) -> FileLayout:
    """Find date, prices and volume, and what else there is, whatever the case of the names.

    Understood are the names of Alpha Vantage (timestamp, adjusted_close, dividend_amount, split_coefficient), Yahoo
    (Date, Adj Close, and Dividends and Stock Splits of its libraries) and Stooq (Date or <DATE>, <TICKER>, <VOL>). A
    plain Date, Open, High, Low, Close, Volume is anybody's.

    Raises
    ------
    RejectedPriceFileError
        When a needed column is missing or two columns mean the same.
    """
    columns: dict[str, str] = {}
    ignored = []
    for name in names:
        field = _FIELD_OF.get(_plain(name))
        if field is None:
            ignored.append(name)
        elif field in columns:
            raise RejectedPriceFileError(
                f"{file_name} has two columns for the {field.replace('_', ' ')}, {columns[field]!r} and {name!r}; "
                "keep one."
            )
        else:
            columns[field] = name
    if missing := [field for field in _REQUIRED if field not in columns]:
        raise RejectedPriceFileError(
            f"{file_name} has no column for {' and '.join(missing)} (it has {', '.join(names)}); "
            "name the columns date, open, high, low, close and volume."
        )
    return FileLayout(columns, tuple(ignored), _vendor(names))
