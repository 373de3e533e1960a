"""What the body of a request is, as its headers say it: every route reads them by these rules.

Clients name types in many ways. Where it is plain what they mean it is taken; the image itself says which type it is.
"""

from __future__ import annotations

from fastapi import Request

from hiseg.core.errors import Reason, UnsupportedImage, shorten
from hiseg.images.kinds import MEDIA_TYPES

OCTETS, MULTIPART, JSON = "application/octet-stream", "multipart/form-data", "application/json"
RAW = (*MEDIA_TYPES, OCTETS)
"""Types of a body that is the image itself."""
TAKEN = sorted({*RAW, MULTIPART, JSON})
OTHER_NAMES = {
    **dict.fromkeys(("image/jpg", "image/pjpeg", "image/pipeg", "image/jfif", "image/jpe"), "image/jpeg"),
    **dict.fromkeys(("image/x-jpeg", "image/x-jpg", "image/x-citrix-jpeg", "application/jpg"), "image/jpeg"),
    **dict.fromkeys(("image/x-png", "image/x-citrix-png", "image/apng", "application/png"), "image/png"),
    "image/x-webp": "image/webp",
    **dict.fromkeys(("image/*", "binary/octet-stream", "application/binary", "application/x-binary"), OCTETS),
    **dict.fromkeys(("text/json", "text/x-json", "application/x-json"), JSON),
}
"""Other names of the types that are taken, as old browsers, Android, S3 and people write them."""
CODINGS = {"content-encoding": ("", "identity"), "transfer-encoding": ("", "identity", "chunked")}
"""Headers that say how a body is encoded, and what they may say."""
FORM = "application/x-www-form-urlencoded"
NEVER_JSON = ("multipart/", "image/", "video/", "audio/")
BEFORE_JSON = b"\xef\xbb\xbf\xfe\xff\0 \t\r\n"
"""What may be in front of JSON, in any of its encodings: blanks and byte order marks."""


def body_type(request: Request) -> str:
    """The type of a body, one of :data:`TAKEN`; a body that names none is the image itself.

    Raises:
        UnsupportedImage: it is none of them.
    """
    values = request.headers.getlist("content-type")
    if not values:
        return OCTETS  # as RFC 9110, section 8.3, allows, and as most libraries send bytes
    names = {name.strip(" \t\"'").lower() for value in values for name in value.partition(";")[0].split(",")}
    found = {JSON if _is_json(name) else OTHER_NAMES.get(name, name) for name in names}
    if len(found) == 1 and (media_type := found.pop()) in TAKEN:
        return media_type
    named = ", ".join(sorted(names))
    why = " (curl and others say so unless they are told what they send)" if named == FORM else ""
    raise UnsupportedImage(
        f"content type {shorten(named)!r} is not taken{why}; {', '.join(TAKEN)} are",
        reason=Reason.UNSUPPORTED_CONTENT_TYPE,
        field="content-type",
        limit=TAKEN,
        value=named,
    )


async def json_body(request: Request) -> bytes:
    """Read a body that has to be JSON, for its path knows no other form.

    JSON is taken under any name that can be meant for it, since curl and others call it what they like unless they are
    told: a form, a text, bytes.

    Raises:
        UnsupportedImage: it is called an image, a film or a form of parts, or isn't called JSON and is none.
    """
    named = ",".join(request.headers.getlist("content-type"))
    name = named.partition(";")[0].strip(" \t\"'").lower()
    is_other = name.startswith(NEVER_JSON)
    body = b"" if is_other else await request.body()
    head = body[:100].lstrip(BEFORE_JSON)
    if is_other or (head and head[:1] not in b"{[" and not _is_json(name)):
        what = f"is called {shorten(name)!r}" if is_other else "is no JSON"
        raise UnsupportedImage(
            f"the body {what}; here it has to be {JSON}, with images in it as base64",
            reason=Reason.UNSUPPORTED_CONTENT_TYPE,
            field="content-type",
            limit=JSON,
            value=named or None,
        )
    return body


def _is_json(name: str) -> bool:
    return name.endswith("+json") or OTHER_NAMES.get(name, name) == JSON


def check_coding(request: Request) -> None:
    """Look whether a body comes as it is.

    Raises:
        UnsupportedImage: it is compressed.
    """
    for name, plain in CODINGS.items():
        value = ",".join(request.headers.getlist(name))
        if any(coding.strip().lower() not in plain for coding in value.split(",")):
            raise UnsupportedImage(
                f"{name} {shorten(value)!r} is not taken: bodies come uncompressed, for images don't get smaller",
                reason=Reason.UNSUPPORTED_ENCODING,
                field=name,
                limit="identity",
                value=value,
            )
