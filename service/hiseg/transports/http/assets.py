"""Serves the files of pages: read and compressed once, and with headers that let a page do nothing but what it is for.

A browser keeps them and asks whether they have changed; their ETag is a digest of their bytes, so that it is the same
behind every replica.

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

from fastapi import Request, Response

from hiseg.transports.http.accept import qualities

# Not mimetypes: what that says depends on the machine.
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".json": "application/json",
}
# A page may load and ask this service only; images may also be the visitor's own (blob:).
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
HEADERS = {
    "Cache-Control": "no-cache",
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
        return cls.of(path.read_bytes(), path.suffix)

    @classmethod
    def of(cls, content: bytes, suffix: str) -> Asset:
        """Compress what would stand in a file with this ending of its name."""
        etag = f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'
        return cls(content, gzip.compress(content, mtime=0), MEDIA_TYPES[suffix], etag)

    def respond(self, request: Request, policy: str = POLICY) -> Response:
        """Return the file, or 304 for a browser that has it.

        Args:
            request: asks for it.
            policy: what a page may do, as Content-Security-Policy says it.
        """
        headers = HEADERS | {"Content-Security-Policy": policy, "ETag": self.etag}
        if self.etag in [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]:
            return Response(status_code=304, headers=headers)
        takes_gzip = qualities(request.headers.get("accept-encoding", "")).get("gzip", 0) > 0
        if takes_gzip and not self.media_type.startswith("image/"):
            headers["Content-Encoding"] = "gzip"
            return Response(self.compressed, media_type=self.media_type, headers=headers)
        return Response(self.content, media_type=self.media_type, headers=headers)
