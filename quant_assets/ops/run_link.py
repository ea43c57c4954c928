"""Where a run can be looked at: the address that ``quant ui`` serves by default."""

from __future__ import annotations

__all__ = ["run_link"]

_UI = "http://127.0.0.1:3000"


def run_link(run_id: str) -> str:
    """Address of a run in the UI on this machine; empty without a run."""
    return f"{_UI}/runs/{run_id}" if run_id else ""
