"""``/docs``: Swagger UI from files of this installation, so that it works without a network."""

from __future__ import annotations

import base64
import hashlib
import re

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

__all__ = ["add_docs_page"]

_ASSETS = "/docs/assets"


def add_docs_page(application: FastAPI) -> None:
    """Serve the page and its files."""
    application.mount(_ASSETS, StaticFiles(packages=[("fastapi_offline", "static")]), name="docs-assets")
    page = bytes(
        get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=f"{application.title}: reference",
            swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{_ASSETS}/swagger-ui.css",
            swagger_favicon_url="data:,",
        ).body
    ).decode()
    policy = (
        f"default-src 'none'; script-src 'self' {_digests(page)}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    )

    @application.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": policy})


def _digests(page: str) -> str:
    """The page's own inline scripts, as a content security policy names them."""
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
