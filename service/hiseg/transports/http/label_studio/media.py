"""Finds the image that a task refers to, without fetching any URL.

Images can stand in the task itself (``data:`` URIs) or in folders that the service shares with Label Studio.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from hiseg.core.errors import InvalidRequest, TooLarge
from hiseg.settings import Settings

UPLOADS, FILES = "/data/upload/", "/data/local-files/"
"""Paths under which Label Studio serves what was uploaded to it, and files of its LOCAL_FILES_DOCUMENT_ROOT."""


class Media:
    """Finds the images of tasks.

    Args:
        settings: settings of the service, for the shared folders and the limit of an image's bytes.
    """

    def __init__(self, settings: Settings) -> None:
        media = settings.label_studio_media_root
        self._uploads = media and media / "upload"
        self._files = settings.label_studio_document_root
        self._max_bytes = settings.max_image_bytes

    def find(self, reference: object, field: str) -> bytes | Path:
        """Find the image that a task refers to.

        Args:
            reference: the reference as it stands in the task's data.
            field: field of the request that it stands in, for errors.

        Returns:
            The encoded image, or the path of the file that holds it.

        Raises:
            InvalidRequest: the reference is of no kind that is served, or there is no such file.
            TooLarge: the file has more bytes than are taken.
        """
        if not isinstance(reference, str):
            raise InvalidRequest(f"{field} is not text that says where the image is", field=field)
        if reference.startswith("data:"):
            return _inline(reference, field)
        try:
            parts = urlsplit(reference)
        except ValueError as error:
            raise InvalidRequest(f"{field} is not a URL: {error}", field=field, value=reference[:80]) from error
        if parts.scheme in ("", "http", "https"):
            if self._uploads and parts.path.startswith(UPLOADS):
                return self._file(self._uploads, unquote(parts.path.removeprefix(UPLOADS)), field)
            if self._files and parts.path.rstrip("/") + "/" == FILES:
                return self._file(self._files, parse_qs(parts.query).get("d", [""])[-1], field)
        raise InvalidRequest(
            f"{field} can't be had: no URL is fetched; there are data: URIs, and files of the folders in the settings "
            f"label_studio_media_root ({UPLOADS}…) and label_studio_document_root ({FILES}?d=…)",
            field=field,
            value=reference[:80],
        )

    def _file(self, root: Path, relative: str, field: str) -> Path:
        try:
            path = (root / relative.lstrip("/")).resolve()
            # Links that lead out of the folder count as outside of it, too.
            there = path.is_relative_to(root.resolve()) and path.is_file()
            size = path.stat().st_size if there else 0
        except (OSError, ValueError, RuntimeError):
            there = False
        if not there:
            # The same error for files outside of the folder, so that nobody learns which exist.
            raise InvalidRequest(f"{field}: there is no such file in the folder", field=field, value=relative[:80])
        if size > self._max_bytes:
            raise TooLarge(
                f"{field}: the file has {size} bytes; at most {self._max_bytes} are taken",
                field=field,
                limit=self._max_bytes,
                value=size,
            )
        return path


def _inline(reference: str, field: str) -> bytes:
    head, comma, text = reference.partition(",")
    try:
        if not comma or not head.endswith(";base64"):
            raise ValueError("it is not in base64")
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(f"{field} is a data: URI that can't be read: {error}", field=field) from error
