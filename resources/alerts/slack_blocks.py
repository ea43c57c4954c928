"""A message laid out for Slack: subject, figures, a small table, the link; within Slack's limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quant_assets.ops.ports import Alert, AlertDetails, AlertMessage

__all__ = ["message_blocks", "message_text"]

_HEADER, _SECTION, _FIELDS, _FIELD = 150, 3_000, 10, 2_000
"""Slack's limits: characters of a header and of a section, fields of a section, characters of a field."""
_LISTED = 20
_TABLE_ROWS = 15
Block = dict[str, Any]


def message_text(message: AlertMessage) -> str:
    """The message in one line, for notifications and where blocks cannot be shown."""
    return _clipped(_escaped(f"[{message.severity}] {message.subject}"), _SECTION)


def message_blocks(message: AlertMessage) -> list[Block]:
    """The message as Slack blocks: an alert with its figures, or a list of many."""
    header = {"type": "header", "text": {"type": "plain_text", "text": _clipped(message.subject, _HEADER)}}
    blocks = [header, *(_digest(message.alerts) if message.is_digest else _single(message.alerts[0]))]
    return [*blocks, _context(message)]


def _single(alert: Alert) -> list[Block]:
    details = alert.details
    facts = {"severity": alert.severity, **({"symbol": details.symbol} if details.symbol else {}), **details.figures}
    fields = [
        {"type": "mrkdwn", "text": _clipped(f"*{_escaped(name)}*\n{_escaped(value)}", _FIELD)}
        for name, value in list(facts.items())[:_FIELDS]
    ]
    blocks: list[Block] = [{"type": "section", "fields": fields}]
    if alert.body:
        blocks.append(_section(_escaped(alert.body)))
    if details.rows:
        blocks.append(_section(f"```{_escaped(_table(details.columns, details.rows))}```"))
    if details.link:
        blocks.append(_look(details))
    return blocks


def _digest(alerts: Sequence[Alert]) -> list[Block]:
    lines = [f"• *{alert.severity}* {_escaped(alert.subject)}" for alert in alerts[:_LISTED]]
    if len(alerts) > _LISTED:
        lines.append(f"and {len(alerts) - _LISTED} more: `quant alerts list`")
    blocks = [_section("\n".join(lines))]
    if len({alert.details.link for alert in alerts}) == 1 and alerts[0].details.link:
        blocks.append(_look(alerts[0].details))
    return blocks


def _look(details: AlertDetails) -> Block:
    hint = f" {_escaped(details.link_hint)}" if details.link_hint else ""
    return _section(f"<{details.link}|Look at it>{hint}")


def _context(message: AlertMessage) -> Block:
    first = min(alert.created_at for alert in message.alerts)
    words = f"{message.alerts[0].kind.replace('_', ' ')}, raised {first:%Y-%m-%d %H:%M} UTC"
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": _escaped(words)}]}


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": _clipped(text, _SECTION)}}


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    shown = [list(columns), *(list(row) for row in rows[:_TABLE_ROWS])]
    widths = [max(len(row[k]) for row in shown) for k in range(len(columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]
    if len(rows) > _TABLE_ROWS:
        lines.append(f"and {len(rows) - _TABLE_ROWS} more")
    return "\n".join(lines)


def _escaped(text: str) -> str:
    """The three characters that Slack gives a meaning."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clipped(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    end = "…```" if text.startswith("```") else "…"
    return text[: limit - len(end)] + end
