"""What must be said beside figures from each source, in every answer."""

from __future__ import annotations

__all__ = ["disclaimer"]

_ADVICE = "Research output, not investment advice."
_VENDOR = (
    "Derived from prices of Alpha Vantage under the terms of your key: they are for your own use, and passing them or "
    "these figures on to others may count as redistribution."
)
_PACKAGED = "Derived from packaged public-domain history that ends on 2013-03-01: not current."
_SYNTHETIC = "Derived from a simulated market: no price in it ever existed."
_REPLAY = "Derived from a replay of recorded or made-up history: not current."


def disclaimer(source: str | None) -> str:
    """The sentence for a source as ``ops.publications`` names it."""
    if source is None:
        return _ADVICE
    if source.startswith("replay-packaged"):
        return f"{_PACKAGED} {_ADVICE}"
    if source.startswith("replay-synthetic"):
        return f"{_SYNTHETIC} {_ADVICE}"
    if source.startswith("replay-"):
        return f"{_REPLAY} {_ADVICE}"
    return f"{_VENDOR} {_ADVICE}"
