"""What each route answers, against the tables that were published."""

from __future__ import annotations

import datetime as dt
import html
import re

import httpx
import jsonschema_rs
import polars as pl
import pytest
from fastapi import FastAPI
from polars.testing import assert_frame_equal

from quant_assets.foundation.home import Home
from quant_assets.serving.api.application import create_application
from quant_assets.serving.api.options import ApiOptions
from tests.support.publication import AS_OF, NAMES, PUBLISHED_AT, SESSIONS, example_tables, sessions

EVERY_ROUTE = {
    "/api/v1/health": "/api/v1/health",
    "/api/v1/signals": "/api/v1/signals",
    "/api/v1/signals/{symbol}": "/api/v1/signals/IBM",
    "/api/v1/market-data/regime": "/api/v1/market-data/regime",
    "/api/v1/market-data/regime/history/{symbol}": "/api/v1/market-data/regime/history/IBM",
    "/api/v1/market-data/prices/{symbol}": "/api/v1/market-data/prices/IBM",
    "/api/v1/features/metadata": "/api/v1/features/metadata",
    "/api/v1/features/{version}/{symbol}": "/api/v1/features/v1/IBM",
    "/api/v1/portfolio/forecast/{days}": "/api/v1/portfolio/forecast/20",
    "/api/v1/ml/models": "/api/v1/ml/models",
    "/api/v1/ml/models/{version}": "/api/v1/ml/models/jump-3",
    "/api/v1/ml/models/compare/{metric}": "/api/v1/ml/models/compare/auc",
    "/api/v1/ml/experiments": "/api/v1/ml/experiments",
    "/api/v1/data-quality/summary": "/api/v1/data-quality/summary",
    "/api/v1/data-quality/events": "/api/v1/data-quality/events",
    "/api/v1/backtests": "/api/v1/backtests",
    "/api/v1/backtests/{backtest_id}": "/api/v1/backtests/3f2a91",
}
"""The promised routes, each with a request that finds something."""


@pytest.fixture(scope="module")
def tables():
    return example_tables()


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Response model of each route."""
    front = create_application(Home(tmp_path_factory.mktemp("none")), ApiOptions())
    application = front._application
    assert isinstance(application, FastAPI)
    found = {}
    for path, operations in application.openapi()["paths"].items():
        reference = operations["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
        found[path] = reference.rsplit("/", 1)[1]
    return found, application.openapi()["components"]["schemas"]


def get(api: httpx.Client, path: str, **parameters: object) -> dict:
    response = api.get(path, params=parameters or None)
    assert response.status_code == 200, response.text
    return response.json()


def problem(api: httpx.Client, path: str, **parameters: object) -> dict:
    response = api.get(path, params=parameters or None)
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == response.status_code
    return body


def test_routes_are_the_promised_ones(models):
    """The OpenAPI document lists exactly the promised routes."""
    assert set(models[0]) == set(EVERY_ROUTE)


def test_every_route_is_described_with_an_example_that_fits(models):
    """Each answer's schema has an example that its own JSON schema accepts, each operation a description."""
    names, schemas = models
    for name in names.values():
        (example,) = schemas[name]["examples"]
        document = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
        jsonschema_rs.Draft202012Validator(document).validate(example)


@pytest.mark.parametrize("route", EVERY_ROUTE)
def test_answer_carries_freshness_and_disclaimer_and_fits_its_schema(api, models, route):
    """Every answer has as_of, published_at, source and disclaimer, and meets its documented schema."""
    body = get(api, EVERY_ROUTE[route])
    assert body["as_of"] == AS_OF.isoformat()
    assert dt.datetime.fromisoformat(body["published_at"]) == PUBLISHED_AT
    assert body["source"] == "replay-packaged"
    assert "public-domain" in body["disclaimer"]
    assert "not investment advice" in body["disclaimer"]
    names, schemas = models
    document = {"$ref": f"#/components/schemas/{names[route]}", "components": {"schemas": schemas}}
    jsonschema_rs.Draft202012Validator(document).validate(body)


@pytest.mark.parametrize(
    ("path", "table"),
    [
        ("/api/v1/market-data/prices/{}", "market_data.adjusted_prices"),
        ("/api/v1/features/v1/{}", "features.feature_store_v1"),
    ],
)
@pytest.mark.parametrize("symbol", NAMES)
def test_walking_the_pages_of_a_series_yields_every_row_once(api, tables, path, table, symbol):
    """The pages from newest to oldest, put together, are the published rows of the symbol to the last digit."""
    pages, link = [], path.format(symbol) + "?limit=170"
    while link:
        body = get(api, link)
        pages.insert(0, pl.DataFrame(body["data"], infer_schema_length=None))
        link = body["page"]["next"]
    walked = pl.concat(pages, how="vertical_relaxed")
    expected = tables[table].filter(pl.col("symbol") == symbol).drop("symbol").sort("date")
    assert_frame_equal(
        walked.with_columns(pl.col("date").str.to_date()), expected.select(walked.columns), check_dtypes=False
    )
    assert walked.height == SESSIONS
    assert len(pages) == 3


def test_records_and_columns_hold_the_same(api):
    """Both layouts of a series give the same frame, and null stays null."""
    path = "/api/v1/features/v1/AAPL"
    columns = pl.DataFrame(get(api, path, limit=SESSIONS)["data"])
    records = pl.DataFrame(get(api, path, limit=SESSIONS, layout="records")["data"], infer_schema_length=None)
    assert_frame_equal(columns, records.select(columns.columns), check_dtypes=False)
    assert columns["rsi_14"].null_count() == 1


def test_date_range_includes_both_ends(api):
    """Both ends of a range are included, whatever the page."""
    days = sessions()
    body = get(api, "/api/v1/market-data/prices/IBM", **{"from": days[3].isoformat(), "to": days[9].isoformat()})
    assert body["data"]["date"] == [day.isoformat() for day in days[3:10]]
    assert body["page"] == {"limit": 250, "offset": 0, "count": 7, "next": None}


def test_range_without_rows_says_so(api):
    """A known symbol without rows in the range answers 200 with empty columns and a note."""
    body = get(api, "/api/v1/market-data/prices/IBM", **{"from": "1999-01-01", "to": "1999-02-01"})
    assert body["data"] == {"date": [], "open": [], "high": [], "low": [], "close": [], "volume": []}
    assert body["note"] == "Nothing is published of IBM in this range."


def test_prices_come_adjusted_or_as_traded(api, tables):
    """The default is adjusted; adjustment=none gives the stored bars with the vendor's own columns."""
    adjusted = get(api, "/api/v1/market-data/prices/IBM", limit=1)["data"]
    raw = get(api, "/api/v1/market-data/prices/IBM", limit=1, adjustment="none")["data"]
    for name, shown in (("market_data.adjusted_prices", adjusted), ("market_data.daily_prices", raw)):
        newest = tables[name].filter(pl.col("symbol") == "IBM", pl.col("date") == AS_OF)
        assert shown["close"] == newest["close"].to_list()
    assert "split_coefficient" in raw
    assert "split_coefficient" not in adjusted


@pytest.mark.parametrize("text", ["ibm", "Ibm", "IBM"])
def test_symbols_are_understood_in_lower_case(api, text):
    """Lower case finds the symbol, and the answer writes it as the universe does."""
    assert get(api, f"/api/v1/signals/{text}")["symbol"] == "IBM"
    assert get(api, "/api/v1/data-quality/events", symbol=text)["data"][0]["symbol"] == "IBM"


@pytest.mark.parametrize(("asked", "meant"), [("IBMM", "IBM"), ("apple", "AAPL"), ("MSF", "MSFT"), ("spx", "^SPX")])
def test_unknown_symbol_names_what_may_be_meant(api, asked, meant):
    """An unknown symbol is a 404 with near matches by spelling, by beginning, and by name."""
    for path in ("signals", "market-data/prices", "market-data/regime/history", "features/v1"):
        body = problem(api, f"/api/v1/{path}/{asked}")
        assert body["status"] == 404
        assert meant in body["near"]
        assert meant in body["detail"]


def test_signals_are_those_of_the_newest_session_by_edge(api, tables):
    """Without a date the newest session's signals of model direction come, the strongest edge first."""
    body = get(api, "/api/v1/signals")
    expected = tables["signals.signals"].filter(pl.col("date") == AS_OF, pl.col("model") == "direction")
    edges = [row["probability"] - row["base_rate"] for row in body["data"]]
    assert len(body["data"]) == expected.height == len(NAMES)
    assert edges == sorted(edges, reverse=True)
    assert {row["model"] for row in body["data"]} == {"direction"}


def test_signals_of_another_day_and_view(api):
    """A date, a model and a recommendation narrow the list; nothing left is an empty list with a note."""
    day = sessions()[-5].isoformat()
    body = get(api, "/api/v1/signals", date=day, model="jump", recommendation="hold")
    assert [(row["symbol"], row["date"]) for row in body["data"]] == [("AAPL", day)]
    empty = get(api, "/api/v1/signals", date="1999-01-04")
    assert empty["data"] == []
    assert "1999-01-04" in empty["note"]


def test_a_symbols_newest_signal_has_its_reasons(api):
    """The first page explains the newest signal, the largest contribution first; a later page does not."""
    body = get(api, "/api/v1/signals/IBM")
    assert [reason["feature"] for reason in body["reasons"]] == ["macd", "rsi_14"]
    assert get(api, "/api/v1/signals/IBM", offset=1)["reasons"] == []


def test_unknown_model_is_named(api):
    """A model that gives no signals is a 404 that lists those that do."""
    assert problem(api, "/api/v1/signals", model="jumps")["near"] == ["jump"]
    assert problem(api, "/api/v1/portfolio/forecast/5", model="random_wolk")["near"] == ["random_walk"]


def test_regime_now_and_since_when(api):
    """The market's regime comes with the first session of its spell and the confirmed changes."""
    body = get(api, "/api/v1/market-data/regime")
    assert body["regime"]["regime"] == "bullish"
    assert body["since"] == sessions()[-30].isoformat()
    assert body["changes"][0]["after"] == "bullish"


def test_regime_history_of_the_market(api):
    """'market' stands for the market itself."""
    body = get(api, "/api/v1/market-data/regime/history/market", limit=1_000)
    assert body["symbol"] == "market"
    assert len(body["data"]["date"]) == 60


def test_chosen_features_come_in_the_asked_order(api):
    """columns= gives the date and the named features; an unknown name is a 422 with near matches."""
    body = get(api, "/api/v1/features/latest/IBM", columns="rsi_14, close", limit=2)
    assert list(body["data"]) == ["date", "rsi_14", "close"]
    assert problem(api, "/api/v1/features/v1/IBM", columns="rsi14")["near"] == ["rsi_14"]
    assert problem(api, "/api/v1/features/v9/IBM")["near"] == ["v1"]


def test_forecast_is_cut_at_the_day_asked_for(api, tables):
    """The fan reaches up to the day, the target is its last day, and the served model is the default."""
    body = get(api, "/api/v1/portfolio/forecast/7", model="random_walk")
    rows = tables["forecasts.portfolio_forecasts"].filter(pl.col("model") == "random_walk", pl.col("horizon_days") <= 7)
    assert [day["p05"] for day in body["fan"]] == rows["p05"].to_list()
    assert body["target"] == body["fan"][-1]
    assert body["target"]["horizon_days"] == 7
    assert body["models"] == ["filtered_simulation", "random_walk"]


def test_forecast_beyond_the_published_horizon_is_refused(api):
    """More days than were forecast is a 404 naming the longest; no day and a year are 422."""
    assert "60 sessions" in problem(api, "/api/v1/portfolio/forecast/61")["detail"]
    for days in ("0", "-1", "367", "ten", "1e9"):
        assert problem(api, f"/api/v1/portfolio/forecast/{days}")["status"] == 422


def test_forecast_is_a_chart_where_svg_is_preferred(api):
    """Accept: image/svg+xml gives an SVG drawn from the published numbers; a browser's image request does too."""
    path = "/api/v1/portfolio/forecast/20"
    for accept in ("image/svg+xml", "image/avif,image/webp,image/svg+xml,image/*,*/*;q=0.8"):
        response = api.get(path, headers={"Accept": accept})
        assert response.headers["content-type"].startswith("image/svg+xml")
        assert response.headers["vary"] == "accept"
        assert response.text.startswith("<svg")
        assert "filtered simulation" in response.text
        assert "http" not in response.text.replace("http://www.w3.org", "")
    assert api.get(path, headers={"Accept": "*/*"}).headers["content-type"] == "application/json"


def test_chart_carries_the_disclaimer(api):
    """A chart that is passed on without the page around it says the same as every other answer."""
    path = "/api/v1/portfolio/forecast/20"
    chart = api.get(path, headers={"Accept": "image/svg+xml"}).text
    lines = [html.unescape(line) for line in re.findall(r"<text[^>]*>([^<]*)</text>", chart)]
    lines += [html.unescape(line) for line in re.findall(r"<tspan[^>]*>([^<]*)</tspan>", chart)]
    assert get(api, path)["disclaimer"] in " ".join(lines)


def test_models_are_signal_and_regime_models_newest_first(api):
    """The list holds every version once; model= and alias= narrow it."""
    everything = get(api, "/api/v1/ml/models")["data"]
    assert [row["model_version"] for row in everything] == ["jump-3", "jump-2", "direction-1", "market-1"]
    assert everything[0]["parameters"] == {"leaves": 15}
    champions = get(api, "/api/v1/ml/models", alias="champion", model="jump")["data"]
    assert [row["model_version"] for row in champions] == ["jump-2"]


def test_model_version_has_its_measures(api):
    """A version comes with each measure beside its baseline; an unknown one with near matches."""
    body = get(api, "/api/v1/ml/models/direction-1")
    assert body["model"]["trained_to"] == "2013-02-22"
    assert {(m["metric"], m["slice"], m["value"], m["baseline"]) for m in body["metrics"]} == {
        ("auc", "all", 0.55, 0.5),
        ("brier", "2012", 0.2, None),
    }
    assert problem(api, "/api/v1/ml/models/direction-9")["near"][0] == "direction-1"


def test_metric_is_compared_over_versions(api):
    """One row per version that has the metric; slice= narrows; an unknown metric is a 404 with near matches."""
    body = get(api, "/api/v1/ml/models/compare/auc")
    assert [row["model_version"] for row in body["data"]] == ["jump-3", "jump-2", "direction-1"]
    assert get(api, "/api/v1/ml/models/compare/brier", slice="all")["data"] == []
    assert problem(api, "/api/v1/ml/models/compare/acu")["near"] == ["auc"]


def test_experiments_are_training_runs_with_measures(api):
    """Each registered version is a run with parameters and its measures over everything."""
    runs = get(api, "/api/v1/ml/experiments", model="direction")["data"]
    assert [(run["model_version"], run["metrics"]) for run in runs] == [("direction-1", {"auc": 0.55})]


def test_events_are_narrowed_by_every_parameter(api):
    """Severity, status, kind, symbol and dates each narrow the list; the newest comes first."""
    everything = get(api, "/api/v1/data-quality/events")["data"]
    assert [event["event_id"] for event in everything] == ["event-2", "event-1", "event-0"]
    high = get(api, "/api/v1/data-quality/events", severity="HIGH", status="open", kind="spike", symbol="IBM")
    assert [event["event_id"] for event in high["data"]] == ["event-2"]
    early = get(api, "/api/v1/data-quality/events", to=sessions()[-3].isoformat())
    assert [event["event_id"] for event in early["data"]] == ["event-0"]


def test_backtest_has_its_curve_and_a_page_of_trades(api):
    """A run comes whole, its trades by pages; an unknown identifier offers those that begin alike."""
    assert [row["backtest_id"] for row in get(api, "/api/v1/backtests", strategy="sma_crossover")["data"]] == ["3f2a91"]
    body = get(api, "/api/v1/backtests/3f2a91", limit=2)
    assert body["backtest"]["parameters"] == {"fast": 20}
    assert body["equity"]["equity"] == [100.0 + i for i in range(50)]
    assert [trade["trade_id"] for trade in body["trades"]] == [0, 1]
    assert [trade["trade_id"] for trade in get(api, body["page"]["next"])["trades"]] == [2]
    assert problem(api, "/api/v1/backtests/3f")["near"] == ["3f2a91"]


def test_landing_page_shows_the_signals_of_each_model(api):
    """The page has a table per model, each row leading to that model's signals of the symbol."""
    page = api.get("/").text
    for model in ("direction", "jump"):
        assert f"<h3>{model} " in page
        assert f'href="/api/v1/signals/%5ESPX?model={model}"' in page
    assert "filtered simulation" in page
