"""Serves ``/docs``, the API in Swagger UI, whose files come with the package ``fastapi-offline``.

FastAPI's own page has a script within it and no headers, on the origin where the playground keeps the visitor's key.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import fastapi_offline
from fastapi import FastAPI, HTTPException, Request, Response

from hiseg.transports.http.assets import POLICY, Asset
from hiseg.transports.http.openapi.document import document

FOLDER = Path(fastapi_offline.__file__).parent / "static"
FILES = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png")
PAGE = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>hiseg - Swagger UI</title>
<link rel="icon" href="docs/assets/favicon.png">
<link rel="stylesheet" href="docs/assets/swagger-ui.css">
<div id="swagger-ui"></div>
<script src="docs/assets/swagger-ui-bundle.js"></script>
<script src="docs/assets/start.js"></script>
</html>
"""
START = b"""SwaggerUIBundle({
  url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true, layout: "BaseLayout",
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
})
"""
# Swagger UI has pictures within its styles (data:), and makes HTML, which it cleans itself.
DOCS_POLICY = POLICY.replace("img-src", "img-src data:").replace("; require-trusted-types-for 'script'", "")


def install(app: FastAPI) -> None:
    """Add ``/docs``, what lies below it, and ``/openapi.json``, all made once, to an app that has none of them."""
    page = Asset.of(PAGE, ".html")
    assets = {name: Asset.read(FOLDER / name) for name in FILES} | {"start.js": Asset.of(START, ".js")}

    @cache
    def schema() -> Asset:
        return Asset.of(json.dumps(document(app), separators=(",", ":")).encode(), ".json")

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        return page.respond(request, DOCS_POLICY)

    @app.get("/docs/assets/{name}", include_in_schema=False)
    async def asset(request: Request, name: str) -> Response:
        if name not in assets:
            raise HTTPException(404, "there is no such file")
        return assets[name].respond(request, DOCS_POLICY)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi(request: Request) -> Response:
        return schema().respond(request)
