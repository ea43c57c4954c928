from __future__ import annotations

import numpy as np
import pytest

from quant_assets.signals.base_rates import base_rates


def panel(rates: dict[str, float], rows: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    symbols = np.repeat(list(rates), rows)
    return symbols, (rng.random(len(symbols)) < np.repeat(list(rates.values()), rows)).astype(float)


def test_symbols_that_differ_keep_their_own_rate():
    """With many rows and true differences each rate is nearly the symbol's own share."""
    truth = {"A": 0.05, "B": 0.2, "C": 0.4}
    found = base_rates(*panel(truth, 3000), 1)
    assert found.by_symbol == pytest.approx(truth, abs=0.025)


def test_symbols_that_do_not_differ_share_one_rate():
    """Over noise markets the rates scatter around the truth less than half as much as the shares do."""
    names = {f"S{n}": 0.5 for n in range(12)}
    scatter_of_rates, scatter_of_shares = [], []
    for seed in range(30):
        symbols, labels = panel(names, 500, seed)
        shares = [labels[symbols == name].mean() for name in names]
        scatter_of_rates.append(np.std(list(base_rates(symbols, labels, 1).by_symbol.values())))
        scatter_of_shares.append(np.std(shares))
    assert np.mean(scatter_of_rates) < 0.5 * np.mean(scatter_of_shares)


def test_a_short_history_is_drawn_to_the_others():
    """A symbol with ten rows is nearer to the pooled rate than its own share is."""
    long_symbols, long_labels = panel({"A": 0.1, "B": 0.3}, 2000)
    symbols = np.concatenate([long_symbols, np.repeat("NEW", 10)])
    labels = np.concatenate([long_labels, np.ones(10)])
    found = base_rates(symbols, labels, 1)
    assert found.pooled < found.by_symbol["NEW"] < 1.0


def test_overlapping_labels_count_less():
    """The same rows say less where each label overlaps with four others."""
    symbols, labels = panel({"A": 0.45, "B": 0.55}, 400)
    gap = {h: np.ptp(list(base_rates(symbols, labels, h).by_symbol.values())) for h in (1, 5)}
    assert gap[5] < gap[1]


@pytest.mark.parametrize("labels", [np.zeros(40), np.ones(40), np.zeros(0)])
def test_rates_are_inside_nought_and_one(labels):
    """An event that never or always happened, or no row at all, gives a rate that is neither 0 nor 1."""
    found = base_rates(np.repeat("A", len(labels)), labels, 1)
    assert 0.0 < found.pooled < 1.0
    rates = found.of(np.array(["A", "unknown"]))
    assert np.all((rates > 0.0) & (rates < 1.0))


def test_an_unknown_symbol_gets_the_pooled_rate():
    """A symbol without rows has the pooled rate; an empty question has an empty answer."""
    found = base_rates(*panel({"A": 0.05, "B": 0.4}, 1000), 1)
    assert found.of(np.array(["Z"])).tolist() == [found.pooled]
    assert len(found.of(np.zeros(0, dtype=np.str_))) == 0
