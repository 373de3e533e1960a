"""Regions that one server knows, used again and again; none where the server refuses them."""

from __future__ import annotations

import errno
import logging
import secrets
import time

from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from hiseg.engines.triton.connection import SILENT_S
from hiseg.engines.triton.regions import Region, is_leftover, new_region, remove_leftovers

log = logging.getLogger("uvicorn.error")
QUARANTINE_S = 60.0
"""A server may still write to a region after its call has ended badly; so long nobody else gets it."""
MOST_RETIRED_BYTES = 256 * 1024 * 1024
"""With more in quarantine no new regions are made: callers who leave in crowds must not fill the memory."""
PROBE_BYTES = 1
PASSING = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED")
"""These say nothing of what the server takes."""


class Pool:
    """One server's regions.

    Args:
        client: the server.
        address: its name in the log.
        keep: most regions that are kept for later.
    """

    def __init__(self, client: InferenceServerClient, address: str, keep: int) -> None:
        self._client = client
        self._address = address
        self._keep = keep
        self._token = secrets.token_hex(6)
        self._known: set[Region] = set()
        """Registered, and not retired."""
        self._free: list[Region] = []
        self._retired: list[tuple[float, Region]] = []
        self.is_refused = False
        """This server doesn't take regions; tensors go over the connection."""

    async def open(self) -> None:
        """Find out whether the server shares our memory; if it does, clear away what dead processes left."""
        self.is_refused = False
        if (region := await self.take(PROBE_BYTES)) is None:
            return
        self.give(region)
        try:
            status = await self._client.get_system_shared_memory_status(client_timeout=SILENT_S)
            for name in filter(is_leftover, status.regions):
                await self._client.unregister_system_shared_memory(name, client_timeout=SILENT_S)
        except InferenceServerException as error:
            log.warning("%s: can't clear its shared memory of leftovers: %s", self._address, error)
        remove_leftovers()

    async def take(self, size: int) -> Region | None:
        """A region of at least ``size`` bytes; None: the tensors must go over the connection."""
        if self.is_refused:
            return None
        fitting = [region for region in self._free if region.size >= size]
        if fitting:
            region = min(fitting, key=lambda region: region.size)
            self._free.remove(region)
            return region
        if sum(region.size for _, region in self._retired) > MOST_RETIRED_BYTES:
            return None
        try:
            region = new_region(self._token, size)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                self._refuse(str(error))
            return None
        try:
            await self._client.register_system_shared_memory(
                region.name, f"/{region.name}", region.size, client_timeout=SILENT_S
            )
        except InferenceServerException as error:
            region.remove()
            if str(error.status()).removeprefix("StatusCode.") not in PASSING:
                self._refuse(str(error))
            return None
        except BaseException:
            self.retire(region)  # the server may have it already
            raise
        self._known.add(region)
        return region

    def give(self, region: Region) -> None:
        """Back, for the next; the server is done with it."""
        if region not in self._known:
            return self.retire(region)
        self._free.append(region)
        if len(self._free) > self._keep:
            smallest = min(self._free, key=lambda region: region.size)
            self._free.remove(smallest)
            self._known.remove(smallest)
            self._retired.append((0.0, smallest))

    def retire(self, region: Region) -> None:
        """Away: its call ended badly, and the server may not be done with it."""
        self._known.discard(region)
        self._retired.append((time.monotonic() + QUARANTINE_S, region))

    def forget(self) -> None:
        """The server is away: when it is back it may know none of them, or still write to some."""
        for region in self._free:
            self.retire(region)
        self._free = []
        self._known.clear()

    async def clear(self, everything: bool = False) -> None:
        """Unregister and remove regions that were retired long enough ago.

        Args:
            everything: the end: also those that are free; and of those that the server may still write to, the names.
        """
        now = time.monotonic()
        due = [region for until, region in self._retired if until <= now]
        self._retired = [(until, region) for until, region in self._retired if until > now]
        if everything:
            due += self._free
            for _, region in self._retired:
                region.remove()  # whoever starts next unregisters it
            self._free, self._retired, self.is_refused = [], [], True
            self._known.clear()
        for region in due:
            region.remove()
        try:
            for region in due:
                await self._client.unregister_system_shared_memory(region.name, client_timeout=SILENT_S)
        except InferenceServerException:
            pass  # it is away, and so are its registrations; or the next start unregisters them

    def _refuse(self, why: str) -> None:
        self.is_refused = True
        log.info("%s: no shared memory (%s); tensors go over the connection", self._address, why)
