"""Finds the image that a task refers to, without fetching any URL.

Images can stand in the task itself (``data:`` URIs) or in folders that the service shares with Label Studio.
"""

from __future__ import annotations

import io
import os
import stat
import unicodedata
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from hiseg.api.base64_reader import MAX_HEAD_BYTES, NotBase64, is_data_uri
from hiseg.api.json_reader import LongText
from hiseg.core.errors import InvalidRequest, Reason, TooLarge
from hiseg.settings import Settings

UPLOADS, FILES = "/data/upload/", "/data/local-files/"
"""Paths under which Label Studio serves what was uploaded to it, and files of its LOCAL_FILES_DOCUMENT_ROOT."""
UPLOAD_KEY, STORED = "/upload/", "/storage-data/uploaded/"
"""How exports name what was uploaded, and the path under which Label Studio serves that by this name."""
MAX_REFERENCE_LENGTH = 8192
"""Most characters of a reference that isn't the image itself."""


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
        """Find the image that a task refers to; call it in a thread, since folders may be slow and images long.

        Args:
            reference: the reference as it stands in the task's data.
            field: field of the request that it stands in, for errors.

        Returns:
            The encoded image, or the path of the file that holds it.

        Raises:
            InvalidRequest: the reference is of no kind that is served, or there is no such file.
            TooLarge: the file has more bytes than are taken.
        """
        if isinstance(reference, str) and is_data_uri(reference[:MAX_HEAD_BYTES].encode("utf-8", "surrogatepass")):
            reference = LongText(reference.encode("utf-8", "surrogatepass"), is_escaped=False)
        if isinstance(reference, LongText) and is_data_uri(bytes(reference.data[:MAX_HEAD_BYTES])):
            return _inline(reference, field)
        if isinstance(reference, LongText):
            reference = reference.head(MAX_REFERENCE_LENGTH + 1)
        if not isinstance(reference, str):
            raise InvalidRequest(f"{field} is not text that says where the image is", field=field)
        if len(reference) > MAX_REFERENCE_LENGTH:
            raise InvalidRequest(
                f"{field} is longer than {MAX_REFERENCE_LENGTH} characters, and not a data: URI",
                field=field,
                limit=MAX_REFERENCE_LENGTH,
                value=reference,
            )
        try:
            parts = urlsplit(reference)
        except ValueError as error:
            raise InvalidRequest(f"{field} is not a URL", field=field, value=reference) from error
        if parts.scheme in ("", "http", "https"):
            path = f"/{parts.path.lstrip('/')}"
            # Before these paths stands whatever path Label Studio itself is installed under.
            if self._uploads and UPLOADS in path:
                return self._file(self._uploads, _names(path.partition(UPLOADS)[2]), field)
            if self._uploads and path.startswith(UPLOAD_KEY):
                return self._file(self._uploads, _names(path.removeprefix(UPLOAD_KEY)), field)
            if self._uploads and (path.rstrip("/") + "/").endswith(STORED):
                names = [name for name in _names_in(parts.query, "filepath") if name.startswith(UPLOAD_KEY[1:])]
                return self._file(self._uploads, [name.removeprefix(UPLOAD_KEY[1:]) for name in names], field)
            if self._files and (path.rstrip("/") + "/").endswith(FILES):
                return self._file(self._files, _names_in(parts.query, "d"), field)
        raise InvalidRequest(
            f"{field} can't be had: no URL is fetched; there are data: URIs, and files of the folders in the settings "
            f"label_studio_media_root ({UPLOADS}…) and label_studio_document_root ({FILES}?d=…)",
            field=field,
            value=reference,
        )

    def open(self, path: Path, field: str) -> tuple[io.FileIO, int]:
        """Open a file that was found; call it in a thread.

        Returns:
            The file, and how many bytes it has to be read.

        Raises:
            InvalidRequest: it has gone away meanwhile, or may not be read.
            TooLarge: it has more bytes than are taken.
        """
        try:
            # Without waiting, should a pipe have taken the file's place.
            file = io.FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC))
        except OSError as error:
            raise _not_there(field) from error
        status = os.fstat(file.fileno())
        try:
            if not stat.S_ISREG(status.st_mode):
                raise _not_there(field)
            self._check_size(status.st_size, field)
        except Exception:
            file.close()
            raise
        return file, status.st_size

    def read(self, file: io.FileIO, size: int, field: str) -> bytes:
        """Read a file that :meth:`open` opened; call it in a thread.

        Raises:
            InvalidRequest: the disk doesn't give it.
        """
        try:
            return file.read(size) or b""
        except OSError as error:
            raise _not_there(field) from error

    def _file(self, root: Path, names: list[str], field: str) -> Path:
        for name in names:
            try:
                path = (root / name.lstrip("/")).resolve()
                # Links that lead out of the folder count as outside of it, too.
                there = path.is_relative_to(root.resolve()) and path.is_file()
                size = path.stat().st_size if there else 0
            except (OSError, ValueError, RuntimeError):
                there = False
            if there:
                self._check_size(size, field)
                return path
        # The same error for files outside of the folder, so that nobody learns which exist.
        raise _not_there(field, names[0] if names else None)

    def _check_size(self, size: int, field: str) -> None:
        if size > self._max_bytes:
            raise TooLarge(
                f"{field}: the file has {size} bytes; at most {self._max_bytes} are taken",
                reason=Reason.TOO_MANY_BYTES,
                field=field,
                limit=self._max_bytes,
                value=size,
            )


def _names(path: str) -> list[str]:
    """The names that a file may have whose name stands in a URL; the likeliest first."""
    return _as_systems_write([unquote(path, errors="surrogateescape"), path])


def _names_in(query: str, parameter: str) -> list[str]:
    """The names that a file may have whose name is a parameter of a query; the likeliest first.

    ``+`` is a space there, but not for everybody who writes task files by hand.
    """
    own = query.replace("+", "%2B")
    found = [parse_qs(each, errors="surrogateescape").get(parameter, [""])[-1] for each in (query, own)]
    return _as_systems_write(found)


def _as_systems_write(names: list[str]) -> list[str]:
    """Each name as it is, then with the signs of folders and the accents of other systems."""
    names = names + [name.replace("\\", "/") for name in names]
    names += [unicodedata.normalize(form, name) for form in ("NFC", "NFD") for name in names]
    return list(dict.fromkeys(names))


def _not_there(field: str, relative: str | None = None) -> InvalidRequest:
    return InvalidRequest(f"{field}: there is no such file in the folder", field=field, value=relative)


def _inline(reference: LongText, field: str) -> bytes:
    try:
        return reference.decode_base64()
    except NotBase64 as error:
        raise InvalidRequest(f"{field} is not base64: {error}", field=field) from error
