from __future__ import annotations

import polars as pl
import pytest

from quant_assets.features.consumers import reuse_share


def catalog(*used_by: str) -> pl.DataFrame:
    return pl.DataFrame({"version": 2, "feature": [f"f{i}" for i in range(len(used_by))], "used_by": used_by})


@pytest.mark.parametrize(
    ("used_by", "share", "by_list"),
    [
        (("", ""), None, None),
        (("a", "a"), 0.0, 0.0),
        (("a, b", "a, b"), 1.0, 0.0),
        (("a, b, c", "a, b, c", "a, b", ""), 1.0, 2 / 3),
        (("a, c", "a", "c", ""), 1 / 3, 1 / 3),
    ],
)
def test_consumers_of_one_list_are_one_where_lists_are_counted(used_by, share, by_list):
    """Two models of the very same list share everything by name and nothing by list."""
    assert reuse_share(catalog(*used_by)) == share
    assert reuse_share(catalog(*used_by), is_by_list=True) == by_list
