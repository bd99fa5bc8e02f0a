"""A network of the test's own: machines that reach its servers and nothing else.

Knows: namespaces, nginx, a server of S3. Must not know: what is tried.

Servers run in a network namespace without any other network. Each machine is a namespace of its
own, joined to that of the servers by one cable. So whatever a machine gets, a server of the test
gave it, and its log counts it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from attrs import define, field, frozen

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/support"))

from bucket_server import BUCKET, KEY, SECRET, bucket_server  # noqa: E402 - from tests/support
from web_caches import free_port, running  # noqa: E402 - the same

__all__ = [
    "BUCKET",
    "KEY",
    "SECRET",
    "Machine",
    "Network",
    "Traffic",
    "enter_own_network",
    "network",
]

_INSIDE = "RVBUILD_OWN_NETWORK"
_SERVERS = """
daemon off;
master_process off;
pid {work}/pid;
error_log {work}/errors;
events {{ worker_connections 256; }}
http {{
  log_format count '$request_method $bytes_sent $uri';
  access_log {work}/log count;
  client_max_body_size 0;
  client_body_temp_path {work}/body;
  proxy_temp_path {work}/proxy;
  fastcgi_temp_path {work}/fastcgi;
  uwsgi_temp_path {work}/uwsgi;
  scgi_temp_path {work}/scgi;
  server {{
    listen {port};
    location / {{
      root {folder};
      create_full_put_path on;
      dav_methods PUT DELETE MOVE;
    }}
    location /slow/ {{
      alias {folder}/;
      limit_rate 1k;
    }}
  }}
  server {{
    listen {bucket_port};
    location / {{
      proxy_pass {bucket};
      proxy_set_header Host $http_host;
      proxy_request_buffering off;
      proxy_buffering off;
    }}
  }}
}}
"""


def enter_own_network() -> None:
    """Begin this program again in a network namespace of its own, as root, unless it is in one."""
    if _INSIDE in os.environ:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    if os.geteuid():
        sys.exit("network namespaces are made here: run this as root")
    os.environ[_INSIDE] = "1"
    words = ["unshare", "--net", sys.executable, *sys.argv]
    os.execvp(words[0], words)  # noqa: S606 - itself


@frozen
class Machine:
    """A network namespace with one cable; ``servers`` is the address of the servers on it."""

    process: int
    servers: str

    def words(self, *command: str) -> list[str]:
        """A command that runs on it."""
        return ["nsenter", f"--net=/proc/{self.process}/ns/net", *command]

    def silent_address(self) -> str:
        """An address behind the cable from which nothing ever comes back, not even an error."""
        route = ["ip", "route", "replace", "192.0.2.0/24", "via", self.servers]
        subprocess.run(self.words(*route), check=True)
        return "192.0.2.1"


@frozen
class Traffic:
    """What servers answered: how many requests, and bytes with the heads of answers."""

    requests: int
    size: int


@define
class Network:
    """The servers and their log.

    Attributes:
        folder: What nginx serves, below which each cache has a folder.
        port: nginx'.
        bucket_port: That of S3.
    """

    folder: Path
    port: int
    bucket_port: int
    _log: Path
    _stack: contextlib.ExitStack
    _read: int = field(default=0, init=False)
    _numbers: Iterator[int] = field(factory=itertools.count, init=False)

    def machine(self) -> Machine:
        """One more machine."""
        number = next(self._numbers)
        sleep = ["unshare", "--net", "sh", "-c", "ip link set lo up; echo; exec sleep infinity"]
        process = self._stack.enter_context(subprocess.Popen(sleep, stdout=subprocess.PIPE))
        self._stack.callback(process.kill)
        assert process.stdout
        process.stdout.readline()  # its namespace is there
        here, there = f"10.77.{number}.1", f"10.77.{number}.2"
        machine = Machine(process.pid, here)
        cable = ["ip", "link", "add", f"v{number}", "type", "veth", "peer", "name", "eth0"]
        _run(*cable, "netns", str(process.pid))
        _run("ip", "address", "add", f"{here}/24", "dev", f"v{number}")
        _run("ip", "link", "set", f"v{number}", "up")
        _run(*machine.words("ip", "address", "add", f"{there}/24", "dev", "eth0"))
        _run(*machine.words("ip", "link", "set", "eth0", "up"))
        return machine

    def traffic(self) -> Traffic:
        """What came since this was asked last: requests that ended."""
        lines = self._log.read_text().splitlines()
        new, self._read = lines[self._read :], len(lines)
        return Traffic(len(new), sum(int(line.split()[1]) for line in new))


@contextlib.contextmanager
def network(work: Path) -> Iterator[Network]:
    """Servers that run until the end, with what they hold below ``work``."""
    folder, private = work / "served", Path(tempfile.mkdtemp(dir=work))
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        buckets = stack.enter_context(bucket_server(private))
        port, bucket_port = free_port(), free_port()
        text = _SERVERS.format(
            work=private,
            folder=folder,
            port=port,
            bucket_port=bucket_port,
            bucket=buckets.address,
        )
        (private / "conf").write_text(text)
        command = ["nginx", "-p", str(private), "-e", str(private / "errors")]
        stack.enter_context(running([*command, "-c", str(private / "conf")], port))
        yield Network(folder, port, bucket_port, private / "log", stack)


def _run(*command: str | Sequence[str]) -> None:
    subprocess.run(list(map(str, command)), check=True)
