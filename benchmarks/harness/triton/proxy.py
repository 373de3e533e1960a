"""A TCP proxy in front of one server that can be slowed down, like a bad network or an overloaded machine."""

from __future__ import annotations

import asyncio
from contextlib import suppress


class Proxy:
    """Listens on a port of its own inside ``async with``.

    Args:
        port: the server's, on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.latency_s = 0.0
        """What the server's answers take longer, from now on."""
        self.flowing = asyncio.Event()
        """While it is cleared connections stay open and nothing comes through, as when a machine hangs."""
        self.flowing.set()
        self._pumps: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """Where it listens."""
        host, port = self._server.sockets[0].getsockname()
        return f"{host}:{port}"

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_server = from_server = None
        with suppress(OSError):
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._port)
        if from_server is None or to_server is None:
            writer.close()
            return
        for source, sink, slow in ((reader, to_server, False), (from_server, writer, True)):
            pump = asyncio.create_task(self._pump(source, sink, slow))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, slow: bool) -> None:
        try:
            while data := await source.read(65536):
                await self.flowing.wait()
                if slow and self.latency_s:
                    await asyncio.sleep(self.latency_s)
                sink.write(data)
                await sink.drain()
        except OSError:
            pass  # one side is gone, and so the other is sent away
        finally:
            sink.close()
            with suppress(OSError):
                await sink.wait_closed()
