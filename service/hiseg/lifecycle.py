"""From the first connection to the last answer: listen, become ready, and stop without losing what was accepted.

SIGTERM or SIGINT: from that moment the service isn't ready and takes no new request, but still answers, with 503;
accepted requests are finished; then the process exits with 0. A second signal, or the drain limit, ends it at once,
with 1. Before it is ready there is nothing to finish: then the first signal ends it at once, with 0.

Behind a load balancer requests are taken for a little longer (``leave_seconds``), until it has noticed that the service
isn't ready: else callers would see those 503.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import ssl
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import uvicorn
from fastapi import FastAPI

from hiseg.batching.admission import Admission, State
from hiseg.observability.logs import LogFormat, configuration

log = logging.getLogger("uvicorn.error")
LAST_BYTES_SECONDS = 5
"""What callers get to read their answers in, once all work is done."""


class ListenError(Exception):
    """A port can't be had, or a file for TLS isn't usable."""


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where HTTP is answered.

    Attributes:
        host: address to listen on.
        port: 0 takes a free one.
        cert: PEM file of the certificate chain; None: plain text.
        key: PEM file of its private key.
        client_ca: PEM file; who comes needs a certificate signed by it.
        proxies: whose X-Forwarded-For says who calls; addresses and networks, or ``*``.
    """

    host: str
    port: int
    cert: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    proxies: tuple[str, ...] = ()


class _Server(uvicorn.Server):
    """Uvicorn that leaves the signals to us: it would close its door before accepted work is done."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run_until_stopped(
    app: FastAPI,
    door: ListenAddress,
    admission: Admission,
    models: AbstractAsyncContextManager[None],
    beside: AbstractAsyncContextManager[None],
    leave_seconds: float,
    drain_seconds: float,
    log_format: LogFormat,
) -> None:
    """Answer HTTP until a signal, then drain.

    Args:
        app: what answers.
        door: where.
        admission: who is let in to ``app``.
        models: entered while the service already listens; requests are taken until the signal, or a little longer.
        beside: another transport, entered first and left last.
        leave_seconds: how long requests are still taken after the signal.
        drain_seconds: most time that accepted work gets, from then on.
        log_format: how lines look.

    Raises:
        ListenError: a file for TLS isn't usable.
        Exception: what entering ``models`` raises.
    """
    config = uvicorn.Config(
        app,
        host=door.host,
        port=door.port,
        access_log=False,
        forwarded_allow_ips=list(door.proxies),
        log_config=configuration(log_format),
        timeout_graceful_shutdown=LAST_BYTES_SECONDS,
        ssl_certfile=door.cert,
        ssl_keyfile=door.key,
        ssl_ca_certs=None if door.client_ca is None else str(door.client_ca),
        ssl_cert_reqs=ssl.CERT_NONE if door.client_ca is None else ssl.CERT_REQUIRED,
    )
    try:
        config.load()
    except OSError as error:
        raise ListenError(f"cannot listen for HTTP on {door.host}:{door.port}: {error}") from error
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_run(_Server(config), admission, models, beside, leave_seconds, drain_seconds))


async def _run(
    server: _Server,
    admission: Admission,
    models: AbstractAsyncContextManager[None],
    beside: AbstractAsyncContextManager[None],
    leave_seconds: float,
    drain_seconds: float,
) -> None:
    failure: Exception | None = None
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve())
        try:
            stop = _stop_on_signals(admission, leave_seconds, drain_seconds)
            async with beside, models:
                log.info("Ready")
                await stop.wait()
                log.info("Draining: %d requests inside", admission.active_requests)
                await admission.wait_until_empty()
        except Exception as error:  # kept: the group would wrap it
            failure = error
        finally:
            server.should_exit = True
    if failure:
        raise failure


def _stop_on_signals(admission: Admission, leave_seconds: float, drain_seconds: float) -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked() -> None:
        if admission.state is State.STARTING:
            _end(0, "Stopped before it was ready")
        if admission.state is not State.READY:
            _end(1, f"Ended by a second signal with {admission.active_requests} requests inside")
        admission.state = State.LEAVING
        if leave_seconds:
            log.info("Leaving: requests are taken for %g s more", leave_seconds)
            loop.call_later(leave_seconds, close)
        else:
            close()

    def close() -> None:
        admission.state = State.DRAINING
        stop.set()
        loop.call_later(drain_seconds, out_of_time)

    def out_of_time() -> None:
        _end(1, f"Ended by the drain limit of {drain_seconds:g} s with {admission.active_requests} requests inside")

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked)
    return stop


def _end(code: int, why: str) -> NoReturn:
    log.warning(why)
    logging.shutdown()
    # An engine that hangs or loads holds a thread that can't be ended otherwise.
    os._exit(code)
