"""What the API answers where something has not been published, and how it finds out that it has."""

from __future__ import annotations

import time

import duckdb
import httpx
import pytest

from quant_assets.foundation.home import Home
from tests.serving.conftest import UNLIMITED
from tests.serving.test_api_routes import EVERY_ROUTE
from tests.support.api_server import api_server
from tests.support.publication import example_tables, publish_tables

LISTS = {
    "/api/v1/signals",
    "/api/v1/features/metadata",
    "/api/v1/ml/models",
    "/api/v1/ml/experiments",
    "/api/v1/data-quality/summary",
    "/api/v1/data-quality/events",
    "/api/v1/backtests",
}
ITEMS = set(EVERY_ROUTE) - LISTS - {"/api/v1/health"}


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A server over a publication whose tables are all empty."""
    folder = tmp_path_factory.mktemp("bare") / "home"
    publish_tables(folder, {})
    with api_server(folder, UNLIMITED) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


@pytest.mark.parametrize("route", sorted(LISTS))
def test_list_of_nothing_is_empty_and_says_why(bare, route):
    """A list whose table is empty answers 200 with no rows and a note that names the table."""
    response = bare.get(EVERY_ROUTE[route])
    assert response.status_code == 200
    body = response.json()
    assert body["data"] == []
    assert "published yet" in body["note"]
    assert body["page"]["next"] is None


@pytest.mark.parametrize("route", sorted(ITEMS))
def test_thing_that_is_not_published_is_404_in_plain_words(bare, route):
    """A single thing whose table is empty answers 404 and says that it has not been published yet."""
    response = bare.get(EVERY_ROUTE[route])
    assert response.status_code == 404
    assert "published yet" in response.json()["detail"]


def test_landing_page_of_an_empty_publication(bare):
    """The landing page says of each part that it has not been published yet."""
    page = bare.get("/").text
    assert page.count("published yet") == 4


def test_missing_table_is_told_from_an_empty_one(tmp_path):
    """A publication from before a table existed is answered the same way, naming the table as missing."""
    home = Home(tmp_path / "home")
    publish_tables(home.path, {})
    target = home.readers_database.resolve()
    target.chmod(0o644)
    with duckdb.connect(str(target)) as connection:
        connection.execute("DROP TABLE forecasts.portfolio_forecasts")
        connection.execute("ALTER TABLE quality.daily_summary DROP COLUMN quarantined")
        connection.execute("INSERT INTO quality.daily_summary VALUES (DATE '2013-03-01', 1, 0, 0, 0)")
    with api_server(home.path, UNLIMITED) as url:
        missing = httpx.get(f"{url}/api/v1/portfolio/forecast/5")
        older = httpx.get(f"{url}/api/v1/data-quality/summary")
    assert missing.status_code == 404
    assert "forecasts.portfolio_forecasts is missing" in missing.json()["detail"]
    assert older.status_code == 503
    assert "without the column quarantined" in older.json()["detail"]


def test_before_the_first_publication_everything_is_503_and_then_served(tmp_path):
    """With no publication routes answer 503 with Retry-After; the first one is served without a restart."""
    home = tmp_path / "home"
    with api_server(home, UNLIMITED) as url:
        health = httpx.get(f"{url}/api/v1/health")
        assert (health.status_code, health.json()["status"]) == (503, "empty")
        early = httpx.get(f"{url}/api/v1/signals")
        assert early.status_code == 503
        assert "run 'make run'" in early.json()["detail"]
        assert early.headers["retry-after"] == "60"
        landing = httpx.get(url)
        assert landing.status_code == 200
        assert "Nothing is published yet" in landing.text
        publish_tables(home, example_tables())
        deadline = time.monotonic() + 20
        while httpx.get(f"{url}/api/v1/health").status_code != 200:
            assert time.monotonic() < deadline, "the publication was not picked up"
            time.sleep(0.05)
        assert httpx.get(f"{url}/api/v1/signals").status_code == 200
