from __future__ import annotations

import numpy as np
import pytest

from quant_assets.regimes.cross_section import cross_section


def panel(sessions=80, symbols=4, seed=0):
    """Correlated random walks."""
    rng = np.random.default_rng(seed)
    returns = 0.01 * (rng.normal(size=(sessions, 1)) + rng.normal(size=(sessions, symbols)))
    return 50 * np.exp(np.cumsum(returns, axis=0))


@pytest.mark.parametrize("symbols", [2, 4, 90])
def test_measures_equal_those_of_the_correlation_matrix(symbols):
    """Mean correlation and first share are those of numpy's correlation matrix, with more symbols than days too."""
    close = panel(symbols=symbols)
    matrix = np.corrcoef(np.diff(np.log(close[19:]), axis=0)[-60:].T)
    off_diagonal = matrix[np.triu_indices(symbols, 1)]
    found = cross_section(close, np.ones(80, dtype=bool))[-1]
    assert found == pytest.approx([off_diagonal.mean(), np.linalg.eigvalsh(matrix)[-1] / symbols], rel=1e-10)


def test_symbols_without_a_full_window_are_left_out():
    """A symbol that starts late, has a gap, or never moves does not take part."""
    close = panel(symbols=5)
    expected = cross_section(close[:, :2], np.ones(80, dtype=bool))[-1]
    close[:30, 2], close[70, 3], close[:, 4] = np.nan, np.nan, 20.0
    assert cross_section(close, np.ones(80, dtype=bool))[-1] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("symbols", [0, 1])
def test_fewer_than_two_symbols_have_no_correlation(symbols):
    """One symbol alone has no cross-section."""
    assert np.isnan(cross_section(panel()[:, :symbols], np.ones(80, dtype=bool))).all()


def test_only_wanted_sessions_are_computed():
    """Sessions that are not asked for, and those before 60 returns, stay empty."""
    wanted = np.zeros(80, dtype=bool)
    wanted[[10, 70]] = True
    assert np.flatnonzero(np.isfinite(cross_section(panel(), wanted)[:, 0])).tolist() == [70]
