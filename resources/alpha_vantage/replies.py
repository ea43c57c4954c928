"""What a reply is, decided from its body: data, or one of the vendor's notices.

Every failure of the vendor arrives as HTTP 200, so the body decides and neither the status nor the content type is
believed. The vendor's wording has changed four times since 2018; the table matches loosely, in a fixed order, and a
notice that fits no row is ``UNRECOGNISED``, which is never taken for data. Nothing here parses prices.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson

from quant_assets.market_data.ports import FetchOutcome

__all__ = ["NOTICES", "Notice", "Verdict", "classify_body", "classify_status", "excerpt", "read_notice"]


@dataclass(frozen=True, slots=True)
class Notice:
    """One row of the table: texts that match ``pattern`` mean ``outcome``."""

    outcome: FetchOutcome
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """``OK`` means that the body holds something to parse; ``document`` is its JSON where it is JSON."""

    outcome: FetchOutcome
    message: str = ""
    document: dict[str, Any] | None = None


def _notice(outcome: FetchOutcome, pattern: str) -> Notice:
    return Notice(outcome, re.compile(pattern, re.IGNORECASE | re.DOTALL))


NOTICES: tuple[Notice, ...] = (
    _notice(FetchOutcome.DAILY_QUOTA, r"detected your api key|remove all daily rate limits"),
    # Before the premium rows and the loose daily row: a throttle also says "25 requests per day" and "premium".
    _notice(
        FetchOutcome.THROTTLED,
        r"spreading out|per[- ]second|burst|call frequency|per[- ]minute|minute[- ]level|too many requests",
    ),
    _notice(
        FetchOutcome.PARAMETER_NOT_ENTITLED,
        r"outputsize\b.*\bpremium|premium\b.*\boutputsize|parameter value is a premium",
    ),
    _notice(FetchOutcome.FUNCTION_NOT_ENTITLED, r"premium (?:api )?(?:endpoint|function)(?!s)|artificial and for ill"),
    # A server that lacks the function: like a plan that lacks it, remembered and not asked again for some days.
    _notice(FetchOutcome.FUNCTION_NOT_ENTITLED, r"api function .*does not exist"),
    _notice(
        FetchOutcome.KEY_REJECTED,
        r"api ?key\b.*(?:invalid|missing)|(?:invalid|missing)\b.*\bapi ?key|\bdemo\b.*api key|demo purposes",
    ),
    _notice(FetchOutcome.BAD_SYMBOL, r"invalid api call"),
    _notice(FetchOutcome.DAILY_QUOTA, r"(?:requests|calls) (?:per|a) day|daily (?:rate )?limit"),
)
"""In order; the first match wins. The last row is our own reserve for another wording of the daily limit."""

_NOTICE_KEYS = frozenset({"information", "note", "error message", "error", "message", "detail"})
_EXCERPT = 300
_BOM = b"\xef\xbb\xbf"


def excerpt(text: str) -> str:
    """``text`` on one line, cut to a length that fits a log."""
    line = " ".join(text.split())
    return line if len(line) <= _EXCERPT else line[: _EXCERPT - 1] + "…"


def read_notice(text: str) -> FetchOutcome | None:
    """Outcome named by the first row of :data:`NOTICES` that fits ``text``; ``None`` where none does."""
    line = " ".join(text.split())
    return next((notice.outcome for notice in NOTICES if notice.pattern.search(line)), None)


def classify_status(status: int, body: bytes) -> Verdict | None:
    """Verdict of an HTTP status other than 200, which only a proxy or a server fault produces; else ``None``."""
    if status == HTTPStatus.OK:
        return None
    said = f"HTTP {status}: {excerpt(body[:2000].decode(errors='replace'))}".rstrip(": ")
    if status >= 500 or status == HTTPStatus.REQUEST_TIMEOUT:
        return Verdict(FetchOutcome.SERVER_FAULT, said)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Verdict(FetchOutcome.THROTTLED, said)
    verdict = classify_body(body)
    if verdict.outcome in {notice.outcome for notice in NOTICES}:
        return verdict
    if status == HTTPStatus.UNAUTHORIZED:
        return Verdict(FetchOutcome.KEY_REJECTED, said)
    return Verdict(FetchOutcome.UNRECOGNISED, f"{said} (check ALPHA_VANTAGE_BASE_URL)")


def classify_body(body: bytes) -> Verdict:
    """Verdict of a body sent with status 200, whatever format was asked for and whatever its content type says."""
    content = body.removeprefix(_BOM).strip()
    if not content:
        return Verdict(FetchOutcome.EMPTY, "the reply has no content")
    if content.startswith(b"{"):
        return _classify_json(content)
    if content[:1] in b"[<":
        return _unrecognised("the reply is no price data", content)
    text = content[:2000].decode(errors="replace")
    first_line = text.splitlines()[0]
    if "," in first_line and " " not in first_line.strip():
        return Verdict(FetchOutcome.OK)
    outcome = read_notice(text)
    return _unrecognised("unrecognised notice", content) if outcome is None else Verdict(outcome, excerpt(text))


def _classify_json(content: bytes) -> Verdict:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        if content.endswith(b"}"):
            return _unrecognised("the reply is damaged JSON", content)
        return Verdict(FetchOutcome.TRANSPORT, "the reply is JSON that was cut off")
    notices = [str(value) for key, value in document.items() if key.strip().lower() in _NOTICE_KEYS]
    if notices:
        # Also where data stands beside it: the sample that comes with a refusal is artificial.
        text = " ".join(notices)
        outcome = read_notice(text)
        if outcome is None:
            return _unrecognised("unrecognised notice", text.encode())
        return Verdict(outcome, excerpt(text))
    if not any(document.values()):
        return Verdict(FetchOutcome.EMPTY, f"the reply is empty: {excerpt(content[:200].decode(errors='replace'))}")
    return Verdict(FetchOutcome.OK, document=document)


def _unrecognised(reason: str, content: bytes) -> Verdict:
    return Verdict(FetchOutcome.UNRECOGNISED, f"{reason}: {excerpt(content[:2000].decode(errors='replace'))}")
