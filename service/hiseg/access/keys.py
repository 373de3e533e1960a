"""API keys as they are stored: a name and a digest, so that who reads them can't call."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from hashlib import sha256

NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")
DIGEST = re.compile(r"[0-9a-fA-F]{64}")
RANDOM_BYTES = 32
"""Of a new key. So many can't be guessed, so that a digest made to be quick is as good as one made to be slow."""
FORM = "NAME SHA256 [rate=REQUESTS_PER_SECOND] [concurrent=REQUESTS]"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a key may ask for; 0: there is no limit.

    Attributes:
        rate: requests, or frames of streams, a second; as many may come at once after a quiet second.
        concurrent: requests and streams at once.
    """

    rate: float = 0.0
    concurrent: int = 0


@dataclass(frozen=True, slots=True)
class Key:
    """One key.

    Attributes:
        name: for logs; two keys of one name are one caller, which is how one is replaced by the other.
        digest: SHA-256 of the key, in hexadecimal.
        limits: of its name.
    """

    name: str
    digest: str
    limits: Limits


def new_key() -> tuple[str, str]:
    """A key that nobody has, and its digest."""
    key = secrets.token_urlsafe(RANDOM_BYTES)
    return key, digest(key)


def digest(key: str) -> str:
    """What is stored of a key."""
    return sha256(key.encode()).hexdigest()


def listed_key(text: str, number: int, limits: Limits) -> Key:
    """A key as the setting ``api_keys`` has it: ``name:digest``, or a digest alone, which is named by its place.

    Raises:
        ValueError: it is neither.
    """
    name, colon, hexadecimal = text.rpartition(":")
    return _key(name if colon else f"key{number}", hexadecimal, limits)


def read_keys(text: str, limits: Limits) -> list[Key]:
    """The keys of a file: one a line, ``#`` before what is for people.

    Args:
        text: of the file.
        limits: of keys that have none of their own.

    Raises:
        ValueError: a line isn't a key; the message has its number, and nothing of what stands there.
    """
    keys = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            name, hexadecimal, *rest = words
            keys.append(_key(name, hexadecimal, _limits(rest, limits)))
        except ValueError as error:
            raise ValueError(f"line {number} is not {FORM}") from error
    return keys


def _key(name: str, hexadecimal: str, limits: Limits) -> Key:
    if not NAME.fullmatch(name) or not DIGEST.fullmatch(hexadecimal):
        raise ValueError("a key is a name of 1 to 40 letters, digits, dots and dashes, and 64 hexadecimal digits")
    return Key(name, hexadecimal.lower(), limits)


def _limits(words: list[str], usual: Limits) -> Limits:
    rate, concurrent = usual.rate, usual.concurrent
    for word in words:
        match word.split("="):
            case ["rate", number]:
                rate = float(number)
            case ["concurrent", number]:
                concurrent = int(number)
            case _:
                raise ValueError(word)
    if not 0 <= rate < 1e9 or concurrent < 0:  # also false for NaN
        raise ValueError("a limit is 0 or more")
    return Limits(rate, concurrent)
