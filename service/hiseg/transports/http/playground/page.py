"""Serves the playground: the page at ``/`` and the files that it is made of, all from this package.

They are read and compressed once. A browser keeps them and asks whether they have changed; their ETag is a digest of
their bytes, so that it is the same behind every replica.

Starlette's ``StaticFiles`` in a ``GZipMiddleware`` was tried here and saved ten lines, but makes ETags of times of
change, which had to be replaced; reads and compresses a file for each request, at four times the processor time;
answers HEAD with the length of the uncompressed file; sends ``Vary`` twice or, for 304, not at all; and refuses a bad
``Range`` in plain text where all other errors are problem+json.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response

from hiseg.core.errors import shorten

FOLDER = Path(__file__).parent / "assets"
PAGE = "index.html"
# Not mimetypes: what that says depends on the machine.
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
}
# The page may load and ask this service only; images may also be the visitor's own (blob:).
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of the page.

    Attributes:
        content: the file's bytes.
        compressed: the same with gzip.
        media_type: the value of Content-Type.
        etag: a weak ETag, since it stands for the compressed bytes too.
    """

    content: bytes
    compressed: bytes
    media_type: str
    etag: str

    @classmethod
    def read(cls, path: Path) -> Asset:
        """Read and compress a file."""
        content = path.read_bytes()
        etag = f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'
        return cls(content, gzip.compress(content, mtime=0), MEDIA_TYPES[path.suffix], etag)

    def respond(self, request: Request) -> Response:
        """Return the file, or 304 for a browser that has it."""
        headers = HEADERS | {"ETag": self.etag}
        if self.etag in [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]:
            return Response(status_code=304, headers=headers)
        if self.media_type.startswith("text/") and "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(self.compressed, media_type=self.media_type, headers=headers)
        return Response(self.content, media_type=self.media_type, headers=headers)


def router() -> APIRouter:
    """Return the routes ``/`` and ``/playground/…``."""
    assets = {path.name: Asset.read(path) for path in FOLDER.iterdir() if path.suffix in MEDIA_TYPES}
    index = assets.pop(PAGE)
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/", methods=["GET", "HEAD"])
    async def page(request: Request) -> Response:
        return index.respond(request)

    @routes.api_route("/playground/{name}", methods=["GET", "HEAD"])
    async def asset(request: Request, name: str) -> Response:
        if name not in assets:
            raise HTTPException(404, f"the playground has no {shorten(name)!r}")
        return assets[name].respond(request)

    return routes
