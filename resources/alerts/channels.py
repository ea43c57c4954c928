"""The channels that the settings name."""

from __future__ import annotations

from quant_assets.foundation.errors import ConfigurationError
from quant_assets.ops.ports import AlertChannel
from resources.alerts.slack import SlackChannel
from resources.alerts.webhook import WebhookChannel

__all__ = ["configured_channels"]


def configured_channels(
    *, slack_token: str | None, slack_channel: str | None, slack_api_url: str, webhook_url: str | None
) -> tuple[AlertChannel, ...]:
    """Channels by what is set; none where nothing is.

    Raises
    ------
    ConfigurationError
        Where Slack is set by half, or an address is none.
    """
    channels: list[AlertChannel] = []
    if bool(slack_token) != bool(slack_channel):
        missing = "SLACK_CHANNEL" if slack_token else "SLACK_BOT_TOKEN"
        raise ConfigurationError(f"Slack is set by half: set {missing} too, or unset the other.")
    if slack_token and slack_channel:
        channels.append(SlackChannel(token=slack_token, channel=slack_channel, api_url=slack_api_url))
    if webhook_url:
        if not webhook_url.startswith(("http://", "https://")):
            raise ConfigurationError("ALERT_WEBHOOK_URL is no web address; it begins with https://.")
        channels.append(WebhookChannel(webhook_url))
    return tuple(channels)
