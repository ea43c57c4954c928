"""Inferring corporate actions from an adjusted close that moves without a recorded event.

Where the vendor or a file sends adjusted closes, their ratio to the raw closes is constant but for events. What
moves it without being recorded is a split that the lists lack, or a dividend: the 3.08 of MSFT on 2004-11-15.
The amount is exact to the digits of the data, so the tolerance is taken from those digits.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from quant_assets.market_data.bar_order import in_order, previous, search_keys
from quant_assets.market_data.corporate_actions import (
    DIVIDEND,
    FACTOR_KINDS,
    INFERRED,
    SPECIAL_DIVIDEND,
    SPECIAL_DIVIDEND_YIELD,
    ActionEvidence,
    found_actions,
)
from quant_assets.market_data.split_factors import SPLIT, SPLIT_ROUNDING, nearest_simple_ratio

__all__ = ["infer_actions"]

_FLOAT_NOISE = 1e-12
"""Relative rounding of the quotients below, whatever the decimals (9e-14 measured on twelve-decimal closes)."""
_SMALLEST_CASH = 0.001
"""Currency per share; smaller amounts are rounding that the digits did not show."""
_DIGIT_SAMPLE = 96
"""Values read at the start, the middle and the end of a symbol's bars."""
_SMALLEST_SPLIT_MOVE = 0.2
"""An adjusted close that moves by less than this part is never read as a split: 11/10 is left to dividends."""


def _digits(bars: pl.DataFrame, column: str) -> pl.DataFrame:
    """Per symbol, how a price is printed: decimals, significant digits, and whether all values are single precision.

    Read from some of the rows, since text is slow: the most digits of many values are the column's, as one value in ten
    ends in a zero.
    """
    value = pl.col(column)
    text = value.cast(pl.String)
    decimals = text.str.split(".").list.get(1, null_on_oob=True).str.len_chars().fill_null(0)
    digits = text.str.replace(".", "", literal=True).str.strip_chars_start("0").str.len_chars()
    is_long = text.str.contains("e")
    single = (value.cast(pl.Float32).cast(pl.Float64).round(6) - value).abs().max() < 1e-9
    parts = [value.head(_DIGIT_SAMPLE), value.slice(pl.len() // 2, _DIGIT_SAMPLE), value.tail(_DIGIT_SAMPLE)]
    sample = bars.group_by("symbol").agg(pl.concat_list(part.implode() for part in parts).list.explode().alias(column))
    return (
        sample.explode(column)
        .group_by("symbol")
        .agg(
            half_step=0.5 * pl.lit(10.0).pow(-pl.when(is_long).then(17).otherwise(decimals).max().cast(pl.Float64)),
            relative=pl.max_horizontal(
                0.5 * pl.lit(10.0).pow(1.0 - pl.when(is_long).then(17).otherwise(digits).max().cast(pl.Float64)),
                pl.when(single).then(2.0**-24).otherwise(0.0),
            ),
            is_computed=(value.round(4) - value).abs().max() > 1e-9,
        )
    )


def _with_rounding_error(moves: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """Add ``error``: how far ``ratio`` may be from the computed one, relative.

    Each price is off by up to half a step of its last decimal, of its last significant digit, or of single precision
    where every value is one (Yahoo's files: 118.56 arrives as 118.559998). A raw close of up to four decimals is
    exact, as traded; a longer one was computed, too.
    """
    adjusted = _digits(bars, "adjusted_close").drop("is_computed")
    raw = _digits(bars, "close").with_columns(pl.col("half_step", "relative") * pl.col("is_computed"))
    joined = moves.join(adjusted, on="symbol", how="left").join(raw, on="symbol", how="left", suffix="_raw")
    errors = [
        pl.max_horizontal(pl.col("half_step") / pl.col(f"{side}adjusted_close"), "relative")
        + pl.max_horizontal(pl.col("half_step_raw") / pl.col(f"{side}close"), "relative_raw")
        for side in ("", "previous_")
    ]
    return joined.with_columns(error=errors[0] + errors[1] + _FLOAT_NOISE)


def _adjusted_moves(bars: pl.DataFrame, recorded: pl.DataFrame) -> pl.DataFrame:
    """Ratio of adjusted to raw close over the one of the bar before, and what is recorded for the bar.

    ``known_ratio`` and ``known_cash`` are of the actions dated after the bar before and up to this one.
    """
    names = pl.Enum(bars["symbol"].unique(maintain_order=True))
    inside = recorded.filter(pl.col("symbol").is_in(names.categories.implode()))
    keys = search_keys(bars["symbol"], bars["date"], names)
    places = np.searchsorted(keys, search_keys(inside["symbol"], inside["effective_date"], names))
    is_factor = inside["kind"].is_in(FACTOR_KINDS).to_numpy()
    known_ratio, known_cash = np.ones(bars.height + 1), np.zeros(bars.height + 1)
    np.multiply.at(known_ratio, places[is_factor], inside["value"].to_numpy()[is_factor])
    np.add.at(known_cash, places[~is_factor], inside["value"].to_numpy()[~is_factor])
    # An action after a symbol's newest bar lands on the next symbol's first one, which has no bar before and drops out.
    quotient = pl.col("adjusted_close") / pl.col("close")
    return (
        bars.with_columns(known_ratio=pl.Series(known_ratio[:-1]), known_cash=pl.Series(known_cash[:-1]))
        .with_columns(previous(["date", "close", "adjusted_close"]))
        .drop_nulls("previous_date")
        .with_columns(ratio=quotient / (pl.col("previous_adjusted_close") / pl.col("previous_close")))
    )


def _shortest(amount: pl.Expr, error: pl.Expr) -> pl.Expr:
    """Fewest decimals, two to six, that stay within the error; the amount itself where none does."""
    rounded = [pl.when((amount.round(n) - amount).abs() <= error).then(amount.round(n)) for n in range(2, 7)]
    return pl.coalesce(*rounded, amount)


def infer_actions(
    bars: pl.DataFrame, recorded: pl.DataFrame, *, is_reinvested_at_ex_close: bool = True
) -> ActionEvidence:
    """Infer the actions that move an adjusted close without a recorded event.

    Parameters
    ----------
    bars : pl.DataFrame
        symbol, date, close, adjusted_close of **one vintage**: the bars of one reply or one file. Stored bars of
        several nights will not do, since the older ones lack the later events.
    recorded : pl.DataFrame
        symbol, effective_date, kind, value: what is known already, each event once. Rows whose source is
        ``inferred`` are left out, so that an inference does not explain itself away on the next night.
    is_reinvested_at_ex_close : bool
        How the adjusted close was made: True for the vendor's C_ex / (C_ex + D), False for 1 - D / C_prev, which
        Yahoo and CRSP use.

    Returns
    -------
    ActionEvidence
        A ratio that moves by more than its rounding allows (half a step of the last decimal of either adjusted
        close) is a split where it equals a simple ratio within that error, and otherwise the dividend
        D = C_ex (j / R - 1), or C_prev / R (1 - R / j), with j the move and R the recorded splits. It is dated on the
        bar: with bars missing before it, the true ex-date may be earlier. Moves that no dividend explains are in
        ``unexplained``. Bars up to a date decide what is inferred up to it, but ``adjusted_close`` itself is known
        only as of the reply.
    """
    if "source" in recorded.columns:
        recorded = recorded.filter(pl.col("source") != INFERRED)
    usable = bars.select("symbol", "date", "close", "adjusted_close").filter(
        (pl.col("close") > 0) & (pl.col("adjusted_close") > 0) & pl.col("adjusted_close").is_finite()
    )
    usable = in_order(usable)
    moves = _adjusted_moves(usable, recorded)
    ratio, known, close = pl.col("ratio"), pl.col("known_ratio"), pl.col("close")
    if is_reinvested_at_ex_close:
        expected = known * (1 + pl.col("known_cash") / close)
        cash, scale = close * (ratio / known - 1), close * ratio / known
    else:
        basis = pl.col("previous_close") / known
        expected = known / (1 - pl.col("known_cash") / basis)
        cash, scale = basis * (1 - known / ratio), basis * known / ratio
    # A recorded split was cleaned (7.000007 is 7) where the adjusted close was not.
    error = pl.col("error") + pl.when(known != 1).then(SPLIT_ROUNDING).otherwise(0.0)
    apart = (ratio / expected - 1).abs()
    candidates = _with_rounding_error(moves.filter(apart > _FLOAT_NOISE), usable)
    moved = candidates.filter(apart > error).with_columns(cash=_shortest(cash, scale * error))
    moved = moved.filter((pl.col("cash") - pl.col("known_cash")).abs() >= _SMALLEST_CASH)
    moved = moved.with_columns(split=pl.Series([_as_split(move) for move in moved.to_dicts()], dtype=pl.Float64))
    is_split = pl.col("split").is_not_null()
    is_cash = ~is_split & (pl.col("cash") > pl.col("known_cash"))
    found = moved.filter(is_split | is_cash).select(
        "symbol",
        effective_date="date",
        kind=pl.when(is_split)
        .then(pl.lit(SPLIT))
        .when(pl.col("cash") > SPECIAL_DIVIDEND_YIELD * close)
        .then(pl.lit(SPECIAL_DIVIDEND))
        .otherwise(pl.lit(DIVIDEND)),
        value=pl.coalesce("split", "cash"),
    )
    return ActionEvidence(
        INFERRED,
        found_actions(found, INFERRED),
        moves.select("symbol", "date"),
        moved.filter(~is_split & ~is_cash).select("symbol", "date", "ratio"),
    )


def _as_split(move: dict[str, float]) -> float | None:
    """The simple ratio that the move equals within its error, unless a split is recorded or the move is small."""
    ratio = move["ratio"]
    if move["known_ratio"] != 1 or abs(ratio - 1) < _SMALLEST_SPLIT_MOVE:
        return None
    simple = nearest_simple_ratio(ratio, move["error"] * ratio)
    return None if simple is None else float(simple)
