"""What a process needs before it can run a job or tell of one: the home, the price source and the alert channels.

The one place where settings meet adapters. Nothing here imports Dagster.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from contextlib import contextmanager

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.errors import AsOfError, ConfigurationError
from quant_assets.foundation.home import Home
from quant_assets.market_data.quota import SqliteEntitlementMemory, SqliteQuotaLedger
from quant_assets.ops.alert_delivery import ChannelReport, deliver
from quant_assets.ops.ports import AlertChannel
from quant_assets.ops.store import OperationsStore
from quant_assets.replay.clock import ReplayClock
from quant_assets.replay.packaged import PACKAGED_TODAY, packaged_history
from quant_assets.replay.server import ReplayServer
from quant_assets.serving.publish import last_publication
from quant_assets.settings import VENDOR_URL, AssetClass, Settings, Universe, load_universe
from resources.alerts import configured_channels
from resources.alpha_vantage.breaker import VendorBreaker
from resources.alpha_vantage.client import AlphaVantageSource
from resources.alpha_vantage.provenance import server_name

__all__ = [
    "alert_channels",
    "check_as_of",
    "deliver_alerts",
    "delivery_summary",
    "open_price_source",
    "prepare_environment",
    "universe_for",
]

_EMBEDDED_KEY = "embedded"


def prepare_environment(settings: Settings) -> Home:
    """Prepare the home and hand its absolute path to every process started from here."""
    home = Home(settings.home)
    home.prepare()
    os.environ["QUANT_HOME"] = str(home.path)
    os.environ["QUANT_UNIVERSE"] = str(settings.quant_universe.expanduser().resolve())
    os.environ["DAGSTER_HOME"] = str(home.dagster)
    return home


def universe_for(settings: Settings) -> Universe:
    """The universe file, checked against the source: the vendor sells no indices."""
    path = settings.quant_universe
    universe = load_universe(path)
    indices = universe.of_class(AssetClass.INDEX)
    if indices and not settings.is_embedded:
        raise ConfigurationError(
            f"{path}: {indices[0]} is an index, which the vendor does not sell with prices; "
            "use an ETF such as SPY instead, or import it from a file."
        )
    return universe


@contextmanager
def open_price_source(
    settings: Settings, store: OperationsStore, *, as_of: dt.date | None = None
) -> Iterator[AlphaVantageSource]:
    """Open the price source that the settings name: the vendor with a key, the embedded replay without one.

    Parameters
    ----------
    as_of : date, optional
        The embedded replay's clock is set to the evening of this session, so that it serves nothing later.
    """
    if settings.alpha_vantage_api_key is not None:
        with AlphaVantageSource(
            base_url=settings.alpha_vantage_base_url,
            key=settings.alpha_vantage_api_key.get_secret_value(),
            plan=settings.alpha_vantage_plan,
            quota=SqliteQuotaLedger(store),
            entitlements=SqliteEntitlementMemory(store),
            breaker=VendorBreaker(server_name(settings.alpha_vantage_base_url), store),
        ) as source:
            yield source
        return
    if settings.alpha_vantage_base_url != VENDOR_URL:
        raise ConfigurationError(
            "ALPHA_VANTAGE_BASE_URL is set but ALPHA_VANTAGE_API_KEY is not; set both, or unset both to run on the "
            "embedded history."
        )
    clock = ReplayClock.after(min(as_of or PACKAGED_TODAY, PACKAGED_TODAY))
    with (
        ReplayServer(packaged_history(), clock=clock) as server,
        AlphaVantageSource(base_url=server.url, key=_EMBEDDED_KEY, plan="unlimited") as source,
    ):
        yield source


def check_as_of(home: Home, as_of: dt.date | None, now: dt.datetime) -> None:
    """Refuse an as-of date that lies before the last publication or after the source's clock.

    Raises
    ------
    AsOfError
        One sentence with the fix.
    """
    if as_of is None:
        return
    calendar = new_york_calendar()
    if not calendar.is_session(as_of):
        nearest = calendar.session_on_or_before(as_of)
        raise AsOfError(f"{as_of} is not an exchange session; use {nearest}, the session before it.")
    newest = calendar.last_finished_session(now)
    if as_of > newest:
        raise AsOfError(
            f"{as_of} has not finished by the source's clock ({now:%Y-%m-%d %H:%M} UTC); use {newest} or earlier."
        )
    published = last_publication(home)
    if published.height and published["as_of"][0] and as_of < published["as_of"][0]:
        raise AsOfError(
            f"this QUANT_HOME is already published as of {published['as_of'][0]} and never goes back; "
            f"set QUANT_HOME to another folder to look at {as_of}."
        )


def alert_channels(settings: Settings) -> tuple[AlertChannel, ...]:
    """The channels that the settings name.

    Raises
    ------
    ConfigurationError
        Where a channel is set by half.
    """
    token, webhook = settings.slack_bot_token, settings.alert_webhook_url
    return configured_channels(
        slack_token=token.get_secret_value() if token else None,
        slack_channel=settings.slack_channel,
        slack_api_url=settings.slack_api_url,
        webhook_url=webhook.get_secret_value() if webhook else None,
    )


def deliver_alerts(settings: Settings, *, is_urged: bool = False) -> tuple[ChannelReport, ...]:
    """Tell every configured channel what it has not been told yet.

    Parameters
    ----------
    settings : Settings
    is_urged : bool
        Try also a channel that asked to be left alone.

    Raises
    ------
    ConfigurationError
        Where a channel is set by half.
    """
    store = OperationsStore(Home(settings.home).operations)
    return deliver(store, alert_channels(settings), is_urged=is_urged)


def delivery_summary(reports: tuple[ChannelReport, ...]) -> str:
    """What a delivery did, in one line for a person."""
    words = [
        f"{report.channel}: {report.delivered} told"
        + (f", {report.pending} pending" if report.pending else "")
        + (f" ({report.error})" if report.error else "")
        for report in reports
    ]
    return "; ".join(words) or "no channel is told"
