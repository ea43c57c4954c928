"""A small market for every test of the room."""

import pytest

from tests.support.price_panels import make_panel


@pytest.fixture
def panel():
    """Three symbols, sixty sessions, splits and dividends, no gaps."""
    return make_panel()
