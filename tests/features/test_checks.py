from __future__ import annotations

import dagster as dg
import pytest

from quant_assets.features.checks import feature_store_is_causal, sampled_symbols
from quant_assets.features.dbt import feature_store_models
from quant_assets.foundation.calendar import new_york_calendar
from resources.warehouse import Warehouse


@pytest.mark.parametrize("first", [0, 1000, 5555])
@pytest.mark.parametrize("count", range(1, 61))
def test_every_symbol_is_sampled_in_turn(count, first):
    """Of n symbols every one comes within n / 4 consecutive sessions, four or all of them at a time."""
    symbols = [f"S{i:03d}" for i in range(count)]
    sessions = new_york_calendar().sessions[first : first + -(-count // 4)].tolist()
    samples = [sampled_symbols(symbols, session) for session in sessions]
    assert {len(set(sample)) for sample in samples} == {min(4, count)}
    assert sorted(set().union(*samples)) == symbols


def test_a_warm_up_that_nothing_proves_says_so(built_warehouse):
    """Where no history reaches past the warm-up the check passes and says that it compared nothing."""
    result = dg.materialize(
        [feature_store_models, feature_store_is_causal], resources={"warehouse": Warehouse(built_warehouse)}
    )
    told = {
        (e.asset_key.path[-1], e.check_name): e.description
        for e in result.get_asset_check_evaluations()
        if e.check_name in {"does_not_look_ahead", "warm_up_is_as_stated"}
    }
    for version, needed in ((1, 650), (2, 1000)):
        assert told[f"feature_store_v{version}", "warm_up_is_as_stated"] == (
            f"nothing compared, so nothing proved: no sampled symbol has more than {needed} bars"
        )
        assert told[f"feature_store_v{version}", "does_not_look_ahead"].endswith("rows compared, 0 values differ")
