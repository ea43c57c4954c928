"""Keeps the vendor's key out of everything that is written down.

The vendor takes the key in the query string and repeats it in clear text in its daily-limit message, so every text
that leaves this package goes through :func:`redact`. (URLs need no cleaning on the way out: the key is added below
the HTTP client, see ``wire.py``.)
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote, quote_plus

__all__ = ["MASK", "fingerprint", "redact"]

MASK = "<key>"
_SALT = "quant-assets/alpha_vantage/"
_SHORT = 6
"""Keys shorter than this (only made-up ones are) are masked as whole words, or they would eat parts of words."""
_IN_QUERY = re.compile(rf"(apikey=)(?!{MASK})[^&\s\"'#<>]*", re.IGNORECASE)
_IN_SENTENCE = re.compile(rf"(api key as\s+)(?!{MASK})\S+", re.IGNORECASE)
_USER_INFO = re.compile(r"(https?://)[^/@\s]+@", re.IGNORECASE)


def redact(text: str, key: str) -> str:
    """``text`` with the key masked: as itself or URL-quoted, as a query parameter, as the vendor repeats it.

    User name and password in a URL are removed as well. Works without knowing the key (``key=""``) for the
    places where a key is announced by its surroundings.
    """
    for spelling in {key, quote(key, safe=""), quote_plus(key)} - {""}:
        pattern = re.escape(spelling)
        if len(spelling) < _SHORT:
            pattern = rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])"
        text = re.sub(pattern, MASK, text, flags=re.IGNORECASE)
    text = _IN_QUERY.sub(rf"\g<1>{MASK}", text)
    text = _IN_SENTENCE.sub(rf"\g<1>{MASK}", text)
    return _USER_INFO.sub(r"\g<1>", text)


def fingerprint(key: str) -> str:
    """The name under which a key is known in stored state: SHA-256 with this project's fixed salt, 32 hex digits.

    The salt is fixed, not random, since processes and homes must agree on the name without storing a secret. A key
    of the vendor has 16 random letters and digits (about 82 bits), which cannot be guessed back from its hash.
    """
    return hashlib.sha256(f"{_SALT}{key}".encode()).hexdigest()[:32]
