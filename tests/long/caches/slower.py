"""A cache that is slower than building, and caches that are all dead: the build goes on.

    python tests/long/caches/slower.py

Makes its own small project, whose one step takes 40 s and gives 0.2 MB, compressed. README.md
says what is tried. Exit codes: 0 all of it holds, 1 something does not.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from trial import Trial

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "tests/e2e")]

from team_world import TARGET, Team  # noqa: E402 - from tests/e2e
from web_caches import free_port, running  # noqa: E402 - from tests/support
from world import World, clean_environment  # noqa: E402 - from tests/e2e

MOST = 1.1
NAMED = re.compile("team|made instead")
STEP = """\
summary: takes 40 s, and is large
license: MIT
homepage: https://example.invalid/large
version: "1"
build: |
  mkdir "$out/share"
  mkdir parts
  cd parts
  seq 1 3000 | split -l 1 -a 4
  sha512sum * > "$out/share/large"
  sleep 40
  cp "$out/share/large" "$out/share/hello.txt"
outputs:
  text: {path: share/hello.txt, kind: file}
  large: {path: share/large, kind: file}
"""
SLOW = """
daemon off;
master_process off;
pid {work}/pid;
error_log {work}/errors;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {work}/1; proxy_temp_path {work}/2; fastcgi_temp_path {work}/3;
  uwsgi_temp_path {work}/4; scgi_temp_path {work}/5;
  server {{ listen 127.0.0.1:{port}; location / {{ root {folder}; limit_rate 2k; }} }}
}}
"""


@contextmanager
def slow_server(folder: Path, work: Path) -> Iterator[str]:
    """Nginx that sends 2 KB a second of each object."""
    port = free_port()
    work.mkdir()
    (work / "conf").write_text(SLOW.format(work=work, port=port, folder=folder))
    command = ["nginx", "-p", str(work), "-e", str(work / "errors"), "-c", str(work / "conf")]
    with running(command, port):
        yield f"http://127.0.0.1:{port}"


def seed(folder: Path) -> Path:
    """A store with what steps need."""
    environment = {**clean_environment(folder), "RVBUILD_STORE": str(folder / "seed")}
    world = World(folder=folder / "empty", store=folder / "seed", environment=environment)
    world.folder.mkdir()
    world.fine("base-toolbox")
    return world.store


def seconds(world: World) -> tuple[float, str]:
    """How long a build takes, and what it said."""
    began = time.monotonic()
    said = world.fine(TARGET).err
    return time.monotonic() - began, said


def main() -> int:
    trial = Trial()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        team = Team(folder, seed(folder))
        ci = team.signing(machine(team, "ci"), "ci")
        ci.fine(TARGET)
        slow = stack.enter_context(slow_server(team.cache, folder / "slow"))
        alone, _ = seconds(machine(team, "alone", "off"))
        beside, said = seconds(team.trusting(machine(team, "beside", slow), ci))
        figure = f"{beside:.1f} s to {alone:.1f} s without it, {beside / alone:.3f} x"
        trial.row("a cache that is slower than building", figure, holds=beside <= MOST * alone)
        is_said = "would take" in said or "left out" in said
        trial.row("is it said", why(said), holds=is_said)
        dead = f"http://127.0.0.1:{free_port()}"
        beside, said = seconds(team.trusting(machine(team, "dead", dead), ci))
        figure = f"{beside:.1f} s, {beside / alone:.3f} x"
        trial.row("all caches are dead", figure, holds=beside <= MOST * alone)
        trial.row("is it said", why(said), holds="left out" in said)
    return trial.end()


def machine(team: Team, name: str, cache: str | None = None) -> World:
    world = team.machine(name, tools=True, cache=cache)
    world.recipe("hello", STEP)
    return world


def why(said: str) -> str:
    """The lines that name the cache."""
    return "; ".join(" ".join(line.split()) for line in said.splitlines() if NAMED.search(line))


if __name__ == "__main__":
    sys.exit(main())
