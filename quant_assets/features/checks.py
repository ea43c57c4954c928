"""Asset checks of the feature store: nothing in it looks ahead, and its stated warm-up is true.

They compute a few symbols again, others every session, from the bars that the run has just stored.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
import duckdb
import numpy as np
import polars as pl

from quant_assets.features.causality import (
    Comparison,
    compare,
    compare_ranks,
    evaluate_mart,
    late_start,
    look_ahead,
)
from quant_assets.features.changes import StoredVersion
from quant_assets.features.dbt_project import load_project
from quant_assets.features.tables import feature_store
from quant_assets.features.versions import check_versions, stored_versions
from quant_assets.foundation.calendar import new_york_calendar
from resources.warehouse import Warehouse
from resources.warehouse.asset_specs import asset_key

__all__ = ["feature_store_is_causal", "sampled_symbols"]

_SAMPLED_SYMBOLS = 4
_CUT_SESSIONS = (1, 60)
_LEFT_OUT_BARS = 250
_RANKED_SESSIONS = 5
_SHOWN = 20
_TRUNCATION, _WARM_UP = "does_not_look_ahead", "warm_up_is_as_stated"


def _specs() -> Iterator[dg.AssetCheckSpec]:
    check_versions(load_project().manifest, stored_versions())
    for version in stored_versions():
        asset = asset_key(feature_store(version))
        yield dg.AssetCheckSpec(
            _TRUNCATION,
            asset=asset,
            blocking=True,
            description=(
                "Computed again from price tables without the newest sessions, every earlier row is the same to the "
                "last bit."
            ),
        )
        yield dg.AssetCheckSpec(
            _WARM_UP,
            asset=asset,
            blocking=True,
            description="Computed again from a later start, every row past the stated warm-up is the same to 1e-9.",
        )


@dg.multi_asset_check(specs=list(_specs()), name="feature_store_is_causal", can_subset=True)
def feature_store_is_causal(
    context: dg.AssetCheckExecutionContext, warehouse: dg.ResourceParam[Warehouse]
) -> Iterator[dg.AssetCheckResult]:
    """Compute sampled symbols again from cut histories and compare with what is stored."""
    for number, version in stored_versions().items():
        asset = asset_key(feature_store(number))
        found = _compared(warehouse, number, version)
        for name, comparison in found.items():
            if dg.AssetCheckKey(asset, name) in context.selected_asset_check_keys:
                yield _result(asset, name, comparison, version.warm_up_bars)


def _compared(warehouse: Warehouse, number: int, version: StoredVersion) -> dict[str, Comparison]:
    manifest = load_project().manifest
    with warehouse.connect() as connection:
        symbols = _sample(connection, f"features_intermediate.{version.table}")
        names = ", ".join(("symbol", "date", *version.inputs))
        bars = connection.execute(
            f"SELECT {names} FROM features_intermediate.{version.table} WHERE symbol IN (SELECT unnest(?))",  # noqa: S608
            [symbols],
        ).pl()
        mart = feature_store(number).qualified_name
        stored = connection.execute(f"FROM {mart} WHERE symbol IN (SELECT unnest(?))", [symbols]).pl()
        cuts = [look_ahead(connection, manifest, number, version, symbols=symbols, sessions=_CUT_SESSIONS)]
        if number == max(stored_versions()):
            sessions = bars["date"].unique().sort().gather_every(max(1, bars["date"].n_unique() // _RANKED_SESSIONS))
            cuts.append(compare_ranks(connection, sessions.to_list()))
        late = evaluate_mart(connection, manifest, number, late_start(version, bars, _LEFT_OUT_BARS))
        return {_TRUNCATION: Comparison.joined(cuts), _WARM_UP: compare(stored, late, exactly=False)}


def sampled_symbols(symbols: Sequence[str], session: dt.date) -> list[str]:
    """A few symbols, others every session.

    Sessions are counted by the exchange's calendar and the symbols taken in turn, so that of n symbols every one comes
    within n / 4 consecutive sessions, rounded up.
    """
    number = int(np.searchsorted(new_york_calendar().sessions, np.datetime64(session)))
    count = min(_SAMPLED_SYMBOLS, len(symbols))
    return sorted(symbols[(number * _SAMPLED_SYMBOLS + i) % len(symbols)] for i in range(count))


def _sample(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    newest, names = connection.execute(
        f"SELECT max(date), list(DISTINCT symbol ORDER BY symbol) FROM {table}"  # noqa: S608 - name of our own
    ).fetchall()[0]
    return sampled_symbols(names, newest) if names else []


def _result(asset: dg.AssetKey, name: str, comparison: Comparison, warm_up_bars: int) -> dg.AssetCheckResult:
    metadata: dict[str, Any] = {"rows_compared": comparison.rows, "differences": comparison.differences.height}
    if not comparison.is_equal:
        shown = comparison.differences.head(_SHOWN).select(pl.all().cast(pl.String)).to_dicts()
        metadata["first_differences"] = dg.MetadataValue.table([dg.TableRecord(row) for row in shown])
    told = f"{comparison.rows} rows compared, {comparison.differences.height} values differ"
    if not comparison.rows:
        needed = _LEFT_OUT_BARS + warm_up_bars if name == _WARM_UP else min(_CUT_SESSIONS)
        told = f"nothing compared, so nothing proved: no sampled symbol has more than {needed} bars"
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=comparison.is_equal,
        severity=dg.AssetCheckSeverity.ERROR,
        description=told,
        metadata=metadata,
    )
