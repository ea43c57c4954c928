from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from quant_assets.foundation.errors import DataError
from quant_assets.foundation.point_in_time import corrupted_after
from quant_assets.foundation.walk_forward import walk_forward_folds
from quant_assets.signals.calibration import PlattMap, log_odds, sigmoid
from quant_assets.signals.causality import compare_without_future, leaking_columns
from quant_assets.signals.fold_training import FoldTask, fit_fold
from quant_assets.signals.gradient_boosting import fit_booster
from quant_assets.signals.heuristic import HEURISTIC_SESSIONS, heuristic_parts, heuristic_score
from quant_assets.signals.labels import forward_labels
from quant_assets.signals.model_spec import LabelRule
from quant_assets.signals.scored_rows import prediction_rows
from quant_assets.signals.scoring import fit_heuristic
from quant_assets.signals.training_table import training_table
from quant_assets.signals.walk_forward_training import run_walk_forward
from tests.support.signal_markets import NAMES, gaussian_closes, small_features, small_spec, small_table

SPEC = small_spec(horizon_days=3)


@pytest.fixture(scope="module")
def closes():
    return gaussian_closes(1, symbols=6, sessions=1400, autocorrelation=0.2)


@pytest.fixture(scope="module")
def predictions(closes):
    table = small_table(closes, SPEC)
    return prediction_rows(table, run_walk_forward(table, SPEC))


def of(closes: pl.DataFrame, spec=SPEC) -> pl.DataFrame:
    table = small_table(closes, spec)
    return prediction_rows(table, run_walk_forward(table, spec))


def test_every_session_after_the_inner_folds_is_predicted_once(closes, predictions):
    """Reported folds cover each symbol's sessions from the first reported border to the newest, without a gap."""
    first = predictions["date"].min()
    expected = closes.filter(pl.col("date") >= first).select("symbol", "date").sort("symbol", "date")
    assert predictions.select("symbol", "date").equals(expected)
    assert first == dt.date(2005, 1, 3)
    assert predictions["probability"].is_between(0, 1, closed="none").all()


@pytest.mark.parametrize("cut", [dt.date(2006, 3, 15), dt.date(2007, 1, 3)])
def test_a_longer_history_changes_no_earlier_prediction(closes, predictions, cut):
    """Predictions of a history that ends earlier are bit for bit those of the longer one."""
    short = of(closes.filter(pl.col("date") <= cut))
    keys = ["symbol", "date", "fold", "probability", "base_rate"]
    assert short.height > 1000
    assert short.select(keys).equals(predictions.filter(pl.col("date") <= cut).select(keys))


def test_a_wrong_future_changes_no_earlier_prediction(closes, predictions):
    """Corrupting every price after a session leaves the predictions up to it as they were."""
    cut = dt.date(2006, 6, 1)
    wrong = of(corrupted_after(closes, cut, rng=np.random.default_rng(0)))
    seen = pl.col("date") <= cut
    assert wrong.filter(seen)["probability"].equals(predictions.filter(seen)["probability"])
    assert not wrong.filter(~seen)["probability"].equals(predictions.filter(~seen)["probability"])


def test_the_causality_check_compares_with_a_cut_history(closes, predictions):
    """The check finds no difference for honest predictions and says how large one is for altered ones."""
    features, spec = small_features(closes).with_columns(market_regime=pl.lit("")), SPEC
    arguments = (features, closes, NAMES, spec)
    assert compare_without_future(*arguments, stored=predictions) == 0.0
    altered = predictions.with_columns(pl.col("probability") + 0.01)
    assert compare_without_future(*arguments, stored=altered) == pytest.approx(0.01)
    assert compare_without_future(*arguments, stored=predictions.tail(predictions.height - 1)) == float("inf")
    assert compare_without_future(*arguments, stored=predictions.head(0)) == 0.0


def test_a_leaked_feature_is_named(closes):
    """A column that holds tomorrow's return is caught; the honest ones beside it are not."""

    def build(bars: pl.DataFrame) -> pl.DataFrame:
        return small_features(bars).with_columns(tomorrow=pl.col("today").shift(-1).over("symbol"))

    found = leaking_columns(build, closes, dt.date(2005, 5, 2), np.random.default_rng(0))
    assert found == ("tomorrow",)


def test_a_mean_over_the_whole_history_is_a_leak(closes):
    """Scaling by the whole sample's deviation, the commonest leak of all, is caught."""

    def build(bars: pl.DataFrame) -> pl.DataFrame:
        return small_features(bars).with_columns(pl.col("today") / pl.col("today").std())

    assert leaking_columns(build, closes, dt.date(2005, 5, 2), np.random.default_rng(0)) == ("today",)


def test_same_seed_same_predictions(closes, predictions):
    """Training again gives the same bits; another seed does not."""
    assert of(closes)["probability"].equals(predictions["probability"])
    assert not of(closes, replace(SPEC, seed=8))["probability"].equals(predictions["probability"])


def test_threads_and_the_order_of_folds_do_not_matter(closes, predictions):
    """Folds run by two threads give the same bits as one after another."""
    table = small_table(closes, SPEC)
    with ThreadPoolExecutor(2) as pool:
        result = run_walk_forward(table, SPEC, fold_map=pool.map)
    assert prediction_rows(table, result)["probability"].equals(predictions["probability"])


def test_the_booster_does_not_depend_on_its_threads(closes):
    """One thread and two grow the same trees."""
    table = small_table(closes, SPEC)
    rows = table.where(table.matured)
    texts = [
        fit_booster(
            rows.matrix, rows.labels, np.ones(len(rows)), rows.features,
            parameters=SPEC.boosting, rounds=10, seed=1, threads=threads,
        ).model_to_string().split("\nparameters:")[0]
        for threads in (1, 2)
    ]  # fmt: skip
    assert texts[0] == texts[1]


def test_rounds_are_chosen_from_earlier_folds(closes):
    """The first fold uses the stated number, later ones a choice of what was grown; inner folds are not reported."""
    result = run_walk_forward(small_table(closes, SPEC), SPEC)
    assert [fold.is_reported for fold in result.folds] == [False, *[True] * (len(result.folds) - 1)]
    assert result.folds[0].rounds == 40
    assert all(5 <= fold.rounds <= 40 for fold in result.folds)


def test_a_search_stays_inside_the_training_part(closes):
    """With parameter search in every fold a longer history still changes no earlier prediction."""
    spec = small_spec(horizon_days=3, tuning_trials=2)
    cut = dt.date(2006, 2, 1)
    short, long = (
        of(closes.filter(pl.col("date") <= cut), spec),
        of(closes.filter(pl.col("date") <= dt.date(2006, 12, 1)), spec),
    )
    assert short["probability"].equals(long.filter(pl.col("date") <= cut)["probability"])


def test_isotonic_calibration_can_be_asked_for(closes):
    """The other calibration gives probabilities inside 0 and 1 and keeps the order of the first fold's rows."""
    found = of(closes, small_spec(horizon_days=3, calibration="isotonic"))
    assert found["probability"].is_between(0, 1, closed="none").all()


def test_one_class_cannot_be_trained(closes):
    """An event that never happens is refused with what to do, not with a model of nothing."""
    spec = small_spec(threshold=0.9)
    with pytest.raises(DataError, match="never happened"):
        run_walk_forward(small_table(closes, spec), spec)


def test_sixty_rows_cannot_be_trained():
    """A history of sixty sessions, of which the first knows too little, is refused with what is missing."""
    spec = small_spec()
    with pytest.raises(DataError, match="59 sessions of history give 0 folds"):
        run_walk_forward(small_table(gaussian_closes(0, symbols=1, sessions=60), spec), spec)


def test_an_all_null_feature_changes_nothing_to_speak_of(closes):
    """A feature that is never known leaves the training possible and is never split on."""
    features = small_features(closes).with_columns(dead=pl.lit(None, pl.Float64))
    table = training_table(features, forward_labels(closes, SPEC.label), (*NAMES, "dead"))
    result = run_walk_forward(table, SPEC)
    assert np.isfinite(result.predictions.probability).all()


def test_an_early_fold_of_one_class_is_trained_on_its_base_rate():
    """Where the event first happens in a later year the folds before it say nearly nothing, and later ones learn."""
    closes = gaussian_closes(2, symbols=4, sessions=1400)
    calm = pl.col("date") < dt.date(2005, 6, 1)
    first = pl.col("close").first().over("symbol")
    quiet = closes.with_columns(close=pl.when(calm).then(first).otherwise(pl.col("close")))
    spec = small_spec(threshold=0.005)
    found = of(quiet, spec)
    assert found.filter(pl.col("date") < dt.date(2005, 6, 1))["probability"].max() < 0.02
    assert found.filter(pl.col("date") >= dt.date(2007, 1, 1))["probability"].mean() > 0.1


def test_a_calibration_without_skill_is_flat():
    """On pure noise the calibration keeps every probability near the base rate."""
    table = small_table(gaussian_closes(9, symbols=10, sessions=1400), small_spec())
    result = run_walk_forward(table, small_spec())
    assert isinstance(result.calibrator, PlattMap)
    assert np.abs(result.predictions.probability - 0.5).max() < 0.12


def test_the_heuristic_of_a_fold_is_calibrated_as_a_night_calibrates_it():
    """A fold's heuristic gives the probabilities of the night's own fit on the newest five years before it."""
    rule = LabelRule(3, 0.0)
    bars = gaussian_closes(2, symbols=3, sessions=1800)
    features = small_features(bars).with_columns(
        rsi_14=50.0 + 40.0 * pl.col("noise_b"), volume_ratio=1.0 + pl.col("noise_b").abs(), price_change_1d=pl.lit(1.0)
    )
    table = training_table(features, forward_labels(bars, rule), ("rsi_14", "volume_ratio", "price_change_1d"))
    fold = walk_forward_folds(table.dates, table.matures_on, SPEC.split)[-1]
    train, test = table.where(fold.train), table.where(fold.test)
    newest = np.unique(train.dates)[-HEURISTIC_SESSIONS:]
    assert newest[0] > train.dates[0]
    fitted = fit_heuristic(train.where(np.isin(train.dates, newest)), 3)
    score = heuristic_score(heuristic_parts(test.matrix, test.features))
    expected = sigmoid(fitted.line.log_odds(score) + log_odds(fitted.rates.of(test.symbols)))
    assert fit_fold(FoldTask(table, fold, SPEC)).heuristic == pytest.approx(expected)
