"""Query parameters shared by the routes. Anything that a route does not know is refused, never ignored."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, urlencode

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

__all__ = ["MAX_SERIES_ROWS", "NoQuery", "PageQuery", "RangeQuery", "SeriesQuery", "SessionDate", "next_link"]

MAX_SERIES_ROWS = 5_000
"""Twenty years of sessions of one symbol: about 5 MB of both feature stores."""
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _iso_date(value: object) -> object:
    """Only dates as 2013-03-01; a bare number would otherwise pass as seconds since 1970."""
    if isinstance(value, str):
        if not _ISO_DATE.fullmatch(value):
            raise ValueError("write the date as 2013-03-01")
        return dt.date.fromisoformat(value)
    return value


SessionDate = Annotated[dt.date, BeforeValidator(_iso_date)]


class NoQuery(BaseModel):
    """A route without parameters."""

    model_config = ConfigDict(extra="forbid")


class PageQuery(NoQuery):
    """A part of a list."""

    limit: int = Field(default=100, ge=1, le=1_000, description="Rows of a page.")
    offset: int = Field(default=0, ge=0, le=1_000_000, description="Rows to skip.")


class RangeQuery(PageQuery):
    """A part of a list that has dates."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    start: SessionDate | None = Field(
        default=None, alias="from", description="First session, included.", examples=["2012-03-01"]
    )
    end: SessionDate | None = Field(
        default=None, alias="to", description="Last session, included.", examples=["2013-03-01"]
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.start is not None and self.end is not None and self.start > self.end:
            raise ValueError(f"'from' ({self.start}) lies after 'to' ({self.end}); swap them")
        return self


class SeriesQuery(RangeQuery):
    """A part of a series, counted from its newest session."""

    limit: int = Field(default=250, ge=1, le=MAX_SERIES_ROWS, description="Sessions of a page, the newest first page.")
    offset: int = Field(default=0, ge=0, le=1_000_000, description="Newest sessions to skip.")
    layout: Literal["columns", "records"] = Field(
        default="columns", description="One list per column, or one object per session."
    )


def next_link(path: str, query: PageQuery) -> str:
    """Path and query of the page after this one."""
    given: dict[str, Any] = query.model_dump(by_alias=True, exclude_unset=True, exclude_none=True, mode="json")
    return f"{quote(path)}?{urlencode(given | {'limit': query.limit, 'offset': query.offset + query.limit})}"
