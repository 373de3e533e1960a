"""Serves the playground: the page at ``/`` and the files that it is made of, all from this package.

See :mod:`hiseg.transports.http.assets` for how.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response

from hiseg.core.errors import shorten
from hiseg.transports.http.assets import MEDIA_TYPES, Asset

FOLDER = Path(__file__).parent / "assets"
PAGE = "index.html"


def router() -> APIRouter:
    """Return the routes ``/`` and ``/playground/…``."""
    assets = {path.name: Asset.read(path) for path in FOLDER.iterdir() if path.suffix in MEDIA_TYPES}
    index = assets.pop(PAGE)
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    async def page(request: Request) -> Response:
        return index.respond(request)

    @routes.get("/playground/{name}")
    async def asset(request: Request, name: str) -> Response:
        if name not in assets:
            raise HTTPException(404, f"the playground has no {shorten(name)!r}")
        return assets[name].respond(request)

    return routes
