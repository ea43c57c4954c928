from __future__ import annotations

import pytest

from quant_assets.foundation.errors import UsageError
from quant_assets.ops.store import OperationsStore
from quant_assets.signals.ledger import CHALLENGER, CHAMPION, ModelLedger, roll_back

ALL = tuple(f"jump-{number}" for number in range(1, 6))


@pytest.fixture
def ledger(tmp_path):
    return ModelLedger(OperationsStore(tmp_path / "operations.sqlite"))


def promote(ledger, *versions):
    for version in versions:
        ledger.note("jump", version, "promoted", actor="test", reason="better", alias=CHAMPION)


def back(ledger, available=ALL):
    return roll_back(ledger, "jump", available, actor="test", reason="worse")


def test_a_version_holds_one_alias(ledger):
    """A challenger that becomes champion leaves its place, and the former champion holds nothing."""
    promote(ledger, "jump-1")
    ledger.note("jump", "jump-2", "kept", actor="test", reason="no better", alias=CHALLENGER)
    promote(ledger, "jump-2")
    assert [(h.alias, h.model_version) for h in ledger.holders()] == [(CHAMPION, "jump-2")]


def test_each_roll_back_goes_one_further(ledger):
    """Two roll-backs go back two champions; they do not return to what was rolled back from."""
    promote(ledger, "jump-1", "jump-2", "jump-3")
    assert [back(ledger), back(ledger)] == ["jump-2", "jump-1"]
    with pytest.raises(UsageError, match="no former champion"):
        back(ledger)


def test_a_promotion_after_a_roll_back_is_above_what_was_returned_to(ledger):
    """From a promotion after a roll-back the way back leads to the version returned to."""
    promote(ledger, "jump-1", "jump-2")
    back(ledger)
    promote(ledger, "jump-3")
    assert ledger.former_champions("jump") == ("jump-1",)
    assert back(ledger) == "jump-1"


def test_a_version_without_files_is_passed_over(ledger):
    """Rolling back skips versions whose folder is gone."""
    promote(ledger, "jump-1", "jump-2", "jump-3")
    assert back(ledger, available=("jump-1", "jump-3")) == "jump-1"


def test_events_are_rows_of_their_table(ledger):
    """Who did what and why is kept in order, with the wall clock."""
    promote(ledger, "jump-1")
    ledger.note("jump", None, "failed", actor="weekly_retraining", reason="60 sessions")
    rows = ledger.events()
    assert rows.select("model_version", "event", "actor", "reason").rows() == [
        ("jump-1", "promoted", "test", "better"),
        (None, "failed", "weekly_retraining", "60 sessions"),
    ]
    assert str(rows.schema["happened_at"]) == "Datetime(time_unit='us', time_zone='UTC')"
    assert ledger.last_event("jump") == ("failed", "60 sessions")
    assert (ledger.highest_number("jump"), ledger.highest_number("other")) == (1, 0)
