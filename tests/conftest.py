from __future__ import annotations

import shutil

import pytest

from tests.support.pipeline import Installation, installation

EMBEDDED = {"SPX": "index", "AAPL": "equity", "IBM": "equity", "MSFT": "equity", "FB": "equity"}


@pytest.fixture(scope="session")
def filled(tmp_path_factory) -> Installation:
    """An installation after one night on the embedded source, made once; do not write to it."""
    made = installation(tmp_path_factory.mktemp("filled"), EMBEDDED)
    result = made.run()
    assert result.is_success, result.first_error
    return made


@pytest.fixture
def copied(filled, tmp_path) -> Installation:
    """A copy of the filled installation that a test may change."""
    shutil.copytree(filled.path, tmp_path / "home", symlinks=True)
    universe = shutil.copy(filled.universe, tmp_path / "universe.yaml")
    return Installation(tmp_path / "home", tmp_path / universe, filled.variables)
