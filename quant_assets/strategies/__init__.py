"""Rule strategies with typed parameters: features in, target positions out."""

from quant_assets.strategies.base import Knowledge, Strategy
from quant_assets.strategies.indicators import Indicators
from quant_assets.strategies.panel import PricePanel
from quant_assets.strategies.parameters import Parameter, parameters_of
from quant_assets.strategies.registry import STRATEGIES, build_strategy, describe, parameters_json, strategy_class
from quant_assets.strategies.targets import Targets

__all__ = [
    "STRATEGIES",
    "Indicators",
    "Knowledge",
    "Parameter",
    "PricePanel",
    "Strategy",
    "Targets",
    "build_strategy",
    "describe",
    "parameters_json",
    "parameters_of",
    "strategy_class",
]
