"""A pool of shared memory regions that are registered with one server; it stays empty if the server refuses them."""

from __future__ import annotations

import errno
import logging
import secrets
import time

from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from hiseg.engines.triton.connection import ANSWER_TIMEOUT_S
from hiseg.engines.triton.regions import Region, create_region, is_leftover, remove_leftovers

log = logging.getLogger(__name__)
QUARANTINE_S = 60.0
"""Seconds for which a region isn't used again after a call that failed: the server may still write to it."""
MAX_QUARANTINED_BYTES = 256 * 1024 * 1024
"""Bytes in quarantine above which no regions are created: many cancelled calls at once must not fill the memory."""
KEPT_BYTES = 8 * 1024 * 1024
IDLE_S = 30.0
"""An unused region over ``KEPT_BYTES`` is removed after ``IDLE_S`` seconds: what large batches took goes back."""
PROBE_BYTES = 1
TEMPORARY_STATUSES = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED")
"""Statuses that don't say whether the server supports shared memory."""


class Pool:
    """The regions of one server.

    Args:
        client: client of the server.
        address: address of the server, for the log.
        keep: largest number of unused regions that are kept.
    """

    def __init__(self, client: InferenceServerClient, address: str, keep: int) -> None:
        self._client = client
        self._address = address
        self._keep = keep
        self._token = secrets.token_hex(6)
        self._registered: set[Region] = set()
        """Regions that the server knows and that aren't in quarantine."""
        self._free: dict[Region, float] = {}
        """Unused regions, and the monotonic time since when."""
        self._quarantined: list[tuple[float, Region]] = []
        self.is_refused = False
        """Whether the server refuses shared memory, so that tensors go over the connection."""

    async def open(self) -> None:
        """Find out whether the server shares our memory; if it does, remove what dead processes left there."""
        self.is_refused = False
        if (region := await self.acquire(PROBE_BYTES)) is None:
            return
        self.release(region)
        try:
            status = await self._client.get_system_shared_memory_status(client_timeout=ANSWER_TIMEOUT_S)
            for name in filter(is_leftover, status.regions):
                await self._client.unregister_system_shared_memory(name, client_timeout=ANSWER_TIMEOUT_S)
        except InferenceServerException as error:
            log.warning("%s: can't clear its shared memory of leftovers: %s", self._address, error)
        remove_leftovers()

    async def acquire(self, size: int) -> Region | None:
        """Get a region of at least ``size`` bytes; None: the tensors must go over the connection."""
        if self.is_refused:
            return None
        fitting = [region for region in self._free if region.size >= size]
        if fitting:
            region = min(fitting, key=lambda region: region.size)
            del self._free[region]
            return region
        if sum(region.size for _, region in self._quarantined) > MAX_QUARANTINED_BYTES:
            return None
        try:
            region = create_region(self._token, size)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                self._refuse(str(error))
            return None
        try:
            await self._client.register_system_shared_memory(
                region.name, f"/{region.name}", region.size, client_timeout=ANSWER_TIMEOUT_S
            )
        except InferenceServerException as error:
            region.destroy()
            if str(error.status()).removeprefix("StatusCode.") not in TEMPORARY_STATUSES:
                self._refuse(str(error))
            return None
        except BaseException:
            self.quarantine(region)  # the server may have registered it already
            raise
        self._registered.add(region)
        return region

    def release(self, region: Region) -> None:
        """Return a region after a call that succeeded, so that the next call can use it."""
        if region not in self._registered:
            return self.quarantine(region)
        self._free[region] = time.monotonic()
        if len(self._free) > self._keep:
            self._discard(min(self._free, key=lambda region: region.size))

    def _discard(self, region: Region) -> None:
        """Have an unused region removed by the next :meth:`clean_up`."""
        del self._free[region]
        self._registered.remove(region)
        self._quarantined.append((0.0, region))

    def quarantine(self, region: Region) -> None:
        """Return a region after a call that failed: the server may still write to it."""
        self._registered.discard(region)
        self._quarantined.append((time.monotonic() + QUARANTINE_S, region))

    def invalidate(self) -> None:
        """Stop using all regions, because the server went down: it may have lost them, or still write to some."""
        for region in self._free:
            self.quarantine(region)
        self._free = {}
        self._registered.clear()

    async def clean_up(self, everything: bool = False) -> None:
        """Unregister and remove the regions whose quarantine is over, and large ones that haven't been used for long.

        Args:
            everything: also remove the unused regions and the files of those in quarantine, since the pool is closed.
        """
        now = time.monotonic()
        for region, since in [*self._free.items()]:
            if region.size > KEPT_BYTES and since <= now - IDLE_S:
                self._discard(region)
        due = [region for until, region in self._quarantined if until <= now]
        self._quarantined = [(until, region) for until, region in self._quarantined if until > now]
        if everything:
            due += self._free
            for _, region in self._quarantined:
                region.destroy()  # the next process that starts unregisters it
            self._free, self._quarantined, self.is_refused = {}, [], True
            self._registered.clear()
        for region in due:
            region.destroy()
        try:
            for region in due:
                await self._client.unregister_system_shared_memory(region.name, client_timeout=ANSWER_TIMEOUT_S)
        except InferenceServerException:
            pass  # the server is down with its registrations, or the next process that starts unregisters them

    def _refuse(self, why: str) -> None:
        self.is_refused = True
        log.info("%s: no shared memory (%s); tensors go over the connection", self._address, why)
