"""Reading a person's own price file, all of it or nothing."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from quant_assets.foundation.errors import PriceFileError, UsageError
from quant_assets.market_data.ports import BARS_SCHEMA
from quant_assets.market_data.price_file_columns import Vendor
from quant_assets.market_data.price_file_rejects import RejectedPriceFileError
from quant_assets.market_data.price_files import FileSetting, ImportOptions, read_price_file

LAST = dt.date(2020, 9, 30)
NO_ACTIONS = pl.DataFrame(
    schema={"symbol": pl.String, "effective_date": pl.Date, "kind": pl.String, "value": pl.Float64}
)
HEADER = "date,open,high,low,close,volume"
GOOD = "2020-01-02,10,11,9,10.5,1000"
AS_TRADED = ImportOptions(adjusted_for="none")


@pytest.fixture
def setting(calendar) -> FileSetting:
    return FileSetting(frozenset({"AAPL", "IBM", "BRK-B"}), LAST, calendar, NO_ACTIONS)


@pytest.fixture
def read(tmp_path, setting):
    """Write text to a file of the given name and read it as a price file."""

    def reader(text: str | bytes, name: str = "IBM.csv", options: ImportOptions = AS_TRADED, known=setting):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_price_file(path, options, known)

    return reader


def rejected(read, *lines: str, **how) -> RejectedPriceFileError:
    with pytest.raises(PriceFileError) as caught:
        read("\n".join([HEADER, *lines]), **how)
    return caught.value


def test_alpha_vantage_file_is_as_traded_by_itself(read):
    """The vendor's own columns need no further word: prices as traded, with dividends and splits."""
    file = read(
        "timestamp,open,high,low,close,adjusted_close,volume,dividend_amount,split_coefficient\r\n"
        "2020-08-31,127.58,131,126,129.04,129.04,225702688,0.0000,4.0\r\n"
        "2020-08-28,504.05,505.77,498.31,499.23,124.8075,46907479,0.0000,1.0\r\n",
        "daily_adjusted_AAPL.csv",
        ImportOptions(),
    )
    assert file.vendor is Vendor.ALPHA_VANTAGE
    assert file.bars.schema == pl.Schema(BARS_SCHEMA)
    assert file.bars.select("symbol", "date", "close", "volume", "split_coefficient").rows() == [
        ("AAPL", dt.date(2020, 8, 28), 499.23, 46907479, 1.0),
        ("AAPL", dt.date(2020, 8, 31), 129.04, 225702688, 4.0),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Date,Open,High,Low,Close,Adj Close,Volume\n2020-01-02,10,11,9,10.5,10.1,1000\n",
        "<TICKER>,<PER>,<DATE>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>\nIBM.US,D,20200102,10,11,9,10.5,1000\n",
        "Date;Open;High;Low;Close;Volume\n2020-01-02;10;11;9;10.5;1000\n",
        "DATE\tOPEN\tHIGH\tLOW\tCLOSE\tVOLUME\n2020-01-02 00:00:00-05:00\t10\t11\t9\t10.5\t1000.0\n",
        "date,1. open,2. high,3. low,4. close,5. volume\n\n2020-01-02,10,11,9,10.5,1000\n\n",
    ],
)
def test_column_names_of_others(read, text):
    """Names of Yahoo, Stooq and plain files are understood in any case, with any of three separators."""
    bars = read(text).bars
    assert bars.select("symbol", "date", "open", "high", "low", "close", "volume").rows() == [
        ("IBM", dt.date(2020, 1, 2), 10.0, 11.0, 9.0, 10.5, 1000)
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(read, encoding):
    """UTF-8 with and without a byte order mark and UTF-16 with one are read alike."""
    assert read(f"{HEADER}\n{GOOD}\n".encode(encoding)).bars.height == 1


def test_parquet_file(tmp_path, setting):
    """A Parquet file with typed columns is read, and single precision is rounded to what it holds."""
    path = tmp_path / "IBM.parquet"
    midnights = pl.Series([dt.date(2020, 1, 2), dt.date(2020, 1, 3)]).cast(pl.Datetime("us"))
    pl.DataFrame(
        {
            "Date": midnights.dt.replace_time_zone("America/New_York"),
            **{name: pl.Series([118.56, 119.01], dtype=pl.Float32) for name in ("Open", "High", "Low", "Close")},
            "Volume": [1000, 2000],
        }
    ).write_parquet(path)
    bars = read_price_file(path, AS_TRADED, setting).bars
    assert bars["close"].to_list() == [118.56, 119.01]
    assert bars["date"].to_list() == [dt.date(2020, 1, 2), dt.date(2020, 1, 3)]


def test_yahoo_text_in_single_precision(read):
    """118.559998 in a file of Yahoo is 118.56."""
    file = read("Date,Open,High,Low,Close,Adj Close,Volume\n2020-01-02,118.559998,118.559998,117.550003,118.0,10.1,1\n")
    assert file.bars.select("open", "low").row(0) == (118.56, 117.55)
    assert not file.is_reinvested_at_ex_close


def test_unknown_adjustment_must_be_said(read):
    """A file that is not the vendor's is refused until the person says what its prices are adjusted for."""
    with pytest.raises(PriceFileError, match="add --adjusted-for splits"):
        read(f"{HEADER}\n{GOOD}\n", options=ImportOptions())
    with pytest.raises(UsageError, match="write none or splits"):
        ImportOptions(adjusted_for="dividends")


YAHOO = (
    "Date,Open,High,Low,Close,Adj Close,Volume,Dividends,Stock Splits\n"
    "2020-08-06,113.902496,113.902496,113.902496,113.902496,112.0,400,0.205,0.0\n"
    "2020-08-28,124.807503,124.807503,124.807503,124.807503,123.0,400,0.0,0.0\n"
    "2020-08-31,129.039993,129.039993,129.039993,129.039993,128.0,100,0.0,4.0\n"
)


def test_own_splits_are_undone(read):
    """Prices and dividends before the file's own split are multiplied, volume divided: as they traded."""
    file = read(YAHOO, "AAPL.csv", ImportOptions(adjusted_for="splits"))
    assert file.bars.select("close", "volume", "dividend_amount", "split_coefficient").rows() == [
        (455.61, 100, 0.82, 1.0),
        (499.23, 100, 0.0, 1.0),
        (129.04, 100, 0.0, 4.0),
    ]
    assert file.bars["adjusted_close"].to_list() == [112.0, 123.0, 128.0]


def test_known_splits_are_undone(read, setting, calendar):
    """Without a column of splits the known ones up to the download are undone; without either it is refused."""
    plain = f"{HEADER}\n2020-08-28,124.8075,124.8075,124.8075,124.8075,400\n"
    options = ImportOptions(adjusted_for="splits")
    with pytest.raises(PriceFileError, match="splits of AAPL are not known here"):
        read(plain, "AAPL.csv", options)
    split = pl.DataFrame(
        {
            "symbol": ["AAPL", "AAPL"],
            "effective_date": [dt.date(2020, 8, 31), dt.date(2020, 6, 1)],
            "kind": ["split", "split"],
            "value": [4.0, 7.0],
        }
    )
    known = FileSetting(setting.symbols, LAST, calendar, split, frozenset({"AAPL"}))
    assert read(plain, "AAPL.csv", options, known).bars.select("close", "volume").row(0) == (499.23, 100)
    downloaded_before = ImportOptions(adjusted_for="splits", adjusted_on=dt.date(2020, 8, 28))
    assert read(plain, "AAPL.csv", downloaded_before, known).bars["close"].item() == 124.8075
    with pytest.raises(PriceFileError, match="give the day of its download"):
        read(plain, "AAPL.csv", ImportOptions(adjusted_for="splits", adjusted_on=dt.date(2020, 8, 27)), known)


def test_spin_offs_of_yahoo_are_undone(read):
    """Yahoo lists a spin-off as a split of 1046 for 1000 and divides by it, so it is multiplied back."""
    text = YAHOO.replace("4.0\n", "1.046\n")
    bars = read(text, "AAPL.csv", ImportOptions(adjusted_for="splits")).bars
    assert bars["close"][1] == pytest.approx(124.8075 * 1.046, abs=5e-5)


@pytest.mark.parametrize(
    ("line", "column", "reason"),
    [
        ('2020-01-02,10,"1,234.50",9,10.5,1000', "high", "thousands separator"),
        ('2020-01-02,10,11,9,10.5,"1,000"', "volume", "thousands separator"),
        ('2020-01-02,10,11,9,"10,5",1000', "close", "not a number"),
        ("2020-01-02,$10,11,9,10.5,1000", "open", "not a number"),
        ("02/01/2020,10,11,9,10.5,1000", "date", "not a date"),
        ("2020-10-01,10,11,9,10.5,1000", "date", "in the future"),
        ("1989-12-29,10,11,9,10.5,1000", "date", "before 1990-01-01"),
        ("2020-01-04,10,11,9,10.5,1000", "date", "closed on that day"),
        ("2020-01-02,10,9,11,10.5,1000", "high", "below the low"),
        ("2020-01-02,0,11,9,10.5,1000", "open", "above 0"),
        ("2020-01-02,10,,9,10.5,1000", "high", "price is missing"),
        ("2020-01-02,10,11,9,10.5,-5", "volume", "below 0"),
        ("2020-01-02,10,11,9,10.5,1e300", "volume", "too large"),
        ("2020-01-02,10,11,9,10.5,inf", "volume", "too large"),
    ],
)
def test_bad_values_are_rejected_with_their_line(read, line, column, reason):
    """Each bad value is named with line, column, value and reason, and nothing of the file is taken."""
    error = rejected(read, "2020-01-03,10,11,9,10.5,1000", "", line)
    assert [(reject.line, reject.column) for reject in error.details] == [(4, column)]
    assert reason in error.details[0].reason
    assert "1 of its 2 rows" in str(error)
    assert "line 4" in str(error)
    assert error.rejected == 1


def test_all_bad_lines_are_listed_in_order(read):
    """Every bad value is listed, in the order of the file."""
    error = rejected(read, "2020-01-06,x,11,9,10.5,1000", GOOD, "2020-01-04,10,11,9,y,1000")
    assert [(reject.line, reject.column) for reject in error.details] == [(2, "open"), (4, "close"), (4, "date")]


def test_repeated_rows_are_rejected(read):
    """A day that comes twice is rejected with both lines, even when the rows agree."""
    error = rejected(read, GOOD, GOOD)
    assert [reject.line for reject in error.details] == [2, 3]


def test_ragged_lines_are_rejected(read):
    """A line with another number of values, as an unquoted thousands separator makes it, is named."""
    error = rejected(read, GOOD, "2020-01-03,10,11,9,10.5,1,000")
    assert [(reject.line, reject.reason[:15]) for reject in error.details] == [(3, "it has 7 values")]


def test_lines_without_any_price_are_passed_over(read):
    """Yahoo's lines of nulls are left out and listed; a file of nothing else is refused."""
    file = read(f"{HEADER}\n2020-01-01,null,null,null,null,null\n{GOOD}\n")
    assert (file.bars.height, file.skipped_lines) == (1, (2,))
    with pytest.raises(PriceFileError, match="no row with a price"):
        read(f"{HEADER}\n2020-01-02,null,null,null,null,null\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no rows"),
        (HEADER.encode(), "has no rows"),
        (b"date,open,close,volume\n2020-01-02,1,1,1\n", "no column for high and low"),
        (b"date,timestamp,open,high,low,close,volume\n1,1,1,1,1,1,1\n", "two columns for the date"),
        (b"date,date,open,high,low,close,volume\n1,1,1,1,1,1,1\n", "two columns named 'date'"),
        ("datum,eröffnung\n".encode("latin-1"), "save it as CSV in UTF-8"),
        (b"\x00\x01\x02", "neither text nor Parquet"),
        (b"PAR1 and then nothing", "is damaged"),
    ],
)
def test_files_of_another_kind_are_refused(read, content, message):
    """An empty, damaged or foreign file is refused with one sentence that says what to do."""
    with pytest.raises(RejectedPriceFileError, match=message) as caught:
        read(content)
    assert str(caught.value).count("\n") == 0
    assert caught.value.exit_code == 2


def test_missing_file_is_refused(tmp_path, setting):
    """A path that cannot be read is refused by name."""
    with pytest.raises(PriceFileError, match=r"nowhere\.csv cannot be read"):
        read_price_file(tmp_path / "nowhere.csv", AS_TRADED, setting)


def test_symbol_comes_from_column_option_or_name(read):
    """A column, --symbol or the one universe symbol in the file's name says whose prices they are."""
    assert read(f"symbol,{HEADER}\nibm,{GOOD}\nAAPL.US,{GOOD}\n", "x.csv").bars["symbol"].to_list() == ["AAPL", "IBM"]
    by_option = ImportOptions("brk-b", "none")
    assert read(f"{HEADER}\n{GOOD}\n", "x.csv", by_option).bars["symbol"].to_list() == ["BRK-B"]
    assert read(f"{HEADER}\n{GOOD}\n", "aapl_us_d.csv").bars["symbol"].to_list() == ["AAPL"]
    for name in ("x.csv", "AAPL_IBM.csv"):
        with pytest.raises(PriceFileError, match="add --symbol"):
            read(f"{HEADER}\n{GOOD}\n", name)
    with pytest.raises(PriceFileError, match="leave out --symbol"):
        read(f"symbol,{HEADER}\nIBM,{GOOD}\n", "x.csv", by_option)


def test_symbols_outside_the_universe_are_refused(read):
    """A symbol that the home does not cover is named once, with what to do."""
    with pytest.raises(PriceFileError, match="not in the universe file") as caught:
        read(f"symbol,{HEADER}\nIBM,{GOOD}\nTSLA,{GOOD}\nTSLA,2020-01-03,1,1,1,1,1\n", "x.csv")
    assert [(reject.line, reject.value) for reject in caught.value.details] == [(3, "TSLA")]
    with pytest.raises(PriceFileError, match="'TSLA' is not in the universe"):
        read(f"{HEADER}\n{GOOD}\n", "x.csv", ImportOptions("TSLA", "none"))
