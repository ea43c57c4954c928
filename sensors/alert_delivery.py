"""Delivering the outbox with the channels that the settings name; called by sensors and at the end of runs."""

from __future__ import annotations

from quant_assets.foundation.home import Home
from quant_assets.ops.alert_delivery import ChannelReport, deliver
from quant_assets.ops.store import OperationsStore
from quant_assets.settings import Settings
from resources.alerts import configured_channels

__all__ = ["deliver_alerts", "delivery_summary"]


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
    token, webhook = settings.slack_bot_token, settings.alert_webhook_url
    channels = configured_channels(
        slack_token=token.get_secret_value() if token else None,
        slack_channel=settings.slack_channel,
        slack_api_url=settings.slack_api_url,
        webhook_url=webhook.get_secret_value() if webhook else None,
    )
    return deliver(OperationsStore(Home(settings.home).operations), channels, is_urged=is_urged)


def delivery_summary(reports: tuple[ChannelReport, ...]) -> str:
    """What a delivery did, in one line for a sensor's tick."""
    words = [
        f"{report.channel}: {report.delivered} told"
        + (f", {report.pending} pending" if report.pending else "")
        + (f" ({report.error})" if report.error else "")
        for report in reports
    ]
    return "; ".join(words) or "no channel is told"
