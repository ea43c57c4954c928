from __future__ import annotations

import fcntl
import os
import shutil

import pytest

from tests.support.pipeline import Installation, installation

EMBEDDED = {"SPX": "index", "AAPL": "equity", "IBM": "equity", "MSFT": "equity", "FB": "equity"}


@pytest.fixture(scope="session")
def filled(tmp_path_factory) -> Installation:
    """An installation after one night on the embedded source, made once for all test processes; do not write to it."""
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    folder, done = shared / "filled", shared / "filled.done"
    with (shared / "filled.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = installation(folder, EMBEDDED)
        if not done.exists():
            result = made.run()
            assert result.is_success, result.first_error
            done.touch()
    return made


@pytest.fixture
def copied(filled, tmp_path) -> Installation:
    """A copy of the filled installation that a test may change."""
    shutil.copytree(filled.path, tmp_path / "home", symlinks=True)
    universe = shutil.copy(filled.universe, tmp_path / "universe.yaml")
    return Installation(tmp_path / "home", tmp_path / universe, filled.variables)
