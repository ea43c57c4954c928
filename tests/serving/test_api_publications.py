"""A new publication while requests go on: picked up, none fails, the former file is let go."""

from __future__ import annotations

import datetime as dt
import shutil
import threading
import time
from pathlib import Path

import httpx
import polars as pl
import pytest

from quant_assets.foundation.home import Home
from quant_assets.serving.api.publications import Publications
from quant_assets.serving.api.snapshot import open_snapshot
from tests.serving.conftest import UNLIMITED
from tests.support.api_server import api_server
from tests.support.publication import PUBLISHED_AT, example_tables, publish_tables

PATHS = (
    "/api/v1/features/v1/IBM",
    "/api/v1/signals",
    "/api/v1/market-data/prices/AAPL?limit=300",
    "/api/v1/data-quality/events",
    "/",
)


def published_again(folder: Path, number: int) -> None:
    """Publish changed data as a later run would."""
    frames = example_tables()
    signals = frames["signals.signals"].with_columns(probability=pl.lit(number / 100))
    publish_tables(folder, {"signals.signals": signals}, at=PUBLISHED_AT + dt.timedelta(hours=number))


def open_files(folder: Path) -> set[str]:
    """Publications that this process holds open."""
    links = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            links.append(str(link.readlink()))
        except OSError:  # closed meanwhile
            continue
    return {Path(link).name.removesuffix(" (deleted)") for link in links if link.startswith(str(folder / "published"))}


@pytest.fixture
def home(published, tmp_path):
    """A copy of the published home that a test may publish to."""
    return Path(shutil.copytree(published, tmp_path / "home", symlinks=True))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs the open files of this process")
def test_publications_under_load_fail_no_request(home):
    """While requests go on, three publications come and go: every answer is 200 and whole, and old files are closed."""
    stop, outcomes, seen = threading.Event(), [], set()

    def ask(url: str, path: str) -> None:
        with httpx.Client(base_url=url, timeout=30) as client:
            while not stop.is_set():
                response = client.get(path)
                outcomes.append(response.status_code)
                if path == "/api/v1/signals":
                    body = response.json()
                    # A whole answer is of one publication: its instant and its figures belong together.
                    seen.add((body["published_at"], body["data"][0]["probability"]))

    with api_server(home, UNLIMITED) as url:
        askers = [threading.Thread(target=ask, args=(url, path)) for path in PATHS]
        for asker in askers:
            asker.start()
        for number in range(1, 4):
            published_again(home, number)
            wanted = (PUBLISHED_AT + dt.timedelta(hours=number)).strftime("%Y-%m-%dT%H:%M:%SZ")
            deadline = time.monotonic() + 20
            while httpx.get(f"{url}/api/v1/health").json()["published_at"] != wanted:
                assert time.monotonic() < deadline, "the publication was not picked up"
        stop.set()
        for asker in askers:
            asker.join()
        newest = Home(home).readers_database.resolve().name
        assert open_files(home) == {newest}
    assert set(outcomes) == {200}
    assert len(outcomes) > 100
    pairs = {at: probability for at, probability in seen if at != "2026-11-21T11:00:00Z"}
    assert {int(at[11:13]) - 11: probability for at, probability in pairs.items()} == {
        number: number / 100 for number in range(1, 1 + len(pairs))
    }
    assert len({at for at, _ in seen}) == len(seen)


def test_answers_of_the_former_publication_are_forgotten(home):
    """After a new publication the same request has a new tag and new figures, and the old tag is no 304 any more."""
    with api_server(home, UNLIMITED) as url, httpx.Client(base_url=url) as client:
        before = client.get("/api/v1/signals")
        published_again(home, 7)
        deadline = time.monotonic() + 20
        while client.get("/api/v1/signals").headers["etag"] == before.headers["etag"]:
            assert time.monotonic() < deadline, "the publication was not picked up"
            time.sleep(0.05)
        after = client.get("/api/v1/signals", headers={"If-None-Match": before.headers["etag"]})
        assert after.status_code == 200
        assert after.json()["data"][0]["probability"] == 0.07


def test_damaged_publication_is_not_taken(home):
    """Where the newest file cannot be read the former one is served, and health says so."""
    with api_server(home, UNLIMITED) as url:
        bad = home / "published" / "quant-20991231T000000000000.duckdb"
        bad.write_bytes(b"no database " * 1000)
        link = home / ".next"
        link.symlink_to(bad.relative_to(home))
        link.replace(Home(home).readers_database)
        deadline = time.monotonic() + 20
        while httpx.get(f"{url}/api/v1/health").json()["status"] == "ok":
            assert time.monotonic() < deadline, "the damage was not noticed"
            time.sleep(0.05)
        health = httpx.get(f"{url}/api/v1/health")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        assert "quant-20991231" in health.json()["failure"]
        assert "quant-20991231" in httpx.get(url).text
        assert httpx.get(f"{url}/api/v1/signals").status_code == 200


def test_page_says_at_once_that_a_newer_publication_cannot_be_read(home):
    """The page that was ready is not sent while a failure lasts, not as a 304 either, and comes back after it."""
    with api_server(home, UNLIMITED) as url, httpx.Client(base_url=url) as client:
        before = client.get("/")
        good = Home(home).readers_database.resolve()
        bad = home / "published" / "quant-20991231T000000000000.duckdb"
        bad.write_bytes(b"no database " * 1000)
        for target, status in ((bad, "degraded"), (good, "ok")):
            link = home / ".next"
            link.symlink_to(target.relative_to(home))
            link.replace(Home(home).readers_database)
            deadline = time.monotonic() + 20
            while client.get("/api/v1/health").json()["status"] != status:
                assert time.monotonic() < deadline, "the change was not noticed"
                time.sleep(0.05)
            page = client.get("/", headers={"If-None-Match": before.headers["etag"]})
            if status == "degraded":
                assert page.status_code == 200
                assert "A newer publication is not shown" in page.text
                assert "etag" not in page.headers
            else:
                assert page.status_code == 304
        assert client.get("/").text == before.text


def test_snapshot_stays_open_until_its_last_request_ends(home):
    """A retired snapshot can be read by the request that has it, and closes when that ends."""
    publications = Publications(Home(home))
    first = publications.newer()
    assert first is not None
    publications.take(first)
    assert publications.newer() is None
    with first.reading() as reading:
        published_again(home, 1)
        second = publications.newer()
        publications.take(second)
        for path in (home / "published").glob("quant-*.duckdb"):
            if path == first.path:
                path.unlink()
        assert reading.frame("SELECT count(*) AS n FROM signals.signals")["n"].to_list() == [160]
        assert not first.is_closed
    assert first.is_closed
    assert not second.is_closed
    publications.close()
    assert second.is_closed


def test_file_without_a_publication_is_refused(tmp_path):
    """A DuckDB file that no run published is told apart from a damaged one only in words; neither is served."""
    import duckdb

    path = tmp_path / "other.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS n")
    home = Home(tmp_path)
    home.readers_database.symlink_to(path)
    publications = Publications(home)
    assert publications.newer() is None
    assert "cannot be read" in str(publications.failure)
    with pytest.raises(duckdb.Error):
        open_snapshot(path)
