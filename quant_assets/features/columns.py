"""From a module of column functions to computed columns.

A module such as ``indicators`` is read as a graph: each public function is a column, each parameter that is not
``rows`` or ``previous`` is a column that it reads. A function whose name begins with an underscore is a column too,
computed but not stored; it may be several arrays at once. Adding a column is adding a function.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from quant_assets.features.windows import Floats, Rows
from quant_assets.foundation.errors import DataError

__all__ = ["ColumnSet", "StoredColumn", "column_set", "compute"]

_NO_VALUES: Floats = np.empty(0)
_ROWS, _PREVIOUS = "rows", "previous"


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """One column and how it is computed."""

    name: str
    function: Callable[..., Any]
    reads: tuple[str, ...]
    is_recursive: bool
    is_stored: bool

    @property
    def logic(self) -> str:
        """The body of the function, without its docstring."""
        lines = inspect.getsource(self.function).splitlines()
        text = "\n".join(lines)
        start = text.index('"""', text.index('"""') + 3) + 3 if '"""' in text else text.index(":") + 1
        return inspect.cleandoc(text[start:])


@dataclass(frozen=True, slots=True)
class ColumnSet:
    """Columns in an order in which each comes after those that it reads."""

    columns: tuple[StoredColumn, ...]
    revision: int
    """Changes with the code of the columns, so that stored rows of older code are recognised."""

    @property
    def stored(self) -> tuple[StoredColumn, ...]:
        """Columns that are kept."""
        return tuple(column for column in self.columns if column.is_stored)

    @property
    def recursive(self) -> tuple[str, ...]:
        """Names of the columns that continue from their own stored value."""
        return tuple(column.name for column in self.columns if column.is_recursive)


def column_set(modules: Sequence[ModuleType], *, inputs: Sequence[str], code: Sequence[ModuleType]) -> ColumnSet:
    """Collect the columns that the functions of ``modules`` define.

    Parameters
    ----------
    modules : sequence of module
        Later modules may read columns of earlier ones and the other way round.
    inputs : sequence of str
        Columns that are given.
    code : sequence of module
        Modules whose source the values depend on, beside ``modules``.

    Raises
    ------
    DataError
        Where a function reads a column that nobody defines, or columns read each other in a circle.
    """
    found: dict[str, StoredColumn] = {}
    for module in modules:
        for name, function in vars(module).items():
            if inspect.isfunction(function) and function.__module__ == module.__name__:
                found[name.removeprefix("_")] = _column(name, function)
    for column in found.values():
        for read in column.reads:
            if read not in found and read not in inputs:
                raise DataError(f"column {column.name} reads {read}, which is neither an input nor a column; define it")
    try:
        order = TopologicalSorter({name: set(column.reads) & set(found) for name, column in found.items()})
        ordered = tuple(found[name] for name in order.static_order())
    except CycleError as error:
        raise DataError(f"columns read each other in a circle: {' -> '.join(error.args[1])}; break it") from None
    digest = hashlib.sha256()
    for module in (*modules, *code):
        digest.update(Path(str(module.__file__)).read_bytes())
    return ColumnSet(ordered, int.from_bytes(digest.digest()[:6], "big"))


def _column(name: str, function: Callable[..., Any]) -> StoredColumn:
    parameters = tuple(inspect.signature(function).parameters)
    return StoredColumn(
        name=name.removeprefix("_"),
        function=function,
        reads=tuple(parameter for parameter in parameters if parameter not in (_ROWS, _PREVIOUS)),
        is_recursive=_PREVIOUS in parameters,
        is_stored=not name.startswith("_"),
    )


def compute(
    columns: ColumnSet, inputs: Mapping[str, npt.NDArray[Any]], rows: Rows, stored: Mapping[str, Floats] | None = None
) -> dict[str, Floats]:
    """Compute every column.

    Parameters
    ----------
    columns : ColumnSet
    inputs : mapping of str to array
        Input columns, NaN for null.
    rows : Rows
    stored : mapping of str to array, optional
        Recursive columns with their stored value on the row before ``rows.first``; needed where context is given.

    Returns
    -------
    dict of str to array
        Stored columns by name, NaN for null. Rows before ``rows.first`` mean nothing.
    """
    values: dict[str, Any] = dict(inputs)
    # A division by zero is an undefined value; columns turn the infinity that it gives into NaN themselves.
    with np.errstate(divide="ignore", invalid="ignore"):
        for column in columns.columns:
            arguments: dict[str, object] = {name: values[name] for name in column.reads}
            if column.is_recursive:
                arguments[_PREVIOUS] = (stored or {}).get(column.name, _NO_VALUES)
            if _ROWS in inspect.signature(column.function).parameters:
                arguments[_ROWS] = rows
            values[column.name] = column.function(**arguments)
    return {column.name: values[column.name] for column in columns.stored}
