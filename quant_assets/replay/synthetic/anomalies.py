"""Bad data of stated kinds, planted into good bars, with a table that says where.

Works on any bars: the synthetic market uses :func:`distort`, and :func:`plant_anomalies` does the same to real prices.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["ANOMALIES_SCHEMA", "AnomalyKind", "Distortion", "distort", "draw_distortion", "plant_anomalies"]

Floats = npt.NDArray[np.float64]

ANOMALIES_SCHEMA: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "date": pl.Date(),
    "last_date": pl.Date(),
    "kind": pl.String(),
    "magnitude": pl.Float64(),
}
"""One row for each planted anomaly: first and last session touched; ``magnitude`` as each kind says."""

_COLUMNS = ("open", "high", "low", "close", "volume")
_PRICES = slice(0, 4)
_HIGH, _LOW, _CLOSE, _VOLUME = 1, 2, 3, 4


class AnomalyKind(StrEnum):
    """Kinds of anomalies; ``magnitude`` is in brackets."""

    SCALE_SHIFT = "scale_shift"
    """Prices of 1 to 5 sessions times 10, 100, 1/10 or 1/100, then right again [factor]."""
    MISSED_SPLIT = "missed_split"
    """Prices divided and volume multiplied from here on, with no split listed [factor]."""
    SPIKE = "spike"
    """One close, with its high or low, 20 to 50 per cent off [relative move]."""
    VOLUME_SPIKE = "volume_spike"
    """One volume times 20 [factor]."""
    STALE_RUN = "stale_run"
    """The bar before, repeated for 5 to 10 sessions [sessions]."""
    HOLE = "hole"
    """1 to 3 bars missing [sessions]."""
    HIGH_BELOW_LOW = "high_below_low"
    """High and low of one bar exchanged [1]."""


@dataclass(frozen=True, slots=True)
class Distortion:
    """One anomaly to plant, without its place."""

    kind: AnomalyKind
    sessions: int
    magnitude: float


def draw_distortion(draws: Floats, kinds: tuple[AnomalyKind, ...] = tuple(AnomalyKind)) -> Distortion:
    """Choose kind, length and magnitude from three numbers between 0 and 1; all kinds are equally likely."""
    kind = kinds[int(draws[0] * len(kinds))]
    length, size = float(draws[1]), float(draws[2])
    if kind is AnomalyKind.SCALE_SHIFT:
        return Distortion(kind, 1 + int(5 * length), (10.0, 100.0, 0.1, 0.01)[int(4 * size)])
    if kind is AnomalyKind.MISSED_SPLIT:
        return Distortion(kind, 1, (2.0, 3.0, 4.0)[int(3 * size)])
    if kind is AnomalyKind.SPIKE:
        return Distortion(kind, 1, (0.2 + 0.3 * size) * (1.0 if length < 0.5 else -1.0))
    if kind is AnomalyKind.VOLUME_SPIKE:
        return Distortion(kind, 1, 20.0)
    if kind in (AnomalyKind.STALE_RUN, AnomalyKind.HOLE):
        sessions = 5 + int(6 * length) if kind is AnomalyKind.STALE_RUN else 1 + int(3 * length)
        return Distortion(kind, sessions, float(sessions))
    return Distortion(kind, 1, 1.0)


def distort(bars: Floats, present: npt.NDArray[np.bool_], start: int, distortion: Distortion) -> None:
    """Plant one anomaly in place.

    Parameters
    ----------
    bars : array of float, shape (sessions, 5)
        Open, high, low, close, volume.
    present : array of bool, shape (sessions,)
        False where a bar is missing; a hole clears it.
    start : int
        First session touched, at least 1. What reaches beyond the last session is cut.
    distortion : Distortion
    """
    touched = slice(start, start + distortion.sessions)
    kind, magnitude = distortion.kind, distortion.magnitude
    if kind is AnomalyKind.SCALE_SHIFT:
        bars[touched, _PRICES] = np.round(bars[touched, _PRICES] * magnitude, 4)
    elif kind is AnomalyKind.MISSED_SPLIT:
        bars[start:, _PRICES] = np.round(bars[start:, _PRICES] / magnitude, 4)
        bars[start:, _VOLUME] = np.round(bars[start:, _VOLUME] * magnitude)
    elif kind is AnomalyKind.SPIKE:
        bars[touched, _CLOSE] = np.round(bars[touched, _CLOSE] * (1 + magnitude), 4)
        bars[touched, _HIGH] = np.maximum(bars[touched, _HIGH], bars[touched, _CLOSE])
        bars[touched, _LOW] = np.minimum(bars[touched, _LOW], bars[touched, _CLOSE])
    elif kind is AnomalyKind.VOLUME_SPIKE:
        bars[touched, _VOLUME] *= magnitude
    elif kind is AnomalyKind.STALE_RUN:
        bars[touched] = bars[start - 1]
    elif kind is AnomalyKind.HOLE:
        present[touched] = False
    else:
        _exchange_high_and_low(bars, start)


def _exchange_high_and_low(bars: Floats, start: int) -> None:
    high, low = bars[start, _HIGH], bars[start, _LOW]
    # A bar without a range would not show the exchange; a cent makes it wrong all the same.
    bars[start, _HIGH], bars[start, _LOW] = (low, high) if high > low else (low - 0.01, high)


_BLOCK = 63
"""At most one anomaly in so many sessions, so that they can be told apart."""
_MARGIN = 5
"""Sessions kept free of anomalies at either side of an avoided date."""


def plant_anomalies(
    bars: pl.DataFrame,
    *,
    seed: int,
    share_of_blocks: float = 0.25,
    kinds: tuple[AnomalyKind, ...] = tuple(AnomalyKind),
    avoid: pl.DataFrame | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Plant anomalies into real bars.

    Parameters
    ----------
    bars : DataFrame
        Columns ``symbol``, ``date``, ``open``, ``high``, ``low``, ``close``, ``volume``; as traded, sorted.
    seed : int
        Same seed and same bars, same anomalies.
    share_of_blocks : float
        Probability of one anomaly in each 63 sessions of a symbol.
    kinds : tuple of AnomalyKind
        Kinds to plant, equally likely.
    avoid : DataFrame, optional
        Columns ``symbol``, ``date``: no anomaly touches five sessions around them (dates of splits and dividends).

    Returns
    -------
    bars, anomalies : DataFrame
        The bars with anomalies in them (other columns untouched), and the truth (``ANOMALIES_SCHEMA``).
    """
    planted: list[pl.DataFrame] = []
    truth: list[tuple[object, ...]] = []
    for number, ((symbol,), own) in enumerate(bars.group_by("symbol", maintain_order=True)):
        avoided = [] if avoid is None else avoid.filter(pl.col("symbol") == symbol)["date"].to_list()
        generator = np.random.default_rng([seed, number])
        matrix = own.select(pl.col(_COLUMNS).cast(pl.Float64)).to_numpy(writable=True)
        present = np.ones(own.height, dtype=bool)
        for start, distortion in _places(own["date"], avoided, generator, share_of_blocks=share_of_blocks, kinds=kinds):
            last = start + distortion.sessions - 1
            distort(matrix, present, start, distortion)
            dates = own.item(start, "date"), own.item(last, "date")
            truth.append((symbol, *dates, str(distortion.kind), distortion.magnitude))
        columns = {
            name: pl.Series(matrix[:, position]).cast(own.schema[name]) for position, name in enumerate(_COLUMNS)
        }
        planted.append(own.with_columns(**columns).filter(pl.Series(present)))
    return pl.concat(planted), pl.DataFrame(truth, schema=ANOMALIES_SCHEMA, orient="row")


def _places(
    dates: pl.Series,
    avoided: list[object],
    generator: np.random.Generator,
    *,
    share_of_blocks: float,
    kinds: tuple[AnomalyKind, ...],
) -> list[tuple[int, Distortion]]:
    """Where to plant what: at most one in each block, away from its ends and from avoided dates."""
    taboo = np.asarray(dates.search_sorted(pl.Series(avoided, dtype=pl.Date)) if avoided else [], dtype=np.int64)
    places = []
    for block in range(dates.len() // _BLOCK):
        draws = generator.random(5)
        distortion = draw_distortion(draws[2:], kinds)
        room = _BLOCK - 2 * _MARGIN - distortion.sessions
        start = block * _BLOCK + _MARGIN + int(draws[1] * room)
        near = (taboo > start - _MARGIN) & (taboo < start + distortion.sessions + _MARGIN)
        if draws[0] < share_of_blocks and not near.any():
            places.append((start, distortion))
    return places
