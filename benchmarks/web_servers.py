"""Servers of a benchmark: an nginx, and a proxy that makes a server seem far away.

    python benchmarks/web_servers.py PORT SERVER-PORT DELAY RATE

Knows: processes, sockets. Must not know: what is served.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from attrs import define, frozen

PIECE = 1 << 18
_NGINX = """\
daemon off;
master_process off;
pid pid;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path body;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      root {served};
      client_max_body_size 0;
      create_full_put_path on;
      dav_methods PUT DELETE MOVE;
    }}
  }}
}}
"""


@contextmanager
def nginx(work: Path, served: Path) -> Iterator[str]:
    """An nginx over the folder ``served``, which takes PUT; its address."""
    port = _free_port()
    work.mkdir()
    (work / "conf").write_text(_NGINX.format(port=port, served=served))
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or "nginx"
    with _running([program, "-p", str(work), "-e", "errors", "-c", str(work / "conf")], port) as it:
        yield it


@contextmanager
def far_away(address: str, delay: float, rate: float) -> Iterator[str]:
    """The address of a `FarServer` before a server of this machine, in a process of its own."""
    port, behind = _free_port(), address.rpartition(":")[2]
    with _running([sys.executable, __file__, f"{port}", behind, f"{delay}", f"{rate}"], port) as it:
        yield it


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def _running(command: Sequence[str], port: int) -> Iterator[str]:
    with subprocess.Popen(command) as process:
        try:
            while process.poll() is None:
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.02)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@frozen
class FarServer:
    """A TCP proxy before a server of this machine.

    Attributes:
        behind: The port of the server.
        delay: Seconds for which each answer waits before its first byte.
        line: What all answers pass.
    """

    behind: int
    delay: float
    line: Line

    async def serve(self, port: int) -> None:
        """Serve until the process ends."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", port, limit=PIECE)
        await server.serve_forever()

    async def _connected(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        server, ask = await asyncio.open_connection("127.0.0.1", self.behind, limit=PIECE)
        is_asked = asyncio.Event()
        answers = asyncio.create_task(self._answer(is_asked, server, back))
        with suppress(ConnectionError):  # clients hang up as they like
            while data := await client.read(PIECE):
                is_asked.set()
                ask.write(data)
                await ask.drain()
        ask.close()
        await answers

    async def _answer(
        self, is_asked: asyncio.Event, server: asyncio.StreamReader, back: asyncio.StreamWriter
    ) -> None:
        with suppress(ConnectionError):
            while data := await server.read(PIECE):
                if is_asked.is_set():  # clients do not pipeline, so this is the next answer
                    is_asked.clear()
                    await asyncio.sleep(self.delay)
                await self.line.carry(len(data))
                back.write(data)
                await back.drain()
        back.close()


@define
class Line:
    """Carries ``rate`` bytes a second for all connections together; with 0, as many as come."""

    rate: float
    _free: float = 0.0

    async def carry(self, size: int) -> None:
        """Wait until so many bytes have passed."""
        if self.rate:
            now = time.monotonic()
            self._free = max(self._free, now) + size / self.rate
            await asyncio.sleep(self._free - now)


if __name__ == "__main__":
    here, server_port, seconds, per_second = sys.argv[1:]
    with suppress(KeyboardInterrupt):
        far_server = FarServer(int(server_port), float(seconds), Line(float(per_second)))
        asyncio.run(far_server.serve(int(here)))
