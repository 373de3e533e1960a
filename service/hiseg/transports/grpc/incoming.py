"""Counts what gRPC holds of messages that have begun and aren't whole yet, and ends what takes too long or too much.

gRPC hands out whole messages. While one is read, it takes whatever comes of it, up to the largest message, and says
nothing of that. So the bytes that the connection has received are compared with those of the messages that came out of
it: the difference is what gRPC holds of unfinished ones, and is reserved for the clients that are reading on that
connection. A client for whom it can't be reserved loses those of its calls that have been reading for longest.

Most messages are whole within a millisecond and are never looked at: connections are when a message takes longer than
:data:`TICK_S`, once a second, and at once if the process grows. What isn't read stays with the caller, but for
:data:`WINDOW_BYTES` a call.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hiseg.batching.admission import Admission, Reservation
from hiseg.core.errors import DeadlineExceeded, HisegError, Overloaded, Reason
from hiseg.core.heap import resident_bytes
from hiseg.transports.grpc.sockets import Endpoint, Sockets, endpoint_of

WINDOW_BYTES = 65535
"""Bytes of a call that are taken before its message is read; the rest waits at the caller. HTTP/2's own default."""
TICK_S = 0.05
LOOK_S = 1.0
"""Seconds between two looks at all connections that are being read from."""
GROWTH_BYTES = 16 * 1024 * 1024
"""Bytes by which the process has grown when they are looked at earlier."""
FRAMING_DIVISOR, FRAMING_BYTES = 256, 128
"""At least so much comes with a message for its frames and those of TLS: a part of its bytes, and some more."""


@dataclass(eq=False, slots=True)
class PendingRead:
    """A message that is being read.

    Attributes:
        connection: it comes over this one.
        client: whose share of the memory it counts towards.
        since: when it began to be read, on the event loop's clock.
        until: when it is given up.
        late: makes the error that it is given up with.
        end: ends the call with an error, and with it the read.
        start: bytes that the connection had received by its last look before.
    """

    connection: Connection
    client: str
    since: float
    until: float
    late: Callable[[], HisegError]
    end: Callable[[HisegError], None]
    start: int


@dataclass(eq=False, slots=True)
class Connection:
    """A connection with open calls.

    Attributes:
        endpoint: its other end; None if that is no IP address, and it can't be looked at.
        clients: the number of open calls of each client.
        reads: the messages that are being read, oldest first.
        received: bytes that it had received at the last look.
        accounted: bytes of those that aren't part of an unfinished message.
        unfinished: bytes of unfinished messages at the last look; 0 if they fit the windows of the calls.
        unfinished_since: since when there are some, and no message was read; on the event loop's clock. None: not now.
    """

    endpoint: Endpoint | None
    clients: Counter[str] = field(default_factory=Counter)
    reads: dict[PendingRead, None] = field(default_factory=dict)
    received: int = 0
    accounted: int = 0
    unfinished: int = 0
    unfinished_since: float | None = None

    def estimate(self, received: int, max_message_bytes: int, now: float) -> None:
        """Estimate from above what is held of unfinished messages.

        Args:
            received: bytes received by now.
            max_message_bytes: most bytes of one message.
            now: the time on the event loop's clock.
        """
        # Calls that ended early, headers and pings leave the difference too large, but no message can have more than
        # has come since it began to be read.
        limits = (min(max_message_bytes, received - read.start + WINDOW_BYTES) for read in self.reads)
        held = min(max(0, received - self.accounted), sum(limits))
        self.received, self.accounted = received, received - held
        self.unfinished = held if held > len(self.reads) * WINDOW_BYTES else 0
        self.unfinished_since = (self.unfinished_since or now) if self.unfinished else None


class Incoming:
    """All messages that are being read.

    Args:
        admission: where unfinished messages are reserved.
        sockets: those of the server.
        max_message_bytes: most bytes of one message.
        message_s: seconds that a message may take from its first byte to its last.
    """

    def __init__(self, admission: Admission, sockets: Sockets, max_message_bytes: int, message_s: float) -> None:
        self._admission = admission
        self._sockets = sockets
        self._max_message_bytes = max_message_bytes
        self._message_s = message_s
        self._loop = asyncio.get_running_loop()
        self._connections: dict[str, Connection] = {}
        self._reads: dict[PendingRead, None] = {}
        self._reservations: dict[str, Reservation] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._looked_at = 0.0
        self._size = resident_bytes()

    def open_call(self, peer: str, client: str) -> Connection:
        """Count a call of a client on the connection to ``peer``, as gRPC names it, until :meth:`close_call`."""
        connection = self._connections.get(peer)
        if connection is None:
            connection = self._connections[peer] = Connection(endpoint_of(peer))
            counts = connection.endpoint and self._sockets.count(connection.endpoint)
            if counts:
                connection.received = connection.accounted = counts.received
        connection.clients[client] += 1
        return connection

    def close_call(self, peer: str, client: str) -> None:
        """End a call that :meth:`open_call` counted."""
        clients = self._connections[peer].clients
        clients[client] -= 1
        if not clients[client]:
            del clients[client]
        if not clients:
            del self._connections[peer]

    def begin(
        self,
        connection: Connection,
        client: str,
        limit_s: float,
        late: Callable[[], HisegError],
        end: Callable[[HisegError], None],
    ) -> PendingRead:
        """Note that a message begins to be read; see :class:`PendingRead`. Each needs one :meth:`finish`."""
        now = self._loop.time()
        read = PendingRead(connection, client, now, now + limit_s, late, end, connection.received)
        self._reads[read] = connection.reads[read] = None
        if self._timer is None:
            self._timer = self._loop.call_later(TICK_S, self._tick)
        return read

    def finish(self, read: PendingRead, nbytes: int) -> None:
        """Note that a message was read, or will never be.

        Args:
            read: from :meth:`begin`.
            nbytes: bytes of the message as they came, compressed or not; 0: there is none.
        """
        self._forget(read)
        connection = read.connection
        connection.accounted += nbytes + nbytes // FRAMING_DIVISOR + FRAMING_BYTES
        connection.unfinished_since = None
        if connection.unfinished:
            connection.unfinished = max(0, connection.unfinished - nbytes)
            if reservation := self._reservations.get(read.client):
                reservation.reserve(max(0, reservation.bytes - nbytes))

    def _forget(self, read: PendingRead) -> None:
        self._reads.pop(read, None)
        read.connection.reads.pop(read, None)

    def _end(self, read: PendingRead, error: HisegError) -> None:
        self._forget(read)
        read.end(error)

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_S, self._tick) if self._reads else None
        now, size = self._loop.time(), resident_bytes()
        for read in [read for read in self._reads if read.until <= now]:
            self._end(read, read.late())
        slow = {read.connection: None for read in self._reads}
        if now - self._looked_at < LOOK_S and size < self._size + GROWTH_BYTES:
            slow = {connection: None for connection in slow if connection.unfinished}
        else:
            self._looked_at, self._size = now, size
        self._look(slow, now)

    def _look(self, connections: Iterable[Connection], now: float) -> None:
        """Look at connections, reserve what gRPC holds of unfinished messages, and end those that take too long."""
        is_scanned = False
        for connection in connections:
            counts = connection.endpoint and self._sockets.count(connection.endpoint)
            if connection.endpoint and not counts and not is_scanned:
                self._sockets.scan()
                is_scanned, counts = True, self._sockets.count(connection.endpoint)
            if counts:
                connection.estimate(counts.received, self._max_message_bytes, now)
            since = connection.unfinished_since
            if since is not None and now - since > self._message_s:
                # It isn't known whose message it is, but none of them has moved on.
                for read in [read for read in connection.reads if now - read.since > self._message_s]:
                    self._end(read, late_message(self._message_s))
                connection.estimate(connection.received, self._max_message_bytes, now)
        for client, held in self._held_by_client().items():
            self._reserve(client, held, now)

    def _held_by_client(self) -> dict[str, int]:
        """Return the bytes of unfinished messages by client; on one connection all that are read count the same."""
        held: defaultdict[str, int] = defaultdict(int, dict.fromkeys(self._reservations, 0))
        for connection in {read.connection: None for read in self._reads}:
            for read in connection.reads if connection.unfinished else ():
                held[read.client] += connection.unfinished // len(connection.reads)
        return held

    def _reserve(self, client: str, held: int, now: float) -> None:
        """Reserve memory for a client's unfinished messages; end the oldest of them for as long as that is refused."""
        while held:
            try:
                if client not in self._reservations:
                    self._reservations[client] = self._admission.keep(client, 0)
                self._reservations[client].reserve(held)
                return
            except Overloaded as error:
                reads = [read for read in self._reads if read.client == client and read.connection.unfinished]
                largest = max((read.connection for read in reads), key=lambda connection: connection.unfinished)
                self._end(next(read for read in reads if read.connection is largest), error)
                largest.estimate(largest.received, self._max_message_bytes, now)
                held = self._held_by_client()[client]
        if reservation := self._reservations.pop(client, None):
            reservation.release()


def late_message(limit_s: float) -> DeadlineExceeded:
    """The error for a message that takes longer than ``limit_s`` seconds to arrive."""
    return DeadlineExceeded(
        f"the message took longer than {limit_s:g} s to arrive",
        reason=Reason.REQUEST_TOO_SLOW,
        field="request",
        limit=limit_s,
    )
