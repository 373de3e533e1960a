"""The load balancer's own file in a real HAProxy, before replicas that are web servers of a few lines."""

from __future__ import annotations

import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from benchmarks.harness.ports import free_ports
from tests.docker.balancer import Balancer, balancing, need_haproxy
from tests.docker.names import naming
from tests.service.core.certificates import self_signed

REPLICAS = ("127.0.1.3", "127.0.1.4")
CALLERS, RELOADS = 4, 4
SLOW_S = 3


class Answers(BaseHTTPRequestHandler):
    """200 to everything; ``/slow`` sends its body byte by byte."""

    def do_GET(self) -> None:
        slow = self.path == "/slow"
        self.send_response(200)
        self.send_header("content-length", str(SLOW_S))
        self.end_headers()
        for _ in range(SLOW_S):
            self.wfile.write(b"x")
            time.sleep(slow)

    def handle(self) -> None:
        # A health check ends its connection without a word.
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@contextmanager
def replicas(port: int) -> Iterator[None]:
    """A web server on each of :data:`REPLICAS`."""
    servers = [ThreadingHTTPServer((host, port), Answers) for host in REPLICAS]
    threads = [threading.Thread(target=server.serve_forever, args=(0.05,)) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()


def until_used(balancer: Balancer) -> None:
    end = time.monotonic() + 30
    while len(balancer.up("http")) < len(REPLICAS):
        assert time.monotonic() < end, "the replicas are not used"
        time.sleep(0.05)


def test_a_reload_loses_nothing(tmp_path: Path) -> None:
    need_haproxy()
    (port,) = free_ports(1)
    over, seen = threading.Event(), Counter[str]()

    def call(path: str) -> None:
        # On a connection of its own: those that are there already stay with the old process.
        connection = HTTPConnection(balancer.http.removeprefix("http://"), timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            seen[f"{path} {answer.status} {len(answer.read())}"] += 1
        except (OSError, HTTPException) as error:
            seen[repr(error)] += 1
        finally:
            connection.close()

    def go_on() -> None:
        while not over.is_set():
            call("/")

    with replicas(port), naming(REPLICAS) as names, balancing(names, port, port, tmp_path) as balancer:
        until_used(balancer)
        callers = [threading.Thread(target=go_on) for _ in range(CALLERS)]
        callers.append(threading.Thread(target=call, args=("/slow",)))
        for caller in callers:
            caller.start()
        for _ in range(RELOADS):
            balancer.reload()
            until_used(balancer)
        over.set()
        for caller in callers:
            caller.join()
    assert set(seen) == {f"/ 200 {SLOW_S}", f"/slow 200 {SLOW_S}"}, seen


def test_a_renewed_certificate_is_used_after_a_reload(tmp_path: Path) -> None:
    pem = tmp_path / "tls.pem"

    def renew(name: str) -> str:
        cert, key = self_signed(tmp_path, name)
        pem.write_text(cert.read_text() + key.read_text())
        return cert.read_text().strip()

    old = renew("old")
    with naming(()) as names, balancing(names, *free_ports(2), tmp_path, pem) as balancer:
        host, port = balancer.http.removeprefix("https://").split(":")
        assert ssl.get_server_certificate((host, int(port))).strip() == old
        new = renew("new")
        balancer.reload()
        assert ssl.get_server_certificate((host, int(port))).strip() == new


@pytest.mark.parametrize(("path", "status"), [("/metrics", 404), ("/v1/info", 503)])
def test_its_own_answers_are_problems_in_json(path: str, status: int, tmp_path: Path) -> None:
    with naming(()) as names, balancing(names, *free_ports(2), tmp_path) as balancer:
        answer = httpx.get(f"{balancer.http}{path}")
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers.get("retry-after") == ("1" if status == 503 else None)
