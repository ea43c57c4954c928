"""The revision of the code that trains a model."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["code_revision"]


def code_revision() -> str:
    """Revision of the checkout, with ``-dirty`` where it was changed since; empty outside one."""
    try:
        found = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--exclude=*"],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""
