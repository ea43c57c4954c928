from __future__ import annotations

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, f1_score

from quant_assets.signals.evaluation import evaluate, figure_frame, figure_of
from quant_assets.signals.scored_rows import ScoredRows
from quant_assets.signals.tables import MODEL_METRICS
from tests.support.signal_markets import weekdays

SYMBOLS, SESSIONS = 10, 600


def forecasts(seed: int = 0, *, told: float = 0.0, opponents: dict[str, np.ndarray] | None = None) -> ScoredRows:
    """True probabilities, told with a wrong level where asked for, and what happened."""
    rng = np.random.default_rng(seed)
    rows = SYMBOLS * SESSIONS
    truth = rng.beta(2, 6, rows)
    labels = (rng.random(rows) < truth).astype(float)
    returns = np.where(labels > 0.5, 0.03, -0.01) + rng.normal(0, 0.001, rows)
    return ScoredRows(
        1,
        np.tile([f"S{n}" for n in range(SYMBOLS)], SESSIONS),
        np.repeat(weekdays(SESSIONS), SYMBOLS),
        np.repeat(["bullish", "bearish"], rows // 2),
        np.clip(truth + told, 0.01, 0.99),
        np.full(rows, 0.25),
        labels,
        returns,
        opponents or {},
    )


@pytest.fixture(scope="module")
def scored():
    return forecasts()


@pytest.fixture(scope="module")
def figures(scored):
    return evaluate(scored, np.random.default_rng(0))


def test_classes_are_compared_with_always_saying_the_commoner_one(scored, figures):
    """The baselines of accuracy and F1 are those of scikit-learn's most frequent class on the same rows."""
    guess = DummyClassifier(strategy="most_frequent").fit(scored.labels[:, None], scored.labels)
    always = guess.predict(scored.labels[:, None])
    assert figure_of(figures, "accuracy").baseline == accuracy_score(scored.labels, always)
    naive = f1_score(scored.labels, always, average="weighted")
    assert figure_of(figures, "f1_weighted").baseline == pytest.approx(naive)
    assert figure_of(figures, "balanced_accuracy").baseline == 0.5


def test_true_probabilities_have_the_skill_of_their_spread(scored, figures):
    """The skill of true probabilities p over the rate b is var(p) / (b (1 - b)), inside its interval."""
    possible = scored.probability.var() / (0.25 * 0.75)
    skill = figure_of(figures, "brier_skill")
    assert skill.low < possible < skill.high
    assert skill.low < skill.value < skill.high


def test_true_probabilities_are_calibrated_and_wrong_ones_are_not(figures):
    """No decile of true probabilities is off; told ten points too high, all but the noisiest are."""
    assert figure_of(figures, "calibration_deciles_off").value == 0.0
    wrong = evaluate(forecasts(told=0.1), np.random.default_rng(0))
    assert figure_of(wrong, "calibration_deciles_off").value >= 9.0
    assert figure_of(wrong, "calibration_gap", "decile:5").value == pytest.approx(-0.1, abs=0.06)


def test_slices_are_the_figures_of_their_rows(scored, figures):
    """Years, regimes and symbols have their own figures, each equal to a whole evaluation of those rows."""
    part = scored.where(scored.symbols == "S3")
    alone = figure_of(evaluate(part, np.random.default_rng(0)), "brier_skill").value
    assert figure_of(figures, "brier_skill", "symbol:S3").value == pytest.approx(alone)
    assert {f.slice for f in figures if f.slice.startswith("regime:")} == {"regime:bullish", "regime:bearish"}
    assert {f.slice for f in figures if f.slice.startswith("year:")} == {"year:2003", "year:2004", "year:2005"}


def test_opponents_are_compared_on_the_rows_that_both_forecast():
    """An opponent without a forecast on half of the rows is judged on the other half, with its own figure beside."""
    rows = SYMBOLS * SESSIONS
    other = np.where(np.arange(rows) < rows // 2, np.nan, 0.25)
    figures = evaluate(forecasts(opponents={"champion": other}), np.random.default_rng(0))
    found = figure_of(figures, "brier_skill", "against:champion")
    assert found.rows == rows // 2
    assert found.low > 0.0
    assert figure_of(figures, "auc", "against:champion").baseline == pytest.approx(0.5)


def test_figures_fit_their_table(figures):
    """The rows are what the table declares, figures that are not defined are null."""
    frame = figure_frame(figures, "jump", "jump-1")
    MODEL_METRICS.validate(frame.select(MODEL_METRICS.column_names))
    assert not frame["value"].is_nan().any()


def test_nothing_to_evaluate_gives_nothing(scored):
    """Without a matured prediction there is no figure."""
    assert evaluate(scored.where(np.zeros(len(scored), dtype=bool)), np.random.default_rng(0)) == ()
    with pytest.raises(KeyError, match="auc of all"):
        figure_of((), "auc")
