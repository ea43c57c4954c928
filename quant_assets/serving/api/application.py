"""The application: routes, errors as problem details, the watch for new publications, and the front before it all."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.metadata
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import anyio.to_thread
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from quant_assets.foundation.home import Home
from quant_assets.serving.api.access_log import AccessLine
from quant_assets.serving.api.docs_page import add_docs_page
from quant_assets.serving.api.front import VISIT, Front, Visit, problem_answer
from quant_assets.serving.api.landing import router as landing
from quant_assets.serving.api.openapi import describe, query_parameters
from quant_assets.serving.api.options import ApiOptions
from quant_assets.serving.api.problems import Problem, near_matches
from quant_assets.serving.api.publications import Publications
from quant_assets.serving.api.routes import ROUTERS

__all__ = ["create_application"]

_LOG = logging.getLogger("quant.api")
_NOT_FOUND = "There is nothing at this path; see /docs."


def create_application(home: Home, options: ApiOptions, *, log: AccessLine | None = None) -> Front:
    """Build the ASGI application of one home.

    Parameters
    ----------
    home : Home
        Only its readers' database is opened, and only for reading.
    options : ApiOptions
    log : callable, optional
        Takes the fields of each request's line; none writes no log.
    """
    publications = Publications(home)
    release = importlib.metadata.version("quant-assets")

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await _take_newest(publications, front)
        watch = asyncio.create_task(_watch(publications, front, options.watch_seconds))
        try:
            yield
        finally:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch
            publications.close()

    routes = FastAPI(title="quant-assets", version=release, docs_url=None, redoc_url=None, lifespan=lifespan)
    for router in ROUTERS:
        routes.include_router(router, prefix="/api/v1")
    routes.include_router(landing)
    add_docs_page(routes)
    routes.add_exception_handler(Problem, _on_problem)
    routes.add_exception_handler(HTTPException, _on_http_error)
    routes.add_exception_handler(RequestValidationError, _on_invalid)
    routes.openapi = lambda: describe(routes)  # type: ignore[method-assign]  # the documented way to replace it
    front = Front(
        routes,
        publications=publications,
        options=options,
        known_parameters=query_parameters(routes.openapi()),
        release=f"{release}-{_code_digest()}",
        log=log,
    )
    return front


def _code_digest() -> str:
    """Digest of this package: another code gives other answers of the same publication, and so other entity tags."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


async def _take_newest(publications: Publications, front: Front) -> None:
    before = publications.failure
    snapshot = await anyio.to_thread.run_sync(publications.newer)
    if snapshot is not None:
        await front.serve(snapshot)
        _LOG.info("serving %s", snapshot.publication.name)
    elif publications.failure is not None and publications.failure != before:
        former = "nothing" if publications.current is None else "the former publication"
        _LOG.warning("%s; %s is served", publications.failure, former)


async def _watch(publications: Publications, front: Front, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await _take_newest(publications, front)
        except Exception:  # noqa: BLE001 - the watch must outlive whatever a publication is wrong about
            _LOG.exception("looking for a new publication failed; trying again")


def _respond(request: Request, problem: Problem) -> Response:
    visit: Visit = request.scope[VISIT]
    answer = problem_answer(problem, request.url.path, visit.snapshot)
    response = Response(answer.body, answer.status)
    response.raw_headers = [*answer.headers]
    return response


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - tells the type checker what the registration says
    return _respond(request, error)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - tells the type checker what the registration says
    if error.status_code == 404:
        return _respond(request, Problem(404, "no-such-path", _NOT_FOUND))
    detail = "The API only reads: use GET." if error.status_code == 405 else str(error.detail)
    kind = "only-get" if error.status_code == 405 else "refused"
    return _respond(request, Problem(error.status_code, kind, detail, headers=dict(error.headers or {})))


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - tells the type checker what the registration says
    errors: list[dict[str, str]] = []
    near: tuple[str, ...] = ()
    for one in error.errors():
        name = str(one["loc"][-1]) if len(one["loc"]) > 1 else "from"  # of a whole query only the range is judged
        reason = "unknown parameter" if one["type"] == "extra_forbidden" else one["msg"].removeprefix("Value error, ")
        if one["type"] == "extra_forbidden":
            near = near_matches(name, sorted(query_parameters(request.app.openapi())))
        errors.append({"parameter": name[:80], "reason": reason})
    first = errors[0]
    hint = f" (did you mean {', '.join(near)}?)" if near else ""
    detail = f"{first['parameter']}: {first['reason']}{hint}; mend the request, see /docs."
    return _respond(request, Problem(422, "invalid", detail, near=near, errors=tuple(errors)))
