"""Delivering the outbox, at least once per channel: bundled, paced, with the memory of failures across processes.

A message is marked as delivered only after the channel confirmed it, so a process that dies in between tells twice
rather than never. One process delivers at a time. A channel that refused is left alone for as long as it asked, or for
a time that doubles with each failure, also by the next process.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from quant_assets.foundation.errors import StorageError
from quant_assets.ops.alerts import ALERT_CHANNEL, SEVERITIES, alert_from_row, raise_alerts, untold_alerts
from quant_assets.ops.ports import Alert, AlertChannel, AlertMessage, Sending
from quant_assets.ops.replay_home import is_telling
from quant_assets.ops.store import OperationsStore
from quant_assets.ops.ui_links import opened_details

__all__ = ["BUNDLE_FROM", "MOST_BUNDLED", "ChannelReport", "bundle", "deliver", "wait_seconds"]

BUNDLE_FROM = 4
"""From this many pending alerts of one kind they are told in one message."""

MOST_BUNDLED = 50
"""Alerts of one message: after a long outage a single one would be too large for a webhook to take, for ever."""

_MESSAGES_A_TIME = 10
"""Messages of one channel in one delivery; the rest follow with the next. Slack takes about one a second."""

_FIRST_WAIT, _LONGEST_WAIT = 30.0, 3600.0
"""Seconds after the first failure, and at most. A misconfigured channel waits the longest at once."""

_SUM_OF_FAILURES = """
UPDATE alerts SET last_error = (
    SELECT group_concat(told, ' ') FROM (
        SELECT channel || ': ' || reason AS told FROM alert_failures
        WHERE alert_failures.alert_id = alerts.alert_id ORDER BY channel))
WHERE alert_id = ?
"""
"""Why each channel that has not taken an alert refused it last; null where none did."""


@dataclass(frozen=True, slots=True)
class ChannelReport:
    """What a delivery did on one channel.

    Parameters
    ----------
    delivered : int
        Alerts told.
    messages : int
        Messages they took.
    pending : int
        Alerts left for later.
    error : str
        Why there are; empty where there are none, or where there were only too many for one delivery.
    not_before : datetime, optional
        When the channel is tried again.
    """

    channel: str
    delivered: int = 0
    messages: int = 0
    pending: int = 0
    error: str = ""
    not_before: dt.datetime | None = field(default=None)


def bundle(alerts: Sequence[Alert]) -> list[AlertMessage]:
    """Messages for pending alerts: one each, or digests of a kind where many are pending; the gravest first.

    A digest holds at most :data:`MOST_BUNDLED`; of equally grave alerts the oldest come first, so that later ones
    leave the messages before them as they were.

    Parameters
    ----------
    alerts : sequence of Alert
        In any order.

    Returns
    -------
    list of AlertMessage
        Every alert is in exactly one of them.
    """
    ranked = sorted(alerts, key=lambda a: (_rank(a.severity), a.created_at, a.alert_id))
    by_kind: dict[str, list[Alert]] = {}
    for alert in ranked:
        by_kind.setdefault(alert.kind, []).append(alert)
    messages = []
    for alike in by_kind.values():
        if len(alike) >= BUNDLE_FROM:
            messages += [AlertMessage(tuple(alike[k : k + MOST_BUNDLED])) for k in range(0, len(alike), MOST_BUNDLED)]
        else:
            messages += [AlertMessage((alert,)) for alert in alike]
    return sorted(messages, key=lambda m: (_rank(m.severity), m.alerts[0].created_at))


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def wait_seconds(sending: Sending, failures: int) -> float:
    """How long to leave a channel alone after its ``failures``-th failure in a row (from 1)."""
    if sending.is_misconfigured:
        return _LONGEST_WAIT
    if sending.retry_after_seconds is not None:
        return max(1.0, sending.retry_after_seconds)
    return min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(failures - 1, 20))


def deliver(
    store: OperationsStore,
    channels: Sequence[AlertChannel],
    *,
    clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    is_urged: bool = False,
) -> tuple[ChannelReport, ...]:
    """Tell every channel what it has not been told yet.

    Does nothing where no channel is configured, and in the home of a replay that was asked to keep its alerts.

    Parameters
    ----------
    store : OperationsStore
    channels : sequence of AlertChannel
    clock : callable
        Wall clock (aware).
    is_urged : bool
        Try also a channel that asked to be left alone: a person is waiting.

    Returns
    -------
    tuple of ChannelReport
        One per channel; empty where another process is delivering.
    """
    if not channels or not is_telling(store):
        return ()
    with _only_deliverer(store) as is_ours:
        if not is_ours:
            return ()
        return tuple(_deliver_by(store, channel, clock, is_urged=is_urged) for channel in channels)


@contextmanager
def _only_deliverer(store: OperationsStore) -> Iterator[bool]:
    """Whether this process may deliver; the kernel frees the lock however the process ends."""
    path = store.path.with_name("alerts.lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StorageError(f"{path} cannot be opened ({error.strerror}); check permissions and free space.") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _deliver_by(
    store: OperationsStore, channel: AlertChannel, clock: Callable[[], dt.datetime], *, is_urged: bool
) -> ChannelReport:
    tried = _pending(store, channel.name)
    pending = list(tried)
    if not pending:
        return ChannelReport(channel.name)
    state = store.query("SELECT failures, not_before, last_error FROM alert_channels WHERE name = ?", (channel.name,))
    failures = int(state[0]["failures"]) if state else 0
    not_before = state[0]["not_before"] if state else None
    if not_before is not None and not is_urged and clock() < dt.datetime.fromisoformat(not_before):
        until = dt.datetime.fromisoformat(not_before)
        return ChannelReport(channel.name, pending=len(pending), error=state[0]["last_error"], not_before=until)
    delivered = messages = 0
    # What failed most often comes last, so that one message that a channel never takes holds up no other.
    ordered = sorted(bundle(pending), key=lambda message: tried[message.alerts[0]])
    for message in ordered[:_MESSAGES_A_TIME]:
        sending = channel.send(message)
        if not sending.is_delivered:
            until = clock() + dt.timedelta(seconds=wait_seconds(sending, failures + 1))
            _note_failure(store, channel.name, message, sending, failures=failures + 1, not_before=until)
            since = _failing_since(store, channel.name, failures + 1, clock())
            if sending.is_misconfigured:
                _tell_others(store, channel.name, sending, since, clock())
            left = len(pending) - delivered
            return ChannelReport(channel.name, delivered, messages, left, sending.reason, until)
        _note_delivery(store, channel.name, message, clock())
        failures = 0
        delivered += len(message.alerts)
        messages += 1
    return ChannelReport(channel.name, delivered, messages, len(pending) - delivered)


def _pending(store: OperationsStore, channel: str) -> dict[Alert, int]:
    """Alerts that a channel has not been told, each with how often telling it was tried on any."""
    told = {}
    for row in untold_alerts(store, channel):
        alert = alert_from_row(row)
        told[replace(alert, details=opened_details(store, alert.details))] = row["attempts"]
    return told


def _note_delivery(store: OperationsStore, channel: str, message: AlertMessage, now: dt.datetime) -> None:
    stamp = now.astimezone(dt.UTC).isoformat()
    with store.transaction() as connection:
        connection.executemany(
            "INSERT OR IGNORE INTO alert_deliveries VALUES (?, ?, ?)",
            [(alert.alert_id, channel, stamp) for alert in message.alerts],
        )
        ids = [(alert.alert_id,) for alert in message.alerts]
        connection.executemany(
            "DELETE FROM alert_failures WHERE alert_id = ? AND channel = ?", [(*i, channel) for i in ids]
        )
        connection.executemany(
            "UPDATE alerts SET delivered_at = coalesce(delivered_at, ?), attempts = attempts + 1 WHERE alert_id = ?",
            [(stamp, *i) for i in ids],
        )
        connection.executemany(_SUM_OF_FAILURES, ids)
        connection.execute(
            "INSERT INTO alert_channels (name) VALUES (?) ON CONFLICT (name) DO UPDATE SET failures = 0, "
            "not_before = NULL, last_error = NULL",
            (channel,),
        )


def _note_failure(
    store: OperationsStore,
    channel: str,
    message: AlertMessage,
    sending: Sending,
    *,
    failures: int,
    not_before: dt.datetime,
) -> None:
    with store.transaction() as connection:
        ids = [(alert.alert_id,) for alert in message.alerts]
        connection.executemany(
            "INSERT OR REPLACE INTO alert_failures VALUES (?, ?, ?)", [(*i, channel, sending.reason) for i in ids]
        )
        connection.executemany("UPDATE alerts SET attempts = attempts + 1 WHERE alert_id = ?", ids)
        connection.executemany(_SUM_OF_FAILURES, ids)
        connection.execute(
            "INSERT INTO alert_channels VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
            "failures = excluded.failures, not_before = excluded.not_before, last_error = excluded.last_error",
            (channel, failures, not_before.astimezone(dt.UTC).isoformat(), sending.reason),
        )


def _failing_since(store: OperationsStore, channel: str, failures: int, now: dt.datetime) -> str:
    """UTC date of the first of a channel's failures in a row, kept across processes."""
    name = f"{ALERT_CHANNEL}:{channel}:failing_since"
    known = store.fact(name) if failures > 1 else None
    if known is not None:
        return known
    today = now.astimezone(dt.UTC).date().isoformat()
    store.remember(name, today)
    return today


def _tell_others(store: OperationsStore, channel: str, sending: Sending, since: str, now: dt.datetime) -> None:
    """Raise an alert for the other channels, once per outage: this one needs a person."""
    alert = Alert(
        alert_id=f"{ALERT_CHANNEL}:{channel}:{since}:{sending.reason}",
        kind=ALERT_CHANNEL,
        severity="HIGH",
        subject=f"Alerts do not get through to {channel}",
        body=f"{sending.reason} Nothing is lost: what is pending follows when it works again.",
        created_at=now,
    )
    raise_alerts(store, [alert])
