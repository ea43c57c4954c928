from __future__ import annotations

import re
from types import ModuleType

import numpy as np
import pytest

from quant_assets.features import indicators, parameters, windows
from quant_assets.features.columns import column_set, compute
from quant_assets.features.dbt_project import load_project
from quant_assets.features.versions import stored_versions, version_1
from quant_assets.foundation.errors import DataError


def module_of(*functions):
    """A module that holds column functions of the test."""
    module = ModuleType("made_up")
    module.__file__ = parameters.__file__
    for function in functions:
        function.__module__ = module.__name__
        setattr(module, function.__name__, function)
    return module


def test_parameters_of_a_function_are_what_the_column_reads():
    """Columns come in an order in which each follows what it reads; a leading underscore keeps one out of the store."""

    def last(middle):
        return middle + 1

    def middle(first):
        return 2 * first

    def _first(close):
        return -close

    columns = column_set([module_of(last, middle, _first)], inputs=("close",), code=[])
    assert [column.name for column in columns.columns] == ["first", "middle", "last"]
    assert [column.name for column in columns.stored] == ["middle", "last"]
    found = compute(columns, {"close": np.array([3.0])}, windows.whole(np.array([0, 1])))
    assert {name: values.tolist() for name, values in found.items()} == {"middle": [-6.0], "last": [-5.0]}


def test_a_column_that_nobody_defines_is_named():
    """Reading what does not exist is refused with the name of both."""

    def mine(theirs):
        return theirs

    with pytest.raises(DataError, match="column mine reads theirs, which is neither an input nor a column"):
        column_set([module_of(mine)], inputs=("close",), code=[])


def test_columns_that_read_each_other_are_refused():
    """A circle of columns is named."""

    def egg(hen):
        return hen

    def hen(egg):
        return egg

    with pytest.raises(DataError, match="read each other in a circle"):
        column_set([module_of(egg, hen)], inputs=(), code=[])


def test_the_revision_follows_the_code():
    """Other modules give another revision; the same ones give the same."""
    one = column_set([indicators], inputs=("close", "volume"), code=[windows])
    assert one.revision == column_set([indicators], inputs=("close", "volume"), code=[windows]).revision
    assert one.revision != column_set([indicators], inputs=("close", "volume"), code=[windows, parameters]).revision


def test_every_stored_column_is_explained():
    """Each column function has a docstring and code to show."""
    for version in stored_versions().values():
        for column in version.columns.columns:
            assert column.function.__doc__, column.name
            assert "return" in column.logic, column.name
            assert '"""' not in column.logic, column.name


def test_recursive_columns_are_those_with_a_memory():
    """Exactly the averages that continue from themselves are recursive."""
    assert set(version_1().columns.recursive) == {
        *("average_gain", "average_loss", "ema_12", "ema_26", "macd_fast", "macd_signal", "obv"),
    }


@pytest.mark.parametrize("version", [1, 2])
def test_marts_and_columns_agree_on_what_is_no_change(version):
    """The share of the level below which the SQL of a mart sees rounding is the one that the columns are given."""
    sql = load_project().manifest["nodes"][f"model.dbt_features.feature_store.v{version}"]["raw_code"]
    assert {float(found) for found in re.findall(r"\b\d+e-\d+\b", sql)} == {parameters.LEAST_CHANGE}
