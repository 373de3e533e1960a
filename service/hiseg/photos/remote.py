"""Gets the masks of photos from a running service, which may be busy, or be started anew meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from hiseg import client
from hiseg.client.request import FrameOptions
from hiseg.client.result import Result
from hiseg.core.command_errors import BadOption, CommandError
from hiseg.core.job import Priority
from hiseg.photos.masker import Rows
from hiseg.photos.pipeline import PhotoError

TIMEOUT_S = 120.0
"""Seconds for one photo, all tries included."""
GREETING_S = 10.0
"""Seconds in which a service must say that it is there, before anything is sent."""
RETRIES = 100
"""More than there is time for: a service that is overloaded, or starts, is asked again until the time is over."""
SENT = 3
"""How often a photo is sent whose connection ends before the answer comes: a service that was killed may be there again
in a moment. No more often, since it may be this photo that ends it."""
OF_ALL = (client.Unauthorized, client.Unavailable, client.Overloaded, client.UnexpectedAnswer)
"""Errors that the next photo would meet too."""
T = TypeVar("T")


class RemoteMasker:
    """A :class:`hiseg.photos.masker.Masker` over the client.

    Args:
        to: client of the service.
        url: the service's, for messages.
        options: of every photo.
    """

    def __init__(self, to: client.AsyncClient, url: str, options: FrameOptions) -> None:
        self._to = to
        self._url = url
        self._options = options

    @property
    def model(self) -> None:
        """It is in each answer: a service may get a newer one while it runs."""
        return None

    async def segment(self, photo: bytes, boxes: Rows | None, write: Callable[[Result], T]) -> T:
        """See :meth:`hiseg.photos.masker.Masker.segment`."""
        try:
            result = await self._answer(photo, boxes)
        except OF_ALL as error:
            raise _of_all(self._url, error) from error
        except client.ClientError as error:
            raise PhotoError(str(error)) from error
        return await asyncio.to_thread(write, result)

    async def _answer(self, photo: bytes, boxes: Rows | None) -> Result:
        for _ in range(SENT - 1):
            with suppress(client.ConnectionLost):
                return await self._to.segment(photo, boxes, **self._options)
        return await self._to.segment(photo, boxes, **self._options)


@asynccontextmanager
async def remote_masker(url: str, api_key: str | None, options: FrameOptions) -> AsyncIterator[RemoteMasker]:
    """Keep a client of a service until the end of the block.

    Requests have the priority ``batch``, so that callers who wait for their answer are served first.

    Raises:
        BadOption: the URL is none of a service, or the key none that can be sent.
        CommandError: the service doesn't answer, or doesn't have the model or variant.
    """
    try:
        to = client.AsyncClient(url, timeout=TIMEOUT_S, retries=RETRIES, api_key=api_key)
    except (ValueError, UnicodeError) as error:
        raise BadOption("--server", url, f"can't be used: {error}") from error
    info = await _greet(url, api_key)
    for what, asked, there in (
        ("model", options.get("model"), info["models"]),
        ("variant", options.get("variant"), info["variants"]),
    ):
        if asked is not None and asked not in there:
            raise CommandError(f"{url}: {what} {asked!r} is not served; there is {', '.join(there)}")
    async with to:
        with_priority: FrameOptions = {"priority": Priority.BATCH.value}
        yield RemoteMasker(to, url, with_priority | options)


async def has_finder(url: str, api_key: str | None) -> bool:
    """Whether a service has a model that finds people.

    Raises:
        BadOption: the URL is none of a service, or the key none that can be sent.
        CommandError: the service doesn't answer.
    """
    return bool((await _greet(url, api_key)).get("finder_model"))


async def _greet(url: str, api_key: str | None) -> dict[str, Any]:
    """Ask a service what it has."""
    try:
        asking = client.AsyncClient(url, timeout=GREETING_S, api_key=api_key)
    except (ValueError, UnicodeError) as error:
        raise BadOption("--server", url, f"can't be used: {error}") from error
    async with asking:
        try:
            return await asking.info()
        except client.ClientError as error:
            raise _of_all(url, error) from error


def _of_all(url: str, error: client.ClientError) -> CommandError:
    """What ends the command, since the next photo would meet the same."""
    hint = "; give it with --api-key, or HISEG_API_KEY" if isinstance(error, client.Unauthorized) else ""
    return CommandError(f"{url}: {error}{hint}")
