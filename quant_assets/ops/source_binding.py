"""A home belongs to the source that filled it first."""

from __future__ import annotations

from quant_assets.foundation.errors import SourceMismatchError
from quant_assets.ops.store import OperationsStore

__all__ = ["bind_source", "check_source"]

_FACT = "source"


def check_source(store: OperationsStore, identity: str) -> None:
    """Refuse to continue a home from another source.

    Raises
    ------
    SourceMismatchError
        One sentence with the fix.
    """
    bound = store.fact(_FACT)
    if bound not in {None, identity}:
        raise SourceMismatchError(
            f"this QUANT_HOME was filled from {bound} and cannot be continued from {identity}; "
            "set QUANT_HOME to another folder for the other source."
        )


def bind_source(store: OperationsStore, identity: str) -> None:
    """Check the source, and bind a home that nothing has filled yet."""
    check_source(store, identity)
    if store.fact(_FACT) is None:
        store.remember(_FACT, identity)
