"""The manual keeps up with the code."""

from pathlib import Path

import pytest

from quant_assets.backtests.costs import Costs
from quant_assets.backtests.rules import Rules
from quant_assets.backtests.simulation import EVENT_KINDS
from quant_assets.backtests.tables import TABLES
from quant_assets.foundation.performance import MEASURE_NAMES
from quant_assets.strategies import STRATEGIES, parameters_of

MANUAL = (Path(__file__).parents[2] / "docs" / "backtesting.md").read_text(encoding="utf-8")
POSITIONS = {"drawdown_peak", "drawdown_trough", "drawdown_recovery"}


@pytest.mark.parametrize("model", [Costs, Rules])
def test_every_cost_and_rule_is_explained(model):
    """Each setting stands in the manual with its default and its meaning."""
    for name, info in model.model_fields.items():
        assert f"| `{name}` | {info.default} | {info.description} |" in MANUAL


def test_every_strategy_stands_with_its_parameters():
    """Each strategy has a row with its sentence and the range of each parameter."""
    for name, strategy in STRATEGIES.items():
        row = next(line for line in MANUAL.splitlines() if line.startswith(f"| `{name}` |"))
        assert strategy.summary in row
        for one in parameters_of(strategy):
            shown = " or ".join(one.choices) or f"{one.low:g} to {one.high:g} by {one.step:g}"
            assert f"`{one.name}`" in row
            assert f"({shown})" in row


def test_every_measure_event_and_table_is_named():
    """Nothing that is stored goes unexplained."""
    names = {*MEASURE_NAMES, "deflated_sharpe", *EVENT_KINDS, *(table.name for table in TABLES)} - POSITIONS
    assert [name for name in sorted(names) if f"`{name}`" not in MANUAL and f"backtests.{name}" not in MANUAL] == []
