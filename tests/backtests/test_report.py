"""The report is one file that needs no network, says what happened first, and draws."""

import json
import re

import numpy as np
import pytest
import vl_convert

from quant_assets.backtests.backtest import backtest
from quant_assets.backtests.costs import Costs
from quant_assets.backtests.evaluation import Bench
from quant_assets.backtests.market import lay_out
from quant_assets.backtests.report import report_html
from quant_assets.backtests.report.charts import rolling_sharpe
from quant_assets.backtests.rules import Rules
from quant_assets.foundation.performance import sharpe_ratio
from quant_assets.strategies import Indicators, Knowledge, build_strategy
from tests.support.price_panels import make_panel


def run(name, parameters=None, *, symbols=5, probability=False):
    """One backtest on a made-up market, with regimes and something that stands for the market."""
    panel = make_panel(300, symbols, seed=2, gaps=0.02)
    rng = np.random.default_rng(0)
    known = Knowledge(
        panel,
        Indicators(panel),
        rng.random(panel.shape) if probability else None,
        rng.choice(["bullish", "sideways"], 300),
    )
    bench = Bench(known, lay_out(panel, Rules()), Rules(), Costs(), 0, 299, rng.normal(0, 0.01, 299))
    return backtest(build_strategy(name, parameters), bench)


def specs_of(page):
    """The chart specifications inside a page."""
    found = re.search(r"const specs=(\{.*\});for\(const id", page, re.DOTALL)
    return json.loads(found.group(1))


@pytest.fixture(scope="module")
def page():
    """The report of a crossover that also sells short."""
    return report_html(run("sma_crossover", {"fast": 3, "slow": 10, "side": "both"}), market="M")


def test_the_page_loads_nothing_from_elsewhere(page):
    """No element of the page refers to another file or host."""
    markup = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"(src|href)\s*=\s*['\"](?!data:)", markup)
    assert "url(" not in markup
    assert page.count("<script>") == 2
    assert all("url" not in data for spec in specs_of(page).values() for data in [spec.get("data", {})])


def test_every_chart_draws(page):
    """The specifications are valid: the library turns each into a picture with its title texts."""
    specs = specs_of(page)
    drawn = {name: vl_convert.vegalite_to_svg(spec) for name, spec in specs.items()}
    for text in ("Equity", "Drawdown", "Exposure", "market (M)", "net"):
        assert text in drawn["account"]
    for text in ("as traded", "buy back", "sell short"):
        assert text in drawn["prices"]


def test_the_page_holds_every_section_and_figure(page):
    """Months, years, regimes, assumptions and events are there, and the symbols that were not drawn are named."""
    for text in (
        "Returns by month", "By year", "By regime", "bullish", "What was assumed", "halt_limit", "Events",
        "Not drawn: S", "P(true Sharpe &gt; 0)",
    ):  # fmt: skip
        assert text in page


def test_figures_on_the_page_are_those_of_the_run():
    """The headline number is the run's, and the monthly table compounds to it."""
    result = run("buy_and_hold", symbols=1)
    text = report_html(result)
    assert f"<b>{result.measures.total_return:+.1%}</b>" in text
    table = text.split("Returns by month")[1].split("</table>")[0]
    rows = [re.findall(r">([+-][\d.]+)%</td>", row) for row in table.split("</tr>")[1:-1]]
    years = [float(cells[-1]) / 100 for cells in rows]
    assert np.prod([1 + value for value in years]) - 1 == pytest.approx(result.measures.total_return, abs=0.002)


def test_a_run_without_trades_says_so_on_its_first_line():
    """The reason comes before everything else, and the page still draws."""
    page = report_html(run("ml_signal"))
    assert page.split("<main>")[1].startswith("<p class='note'>No trades: no walk-forward predictions")
    assert list(specs_of(page)) == ["account"]


def test_ml_signal_is_shown_beside_its_twin():
    """Both Sharpe ratios and the interval of their difference are on the page."""
    result = run("ml_signal", {"lookback": 40}, probability=True)
    page = report_html(result)
    assert "Against the rule twin" in page
    assert f"{result.twin.difference.low:+.2f} to {result.twin.difference.high:+.2f}" in page


def test_names_are_escaped():
    """Text from the data cannot become markup."""
    panel = make_panel(60, 1)
    object.__setattr__(panel, "symbols", ("<b>&",))
    bench = Bench(Knowledge(panel, Indicators(panel)), lay_out(panel, Rules()), Rules(), Costs(), 0, 59)
    page = report_html(backtest(build_strategy("buy_and_hold"), bench))
    assert "&lt;b&gt;&amp;" in page
    assert "on <b>&" not in page


def test_rolling_sharpe_is_that_of_each_window():
    """Each value is the Sharpe ratio of its own window; an idle window has none."""
    returns = np.random.default_rng(0).normal(0, 0.01, 60)
    returns[40:] = 0.0
    found = rolling_sharpe(returns, 15)
    assert np.isnan(found[:14]).all()
    assert found[30] == pytest.approx(sharpe_ratio(returns[16:31], risk_free_rate=0.0))
    assert np.isnan(found[58])


ALIKE = [("sma_crossover", {"fast": 3, "slow": 10}, "A"), ("ema_macd", None, "<strategy>")]
"""Two pages of one layout; the second one's market is called like a placeholder."""


def test_each_page_says_its_own_names_whatever_was_made_before_it():
    """Pages share the layout of their charts, and neither names nor data, in any order."""
    pages = [report_html(run(name, parameters), market=market) for name, parameters, market in ALIKE]
    again = [report_html(run(name, parameters), market=market) for name, parameters, market in reversed(ALIKE)]
    assert pages == again[::-1]
    named = [specs_of(page)["account"]["vconcat"][0]["encoding"]["color"]["scale"]["domain"] for page in pages]
    assert named == [["sma_crossover", "market (A)"], ["ema_macd", "market (<strategy>)"]]
    for page in pages:
        assert {row["series"] for row in specs_of(page)["account"]["datasets"]["equity"]} in map(set, named)
        assert "S1, as traded" in page
