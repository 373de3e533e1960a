"""Opens what makes the masks, in this process or at a service, and imports no more than that takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from hiseg.client.request import FrameOptions
from hiseg.core.extras import needing
from hiseg.photos.masker import Masker

if TYPE_CHECKING:
    from hiseg.settings import Settings


@asynccontextmanager
async def open_masker(
    options: FrameOptions,
    settings: Callable[[], Settings],
    server: str | None = None,
    api_key: str | None = None,
) -> AsyncIterator[Masker]:
    """Provide a masker until the end of the block.

    Args:
        options: of every photo, by the service's names.
        settings: reads the settings of models that run in this process; it isn't called where a service runs them.
        server: URL of a running service; None: the model runs in this process.
        api_key: the service's, if it needs one.

    Raises:
        CommandError: the service doesn't answer, or the model can't be used.
        HisegError: there is no such model.
        StartError: there are no models.
        ExtraMissing: a model is to run here, and its packages aren't installed.
    """
    # Neither at the top: a plain install has no models to run, and who runs one needs no client.
    if server is not None:
        from hiseg.photos.remote import remote_masker

        async with remote_masker(server, api_key, options) as remote:
            yield remote
    else:
        with needing("making masks without --server"):
            from hiseg.photos.embedded import embedded_masker

        async with embedded_masker(settings(), options) as embedded:
            yield embedded


def can_find(settings: Callable[[], Settings], server: str | None = None, api_key: str | None = None) -> bool:
    """Whether there is a model that finds people; nothing is loaded for it. Arguments are those of :func:`open_masker`.

    Raises:
        CommandError: the service doesn't answer.
        StartError: there are no models.
        ExtraMissing: a model is to run here, and its packages aren't installed.
    """
    if server is not None:
        from hiseg.photos.remote import has_finder

        return asyncio.run(has_finder(server, api_key))
    with needing("making masks without --server"):
        from hiseg.session.embedded import stored_finder
    return stored_finder(settings()) is not None
