"""Print the goals of the design beside what was measured. Nothing here is typed in."""

import sys

import duckdb

from benchmarks.scorecard import backtests, features, forecasts, quality, regimes, signals
from benchmarks.scorecard.rows import rows
from quant_assets.foundation.home import Home
from quant_assets.settings import load_settings

_ROOMS = (signals, regimes, quality, forecasts, features, backtests)


def main() -> int:
    database = Home(load_settings().home).readers_database
    if not database.exists():
        print(f"nothing is published in {database.parent}: run 'make run' first")
        return 1
    with duckdb.connect(str(database.resolve()), read_only=True) as connection:
        as_of, source = rows(
            connection, "SELECT as_of, source FROM ops.publications ORDER BY published_at DESC LIMIT 1"
        )[0]
        print(f"From {database}, {source}, as of {as_of}\n")
        for row in (row for room in _ROOMS for row in room.ROWS):
            print(f"{row.measure}\n    goal      {row.goal}\n    measured  {row.read(connection)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
