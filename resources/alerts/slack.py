"""Slack by its web API; the token appears in no message and no error."""

from __future__ import annotations

import http.client
import logging
from typing import Any
from urllib.error import URLError

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from quant_assets.ops.ports import AlertMessage, Sending
from resources.alerts.retry_after import retry_after_seconds
from resources.alerts.slack_blocks import message_blocks, message_text

__all__ = ["SlackChannel"]

_TIMEOUT_SECONDS = 10
_SETTINGS = {
    "invalid_auth": "Slack refused the token: set SLACK_BOT_TOKEN right.",
    "not_authed": "Slack refused the token: set SLACK_BOT_TOKEN right.",
    "account_inactive": "The bot's account is switched off: set SLACK_BOT_TOKEN to another bot's.",
    "token_revoked": "The token was revoked: set SLACK_BOT_TOKEN to a new one.",
    "token_expired": "The token expired: set SLACK_BOT_TOKEN to a new one.",
    "missing_scope": "The bot may not write messages: give it the scope chat:write.",
    "channel_not_found": "There is no such channel: set SLACK_CHANNEL right.",
    "not_in_channel": "The bot is not in the channel: invite it there.",
    "is_archived": "The channel is archived: set SLACK_CHANNEL to another one.",
    "restricted_action": "The workspace does not let the bot post there: ask its administrator.",
}
"""Refusals that only a person can mend."""
_UNFIT_BLOCKS = {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"}
# The library logs whole requests at debug level; nothing of it belongs into our logs.
_SILENT = logging.getLogger("quant.alerts.slack")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


class SlackChannel:
    """Posts messages to one channel.

    Parameters
    ----------
    token : str
        Bot token with ``chat:write``.
    channel : str
        Channel name or identifier.
    api_url : str
        Endpoint of the web API.
    timeout_seconds : int
        Of one call.
    """

    name = "slack"

    def __init__(self, *, token: str, channel: str, api_url: str, timeout_seconds: int = _TIMEOUT_SECONDS) -> None:
        self._token = token
        self._channel = channel
        # Retries are the outbox's business: it remembers them across processes.
        self._client = WebClient(
            token=token,
            base_url=api_url.rstrip("/") + "/",
            timeout=timeout_seconds,
            retry_handlers=[],
            logger=_SILENT,
        )

    def __repr__(self) -> str:
        return f"SlackChannel({self._channel!r})"

    def send(self, message: AlertMessage) -> Sending:
        """Post the message; where its layout is refused, post its one-line form."""
        sending, error = self._post(message_text(message), message_blocks(message))
        if error in _UNFIT_BLOCKS:
            sending, _ = self._post(message_text(message), None)
        return sending

    def _post(self, text: str, blocks: list[dict[str, Any]] | None) -> tuple[Sending, str]:
        try:
            self._client.chat_postMessage(
                channel=self._channel, text=text, blocks=blocks, unfurl_links=False, unfurl_media=False
            )
        except SlackApiError as refusal:
            return self._refused(refusal)
        except (SlackClientError, OSError, URLError, http.client.HTTPException, ValueError) as failure:
            reason = f"Slack could not be reached ({type(failure).__name__}: {self._clean(failure)})."
            return Sending(reason=reason), ""
        return Sending(), ""

    def _refused(self, refusal: SlackApiError) -> tuple[Sending, str]:
        response = refusal.response
        status = getattr(response, "status_code", 0)
        headers = {str(name).lower(): value for name, value in (getattr(response, "headers", None) or {}).items()}
        wait = retry_after_seconds(headers.get("retry-after"))
        data = getattr(response, "data", None)
        error = str(data.get("error", "")) if isinstance(data, dict) else ""
        if status == 429 or error in {"ratelimited", "rate_limited"}:
            return Sending(reason="Slack asks for patience (rate limit).", retry_after_seconds=wait or 30.0), error
        if error in _SETTINGS:
            return Sending(reason=_SETTINGS[error], is_misconfigured=True), error
        reason = f"Slack answered {error or 'nothing that can be read'} (HTTP {status})."
        return Sending(reason=self._clean(reason), retry_after_seconds=wait), error

    def _clean(self, text: object) -> str:
        return str(text).replace(self._token, "***")[:200]
