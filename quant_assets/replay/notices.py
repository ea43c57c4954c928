"""The vendor's notices: bodies that say why there is no data. All of them come with HTTP status 200.

The texts are facts of the protocol, as recorded from the vendor. Only :attr:`Notice.MINUTE_CAP` is our wording (no
recording beyond its first words is known), and :attr:`Notice.UNKNOWN_WORDING` stands for a wording nobody has seen yet.
"""

from __future__ import annotations

from enum import StrEnum

from quant_assets.replay.rendering import vendor_json

__all__ = ["Notice", "notice_body"]

_PREMIUM = "https://www.alphavantage.co/premium/"
_THANKS = "Thank you for using Alpha Vantage!"


class Notice(StrEnum):
    """Kinds of notices."""

    FREE_THROTTLE = "free_throttle"
    DAILY_QUOTA = "daily_quota"
    DAILY_QUOTA_2024 = "daily_quota_2024"
    OLD_MINUTE_LIMIT = "old_minute_limit"
    PREMIUM_FUNCTION = "premium_function"
    PREMIUM_PARAMETER = "premium_parameter"
    PREMIUM_SAMPLE = "premium_sample"
    BURST = "burst"
    MINUTE_CAP = "minute_cap"
    KEY_MISSING = "key_missing"
    KEY_MISSING_AS_INFORMATION = "key_missing_as_information"
    INVALID_CALL = "invalid_call"
    UNKNOWN_FUNCTION = "unknown_function"
    DEMO_KEY = "demo_key"
    DEMO_RATE = "demo_rate"
    ACCEPT_HEADER = "accept_header"
    UNKNOWN_WORDING = "unknown_wording"
    EMPTY = "empty"
    EMPTY_QUOTE = "empty_quote"
    NO_MATCHES = "no_matches"


_KEY_MISSING_TEXT = (
    "the parameter apikey is invalid or missing. Please claim your free API key on "
    "(https://www.alphavantage.co/support/#api-key). It should take less than 20 seconds."
)

_TEXTS: dict[Notice, str] = {
    Notice.FREE_THROTTLE: (
        f"{_THANKS} Please consider spreading out your free API requests more sparingly (1 request per second). You "
        f"may subscribe to any of the premium plans at {_PREMIUM} to lift the free key rate limit (25 requests per "
        "day), raise the per-second burst limit, and instantly unlock all premium endpoints"
    ),
    Notice.DAILY_QUOTA: (
        "We have detected your API key as {key} and our standard API rate limit is 25 requests per day. Please "
        f"subscribe to any of the premium plans at {_PREMIUM} to instantly remove all daily rate limits."
    ),
    Notice.DAILY_QUOTA_2024: (
        f"{_THANKS} Our standard API rate limit is 25 requests per day. Please subscribe to any of the premium plans "
        f"at {_PREMIUM} to instantly remove all daily rate limits."
    ),
    Notice.OLD_MINUTE_LIMIT: (
        f"{_THANKS} Our standard API call frequency is 5 calls per minute and 500 calls per day. Please visit "
        f"{_PREMIUM} if you would like to target a higher API call frequency."
    ),
    Notice.PREMIUM_FUNCTION: (
        f"{_THANKS} This is a premium endpoint. You may subscribe to any of the premium plans at {_PREMIUM} to "
        "instantly unlock all premium endpoints"
    ),
    Notice.PREMIUM_PARAMETER: (
        f"{_THANKS} The outputsize=full parameter value is a premium feature for the {{function}} endpoint. You may "
        f"subscribe to any of the premium plans at {_PREMIUM} to instantly unlock all premium features"
    ),
    Notice.BURST: (
        "Burst pattern detected. Please consider spreading out your API requests more evenly across a 1-minute window "
        "and query no more than 30 requests per second."
    ),
    Notice.MINUTE_CAP: "Minute-level rate limit exceeded: your plan allows {calls_per_minute} requests per minute.",
    Notice.KEY_MISSING: _KEY_MISSING_TEXT,
    Notice.KEY_MISSING_AS_INFORMATION: _KEY_MISSING_TEXT,
    Notice.INVALID_CALL: (
        "Invalid API call. Please retry or visit the documentation (https://www.alphavantage.co/documentation/) for "
        "{function}."
    ),
    Notice.UNKNOWN_FUNCTION: "This API function ({function}) does not exist.",
    Notice.DEMO_KEY: (
        "The **demo** API key is for demo purposes only. Please claim your free API key at "
        "(https://www.alphavantage.co/support/#api-key) to explore our full API offerings. It takes fewer than 20 "
        "seconds."
    ),
    Notice.DEMO_RATE: "Please query the demo URLs at no more than 2 requests per second.",
    Notice.ACCEPT_HEADER: "Could not satisfy the request Accept header.",
    Notice.UNKNOWN_WORDING: "Scheduled maintenance of our databases has begun for {function}.",
}

_FIELDS: dict[Notice, str] = {
    Notice.OLD_MINUTE_LIMIT: "Note",
    Notice.KEY_MISSING: "Error Message",
    Notice.INVALID_CALL: "Error Message",
    Notice.UNKNOWN_FUNCTION: "Error Message",
    Notice.ACCEPT_HEADER: "detail",
}
"""JSON key of a text; ``Information`` where it is not listed here."""

_SAMPLE: dict[str, object] = {
    "message": (
        "This is a premium endpoint. ***THE SAMPLE DATA SCHEMA BELOW IS ARTIFICIAL AND FOR ILLUSTRATION PURPOSES "
        f"ONLY***. You may subscribe to any of the premium plans at {_PREMIUM} to instantly unlock all premium "
        "endpoints"
    ),
    "endpoint": "",
    "data": [
        {"date": "2013-03-01", "open": "100.0", "high": "101.0", "low": "99.0", "close": "100.5", "volume": "1000"},
        {"date": "2013-02-28", "open": "99.5", "high": "100.5", "low": "98.5", "close": "100.0", "volume": "1200"},
    ],
}


def notice_body(notice: Notice, *, function: str = "", key: str = "", calls_per_minute: int = 0) -> bytes:
    """JSON body of a notice, as the vendor sends it.

    Parameters
    ----------
    notice : Notice
    function : str
        Function asked for; some texts name it.
    key : str
        The caller's key, which the daily notice repeats in clear.
    calls_per_minute : int
        Cap of the plan, for ``MINUTE_CAP``.
    """
    if notice is Notice.EMPTY:
        return b"{}"
    content: dict[str, object]
    if notice is Notice.EMPTY_QUOTE:
        content = {"Global Quote": {}}
    elif notice is Notice.NO_MATCHES:
        content = {"bestMatches": []}
    elif notice is Notice.PREMIUM_SAMPLE:
        content = _SAMPLE | {"endpoint": function}
    else:
        text = _TEXTS[notice].format(function=function, key=key, calls_per_minute=calls_per_minute)
        content = {_FIELDS.get(notice, "Information"): text}
    return vendor_json(content)
