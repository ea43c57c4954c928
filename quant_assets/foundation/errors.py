"""The exception tree. A caller catches at the level it can act on; every message says what to do next.

::

    QuantError                      exit code 1
    ├── UsageError                  exit code 2: the person asked for something that cannot be
    │   ├── ConfigurationError      settings, universe file, environment
    │   ├── SourceMismatchError     the home was filled from another source
    │   ├── AsOfError               an as-of date that cannot be served
    │   └── PriceFileError          a price file that cannot be imported
    ├── RunLockedError              another run holds the run lock and waiting was refused
    ├── StorageError                a file of the home cannot be read or written
    │   └── CorruptDatabaseError    a database file is damaged
    ├── TableContractError          a frame does not fit the declaration of its table
    ├── DataError                   stored data that a step cannot work with
    └── VendorError                 the price vendor did not answer with data
        ├── VendorKeyError          key missing, invalid or the demo key
        ├── DailyQuotaError         the day's calls are spent
        ├── ThrottledError          too fast; retryable
        ├── NotEntitledError        the plan does not include the function or the parameter
        ├── BadSymbolError          unknown symbol or parameter
        ├── EmptyReplyError         ``{}`` or a reply without rows; retryable, never truth
        ├── UnrecognisedReplyError  a reply that fits no known shape
        ├── ServerFaultError        HTTP 5xx; retryable
        ├── TransportError          connection or time-out; retryable
        └── CircuitOpenError        the breaker is open, no call was made
"""

from __future__ import annotations

__all__ = [
    "AsOfError",
    "BadSymbolError",
    "CircuitOpenError",
    "ConfigurationError",
    "CorruptDatabaseError",
    "DailyQuotaError",
    "DataError",
    "EmptyReplyError",
    "NotEntitledError",
    "PriceFileError",
    "QuantError",
    "RunLockedError",
    "ServerFaultError",
    "SourceMismatchError",
    "StorageError",
    "TableContractError",
    "ThrottledError",
    "TransportError",
    "UnrecognisedReplyError",
    "UsageError",
    "VendorError",
    "VendorKeyError",
]


class QuantError(Exception):
    """Root of every error this project raises on purpose."""

    exit_code = 1


class UsageError(QuantError):
    """The request itself is wrong."""

    exit_code = 2


class ConfigurationError(UsageError):
    """Settings, the universe file or the environment are wrong."""


class SourceMismatchError(UsageError):
    """The home was filled from another source."""


class AsOfError(UsageError):
    """An as-of date that cannot be served."""


class PriceFileError(UsageError):
    """A price file that cannot be imported."""


class RunLockedError(QuantError):
    """Another run holds the run lock."""


class StorageError(QuantError):
    """A file of the home cannot be read or written."""


class CorruptDatabaseError(StorageError):
    """A database file is damaged; it is never replaced silently."""


class TableContractError(QuantError):
    """A frame does not fit the declaration of the table it is meant for."""


class DataError(QuantError):
    """Stored data that a step cannot work with."""


class VendorError(QuantError):
    """The price vendor did not answer with data."""


class VendorKeyError(VendorError):
    """The key is missing, invalid or the demo key."""


class DailyQuotaError(VendorError):
    """The day's calls are spent."""


class ThrottledError(VendorError):
    """Calls came too fast."""


class NotEntitledError(VendorError):
    """The plan does not include the function or the parameter value."""


class BadSymbolError(VendorError):
    """Unknown symbol or parameter."""


class EmptyReplyError(VendorError):
    """An empty reply, which is never taken for "no data exists"."""


class UnrecognisedReplyError(VendorError):
    """A reply that fits no known shape."""


class ServerFaultError(VendorError):
    """The server answered with a 5xx status."""


class TransportError(VendorError):
    """The connection failed or timed out."""


class CircuitOpenError(VendorError):
    """The circuit breaker is open; no call was made."""
