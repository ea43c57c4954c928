"""Reading requests: headers, media types, conditions, and what of a query may be logged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl

__all__ = ["header", "host_name", "is_unchanged", "preferred_type", "safe_query"]


def header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """Value of the first header of a lower-case name."""
    return next((value for key, value in headers if key == name), None)


def host_name(value: bytes | None) -> str:
    """The name in a ``Host`` header, without port, lower case."""
    text = (value or b"").decode("latin-1").strip().lower()
    if text.startswith("["):
        return text.partition("]")[0] + "]"
    return text.partition(":")[0]


def is_unchanged(if_none_match: bytes | None, etag: bytes) -> bool:
    """Whether an ``If-None-Match`` header names the entity tag (weak comparison, RFC 9110 section 13.1.2)."""
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix(b"W/") for tag in if_none_match.split(b",")]
    return tags == [b"*"] or etag.removeprefix(b"W/") in tags


def preferred_type(accept: bytes | None, offered: Sequence[str]) -> str:
    """Which of the offered media types an ``Accept`` header prefers; the first where it says nothing that fits.

    The most specific range that covers a type gives its weight (RFC 9110 section 12.5.1); equal weights go to the
    type that a range names in full, then to the earlier one.
    """
    ranges = [_media_range(part) for part in (accept or b"").decode("latin-1").lower().split(",") if part.strip()]

    def weight(media: str) -> tuple[float, int]:
        kind = media.partition("/")[0]
        covering = [(r, q) for r, q in ranges if r in {media, f"{kind}/*", "*/*"}]
        if not covering:
            return (0.0, 0)
        specificity = {media: 2, f"{kind}/*": 1, "*/*": 0}
        named, quality = max(covering, key=lambda pair: specificity[pair[0]])
        return (quality, 1 if named == media and quality else 0)

    return max(offered, key=weight) if ranges else offered[0]


def _media_range(part: str) -> tuple[str, float]:
    media, *parameters = (piece.strip() for piece in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return media, min(1.0, max(0.0, float(value)))
            except ValueError:
                return media, 0.0
    return media, 1.0


def safe_query(query: bytes, known: frozenset[str]) -> str:
    """A query string for the log: values of parameters that the API does not have are left out.

    People put keys into URLs by mistake; the log is no place for them.
    """
    if not query:
        return ""
    pairs = (
        parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=64) if query.count(b"&") < 64 else []
    )
    return "&".join(f"{name}={value[:64]}" if name in known else "(unknown)=(hidden)" for name, value in pairs)
