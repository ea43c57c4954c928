"""Bad bars of every kind and of several sizes, planted into good ones, with the truth beside them.

Used to score the sentinel, never by a run. The shared kinds are distorted by the same function as the synthetic
market's; added here are sizes in daily standard deviations, wrong highs and lows, other instruments' prices, and
missed splits that end after ten sessions, so that one symbol can take many plants.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.replay.synthetic.anomalies import AnomalyKind, Distortion, distort

__all__ = ["CATALOGUE", "PLANTED_SCHEMA", "Plant", "plant_bad_bars"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

PLANTED_SCHEMA: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "date": pl.Date(),
    "last_date": pl.Date(),
    "kind": pl.String(),
    "size": pl.String(),
    "is_material": pl.Boolean(),
}
"""First and last session touched; ``is_material`` where the goal of 95 % counts it."""

_COLUMNS = ("open", "high", "low", "close", "volume")
_OPEN, _HIGH, _LOW, _CLOSE, _VOLUME = range(5)
_PRICES = slice(0, 4)
_SIGMA_BARS = 63
_FIRST_PLANT = 150
"""Bars left alone at the start of each symbol, so that every detector has something to compare with."""


@dataclass(frozen=True, slots=True)
class _Site:
    """Where a plant goes: the bars (sessions, 5) and presence to change in place, the row, and a daily sigma."""

    bars: Floats
    present: Flags
    start: int
    sigma: float
    generator: np.random.Generator


@dataclass(frozen=True, slots=True)
class Plant:
    """One kind and size of bad data.

    Parameters
    ----------
    kind, size : str
    sessions : int
        Bars touched.
    apply : callable
        Changes the bars of a site in place.
    is_material : bool
    """

    kind: str
    size: str
    sessions: int
    apply: Callable[[_Site], None]
    is_material: bool = True


def _distorted(kind: AnomalyKind, sessions: int, magnitude: float) -> Callable[[_Site], None]:
    def apply(site: _Site) -> None:
        end = site.start + sessions
        distort(site.bars[:end], site.present[:end], site.start, Distortion(kind, sessions, magnitude))

    return apply


def _missed_split(ratio: float, *, moves_volume: bool) -> Callable[[_Site], None]:
    def apply(site: _Site) -> None:
        touched = slice(site.start, site.start + _SPLIT_SESSIONS)
        site.bars[touched, _PRICES] = np.round(site.bars[touched, _PRICES] / ratio, 4)
        if moves_volume:
            site.bars[touched, _VOLUME] = np.round(site.bars[touched, _VOLUME] * ratio)

    return apply


def _spike(sigmas: float) -> Callable[[_Site], None]:
    """Move one close by so many daily sigmas from the true one, up or down; high or low follows."""

    def apply(site: _Site) -> None:
        sign = 1.0 if site.generator.random() < 0.5 else -1.0
        distort(
            site.bars, site.present, site.start, Distortion(AnomalyKind.SPIKE, 1, np.expm1(sign * sigmas * site.sigma))
        )

    return apply


def _wick(sigmas: float) -> Callable[[_Site], None]:
    """Move one high up or one low down by so many daily sigmas."""

    def apply(site: _Site) -> None:
        factor = np.exp(sigmas * site.sigma)
        row = site.bars[site.start]
        if site.generator.random() < 0.5:
            row[_HIGH] = round(row[_HIGH] * factor, 4)
        else:
            row[_LOW] = round(row[_LOW] / factor, 4)

    return apply


def _one_price(column: int, factor: float) -> Callable[[_Site], None]:
    def apply(site: _Site) -> None:
        site.bars[site.start, column] = round(site.bars[site.start, column] * factor, 4)

    return apply


def _value(column: int, value: float) -> Callable[[_Site], None]:
    def apply(site: _Site) -> None:
        site.bars[site.start, column] = value

    return apply


def _flat_run(sessions: int) -> Callable[[_Site], None]:
    """The last close repeated as open, high, low and close, on no volume."""

    def apply(site: _Site) -> None:
        touched = slice(site.start, site.start + sessions)
        site.bars[touched, _PRICES] = site.bars[site.start - 1, _CLOSE]
        site.bars[touched, _VOLUME] = 0

    return apply


def _other_instrument(site: _Site) -> None:
    """Ten bars at another price and volume level, as under a reused ticker."""
    touched = slice(site.start, site.start + _SPLIT_SESSIONS)
    price = np.exp(site.generator.uniform(np.log(1.8), np.log(9.0)) * site.generator.choice([-1.0, 1.0]))
    volume = np.exp(site.generator.uniform(np.log(0.02), np.log(0.5)))
    site.bars[touched, _PRICES] = np.round(site.bars[touched, _PRICES] * price, 4)
    site.bars[touched, _VOLUME] = np.round(site.bars[touched, _VOLUME] * volume)


_SPLIT_SESSIONS = 10


def _catalogue() -> tuple[Plant, ...]:
    shift, stale, hole = AnomalyKind.SCALE_SHIFT, AnomalyKind.STALE_RUN, AnomalyKind.HOLE
    plants = [
        *(Plant("scale_shift", f"x{f:g}", 1, _distorted(shift, 1, f)) for f in (0.01, 0.1, 10.0, 100.0)),
        *(Plant("scale_shift_run", f"x{f:g}, 3 sessions", 3, _distorted(shift, 3, f)) for f in (0.01, 100.0)),
        *(Plant("close_shift", f"x{f:g}", 1, _one_price(_CLOSE, f)) for f in (0.1, 10.0)),
        *(Plant("high_shift", f"x{f:g}", 1, _one_price(_HIGH, f)) for f in (10.0, 100.0)),
        *(
            Plant(
                "missed_split",
                f"{label}, volume {'moves' if moves else 'kept'}",
                _SPLIT_SESSIONS,
                _missed_split(ratio, moves_volume=moves),
            )
            for label, ratio in (
                ("3:2", 1.5),
                ("2:1", 2.0),
                ("3:1", 3.0),
                ("7:1", 7.0),
                ("10:1", 10.0),
                ("1:4", 0.25),
                ("1:10", 0.1),
            )
            for moves in (True, False)
        ),
        *(Plant("spike", f"{n} sigma", 1, _spike(n), is_material=n >= 8) for n in (4, 6, 8, 10, 15, 25)),
        *(Plant("wick", f"{n} sigma", 1, _wick(n), is_material=False) for n in (4, 6, 8, 15)),
        *(
            Plant("volume", f"x{f:g}", 1, _distorted(AnomalyKind.VOLUME_SPIKE, 1, f), is_material=f == 20.0)
            for f in (0.05, 5.0, 10.0, 20.0)
        ),
        *(Plant("stale_run", f"{n} sessions", n, _distorted(stale, n, n), is_material=n >= 5) for n in (1, 2, 5)),
        *(Plant("flat_run", f"{n} sessions", n, _flat_run(n), is_material=n >= 5) for n in (2, 5)),
        *(Plant("hole", f"{n} sessions", n, _distorted(hole, n, n)) for n in (1, 3)),
        Plant("other_instrument", "10 sessions", _SPLIT_SESSIONS, _other_instrument, is_material=False),
        Plant("high_below_low", "", 1, _distorted(AnomalyKind.HIGH_BELOW_LOW, 1, 1.0)),
        Plant("zero_price", "", 1, _value(_LOW, 0.0)),
        Plant("missing_price", "", 1, _value(_CLOSE, np.nan)),
        Plant("negative_volume", "", 1, _value(_VOLUME, -100.0)),
    ]
    return tuple(plants)


CATALOGUE = _catalogue()
"""Kinds and sizes that are planted. Material, beside the certain rules: shifts, missed splits, spikes of 8 daily
standard deviations or more, volume x20, stale runs of 5 sessions, holes."""


def plant_bad_bars(
    bars: pl.DataFrame,
    *,
    seed: int,
    every_sessions: int = 40,
    catalogue: tuple[Plant, ...] = CATALOGUE,
    avoid: pl.DataFrame | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Plant the catalogue, shuffled and repeated, into every symbol.

    Parameters
    ----------
    bars : pl.DataFrame
        symbol, date, open, high, low, close, volume as traded, sorted; other columns are kept.
    seed : int
        Same seed and bars, same plants.
    every_sessions : int
        Distance between two plants of a symbol.
    catalogue : tuple of Plant
    avoid : pl.DataFrame, optional
        symbol and date: no plant within five bars (days with corporate actions).

    Returns
    -------
    bars, planted : pl.DataFrame
        The bars with the plants in them, and ``PLANTED_SCHEMA``.
    """
    changed, truth = [], []
    queue: list[Plant] = []
    generator = np.random.default_rng(seed)
    for (symbol,), own in bars.group_by("symbol", maintain_order=True):
        matrix = own.select(pl.col(_COLUMNS).cast(pl.Float64)).to_numpy(writable=True)
        returns = np.diff(np.log(matrix[:, _CLOSE]))
        present = np.ones(own.height, dtype=np.bool_)
        dates = own["date"]
        taboo = _rows_of(dates, symbol, avoid)
        for place in range(_FIRST_PLANT, own.height - 2 * _SPLIT_SESSIONS, every_sessions):
            start = place + int(generator.integers(0, max(1, every_sessions - 3 * _SPLIT_SESSIONS)))
            if not queue:
                queue = [catalogue[i] for i in generator.permutation(len(catalogue))]
            plant = queue.pop()
            end = start + plant.sessions
            if end >= own.height or ((taboo > start - 5) & (taboo < end + 5)).any():
                queue.insert(0, plant)
                continue
            sigma = float(np.std(returns[max(0, start - 1 - _SIGMA_BARS) : start - 1]))
            plant.apply(_Site(matrix, present, start, sigma, generator))
            truth.append((symbol, dates[start], dates[end - 1], plant.kind, plant.size, plant.is_material))
        columns = [
            pl.Series(name, matrix[:, position], nan_to_null=True).cast(own.schema[name])
            for position, name in enumerate(_COLUMNS)
        ]
        changed.append(own.with_columns(columns).filter(pl.Series(present)))
    return pl.concat(changed), pl.DataFrame(truth, schema=PLANTED_SCHEMA, orient="row")


def _rows_of(dates: pl.Series, symbol: object, avoid: pl.DataFrame | None) -> npt.NDArray[np.int64]:
    avoided = [] if avoid is None else avoid.filter(pl.col("symbol") == symbol)["date"].to_list()
    if not avoided:
        return np.empty(0, dtype=np.int64)
    return dates.search_sorted(pl.Series(avoided, dtype=pl.Date)).to_numpy().astype(np.int64)
