"""Strategies out of sample and after costs."""

from benchmarks.scorecard.rows import NOT_MEASURED, Row, rows


def _beside_twin(connection) -> str:
    found = rows(
        connection,
        "SELECT sharpe, twin_sharpe, sharpe_difference, sharpe_difference_low, sharpe_difference_high "
        "FROM backtests.runs WHERE strategy = 'ml_signal' AND origin = 'default' AND sharpe IS NOT NULL",
    )
    return (
        "; ".join(
            f"{own:.2f} against {twin:.2f}, difference {gap:+.2f} [{low:+.2f}, {high:+.2f}]"
            for own, twin, gap, low, high in found
        )
        or NOT_MEASURED
    )


def _all(connection) -> str:
    found = rows(
        connection,
        "SELECT strategy, sharpe, deflated_sharpe FROM backtests.runs WHERE origin = 'default' AND sharpe IS NOT NULL "
        "ORDER BY sharpe DESC",
    )
    return "; ".join(f"{name} {value:.2f} (deflated {sure:.0%})" for name, value, sure in found) or NOT_MEASURED


ROWS = (
    Row("Sharpe of ml_signal against its rule twin", "reported with its 95 % interval", _beside_twin),
    Row("Sharpe of the nightly set, after costs", "reported", _all),
)
