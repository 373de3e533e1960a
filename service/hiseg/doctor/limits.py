"""Do the settings, each of which is allowed, fit each other and this machine?"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

from hiseg.api.limits import MAX_CONNECTIONS
from hiseg.core.cgroups import available_memory
from hiseg.doctor.finding import Finding, ok, warning, wrong
from hiseg.settings import MEBI, Settings

OWN_FILES = 128
"""File descriptors besides those of callers: model files, libraries, the log, connections to engines."""
MIN_FILES = 256
"""With fewer file descriptors than this the service is of no use."""
OWN_BYTES = 384 * MEBI
"""Memory besides what requests hold: libraries, models, batches and what the allocator keeps."""


def check_settings(settings: Settings) -> Iterator[Finding]:
    """Compare settings with each other, as far as the service would start with them."""
    found = False
    for finding in _contradictions(settings):
        found = True
        yield finding
    if not found:
        yield ok("settings", "no two contradict each other")


def _contradictions(settings: Settings) -> Iterator[Finding]:
    pixels = 3 * settings.max_image_pixels
    if pixels > settings.max_held_bytes:
        yield wrong(
            "settings",
            f"max_image_pixels ({settings.max_image_pixels}) accepts images of {pixels} bytes, and max_held_bytes "
            f"({settings.max_held_bytes}) has room for none of them",
            f"Set max_held_bytes to at least {2 * pixels}, or max_image_pixels to a third of max_held_bytes at most.",
        )
    if settings.max_wait_ms >= settings.default_deadline_ms:
        yield warning(
            "settings",
            f"max_wait_ms ({settings.max_wait_ms}) is not under default_deadline_ms ({settings.default_deadline_ms}): "
            "requests are admitted that would wait past their deadline",
            "Set max_wait_ms well under default_deadline_ms.",
        )
    if settings.batch_budget_ms > settings.max_wait_ms:
        yield warning(
            "settings",
            f"batch_budget_ms ({settings.batch_budget_ms}) is over max_wait_ms ({settings.max_wait_ms}): one full "
            "batch ahead and everybody is refused",
            "Set batch_budget_ms to a few hundredths of max_wait_ms.",
        )
    for name in ("label_studio_media_root", "label_studio_document_root"):
        folder = getattr(settings, name)
        if folder and not os.path.isdir(folder):
            yield warning(
                "settings",
                f"{name} ({folder}) is no folder: Label Studio's images in it can't be read",
                "Mount it, or set it to the folder that Label Studio uses.",
            )
    if settings.drain_seconds * 1000 < settings.default_deadline_ms:
        yield warning(
            "settings",
            f"drain_seconds ({settings.drain_seconds:g}) is under default_deadline_ms "
            f"({settings.default_deadline_ms}): a restart can cut requests that were still in time",
            "Set drain_seconds to at least the default deadline.",
        )


def check_open_files(settings: Settings, allowed: int | None = None) -> Finding:
    """Compare the limit of open files (the system's, unless ``allowed`` is given) with the limits of callers."""
    if allowed is None:
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    calls, streams = settings.grpc_max_calls, settings.grpc_max_streams
    needed = MAX_CONNECTIONS + calls + streams + OWN_FILES
    many = f"{MAX_CONNECTIONS} HTTP connections, {calls} gRPC calls and {streams} streams at once may need {needed}"
    if allowed == resource.RLIM_INFINITY:
        return ok("open files", f"any number of open files is allowed; {many}")
    found = f"{allowed} open files allowed; {many}"
    mend = f"Raise it: `ulimit -n {needed}`, LimitNOFILE= in a systemd unit, `ulimits: nofile` in a compose file."
    if allowed < MIN_FILES:
        return wrong("open files", found, mend)
    return ok("open files", found) if allowed >= needed else warning("open files", found, mend)


def check_memory(settings: Settings, limit: int | None = None) -> Finding:
    """Compare the bytes of memory there are (here, unless ``limit`` is given) with what requests may hold."""
    if limit is None:
        limit = available_memory()
    held = settings.max_held_bytes
    needed = OWN_BYTES + held + held // 4  # one piece of work alone may exceed what is free by a quarter
    found = f"requests may hold {held // MEBI} MiB of the {limit // MEBI} MiB there are"
    if needed <= limit:
        return ok("memory", found)
    found += f", and {needed // MEBI} MiB are taken then, with models and batches"
    least = 4 * settings.max_body_bytes
    fitting = max(least, (limit - OWN_BYTES) * 4 // 5)
    mend = f"Allow {needed // MEBI} MiB of memory, or set max_held_bytes to {fitting}"
    if fitting == least:
        mend += ", which is as little as max_image_bytes lets it be, and to less with that"
    return (wrong if held >= limit else warning)("memory", found, f"{mend}.")
