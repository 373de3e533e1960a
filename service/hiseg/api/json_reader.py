"""JSON of callers is measured before anything is made of it, and what is long in it isn't parsed.

A parser takes memory and time for each value, and no other thread of Python runs meanwhile. A request is honestly long
for two reasons: images in base64, and brush masks of Label Studio. So long texts are cut out of the JSON and kept as
the bytes that they are, lists of a mask's numbers are left out, and what then remains has to be short.
"""

from __future__ import annotations

import asyncio
import codecs
import json
import time
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, GetJsonSchemaHandler, ValidationError, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from hiseg.api.base64_reader import MAX_HEAD_BYTES, Base64Reader, NotBase64, start_of_image
from hiseg.api.validation import to_hiseg_error
from hiseg.core.errors import InvalidRequest, Reason, TooLarge, shorten

LONG = 1024
"""Texts of more bytes are cut out, and lists of numbers under :data:`NUMBERS` left out."""
NUMBERS = b"rle"
"""Name under which Label Studio has the numbers of a brush mask, of which we make no use."""
PIECE = 64 * 1024
"""Bytes of a long text that are looked at without a pause: a fraction of a millisecond."""
QUOTES_WITHOUT_PAUSE = 1024
PAUSE_S = 1e-5
"""A pause lets the event loop have Python's lock at once; it would have to wait 5 ms for it otherwise."""
MAX_INLINE_BASE64 = 256 * 1024
"""A text of at most so many bytes is decoded on the event loop: it takes a quarter of a millisecond."""
LONGEST_ESCAPE = 6
"""Bytes with which JSON may write one character."""
MAX_BACKSLASHES = 100
"""Most backslashes in a row: one text of nothing else would have to be read to its beginning to know what they mean."""
MAX_COUNTED = 1024 * 1024
"""Bytes in which boxes are counted that are too many."""
NESTED = b"[" * 100
BOM = codecs.BOM_UTF8
"""What some editors and programs write before a text in UTF-8."""
NOT_UTF8 = {
    codecs.BOM_UTF32_LE: "in UTF-32",
    codecs.BOM_UTF32_BE: "in UTF-32",
    b"{\0\0\0": "in UTF-32",
    b"\0\0\0{": "in UTF-32",
    codecs.BOM_UTF16_LE: "in UTF-16",
    codecs.BOM_UTF16_BE: "in UTF-16",
    b"{\0": "in UTF-16",
    b"\0{": "in UTF-16",
    b"\x1f\x8b": "compressed with gzip",
    b"\xff\xd8\xff": "a JPEG image",
    b"\x89PNG": "a PNG image",
    b"RIFF": "a WebP image",
    b"--": "a body of several parts (multipart)",
}
"""How JSON begins that isn't read, and what it is."""
BOXES = b'"boxes"'
_WORDS_OF_NUMBERS = b"0123456789, \t\r\n"
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class JsonLimits:
    """Limits of a JSON text.

    Attributes:
        max_bytes: most bytes, without texts of more than :data:`LONG` bytes.
        max_texts: most texts, names included.
        max_values: most values.
        max_boxes: most rows under the name ``boxes``, to say so of more; None: rows have no such name.
        names_once: a name that is there twice in an object is refused.
    """

    max_bytes: int
    max_texts: int
    max_values: int
    max_boxes: int | None = None
    names_once: bool = False


def limits_of_options(max_boxes: int) -> JsonLimits:
    """Limits of the JSON that has the options and boxes of one image, however it is laid out."""
    return JsonLimits(
        max_bytes=64 * 1024 + 256 * max_boxes,
        max_texts=256,
        max_values=10_000 + 10 * max_boxes,
        max_boxes=max_boxes,
        names_once=True,
    )


class LongText:
    """A text that may be long: still as it stood in the JSON, so that it costs nothing until it is used.

    A field of this type takes any text. It needs the JSON's own :class:`CutTexts` as pydantic's context.

    Args:
        data: the text in UTF-8.
        is_escaped: it may have escapes of JSON.
    """

    __slots__ = ("data", "is_escaped")

    def __init__(self, data: bytes | memoryview, is_escaped: bool) -> None:
        self.data = data
        self.is_escaped = is_escaped

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: object) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(cls._validate)

    @classmethod
    def __get_pydantic_json_schema__(cls, _: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return dict(handler(core_schema.str_schema()))

    @classmethod
    def _validate(cls, value: object, info: ValidationInfo) -> LongText:
        text = resolve(value, info)
        if isinstance(text, str):
            return cls(text.encode("utf-8", "surrogatepass"), is_escaped=False)
        if isinstance(text, LongText):
            return text
        raise PydanticCustomError("string_type", "it should be a text")

    def head(self, length: int = 200) -> str:
        """About the first ``length`` characters, with escapes as they are."""
        return bytes(self.data[:length]).decode("utf-8", "replace")

    def text(self, max_length: int) -> str:
        """The text itself.

        Args:
            max_length: most characters that it may have; one of many more isn't even looked at.

        Raises:
            ValueError: it isn't a text, or is too long.
        """
        if len(self.data) > LONGEST_ESCAPE * max_length:
            raise ValueError("it is too long")
        data = bytes(self.data)
        return str(json.loads(b'"%b"' % data)) if self.is_escaped else data.decode("utf-8", "surrogatepass")

    async def from_base64(self) -> bytes:
        """Decode the text without holding up the event loop; see :mod:`hiseg.api.base64_reader` for what it may be.

        Raises:
            NotBase64: it isn't base64.
        """
        if len(self.data) <= MAX_INLINE_BASE64:
            return self.decode_base64()
        return await asyncio.to_thread(self.decode_base64)

    def decode_base64(self) -> bytes:
        """Decode the text, in pieces between which other threads may run.

        Raises:
            NotBase64: it isn't base64.
        """
        end = len(self.data)
        start = start_of_image(bytes(self.data[: 2 * MAX_HEAD_BYTES]))
        reader = Base64Reader(start)
        while start < end:
            piece = bytes(self.data[start : start + PIECE])
            start += len(piece)
            if self.is_escaped and b"\\" in piece:
                # No escape is cut in two; a backslash by itself is none of base64's signs.
                cut = piece.rfind(b"\\", len(piece) - LONGEST_ESCAPE + 1) if start < end else -1
                if cut > 0:
                    start -= len(piece) - cut
                    piece = piece[:cut]
                piece = _unescaped(piece)
            reader.write(piece)
            if end > MAX_INLINE_BASE64:
                time.sleep(PAUSE_S)
        return reader.finish()


def _unescaped(piece: bytes) -> bytes:
    """A piece of a text without JSON's escapes; its line breaks may have none, as shells write them."""
    try:
        text: str = json.loads(b'"%b"' % piece, strict=False)
    except ValueError as error:
        raise NotBase64("it has an escape that JSON doesn't know") from error
    return text.encode("utf-8", "surrogatepass")


class CutTexts(list[LongText]):
    """The long texts that were cut out of a JSON text, in their order; an object ``{"": index}`` stands for each.

    A caller who writes such an object himself gets a text of his own.
    """


def resolve(value: object, info: ValidationInfo) -> object:
    """The long text that was cut out, if ``value`` stands for one, else ``value`` itself."""
    return _cut_text(value, info.context)


def _cut_text(value: object, texts: CutTexts | None) -> object:
    if texts and isinstance(value, dict) and len(value) == 1:
        index = value.get("")
        if type(index) is int and 0 <= index < len(texts):
            return texts[index]
    return value


def read_json(model: type[M], text: bytes, limits: JsonLimits) -> M:
    """Parse and validate JSON of a request.

    It takes at most some milliseconds for each MiB of ``limits.max_bytes``, and for each 20,000 of its other limits.

    Args:
        model: what it must be; lists in it should fail at the first error.
        text: the JSON.
        limits: how much it may be.

    Raises:
        TooLarge: it is more.
        InvalidRequest: it is malformed, or not valid for the model.
    """
    if not text[:100].strip() and not text.strip():
        raise InvalidRequest("the JSON is empty", field="request")
    for beginning, what in NOT_UTF8.items():
        if text.startswith(beginning):
            raise InvalidRequest(f"the JSON is {what}; it has to be plain UTF-8", field="request")
    if len(text) <= limits.max_bytes:
        try:
            return _parse(model, text.removeprefix(BOM), limits, CutTexts())
        except InvalidRequest as error:
            if "control character" not in error.detail:
                raise
    # It is long, or has what shells put into JSON: an image with line breaks in it, which JSON doesn't have.
    texts = CutTexts()
    return _parse(model, cut_long_texts(text, limits, texts), limits, texts)


def _parse(model: type[M], text: bytes, limits: JsonLimits, texts: CutTexts) -> M:
    _check("texts", text.count(b'"') // 2, limits.max_texts)
    # Each value follows a comma or the beginning of a list or an object, but for the outermost one.
    values = text.count(b",") + text.count(b"[") + text.count(b"{")
    if values > limits.max_values and NESTED in text:
        raise _too_deep()
    _check("values", values, limits.max_values)
    try:
        read = model.model_validate_json(text, context=texts)
    except ValidationError as error:
        found = to_hiseg_error(error, model.model_fields)
        cut = _cut_text(error.errors(include_url=False)[0]["input"], texts)
        if isinstance(cut, LongText):
            raise InvalidRequest(
                f"{found.field}: a text of {len(cut.data)} bytes is not taken", field=found.field, value=cut.head()
            ) from error
        raise found from error
    if limits.names_once:
        json.loads(text, object_pairs_hook=_check_names, parse_int=float)
    return read


def _check_names(pairs: list[tuple[str, object]]) -> None:
    """Refuse an object of JSON in which a name is twice: parsers take the last, and callers mean both."""
    if len(pairs) > 1 and len(dict(pairs)) < len(pairs):
        names = [name for name, _ in pairs]
        name = next(name for name in names if names.count(name) > 1)
        raise InvalidRequest(f"{shorten(name)} is there twice in the JSON", field=name)


def cut_long_texts(text: bytes, limits: JsonLimits, texts: CutTexts) -> bytes:
    """Cut the long texts out of JSON, and leave out the numbers of brush masks.

    Whether it is JSON at all is not looked at: what remains is JSON if and only if the whole was, but for the long
    texts themselves.

    Args:
        text: the JSON.
        limits: how much may remain.
        texts: receives the long texts.

    Returns:
        What remains of the JSON.

    Raises:
        TooLarge: more remains.
        InvalidRequest: a text has no end.
    """
    whole = memoryview(text)
    pieces: list[bytes | memoryview] = []
    # Bytes that are in `pieces`; that were left out, such as the mark before it; quotes that were looked at.
    done = removed = len(BOM) if text.startswith(BOM) else 0
    steps = 0
    end, start = -1, text.find(b'"')
    while True:
        if (len(text) if start < 0 else start) - removed > limits.max_bytes:
            raise _too_large(text, end + 1, start, limits)
        if start < 0:
            return b"".join((*pieces, whole[done:]))
        end, quotes = _end_of_text(text, start + 1, 2 * limits.max_texts - steps)
        if steps // QUOTES_WITHOUT_PAUSE < (steps + quotes + 1) // QUOTES_WITHOUT_PAUSE:
            time.sleep(PAUSE_S)
        steps += quotes + 1
        _check("texts", steps // 2, limits.max_texts)
        following = text.find(b'"', end + 1)
        if end - start > LONG and not text[end + 1 : end + 100].lstrip().startswith(b":"):
            pieces += whole[done:start], b'{"":%d}' % len(texts)
            texts.append(LongText(whole[start + 1 : end], is_escaped=True))
            done = end + 1
            removed += done - start
        elif end - start == len(NUMBERS) + 1 and text[start + 1 : end] == NUMBERS and following - end > LONG:
            opened = text.find(b"[", end, following) + 1
            closed = text.find(b"]", opened, following)
            if opened and closed - opened > LONG and _are_numbers(whole[opened:closed]):
                pieces.append(whole[done:opened])
                done = closed
                removed += closed - opened
        start = following


def _too_large(text: bytes, start: int, end: int, limits: JsonLimits) -> InvalidRequest | TooLarge:
    """The error of too much between a text that ends at ``start`` and the next at ``end``; negative: there is none."""
    between = text[start : min(start + MAX_COUNTED, len(text) if end < 0 else end)]
    if NESTED in between:
        return _too_deep()
    rows = between.count(b"[") - 1
    if limits.max_boxes is not None and rows > limits.max_boxes and text.endswith(BOXES, 0, start):
        return TooLarge(
            f"{rows} boxes or more were sent; at most {limits.max_boxes} are taken",
            reason=Reason.TOO_MANY_BOXES,
            field="boxes",
            limit=limits.max_boxes,
            value=rows,
        )
    return TooLarge(
        f"the JSON has more than {limits.max_bytes} bytes beside its long texts",
        reason=Reason.TOO_MANY_BYTES,
        field="body",
        limit=limits.max_bytes,
    )


def _too_deep() -> InvalidRequest:
    return InvalidRequest(f"the JSON has {len(NESTED)} lists within each other, or more", field="request")


def _end_of_text(text: bytes, start: int, most: int) -> tuple[int, int]:
    """Where the text that begins at ``start`` ends, and how many quotes were looked at; no more than about ``most``."""
    for looked in range(1, most + 2):
        if looked % QUOTES_WITHOUT_PAUSE == 0:
            time.sleep(PAUSE_S)
        end = text.find(b'"', start)
        if end < 0:
            raise InvalidRequest("the JSON ends within a text", field="request")
        if text[end - 1] != ord("\\"):
            return end, looked
        before = text[max(start, end - MAX_BACKSLASHES) : end]
        backslashes = len(before) - len(before.rstrip(b"\\"))
        if backslashes == MAX_BACKSLASHES:
            raise InvalidRequest(f"the JSON has {MAX_BACKSLASHES} backslashes in a row", field="request")
        if backslashes % 2 == 0:
            return end, looked
        start = end + 1
    return end, looked


def _are_numbers(text: memoryview) -> bool:
    for start in range(0, len(text), PIECE):
        if bytes(text[start : start + PIECE]).translate(None, _WORDS_OF_NUMBERS):
            return False
        if len(text) > MAX_INLINE_BASE64:
            time.sleep(PAUSE_S)
    return True


def _check(what: str, count: int, limit: int) -> None:
    if count > limit:
        raise TooLarge(
            f"the JSON has {count} {what} or more; at most {limit} are read", field="body", limit=limit, value=count
        )
