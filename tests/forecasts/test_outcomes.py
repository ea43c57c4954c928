import datetime as dt

import polars as pl
import pytest

from quant_assets.forecasts.outcomes import due_outcomes
from quant_assets.forecasts.tables import OUTCOMES
from tests.support.forecast_market import sessions

DATES = sessions(8)
NIGHT, TARGET = DATES[2], DATES[5]


def forecasts(**changes):
    row = {
        "as_of": NIGHT,
        "horizon_days": 3,
        "model": "blend",
        "target_date": TARGET,
        "current_value": 1_000.0,
        "is_selected": True,
        "p05": 900.0,
        "p50": 1_010.0,
        "p95": 1_100.0,
        "var_95": 100.0,
    }
    return pl.DataFrame([row | changes], schema_overrides={"horizon_days": pl.Int32})


def positions(**values):
    return pl.DataFrame({"as_of": [NIGHT] * len(values), "symbol": list(values), "value": list(values.values())})


def prices(**series):
    return pl.concat(
        pl.DataFrame({"symbol": [symbol] * len(closes), "date": DATES[: len(closes)], "close": closes})
        for symbol, closes in series.items()
    )


FLAT = prices(AA=[10.0] * 8, BB=[20.0] * 2 + [20.0, 21.0, 22.0, 24.0, 30.0, 30.0])


def test_what_happened_is_the_gain_of_the_positions_of_the_night():
    """600 in a holding that gains a fifth adds 120; cash and the other stay."""
    rows = due_outcomes(forecasts(), positions(AA=300.0, BB=600.0), FLAT, as_of=TARGET)
    OUTCOMES.validate(rows.select(OUTCOMES.column_names))
    assert rows["realised"].to_list() == [pytest.approx(1_120.0)]
    assert rows["inside"].to_list() == [False]
    assert rows["is_breach"].to_list() == [False]


def test_a_short_position_gains_when_the_price_falls():
    """The sign of the position decides, and a loss over VaR is a breach."""
    rows = due_outcomes(forecasts(), positions(BB=-600.0), FLAT, as_of=TARGET)
    assert rows["realised"].to_list() == [pytest.approx(880.0)]
    assert rows["is_breach"].to_list() == [True]


def test_a_forecast_is_not_judged_before_its_day():
    """One session earlier there is nothing to say."""
    assert due_outcomes(forecasts(), positions(BB=600.0), FLAT, as_of=DATES[4]).is_empty()


def test_later_adjustments_do_not_change_the_verdict():
    """After a later split or dividend every past price is scaled; the gain is the same."""
    scaled = FLAT.with_columns(pl.col("close") * 0.25)
    one, two = (due_outcomes(forecasts(), positions(BB=600.0), frame, as_of=TARGET) for frame in (FLAT, scaled))
    assert one["realised"].to_list() == pytest.approx(two["realised"].to_list())


def test_a_missing_bar_on_the_day_is_bridged():
    """Without a bar on the target date the last close before it counts."""
    gap = FLAT.filter(~((pl.col("symbol") == "BB") & (pl.col("date") == TARGET)))
    rows = due_outcomes(forecasts(), positions(BB=600.0), gap, as_of=TARGET)
    assert rows["realised"].to_list() == [pytest.approx(1_060.0)]


def test_a_position_without_prices_leaves_the_forecast_open():
    """Where a holding has vanished from the prices, no outcome is invented."""
    assert due_outcomes(forecasts(), positions(BB=600.0, ZZ=100.0), FLAT, as_of=TARGET).is_empty()


def test_nights_and_models_are_judged_apart():
    """Every stored forecast gets its own row; several nights do not mix."""
    later = forecasts(as_of=DATES[3], horizon_days=2, model="prophet", is_selected=False)
    both = pl.concat([positions(BB=600.0), positions(BB=600.0).with_columns(pl.lit(DATES[3]).alias("as_of"))])
    rows = due_outcomes(pl.concat([forecasts(), later]), both, FLAT, as_of=dt.date(2006, 12, 29))
    assert rows["realised"].to_list() == pytest.approx([1_120.0, 1_000 + 600 * (24 / 21 - 1)])
