"""The vendor's notices as recorded, with what each of them means: one row per notice."""

from __future__ import annotations

from quant_assets.market_data.ports import FetchOutcome
from tests.support.vendor_server import notice

__all__ = ["KEY", "NOTICE_BODIES"]

KEY = "Q7W1ER5TY9UIOP3A"
"""A made-up key in the vendor's form."""
_SUBSCRIBE = "subscribe to any of the premium plans at https://www.alphavantage.co/premium/ to"
_THANKS = "Thank you for using Alpha Vantage!"

NOTICE_BODIES: dict[str, tuple[bytes, FetchOutcome]] = {
    "free key per-second throttle": (
        notice(
            f"{_THANKS} Please consider spreading out your free API requests more sparingly (1 request per second). "
            f"You may {_SUBSCRIBE} lift the free key rate limit (25 requests per day), raise the per-second burst "
            "limit, and instantly unlock all premium endpoints"
        ),
        FetchOutcome.THROTTLED,
    ),
    "daily quota": (
        notice(
            f"We have detected your API key as {KEY} and our standard API rate limit is 25 requests per day. "
            f"Please {_SUBSCRIBE} instantly remove all daily rate limits."
        ),
        FetchOutcome.DAILY_QUOTA,
    ),
    "daily quota in the wording of 2024": (
        notice(
            f"{_THANKS} Our standard API rate limit is 25 requests per day. Please {_SUBSCRIBE} instantly remove "
            "all daily rate limits."
        ),
        FetchOutcome.DAILY_QUOTA,
    ),
    "daily quota in words not seen yet": (
        notice("You have used all 25 requests per day of your plan."),
        FetchOutcome.DAILY_QUOTA,
    ),
    "minute limit until 2023": (
        notice(
            f"{_THANKS} Our standard API call frequency is 5 calls per minute and 500 calls per day. Please visit "
            "https://www.alphavantage.co/premium/ if you would like to target a higher API call frequency.",
            "Note",
        ),
        FetchOutcome.THROTTLED,
    ),
    "premium function": (
        notice(f"{_THANKS} This is a premium endpoint. You may {_SUBSCRIBE} instantly unlock all premium endpoints"),
        FetchOutcome.FUNCTION_NOT_ENTITLED,
    ),
    "premium parameter": (
        notice(
            f"{_THANKS} The outputsize=full parameter value is a premium feature for the TIME_SERIES_DAILY endpoint. "
            f"You may {_SUBSCRIBE} instantly unlock all premium features"
        ),
        FetchOutcome.PARAMETER_NOT_ENTITLED,
    ),
    "premium function with an artificial sample": (
        notice(
            "This is a premium endpoint. ***THE SAMPLE DATA SCHEMA BELOW IS ARTIFICIAL AND FOR ILLUSTRATION PURPOSES "
            f"ONLY***. Please {_SUBSCRIBE} instantly unlock all premium endpoints",
            "message",
            endpoint="Historical data",
            data=[{"date": "2024-01-05", "close": "160.00"}],
        ),
        FetchOutcome.FUNCTION_NOT_ENTITLED,
    ),
    "artificial sample without the word premium": (
        notice(
            "***THE SAMPLE DATA SCHEMA BELOW IS ARTIFICIAL AND FOR ILLUSTRATION PURPOSES ONLY***.",
            "message",
            symbol="IBM",
            data=[{"effective_date": "2024-01-05", "split_factor": "2.0"}],
        ),
        FetchOutcome.FUNCTION_NOT_ENTITLED,
    ),
    "premium key burst": (
        notice(
            "Burst pattern detected. Please consider spreading out your API requests more evenly across a 1-minute "
            "window and query no more than 30 requests per second."
        ),
        FetchOutcome.THROTTLED,
    ),
    "premium key minute cap": (
        notice("Minute-level rate limit exceeded for your plan."),
        FetchOutcome.THROTTLED,
    ),
    "key missing": (
        notice(
            "the parameter apikey is invalid or missing. Please claim your free API key on "
            "(https://www.alphavantage.co/support/#api-key). It should take less than 20 seconds.",
            "Error Message",
        ),
        FetchOutcome.KEY_REJECTED,
    ),
    "key missing under the other name": (
        notice("the parameter apikey is invalid or missing. Please claim your free API key."),
        FetchOutcome.KEY_REJECTED,
    ),
    "demo key": (
        notice(
            "The **demo** API key is for demo purposes only. Please claim your free API key at "
            "(https://www.alphavantage.co/support/#api-key) to explore our full API offerings. "
            "It takes fewer than 20 seconds."
        ),
        FetchOutcome.KEY_REJECTED,
    ),
    "demo key too fast": (
        notice("Please query the demo URLs at no more than 2 requests per second."),
        FetchOutcome.THROTTLED,
    ),
    "unknown symbol": (
        notice(
            "Invalid API call. Please retry or visit the documentation (https://www.alphavantage.co/documentation/) "
            "for TIME_SERIES_DAILY.",
            "Error Message",
        ),
        FetchOutcome.BAD_SYMBOL,
    ),
    "unknown function": (
        notice("This API function (TIME_SERIES_DAILY) does not exist.", "Error Message"),
        FetchOutcome.FUNCTION_NOT_ENTITLED,
    ),
    "a notice nobody has seen": (
        notice("We are moving house this weekend."),
        FetchOutcome.UNRECOGNISED,
    ),
    "a server fault or an unknown symbol of some functions": (b"{}", FetchOutcome.EMPTY),
    "unknown symbol of GLOBAL_QUOTE": (b'{"Global Quote": {}}', FetchOutcome.EMPTY),
    "no match of SYMBOL_SEARCH": (b'{"bestMatches": []}', FetchOutcome.EMPTY),
    "refused LISTING_STATUS": (b"{}", FetchOutcome.EMPTY),
}
"""Body and outcome by condition."""
