from __future__ import annotations

import pytest

from quant_assets.replay.server import ReplayServer
from quant_assets.replay.synthetic.market import SyntheticHistory
from quant_assets.replay.synthetic.parameters import EventRates
from tests.support.pipeline import installation

HEADER = "timestamp,open,high,low,close,volume"


def test_file_fills_the_hole_that_a_free_key_leaves(tmp_path):
    """A free key stores 100 sessions and names the hole; a file fills it, and the next night covers the whole."""
    history = SyntheticHistory(seed=3, symbols=1, years=2, rates=EventRates.none())
    bars = history.bars("SYM000")
    with ReplayServer(history, plan="free") as server:
        made = installation(tmp_path, ("SYM000",), ALPHA_VANTAGE_BASE_URL=server.url, ALPHA_VANTAGE_API_KEY="x")
        assert made.quant("run").returncode == 0
        assert made.read("SELECT count(*) FROM market_data.daily_prices") == [(100,)]
        file = tmp_path / "SYM000.csv"
        bars.rename({"date": "timestamp"}).select(HEADER.split(",")).write_csv(file)
        done = made.quant("import-prices", str(file), "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{bars.height - 100:,} new" in done.stdout
        done = made.quant("run")
    assert done.returncode == 0, done.stdout
    assert made.read("SELECT count(*) FROM market_data.daily_prices") == [(bars.height,)]
    assert made.read("SELECT count(*) FROM features.feature_store_v1") == [(bars.height,)]
    assert made.read("SELECT count(*) FROM market_data.price_revisions") == [(0,)]


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("2013-02-28,1,2,1,1,1,000", "line 3"),
        ('2013-02-28,"1,000.5",2000,1,1500,10', "line 3"),
        ("2030-01-02,1,2,1,1,10", "line 3"),
        ("2013-02-27,1,2,1,1,10", "line 3"),
        ("2013-03-02,1,2,1,1,10", "line 3"),
        ("2013-02-28,1,1,2,1,10", "line 3"),
    ],
    ids=["thousands in the volume", "thousands in a price", "future", "duplicate", "no session", "high below low"],
)
def test_bad_line_rejects_the_whole_file(copied, line, named):
    """One bad line is named and nothing of the file is stored; exit code 2."""
    before = copied.read("SELECT count(*) FROM market_data.daily_prices")
    file = copied.universe.parent / "IBM.csv"
    file.write_text(f"{HEADER}\n2013-02-27,1,2,1,1,10\n{line}\n", encoding="utf-8")
    done = copied.quant("import-prices", str(file), "--symbol", "IBM", "--yes")
    assert done.returncode == 2, done.stdout + done.stderr
    assert named in done.stdout + done.stderr
    assert copied.read("SELECT count(*) FROM market_data.daily_prices") == before


def test_wrong_columns_are_one_sentence(copied):
    """A file without price columns is refused with what is missing."""
    file = copied.universe.parent / "IBM.csv"
    file.write_text("when,price\n2013-02-27,1\n", encoding="utf-8")
    done = copied.quant("import-prices", str(file), "--yes")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
