"""The classifier decides from the body alone what a reply is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_assets.market_data.ports import FetchOutcome
from resources.alpha_vantage.replies import NOTICES, classify_body, classify_status, excerpt, read_notice
from tests.support.vendor_notices import NOTICE_BODIES


@pytest.mark.parametrize("condition", NOTICE_BODIES)
def test_each_recorded_notice_has_its_outcome(condition):
    """A body of the vendor's table is classified as the table says, and its text is kept."""
    body, outcome = NOTICE_BODIES[condition]
    verdict = classify_body(body)
    assert verdict.outcome is outcome
    assert verdict.message


@pytest.mark.parametrize("condition", [c for c, (body, _) in NOTICE_BODIES.items() if b": {}" not in body])
def test_the_wording_is_matched_loosely(condition):
    """Capitals, line breaks and doubled spaces change nothing."""
    body, outcome = NOTICE_BODIES[condition]
    document = json.loads(body)
    shouted = {k.upper(): "\n  ".join(v.upper().split(" ")) if isinstance(v, str) else v for k, v in document.items()}
    assert classify_body(json.dumps(shouted).encode()).outcome is outcome


def test_a_sample_is_never_data_whatever_stands_beside_it():
    """The artificial sample is a refusal although its data list looks real."""
    body, _ = NOTICE_BODIES["premium function with an artificial sample"]
    assert classify_body(body).document is None


def test_a_notice_in_plain_text_is_understood():
    """A notice that comes without JSON, to a CSV request, is classified by the same table."""
    assert classify_body(b"Burst pattern detected. Please slow down.").outcome is FetchOutcome.THROTTLED
    assert classify_body(b"Something is wrong, we are sorry.").outcome is FetchOutcome.UNRECOGNISED


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b"", FetchOutcome.EMPTY),
        (b"\r\n  ", FetchOutcome.EMPTY),
        (b"\xef\xbb\xbf{}", FetchOutcome.EMPTY),
        (b"<html><body>Please wait a minute</body></html>", FetchOutcome.UNRECOGNISED),
        (b"[1, 2]", FetchOutcome.UNRECOGNISED),
        (b'{"Meta Data": {"2. Symbol": "IBM"}, "Time Series', FetchOutcome.TRANSPORT),
        (b'{"Meta Data": broken}', FetchOutcome.UNRECOGNISED),
        (b"\x00\xff\xfe\x93garbage", FetchOutcome.UNRECOGNISED),
        (b'{"symbol": "IBM", "data": []}', FetchOutcome.OK),
        (b"timestamp,open,high,low,close,volume\r\n", FetchOutcome.OK),
    ],
)
def test_bodies_that_are_no_notice(body, outcome):
    """Empty, damaged, cut off and foreign bodies each have an outcome; what may hold data goes on to the parser."""
    assert classify_body(body).outcome is outcome


@given(st.binary(max_size=200))
def test_any_bytes_are_classified_without_an_exception(body):
    """No body makes the classifier fail, and only bodies with content can be data."""
    verdict = classify_body(body)
    assert verdict.outcome is not FetchOutcome.OK or body.strip()


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (500, b"", FetchOutcome.SERVER_FAULT),
        (503, NOTICE_BODIES["daily quota"][0], FetchOutcome.SERVER_FAULT),
        (408, b"", FetchOutcome.SERVER_FAULT),
        (429, b"slow down", FetchOutcome.THROTTLED),
        (401, b"who are you", FetchOutcome.KEY_REJECTED),
        (403, NOTICE_BODIES["key missing"][0], FetchOutcome.KEY_REJECTED),
        (404, b"<html>not here</html>", FetchOutcome.UNRECOGNISED),
        (404, b"timestamp,open\r\n", FetchOutcome.UNRECOGNISED),
        (302, b"", FetchOutcome.UNRECOGNISED),
        (204, b"", FetchOutcome.UNRECOGNISED),
    ],
)
def test_a_status_other_than_200_is_no_data(status, body, outcome):
    """Proxies and faulty servers answer with a status; none of those replies is parsed."""
    verdict = classify_status(status, body)
    assert verdict is not None
    assert verdict.outcome is outcome


def test_status_200_leaves_the_verdict_to_the_body():
    """The vendor sends its failures with 200, so that status says nothing."""
    assert classify_status(200, b"{}") is None


def test_every_row_of_the_table_is_reached_by_a_recorded_notice():
    """No row of the table is dead: each is the first match of some recorded text."""
    texts = [" ".join(v for v in json.loads(body).values() if isinstance(v, str)) for body, _ in NOTICE_BODIES.values()]
    reached = {
        next((n for n, row in enumerate(NOTICES) if row.pattern.search(" ".join(text.split()))), None) for text in texts
    }
    assert set(range(len(NOTICES))) <= reached
    assert read_notice("") is None


def test_an_excerpt_fits_a_log_line():
    """A long text is cut and put on one line."""
    assert excerpt("a\n b") == "a b"
    assert len(excerpt("word " * 1000)) == 300
