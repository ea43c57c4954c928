from __future__ import annotations

import httpx
import pytest

from quant_assets.serving.api.options import ApiOptions
from tests.support.api_server import api_server
from tests.support.publication import example_tables, publish_tables

UNLIMITED = ApiOptions(requests_per_second=0)


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """A home with one publication that holds every table; do not publish to it."""
    folder = tmp_path_factory.mktemp("published") / "home"
    publish_tables(folder, example_tables())
    return folder


@pytest.fixture(scope="session")
def server(published):
    """URL of a server over that home."""
    with api_server(published, UNLIMITED) as url:
        yield url


@pytest.fixture(scope="session")
def api(server):
    """A client of that server."""
    with httpx.Client(base_url=server, timeout=30) as client:
        yield client
