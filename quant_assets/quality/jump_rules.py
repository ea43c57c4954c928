"""What a single move says about the bar that made it: decimal shift, missed split, split without a jump, broken level.

The evidence that tells a wrong bar from news is volume. A price that truly halves overnight does so on several times
its usual volume; a missed split or a bad tick leaves the number of traded shares, counted in old shares, as it was.
On packaged history the largest move on ordinary volume is 4.2 volatilities after the market, and AAPL's halving of
2000-09-29, which otherwise looks like a missed two-for-one split, came on 27 times its median volume.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from quant_assets.quality.reference import Move, SymbolBars
from quant_assets.quality.thresholds import LOUD_RATIO, LOUD_ZSCORE

__all__ = ["FREEZING_KINDS", "JumpVerdict", "judge_jump"]

DECIMAL_SHIFT = "decimal_shift"
UNADJUSTED_SPLIT = "unadjusted_split"
SPLIT_WITHOUT_JUMP = "split_without_jump"
DIVIDEND_NOT_CREDIBLE = "dividend_not_credible"
LEVEL_BREAK = "level_break"
PRICE_JUMP = "price_jump"

FREEZING_KINDS = frozenset({DECIMAL_SHIFT, UNADJUSTED_SPLIT, SPLIT_WITHOUT_JUMP, DIVIDEND_NOT_CREDIBLE, LEVEL_BREAK})
"""Kinds after which bars at the new level are withheld too: accepting the second one would let the jump through."""

_SPLIT_RATIOS = (
    Fraction(3, 2),
    Fraction(5, 2),
    *(Fraction(new) for new in (2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50)),
    *(Fraction(1, old) for old in (2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50)),
)
"""New shares per old one that splits use. Forward ones below three for two are left out: they are rarer than the bad
news that looks like them, and are judged as unexplained jumps. Reverse ones start at one for two."""
_NEAR = 4.0
"""Volatilities within which a price is where the hypothesis puts it: 0.3 % of packaged days are further away."""
_FAR = 6.0
"""Volatilities that a jump must exceed to be looked at at all; no bar on ordinary volume has reached 5."""
_DECIMAL_SLACK = 0.1
"""Least slack (log) around a power of ten."""
_NEWS_RATIO = 3.0
"""Volume, in old shares, from which a jump near a split ratio is news. Of 7 recorded split days the busiest had 2.4
times its median (NFLX, 2015-07-15, before earnings); of the true crashes near a ratio of 3/2 or more the calmest had
5.7 times (NFLX, 2011-10-25)."""
_BROKEN_LEVEL = math.log(3.0)
"""A price that triples or falls to a third without heavy volume is another instrument's."""
_QUIET_INSTRUMENT = -4.0
"""Volume z-score below which the volume, too, is another instrument's."""
_ORDINARY_RANGE = 1.0
"""Where the volume is unknown: log ratio of range to usual below which the session looks undisturbed."""
_SMALLEST_ACTION = math.log(1.15)
"""Smallest corporate action whose missing jump stands out."""


@dataclass(frozen=True, slots=True)
class JumpVerdict:
    """A jump that withholds its bar.

    Parameters
    ----------
    kind : str
    pattern : str
        Kind with direction or ratio: what a dismissal mutes.
    magnitude : float
        Absolute log ratio, or volatilities for ``price_jump``.
    details : str
        Why, in words.
    """

    kind: str
    pattern: str
    magnitude: float
    details: str


def judge_jump(
    bars: SymbolBars, row: int, reference: int, *, high_score: float, splits_note: str = ""
) -> JumpVerdict | None:
    """Whether the move from ``reference`` to ``row`` is one that no sound bar makes.

    Parameters
    ----------
    bars : SymbolBars
    row, reference : int
        The bar and the last accepted bar before it.
    high_score : float
        Threshold of HIGH for moves on ordinary volume.
    splits_note : str
        What is known of the vendor's list of splits, to end the words of a split-like jump.

    Returns
    -------
    JumpVerdict or None
        None where the bar may be right, however large its move: heavy volume makes it news.
    """
    move = bars.move(row, reference)
    words = f"close {bars.close[row]:g} against {bars.close[reference]:g} on {bars.dates[reference]}"
    return (
        _missing_jump(bars, row, reference, move, words)
        or _decimal_shift(bars, row, move, words)
        or _missed_split(bars, row, move, words, splits_note)
        or _other_instrument(bars, row, move, words)
        or _unexplained_jump(bars, row, move, words, high_score)
    )


def _is_news(bars: SymbolBars, row: int, *, shares: float = 1.0) -> bool:
    """Whether volume, counted in shares before a split into ``shares``, is at least three times its median.

    Where the volume is unknown, a wide range stands for it; where both are, nothing speaks for news.
    """
    log_ratio = bars.volume_log_ratio[row]
    if not np.isfinite(log_ratio):
        return bool(bars.range_zscore[row] >= _ORDINARY_RANGE)
    return bool(log_ratio - max(0.0, math.log(shares)) >= math.log(_NEWS_RATIO))


def _missing_jump(bars: SymbolBars, row: int, reference: int, move: Move, words: str) -> JumpVerdict | None:
    """A recorded action of the day after which the price did not move."""
    if abs(move.action_log) < _SMALLEST_ACTION or not abs(move.log_return) > _FAR * move.scale:
        return None
    if abs(move.raw_log_return) > min(_NEAR * move.scale, abs(move.action_log) / 2):
        return None
    ratio = math.exp(abs(move.action_log))
    if bars.has_split[reference + 1 : row + 1].any():
        return JumpVerdict(
            SPLIT_WITHOUT_JUMP,
            SPLIT_WITHOUT_JUMP,
            abs(move.action_log),
            f"a split by {ratio:.4g} is recorded, but the price did not move: {words}",
        )
    return JumpVerdict(
        DIVIDEND_NOT_CREDIBLE,
        DIVIDEND_NOT_CREDIBLE,
        abs(move.action_log),
        f"a dividend of {100 * (ratio - 1):.3g} % of the price is recorded, but the price did not fall: {words}",
    )


def _decimal_shift(bars: SymbolBars, row: int, move: Move, words: str) -> JumpVerdict | None:
    power = round(move.log_return / math.log(10.0))
    if power == 0 or abs(power) > 4:
        return None
    slack = max(_DECIMAL_SLACK, _NEAR * np.nan_to_num(move.scale))
    if abs(move.log_return - power * math.log(10.0)) > slack:
        return None
    if abs(power) == 1 and (_is_news(bars, row) or _is_split_volume(bars, row, shares=10.0**-power)):
        return None  # a tenfold move on heavy volume happens; on volume that moved along it is a split
    side = "above" if power > 0 else "below"
    return JumpVerdict(
        DECIMAL_SHIFT,
        f"{DECIMAL_SHIFT}:1e{power}",
        abs(move.log_return),
        f"the price is {10 ** abs(power)} times {side} the last accepted one: {words}",
    )


def _is_split_volume(bars: SymbolBars, row: int, *, shares: float) -> bool:
    """Whether the number of traded shares moved with the price as after a split into ``shares``."""
    log_ratio = bars.volume_log_ratio[row]
    return bool(np.isfinite(log_ratio) and abs(log_ratio - math.log(shares)) < abs(log_ratio))


def _missed_split(bars: SymbolBars, row: int, move: Move, words: str, splits_note: str) -> JumpVerdict | None:
    if not abs(move.log_return) > _FAR * move.scale:
        return None
    ratio = min(_SPLIT_RATIOS, key=lambda fraction: abs(move.log_return + math.log(fraction)))
    shares = float(ratio)
    if abs(move.log_return + math.log(shares)) > _NEAR * move.scale or _is_news(bars, row, shares=shares):
        return None
    note = f"; {splits_note}" if splits_note else ""
    return JumpVerdict(
        UNADJUSTED_SPLIT,
        f"{UNADJUSTED_SPLIT}:{ratio}",
        abs(move.log_return),
        f"the price moved as in a split of {ratio.numerator} for {ratio.denominator} on ordinary volume, "
        f"and none is recorded: {words}{note}",
    )


def _other_instrument(bars: SymbolBars, row: int, move: Move, words: str) -> JumpVerdict | None:
    is_huge = abs(move.log_return) >= _BROKEN_LEVEL and not abs(move.log_return) <= _FAR * move.scale
    is_strange = move.score_size > _FAR and bars.volume_zscore[row] < _QUIET_INSTRUMENT
    if not (is_huge or is_strange) or _is_news(bars, row):
        return None
    return JumpVerdict(
        LEVEL_BREAK,
        f"{LEVEL_BREAK}:{'up' if move.log_return > 0 else 'down'}",
        abs(move.log_return),
        f"the price is {math.exp(abs(move.log_return)):.3g} times "
        f"{'above' if move.log_return > 0 else 'below'} the last accepted one without the volume of such news, "
        f"as if it were another instrument's: {words}",
    )


def _unexplained_jump(bars: SymbolBars, row: int, move: Move, words: str, high_score: float) -> JumpVerdict | None:
    volume = bars.volume_log_ratio[row]
    if not np.isfinite(volume) or not move.score_size >= high_score:
        return None  # without volume nothing tells a bad tick from news: it is raised, not withheld
    if volume >= math.log(LOUD_RATIO) or bars.volume_zscore[row] >= LOUD_ZSCORE:
        return None
    return JumpVerdict(
        PRICE_JUMP,
        f"{PRICE_JUMP}:{'up' if move.score > 0 else 'down'}",
        move.score_size,
        f"the price moved {move.score_size:.1f} volatilities more than the market on {math.exp(volume):.2g} times "
        f"its usual volume: {words}",
    )
