"""What dismissals teach: a pattern that a person called harmless is not raised again for that symbol."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

__all__ = ["MutedPatterns"]

_TOLERANCE = 1.5
"""A pattern stays quiet up to this multiple of the size that was dismissed; larger ones are another story."""


@dataclass(frozen=True, slots=True)
class MutedPatterns:
    """Dismissed events by symbol and pattern: the largest size dismissed (None: any size) and its event."""

    entries: dict[tuple[str, str], tuple[float | None, str]] = field(default_factory=dict)

    @classmethod
    def from_events(cls, events: pl.DataFrame) -> MutedPatterns:
        """Collect the dismissed ones.

        Parameters
        ----------
        events : pl.DataFrame
            Rows of ``quality.anomaly_events``; those of another status teach nothing.
        """
        entries: dict[tuple[str, str], tuple[float | None, str]] = {}
        dismissed = events.filter(pl.col("status") == "dismissed").sort("event_id")
        for event_id, symbol, pattern, magnitude in dismissed.select(
            "event_id", "symbol", "pattern", "magnitude"
        ).iter_rows():
            known = entries.get((symbol, pattern))
            is_larger = known is None or magnitude is None or (known[0] is not None and magnitude > known[0])
            if is_larger:
                entries[symbol, pattern] = (magnitude, event_id)
        return cls(entries)

    def muted_by(self, symbol: str, pattern: str, magnitude: float | None) -> str | None:
        """Event whose dismissal keeps this one quiet, or None."""
        known = self.entries.get((symbol, pattern))
        if known is None:
            return None
        size, event_id = known
        is_quiet = size is None or magnitude is None or not magnitude > _TOLERANCE * size
        return event_id if is_quiet else None
