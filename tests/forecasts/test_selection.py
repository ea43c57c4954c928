import numpy as np

from quant_assets.forecasts.models import MODEL_NAMES
from quant_assets.forecasts.parameters import LEVELS
from quant_assets.forecasts.record import Record
from quant_assets.forecasts.scores import crps
from quant_assets.forecasts.selection import choose_model, record_losses, served_models

WALK, BOOTSTRAP, BLEND = (MODEL_NAMES.index(name) for name in ("random_walk", "block_bootstrap", "blend"))


def record(spreads, count=120, horizons=4, seed=1):
    """Outcomes are normal with deviation 1; each model forecasts a normal with its own deviation."""
    rng = np.random.default_rng(seed)
    scores = np.array([-2.33, -1.64, -1.28, -0.84, -0.52, -0.25, 0.0, 0.25, 0.52, 0.84, 1.28, 1.64, 2.33])
    quantiles = np.broadcast_to(
        np.array(spreads)[:, None, None, None] * scores, (len(MODEL_NAMES), count, horizons, len(LEVELS))
    ).copy()
    return Record(1_000 + 5 * np.arange(count), quantiles, quantiles.copy(), rng.standard_normal((count, horizons)))


def test_the_best_record_serves():
    """The model with the right spread is served; one worse than the random walk never is before it."""
    made = record([1.6, 1.0, 3.0, 4.0, 1.3])
    choice = choose_model(made, record_losses(made), 10_000)
    assert choice.order[:3] == (BOOTSTRAP, BLEND, WALK)
    assert choice.scores[WALK] == 1
    losses = crps(made.realised, made.corrected).mean(axis=(1, 2))
    np.testing.assert_allclose(choice.scores, losses / losses[WALK], rtol=0.02)


def test_the_random_walk_serves_until_there_is_a_record():
    """Fifty known outcomes are needed, and only outcomes before the decision count."""
    made = record([1.6, 1.0, 3.0, 4.0, 1.3])
    losses = record_losses(made)
    early, late = 1_000 + 5 * 48 + 2, 1_000 + 5 * 49 + 2
    assert choose_model(made, losses, early).order[0] == WALK
    assert choose_model(made, losses, late).order[0] == BOOTSTRAP
    assert choose_model(made, losses, late).outcomes.max() == 50


def test_later_outcomes_do_not_change_an_earlier_choice():
    """The record cut at the decision gives the same choice as the whole one."""
    made = record([1.2, 1.0, 1.1, 4.0, 1.05], count=150)
    for session in (1_300, 1_450, 1_600):
        cut = made.known_by(session - 1)
        whole, past = choose_model(made, record_losses(made), session), choose_model(cut, record_losses(cut), session)
        assert whole.order == past.order
        np.testing.assert_array_equal(whole.scores, past.scores)


def test_served_models_are_the_choices_of_their_quarters():
    """Origins of a quarter get its choice; where that model had no forecast, the next one stands in."""
    made = record([1.6, 1.0, 3.0, 4.0, 1.3])
    made.raw[BOOTSTRAP, 100:105] = np.nan
    starts = np.where(np.arange(120) < 60, 1_000, 1_300)
    served = served_models(made, record_losses(made), starts)
    assert (served[:60] == WALK).all()
    assert (served[60:100] == BOOTSTRAP).all()
    assert (served[100:105] == BLEND).all()


def test_a_tie_with_the_baseline_stays_with_the_baseline():
    """A model that is no better than the random walk does not replace it."""
    made = record([1.0, 1.0, 2.0, 2.0, 1.0])
    assert choose_model(made, record_losses(made), 10_000).order[0] == WALK
