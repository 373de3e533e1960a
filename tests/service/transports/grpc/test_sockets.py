"""The sockets of a port are found, counted and cut off, and no others."""

from __future__ import annotations

import socket

import pytest

from hiseg.transports.grpc.sockets import Sockets, endpoint_of
from tests.growth import open_files, smallest_growth


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_connection_is_counted_and_cut_off(family: socket.AddressFamily, host: str) -> None:
    with (
        socket.create_server((host, 0), family=family) as listening,
        socket.create_server((host, 0), family=family) as other,
        socket.create_connection(listening.getsockname()[:2]) as client,
        socket.create_connection(other.getsockname()[:2]) as stranger,
    ):
        accepted, _ = listening.accept()
        others, _ = other.accept()
        sockets = Sockets()
        sockets.port = listening.getsockname()[1]
        endpoint = (host, client.getsockname()[1])
        assert sockets.count(endpoint) is None
        assert sockets.scan() == [endpoint]

        files = [open_files()]
        client.sendall(bytes(1000))
        assert len(accepted.recv(1000, socket.MSG_WAITALL)) == 1000
        accepted.sendall(bytes(10))
        assert len(client.recv(10, socket.MSG_WAITALL)) == 10
        counts = sockets.count(endpoint)
        assert counts is not None
        assert counts.received == 1000
        for _ in range(3):
            sockets.scan()
            sockets.count(endpoint)
            sockets.count((host, stranger.getsockname()[1]))
            files.append(open_files())
        assert smallest_growth(files) <= 0, files

        sockets.shut_down(endpoint)
        assert client.recv(1) == b""
        stranger.sendall(b"x")
        assert others.recv(1) == b"x"
        accepted.close()
        others.close()
        assert sockets.count(endpoint) is None
        assert sockets.scan() == []


def test_the_ends_of_connections_are_read_from_their_names() -> None:
    assert endpoint_of("ipv4:1.2.3.4:5") == ("1.2.3.4", 5)
    assert endpoint_of("ipv6:%5B::1%5D:50051") == ("::1", 50051)
    assert endpoint_of("ipv6:%5B::ffff:1.2.3.4%5D:5") == ("1.2.3.4", 5)
    assert endpoint_of("ipv6:%5Bfe80::1%25eth0%5D:5") == ("fe80::1", 5)
    assert endpoint_of("unix:/tmp/socket") is None
