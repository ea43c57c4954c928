"""How time is counted when a measure is annualised.

Two clocks are used and never mixed: risk is scaled by exchange sessions (252 a year), growth by calendar days
(365.25 a year). Rates are effective annual rates; ``rate_per_session`` turns one into what a session earns.
"""

from __future__ import annotations

import datetime as dt

from quant_assets.foundation.errors import UsageError

__all__ = ["DAYS_PER_YEAR", "SESSIONS_PER_YEAR", "rate_per_session", "years_between"]

SESSIONS_PER_YEAR = 252
"""Sessions in a year: New York had 251.9 on average from 1990 to 2025."""
DAYS_PER_YEAR = 365.25


def rate_per_session(rate_ann: float) -> float:
    """What an effective annual rate earns in one session: ``(1 + rate)^(1/252) - 1``.

    Raises
    ------
    UsageError
        Where the rate is -100 % or less.
    """
    if rate_ann <= -1:
        raise UsageError(f"the annual rate {rate_ann} would lose everything; write a fraction such as 0.02")
    return float((1.0 + rate_ann) ** (1.0 / SESSIONS_PER_YEAR) - 1.0)


def years_between(first: dt.date, last: dt.date) -> float:
    """Calendar years from ``first`` to ``last``: days / 365.25."""
    return (last - first).days / DAYS_PER_YEAR
