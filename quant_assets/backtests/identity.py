"""The name of a backtest: a hash of everything its numbers depend on."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from importlib import resources

import numpy as np

from quant_assets.backtests.costs import Costs
from quant_assets.backtests.evaluation import Bench
from quant_assets.backtests.rules import Rules
from quant_assets.strategies import PricePanel, Strategy, parameters_json
from quant_assets.strategies.base import Knowledge

__all__ = ["backtest_id", "code_digest", "data_digest"]

_SOURCES = (
    ("quant_assets.strategies", ()),
    ("quant_assets.foundation.performance", ()),
    ("quant_assets.backtests", ("costs", "evaluation", "kernel", "market", "rules", "simulation")),
)
"""Packages whose code makes the numbers; of the last only the modules that compute."""
_LENGTH = 16
"""Hexadecimal digits: a repetition by chance among a million runs has a probability of 3e-8."""


@lru_cache(maxsize=1)
def code_digest() -> str:
    """Hash of the source text that results depend on, so that a comment in a report makes no new run."""
    digest = hashlib.sha256()
    for package, only in _SOURCES:
        files = (file for file in resources.files(package).iterdir() if file.name.endswith(".py"))
        for file in sorted(files, key=lambda one: one.name):
            if not only or file.name.removesuffix(".py") in only:
                digest.update(f"{package}/{file.name}\n".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()[:_LENGTH]


def data_digest(known: Knowledge, last: int) -> str:
    """Hash of what was looked at and traded on up to session ``last``; later rows do not count."""
    digest = hashlib.sha256("|".join(known.panel.symbols).encode())
    panel: PricePanel = known.panel
    rows = slice(last + 1)
    grids = [panel.open, panel.close, panel.volume, panel.dividend, panel.split]
    for grid in (panel.dates.astype(np.int64), *grids, known.probability):
        if grid is not None:
            digest.update(np.ascontiguousarray(grid[rows]).tobytes())
    if known.regime is not None:
        digest.update("|".join(known.regime[rows].tolist()).encode())
    return digest.hexdigest()[:_LENGTH]


def backtest_id(strategy: Strategy, bench: Bench, *, data: str) -> str:
    """Sixteen hexadecimal digits that are the same exactly where code, data and request are the same.

    ``data`` is the :func:`data_digest` of the bench (asked for once in a search).
    """
    dates = bench.market.panel.dates
    request = {
        "code": code_digest(),
        "data": data,
        "strategy": strategy.name,
        "parameters": parameters_json(strategy),
        "first": str(dates[bench.first]),
        "last": str(dates[bench.last]),
        "rules": _canonical(bench.rules),
        "costs": _canonical(bench.costs),
        "risk_free_rate": bench.risk_free_rate,
        "market": hashlib.sha256(bench.market_returns.tobytes()).hexdigest(),
    }
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:_LENGTH]


def _canonical(model: Rules | Costs) -> str:
    return json.dumps(model.model_dump(mode="json"), sort_keys=True)
