"""Images in base64 are read as programs and people write them, piece by piece, so that no piece holds up others.

Lines may be broken (``base64`` and Java's MIME encoder break them), the padding may be missing, the alphabet may be
that of URLs, and all of it may be a ``data:`` URI, as browsers make them. What else isn't base64 is refused, with the
place.
"""

from __future__ import annotations

import binascii
import io
import re

MAX_HEAD_BYTES = 200
"""Most bytes of a ``data:`` URI before its comma."""
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
TO_STANDARD = bytes.maketrans(b"-_", b"+/")
BLANKS = b" \t\r\n\f\v"
SURELY_62 = 4096
"""Characters among which every photo has one for the digit 62, a +: of 64 digits each is as likely as the others."""
QUOTED = {b"%2B": b"+", b"%2F": b"/", b"%3D": b"=", b"%0A": b"", b"%0D": b"", b"%20": b""}
"""What is quoted in ``data:`` URIs; others than these are no base64 anyway."""
_START = rb"(?:\s|\\[nrt])*"
_DATA = re.compile(_START + rb"data:([^,]*),", re.IGNORECASE)
_URL = re.compile(_START + rb"([a-z][a-z0-9+.-]{1,20}):", re.IGNORECASE)


class NotBase64(ValueError):
    """A text isn't base64; the error's own text says where."""


def is_data_uri(text: bytes) -> bool:
    """Whether a text, of which the first bytes are enough, is a ``data:`` URI."""
    url = _URL.match(text)
    return url is not None and url[1].lower() == b"data"


def start_of_image(text: bytes) -> int:
    """Where the image begins in a text: after the head of a ``data:`` URI, or at 0.

    Args:
        text: the first bytes of it.

    Raises:
        NotBase64: it is another URL, or a ``data:`` URI that isn't in base64.
    """
    if not _URL.match(text):
        return 0
    if not is_data_uri(text):
        raise NotBase64("it is a URL, and none is fetched: the image itself is wanted")
    head = _DATA.match(text[:MAX_HEAD_BYTES])
    if head is None:
        raise NotBase64(f"it is a data: URI without a comma in its first {MAX_HEAD_BYTES} characters")
    if b"base64" not in [part.strip() for part in head[1].lower().split(b";")[1:]]:
        raise NotBase64("it is a data: URI that is not in base64")
    return head.end()


class Base64Reader:
    """Decodes a text that comes in pieces.

    Args:
        seen: number of its characters before the first piece; the rest is that of a ``data:`` URI if there are any.
    """

    def __init__(self, seen: int = 0) -> None:
        self._seen = seen
        self._is_uri = seen > 0
        self._has_62 = self._has_63 = self._has_blanks = False
        """Whether there was a + (or what stands for it), a slash, or a blank between other characters."""
        self._decoded = io.BytesIO()
        self._rest = b""

    def write(self, piece: bytes) -> None:
        """Decode a piece, some tens of kilobytes.

        Raises:
            NotBase64: it isn't base64.
        """
        self._seen += len(piece)
        self._has_62 = self._has_62 or b"+" in piece or b"-" in piece or b"%" in piece
        self._has_63 = self._has_63 or b"/" in piece or b"_" in piece
        text = self._rest + piece
        whole = len(text) - len(text) % 4
        if text[whole - 1 : whole] != b"=":
            try:
                self._decoded.write(binascii.a2b_base64(text[:whole], strict_mode=True))
            except binascii.Error:
                pass  # the slower way, which takes more, and knows what is wrong
            else:
                self._rest = text[whole:]
                return
        self._rest = self._read(text)

    def finish(self) -> bytes:
        """Return what was decoded.

        Raises:
            NotBase64: the end is missing, or there is too much of it.
        """
        if self._has_blanks and self._has_63 and not self._has_62 and self._seen > SURELY_62:
            raise NotBase64("each + in it has become a blank on its way; in a form or a URL a + is written %2B")
        self._seen += 2
        rest = self._read(self._rest + b"  ")  # nothing is kept back before two blanks
        digits = rest.rstrip(b"=")
        if len(digits) == 1:
            raise NotBase64("its end is missing: its length can't be that of whole bytes")
        padding = b"=" * (-len(digits) % 4)
        if len(rest) - len(digits) > len(padding):
            raise NotBase64("it has more = at its end than its length needs")
        self._decoded.write(binascii.a2b_base64(digits + padding))
        return self._decoded.getvalue()

    def _read(self, text: bytes) -> bytes:
        """Decode a text that has more than digits, and return what of it has to wait for the next one."""
        kept, plain = b"", text
        self._has_blanks = self._has_blanks or b" " in text.strip(BLANKS)
        if self._is_uri:
            if (cut := text.find(b"%", len(text) - 2)) >= 0:
                plain, kept = text[:cut], text[cut:]
            if b"%" in plain:
                for quoted, digit in QUOTED.items():
                    plain = plain.replace(quoted, digit).replace(quoted.lower(), digit)
        plain = plain.translate(TO_STANDARD, BLANKS)
        if wrong := plain.translate(None, ALPHABET):
            at = text.find(wrong[:1])
            sign = text[at : at + 4].decode("utf-8", "replace")[0]
            named = repr(sign) if sign.isprintable() else f"U+{ord(sign):04X}"
            raise NotBase64(f"it has {named} at character {self._seen - (len(text) - at) + 1}")
        digits = plain.rstrip(b"=")
        if b"=" in digits:
            raise NotBase64("it goes on after the = that ends it")
        if len(plain) - len(digits) > 2:
            raise NotBase64("it has more than two = at its end")
        whole = len(digits) - len(digits) % 4
        self._decoded.write(binascii.a2b_base64(digits[:whole]))
        return plain[whole:] + kept
