from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from quant_assets.foundation.errors import DataError
from quant_assets.signals.labels import forward_labels
from quant_assets.signals.training_table import feature_matrix, newest_sessions, training_table
from tests.support.signal_markets import NAMES, gaussian_closes, small_features, small_spec

SPEC = small_spec()


@pytest.fixture(scope="module")
def market():
    closes = gaussian_closes(0, symbols=3, sessions=40)
    return small_features(closes), forward_labels(closes, SPEC.label)


def test_rows_are_sorted_by_session_then_symbol(market):
    """The table is in the order of time, all symbols of a session together; the first knows two of five features."""
    table = training_table(*market, NAMES)
    assert np.all(np.diff(table.dates.astype(int)) >= 0)
    assert table.symbols[:3].tolist() == ["S00", "S01", "S02"]
    assert len(table) == 120 - 3


def test_values_are_those_of_the_frames(market):
    """Feature, label, return and maturity of a row are the store's, unknown ones NaN and NaT."""
    features, labels = market
    table = training_table(features, labels, NAMES)
    row = 3 * 10 + 1
    symbol, date = table.symbols[row], table.dates[row].item()
    chosen = (pl.col("symbol") == symbol) & (pl.col("date") == date)
    assert table.matrix[row] == pytest.approx(
        features.filter(chosen).select(NAMES).to_numpy()[0], rel=1e-6, nan_ok=True
    )
    assert table.labels[row] == labels.filter(chosen)["label"][0]
    assert np.isnan(table.labels[-3:]).all()
    assert np.isnat(table.matures_on[-3:]).all()
    assert table.matured.tolist() == list(range(114))


def test_rows_of_which_under_half_is_known_are_left_out(market):
    """Two of four known are enough and one of four is not, unless a caller says that anything will do."""
    features, labels = market
    newest = features.filter(pl.col("date") == features["date"].max())
    half = newest.with_columns(pl.lit(None, pl.Float64).alias(name) for name in ("today", "noise_a"))
    less = half.with_columns(spread_20=pl.lit(None, pl.Float64))
    names = ("today", "noise_a", "noise_b", "spread_20")
    assert len(training_table(half, labels, names)) == 3
    assert len(training_table(less, labels, names)) == 0
    assert len(training_table(less, labels, names, least_known_share=0.0)) == 3


def test_symbols_and_lookback_choose_rows(market):
    """Only the wanted symbols and the newest sessions are kept."""
    table = training_table(*market, NAMES, symbols=["S01"], lookback_sessions=10)
    assert set(table.symbols.tolist()) == {"S01"}
    assert len(table) == 10
    assert table.dates[-1] == market[0]["date"].max()


def test_regimes_are_read_where_asked_for(market):
    """The market's regime travels with the row, empty where it is not known."""
    features = market[0].with_columns(regime=pl.when(pl.col("today") > 0).then(pl.lit("up")))
    table = training_table(features, market[1], NAMES, regime_column="regime")
    assert set(table.regimes.tolist()) == {"", "up"}


def test_a_missing_feature_is_refused_by_name(market):
    """A feature that the store lacks is named, never filled."""
    with pytest.raises(DataError, match="lacks moon_phase"):
        feature_matrix(market[0], [*NAMES, "moon_phase"])


def test_infinities_and_booleans_become_numbers():
    """Booleans are 0 and 1; an infinity is as unknown as a null."""
    frame = pl.DataFrame({"a": [True, False, None], "b": [1.0, float("inf"), None]})
    matrix = feature_matrix(frame, ["a", "b"])
    assert matrix.tolist()[0] == [1.0, 1.0]
    assert np.isnan(matrix[1:, 1]).all()
    assert np.isnan(matrix[2, 0])


def test_newest_sessions_of_nothing():
    """No limit keeps all rows and an empty frame stays empty."""
    frame = pl.DataFrame({"date": [1, 2, 3]})
    assert newest_sessions(frame, None).height == 3
    assert newest_sessions(frame.head(0), 2).height == 0
    assert newest_sessions(frame, 2)["date"].to_list() == [2, 3]
