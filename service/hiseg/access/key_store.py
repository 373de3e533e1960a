"""Whose quota a request with an API key counts towards.

Keys come from the settings and from a file, which is read again in the background whenever it has changed and was left
alone since: see :mod:`hiseg.core.settled_files`. A file that can't be read any more, has a line that is no key, or has
no keys at all, changes nothing: the keys that were read before stay valid.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from hiseg.access.keys import Key, check_agreement, digest, parse_listed_key, read_keys
from hiseg.access.quota import ClientQuota, Limits
from hiseg.core.errors import Unauthorized
from hiseg.core.settled_files import LOOK_INTERVAL_S, SettledFiles

BEARER = "bearer"
BLANKS = " \t"
"""Characters around a header's value that aren't part of it, and between a scheme and what follows it (RFC 9110)."""
MAX_KEY_HEADERS = 2
"""Most keys that a request may show: one in each of the two headers."""
MAX_KEY_CHARACTERS = 200
"""A longer text isn't looked up: no key is as long."""
MAX_LISTED_NAMES = 10
"""Most names of clients in one line of the log."""
KEY_NEEDED = "an API key is needed, in x-api-key or authorization: Bearer"
log = logging.getLogger(__name__)


class KeysUnusable(Exception):
    """The keys can't be used when the service starts."""


class KeyStore:
    """All keys that open the service.

    Args:
        listed: keys of the setting ``api_keys``.
        file: a file with more keys; None if there is none.
        limits: limits of keys that have none of their own.
        clock: the time in seconds, monotonic.

    Raises:
        KeysUnusable: the file can't be read, has a line that is no key, or keys contradict each other.
    """

    def __init__(
        self,
        listed: Sequence[str] = (),
        file: Path | None = None,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits or Limits()
        self._file = file
        self._clock = clock
        self._anonymous = ClientQuota()
        self._quotas: dict[str, ClientQuota] = {}
        self._quota_of_digest: dict[str, ClientQuota] = {}
        self._complaint = ""
        """What was wrong with the file at the last look; empty: nothing."""
        try:
            self._listed = [parse_listed_key(text, number, self._limits) for number, text in enumerate(listed, 1)]
            check_agreement(self._listed)
        except ValueError as error:
            raise KeysUnusable(str(error)) from error
        try:
            self._files = SettledFiles([file] if file else [], clock)
            self._replace([key for data in self._files.read() for key in read_keys(data, self._limits)])
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise KeysUnusable(f"api_keys_file {file}: {why}") from error

    @property
    def is_needed(self) -> bool:
        """Whether requests need a key. A service that starts with an empty file of keys lets nobody in."""
        return bool(self._listed) or self._file is not None

    @property
    def opens(self) -> bool:
        """Whether anybody may send requests now."""
        return not self.is_needed or bool(self._quota_of_digest)

    def describe(self) -> str:
        """Say in one line who may send requests."""
        if not self.is_needed:
            return "API keys: none, so everybody who reaches the address may ask"
        names, keys, listed = len(self._quotas), len(self._quota_of_digest), len({key.digest for key in self._listed})
        sources = [f"{listed} from api_keys"] if listed else []
        sources += [f"{keys - listed} from {self._file}"] if self._file else []
        nobody = "" if keys else "; nobody may ask until the file has one"
        return f"API keys: {keys}, of {names} client{'s' * (names != 1)} ({', '.join(sources)}){nobody}"

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Read the file again whenever it has changed, until the end of the block."""
        if self._file is None:
            yield
            return
        watch = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watch.cancel()
            await asyncio.wait([watch])

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
        for key in extract_keys(headers):
            # How long it takes to find a digest tells nothing about a key: nobody can choose a key by its digest.
            if len(key) <= MAX_KEY_CHARACTERS and (quota := self._quota_of_digest.get(digest(key))):
                return quota
        raise Unauthorized(KEY_NEEDED)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_INTERVAL_S)
            # In a thread: a network drive may take its time.
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Look at the file once, and take its keys if it has changed and was left alone since."""
        try:
            if (contents := self._files.read_change()) is None:
                return
            stored = [key for data in contents for key in read_keys(data, self._limits)]
            if not stored and self._quota_of_digest:
                raise ValueError("it has no keys")
            self._replace(stored)
        except (OSError, ValueError) as error:
            if str(error) != self._complaint:
                log.error("API keys: %s is not usable, and those before stay in force: %s", self._file, error)
            self._complaint = str(error)
        else:
            self._complaint = ""

    def _replace(self, stored: list[Key]) -> None:
        """Make the keys of the file valid; a client that was known before keeps its counts.

        Raises:
            ValueError: keys contradict each other.
        """
        keys = [*self._listed, *stored]
        check_agreement(keys)
        quotas: dict[str, ClientQuota] = {}
        for key in keys:
            if key.name not in quotas:
                quotas[key.name] = self._quotas.get(key.name) or ClientQuota(key.name, key.limits, self._clock)
                quotas[key.name].change_limits(key.limits)
        before, self._quotas = self._quotas, quotas
        self._quota_of_digest = {key.digest: quotas[key.name] for key in keys}
        if before:
            log.info("%s%s%s", self.describe(), _names("; new", quotas, before), _names("; gone", before, quotas))


def _names(text: str, those: Iterable[str], without: Iterable[str]) -> str:
    """Name the clients that are among the first and not among the second, or some of them; empty if there are none."""
    names = [name for name in those if name not in without]
    more = f" and {len(names) - MAX_LISTED_NAMES} more" if len(names) > MAX_LISTED_NAMES else ""
    return f"{text}: {', '.join(names[:MAX_LISTED_NAMES])}{more}" if names else ""


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
