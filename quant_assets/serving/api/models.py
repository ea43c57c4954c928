"""Shapes of answers, as the OpenAPI document describes them.

Answers are encoded from frames without passing through these models, which would cost more than the query; the tests
hold every answer against its model.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydantic import BaseModel, Field, create_model
from pydantic.fields import FieldInfo

__all__ = ["FACTS_EXAMPLE", "Envelope", "Page", "ProblemDetails", "example_of", "listing_model", "series_model"]


class Page(BaseModel):
    """Which part of the whole an answer holds."""

    limit: int = Field(description="Rows asked for.", examples=[250])
    offset: int = Field(description="Rows skipped.", examples=[0])
    count: int = Field(description="Rows in this answer.", examples=[1])
    next: str | None = Field(
        description="Path and query of the next page; null on the last.",
        examples=["/api/v1/ml/models?limit=250&offset=250"],
    )


class Envelope(BaseModel):
    """What every answer carries beside its data."""

    as_of: dt.date | None = Field(
        description="Session up to which everything was computed; nothing in the answer used anything later.",
        examples=["2013-03-01"],
    )
    published_at: dt.datetime = Field(
        description="Instant (UTC) at which the publication was written.", examples=["2026-11-21T11:04:31Z"]
    )
    source: str | None = Field(description="Where the prices come from.", examples=["replay-packaged"])
    disclaimer: str = Field(
        description="What must be said beside the figures.",
        examples=["Derived from packaged public-domain history: not current. Research output, not investment advice."],
    )
    note: str | None = Field(default=None, description="Why there is nothing to show, where there is nothing.")


class ProblemDetails(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(description="URI that names the kind of problem.")
    title: str = Field(description="Name of the HTTP status.")
    status: int = Field(description="HTTP status.")
    detail: str = Field(description="What is wrong, and what to do next.")
    instance: str = Field(description="Path that was asked.")
    near: list[str] = Field(default=[], description="Names that may have been meant.")
    errors: list[dict[str, str]] = Field(default=[], description="Each invalid parameter and why.")
    as_of: dt.date | None = Field(default=None, description="As in every answer.")
    published_at: dt.datetime | None = Field(default=None, description="As in every answer.")
    source: str | None = Field(default=None, description="As in every answer.")
    disclaimer: str | None = Field(default=None, description="As in every answer.")


def example_of(model: type[BaseModel]) -> dict[str, Any]:
    """An example of a model, made of the examples of its fields."""
    fields = model.model_fields.items()
    return {field.alias or name: field.examples[0] for name, field in fields if field.examples}


FACTS_EXAMPLE = example_of(Envelope)


def listing_model(name: str, row: type[BaseModel], **more: Any) -> type[BaseModel]:
    """Model of a page of records; ``more`` holds further fields as pydantic's ``create_model`` takes them."""
    example = FACTS_EXAMPLE | {"page": example_of(Page), "data": [example_of(row)]}
    fields: dict[str, Any] = {"page": (Page, ...), "data": (list[row], Field(description="The records."))}  # type: ignore[valid-type]  # a model made at run time
    return _model(name, fields | more, example)


def series_model(name: str, row: type[BaseModel], **more: Any) -> type[BaseModel]:
    """Model of a page of one series, by columns (default) or by records."""
    columns: Any = create_model(
        name.removesuffix("Series") + "Columns",
        __doc__="One list per column, all of the same length.",
        **{field_name: _column(field) for field_name, field in row.model_fields.items()},
    )
    data = {key: [value] for key, value in example_of(row).items()}
    example = FACTS_EXAMPLE | {"symbol": "IBM", "page": example_of(Page), "data": data}
    fields: dict[str, Any] = {
        "symbol": (str, Field(description="Symbol, as the universe writes it.")),
        "page": (Page, ...),
        "data": (columns | list[row], Field(description="In order of date; by records with layout=records.")),  # type: ignore[valid-type]  # a model made at run time
    }
    return _model(name, fields | more, example)


def _column(field: FieldInfo) -> Any:
    """A field of records as a field of columns: a list of what it holds, left out where it may be."""
    values: Any = list[field.annotation]  # type: ignore[name-defined]  # a type known at run time
    if field.is_required():
        return values, Field(description=field.description)
    return values | None, Field(default=None, description=field.description)


def _model(name: str, fields: dict[str, Any], example: dict[str, Any]) -> type[BaseModel]:
    made: type[BaseModel] = create_model(name, __base__=Envelope, __doc__=f"{name} as published.", **fields)
    made.model_config["json_schema_extra"] = {"examples": [example_of(made) | example]}
    made.model_rebuild(force=True)
    return made
