"""Bodies of data replies, against the shapes recorded from the vendor."""

import csv
import datetime as dt
import io
import json

import pytest

from quant_assets.replay import rendering
from quant_assets.replay.actions import adjusted_closes
from quant_assets.replay.history import Listing, SymbolFrames
from quant_assets.replay.packaged import packaged_history
from tests.support.replay import bars_frame, dividends_frame, splits_frame

FRAMES = SymbolFrames(
    bars_frame({dt.date(2020, 1, 2): 60.0, dt.date(2020, 1, 3): 20.125, dt.date(2020, 1, 6): 21.5}, volume=6154450),
    splits_frame((dt.date(2020, 1, 3), 3.0)),
    dividends_frame((dt.date(2020, 1, 6), 0.24)),
)


def packaged(symbol):
    history = packaged_history()
    return SymbolFrames(history.bars(symbol), history.splits(symbol), history.dividends(symbol))


def test_plain_daily_csv_prints_four_decimals_newest_first_with_crlf():
    """Byte for byte the recorded format."""
    assert rendering.daily_csv(FRAMES, full=True) == (
        b"timestamp,open,high,low,close,volume\r\n"
        b"2020-01-06,21.5000,22.5000,20.5000,21.5000,6154450\r\n"
        b"2020-01-03,20.1250,21.1250,19.1250,20.1250,6154450\r\n"
        b"2020-01-02,60.0000,61.0000,59.0000,60.0000,6154450\r\n"
    )


def test_adjusted_csv_prints_shortest_prices_and_the_events():
    """The factor before the dividend is 21.5 / 21.74, and before the split a third of that."""
    first, second = 60.0 * (21.5 / (21.5 + 0.24) * (20.125 / 20.125 / 3.0)), 20.125 * (21.5 / (21.5 + 0.24))
    lines = rendering.adjusted_csv(FRAMES, full=True).decode().split("\r\n")
    assert lines[0] == ("timestamp,open,high,low,close,adjusted_close,volume,dividend_amount,split_coefficient")
    assert lines[1] == "2020-01-06,21.5,22.5,20.5,21.5,21.5,6154450,0.2400,1.0"
    assert lines[2] == f"2020-01-03,20.125,21.125,19.125,20.125,{second!r},6154450,0.0000,3.0"
    assert lines[3].startswith("2020-01-02,60.0,61.0,59.0,60.0,")
    assert float(lines[3].split(",")[5]) == pytest.approx(first, rel=1e-14)
    assert lines[4:] == [""]


def test_plain_daily_json_has_the_recorded_text():
    """Four spaces of indent, every scalar a string, numbered keys, newest first."""
    assert (
        rendering.daily_json(FRAMES, "TEST", "2020-01-06", full=False)
        .decode()
        .startswith(
            """{
    "Meta Data": {
        "1. Information": "Daily Prices (open, high, low, close) and Volumes",
        "2. Symbol": "TEST",
        "3. Last Refreshed": "2020-01-06",
        "4. Output Size": "Compact",
        "5. Time Zone": "US/Eastern"
    },
    "Time Series (Daily)": {
        "2020-01-06": {
            "1. open": "21.5000",
            "2. high": "22.5000",
            "3. low": "20.5000",
            "4. close": "21.5000",
            "5. volume": "6154450"
        },
        "2020-01-03": {
"""
        )
    )


def test_json_is_what_a_json_library_would_indent():
    """The whole text, which the CSV writer makes, equals the library's rendering of its own content."""
    for body in (
        rendering.daily_json(FRAMES, "TEST", "2020-01-06", full=True),
        rendering.adjusted_json(FRAMES, "TEST", "2020-01-06", full=True),
        rendering.splits_json(FRAMES, "TEST"),
        rendering.dividends_json(FRAMES, "TEST"),
        rendering.quote_json(FRAMES, "TEST"),
        rendering.daily_json(SymbolFrames(FRAMES.bars.clear()), "TEST", "", full=True),
    ):
        content = json.loads(body)
        assert body.decode() == json.dumps(content, indent=4)


@pytest.mark.parametrize(("full", "label", "count"), [(False, "Compact", 100), (True, "Full size", 3270)])
def test_json_and_csv_of_a_series_agree(full, label, count):
    """Same dates and values in both formats; compact is the newest hundred."""
    frames = packaged("MSFT")
    content = json.loads(rendering.adjusted_json(frames, "MSFT", "2013-03-01", full=full))
    rows = list(csv.DictReader(io.StringIO(rendering.adjusted_csv(frames, full=full).decode())))
    series = content["Time Series (Daily)"]
    assert content["Meta Data"]["4. Output Size"] == label
    assert len(series) == len(rows) == count
    assert list(series) == sorted(series, reverse=True)
    names = [key.split(". ")[1].replace(" ", "_") for key in next(iter(series.values()))]
    assert [{"timestamp": date, **dict(zip(names, bar.values(), strict=True))} for date, bar in series.items()] == rows


def test_adjusted_keys_move_volume_to_six():
    """The classic parser bug: volume is 5 in the plain series and 6 in the adjusted one."""
    bar = json.loads(rendering.adjusted_json(FRAMES, "TEST", "2020-01-06", full=True))["Time Series (Daily)"][
        "2020-01-06"
    ]
    assert list(bar) == [
        "1. open",
        "2. high",
        "3. low",
        "4. close",
        "5. adjusted close",
        "6. volume",
        "7. dividend amount",
        "8. split coefficient",
    ]


def test_adjusted_close_is_printed_without_loss():
    """The float printed is the float meant: reading it back gives the same bits."""
    frames = packaged("IBM")
    rows = csv.DictReader(io.StringIO(rendering.adjusted_csv(frames, full=True).decode()))
    printed = [float(row["adjusted_close"]) for row in rows][::-1]
    assert printed == adjusted_closes(frames.bars, frames.splits, frames.dividends).tolist()


def test_event_bodies():
    """Splits with four decimals, dividends as paid with the vendor's None for dates it lacks."""
    assert rendering.splits_csv(FRAMES) == b"effective_date,split_factor\r\n2020-01-03,3.0000\r\n"
    assert rendering.dividends_csv(FRAMES) == (
        b"ex_dividend_date,declaration_date,record_date,payment_date,amount\r\n2020-01-06,None,None,None,0.24\r\n"
    )
    assert json.loads(rendering.splits_json(FRAMES, "TEST")) == {
        "symbol": "TEST",
        "data": [{"effective_date": "2020-01-03", "split_factor": "3.0000"}],
    }


def test_a_symbol_without_events_has_an_empty_list_or_a_header_alone():
    """No events is a list without entries, never a missing key."""
    frames = SymbolFrames(FRAMES.bars)
    assert json.loads(rendering.dividends_json(frames, "TEST")) == {"symbol": "TEST", "data": []}
    assert rendering.splits_csv(frames) == b"effective_date,split_factor\r\n"


def test_quote_has_the_recorded_keys():
    """Numbered with two digits; the change is against the close before, the percentage ends in a sign."""
    quote = json.loads(rendering.quote_json(FRAMES, "TEST"))["Global Quote"]
    assert quote == {
        "01. symbol": "TEST",
        "02. open": "21.5000",
        "03. high": "22.5000",
        "04. low": "20.5000",
        "05. price": "21.5000",
        "06. volume": "6154450",
        "07. latest trading day": "2020-01-06",
        "08. previous close": "20.1250",
        "09. change": "1.3750",
        "10. change percent": "6.8323%",
    }
    assert rendering.quote_csv(FRAMES, "TEST").startswith(
        b"symbol,open,high,low,price,volume,latestDay,previousClose,change,changePercent\r\nTEST,"
    )


def test_search_and_listing_have_the_recorded_headers():
    """Headers as recorded; an unknown end of a listing is the word null."""
    listing = Listing("TEST", "Test, Inc", listed_on=dt.date(2020, 1, 2))
    assert rendering.search_csv([(listing, 1.0)]).startswith(
        b"symbol,name,type,region,marketOpen,marketClose,timezone,currency,matchScore\r\nTEST,"
    )
    assert list(json.loads(rendering.search_json([(listing, 0.5)]))["bestMatches"][0]) == [
        "1. symbol",
        "2. name",
        "3. type",
        "4. region",
        "5. marketOpen",
        "6. marketClose",
        "7. timezone",
        "8. currency",
        "9. matchScore",
    ]
    assert rendering.listing_csv([listing], delisted=False) == (
        b"symbol,name,exchange,assetType,ipoDate,delistingDate,status\r\n"
        b'TEST,"Test, Inc",NYSE,Stock,2020-01-02,null,Active\r\n'
    )
