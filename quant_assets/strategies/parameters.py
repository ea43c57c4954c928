"""Typed parameters: one declaration gives validation, a search space and a form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

__all__ = ["Parameter", "parameter", "parameters_of"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter as a search or a form needs it; ``low``, ``high`` and ``step`` are NaN for a choice."""

    name: str
    kind: type
    default: Any
    low: float
    high: float
    step: float
    unit: str
    description: str
    choices: tuple[str, ...] = ()

    def grid(self, points: int = 0) -> tuple[Any, ...]:
        """Allowed values from low to high by step; thinned evenly to ``points`` where that is given."""
        if self.choices:
            return self.choices
        count = round((self.high - self.low) / self.step) + 1
        values = self.low + self.step * np.arange(count)
        if points and points < count:
            values = values[np.round(np.linspace(0, count - 1, points)).astype(int)]
        return tuple(self.kind(round(value, 10)) for value in values)


def parameter(default: float, *, low: float, high: float, step: float, unit: str, description: str) -> Any:
    """A pydantic field with everything that a search space and a form need."""
    return Field(
        default=default, ge=low, le=high, description=description, json_schema_extra={"step": step, "unit": unit}
    )


def parameters_of(model: type[BaseModel]) -> tuple[Parameter, ...]:
    """Parameters of a strategy in the order of their declaration; nested strategies are left out."""
    found = (_described(name, info) for name, info in model.model_fields.items())
    return tuple(one for one in found if one is not None)


def _described(name: str, info: FieldInfo) -> Parameter | None:
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    if "step" not in extra and "choices" not in extra:
        return None
    bounds = {type(rule).__name__: rule for rule in info.metadata}
    choices = extra.get("choices", ())
    return Parameter(
        name=name,
        kind=info.annotation if isinstance(info.annotation, type) else str,
        default=info.default,
        low=float(bounds["Ge"].ge) if "Ge" in bounds else math.nan,
        high=float(bounds["Le"].le) if "Le" in bounds else math.nan,
        step=float(str(extra.get("step", "nan"))),
        unit=str(extra.get("unit", "")),
        description=info.description or "",
        choices=tuple(str(choice) for choice in choices) if isinstance(choices, list | tuple) else (),
    )
