"""The OpenAPI document: what FastAPI derives from the routes, with the errors as they really are."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from quant_assets.serving.api.models import ProblemDetails
from quant_assets.serving.api.problems import MEDIA_TYPE

__all__ = ["describe", "query_parameters"]

_PROBLEMS = {
    "401": "A token is asked for and none that fits was sent.",
    "404": "Unknown name, with near matches; or nothing of it has been published yet.",
    "413": "A body was sent.",
    "414": "The URL is too long.",
    "421": "Asked under a host name that is not served.",
    "422": "A parameter is wrong or unknown.",
    "429": "Too many requests; see Retry-After.",
    "500": "The server failed.",
    "503": "Nothing is published yet, too many requests are in work, or the query took too long.",
}
_TEXT = """\
Read-only access to what the last run published. Nothing can be changed here: training, tuning and deleting are Dagster
jobs.

Lists answer 200 with an empty list and a note where nothing has been published of their kind; a single thing that has
not been published answers 404. Symbols are understood in lower case. A parameter that a route does not know is refused.
Every answer has an entity tag that changes with the publication: send it back as `If-None-Match` and get 304.
"""


def describe(application: FastAPI) -> dict[str, Any]:
    """Build the document once."""
    if application.openapi_schema:
        return application.openapi_schema
    document = get_openapi(
        title=application.title, version=application.version, description=_TEXT, routes=application.routes
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["ProblemDetails"] = ProblemDetails.model_json_schema()
    document["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "Only where QUANT_API_TOKENS is set."}
    }
    for path, operations in document["paths"].items():
        operation = operations["get"]
        is_health = path.endswith("/health")
        operation["security"] = [] if is_health else [{}, {"token": []}]
        for status, description in _PROBLEMS.items():
            if is_health and status in {"401", "404", "503"}:
                continue
            operation["responses"][status] = {
                "description": description,
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
            }
        if not is_health:
            operation["responses"]["304"] = {"description": "Unchanged since the entity tag that was sent."}
    application.openapi_schema = document
    return document


def query_parameters(document: dict[str, Any]) -> frozenset[str]:
    """Every query parameter of the API."""
    return frozenset(
        parameter["name"]
        for operations in document["paths"].values()
        for parameter in operations["get"].get("parameters", [])
        if parameter["in"] == "query"
    )
