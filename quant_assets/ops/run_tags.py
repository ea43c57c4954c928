"""Tags by which a person's wishes travel with a run."""

from __future__ import annotations

__all__ = ["AS_OF_TAG", "FULL_REFRESH_TAG"]

AS_OF_TAG = "quant/as_of"
"""The session to compute for; without it the newest one that the source can have."""

FULL_REFRESH_TAG = "quant/full_refresh"
"""Rebuild derived tables instead of extending them."""
