"""Serves the playground: the page at ``/`` and the files that it is made of, all from this package.

They are read once. A browser keeps them and asks whether they have changed; their ETag is a digest of what they
hold, so that it is the same behind every replica.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response

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
# The page may load and ask this service only; pictures may also be the visitor's own (blob:).
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
class Part:
    """One file of the page."""

    content: bytes
    packed: bytes
    media_type: str
    etag: str

    @classmethod
    def read(cls, path: Path) -> Part:
        content = path.read_bytes()
        # Weak, since it stands for the packed bytes too.
        etag = f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'
        return cls(content, gzip.compress(content, mtime=0), MEDIA_TYPES[path.suffix], etag)

    def answer(self, request: Request) -> Response:
        """The file, or 304 for a browser that has it."""
        headers = HEADERS | {"ETag": self.etag}
        known = request.headers.get("if-none-match", "")
        if self.etag in [tag.strip() for tag in known.split(",")]:
            return Response(status_code=304, headers=headers)
        if self.media_type.startswith("text/") and "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(self.packed, media_type=self.media_type, headers=headers)
        return Response(self.content, media_type=self.media_type, headers=headers)


def router() -> APIRouter:
    """``/`` and ``/playground/…``."""
    parts = {path.name: Part.read(path) for path in FOLDER.iterdir()}
    page = parts.pop(PAGE)
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/", methods=["GET", "HEAD"])
    async def root(request: Request) -> Response:
        return page.answer(request)

    @routes.api_route("/playground/{name}", methods=["GET", "HEAD"])
    async def part(request: Request, name: str) -> Response:
        if name not in parts:
            raise HTTPException(404, f"the playground has no {name[:80]!r}")
        return parts[name].answer(request)

    return routes
