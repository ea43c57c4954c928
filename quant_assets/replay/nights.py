"""Which nights a replay lives through, and the line that its diary keeps of each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from quant_assets.foundation.calendar import TradingCalendar
from quant_assets.foundation.errors import UsageError

__all__ = ["Forecast", "Night", "NightsPlan", "diary_line", "plan_nights"]

_FIRST_HISTORY = 250
"""Sessions before the first night, at least: about a year, before which no feature of a year's length is defined."""


@dataclass(frozen=True, slots=True)
class NightsPlan:
    """The nights of a replay.

    Parameters
    ----------
    first, last : date
        As asked for.
    eve : date
        The session before the first night; the home starts from the history up to it.
    sessions : tuple of date
        One night each.
    """

    first: dt.date
    last: dt.date
    eve: dt.date
    sessions: tuple[dt.date, ...]

    @property
    def folder(self) -> str:
        """Name of the replay's folder."""
        return f"{self.first}_{self.last}"


def plan_nights(
    first: dt.date, last: dt.date, calendar: TradingCalendar, *, earliest: dt.date, latest: dt.date
) -> NightsPlan:
    """The nights from ``first`` to ``last``, both included.

    Parameters
    ----------
    first, last : date
        Any dates; nights are the exchange sessions among them.
    calendar : TradingCalendar
    earliest, latest : date
        First and last session of the history.

    Raises
    ------
    UsageError
        Where the dates are the wrong way round, hold no session, or lie outside the history.
    """
    if first > last:
        raise UsageError(f"--from {first} lies after --to {last}; give the earlier date first.")
    if last > latest:
        raise UsageError(f"--to {last} lies after the end of the embedded history; give {latest} or earlier.")
    soonest = calendar.shift(earliest, _FIRST_HISTORY)
    if first < soonest:
        raise UsageError(f"--from {first} leaves less than a year of history before it; give {soonest} or later.")
    sessions = tuple(calendar.sessions_between(first, last))
    if not sessions:
        raise UsageError(f"there is no exchange session from {first} to {last}; give a longer range.")
    return NightsPlan(first, last, calendar.shift(sessions[0], -1), sessions)


@dataclass(frozen=True, slots=True)
class Forecast:
    """A forecast of the portfolio for the session that just ended, made the night before, and its outcome."""

    p05: float
    p50: float
    p95: float
    realised: float
    is_inside: bool


@dataclass(frozen=True, slots=True)
class Night:
    """What one night came to; empty where nothing is known of it.

    Parameters
    ----------
    session : date
    error : str
        Why the nightly run failed; empty where it succeeded.
    fetched : int
        Bars that are new.
    anomalies : dict of str to int
        New events by severity.
    regime, regime_before : str
        The market's regime; the one before where a change was confirmed for this session.
    drift_share, drift_strikes : float
        Largest share of a model's importance that drifted, and sessions in a row that it was too much.
    retrained : tuple of str
        Versions trained.
    promoted : tuple of str
        Versions that became champion.
    alerts : tuple of str
        Subjects of new alerts.
    forecast : Forecast, optional
    launched : tuple of str
        Jobs that sensors asked for, with how they ended.
    sensor_errors : tuple of str
        Sensors that raised, with the reason.
    seconds : float
        Wall time.
    """

    session: dt.date
    error: str = ""
    fetched: int = 0
    anomalies: tuple[tuple[str, int], ...] = ()
    regime: str = ""
    regime_before: str = ""
    drift_share: float | None = None
    drift_strikes: int = 0
    retrained: tuple[str, ...] = ()
    promoted: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    forecast: Forecast | None = None
    launched: tuple[str, ...] = ()
    sensor_errors: tuple[str, ...] = ()
    seconds: float = 0.0


def diary_line(night: Night) -> str:
    """One night in one line."""
    if night.error:
        parts = [f"failed: {night.error}"]
    else:
        parts = [f"{night.fetched} bars", _anomalies(night), _regime(night), _drift(night), _outcome(night.forecast)]
    parts += [
        _list("launched", night.launched),
        _list("trained", night.retrained),
        _list("promoted", night.promoted),
        _list("sensor failed", night.sensor_errors),
        _alerts(night.alerts),
        f"{night.seconds:.1f} s",
    ]
    return f"{night.session}  " + "; ".join(part for part in parts if part)


def _anomalies(night: Night) -> str:
    found = [f"{count} {severity}" for severity, count in night.anomalies if count]
    return f"anomalies {', '.join(found)}" if found else "no anomaly"


def _regime(night: Night) -> str:
    words = night.regime.replace("_", " ")
    if night.regime_before:
        return f"REGIME {night.regime_before.replace('_', ' ')} -> {words}"
    return words


def _drift(night: Night) -> str:
    if night.drift_share is None:
        return ""
    strikes = f", {night.drift_strikes} strikes" if night.drift_strikes else ""
    return f"drift {night.drift_share:.0%}{strikes}"


def _outcome(forecast: Forecast | None) -> str:
    if forecast is None:
        return ""
    where = "inside" if forecast.is_inside else "OUTSIDE"
    band = f"{forecast.p50:,.0f} ({forecast.p05:,.0f} to {forecast.p95:,.0f})"
    return f"forecast {band}, came {forecast.realised:,.0f} {where}"


def _list(name: str, values: Sequence[str]) -> str:
    return f"{name} {', '.join(values)}" if values else ""


def _alerts(subjects: Sequence[str], shown: int = 2) -> str:
    if not subjects:
        return ""
    more = f" and {len(subjects) - shown} more" if len(subjects) > shown else ""
    return f"{len(subjects)} alert{'s' if len(subjects) > 1 else ''} ({'; '.join(subjects[:shown])}{more})"
