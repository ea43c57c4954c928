"""Every strategy by its name. A new one is a new file and one line here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from quant_assets.foundation.errors import UsageError
from quant_assets.strategies.base import Strategy
from quant_assets.strategies.bollinger_reversion import BollingerReversion
from quant_assets.strategies.buy_and_hold import BuyAndHold
from quant_assets.strategies.cross_sectional_momentum import CrossSectionalMomentum
from quant_assets.strategies.ema_macd import EmaMacd
from quant_assets.strategies.equal_weight import EqualWeight
from quant_assets.strategies.ml_signal import MlSignal, MomentumTwin
from quant_assets.strategies.parameters import Parameter, parameters_of
from quant_assets.strategies.regime_adaptive import RegimeAdaptive
from quant_assets.strategies.rsi_reversal import RsiReversal
from quant_assets.strategies.sma_crossover import SmaCrossover
from quant_assets.strategies.time_series_momentum import TimeSeriesMomentum
from quant_assets.strategies.volatility_target import VolatilityTarget

__all__ = ["STRATEGIES", "build_strategy", "describe", "parameters_json", "strategy_class"]

STRATEGIES: dict[str, type[Strategy]] = {
    one.name: one
    for one in (
        BuyAndHold,
        EqualWeight,
        SmaCrossover,
        EmaMacd,
        RsiReversal,
        BollingerReversion,
        TimeSeriesMomentum,
        CrossSectionalMomentum,
        VolatilityTarget,
        MlSignal,
        MomentumTwin,
        RegimeAdaptive,
    )
}


def strategy_class(name: str) -> type[Strategy]:
    """The class of a strategy.

    Raises
    ------
    UsageError
        For an unknown name, listing the known ones.
    """
    if name not in STRATEGIES:
        raise UsageError(f"there is no strategy {name!r}; choose from {', '.join(STRATEGIES)}")
    return STRATEGIES[name]


def build_strategy(name: str, parameters: Mapping[str, Any] | None = None) -> Strategy:
    """A strategy from its name and parameters; a nested strategy is ``{"name": ..., parameters}``.

    Raises
    ------
    UsageError
        One sentence saying what is allowed.
    """
    chosen = strategy_class(name)
    given = dict(parameters or {})
    if isinstance(inner := given.get("of"), Mapping):
        rest = {key: value for key, value in inner.items() if key != "name"}
        given["of"] = build_strategy(str(inner.get("name", "")), rest)
    try:
        return chosen.model_validate(given)
    except ValidationError as error:
        raise UsageError(f"{name}: {_explained(error, chosen)}") from None


def parameters_json(strategy: Strategy) -> str:
    """Parameters as JSON with sorted keys; a nested strategy carries its name."""
    return json.dumps(_as_dict(strategy), sort_keys=True)


def describe(name: str) -> str:
    """What a strategy does and what its parameters take, as Markdown."""
    chosen = strategy_class(name)
    lines = [chosen.summary, ""]
    lines += [f"- `{p.name}`: {_allowed(p)}, default {p.default}. {p.description}" for p in parameters_of(chosen)]
    return "\n".join(lines)


def _as_dict(strategy: Strategy) -> dict[str, Any]:
    values = {name: getattr(strategy, name) for name in type(strategy).model_fields}
    return {
        name: {"name": value.name, **_as_dict(value)} if isinstance(value, Strategy) else value
        for name, value in values.items()
    }


def _allowed(one: Parameter) -> str:
    if one.choices:
        return " or ".join(one.choices)
    return f"{one.low:g} to {one.high:g} by {one.step:g} {one.unit}"


def _explained(error: ValidationError, chosen: type[Strategy]) -> str:
    first = error.errors()[0]
    known = {one.name: one for one in parameters_of(chosen)}
    place = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "extra_forbidden":
        return f"there is no parameter {place!r}; choose from {', '.join(chosen.model_fields) or 'none'}"
    if place in known:
        return f"{place} is {first['input']!r}; allowed: {_allowed(known[place])}"
    return str(first["msg"]).removeprefix("Value error, ")
