"""Channels that take alerts to people: Slack and a JSON webhook."""

from resources.alerts.channels import configured_channels
from resources.alerts.slack import SlackChannel
from resources.alerts.webhook import WebhookChannel

__all__ = ["SlackChannel", "WebhookChannel", "configured_channels"]
