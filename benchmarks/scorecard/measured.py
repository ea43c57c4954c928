"""Figures that no run publishes, since they need a known truth: measured once for each state of the code, then kept."""

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.scorecard.rows import read_measurement, write_measurement

_ROOT = Path(__file__).parents[2]


def measured(name: str, code_of: tuple[str, ...], work: Callable[[], dict], *, takes: str) -> dict:
    """What ``work`` returns: kept from an earlier call in this home where no Python file of these paths changed."""
    code = hashlib.blake2b(digest_size=8)
    for path in (_ROOT / place for place in code_of):
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            code.update(file.read_bytes())
    kept = read_measurement(name)
    if kept is not None and kept["code"] == code.hexdigest():
        return kept["figures"]
    print(f"measuring {name.replace('_', ' ')} for this state of the code, {takes} ...", file=sys.stderr, flush=True)
    figures = work()
    write_measurement(name, {"code": code.hexdigest(), "figures": figures})
    return figures
