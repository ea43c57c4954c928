"""Alerts as JSON to an address of the operator's; the address is a secret and appears in no error."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any

import httpx

from quant_assets.ops.ports import AlertMessage, Sending
from resources.alerts.retry_after import retry_after_seconds

__all__ = ["WebhookChannel", "message_document"]

_TIMEOUT = httpx.Timeout(10.0, connect=5.0)


def message_document(message: AlertMessage) -> dict[str, Any]:
    """The JSON body: the message's subject and severity, and every alert in it."""
    return {
        "subject": message.subject,
        "severity": message.severity,
        "kind": message.alerts[0].kind,
        "alerts": [asdict(alert) | {"created_at": alert.created_at.isoformat()} for alert in message.alerts],
    }


class WebhookChannel:
    """Posts messages as JSON.

    Each carries ``Idempotency-Key``, the same whenever the same alerts are sent, so that a receiver can drop what it
    got twice.

    Parameters
    ----------
    url : str
        Where to; may hold a secret.
    """

    name = "webhook"

    def __init__(self, url: str, *, timeout: httpx.Timeout = _TIMEOUT) -> None:
        self._url = url
        self._timeout = timeout

    def __repr__(self) -> str:
        return "WebhookChannel(***)"

    def send(self, message: AlertMessage) -> Sending:
        """Post the message; only a 2xx answer counts as taken."""
        key = hashlib.sha256("\n".join(alert.alert_id for alert in message.alerts).encode()).hexdigest()[:32]
        try:
            response = httpx.post(
                self._url, json=message_document(message), headers={"Idempotency-Key": key}, timeout=self._timeout
            )
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as failure:
            # The library's words may hold the address.
            return Sending(reason=f"The webhook could not be reached ({type(failure).__name__}).")
        if response.is_success:
            return Sending()
        wait = retry_after_seconds(response.headers.get("retry-after"))
        needs_person = response.status_code in {401, 403, 404, 405, 410}
        return Sending(
            reason=f"The webhook answered HTTP {response.status_code}."
            + (" Set ALERT_WEBHOOK_URL right." if needs_person else ""),
            retry_after_seconds=wait,
            is_misconfigured=needs_person,
        )
