"""HTTP: entity tags, methods, limits, tokens, problem details, the access log."""

from __future__ import annotations

import io
import itertools
import json
import re
import socket
from urllib.parse import urlsplit

import httpx
import pytest

from quant_assets.serving.api.access_log import write_line
from quant_assets.serving.api.options import ApiOptions
from tests.serving.test_api_routes import EVERY_ROUTE
from tests.support.api_server import api_server

PRICES = "/api/v1/market-data/prices/IBM"
TOKEN = "a-token-of-the-tests"


@pytest.mark.parametrize("path", [*EVERY_ROUTE.values(), "/"])
def test_unchanged_answer_is_304(api, path):
    """Each published answer has an entity tag; sent back, it gives 304 without a body. Health is never kept."""
    first = api.get(path)
    if path.endswith("/health"):
        assert "etag" not in first.headers
        return
    assert first.headers["cache-control"] == "public, no-cache"
    assert "last-modified" in first.headers
    for condition in (first.headers["etag"], f'"other", W/{first.headers["etag"]}', "*"):
        again = api.get(path, headers={"If-None-Match": condition})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    assert api.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_ready_answer_is_the_same_as_the_first(api):
    """The second answer, sent from memory, equals the first in every byte and header but the date."""
    path = "/api/v1/features/v1/MSFT?limit=77"
    first, second = api.get(path), api.get(path)
    assert first.content == second.content
    assert {k: v for k, v in first.headers.items() if k != "date"} == {
        k: v for k, v in second.headers.items() if k != "date"
    }


def test_chart_and_numbers_have_tags_of_their_own(api):
    """The two forms of a forecast do not share an entity tag."""
    path = "/api/v1/portfolio/forecast/3"
    numbers = api.get(path)
    chart = api.get(path, headers={"Accept": "image/svg+xml"})
    assert numbers.headers["etag"] != chart.headers["etag"]


def test_head_is_get_without_a_body(api):
    """HEAD has the headers of GET."""
    head, get = api.head(PRICES), api.get(PRICES)
    assert head.content == b""
    assert head.headers["content-length"] == get.headers["content-length"]
    assert head.headers["etag"] == get.headers["etag"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/api/v1/signals", "/api/v1/ml/models/jump-3", "/api/v1/backtests/3f2a91"])
def test_nothing_can_be_written(api, method, path):
    """Every other method is refused with 405."""
    response = api.request(method, path)
    assert response.status_code == 405
    assert "GET" in response.headers["allow"]
    assert response.headers["content-type"] == "application/problem+json"


def test_other_sites_are_not_allowed_in(api):
    """No CORS header is sent, whatever the origin."""
    response = api.get(PRICES, headers={"Origin": "https://example.org"})
    assert not [name for name in response.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        (f"{PRICES}?limit=0", "limit"),
        (f"{PRICES}?limit=5001", "limit"),
        (f"{PRICES}?limit=many", "limit"),
        (f"{PRICES}?offset=-1", "offset"),
        (f"{PRICES}?offset=99999999999999999999", "offset"),
        (f"{PRICES}?from=2013-02-30", "from"),
        (f"{PRICES}?from=20130301", "from"),
        (f"{PRICES}?to=0", "to"),
        (f"{PRICES}?from=2013-03-01&to=2013-02-01", "from"),
        (f"{PRICES}?layout=rows", "layout"),
        ("/api/v1/signals?recommendation=moon", "recommendation"),
        ("/api/v1/signals?model=Direction", "model"),
        ("/api/v1/data-quality/events?severity=high", "severity"),
        ("/api/v1/backtests?sort=sharpe;drop", "sort"),
    ],
)
def test_bad_parameter_is_422_and_named(api, path, parameter):
    """A value that a parameter cannot take is a 422 naming the parameter."""
    response = api.get(path)
    assert response.status_code == 422
    assert [error["parameter"] for error in response.json()["errors"]] == [parameter]


def test_unknown_parameter_is_refused_with_what_may_be_meant(api):
    """A misspelt parameter is not ignored."""
    body = api.get(f"{PRICES}?limt=3").json()
    assert body["status"] == 422
    assert "limit" in body["near"]


@pytest.mark.parametrize(
    "symbol",
    [
        "IBM' OR '1'='1",
        "IBM'; DROP TABLE ops.publications; --",
        "..%2F..%2F..%2Fetc%2Fpasswd",
        "%00",
        "%F0%9F%92%A5",
        "%FF%FE",
        "IBM%0d%0aSet-Cookie:%20a=b",
        "{{7*7}}",
    ],
)
def test_hostile_symbols_are_unknown_symbols(api, symbol):
    """SQL, traversal, control characters and templates in a path are only names that do not exist."""
    for route in ("market-data/prices", "signals", "features/v1", "market-data/regime/history"):
        response = api.get(f"/api/v1/{route}/{symbol}")
        assert response.status_code in {404, 422}
        assert "set-cookie" not in response.headers
        assert "root:" not in response.text
        assert "49" not in response.json()["detail"]
    assert api.get(PRICES).status_code == 200


def test_sql_in_a_query_is_a_value(api):
    """SQL in a query parameter finds nothing and harms nothing."""
    body = api.get("/api/v1/data-quality/events", params={"kind": "x' OR 1=1 --"}).json()
    assert body["data"] == []
    strategies = api.get("/api/v1/backtests", params={"strategy": "' UNION SELECT version() --"}).json()
    assert strategies["data"] == []


def test_too_long_and_bodies_are_refused(api):
    """A URL over the limit is 414, a request with a body 413."""
    assert api.get(f"{PRICES}?columns={'x' * 3000}").status_code == 414
    assert api.request("GET", PRICES, content=b"{}").status_code == 413


def test_nothing_at_a_path_is_404(api):
    """Unknown paths, encoded slashes and parents are problem details."""
    for path in ("/api/v1/nothing", "/api/v2/signals", "/api/v1/signals/IBM/extra", "/docs/assets/../../secrets"):
        response = api.get(path)
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/problem+json"


def test_problem_has_its_members(api):
    """A problem names its type, title, status, detail and instance, and carries what every answer does."""
    body = api.get("/api/v1/signals/NOPE").json()
    assert body["type"] == "urn:quant-assets:problem:unknown-symbol"
    assert (body["title"], body["status"], body["instance"]) == ("Not Found", 404, "/api/v1/signals/NOPE")
    assert body["as_of"] == "2013-03-01"
    assert body["disclaimer"]


def test_reference_works_without_a_network(api):
    """The reference page loads its script and style from this server, and allows no other."""
    page = api.get("/docs")
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert sorted(links) == ["/docs/assets/swagger-ui-bundle.js", "/docs/assets/swagger-ui.css", "data:,"]
    for link in links[:2]:
        assert api.get(link if link.startswith("/") else page.url).status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]


@pytest.fixture(scope="module")
def guarded(published):
    """A server that asks for tokens, with its log."""
    log = io.StringIO()
    options = ApiOptions(tokens=("another-token", TOKEN), requests_per_second=0)
    with api_server(published, options, log=lambda fields: write_line(fields, log)) as url:
        yield url, log


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer \xff"]
)
def test_without_a_fitting_token_nothing_is_shown(guarded, header):
    """No token, a wrong one and another scheme are 401 with the scheme to use."""
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    for path in (PRICES, "/", "/api/v1/signals"):
        response = httpx.get(guarded[0] + path, headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")


def test_any_of_the_tokens_opens(guarded):
    """Each configured token is accepted, and answers may then not be kept by shared caches."""
    for token in (TOKEN, "another-token"):
        response = httpx.get(guarded[0] + PRICES, headers={"Authorization": f"Bearer {token}"})
        assert response.status_code == 200
        assert response.headers["cache-control"] == "private, no-cache"


def test_health_and_reference_need_no_token(guarded):
    """What shows no figures is open: health, the reference, the OpenAPI document."""
    for path in ("/api/v1/health", "/docs", "/openapi.json", "/docs/assets/swagger-ui.css"):
        assert httpx.get(guarded[0] + path).status_code == 200


def test_log_has_a_line_per_request_and_no_secret(guarded):
    """The log names path, known parameters, status and time; a token in a header or a URL is not in it."""
    url, log = guarded
    log.seek(0)
    log.truncate()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    httpx.get(f"{url}{PRICES}?limit=3&apikey={TOKEN}", headers=headers)
    httpx.get(f"{url}{PRICES}?limit=3", headers=headers)
    httpx.get(f"{url}{PRICES}?limit=3", headers=headers)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line["status"] for line in lines] == [422, 200, 200]
    assert lines[0]["query"] == "limit=3&(unknown)=(hidden)"
    assert [line["ready"] for line in lines] == [False, False, True]
    assert all(line["path"] == PRICES and line["ms"] >= 0 for line in lines)
    assert TOKEN not in log.getvalue()


def test_client_that_asks_too_often_is_told_to_wait(published):
    """Over the rate a client gets 429 with Retry-After; the rest of its answers are served."""
    options = ApiOptions(requests_per_second=0.5, burst=5)
    with api_server(published, options) as url, httpx.Client(base_url=url) as client:
        responses = [client.get("/api/v1/health") for _ in range(8)]
    assert [response.status_code for response in responses] == [200] * 5 + [429] * 3
    assert 1 <= int(responses[-1].headers["retry-after"]) <= 2


def test_guessing_tokens_is_limited(published):
    """Requests with a wrong token count towards the rate, and over it not even the right one is looked at."""
    options = ApiOptions(tokens=(TOKEN,), requests_per_second=0.5, burst=5)
    with api_server(published, options) as url, httpx.Client(base_url=url) as client:
        guesses = [client.get(PRICES, headers={"Authorization": f"Bearer guess-{n}"}) for n in range(7)]
        right = client.get(PRICES, headers={"Authorization": f"Bearer {TOKEN}"})
    assert [response.status_code for response in guesses] == [401] * 5 + [429] * 2
    assert right.status_code == 429


def test_other_host_names_are_refused(published):
    """A page that made its own name point here cannot read the API through a browser."""
    with api_server(published, ApiOptions(hosts=("127.0.0.1", "localhost"))) as url:
        port = urlsplit(url).port
        for host, status in (("localhost", 200), (f"127.0.0.1:{port}", 200), ("evil.example", 421), ("", 421)):
            assert httpx.get(f"{url}/api/v1/health", headers={"Host": host}).status_code == status


def test_query_that_takes_too_long_is_stopped(published):
    """After the time limit a request is answered with 503 instead of going on."""
    with api_server(published, ApiOptions(query_seconds=0.0)) as url:
        response = httpx.get(f"{url}/api/v1/data-quality/events", timeout=20)
    assert response.status_code == 503
    assert response.json()["type"].endswith(":took-too-long")


def test_too_many_at_once_are_told_to_come_back(published):
    """Where the limit of requests in work is reached, the next is 503 with Retry-After."""
    with api_server(published, ApiOptions(concurrent_requests=0)) as url:
        response = httpx.get(f"{url}/api/v1/signals")
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"


def test_garbage_on_the_wire_does_not_stop_the_server(server, api):
    """Bytes that are no HTTP get 400 or a closed connection, and the next request is served."""
    address = urlsplit(server)
    for garbage in (b"\x00\x01\x02\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET \xff\xfe HTTP/1.1\r\n\r\n"):
        with socket.create_connection((address.hostname, address.port), timeout=5) as raw:
            raw.sendall(garbage)
            raw.shutdown(socket.SHUT_WR)
            reply = b"".join(itertools.takewhile(bool, iter(lambda: raw.recv(4096), b"")))
        assert reply == b"" or reply.startswith((b"HTTP/1.1 400", b"HTTP/1.1 404", b"HTTP/1.1 200"))
    assert api.get(PRICES).status_code == 200
