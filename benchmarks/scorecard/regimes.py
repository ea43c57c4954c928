"""Regimes: accuracy on the reference market beside the true-parameter filter and the baselines."""

from benchmarks.scorecard.rows import Row, rows

_NOT_MEASURED = "not measured yet: materialise regimes/evaluation with reference_markets: 10"


def _accuracy(connection) -> str:
    found = rows(connection, "SELECT method, value FROM regimes.evaluation WHERE measure = 'accuracy' ORDER BY method")
    return "; ".join(f"{method} {value:.3f}" for method, value in found) or _NOT_MEASURED


ROWS = (Row("regime accuracy, reference market", "> 80 %, or 95 % of the ceiling where that is lower", _accuracy),)
