"""What a connection takes, from whom, for how long, and that others are answered meanwhile."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import struct
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.harness.availability import missing
from hiseg.api.limits import MAX_HEAD_BYTES, MAX_HEADERS
from hiseg.transports.http import connection as limits
from hiseg.transports.http import open_connections, unread
from tests.service.transports.http.http_server import BIG, Served, read_all, read_answer, served, wait_until

GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUA\r\n"
WEBSOCKET = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA\r\n"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """Of a server with a certificate of its own."""
    folder = tmp_path_factory.mktemp("tls")
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=hiseg"]
    names = ["-keyout", "tls.key", "-out", "tls.crt"]
    subprocess.run(["openssl", *request, *names], cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    return context


def answers(app: Served) -> None:
    """Another caller is answered."""
    with app.connect(GET + b"\r\n") as other:
        assert b" 200 " in read_answer(other)


def problem(answer: bytes) -> dict[str, object]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    assert b"connection: close" in head
    return dict(json.loads(body))


@pytest.mark.parametrize(
    ("first", "piece", "status", "field"),
    [
        (GET + b"X-A: ", b"a" * 4096, 431, "headers"),
        (b"GET /", b"a" * 4096, 414, "url"),
        (GET, b"a:b\r\n" * 50, 431, "headers"),
        (GET, b"a:b\r\n b\r\n" * 500, 400, None),
        (b"", b"\r\n" * 2048, 431, "headers"),
        (GET, b"aaaaaaaa", 431, "headers"),
    ],
)
def test_a_head_without_end_is_cut_off(first: bytes, piece: bytes, status: int, field: str | None) -> None:
    with served() as app, app.connect(first) as connection:
        sent = 0
        try:
            while sent < 1 << 20:
                connection.sendall(piece)
                sent += len(piece)
        except OSError:
            pass
        answer = read_all(connection)
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert problem(answer).get("field") == field
        assert app.heads == 0
        answers(app)


@pytest.mark.parametrize(
    ("head", "status", "limit"),
    [
        (GET + b"a: b\r\n" * 99, 200, None),
        (GET + b"a: b\r\n" * 100, 431, MAX_HEADERS),
        (GET + b"X-A: " + b"a" * 32_000 + b"\r\n", 200, None),
        (GET + b"X-A: " + b"a" * 33_000 + b"\r\n", 431, MAX_HEAD_BYTES),
        (b"GET /?" + b"a" * 32_000 + b" HTTP/1.1\r\n", 200, None),
        (b"GET /?" + b"a" * 33_000 + b" HTTP/1.1\r\n", 414, MAX_HEAD_BYTES),
    ],
)
def test_a_whole_head_over_a_limit_names_it(head: bytes, status: int, limit: int | None) -> None:
    with served() as app, app.connect(head + b"\r\n") as connection:
        answer = read_answer(connection)
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        if limit is not None:
            found = problem(answer)
            assert found["limit"] == limit
            assert found["reason"] == ("URL_TOO_LONG" if status == 414 else "HEADERS_TOO_LARGE")


def test_many_requests_on_a_connection_are_no_long_head() -> None:
    with served() as app, app.connect() as connection:
        for _ in range(20):
            connection.sendall(GET + b"X-A: " + b"a" * 8000 + b"\r\n\r\n")
            assert b" 200 " in read_answer(connection)


@pytest.mark.parametrize("sent", [b"", b"GE", GET, GET + b"X-A: b", b"\r\n"])
def test_a_head_that_does_not_come_ends_the_connection(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(limits, "HEAD_SECONDS", 0.1)
    with served() as app, app.connect(sent) as connection:
        answer = read_all(connection)
        assert answer.startswith(b"HTTP/1.1 408 ") if sent else answer == b""
        assert not sent or problem(answer)["reason"] == "HEADERS_TOO_SLOW"
        connection.close()
        wait_until(lambda: len(app.connections) == 0)


def test_a_connection_that_is_idle_after_an_answer_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HEAD_SECONDS", 0.1)
    with served() as app, app.connect(GET + b"\r\n") as connection:
        assert b" 200 " in read_answer(connection)
        connection.sendall(b"GET")
        assert b" 408 " in read_all(connection)


@pytest.mark.parametrize("second", [GET + b"\r\n", GET + b"X: " + b"a" * 100_000, b"\x00\x01", b"POST / HTTP/1.1\r\n"])
def test_a_second_request_is_not_parsed_before_the_first_is_answered(second: bytes) -> None:
    with served() as app, app.connect(b"GET /gate HTTP/1.1\r\n\r\n" + (second * 100)[:300_000]) as connection:
        wait_until(lambda: app.heads == 1)
        answers(app)
        app.gate.set()
        assert read_all(connection).count(b"HTTP/1.1 200") == 1
        assert app.heads == 2, "one of this connection, one of the other"


def test_requests_after_their_answers_share_a_connection() -> None:
    with served() as app, app.connect() as connection:
        for length in (0, 3, 200_000, 1):
            connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % length + b"x" * length)
            assert read_answer(connection).endswith(b"\r\n%d" % length)
        assert len(app.connections) == 1


@pytest.mark.parametrize(
    "offer", [H2C, WEBSOCKET, b"Connection: upgrade\r\nUpgrade: TLS/1.0, foo/2\r\n", b"Upgrade: h2c\r\n"]
)
@pytest.mark.parametrize("cut", [0, 1, 10, 10_000])
def test_offers_to_upgrade_are_ignored_and_bodies_are_kept(offer: bytes, cut: int) -> None:
    chunked = b"Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n3;a=b\r\nefg\r\n0\r\nX-Sum: 1\r\n\r\n"
    plain = b"Content-Length: 7\r\n\r\nabcdefg"
    with served() as app, app.connect() as connection:
        for end, body in ((b"\r\n", b""), (plain, b"abcdefg"), (chunked, b"abcdefg"), (plain, b"abcdefg")):
            request = b"POST / HTTP/1.1\r\nHost: x\r\n" + offer + end
            if cut:
                connection.sendall(request[: len(request) - cut])
                wait_until(lambda: len(app.connections) == 1)
            connection.sendall(request[max(0, len(request) - cut) if cut else 0 :])
            assert read_answer(connection).endswith(b"\r\n%d" % len(body))
            assert app.bodies[-1] == body
        connection.sendall(b"POST / HTTP/1.1\r\n" + offer + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"ab")
        assert read_answer(connection).endswith(b"\r\n2")
        connection.sendall(GET + offer + b"Connection: close\r\n\r\n")
        assert b"HTTP/1.1 200 OK" in read_all(connection)


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (b"\r\n" + GET + b"\r\n", 200),
        (b"Content-Length: 3\r\n\r\nabc" + GET + b"\r\n", 200),
        (b"Content-Length: 3\r\n\r\nabc" + GET + H2C + b"\r\n", 200),
        (b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc", 400),
        (b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"Content-Length: +3\r\n\r\nabc", 400),
        (b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 30_000, 413),
    ],
)
def test_offers_to_upgrade_smuggle_nothing(end: bytes, status: int) -> None:
    with served() as app, app.connect(b"POST / HTTP/1.1\r\nHost: x\r\n" + H2C + end) as connection:
        answer = read_all(connection)
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert answer.count(b"HTTP/1.1 %d " % status) == 1
        assert app.heads <= 1


def test_the_client_of_the_jdk_posts_a_body(tmp_path: Path) -> None:
    if shutil.which("java") is None:
        missing("no JDK is installed")
    (tmp_path / "Post.java").write_text(
        """import java.net.URI; import java.net.http.*;
        public class Post { public static void main(String[] a) throws Exception {
            HttpClient client = HttpClient.newHttpClient();
            for (int i = 0; i < 3; i++) {
                HttpRequest r = HttpRequest.newBuilder(URI.create(a[0])).POST(HttpRequest.BodyPublishers.ofByteArray(
                    new byte[200_000])).build();
                System.out.println(client.send(r, HttpResponse.BodyHandlers.ofString()).body()); } } }"""
    )
    with served() as app:
        url = f"http://127.0.0.1:{app.address[1]}/"
        done = subprocess.run(["java", "Post.java", url], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.stdout.split() == ["200000"] * 3, done.stderr


def test_the_oldest_that_waits_gives_way_to_a_new_connection() -> None:
    with served(limit=20, proxies=("127.0.0.1",)) as app:
        held = [app.connect(b"GET") for _ in range(100)]
        wait_until(lambda: app.refused.count("connections") == 80)
        assert len(app.connections) == 20
        answers(app)
        for connection in held:
            connection.close()


@pytest.mark.parametrize("path", ["/pieces", "/big"])
def test_the_oldest_whose_answer_is_not_read_gives_way_to_a_new_connection(path: str) -> None:
    request = b"GET %s HTTP/1.1\r\n\r\n" % path.encode()
    with served(limit=5, proxies=("*",)) as app:
        held = [app.connect(request, receive_buffer=4096) for _ in range(5)]
        wait_until(lambda: app.heads == 5)
        for _ in range(3):
            answers(app)
        assert len(app.connections) <= 5
        for connection in held:
            connection.close()


def test_one_who_sent_too_much_and_waits_gives_way_to_a_new_connection() -> None:
    with served(limit=5, proxies=("*",)) as app:
        held = [app.connect((GET + b"\r\n") * 2) for _ in range(5)]
        wait_until(lambda: app.heads == 5)
        answers(app)
        for connection in held:
            connection.close()


def test_requests_that_are_worked_on_keep_their_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(limit=3, proxies=("*",)) as app:
        busy = [app.connect(b"GET /gate HTTP/1.1\r\n\r\n") for _ in range(3)]
        wait_until(lambda: app.heads == 3)
        with app.connect() as refused:
            answer = read_all(refused)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: 1" in answer
            assert problem(answer)["status"] == 503
        with app.connect() as sending:
            for _ in range(20):  # it would be reset, and the answer lost
                sending.sendall(b"x" * 100_000)
                wait_until(lambda: len(app.connections.turned_away) == 1)
            assert read_all(sending).startswith(b"HTTP/1.1 503 ")
        wait_until(lambda: not app.connections.turned_away)
        monkeypatch.setattr(open_connections, "MAX_TURNED_AWAY", 0)
        with app.connect() as refused:
            assert read_all(refused).startswith(b"HTTP/1.1 503 ")
        app.gate.set()
        for connection in busy:
            assert b" 200 " in read_answer(connection)
            connection.close()


def test_one_address_has_a_share_of_the_connections() -> None:
    with served(limit=50) as app:
        held = [app.connect(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n") for _ in range(60)]
        wait_until(lambda: app.refused.count("address") == 20)
        with socket.create_connection(app.address, 10, ("127.0.0.2", 0)) as other:
            other.sendall(GET + b"\r\n")
            assert b" 200 " in read_answer(other)
        for connection in held:
            connection.close()
        wait_until(lambda: len(app.connections) == 0)
        answers(app)


def test_an_answer_that_nobody_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unread, "READ_ANSWER_SECONDS", 0.2)
    with served() as app, app.connect(b"GET /big HTTP/1.1\r\n\r\n", receive_buffer=4096) as connection:
        wait_until(lambda: app.drained == 1)
        assert app.refused == ["unread"]
        wait_until(lambda: len(app.connections) == 0)
        with pytest.raises(ConnectionResetError):
            read_all(connection)
        answers(app)


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("end", [b"Connection: close\r\n", b"", b"\r\n" + GET])
def test_a_little_that_nobody_reads_keeps_no_connection_open(
    monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext, end: bytes, encrypted: bool
) -> None:
    monkeypatch.setattr(unread, "READ_ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(limits, "LINGER_SECONDS", 0.2)
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with served(keep_alive=0.2, tls=tls if encrypted else None) as app:
        # So much that the kernel doesn't take all of it, but too little for the transport to hold up the application.
        for nbytes in (0, 100_000, 140_000, 180_000, 220_000):
            with app.connect(receive_buffer=2048) as plain:
                connection = trusting.wrap_socket(plain) if encrypted else plain
                connection.sendall(b"GET /some?%d HTTP/1.1\r\n" % nbytes + end + b"\r\n")
                wait_until(lambda: app.heads == 1)
                wait_until(lambda: len(app.connections) == 0)
                connection.close()
            app.heads = 0


def test_an_answer_that_is_read_slowly_but_steadily_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unread, "READ_ANSWER_SECONDS", 0.5)
    with served() as app, app.connect(b"GET /big HTTP/1.1\r\n\r\n", receive_buffer=65536) as connection:
        received = 0
        while received < BIG:
            received += len(connection.recv(65536))
            time.sleep(0.004)
        assert app.refused == []


def test_an_early_answer_is_seen_by_one_who_is_still_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    with served() as app:
        for close in (b"", b"Connection: close\r\n"):
            with app.connect(b"POST /early HTTP/1.1\r\nContent-Length: 20000000\r\n" + close + b"\r\n") as connection:
                for _ in range(20):
                    connection.sendall(b"x" * 1_000_000)
                assert b" 200 " in read_answer(connection)
                if not close:
                    connection.sendall(GET + b"\r\n")
                    assert b" 200 " in read_answer(connection)
        monkeypatch.setattr(limits, "LINGER_SECONDS", 0.1)
        with app.connect(b"POST /early HTTP/1.1\r\nContent-Length: 20000000\r\n\r\nabc") as connection:
            assert b" 200 " in read_all(connection)
        monkeypatch.setattr(limits, "LINGER_BYTES", 1_000_000)
        monkeypatch.setattr(limits, "LINGER_SECONDS", 60)
        with (
            app.connect(b"POST /early HTTP/1.1\r\nContent-Length: 200000000\r\n\r\nabc") as connection,
            pytest.raises(OSError, match=r"reset|pipe"),
        ):
            connection.sendall(b"x" * 200_000_000)
        wait_until(lambda: len(app.connections) == 0)


@pytest.mark.parametrize(
    "piece",
    [
        b"1\r\nx\r\n",
        b"40\r\n" + b"x" * 64 + b"\r\n",
        b"20;" + b"a" * 200 + b"\r\n" + b"x" * 32 + b"\r\n",
        b"0\r\n" + b"a: b\r\n" * 30_000,
    ],
)
def test_chunks_that_are_not_worth_their_framing_are_refused(piece: bytes) -> None:
    with served() as app, app.connect(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n") as connection:
        with suppress(OSError):
            connection.sendall(piece * (3 * 1024 * 1024 // len(piece)))
        assert problem(read_all(connection))["status"] == 413
        assert app.refused == ["FRAMING_TOO_LARGE"]
        assert app.bodies == []
        answers(app)


def test_chunks_of_a_usual_size_are_taken() -> None:
    with served() as app, app.connect(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n") as connection:
        for size in (1, 100, 1000, 65536):
            connection.sendall((b"%x\r\n" % size + b"x" * size + b"\r\n") * 50)
        connection.sendall(b"0\r\nX-Trailer: a\r\n\r\n")
        assert read_answer(connection).endswith(b"%d" % (50 * 66637))


def test_a_body_byte_by_byte_is_gathered_and_comes_whole() -> None:
    with served() as app, app.connect(b"POST / HTTP/1.1\r\nContent-Length: 400\r\n\r\n") as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(400):
            connection.sendall(b"x")
        assert read_answer(connection).endswith(b"400")


@pytest.mark.parametrize(
    "garbage",
    [b"\x16\x03\x01\x02\x00\x01\x00", b"hello\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET  HTTP/1.1\r\n\r\n"],
)
def test_what_is_no_request_is_a_400_and_few_lines_in_the_log(garbage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with served() as app:
        for _ in range(30):
            with app.connect(garbage) as connection:
                assert problem(read_all(connection))["status"] == 400
        assert app.refused == ["MALFORMED_HTTP"] * 30
        assert len(caplog.records) <= 1
        answers(app)


@pytest.mark.parametrize("path", [b"/gate", b"/big", b"/early"])
@pytest.mark.parametrize("more", [b"\r\n", b"\r\n" + GET + b"\r\n", b"Content-Length: 9\r\n\r\nabc", b"Content-Len"])
def test_callers_who_hang_up_leave_nothing_and_no_error(
    path: bytes, more: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with served() as app:
        for reset in (True, False):
            connection = app.connect(b"POST " + path + b" HTTP/1.1\r\n" + more, receive_buffer=4096)
            wait_until(lambda: len(app.connections) > 0)
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            wait_until(lambda: len(app.connections) == 0)
        app.gate.set()
        answers(app)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_handshake_without_end_counts_and_ends(monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext) -> None:
    monkeypatch.setattr(limits, "HANDSHAKE_SECONDS", 0.5)
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with served(limit=20, proxies=("*",), tls=tls) as app:
        held = [app.connect() for _ in range(40)]
        wait_until(lambda: app.refused.count("connections") == 20)
        assert len(app.connections) == 20
        with app.connect() as plain, trusting.wrap_socket(plain) as other:
            for length in (0, 1_000_000, 3):
                other.sendall(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % length + b"x" * length)
                assert read_answer(other).endswith(b"\r\n%d" % length)
        wait_until(lambda: len(app.connections) == 0)
        assert app.refused.count("tls") >= 19
        for connection in held:
            with suppress(OSError):
                assert read_all(connection) == b""
            connection.close()


def test_an_old_client_is_answered_and_its_connection_closed() -> None:
    with served() as app, app.connect(b"GET / HTTP/1.0\r\n\r\n") as connection:
        answer = read_all(connection)
        assert b" 200 " in answer
        assert b"connection: close" in answer


@pytest.mark.parametrize("host", ["::1", "::"])
def test_ipv6(host: str) -> None:
    with served(host=host) as app:
        answers(app)
        if host == "::":
            with socket.create_connection(("127.0.0.1", app.address[1]), 10) as connection:
                connection.sendall(GET + b"\r\n")
                assert b" 200 " in read_answer(connection)


def test_an_early_answer_is_seen_by_one_who_is_still_sending_at_the_end() -> None:
    with served() as app:
        connection = app.connect(b"POST /early HTTP/1.1\r\nContent-Length: 20000000\r\n\r\n")
        wait_until(lambda: app.heads == 1)
        app.stop()
        with suppress(OSError):
            while True:  # until nothing listens any more
                socket.create_connection(app.address).close()
        for _ in range(20):
            connection.sendall(b"x" * 1_000_000)
        assert b" 200 " in read_all(connection)
        connection.close()


def test_an_answer_that_is_not_read_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(limits, "SHUTDOWN_SECONDS", 0.1)
    with served() as app:
        connection = app.connect(b"GET /big HTTP/1.1\r\n\r\n", receive_buffer=4096)
        wait_until(lambda: len(app.bodies) == 1)
    connection.close()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
