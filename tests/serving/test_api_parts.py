"""The pure parts of the API: media types, tags, near matches, rates, tokens, bounded memory, newest rows."""

from __future__ import annotations

import datetime as dt
import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from quant_assets.serving.api.access import RateLimiter, TokenGate
from quant_assets.serving.api.encoding import json_bytes, json_columns, json_records, json_value
from quant_assets.serving.api.exchange import host_name, is_unchanged, preferred_type, safe_query
from quant_assets.serving.api.newest_rows import NewestRows
from quant_assets.serving.api.problems import near_matches
from quant_assets.serving.api.queries import PageQuery, next_link
from quant_assets.serving.api.ready_answers import Answer, ReadyAnswers

JSON, SVG = "application/json", "image/svg+xml"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON),
        (b"", JSON),
        (b"*/*", JSON),
        (b"image/svg+xml", SVG),
        (b"IMAGE/SVG+XML; q=0.2", SVG),
        (b"application/json, image/svg+xml", JSON),
        (b"application/json;q=0.5, image/svg+xml", SVG),
        (b"image/*", SVG),
        (b"image/svg+xml;q=0, */*", JSON),
        (b"text/html,application/xhtml+xml,*/*;q=0.8", JSON),
        (b"image/avif,image/webp,image/svg+xml,image/*,*/*;q=0.8", SVG),
        (b"text/plain", JSON),
        (b"image/svg+xml;q=nonsense", JSON),
    ],
)
def test_preferred_type_follows_the_weights(accept, expected):
    """The most specific range gives a type's weight, the highest weight wins, and nothing fitting means the first."""
    assert preferred_type(accept, (JSON, SVG)) == expected


@given(st.binary(max_size=200))
def test_any_accept_header_has_an_answer(accept):
    """Whatever bytes a client sends, one of the offered types comes out."""
    assert preferred_type(accept, (JSON, SVG)) in {JSON, SVG}


def test_entity_tags_are_compared_weakly():
    """A tag matches itself, its weak form, a list that holds it, and the star."""
    for condition in (b'"a"', b'W/"a"', b'"x", "a"', b"*"):
        assert is_unchanged(condition, b'"a"')
    for condition in (None, b"", b'"b"', b"a", b'"a'):
        assert not is_unchanged(condition, b'"a"')


@pytest.mark.parametrize(
    ("value", "name"),
    [(b"Localhost:80", "localhost"), (b"[::1]:80", "[::1]"), (b"127.0.0.1", "127.0.0.1"), (None, "")],
)
def test_host_name_is_without_its_port(value, name):
    """The port does not count, letters are folded, an IPv6 address keeps its brackets."""
    assert host_name(value) == name


@given(st.binary(max_size=300))
def test_any_query_can_be_logged_and_hides_unknown_values(query):
    """Only values of known parameters appear, whatever the bytes."""
    logged = safe_query(query, frozenset({"limit"}))
    for part in filter(None, logged.split("&")):
        assert part == "(unknown)=(hidden)" or part.startswith("limit=") or "limit=" in logged


def test_values_of_unknown_parameters_are_hidden():
    """A key put into the URL by mistake is not logged."""
    assert safe_query(b"limit=3&token=secret", frozenset({"limit"})) == "limit=3&(unknown)=(hidden)"


def test_near_matches_by_beginning_spelling_and_name():
    """Names that begin alike come first, then those spelt alike, then those whose long name holds the text."""
    names = {"AAPL": "Apple", "AAP": "Advance Auto", "IBM": "International Business Machines", "T": "AT&T"}
    assert near_matches("AAP", names)[:2] == ("AAPL", "AAP")
    assert near_matches("IBN", names) == ("IBM",)
    assert near_matches("business", names) == ("IBM",)
    assert near_matches("", names) == ()
    assert near_matches("zzzzzz", names) == ()


def slow_bucket(times: list[float], rate: float, burst: int) -> list[bool]:
    """A bucket counted the plain way: what is left is the burst, less what passed, plus what dripped in, capped."""
    left, last, passed = float(burst), times[0], []
    for now in times:
        left = min(burst, left + (now - last) * rate)
        last = now
        passed.append(left >= 1 - 1e-9)
        left -= 1 if passed[-1] else 0
    return passed


@given(
    st.lists(st.floats(0, 5), min_size=1, max_size=60),
    st.sampled_from([0.5, 1.0, 4.0]),
    st.integers(1, 5),
)
def test_rate_limiter_is_a_token_bucket(gaps, rate, burst):
    """Requests pass as in a bucket counted by hand, and a refused client is told a time that suffices."""
    times = list(itertools.accumulate(gaps))
    limiter = RateLimiter(rate, burst)
    waits = [limiter.wait_seconds("client", now) for now in times]
    assert [wait == 0 for wait in waits] == slow_bucket(times, rate, burst)
    if waits[-1]:
        assert limiter.wait_seconds("client", times[-1] + waits[-1]) == 0


def test_clients_do_not_share_a_bucket_and_zero_is_no_limit():
    """One client's haste does not slow another; a rate of 0 lets all pass."""
    limiter = RateLimiter(0.001, 1)
    assert [limiter.wait_seconds(client, 0.0) == 0 for client in "aab"] == [True, False, True]
    unlimited = RateLimiter(0, 1)
    assert not any(unlimited.wait_seconds("a", 0.0) for _ in range(100))


def test_rate_limiter_forgets_old_clients():
    """A flood of addresses does not grow the memory without bound."""
    limiter = RateLimiter(1.0, 1)
    for number in range(20_000):
        limiter.wait_seconds(str(number), 0.0)
    assert len(limiter._buckets) == 10_000


@given(st.binary(max_size=40))
def test_only_the_token_itself_is_admitted(text):
    """No other header value passes; without tokens everybody does."""
    gate = TokenGate(["a-secret"])
    assert gate.admits(b"Bearer a-secret")
    assert not gate.admits(b"Bearer " + text)
    assert not gate.admits(text)
    assert TokenGate([]).admits(text)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5_000)), max_size=60))
def test_ready_answers_stay_within_their_bound(steps):
    """What is held never exceeds the bound, counted anew each time; the last answer that fits is found again."""
    ready = ReadyAnswers(20_000)
    for number, size in steps:
        asked = (b"/path", str(number).encode())
        answer = Answer(200, [], b"x" * size)
        ready.put(asked, answer)
        held = [ready._answers[one] for one in ready.last_asked(100)]
        assert ready.bytes_held == sum(len(one.body) + 606 for one in held) <= 20_000
        assert size + 606 > 20_000 // 8 or ready.get(asked) is answer
        assert size + 606 > 20_000 // 8 or ready.last_asked(1) == [asked]


def test_least_recently_asked_goes_first():
    """Under pressure what was asked lately stays."""
    ready = ReadyAnswers(10_000)
    for name in (b"a", b"b", b"c"):
        ready.put((name,), Answer(200, [], b"x" * 500))
    for name in range(20):
        assert ready.get((b"a",)) is not None
        ready.put((str(name).encode(),), Answer(200, [], b"x" * 500))
    assert ready.get((b"b",)) is None


@settings(max_examples=60)
@given(st.data())
def test_newest_rows_are_those_of_a_filter(data):
    """A page from memory equals filtering the whole table, or is left to the file where older rows may be asked for."""
    sizes = data.draw(st.lists(st.integers(0, 12), min_size=1, max_size=4))
    start = dt.date(2020, 1, 1)
    rows = [
        (f"S{k}", start + dt.timedelta(days=i), float(10 * k + i)) for k, size in enumerate(sizes) for i in range(size)
    ]
    schema = {"symbol": pl.String, "date": pl.Date, "value": pl.Float64}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=data.draw(st.integers(0, 99)))
    newest = NewestRows(shuffled)
    symbol = data.draw(st.sampled_from([f"S{k}" for k in range(len(sizes))]))
    limit, offset = data.draw(st.integers(1, 8)), data.draw(st.integers(0, 8))
    page = newest.page(symbol, limit=limit, offset=offset)
    whole = frame.filter(pl.col("symbol") == symbol)
    if whole.height < limit + offset + 1:
        assert page is None
    else:
        end = whole.height - offset
        assert_frame_equal(page, whole.slice(end - limit - 1, limit + 1))


def test_numbers_that_are_not_finite_become_null():
    """NaN and infinities are null in both layouts, as are missing values; integers stay integers."""
    frame = pl.DataFrame({"x": [1.5, np.nan, np.inf, None], "n": [1, None, 3, 4], "d": [dt.date(2013, 3, 1)] * 4})
    assert json_bytes(json_columns(frame)) == (
        b'{"x":[1.5,null,null,null],"n":[1,null,3,4],"d":["2013-03-01","2013-03-01","2013-03-01","2013-03-01"]}'
    )
    assert json_bytes(json_records(frame.head(2))) == (
        b'[{"x":1.5,"n":1,"d":"2013-03-01"},{"x":null,"n":null,"d":"2013-03-01"}]'
    )


def test_stored_json_is_decoded_and_other_text_kept():
    """Text columns that hold JSON come as JSON, anything else as it is."""
    assert json_value('{"a": [1]}') == {"a": [1]}
    assert json_value("{not json") == "{not json"
    assert json_value(None) is None


def test_next_link_keeps_what_was_asked():
    """The link to the next page repeats the parameters that were given and moves the offset."""
    assert next_link("/a/^SPX", PageQuery(limit=10, offset=20)) == "/a/%5ESPX?limit=10&offset=30"
