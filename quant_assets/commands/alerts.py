"""``quant alerts``: what people were told, and whether telling them works."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from rich.console import Console
from rich.table import Table

from quant_assets.foundation.errors import ConfigurationError
from quant_assets.foundation.home import Home
from quant_assets.ops.alerts import newest_alerts, raise_alerts
from quant_assets.ops.ports import Alert, AlertDetails
from quant_assets.ops.store import OperationsStore
from quant_assets.ops.ui_links import RUNS_LINK
from quant_assets.runtime import alert_channels, deliver_alerts
from quant_assets.settings import Settings, load_settings

__all__ = ["list_alerts", "send_test_alert"]


def _store(settings: Settings) -> OperationsStore:
    home = Home(settings.home)
    home.prepare()
    return OperationsStore(home.operations)


def list_alerts(*, limit: int, is_pending_only: bool) -> None:
    """Print the newest alerts, newest first, each with the channels that have not been told; works during a run."""
    settings = load_settings()
    store, channels = _store(settings), [channel.name for channel in alert_channels(settings)]
    rows = newest_alerts(store, limit, channels, is_pending_only=is_pending_only)
    table = Table(box=None, pad_edge=False)
    for name in ("raised (UTC)", "severity", "kind", "subject", "delivered (UTC)", "pending", "tries", "last error"):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(
            _minute(row["created_at"]),
            row["severity"],
            row["kind"],
            row["subject"],
            _minute(row["delivered_at"]) or "not yet",
            row["pending"] or "",
            str(row["attempts"]),
            row["last_error"] or "",
        )
    is_any_raised = bool(rows or newest_alerts(store, 1))
    nothing = "Every alert is delivered." if is_any_raised else "No alert has been raised."
    # Subjects may begin with brackets, which are no markup.
    Console(markup=False).print(table if rows else nothing)


def send_test_alert() -> bool:
    """Raise an alert that says that it is a test, deliver it at once, and print what each channel said.

    Returns
    -------
    bool
        Whether every configured channel took it.

    Raises
    ------
    ConfigurationError
        Where no channel is configured.
    """
    settings = load_settings()
    if not (settings.slack_bot_token or settings.slack_channel or settings.alert_webhook_url):
        raise ConfigurationError(
            "no channel is configured: set SLACK_BOT_TOKEN and SLACK_CHANNEL, or ALERT_WEBHOOK_URL."
        )
    alert = Alert(
        alert_id=f"test-{uuid.uuid4()}",
        kind="test",
        severity="LOW",
        subject="Test of quant alerts",
        body="Somebody ran 'quant alerts test'. There is nothing to do.",
        created_at=dt.datetime.now(dt.UTC),
        details=AlertDetails(figures={"home": settings.home.name}, link=RUNS_LINK),
    )
    raise_alerts(_store(settings), [alert])
    reports = deliver_alerts(settings, is_urged=True)
    console = Console(markup=False)
    if not reports:
        console.print("Another process is delivering; the test alert follows with it: see 'quant alerts list'.")
        return False
    for report in reports:
        words = f"delivered ({report.delivered} alerts)" if not report.error else f"not delivered: {report.error}"
        console.print(f"{report.channel:10} {words}", soft_wrap=True)
    return all(not report.error for report in reports)


def _minute(stamp: Any) -> str:
    return f"{dt.datetime.fromisoformat(stamp):%Y-%m-%d %H:%M}" if stamp else ""
