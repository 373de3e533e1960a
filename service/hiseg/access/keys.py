"""API keys as they are stored: a name and a digest, so that reading the stored keys opens nothing."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from hiseg.access.quota import MIN_RATE, Limits

NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")
DIGEST = re.compile(r"[0-9a-fA-F]{64}")
RATE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
CONCURRENT = re.compile(r"[0-9]{1,9}")
RANDOM_BYTES = 32
"""Random bytes of a new key: too many to guess, so that a quick digest protects it as well as a slow one."""
LINE_FORMAT = "NAME SHA256 [rate=REQUESTS_PER_SECOND] [concurrent=REQUESTS]"


@dataclass(frozen=True, slots=True)
class Key:
    """One stored key.

    Attributes:
        name: the client's name, for logs. Two keys of one name are one client, which is how a key is replaced.
        digest: SHA-256 of the key, hexadecimal in small letters.
        limits: of the client's requests.
        source: where it is stored, for messages: "line 3", or "entry 1 of api_keys".
    """

    name: str
    digest: str
    limits: Limits
    source: str = ""


def new_key() -> tuple[str, str]:
    """Make a random key; returns the key and its digest."""
    key = secrets.token_urlsafe(RANDOM_BYTES)
    return key, digest(key)


def digest(key: str) -> str:
    """Return the SHA-256 of a key in hexadecimal, which is what is stored of it."""
    return sha256(key.encode()).hexdigest()


def parse_listed_key(text: str, number: int, limits: Limits) -> Key:
    """Read a key as the setting ``api_keys`` has it: ``name:digest``, or a digest alone.

    Args:
        text: one entry of the setting.
        number: the entry's number from 1, which names a digest alone ``key1``, ``key2``, ….
        limits: the key's limits.

    Raises:
        ValueError: the text is neither.
    """
    name, colon, hexadecimal = text.rpartition(":")
    source = f"entry {number} of api_keys"
    try:
        return _key(name if colon else f"key{number}", hexadecimal, limits, source)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None


def read_keys(data: bytes, limits: Limits) -> list[Key]:
    """Read the keys of a file: UTF-8, one a line in :data:`LINE_FORMAT`, with comments after ``#``.

    Args:
        data: contents of the file.
        limits: limits of keys that have none of their own.

    Raises:
        ValueError: a line isn't a key. The message has the line's number, but nothing of its text, which may be secret.
    """
    try:
        # Editors of Windows begin a file with a mark of the byte order.
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it isn't UTF-8 text") from None
    keys = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            name, hexadecimal, *rest = words if len(words) > 1 else (*words, "")
            keys.append(_key(name, hexadecimal, _read_limits(rest, limits), f"line {number}"))
        except ValueError as error:
            raise ValueError(f"line {number} is not {LINE_FORMAT}: {error}") from None
    return keys


def check_agreement(keys: Iterable[Key]) -> None:
    """Check that no two keys contradict each other.

    Raises:
        ValueError: two keys of one name have different limits, or one key has two names.
    """
    of_name: dict[str, Key] = {}
    of_digest: dict[str, Key] = {}
    for key in keys:
        first = of_name.setdefault(key.name, key)
        if first.limits != key.limits:
            raise ValueError(f"{key.source} gives {key.name!r} other limits than {first.source}; a client has one set")
        first = of_digest.setdefault(key.digest, key)
        if first.name != key.name:
            raise ValueError(f"{key.source} is the key of {first.source} under another name")


def _key(name: str, hexadecimal: str, limits: Limits, source: str) -> Key:
    """Return a key of a valid name and digest.

    Raises:
        ValueError: the name or the digest isn't valid.
    """
    if not NAME.fullmatch(name) or not DIGEST.fullmatch(hexadecimal):
        raise ValueError("a key is a name of 1 to 40 letters, digits, dots and dashes, and 64 hexadecimal digits")
    return Key(name, hexadecimal.lower(), limits, source)


def _read_limits(words: list[str], default: Limits) -> Limits:
    """Return limits from words like ``rate=0.5``, and from ``default`` where a word is missing.

    Raises:
        ValueError: a word is unknown or stands twice, or a limit is out of range.
    """
    found: dict[str, str] = {}
    for word in words:
        name, _, number = word.partition("=")
        if name in found or name not in ("rate", "concurrent"):
            raise ValueError("after the digest come rate= and concurrent=, each once at most")
        found[name] = number
    if "rate" in found and not RATE.fullmatch(found["rate"]):
        raise ValueError(f"rate is 0 or a decimal number of {MIN_RATE} to 999999999")
    if "concurrent" in found and not CONCURRENT.fullmatch(found["concurrent"]):
        raise ValueError("concurrent is a whole number of 0 to 999999999")
    return Limits(float(found.get("rate", default.rate)), int(found.get("concurrent", default.concurrent)))
