"""Replies become frames of the port's schema, or an error; nothing is guessed."""

import datetime as dt
import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_assets.foundation.calendar import new_york_calendar
from quant_assets.foundation.errors import EmptyReplyError, TransportError, UnrecognisedReplyError
from quant_assets.market_data.ports import ACTIONS_SCHEMA, BARS_SCHEMA, FetchRequest, VendorFunction
from resources.alpha_vantage import csv_text
from resources.alpha_vantage.parsing import Parsed, parse_reply
from tests.support.vendor_server import bars_csv, bars_json

DAILY = FetchRequest("IBM", VendorFunction.DAILY, "compact")
ADJUSTED = FetchRequest("IBM", VendorFunction.DAILY_ADJUSTED, "compact")
SPLITS = FetchRequest("IBM", VendorFunction.SPLITS)
DIVIDENDS = FetchRequest("IBM", VendorFunction.DIVIDENDS)
FINISHED = dt.date(2024, 1, 5)
ROWS = [
    ("2024-01-05", "160.5000", "161.1000", "158.7000", "159.1600", "4916778"),
    ("2024-01-04", "160.2100", "161.7300", "160.0800", "160.8600", "3212009"),
]
ADJUSTED_ROWS = [
    ("2024-01-05", "218.2", "219.0", "217.5", "218.4", "229.62102225102612", "4916778", "0.0000", "1.0"),
    ("2024-01-04", "436.0", "438.0", "435.0", "436.8", "228.5", "3212009", "1.6600", "2.0"),
]


def parse(request: FetchRequest, body: bytes, finished: dt.date = FINISHED) -> Parsed:
    document = json.loads(body) if body.lstrip(b"\xef\xbb\xbf").startswith(b"{") else None
    return parse_reply(request, body, document, finished=finished, calendar=new_york_calendar())


def events_json(rows, symbol="IBM") -> bytes:
    return json.dumps({"symbol": symbol, "data": rows}).encode()


def expected_bars(rows, columns) -> pl.DataFrame:
    """What a person would write down, oldest first."""
    records = [
        {"symbol": "IBM", "date": dt.date.fromisoformat(row[0])} | dict(zip(columns, row[1:], strict=True))
        for row in reversed(rows)
    ]
    numbers = [
        {k: v if k in ("symbol", "date") else (int(v) if k == "volume" else float(v)) for k, v in record.items()}
        for record in records
    ]
    return pl.DataFrame(numbers, schema=BARS_SCHEMA)


PLAIN_COLUMNS = ["open", "high", "low", "close", "volume"]
ADJUSTED_COLUMNS = ["open", "high", "low", "close", "adjusted_close", "volume", "dividend_amount", "split_coefficient"]


@pytest.mark.parametrize("body", [bars_csv(ROWS), bars_csv(ROWS, newline="\n"), bars_json("IBM", ROWS)])
def test_plain_bars_come_out_the_same_from_csv_and_json(body):
    """Values are kept exactly, sorted by date; columns that the function does not carry are null."""
    parsed = parse(DAILY, body)
    assert parsed.frame.equals(expected_bars(ROWS, PLAIN_COLUMNS))
    assert parsed.frame.schema == pl.Schema(BARS_SCHEMA)
    assert parsed.notes == ()


@pytest.mark.parametrize(
    "body", [bars_csv(ADJUSTED_ROWS, is_adjusted=True), bars_json("IBM", ADJUSTED_ROWS, is_adjusted=True)]
)
def test_adjusted_bars_take_volume_from_its_own_column(body):
    """In adjusted replies the fifth number is the adjusted close; volume is the sixth."""
    assert parse(ADJUSTED, body).frame.equals(expected_bars(ADJUSTED_ROWS, ADJUSTED_COLUMNS))


@pytest.mark.parametrize("is_ascending", [True, False])
def test_the_order_of_a_reply_does_not_matter(is_ascending):
    """Rows in any order come out sorted by date."""
    rows = [(f"2024-01-0{day}", 1, 1, 1, day, 10) for day in (3, 5, 2, 4)]
    if is_ascending:
        rows.sort()
    for body in (bars_csv(rows), bars_json("IBM", rows)):
        assert parse(DAILY, body).frame["close"].to_list() == [2.0, 3.0, 4.0, 5.0]


@pytest.mark.parametrize("sentinel", ["None", "null", "-", "n/a", "NULL", ""])
def test_a_value_the_vendor_does_not_have_is_null(sentinel):
    """The vendor's words for a missing value become null, in one column without touching the others."""
    rows = [("2024-01-05", "1.0", "2.0", "0.5", sentinel, "7"), ROWS[1]]
    for body in (bars_csv(rows), bars_json("IBM", rows)):
        frame = parse(DAILY, body).frame
        assert frame["close"].to_list() == [160.86, None]
        assert frame["volume"].to_list() == [3212009, 7]


def test_a_json_number_without_quotes_is_tolerated():
    """Servers that send numbers as numbers are read like the vendor, which sends text."""
    body = json.dumps(
        {
            "Meta Data": {"2. Symbol": "IBM"},
            "Time Series (Daily)": {
                "2024-01-05": {"1. open": 1.5, "2. high": 2, "3. low": 1, "4. close": None, "5. volume": 7}
            },
        }
    ).encode()
    row = parse(DAILY, body).frame.row(0, named=True)
    assert (row["open"], row["high"], row["close"], row["volume"]) == (1.5, 2.0, None, 7)


@pytest.mark.parametrize(("text", "volume"), [("1234.0", 1234), ("1234.6", 1235), ("1.5e3", 1500), ("-5", -5)])
def test_a_volume_with_decimals_is_rounded(text, volume):
    """Some symbols carry decimals in their volume."""
    rows = [("2024-01-05", 1, 1, 1, 1, text)]
    for body in (bars_csv(rows), bars_json("IBM", rows)):
        assert parse(DAILY, body).frame["volume"].to_list() == [volume]


@pytest.mark.parametrize("value", ["abc", "1,5", "1 5", "nan", "inf", "0x10", "1_0", "12.5.1", "'1'"])
@pytest.mark.parametrize("column", [1, 5])
def test_a_number_that_cannot_be_read_refuses_the_reply(value, column):
    """An unreadable price or volume is an error, never a null or a skipped row."""
    row = ["2024-01-05", "1", "1", "1", "1", "7"]
    row[column] = value
    for body in (bars_csv([tuple(row), ROWS[1]]), bars_json("IBM", [tuple(row), ROWS[1]])):
        with pytest.raises(UnrecognisedReplyError, match="nothing of it was kept"):
            parse(DAILY, body)


@pytest.mark.parametrize("date", ["05-01-2024", "2024/01/05", "2024-1-5", "2024-02-30", "2024-01-05 00:00:00", "today"])
def test_a_date_in_another_form_refuses_the_reply(date):
    """Day and month are never guessed at."""
    for body in (bars_csv([(date, 1, 1, 1, 1, 7)]), bars_json("IBM", [(date, 1, 1, 1, 1, 7)])):
        with pytest.raises(UnrecognisedReplyError, match="no date"):
            parse(DAILY, body)


def test_a_bar_without_a_date_refuses_the_reply():
    """A missing date cannot be a bar."""
    for body in (bars_csv([("None", 1, 1, 1, 1, 7)]), bars_json("IBM", [("None", 1, 1, 1, 1, 7)])):
        with pytest.raises(UnrecognisedReplyError, match="without a date"):
            parse(DAILY, body)


def test_impossible_prices_pass():
    """A negative price or a high below the low is for the quality room to judge."""
    rows = [("2024-01-05", "-1", "1", "9", "0", "-7")]
    assert parse(DAILY, bars_csv(rows)).frame.row(0)[2:7] == (-1.0, 1.0, 9.0, 0.0, -7)


def test_the_bar_of_a_session_that_is_not_finished_is_left_out():
    """Bars after the last finished session are dropped and named."""
    for body in (bars_csv(ROWS), bars_json("IBM", ROWS)):
        parsed = parse(DAILY, body, finished=dt.date(2024, 1, 4))
        assert parsed.frame["date"].to_list() == [dt.date(2024, 1, 4)]
        assert parsed.notes == ("left out the bar of 2024-01-05: the last finished session is 2024-01-04",)


def test_a_reply_with_nothing_but_unfinished_bars_is_data_without_rows():
    """A share listed today has no finished bar yet, which is no failure."""
    parsed = parse(DAILY, bars_csv(ROWS), finished=dt.date(2024, 1, 3))
    assert parsed.frame.is_empty()
    assert parsed.frame.schema == pl.Schema(BARS_SCHEMA)
    assert "2 bars from 2024-01-04 to 2024-01-05" in parsed.notes[0]


@pytest.mark.parametrize(
    ("stamp", "newest"),
    [
        ("2024-01-05", 5),
        ("2024-01-05 16:00:01", 5),
        ("2024-01-05 15:59:59", 4),
        ("2024-01-05 12:33:31", 4),
        ("2024-01-05 00:00:00", 5),
        ("2024-01-06 12:00:00", 5),  # a Saturday has no bar to be unfinished
        ("unknown", 5),
    ],
)
def test_a_refresh_stamp_before_the_close_marks_a_partial_bar(stamp, newest):
    """The vendor prints a time of day while a session is open; that day's bar is dropped even days later."""
    parsed = parse(DAILY, bars_json("IBM", ROWS, refreshed=stamp), finished=dt.date(2024, 1, 9))
    assert parsed.frame["date"].to_list()[-1] == dt.date(2024, 1, newest)


def test_a_bar_that_comes_twice_is_kept_once_and_named():
    """Two equal bars of one date are one bar; the reply's message says so."""
    parsed = parse(DAILY, bars_csv([ROWS[0], ROWS[0], ROWS[1]]))
    assert parsed.frame.equals(expected_bars(ROWS, PLAIN_COLUMNS))
    assert parsed.notes == ("left out 1 bars that came twice",)


def test_two_different_bars_of_one_date_refuse_the_reply():
    """Nobody can know which one is true."""
    other = (ROWS[0][0], "1", *ROWS[0][2:])
    with pytest.raises(UnrecognisedReplyError, match="two different bars of 2024-01-05"):
        parse(DAILY, bars_csv([ROWS[0], other, ROWS[1]]))


def test_a_date_repeated_in_json_is_not_overwritten_in_silence():
    """JSON parsers keep the last of two equal keys; the reply is refused or, where the bars are equal, noted."""
    same = bars_json("IBM", [ROWS[0], ("2024-01-99", *ROWS[0][1:]), ROWS[1]]).replace(b"2024-01-99", b"2024-01-05")
    assert parse(DAILY, same).notes == ("left out 1 bars that came twice",)
    differing = bars_json("IBM", [ROWS[0], ("2024-01-99", *ROWS[1][1:])]).replace(b"2024-01-99", b"2024-01-05")
    with pytest.raises(UnrecognisedReplyError, match="two different bars"):
        parse(DAILY, differing)


@pytest.mark.parametrize("body", [bars_csv([]), bars_json("IBM", [])])
def test_a_time_series_without_bars_is_empty_not_true(body):
    """A header alone is never taken for a share without history."""
    with pytest.raises(EmptyReplyError):
        parse(DAILY, body)


@pytest.mark.parametrize(
    ("request_", "body"),
    [
        (ADJUSTED, bars_csv(ROWS)),
        (ADJUSTED, bars_json("IBM", ROWS)),
        (DAILY, b"timestamp,open,open,low,close,volume\r\n"),
        (DAILY, b"effective_date,split_factor\r\n2021-11-04,1.0460\r\n"),
        (DAILY, b'{"Weekly Time Series": {"2024-01-05": {}}}'),
        (DAILY, b'{"Time Series (Daily)": [1]}'),
        (DAILY, b'{"Meta Data": {"2. Symbol": "IBM"}, "Time Series (Daily)": {"2024-01-05": 7}}'),
        (DAILY, bars_json("MSFT", ROWS)),
        (DAILY, bars_json("IBM", ROWS).replace(b'"4. close": "160.8600",', b"")),
        (DAILY, bars_json("IBM", ROWS).replace(b'"160.8600"', b"[]")),
        (DAILY, bars_csv(ROWS) + b"2024-01-03,1,1\r\n"),
        (DAILY, bars_csv(ROWS) + b"2024-01-03,1,1,1,1,1,1\r\n"),
        (DAILY, bars_csv(ROWS) + b'2024-01-03,"1,1,1,1,1\r\n'),
        (DAILY, bars_csv(ROWS) + b"\xff\xfe,1,1,1,1,1\r\n"),
        (DAILY, b"a,b\r\n1,2\r\n"),
        (DAILY, b"a,b"),
        (SPLITS, bars_csv(ROWS)),
        (SPLITS, b'{"symbol": "IBM", "data": {"a": 1}}'),
        (SPLITS, events_json([{"ex_dividend_date": "2024-01-05", "amount": "1.0"}])),
        (
            SPLITS,
            events_json([{"effective_date": "2024-01-05", "split_factor": "2"}, {"effective_date": "2024-01-06"}]),
        ),
        (DIVIDENDS, events_json([], symbol="MSFT")),
    ],
)
def test_a_reply_of_another_shape_is_refused(request_, body):
    """Missing columns, another function's or symbol's reply, ragged and damaged lines are errors."""
    with pytest.raises(UnrecognisedReplyError):
        parse(request_, body)


@pytest.mark.parametrize("cut", [5, 30, 60, len(bars_csv(ROWS)) - 3, len(bars_csv(ROWS)) - 1])
def test_a_csv_without_its_end_was_cut_off(cut):
    """Wherever the transfer stops, the reply is not read: 1030 may be a cut 10303."""
    with pytest.raises(TransportError, match="cut off"):
        parse(DAILY, bars_csv(ROWS)[:cut] if cut != len(bars_csv(ROWS)) - 1 else bars_csv(ROWS)[:-1])


def test_a_symbol_written_with_a_dot_is_the_same_symbol():
    """The vendor answers BRK.B for BRK-B."""
    request = FetchRequest("BRK-B", VendorFunction.DAILY, "compact")
    assert parse(request, bars_json("BRK.B", ROWS)).frame["symbol"].to_list() == ["BRK-B", "BRK-B"]


SPLIT_ROWS = [
    {"effective_date": "2021-11-04", "split_factor": "1.0460"},
    {"effective_date": "1999-05-27", "split_factor": "2.0000"},
]
DIVIDEND_HEADER = "ex_dividend_date,declaration_date,record_date,payment_date,amount\r\n"


@pytest.mark.parametrize(
    "body",
    [
        events_json(SPLIT_ROWS),
        b"effective_date,split_factor\r\n2021-11-04,1.0460\r\n1999-05-27,2.0000\r\n",
    ],
)
def test_splits_come_out_sorted_and_as_printed(body):
    """Factors are not normalised here, and a spin-off stays in the list."""
    frame = parse(SPLITS, body).frame
    assert frame.schema == pl.Schema(ACTIONS_SCHEMA)
    assert frame.rows() == [
        ("IBM", dt.date(1999, 5, 27), "split", 2.0),
        ("IBM", dt.date(2021, 11, 4), "split", 1.046),
    ]


def test_dividends_are_read_where_the_other_dates_are_unknown():
    """Only the ex-date and the amount go back to 1999; the rest says None."""
    body = DIVIDEND_HEADER + "2023-11-09,2023-10-30,2023-11-10,2023-12-09,1.66\r\n1999-05-06,None,None,None,0.24\r\n"
    assert parse(DIVIDENDS, body.encode()).frame.rows() == [
        ("IBM", dt.date(1999, 5, 6), "dividend", 0.24),
        ("IBM", dt.date(2023, 11, 9), "dividend", 1.66),
    ]


def test_an_event_without_date_or_value_is_left_out_and_counted():
    """An announced dividend whose ex-date is not known yet is no event."""
    body = DIVIDEND_HEADER + "None,2023-10-30,None,None,1.66\r\n2023-02-09,None,None,None,None\r\n"
    parsed = parse(DIVIDENDS, body.encode())
    assert parsed.frame.is_empty()
    assert parsed.notes == ("left out 2 events without a date or a value",)


def test_two_dividends_of_one_day_are_added_up():
    """A regular and a special dividend with one ex-date count together, as in the vendor's adjusted series."""
    body = DIVIDEND_HEADER + "2023-02-09,None,None,2023-03-01,1.5\r\n2023-02-09,None,None,2023-04-01,0.25\r\n"
    parsed = parse(DIVIDENDS, body.encode())
    assert parsed.frame.rows() == [("IBM", dt.date(2023, 2, 9), "dividend", 1.75)]
    assert parsed.notes == ("added up the dividends of 2023-02-09",)


def test_an_event_printed_twice_counts_once():
    """Equal lines are one event."""
    body = DIVIDEND_HEADER + "2023-02-09,None,None,None,1.5\r\n" * 2
    parsed = parse(DIVIDENDS, body.encode())
    assert parsed.frame["value"].to_list() == [1.5]
    assert parsed.notes == ("left out 1 events that came twice",)


def test_two_different_splits_of_one_day_are_refused():
    """Nobody can know which factor is true."""
    rows = [{"effective_date": "2020-08-31", "split_factor": factor} for factor in ("4.0", "5.0")]
    with pytest.raises(UnrecognisedReplyError, match="two different splits of 2020-08-31"):
        parse(SPLITS, events_json(rows))


@pytest.mark.parametrize(
    ("request_", "body"),
    [
        (SPLITS, events_json([])),
        (DIVIDENDS, events_json([])),
        (SPLITS, b"effective_date,split_factor\r\n"),
        (DIVIDENDS, DIVIDEND_HEADER.encode()),
    ],
)
def test_no_events_is_an_answer(request_, body):
    """An empty list of events is the truth about a share without any."""
    parsed = parse(request_, body)
    assert parsed.frame.is_empty()
    assert parsed.frame.schema == pl.Schema(ACTIONS_SCHEMA)


finite = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12)
bars = st.lists(
    st.tuples(st.dates(dt.date(1999, 11, 1), FINISHED), finite, finite, finite, finite, st.integers(0, 2**62)),
    min_size=1,
    max_size=8,
    unique_by=lambda row: row[0],
)


@settings(max_examples=60, deadline=None)
@given(bars)
def test_both_formats_give_python_s_own_numbers(rows):
    """Every float is the one that Python reads from the same digits, in both formats, to the last bit."""
    rows = sorted(rows, reverse=True)
    expected = expected_bars([(row[0].isoformat(), *row[1:]) for row in rows], PLAIN_COLUMNS)
    texts = [(row[0], *(repr(value) for value in row[1:])) for row in rows]
    assert parse(DAILY, bars_csv(texts)).frame.equals(expected)
    assert parse(DAILY, bars_json("IBM", texts)).frame.equals(expected)


field = st.one_of(
    st.sampled_from(["1", "-2.5", "1e3", "None", "-", "", " 3", "nan", "2024-01-05", "01-02-2024", '"4"', "1.0", "+1"]),
    st.text("0123456789.-+eE_ ,", max_size=6),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(field, min_size=6, max_size=6))
def test_the_fast_reader_agrees_with_the_careful_one(fields):
    """What the fast reader accepts, the reader that looks at each value reads to the same numbers."""
    body = bars_csv([tuple(fields), ROWS[1]])
    fast = csv_text.clean_bars(DAILY, body)
    if fast is None:
        return
    line = csv_text.text_columns(DAILY, body)
    assert fast["timestamp"].to_list() == [dt.date.fromisoformat(text) for text in line["timestamp"]]
    for name in PLAIN_COLUMNS:
        assert fast[name].to_list() == [float(text) for text in line[name]]
