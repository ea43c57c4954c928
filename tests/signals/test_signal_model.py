from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from quant_assets.foundation.errors import DataError, StorageError
from quant_assets.signals.calibration import sigmoid
from quant_assets.signals.gradient_boosting import raw_scores
from quant_assets.signals.labels import forward_labels
from quant_assets.signals.reasons import BIAS, CALIBRATION, top_reasons
from quant_assets.signals.signal_model import BOOSTER_FILE, MANIFEST_FILE, SignalModel
from quant_assets.signals.training import Circumstances, train_model
from quant_assets.signals.training_table import training_table
from tests.support.signal_markets import NAMES, gaussian_closes, small_features, small_spec, small_table

NOW = Circumstances("direction-1", 2, dt.datetime(2010, 1, 1, tzinfo=dt.UTC), "abc123")


def trained(calibration: str) -> SignalModel:
    spec = small_spec(calibration=calibration)
    closes = gaussian_closes(4, symbols=6, sessions=1200, autocorrelation=0.3)
    return train_model(small_table(closes, spec), spec, NOW).model


@pytest.fixture(scope="module", params=["platt", "isotonic"])
def model(request) -> SignalModel:
    return trained(request.param)


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    return small_features(gaussian_closes(9, symbols=6, sessions=200, autocorrelation=0.3)).tail(300)


def test_parts_add_up_to_the_log_odds(model, rows):
    """Contributions, bias and calibration of each row add up to the log-odds of its probability."""
    scores = model.score(rows)
    assert scores.contributions.sum(axis=1) == pytest.approx(scores.log_odds, abs=1e-12)
    assert scores.probability == pytest.approx(sigmoid(scores.log_odds))
    kind = (BIAS,) if model.card.spec.calibration == "platt" else (BIAS, CALIBRATION)
    assert scores.parts == (*NAMES, *kind)


def test_contributions_are_those_of_the_booster(model, rows):
    """Before calibration the parts add up to what LightGBM itself predicts."""
    scores = model.score(rows)
    raw = raw_scores(model.booster, scores.values)
    assert scores.log_odds == pytest.approx(model.calibrator.log_odds(raw), abs=1e-9)
    assert model.probabilities(rows) == pytest.approx(scores.probability, rel=1e-12)


def test_a_model_survives_its_folder(model, rows):
    """Files of a model make the same model: the same card and the same bits."""
    again = SignalModel.from_files(model.files())
    assert again.card == model.card
    assert np.array_equal(again.probabilities(rows), model.probabilities(rows))
    assert repr(again.reference) == repr(model.reference)


def test_the_same_seed_makes_the_same_bytes():
    """Training twice gives the same files, byte for byte; another seed gives another booster."""
    first, second = trained("platt").files(), trained("platt").files()
    assert first == second
    spec = small_spec(seed=99)
    closes = gaussian_closes(4, symbols=6, sessions=1200, autocorrelation=0.3)
    other = train_model(small_table(closes, spec), spec, NOW).model
    assert other.files()[BOOSTER_FILE] != first[BOOSTER_FILE]


def test_a_model_scores_the_rows_that_it_would_be_trained_on(model, rows):
    """Whatever is unknown, the rows that a version may score are those that a training table of its features keeps."""
    rng = np.random.default_rng(0)
    holed = rows.with_columns(
        pl.when(pl.Series(rng.random(rows.height) < 0.5)).then(pl.col(name)).alias(name) for name in NAMES
    )
    closes = gaussian_closes(9, symbols=6, sessions=200, autocorrelation=0.3)
    table = training_table(holed, forward_labels(closes, model.card.spec.label), NAMES)
    kept = model.scorable(holed).sort("date", "symbol")
    assert 0 < kept.height < rows.height
    assert kept["symbol"].to_list() == table.symbols.tolist()
    assert kept["date"].to_numpy().astype("datetime64[D]").tolist() == table.dates.tolist()


def test_a_missing_feature_is_refused_by_name(model, rows):
    """Nothing is guessed for a column that the store lacks."""
    with pytest.raises(DataError, match=r"lacks today, which the model was trained on; .* or retrain"):
        model.score(rows.drop("today"))


def test_unknown_values_are_scored_and_infinite_ones_are_unknown(model, rows):
    """A row without a single known feature has a probability, and infinity counts as not known."""
    empty = rows.head(1).with_columns(pl.lit(None, pl.Float64).alias(name) for name in NAMES)
    endless = rows.head(1).with_columns(pl.lit(float("inf")).alias(name) for name in NAMES)
    unknown = model.probabilities(empty)
    assert 0.0 < unknown[0] < 1.0
    assert model.probabilities(endless).tolist() == unknown.tolist()
    assert model.score(rows.head(0)).probability.tolist() == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda files: files.pop(BOOSTER_FILE),
        lambda files: files.update({BOOSTER_FILE: files[BOOSTER_FILE][:-400]}),
        lambda files: files.update({MANIFEST_FILE: files[MANIFEST_FILE][:100]}),
        lambda files: files.update({MANIFEST_FILE: json.dumps({"model_version": "x"}).encode()}),
    ],
)
def test_damaged_files_are_one_sentence(model, damage):
    """A file that is gone, cut or of something else is refused with what to do."""
    files = dict(model.files())
    damage(files)
    with pytest.raises(StorageError, match="roll back to another version"):
        SignalModel.from_files(files)


def test_the_card_says_what_it_was_fitted_on(model):
    """Interval, feature list, seed, revision and rounds are kept with the model; the labels' last day is after both."""
    card = model.card
    assert (card.model_version, card.feature_version, card.git_revision) == ("direction-1", 2, "abc123")
    assert card.trained_from < card.trained_to < card.known_on
    assert card.features == NAMES
    assert 5 <= card.rounds <= 40
    assert set(card.importance) == set(NAMES)
    assert replace(card) == card


def test_reasons_name_the_largest_contributions():
    """The three largest are named with value and effect on the odds; a row without any says so."""
    contributions = np.array([np.log(1.5), -np.log(2.0), 0.001])
    told = top_reasons(("rsi_14", "mine", "adx_14"), np.array([30.0, np.nan, 1.0], np.float32), contributions)
    assert told == "mine unknown lowers the odds by 50%; RSI 30 raises the odds by 50%"
    assert top_reasons(("rsi_14",), np.array([1.0], np.float32), np.zeros(1)) == "nothing sets this session apart"
