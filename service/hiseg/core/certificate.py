"""The certificate that a transport shows: how long it is valid, and what takes its place when its files are renewed.

An expired certificate locks every careful client out, and nobody on the server's side sees an error; so it is said in
the log, in a metric and by the doctor. A renewed one, as ACME clients write it every few weeks, is used without a
restart.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from hiseg.core.settled_files import LOOK_INTERVAL_S, SettledFiles, read_bounded

WARN_DAYS = 14
"""A certificate that expires within so many days is warned of."""
DAY_S = 24 * 3600
NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which the ssl module has no name for: an expired certificate is read too."""
MAX_FLIGHTS = 10
"""Most exchanges of a handshake with itself; TLS needs three."""
log = logging.getLogger(__name__)


class CertificateUnusable(Exception):
    """The files of a certificate can't be used; the text says why."""


class Certificate:
    """The certificate chain and private key of one transport, as their files had them when they were read last.

    Args:
        transport: "HTTP" or "gRPC".
        cert: PEM file of the certificate chain.
        key: PEM file of its private key.
        clock: the time in seconds, monotonic.

    Attributes:
        pair: contents of the key's file and of the chain's.
        not_before: when it becomes valid, in seconds since 1970.
        not_after: when the first certificate of the chain expires, in seconds since 1970.
        renewals: how many times it was read again.

    Raises:
        CertificateUnusable: a file can't be read or isn't what it should be, or the two don't belong together.
    """

    def __init__(self, transport: str, cert: Path, key: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.transport = transport
        self.cert, self.key = cert, key
        self.renewals = 0
        self._files = SettledFiles([key, cert], clock)
        self._complaint = ""
        self._listeners: list[Callable[[], None]] = []
        try:
            self._take(self._files.read())
        except (OSError, ValueError) as error:
            raise CertificateUnusable(
                f"the certificate {cert} with the key {key}: {explain(error, cert, key)}"
            ) from error

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call ``listener``, on the event loop, when the certificate was renewed."""
        self._listeners.append(listener)

    def problem(self, now: float) -> str:
        """Say what is wrong with the certificate's time at ``now``, in seconds since 1970; empty: nothing."""
        name = f"{self.transport}'s certificate {self.cert}"
        if now >= self.not_after:
            return f"{name} expired on {_day(self.not_after)}: clients that check it can't connect"
        if now < self.not_before:
            return f"{name} is valid from {_day(self.not_before)} only: clients that check it can't connect"
        if self.not_after - now < WARN_DAYS * DAY_S:
            return f"{name} expires on {_day(self.not_after)}, in {(self.not_after - now) / DAY_S:.1f} days"
        return ""

    def look(self) -> bool:
        """Look at the files once; return whether they were renewed. Unusable ones change nothing."""
        try:
            if (contents := self._files.read_change()) is None:
                return False
            self._take(contents)
        except (OSError, ValueError) as error:
            if str(error) != self._complaint:
                why = explain(error, self.cert, self.key)
                log.error("%s's certificate %s was not renewed: %s", self.transport, self.cert, why)
            self._complaint = str(error)
            return False
        self._complaint = ""
        self.renewals += 1
        return True

    def announce_renewal(self) -> None:
        """Let the transport use the renewed certificate for new connections."""
        try:
            for listener in self._listeners:
                listener()
        except OSError as error:  # its files have changed once more
            log.error("%s's certificate %s is not used: %s", self.transport, self.cert, error)
            return
        log.info("%s's certificate was renewed; it is valid until %s", self.transport, _day(self.not_after))

    def _take(self, contents: list[bytes]) -> None:
        not_before, not_after = read_validity(self.cert, self.key)
        self.not_before, self.not_after, self.pair = not_before, not_after, (contents[0], contents[1])


@asynccontextmanager
async def watching(certificates: Iterable[Certificate]) -> AsyncIterator[None]:
    """Until the end of the block use what is renewed, and warn each day of what has expired or is about to."""
    watched = list(certificates)
    for certificate in watched:
        _warn(certificate)
    watch = asyncio.create_task(_watch(watched))
    try:
        yield
    finally:
        watch.cancel()
        await asyncio.wait([watch])


async def _watch(certificates: list[Certificate]) -> None:
    warned_at = time.monotonic()
    while certificates:
        await asyncio.sleep(LOOK_INTERVAL_S)
        is_new_day = time.monotonic() - warned_at >= DAY_S
        if is_new_day:
            warned_at = time.monotonic()
        for certificate in certificates:
            renewed = await asyncio.to_thread(certificate.look)
            if renewed:
                certificate.announce_renewal()
            if renewed or is_new_day:
                _warn(certificate)


def _warn(certificate: Certificate) -> None:
    if problem := certificate.problem(time.time()):
        log.warning("%s", problem)


def read_validity(cert: Path, key: Path) -> tuple[float, float]:
    """Return from when until when a certificate chain is valid, in seconds since 1970.

    The ssl module reads no certificate of a server but that of a connection. So one is made, in memory, with a client
    that trusts this certificate alone and doesn't look at the time.

    Raises:
        OSError: a file can't be read, isn't what it should be, or the two don't belong together.
    """
    # Without a password an encrypted key would be asked for at the terminal.
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key, password=lambda: "")
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | NO_CHECK_TIME
    client.load_verify_locations(cert)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = client.wrap_bio(to_client, to_server), server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(MAX_FLIGHTS):
        for end in ends:
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    own = ends[0].getpeercert() or {}
    chain = [own, *client.get_ca_certs()]
    times = [(str(each["notBefore"]), str(each["notAfter"])) for each in chain if "notAfter" in each]
    starts, ends_at = zip(*times, strict=True)
    return max(map(ssl.cert_time_to_seconds, starts)), min(map(ssl.cert_time_to_seconds, ends_at))


def explain(error: Exception, cert: Path, key: Path) -> str:
    """Say in plain words why a certificate and its key can't be used: OpenSSL's own words don't even name the file."""
    if not isinstance(error, ssl.SSLError):
        return _reason(error)
    if error.reason == "KEY_VALUES_MISMATCH":
        return "they don't belong together"
    if error.reason and error.reason.endswith("_TOO_SMALL"):
        return "its key is too short to be safe"
    for path, content, mark in ((cert, "certificate", b"CERTIFICATE-----"), (key, "private key", b"PRIVATE KEY-----")):
        with suppress(OSError):  # it was there a moment ago
            text = read_bounded(path)
            if mark not in text:
                return f"{path} has no {content} in PEM"
            if path == key and b"ENCRYPTED" in text:
                return f"{path} is locked with a password, and the service needs it without"
    return "one of them is damaged"


def check_authorities(path: Path) -> None:
    """Make sure that a file has certificates of authorities: gRPC takes an empty one without a word.

    Raises:
        CertificateUnusable: it can't be read, or has no certificate in PEM.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        read_bounded(path)  # refuses pipes, which the ssl module would wait for
        context.load_verify_locations(path)
    except ssl.SSLError:
        pass
    except (OSError, ValueError) as error:
        raise CertificateUnusable(f"the clients' CA {path}: {_reason(error)}") from error
    if not context.cert_store_stats()["x509"]:
        raise CertificateUnusable(f"the clients' CA {path} has no certificate in PEM, or a damaged one")


def _reason(error: Exception) -> str:
    """What kept a file from being read, with its name if the error tells it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
