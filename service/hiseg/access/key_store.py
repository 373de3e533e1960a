"""All keys that open the service, by name; the file they stand in is read again whenever it has changed.

They are compared in constant time, so that nobody can guess a digest one byte after the other. A file that can't be
read any more, or has a line that is no key, changes nothing: neither is anybody let in who wasn't, nor all locked out.
"""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from hiseg.access.keys import Key, Limits, digest, listed_key, read_keys
from hiseg.access.quota import ClientQuota
from hiseg.core.errors import Unauthorized

LOOK_S = 1.0
"""Whether the file has changed is looked at no more often."""
BEARER = "bearer "
WHERE = "an API key is needed, in x-api-key or authorization: Bearer"
log = logging.getLogger("uvicorn.error")


class KeysUnusable(Exception):
    """The file of keys can't be read when the service starts."""


class KeyStore:
    """Who has a key.

    Args:
        listed: keys of the settings.
        file: more of them; None: there is no file.
        limits: of keys that have none of their own.
        clock: seconds, monotonic.

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
        self._listed = [listed_key(text, number, self._limits) for number, text in enumerate(listed, 1)]
        self._file = file
        self._clock = clock
        self._anybody = ClientQuota()
        self._callers: dict[str, ClientQuota] = {}
        self._keys: list[Key] = []
        self._stamp: tuple[int, ...] | None = None
        self._looked = clock()
        try:
            self._take(*self._read())
        except (OSError, ValueError) as error:
            raise KeysUnusable(f"api_keys_file {file}: {error}") from error

    @property
    def is_needed(self) -> bool:
        """Whether one must have a key."""
        return bool(self._listed) or self._file is not None

    def caller(self, headers: Iterable[tuple[str, str]]) -> ClientQuota:
        """Who asks, by the first good key among HTTP headers or gRPC metadata.

        Args:
            headers: names in small letters, and values.

        Raises:
            Unauthorized: none has a key that is known.
        """
        if not self.is_needed:
            return self._anybody
        self._look()
        for name in map(self._name, shown_keys(headers)):
            if name is not None:
                return self._callers[name]
        raise Unauthorized(WHERE)

    def _name(self, key: str) -> str | None:
        shown, found = digest(key), None
        for known in self._keys:  # all of them, so that the time doesn't say which
            if hmac.compare_digest(shown, known.digest):
                found = known.name
        return found

    def _look(self) -> None:
        now = self._clock()
        if self._file is None or now - self._looked < LOOK_S:
            return
        self._looked = now
        try:
            if self._stamp_of(self._file) != self._stamp:
                self._take(*self._read())
                log.info("API keys: %d in force", len(self._keys))
        except (OSError, ValueError) as error:
            log.error("API keys: %s is not usable, and those before stay in force: %s", self._file, error)

    def _read(self) -> tuple[list[Key], tuple[int, ...] | None]:
        if self._file is None:
            return [], None
        # The stamp first: a change in between is then seen the next time.
        stamp = self._stamp_of(self._file)
        return read_keys(self._file.read_text("utf-8"), self._limits), stamp

    @staticmethod
    def _stamp_of(file: Path) -> tuple[int, ...]:
        found = file.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _take(self, stored: list[Key], stamp: tuple[int, ...] | None) -> None:
        """From now on these, and those of the settings; who was there before keeps what they have used."""
        self._keys, self._stamp = [*self._listed, *stored], stamp
        before, self._callers = self._callers, {}
        for key in self._keys:
            old = before.get(key.name)
            same = old is not None and old.limits == key.limits
            self._callers[key.name] = old if old and same else ClientQuota(key.name, key.limits, self._clock)


def shown_keys(headers: Iterable[tuple[str, str]]) -> list[str]:
    """What a caller says its keys are."""
    found = []
    for name, value in headers:
        if name == "x-api-key":
            found.append(value)
        elif name == "authorization" and value.lower().startswith(BEARER):
            found.append(value[len(BEARER) :].strip())
    return found
