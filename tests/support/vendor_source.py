"""The real client against a scripted server, with a clock that nobody waits for."""

from __future__ import annotations

from typing import Any

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.market_data.ports import FetchReply, FetchRequest, VendorFunction
from quant_assets.market_data.quota import SqliteEntitlementMemory, SqliteQuotaLedger
from quant_assets.ops.store import OperationsStore
from resources.alpha_vantage.client import AlphaVantageSource
from resources.alpha_vantage.wire import Timeouts
from tests.support.fake_time import FakeTime
from tests.support.vendor_notices import KEY
from tests.support.vendor_server import VendorServer

__all__ = ["IMPATIENT", "PATIENT", "daily", "fetch_all", "source_of"]

PATIENT = Timeouts(connect=10.0, read=10.0, write=10.0, pool=10.0, total=20.0)
"""Long enough that a busy machine makes no call look like a fault."""
IMPATIENT = Timeouts(connect=10.0, read=0.2, write=10.0, pool=10.0, total=20.0)
"""For servers that are slow on purpose."""


def daily(symbol: str = "IBM", outputsize: str = "compact") -> FetchRequest:
    """One request for plain daily bars."""
    return FetchRequest(symbol, VendorFunction.DAILY, outputsize)


def source_of(
    server: VendorServer | str, time: FakeTime, store: OperationsStore | None = None, **arguments: Any
) -> AlphaVantageSource:
    """A source for ``server`` (or an address) without limits, or on another ``plan`` with its state in ``store``."""
    durable = (
        {}
        if store is None
        else {
            "quota": SqliteQuotaLedger(store, clock=time.now),
            "entitlements": SqliteEntitlementMemory(store),
        }
    )
    given = {"key": KEY, "plan": None, "timeouts": PATIENT, "calendar": new_york_calendar()} | durable | arguments
    return AlphaVantageSource(
        base_url=server if isinstance(server, str) else server.url,
        clock=time.now,
        sleep=time.sleep,
        monotonic=time.monotonic,
        **given,
    )


def fetch_all(source: AlphaVantageSource, *requests: FetchRequest) -> dict[str, FetchReply]:
    """Replies by symbol."""
    return {reply.request.symbol: reply for reply in source.fetch(requests)}
