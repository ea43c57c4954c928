import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm

from quant_assets.forecasts.coverage_tests import christoffersen_p_value, kupiec_p_value
from quant_assets.forecasts.evaluation import difference_t_value, evaluate, pit_histograms
from quant_assets.forecasts.models import MODEL_NAMES
from quant_assets.forecasts.parameters import LOWER, MEDIAN, UPPER
from quant_assets.forecasts.selection import record_losses, served_models
from quant_assets.forecasts.tables import FORECAST_EVALUATIONS, PIT_HISTOGRAMS
from quant_assets.foundation.calendar import new_york_calendar
from tests.support.forecast_market import QUICK, judged_market


@pytest.fixture(scope="module")
def judged():
    _, _, extension = judged_market()
    record = extension.record
    served = served_models(record, record_losses(record), record.sessions)
    table = evaluate(record, served, new_york_calendar().sessions, origin_step=QUICK.origin_step)
    return record, served, table


def test_every_model_and_horizon_is_judged(judged):
    """There is one row per model, selected included, and horizon; it fits the declared table."""
    _, _, table = judged
    assert table.height == (len(MODEL_NAMES) + 1) * QUICK.horizon_days
    FORECAST_EVALUATIONS.validate(
        table.select(FORECAST_EVALUATIONS.column_names).cast(FORECAST_EVALUATIONS.polars_schema)
    )


@pytest.mark.parametrize(("model", "horizon"), [("filtered_simulation", 1), ("prophet", 10), ("random_walk", 7)])
def test_figures_are_those_of_a_plain_loop(judged, model, horizon):
    """Errors, losses, coverage and tests equal what a loop over the origins gives."""
    record, _, table = judged
    row = table.row(by_predicate=(pl.col("model") == model) & (pl.col("horizon_days") == horizon), named=True)
    place = MODEL_NAMES.index(model)
    errors, losses, inside, breached, last = [], [], [], [], -1_000
    for origin, session in enumerate(record.sessions):
        outcome, quantiles = record.realised[origin, horizon - 1], record.corrected[place, origin, horizon - 1]
        if np.isnan(outcome):
            continue
        errors.append(abs(outcome - quantiles[MEDIAN]))
        each = [(outcome - quantiles[j], level) for j, level in ((LOWER, 0.05), (MEDIAN, 0.5), (UPPER, 0.95))]
        losses.append(np.mean([max(level * e, (level - 1) * e) for e, level in each]))
        inside.append(quantiles[LOWER] <= outcome <= quantiles[UPPER])
        if session - last >= horizon:
            breached.append(outcome < quantiles[LOWER])
            last = session
    assert row["origins"] == len(errors)
    assert row["mae_pct"] == pytest.approx(100 * np.mean(errors))
    assert row["pinball_loss"] == pytest.approx(100 * np.mean(losses))
    assert row["coverage_90"] == pytest.approx(np.mean(inside))
    assert row["independent_origins"] == len(breached)
    assert row["kupiec_p_value"] == pytest.approx(kupiec_p_value(sum(breached), len(breached), 0.05))
    assert row["christoffersen_p_value"] == pytest.approx(christoffersen_p_value(np.array(breached), 0.05))


def test_the_random_walk_is_its_own_measure(judged):
    """Its ratios are 1 and its difference has no t value."""
    _, _, table = judged
    own = table.filter(pl.col("model") == "random_walk")
    assert own["mae_to_random_walk"].unique().to_list() == [1.0]
    assert own["pinball_to_random_walk"].unique().to_list() == [1.0]
    assert own["pinball_t_value"].null_count() == own.height


def test_selected_is_what_was_served(judged):
    """The errors of 'selected' are those of the served model at each origin."""
    record, served, table = judged
    every = np.arange(len(served))
    error = np.abs(record.realised - record.corrected[served, every, :, MEDIAN])
    ours = table.filter(pl.col("model") == "selected").sort("horizon_days")["mae_pct"].to_numpy()
    np.testing.assert_allclose(ours, 100 * np.nanmean(error, axis=0))


def test_the_t_value_is_newey_wests():
    """The t value of a mean difference equals statsmodels' with HAC errors and the same lags."""
    rng = np.random.default_rng(1)
    difference = np.convolve(rng.normal(0.1, 1, 400), np.ones(4) / 4, mode="valid")
    fitted = sm.OLS(difference, np.ones(len(difference))).fit(cov_type="HAC", cov_kwds={"maxlags": 4})
    assert difference_t_value(difference, 4) == pytest.approx(fitted.tvalues[0], rel=1e-9)
    assert difference_t_value(np.zeros(10), 2) is None
    assert difference_t_value(np.array([1.0]), 2) is None


def test_histograms_sum_to_one(judged):
    """The ten shares of each model and horizon are a distribution, and the rows fit the declared table."""
    record, served, _ = judged
    rows = pit_histograms(record, served)
    sums = rows.group_by("model", "horizon_days").agg(pl.col("share").sum())
    np.testing.assert_allclose(sums["share"].to_numpy(), 1)
    PIT_HISTOGRAMS.validate(rows.cast(PIT_HISTOGRAMS.polars_schema))
