"""``quant replay nights``: what it refuses before it writes anything."""

from __future__ import annotations

import datetime as dt

import pytest

from quant_assets.commands.replay_nights import replay_nights
from quant_assets.foundation.errors import UsageError
from quant_assets.settings import Settings


@pytest.mark.parametrize("name", ["MLFLOW_TRACKING_URI", "ALPHA_VANTAGE_API_KEY"])
def test_replay_leaves_what_is_shared_alone(tmp_path, monkeypatch, name):
    """Where a shared MLflow or a vendor's key is set the replay says which variable to unset, and makes no home."""
    for field in Settings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QUANT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(UsageError, match=f"unset {name}"):
        replay_nights(dt.date(2008, 9, 2), dt.date(2008, 9, 3))
    assert not (tmp_path / "home").exists()
