"""What an import would change, before it does."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from quant_assets.market_data.ports import BARS_SCHEMA
from quant_assets.market_data.price_file_columns import Vendor
from quant_assets.market_data.price_files import PriceFile
from quant_assets.market_data.price_import import preview_import

NO_ACTIONS = pl.DataFrame(
    schema={"symbol": pl.String, "effective_date": pl.Date, "kind": pl.String, "value": pl.Float64}
)


@pytest.fixture
def bars(calendar) -> pl.DataFrame:
    """Ten sessions of IBM from 2020-01-02, rising from 100 by 1."""
    dates = calendar.sessions_between(dt.date(2020, 1, 2), dt.date(2020, 1, 15))
    closes = [100.0 + n for n in range(len(dates))]
    columns = dict.fromkeys(("open", "high", "low", "close", "adjusted_close"), closes)
    return pl.DataFrame(
        {"symbol": "IBM", "date": dates, **columns, "volume": 100, "dividend_amount": 0.0, "split_coefficient": 1.0},
        schema=BARS_SCHEMA,
    )


def file_of(bars: pl.DataFrame, **more) -> PriceFile:
    return PriceFile(bars, Vendor.UNKNOWN, "none", more.get("ignored", ()), more.get("skipped", ()))


def split_of(date: dt.date, ratio: float) -> pl.DataFrame:
    return pl.DataFrame({"symbol": ["IBM"], "effective_date": [date], "kind": ["split"], "value": [ratio]})


def test_preview_counts_and_samples(bars, calendar):
    """New, changed and unchanged rows are counted per symbol, with dates, samples and no warning."""
    stored = bars.head(6).with_columns(close=pl.col("close") + (pl.col("close") == 102.0) * 0.5)
    preview = preview_import(file_of(bars), stored, NO_ACTIONS, calendar)
    assert preview.symbols.row(0, named=True) == {
        "symbol": "IBM",
        "rows": 10,
        "new": 4,
        "changed": 1,
        "restated": 1,
        "unchanged": 5,
        "first_date": dt.date(2020, 1, 2),
        "last_date": dt.date(2020, 1, 15),
        "missing_sessions": 0,
    }
    assert preview.new_sample.height == 4
    assert preview.revision_sample.select("field", "old_value", "new_value").rows() == [("close", 102.5, 102.0)]
    assert preview.warnings == ()


def test_prices_of_another_scale_are_pointed_out(bars, calendar):
    """A file at half of the stored closes is doubted."""
    halved = bars.with_columns(pl.col("open", "high", "low", "close") / 2)
    warnings = preview_import(file_of(halved), bars, NO_ACTIONS, calendar).warnings
    assert len(warnings) == 1
    assert "0.5 times the stored ones" in warnings[0]
    few = preview_import(file_of(halved), bars.head(4), NO_ACTIONS, calendar).warnings
    assert few == ()


def test_known_split_that_does_not_show_is_pointed_out(bars, calendar):
    """Prices that do not move on a known split look adjusted; prices that do are fine."""
    day = bars["date"][5]
    smooth = preview_import(file_of(bars), bars.clear(), split_of(day, 2.0), calendar).warnings
    assert len(smooth) == 1
    assert "look adjusted for splits" in smooth[0]
    prices = pl.col("open", "high", "low", "close")
    traded = bars.with_columns(pl.when(pl.col("date") < day).then(prices * 2).otherwise(prices))
    assert preview_import(file_of(traded), bars.clear(), split_of(day, 2.0), calendar).warnings == ()
    unknown = preview_import(file_of(traded), bars.clear(), NO_ACTIONS, calendar).warnings
    assert len(unknown) == 1
    assert "as if by a split of 2" in unknown[0]


def test_gaps_and_what_was_left_out_are_told(bars, calendar):
    """Missing sessions, unused columns and skipped lines are mentioned."""
    file = file_of(bars.filter(pl.col("date") != bars["date"][3]), ignored=("PER",), skipped=(7,))
    warnings = preview_import(file, bars.clear(), NO_ACTIONS, calendar).warnings
    assert [warning.split(" ")[:3] for warning in warnings] == [
        ["IBM", "lacks", "1"],
        ["The", "columns", "PER"],
        ["1", "lines", "without"],
    ]
