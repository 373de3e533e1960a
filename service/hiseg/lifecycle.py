"""Startup, drain and shutdown of the service process: no accepted request is lost.

The process listens from the start, says that it runs once the models are loaded, and is ready then. On SIGTERM or
SIGINT it stops being ready and refuses new requests with 503, finishes the accepted ones, and exits with 0. A second
signal, or the end of the drain time, ends it at once, with 1, whatever its threads do. Before it is ready there is
nothing to finish: then the first signal ends it, with 0.

Behind a load balancer requests are accepted for some more seconds (the setting ``shutdown_delay_seconds``), until the
balancer has noticed that the process isn't ready; otherwise callers would see those 503.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

import uvicorn
from fastapi import FastAPI

from hiseg.batching.admission import Admission, State
from hiseg.core.certificate import Certificate
from hiseg.core.listening import ListenError, bracketed, listen
from hiseg.observability.logs import LogFormat, logging_config

log = logging.getLogger(__name__)
READ_RESPONSE_SECONDS = 5
"""Seconds that callers get to read their responses after all work is done."""
UNSENT_BYTES = 128 * 1024
"""Most bytes of an answer that the kernel takes before it can send them."""
ConnectionFactory = Callable[..., asyncio.Protocol]
"""Makes the protocol of a connection from what uvicorn gives it, and the keyword ``tls``: a TLS context, or None."""

Announce = Callable[[int, int], None]
"""Says that the service is ready, given the ports of HTTP and gRPC."""


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where HTTP is served.

    Attributes:
        host: address to listen on.
        port: 0 takes a free one.
        cert: PEM file of the certificate chain; None: plain text.
        key: PEM file of its private key.
        client_ca: PEM file of the CA that must have signed the clients' certificates; None: clients need none.
        proxies: addresses and networks of the proxies whose ``X-Forwarded-For`` is believed; ``*``: all.
        certificate: what ``cert`` and ``key`` contain, for its renewals; None: they are read once.
    """

    host: str
    port: int
    cert: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    proxies: tuple[str, ...] = ()
    certificate: Certificate | None = None


@dataclass(frozen=True, slots=True)
class ShutdownTimes:
    """How long the steps of a shutdown take, in seconds.

    Attributes:
        delay: time after the signal in which requests are still accepted.
        drain: longest time that accepted requests then get to finish.
    """

    delay: float
    drain: float


class _Server(uvicorn.Server):
    """Uvicorn that leaves signals to us: its own handlers would close the port before accepted work is done."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen_for_http(host: str, port: int) -> list[socket.socket]:
    """Listen on every address that a host has; see :func:`hiseg.core.listening.listen`, also for the errors."""
    sockets = listen("HTTP", host, port, "port")
    for each in sockets:
        # The kernel buffers little that wasn't sent yet, so that it is known how fast an answer is read.
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
    return sockets


def run_until_stopped(
    app: FastAPI,
    address: ListenAddress,
    admission: Admission,
    models: AbstractAsyncContextManager[None],
    grpc: AbstractAsyncContextManager[str],
    times: ShutdownTimes,
    log_format: LogFormat,
    connection: ConnectionFactory,
    announce: Announce,
) -> None:
    """Serve HTTP and gRPC until a signal, then drain.

    Args:
        app: the HTTP application.
        address: where it is served.
        admission: its state is changed on signals, and its requests are waited for.
        models: entered when the service listens already; it sets the state to ready.
        grpc: the gRPC server; entered first and left last. It gives its address.
        times: how long the steps of the shutdown take.
        log_format: format of the log.
        connection: makes the protocol of an HTTP connection, from what uvicorn gives it and the keyword ``tls``.
        announce: called once, when requests are taken.

    Raises:
        ListenError: a TLS file can't be used, or the port can't be listened on.
        Exception: whatever entering ``models`` or ``grpc`` raises.
    """
    config = uvicorn.Config(
        app,
        host=address.host,
        port=address.port,
        access_log=False,
        forwarded_allow_ips=list(address.proxies),
        log_config=logging_config(log_format),
        timeout_graceful_shutdown=READ_RESPONSE_SECONDS,
        ssl_certfile=address.cert,
        ssl_keyfile=address.key,
        ssl_ca_certs=None if address.client_ca is None else str(address.client_ca),
        ssl_cert_reqs=ssl.CERT_NONE if address.client_ca is None else ssl.CERT_REQUIRED,
        ws="none",
    )
    try:
        config.load()
    except OSError as error:
        raise ListenError(f"the TLS files of HTTP can't be used: {error}", "Set http_tls_… to files in PEM.") from error
    sockets = listen_for_http(address.host, address.port)
    if config.ssl and address.certificate:
        # On the event loop: no handshake begins meanwhile.
        address.certificate.subscribe(
            partial(config.ssl.load_cert_chain, address.certificate.cert, address.certificate.key)
        )
    # A connection counts from the beginning of its TLS handshake, so it makes that itself.
    config.http_protocol_class = partial(connection, tls=config.ssl)  # type: ignore[assignment]
    config.ssl = None
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_run(_Server(config), sockets, admission, models, grpc, times, announce))


async def _run(
    server: _Server,
    sockets: list[socket.socket],
    admission: Admission,
    models: AbstractAsyncContextManager[None],
    grpc: AbstractAsyncContextManager[str],
    times: ShutdownTimes,
    announce: Announce,
) -> None:
    scheme = "https" if server.config.is_ssl else "http"
    urls = [f"{scheme}://{bracketed(host)}:{port}" for host, port, *_ in (each.getsockname() for each in sockets)]
    failure: Exception | None = None
    async with asyncio.TaskGroup() as tasks:
        try:
            drain = _drain_on_signals(admission, times)
            # gRPC first: if its port is taken, HTTP answers nobody.
            async with grpc as grpc_address:
                tasks.create_task(server.serve(sockets))
                log.info(
                    "Loading the models; until then %s and gRPC on %s answer 503", " and ".join(urls), grpc_address
                )
                async with models:
                    announce(sockets[0].getsockname()[1], int(grpc_address.rpartition(":")[2]))
                    await drain.wait()
                    log.info("Draining: %d requests in progress", admission.active_requests)
                    await admission.wait_until_empty()
        except Exception as error:  # kept: the group would wrap it
            failure = error
        finally:
            server.should_exit = True
    for each in sockets:
        each.close()
    if failure:
        raise failure


def _drain_on_signals(admission: Admission, times: ShutdownTimes) -> asyncio.Event:
    """Install the signal handlers; the event is set when no more requests are accepted."""
    drain = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if admission.state is State.STARTING:
            _exit(0, "Stopped before it was ready")
        if admission.state is not State.READY:
            _exit(1, f"Ended by a second signal with {admission.active_requests} requests in progress")
        admission.state = State.LAME_DUCK
        if times.delay:
            log.info("Shutting down: requests are accepted for %g s more", times.delay)
            loop.call_later(times.delay, start_draining)
        else:
            start_draining()

    def start_draining() -> None:
        admission.state = State.DRAINING
        drain.set()
        # Not a timer of the loop: the limit must hold when the loop has ended and the process waits for a thread.
        limit = threading.Timer(times.drain, on_drain_timeout)
        limit.daemon = True
        limit.start()

    def on_drain_timeout() -> None:
        text = f"Ended by the drain limit of {times.drain:g} s with {admission.active_requests} requests in progress"
        _exit(1, text)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    return drain


def _exit(code: int, why: str) -> NoReturn:
    """End the process at once: a thread that hangs in an engine, or loads a model, can't be ended otherwise."""
    log.warning(why)
    logging.shutdown()
    os._exit(code)
