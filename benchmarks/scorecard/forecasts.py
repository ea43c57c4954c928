"""Forecasts of the portfolio over rolling origins, beside the random walk."""

from benchmarks.scorecard.rows import NOT_MEASURED, Row, rows

_EVALUATIONS = """
SELECT chosen.horizon_days, chosen.mae_pct, walk.mae_pct, chosen.mae_pct_no_change,
    chosen.pinball_loss, walk.pinball_loss,
    chosen.coverage_90, chosen.coverage_90_crisis
FROM forecasts.forecast_evaluations AS chosen
JOIN forecasts.forecast_evaluations AS walk ON walk.horizon_days = chosen.horizon_days AND walk.model = 'random_walk'
WHERE chosen.model = 'selected' ORDER BY chosen.horizon_days
"""


def _found(connection) -> list[tuple]:
    return rows(connection, _EVALUATIONS)


def _error(connection) -> str:
    found = _found(connection)
    at = next((row for row in found if row[0] == 20), None)
    if at is None:
        return NOT_MEASURED
    mae = sum(row[1] <= row[2] for row in found)
    pinball = sum(row[4] <= row[5] for row in found)
    return (
        f"median MAE at 20 sessions {at[1]:.2f} % (random walk {at[2]:.2f}, no change {at[3]:.2f}, the brief 5); "
        f"MAE no worse at {mae} and pinball at {pinball} of {len(found)} horizons"
    )


def _coverage(goal_low: float, goal_high: float, column: int):
    def read(connection) -> str:
        shares = [row[column] for row in _found(connection) if row[column] is not None]
        if not shares:
            return NOT_MEASURED
        met = sum(goal_low <= share <= goal_high for share in shares)
        return f"{min(shares):.1%} to {max(shares):.1%}; inside at {met} of {len(shares)} horizons"

    return read


ROWS = (
    Row("portfolio forecast, causally selected model", "no worse than the random walk at every horizon", _error),
    Row("forecast 5-95 % coverage, rolling origins", "88 to 92 %", _coverage(0.88, 0.92, 6)),
    Row("the same inside 2008-09 to 2009-03", "80 to 97 %", _coverage(0.80, 0.97, 7)),
)
