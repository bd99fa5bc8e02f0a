"""Fifty canaries in every place that keeps a secret: nothing that a run leaves has one of them.

What a run leaves is standard output and error, the project with its lock and results, the store
with logs and memos, and the folder for temporary files. The control is a server that got the
secrets which are for it, and a search that finds a canary in what was planted.
"""

from __future__ import annotations

import base64
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from attrs import define, field
from world import HERE, Ran, World

pytestmark = pytest.mark.privileged

NAMES = (
    "GITHUB_TOKEN", "GITLAB_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "NPM_TOKEN",
    "PYPI_TOKEN", "TWINE_PASSWORD", "UV_PUBLISH_TOKEN", "DOCKER_PASSWORD", "SSH_AUTH_SOCK",
    "GPG_PASSPHRASE", "GIT_ASKPASS", "GIT_HTTP_EXTRAHEADER", "HTTP_AUTHORIZATION", "API_KEY",
    "RVBUILD_SECRET", "CI_JOB_TOKEN", "VAULT_TOKEN", "KUBECONFIG", "SECRET", "PASSWORD",
    "GOAUTH_TOKEN", "CARGO_REGISTRY_TOKEN", "DATABASE_URL", "SLACK_WEBHOOK",
    "RVBUILD_SIGNING_KEY", "SENTRY_DSN",
)  # fmt: skip
"""Variables of the environment; each has one canary."""


@define
class Canaries:
    """Makes them, and looks for them in any form in which they may be written."""

    made: list[str] = field(factory=list)

    def new(self) -> str:
        self.made.append(f"canary{len(self.made):03d}wings")
        return self.made[-1]

    def found_in(self, data: bytes) -> set[str]:
        coded = {each: base64.b64encode(f"me:{each}".encode()) for each in self.made}
        return {each for each in self.made if each.encode() in data or coded[each] in data}


@define
class Asked:
    """A server that refuses everything, and keeps what it was asked."""

    address: str
    requests: list[bytes] = field(factory=list)


@contextmanager
def refusing(status: int) -> Iterator[Asked]:
    asked = Asked("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.requests.append(f"{self.requestline}\n{self.headers}".encode())
            self.send_response(status)
            said = b"refused: " + (self.headers.get("Authorization") or "nobody").encode()
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        asked.address = f"127.0.0.1:{server.server_port}"
        try:
            yield asked
        finally:
            server.shutdown()
            thread.join()


SOURCES = {
    "archive": "url: 'http://{at}/x.tar'",
    "repository": "git: 'http://{at}/x.git', commit: " + "1" * 40,
    "module": "go-module: example.invalid/x, version: v1.0.0",
    "wheel": "pypi: nothing-at-all, version: '1'",
}


def recipes(world: World, at: str) -> None:
    for name, text in SOURCES.items():
        more = f"kind: source\nsources: {{it: {{{text.format(at=at)}}}}}\n"
        head = "summary: x\nlicense: MIT\nhomepage: https://example.invalid\nversion: '1'\n"
        world.recipe(name, head + more)


def planted(world: World, home: Path, birds: Canaries, at: str) -> World:
    """A world whose owner keeps secrets everywhere."""
    home.mkdir()
    host = at.partition(":")[0]
    machines = [f"machine {name} login me password {birds.new()}" for name in
                (host, "localhost", "github.com", "example.invalid", "other.invalid")]  # fmt: skip
    netrc = home / ".netrc"
    netrc.write_text("\n".join(machines) + "\n")
    netrc.chmod(0o600)
    (home / ".config/pip").mkdir(parents=True)
    (home / ".config/pip/pip.conf").write_text(
        f"[global]\nindex-url = http://me:{birds.new()}@{at}/simple\n"
        f"extra-index-url = http://{birds.new()}@{at}/more\n"
    )
    (home / ".gitconfig").write_text(
        f'[url "http://me:{birds.new()}@{at}/git/"]\n insteadOf = http://{at}/\n'
        f"[http]\n extraHeader = X-Token: {birds.new()}\n"
    )
    return world.with_environment(
        HOME=str(home),
        XDG_CONFIG_HOME=str(home / ".config"),
        TMPDIR=str(home.parent / "tmp"),
        GOPROXY=f"http://me:{birds.new()}@{at}/go,http://{birds.new()}@{at}/go?token={birds.new()}",
        no_proxy=host,
        http_proxy=f"http://me:{birds.new()}@127.0.0.1:9/",
        https_proxy=f"http://me:{birds.new()}@127.0.0.1:9/",
        **{name: birds.new() for name in NAMES},
    )


def mistaken(world: World, birds: Canaries) -> Iterator[tuple[World, tuple[str, ...]]]:
    """Settings with a mistake beside the secret: an error must not quote it."""
    odd = {
        "PIP_INDEX_URL": ("wheel", f"https//me:{birds.new()}@index.invalid/simple"),
        "UV_DEFAULT_INDEX": ("wheel", f"https//me:{birds.new()}@index.invalid/simple"),
        "GOPROXY": ("module", f"me{birds.new()}"),
        "http_proxy": ("archive", f"gopher://me:{birds.new()}@h.invalid"),
        "SSL_CERT_FILE": ("archive", "/nowhere"),
    }
    for name, (recipe, value) in odd.items():
        yield world.with_environment(**{name: value, "no_proxy": ""}), ("lock", recipe)
    conf = world.folder / "odd.conf"
    conf.write_text(f"[global]\nindex-url https://me:{birds.new()}@index.invalid/simple\n")
    yield world.with_environment(PIP_CONFIG_FILE=str(conf)), ("lock", "wheel")
    toml = world.folder / "odd.toml"
    toml.write_text(f"index-url = https://me:{birds.new()}@index.invalid/simple\n")
    yield (
        world.with_environment(UV_CONFIG_FILE=str(toml), PIP_CONFIG_FILE="/dev/null"),
        ("lock", "wheel"),
    )
    mirror = f"http=http://me:{birds.new()}@127.0.0.1:9/"
    yield world, ("lock", "archive", "--mirror", mirror)
    mirror = f"http://127=http://me:{birds.new()}@127.0.0.1:9/x?token={birds.new()}"
    yield world, ("lock", "archive", "--mirror", mirror)


STEP = "env > $out/out.txt; cat /proc/*/environ >> $out/out.txt || true; echo built; env"


def left(folders: tuple[Path, ...], but: set[Path]) -> Iterator[tuple[str, bytes]]:
    for path in itertools.chain.from_iterable(folder.rglob("*") for folder in folders):
        if path not in but:
            yield str(path), str(path).encode()
            if path.is_file() and not path.is_symlink():
                yield str(path), path.read_bytes()


def test_no_canary_is_in_what_a_run_leaves(world: World, tmp_path: Path):
    birds = Canaries()
    (tmp_path / "tmp").mkdir()
    runs: list[Ran] = []
    with refusing(401) as server, refusing(403) as broken:
        keeper = planted(world, tmp_path / "home", birds, server.address)
        recipes(keeper, server.address)
        keeper.step("seen", STEP)
        runs += [keeper.run("lock", "-v", name) for name in SOURCES]
        recipes(keeper, broken.address)
        runs += [keeper.run("lock", "archive", "--mirror", f"http://{broken.address}/={where}")
                 for where in (f"http://me:{birds.new()}@{server.address}/",)]  # fmt: skip
        runs += [each.run(*words) for each, words in mistaken(keeper, birds)]
        assert all(ran.code in {2, 4} for ran in runs), "\n".join(map(str, runs))
        runs += [keeper.run("-v", f"seen-{HERE}"), keeper.run(f"seen-{HERE}")]
        runs += [keeper.run(*words) for words in (("log", f"seen-{HERE}"), ("plan", f"seen-{HERE}"),
                 ("show", "--json", f"seen-{HERE}"), ("doctor",), ("store", "verify"))]  # fmt: skip
    assert len(birds.made) >= 50
    for ran in runs:
        assert birds.found_in(f"{ran.out}{ran.err}".encode()) == set(), str(ran)
        assert "Traceback" not in ran.err, str(ran)
    planted_files = {world.folder / "odd.conf", world.folder / "odd.toml"}
    folders = (world.folder, world.store, tmp_path / "tmp")
    for path, data in left(folders, planted_files):
        assert birds.found_in(data) == set(), path
    # the controls: the search finds what is there, and what is for the server got to it
    assert birds.found_in((world.folder / "odd.conf").read_bytes())
    got = birds.found_in(b"".join(server.requests))
    assert len(got) >= 5, got
