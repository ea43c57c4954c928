"""What the vendor's endpoint answers to a well-formed call: one pure-looking function from call to body.

Bodies of time series are kept, newest used last, up to a bound in bytes, and dropped when the clock moves.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from quant_assets.replay import rendering
from quant_assets.replay.clock import ReplayClock
from quant_assets.replay.history import History, Listing, SymbolFrames
from quant_assets.replay.notices import Notice, notice_body
from quant_assets.replay.vintage import Vintage, served_frames, vintage_of

__all__ = ["ADJUSTED", "CSV_TYPE", "DAILY", "JSON_TYPE", "Answer", "Answers", "Call"]

DAILY = "TIME_SERIES_DAILY"
ADJUSTED = "TIME_SERIES_DAILY_ADJUSTED"
JSON_TYPE = "application/json"
CSV_TYPE = "application/x-download"
_SERIES = (DAILY, ADJUSTED)
_EVENTS = ("SPLITS", "DIVIDENDS")
_OTHERS = ("GLOBAL_QUOTE", "SYMBOL_SEARCH", "LISTING_STATUS")
_CACHE_BYTES = 256 * 2**20
"""Bound of kept bodies: 500 full series of 5,000 bars as CSV take about 120 MiB, adjusted ones 190 MiB."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the vendor's protocol, without its key. Texts are as sent, the symbol in capitals."""

    function: str
    symbol: str = ""
    outputsize: str = "compact"
    datatype: str = "json"
    keywords: str = ""
    state: str = "active"

    @property
    def is_known(self) -> bool:
        """Whether this server knows the function."""
        return self.function in (*_SERIES, *_EVENTS, *_OTHERS)

    @property
    def is_csv(self) -> bool:
        """Whether the answer is wanted as CSV."""
        return self.datatype == "csv"


@dataclass(frozen=True, slots=True)
class Answer:
    """A body with its content type; ``outcome`` says in one word what it is (``data`` or a notice)."""

    body: bytes
    content_type: str = JSON_TYPE
    outcome: str = "data"


class Answers:
    """Answers calls from a history as of a clock."""

    def __init__(self, history: History, clock: ReplayClock, *, partial_bars: bool) -> None:
        self._history = history
        self._clock = clock
        self._partial_bars = partial_bars
        self._symbols = {symbol.upper(): symbol for symbol in history.symbols()}
        self._bodies: OrderedDict[Call, bytes] = OrderedDict()
        self._kept_bytes = 0
        self._vintage: Vintage | None = None

    def refuse(self, notice: Notice, call: Call, *, key: str = "", calls_per_minute: int = 0) -> Answer:
        """A notice as an answer."""
        body = notice_body(notice, function=call.function, key=key, calls_per_minute=calls_per_minute)
        return Answer(body, outcome=str(notice))

    def answer(self, call: Call) -> Answer:
        """The right answer to a call that its plan allows."""
        if not call.is_known:
            return self.refuse(Notice.UNKNOWN_FUNCTION, call)
        if call.datatype not in ("json", "csv") or call.outputsize not in ("compact", "full"):
            return self.refuse(Notice.INVALID_CALL, call)
        if call.function == "SYMBOL_SEARCH":
            return self._search(call)
        if call.function == "LISTING_STATUS":
            return self._listings(call)
        vintage = vintage_of(self._clock, partial_bars=self._partial_bars)
        body = self._kept_body(call, vintage)
        return _unknown_symbol(self, call) if body is None else _data(call, body)

    def empty_series(self, call: Call) -> Answer:
        """A time series without a row; other functions answer an empty object."""
        if call.function not in _SERIES:
            return self.refuse(Notice.EMPTY, call)
        bars = self._history.bars(self._history.symbols()[0]).clear()
        return _data(call, _render(call, SymbolFrames(bars), Vintage(self._clock.final_date)))

    def with_partial_bar(self, call: Call) -> Answer:
        """The right answer with an unfinished bar of the clock's date on top."""
        vintage = vintage_of(self._clock, partial_bars=True, forced=True)
        body = self._body(call, vintage, invent=True)
        return _unknown_symbol(self, call) if body is None else _data(call, body)

    def _kept_body(self, call: Call, vintage: Vintage) -> bytes | None:
        if vintage != self._vintage:
            self._bodies.clear()
            self._kept_bytes, self._vintage = 0, vintage
        call = replace(call, keywords="", state="active")
        kept = self._bodies.get(call)
        if kept is not None:
            self._bodies.move_to_end(call)
            return kept
        body = self._body(call, vintage)
        if body is not None:
            self._bodies[call] = body
            self._kept_bytes += len(body)
        while self._kept_bytes > _CACHE_BYTES:
            self._kept_bytes -= len(self._bodies.popitem(last=False)[1])
        return body

    def _body(self, call: Call, vintage: Vintage, *, invent: bool = False) -> bytes | None:
        """Body of a call that concerns one symbol; None where the symbol is not (yet) known."""
        symbol = self._symbols.get(call.symbol)
        if symbol is None:
            return None
        frames = served_frames(self._history, symbol, vintage, invent=invent)
        return None if frames.bars.is_empty() else _render(call, frames, vintage)

    def _known_listings(self) -> list[Listing]:
        """Listings as they stood: a later delisting is not known yet."""
        today = self._clock.final_date
        known = []
        for symbol in self._history.symbols():
            entry = self._history.listing(symbol)
            if entry.listed_on is not None and entry.listed_on <= today:
                is_gone = entry.delisted_on is not None and entry.delisted_on < today
                known.append(entry if is_gone else replace(entry, delisted_on=None))
        return known

    def _search(self, call: Call) -> Answer:
        wanted = call.keywords.strip().upper()
        scored = [
            (entry, len(wanted) / max(len(wanted), len(entry.symbol)))
            for entry in self._known_listings()
            if wanted and (entry.symbol.upper().startswith(wanted) or wanted in entry.name.upper())
        ]
        scored.sort(key=lambda match: -match[1])
        return _data(call, rendering.search_csv(scored) if call.is_csv else rendering.search_json(scored))

    def _listings(self, call: Call) -> Answer:
        delisted = call.state == "delisted"
        listings = [entry for entry in self._known_listings() if (entry.delisted_on is not None) == delisted]
        return Answer(rendering.listing_csv(listings, delisted=delisted), CSV_TYPE)


def _data(call: Call, body: bytes) -> Answer:
    return Answer(body, CSV_TYPE if call.is_csv else JSON_TYPE)


def _unknown_symbol(answers: Answers, call: Call) -> Answer:
    notice = Notice.EMPTY_QUOTE if call.function == "GLOBAL_QUOTE" else Notice.INVALID_CALL
    return answers.refuse(Notice.EMPTY if call.function in _EVENTS else notice, call)


def _render(call: Call, frames: SymbolFrames, vintage: Vintage) -> bytes:
    full = call.outputsize == "full"
    newest = "" if frames.bars.is_empty() else f"{frames.bars.item(-1, 'date')}"
    refreshed = vintage.refreshed if newest == f"{vintage.running}" else newest
    csv: dict[str, Callable[[], bytes]] = {
        DAILY: lambda: rendering.daily_csv(frames, full=full),
        ADJUSTED: lambda: rendering.adjusted_csv(frames, full=full),
        "SPLITS": lambda: rendering.splits_csv(frames),
        "DIVIDENDS": lambda: rendering.dividends_csv(frames),
        "GLOBAL_QUOTE": lambda: rendering.quote_csv(frames, call.symbol),
    }
    json: dict[str, Callable[[], bytes]] = {
        DAILY: lambda: rendering.daily_json(frames, call.symbol, refreshed, full=full),
        ADJUSTED: lambda: rendering.adjusted_json(frames, call.symbol, refreshed, full=full),
        "SPLITS": lambda: rendering.splits_json(frames, call.symbol),
        "DIVIDENDS": lambda: rendering.dividends_json(frames, call.symbol),
        "GLOBAL_QUOTE": lambda: rendering.quote_json(frames, call.symbol),
    }
    return (csv if call.is_csv else json)[call.function]()
