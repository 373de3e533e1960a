"""A name server for one name: it stands for Docker's, which answers with the addresses of all replicas of a service."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

NAME = "service"
TYPE_A = b"\x00\x01"
TTL_SECONDS = 1
HEADER_BYTES = 12
ANSWERED, NO_SUCH_NAME = b"\x81\x80", b"\x81\x83"


class Names(socketserver.UDPServer):
    """Answers questions for :data:`NAME` with addresses; they may be changed at any time."""

    def __init__(self, addresses: Sequence[str]) -> None:
        super().__init__(("127.0.0.1", 0), _Question)
        self.addresses = addresses

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Question(socketserver.BaseRequestHandler):
    server: Names

    def handle(self) -> None:
        message, connection = self.request
        end = message.index(b"\x00", HEADER_BYTES) + 5
        question = message[HEADER_BYTES:end]
        known = question[1 : 1 + question[0]].decode() == NAME
        asked = self.server.addresses if known and question[-4:-2] == TYPE_A else ()
        flags = ANSWERED if known else NO_SUCH_NAME
        reply = message[:2] + flags + b"\x00\x01" + len(asked).to_bytes(2) + bytes(4) + question
        for address in asked:
            # The name is the one at byte 12; class IN; four bytes follow.
            reply += b"\xc0\x0c" + TYPE_A + b"\x00\x01" + TTL_SECONDS.to_bytes(4) + b"\x00\x04"
            reply += bytes(map(int, address.split(".")))
        connection.sendto(reply, self.client_address)


@contextmanager
def naming(addresses: Sequence[str]) -> Iterator[Names]:
    """A name server until the end of the block."""
    with Names(addresses) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
