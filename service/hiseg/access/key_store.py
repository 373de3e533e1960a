"""API keys: how they are stored, and whose quota a request with a key counts towards.

A key is stored as a name and a digest, so that reading the stored keys opens nothing. Keys come from the settings and
from a file, which is read again whenever it has changed. If it can't be read any more, or has a line that is no key,
the keys that were read before stay valid: no new key is accepted, and no valid one is refused.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from hiseg.access.quota import ClientQuota, Limits
from hiseg.core.errors import Unauthorized

NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")
DIGEST = re.compile(r"[0-9a-fA-F]{64}")
RANDOM_BYTES = 32
"""Random bytes of a new key: too many to guess, so that a quick digest protects it as well as a slow one."""
LINE_FORMAT = "NAME SHA256 [rate=REQUESTS_PER_SECOND] [concurrent=REQUESTS]"
CHECK_INTERVAL_S = 1.0
"""Shortest time in seconds between two checks of the file's time of change."""
BEARER = "bearer"
BLANKS = " \t"
"""Characters around a header's value that aren't part of it, and between a scheme and what follows it (RFC 9110)."""
MAX_KEY_HEADERS = 2
"""Most keys that a request may show: one in each of the two headers."""
MAX_KEY_CHARACTERS = 200
"""A longer text isn't looked up: no key is as long."""
KEY_NEEDED = "an API key is needed, in x-api-key or authorization: Bearer"
log = logging.getLogger("uvicorn.error")


class KeysUnusable(Exception):
    """The file of keys can't be read when the service starts."""


@dataclass(frozen=True, slots=True)
class Key:
    """One stored key.

    Attributes:
        name: the client's name, for logs. Two keys of one name are one client, which is how a key is replaced.
        digest: SHA-256 of the key, hexadecimal in small letters.
        limits: of the client's requests.
    """

    name: str
    digest: str
    limits: Limits


class KeyStore:
    """All keys that open the service.

    Args:
        listed: keys of the setting ``api_keys``.
        file: a file with more keys; None if there is none.
        limits: limits of keys that have none of their own.
        clock: the time in seconds, monotonic.

    Raises:
        KeysUnusable: the file can't be read, or has a line that is no key.
    """

    def __init__(
        self,
        listed: Sequence[str] = (),
        file: Path | None = None,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits or Limits()
        self._listed = [parse_listed_key(text, number, self._limits) for number, text in enumerate(listed, 1)]
        self._file = file
        self._clock = clock
        self._anonymous = ClientQuota()
        self._quotas: dict[str, ClientQuota] = {}
        self._quota_of_digest: dict[str, ClientQuota] = {}
        self._file_stamp: tuple[int, ...] | None = None
        self._checked_at = clock()
        try:
            self._replace(*self._read_file())
        except (OSError, ValueError) as error:
            raise KeysUnusable(f"api_keys_file {file}: {error}") from error

    @property
    def is_needed(self) -> bool:
        """Whether requests need a key. An empty file of keys lets nobody in."""
        return bool(self._listed) or self._file is not None

    def authenticate(self, headers: Iterable[tuple[str, str]]) -> ClientQuota:
        """Return the client of the first known key among HTTP headers or gRPC metadata.

        It costs little, whatever the headers are, so that a stream can be held to its key: it asks again with the same
        headers, once a second or so, and ends when they open nothing any more.

        Args:
            headers: names in small letters, and values.

        Raises:
            Unauthorized: a key is needed, and none of the headers has a known one, or there are too many of them.
        """
        if not self.is_needed:
            return self._anonymous
        self._reload_if_changed()
        for key in extract_keys(headers):
            # How long it takes to find a digest tells nothing about a key: nobody can choose a key by its digest.
            if len(key) <= MAX_KEY_CHARACTERS and (quota := self._quota_of_digest.get(digest(key))):
                return quota
        raise Unauthorized(KEY_NEEDED)

    def _reload_if_changed(self) -> None:
        """Read the file again if it has changed, checking no more often than every :data:`CHECK_INTERVAL_S`."""
        now = self._clock()
        if self._file is None or now - self._checked_at < CHECK_INTERVAL_S:
            return
        self._checked_at = now
        try:
            if self._stamp(self._file) != self._file_stamp:
                self._replace(*self._read_file())
                log.info("API keys: %d in force", len(self._quota_of_digest))
        except (OSError, ValueError) as error:
            log.error("API keys: %s is not usable, and those before stay in force: %s", self._file, error)

    def _read_file(self) -> tuple[list[Key], tuple[int, ...] | None]:
        """Return the keys of the file, and its stamp when they were read."""
        if self._file is None:
            return [], None
        # The stamp is taken first, so that a change in between is seen the next time.
        stamp = self._stamp(self._file)
        return read_keys(self._file.read_text("utf-8"), self._limits), stamp

    @staticmethod
    def _stamp(file: Path) -> tuple[int, ...]:
        """Return what differs when a file has changed: its time of change, size and inode."""
        status = file.stat()
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _replace(self, stored: list[Key], stamp: tuple[int, ...] | None) -> None:
        """Make the keys of the file valid; a client that was known before keeps its counts."""
        quotas: dict[str, ClientQuota] = {}
        for key in [*self._listed, *stored]:
            if key.name not in quotas:
                quotas[key.name] = self._quotas.get(key.name) or ClientQuota(key.name, key.limits, self._clock)
            quotas[key.name].change_limits(key.limits)
        self._quotas, self._file_stamp = quotas, stamp
        self._quota_of_digest = {key.digest: quotas[key.name] for key in [*self._listed, *stored]}


def extract_keys(headers: Iterable[tuple[str, str]]) -> list[str]:
    """Return the keys that HTTP headers or gRPC metadata contain, known or not; none if there are too many."""
    keys: list[str] = []
    for name, value in headers:
        if name == "x-api-key":
            keys.append(value.strip(BLANKS))
        elif name == "authorization" and value.lstrip(BLANKS)[: len(BEARER) + 1].lower().rstrip(BLANKS) == BEARER:
            keys.append(value.strip(BLANKS)[len(BEARER) :].strip(BLANKS))
        if len(keys) > MAX_KEY_HEADERS:
            return []
    return keys


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
    return _key(name if colon else f"key{number}", hexadecimal, limits)


def read_keys(text: str, limits: Limits) -> list[Key]:
    """Read the keys of a file: one a line in :data:`LINE_FORMAT`, with comments after ``#``.

    Args:
        text: contents of the file.
        limits: limits of keys that have none of their own.

    Raises:
        ValueError: a line isn't a key. The message has the line's number, but nothing of its text, which may be secret.
    """
    keys = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            name, hexadecimal, *rest = words
            keys.append(_key(name, hexadecimal, _read_limits(rest, limits)))
        except ValueError as error:
            raise ValueError(f"line {number} is not {LINE_FORMAT}") from error
    return keys


def _key(name: str, hexadecimal: str, limits: Limits) -> Key:
    """Return a key of a valid name and digest.

    Raises:
        ValueError: the name or the digest isn't valid.
    """
    if not NAME.fullmatch(name) or not DIGEST.fullmatch(hexadecimal):
        raise ValueError("a key is a name of 1 to 40 letters, digits, dots and dashes, and 64 hexadecimal digits")
    return Key(name, hexadecimal.lower(), limits)


def _read_limits(words: list[str], default: Limits) -> Limits:
    """Return limits from words like ``rate=0.5``, and from ``default`` where a word is missing.

    Raises:
        ValueError: a word is unknown, or a limit is negative or no number.
    """
    rate, concurrent = default.rate, default.concurrent
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
