"""Features: the share that more than one declared consumer uses."""

from benchmarks.scorecard.rows import NOT_MEASURED, Row, rows


def _reused(connection) -> str:
    found = rows(
        connection,
        "SELECT version, count(*) FILTER (WHERE len(string_split(used_by, ',')) > 1), count(*) "
        "FROM features.feature_catalog WHERE used_by <> '' GROUP BY version ORDER BY version",
    )
    return "; ".join(f"v{v}: {shared} of {used} used features" for v, shared, used in found) or NOT_MEASURED


ROWS = (Row("features reused by more than one consumer", "> 80 %", _reused),)
