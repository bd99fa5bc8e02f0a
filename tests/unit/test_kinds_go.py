"""Go modules from real little proxies: folders, and servers on the loopback device."""

from __future__ import annotations

import hashlib
import http.server
import io
import re
import stat
import struct
import subprocess
import threading
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from attrs import define, evolve, field
from go_command import go, needs_go

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import LockError, Malformed, SourceError, VerificationError, WrongContent
from rvbuild.core.go_graph import MainModule
from rvbuild.core.go_source import GoModFiles, GoModule
from rvbuild.core.gomod import escape_path
from rvbuild.core.gosum import hash1_go_mod
from rvbuild.core.tree import File
from rvbuild.kinds.go.fetch import (
    TOOLCHAIN,
    GoModFilesFetcher,
    GoModuleFetcher,
    GoToolchainFetcher,
    resolve_h1,
    resolve_toolchain,
    toolchain_version,
)
from rvbuild.kinds.go.go_mod_reader import GoModReader
from rvbuild.kinds.go.go_proxy import GoProxy
from rvbuild.kinds.go.go_settings import GoSettings, go_settings, parse_proxies
from rvbuild.kinds.go.source import GoToolchain
from rvbuild.stores.local import LocalStore
from rvbuild.transfers.sinks import DigestSink
from rvbuild.transfers.transport import Transport
from rvbuild.transfers.urls import Credentials

MODULE, VERSION = "example.org/Mod", "v1.2.3"
PREFIX = f"{MODULE}@{VERSION}/"
FILES = {
    "go.mod": b"module example.org/Mod\n\ngo 1.21\n",
    "mod.go": b"package mod\n",
    "a/b/big.go": b"package b // " + b"x" * 300_000 + b"\n",
    "LICENSE": b"words\n",
    ".github/x.yml": b"a: 1\n",
}
MOD_H1 = hash1_go_mod(FILES["go.mod"])


def packed(files: Mapping[str, bytes], prefix: str = PREFIX) -> bytes:
    """A module's zip, as the go command packs one."""
    to = io.BytesIO()
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(prefix + name, data)
    return to.getvalue()


def at(path: str, version: str, kind: str) -> str:
    return f"/{escape_path(path)}/@v/{escape_path(version)}.{kind}"


ZIP_AT, MOD_AT = at(MODULE, VERSION, "zip"), at(MODULE, VERSION, "mod")
GOOD = {ZIP_AT: packed(FILES), MOD_AT: FILES["go.mod"]}


@define
class Proxy:
    """A running proxy, and what it was asked."""

    url: str
    asked: list[str] = field(factory=list)


@contextmanager
def proxy(answers: Mapping[str, bytes | int]) -> Iterator[Proxy]:
    """Serve ``answers``: a body, or a status; 404 for what is not named."""
    known = Proxy("")

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            known.asked.append(self.path)
            answer = answers.get(unquote(self.path), 404)
            body = answer if isinstance(answer, bytes) else b"not found: because\n"
            self.send_response(answer if isinstance(answer, int) else 200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        known.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield known
        finally:
            server.shutdown()


@pytest.fixture(scope="module")
def http_client() -> Iterator[Transport]:
    with Transport(credentials=Credentials({}), sleep=lambda _: None) as transport:
        yield transport


def asking(transport: Transport, text: str, private: str = "") -> GoProxy:
    settings = GoSettings(proxies=parse_proxies(text), private=private)
    return GoProxy(transport, lambda: settings)


def quiet(_done: int, _total: int) -> None:
    pass


def fetched(goproxy: GoProxy, h1: str, path: str = MODULE, version: str = VERSION) -> DigestSink:
    sink = DigestSink()
    GoModuleFetcher(goproxy).fetch(GoModule(path=path, version=version, h1=h1), sink, quiet)
    return sink


def paths(sink: DigestSink) -> dict[str, File]:
    """The files of a sink by path."""
    found: dict[str, File] = {}

    def walk(level: object, prefix: str) -> None:
        if isinstance(level, File):
            found[prefix[:-1]] = level
        elif isinstance(level, dict):
            for name, node in level.items():
                walk(node, f"{prefix}{name}/")

    walk(sink.nested, "")
    return found


@pytest.fixture(scope="module")
def h1(http_client: Transport) -> str:
    with proxy(GOOD) as server:
        return resolve_h1(asking(http_client, server.url), MODULE, VERSION)


def test_a_module_is_its_folder(http_client: Transport, h1: str):
    """Without the prefix of the zip; nothing is executable; capitals are escaped in the URL."""
    with proxy(GOOD) as server:
        sink = fetched(asking(http_client, server.url), h1)
    assert server.asked == ["/example.org/!mod/@v/v1.2.3.zip"]
    assert {p: f.digest.size for p, f in paths(sink).items()} == {
        name: len(data) for name, data in FILES.items()
    }
    assert not any(f.executable for f in paths(sink).values())


def test_a_module_goes_into_a_store(http_client: Transport, h1: str, tmp_path: Path):
    store = LocalStore(str(tmp_path / "store"), durable=False)
    with proxy(GOOD) as server, store.trees.new_tree() as tree:
        source = GoModule(path=MODULE, version=VERSION, h1=h1)
        GoModuleFetcher(asking(http_client, server.url)).fetch(source, tree, quiet)
        root = tree.commit().root
    assert Path(store.mountable.path(root), "a/b/big.go").read_bytes() == FILES["a/b/big.go"]


@needs_go
def test_the_go_command_agrees(http_client: Transport, h1: str, tmp_path: Path):
    """It takes our h1 as its go.sum, and builds from the module cache that we lay out."""
    (tmp_path / "main").mkdir()
    (tmp_path / "main/go.mod").write_text(f"module m\n\ngo 1.21\n\nrequire {MODULE} {VERSION}\n")
    (tmp_path / "main/go.sum").write_text(
        f"{MODULE} {VERSION} {h1}\n{MODULE} {VERSION}/go.mod {MOD_H1}\n"
    )
    (tmp_path / "main/main.go").write_text(
        f'package main\n\nimport _ "{MODULE}"\n\nfunc main() {{}}\n'
    )
    store = LocalStore(str(tmp_path / "store"), durable=False)
    info = {at(MODULE, VERSION, "info"): b'{"Version":"v1.2.3"}'}
    with proxy({**GOOD, **info}) as server:
        goproxy = asking(http_client, server.url)
        with store.trees.new_tree() as tree:
            files = mod_files([(MODULE, VERSION, MOD_H1)], [(MODULE, VERSION, h1)])
            GoModFilesFetcher(GoModReader(goproxy)).fetch(files, tree, quiet)
            download = tree.commit().root
        with store.trees.new_tree() as tree:
            source = GoModule(path=MODULE, version=VERSION, h1=h1)
            GoModuleFetcher(goproxy).fetch(source, tree, quiet)
            module = tree.commit().root
        online = listed(tmp_path, GOPROXY=server.url, GOMODCACHE=str(tmp_path / "cache"))
    cache = store.trees.merge([("", download), (f"{escape_path(MODULE)}@{VERSION}", module)]).root
    offline = listed(tmp_path, GOPROXY="off", GOMODCACHE=store.mountable.path(cache))
    assert (online.returncode, online.stderr) == (
        0,
        f"go: downloading {MODULE} {VERSION}\n".encode(),
    )
    assert (offline.returncode, offline.stderr) == (0, b"")


Sums = Iterable[tuple[str, str, str]]


def test_the_text_of_a_go_sum_is_brought_and_is_in_no_key():
    bare = GoModFiles(go_sum="a" * 64, modules=())
    whole = bare.with_files({"sub/go.sum": b"text"}.get, "sub")
    assert whole.main is not None
    assert whole.main.go_sum == b"text"
    assert (whole, whole.identity) == (bare, bare.identity)


def mod_files(mods: Sums, modules: Sums = ()) -> GoModFiles:
    """The go.mod files of a go.sum that says just this."""
    needed = tuple(modules)
    lines = [f"{path} {version} {h1}" for path, version, h1 in needed]
    lines += [f"{path} {version}/go.mod {h1}" for path, version, h1 in mods]
    text = "".join(f"{line}\n" for line in lines).encode()
    main = MainModule("it", {"go.sum": text, "go.mod": b"module m\n"}.get)
    return GoModFiles(go_sum=hashlib.sha256(text).hexdigest(), modules=needed, main=main)


def listed(folder: Path, **settings: str) -> subprocess.CompletedProcess[bytes]:
    """Every package that the program in ``main`` needs, if the module cache serves them."""
    return go(folder / "main", "list", "-mod=readonly", "-deps", ".", **settings)


def test_another_content_is_refused_with_both_hashes(http_client: Transport, h1: str):
    changed = {ZIP_AT: packed({**FILES, "mod.go": b"package evil\n"})}
    with proxy(changed) as server, proxy(GOOD) as other:
        both = asking(http_client, f"{server.url}|{other.url}")
        with pytest.raises(WrongContent, match="not the pinned one") as caught:
            fetched(both, h1)
    told = f"{caught.value.where} {caught.value.message} {caught.value.details}"
    assert h1 in told
    assert f"{server.url}{ZIP_AT}" in told
    assert f"{MODULE}@{VERSION}" in told
    assert other.asked == []  # never retried silently elsewhere


def test_a_go_mod_that_changed_is_refused(http_client: Transport):
    with proxy({MOD_AT: b"module evil\n"}) as server:
        files = mod_files([(MODULE, VERSION, MOD_H1)])
        with pytest.raises(WrongContent, match="not the pinned one"):
            GoModFilesFetcher(GoModReader(asking(http_client, server.url))).fetch(
                files, DigestSink(), quiet
            )


@pytest.mark.parametrize(
    ("separator", "status", "asked"),
    [
        (",", 404, True),
        (",", 410, True),
        (",", 500, False),
        (",", 403, False),
        ("|", 500, True),
        ("|", 403, True),
        ("|", 404, True),
    ],
)
def test_the_next_proxy_is_asked_as_the_separator_says(
    http_client: Transport,
    h1: str,
    separator: str,
    status: int,
    asked: bool,  # noqa: FBT001
):
    with proxy({ZIP_AT: status}) as first, proxy(GOOD) as second:
        both = asking(http_client, f"{first.url}{separator}{second.url}")
        if asked:
            assert len(paths(fetched(both, h1))) == len(FILES)
        else:
            with pytest.raises(SourceError) as caught:
                fetched(both, h1)
            assert str(status) in "".join(caught.value.details)
    assert bool(second.asked) is asked


def test_the_error_tells_what_each_proxy_answered(http_client: Transport, h1: str):
    with proxy({}) as first, proxy({}) as second:
        both = asking(http_client, f"{first.url},{second.url},direct")
        with pytest.raises(SourceError, match="no module proxy gave its zip") as caught:
            fetched(both, h1)
    told = caught.value.details
    assert [url in line for url, line in zip((first.url, second.url), told, strict=False)] == [
        True,
        True,
    ]
    assert "not found: because" in told[0]
    assert "direct" in told[2]
    assert "example.org/Mod@v1.2.3" in str(caught.value)


def test_off_downloads_nothing(http_client: Transport, h1: str):
    with proxy(GOOD) as server, pytest.raises(SourceError) as caught:
        fetched(asking(http_client, f"off,{server.url}"), h1)
    assert "GOPROXY=off" in caught.value.details[0]
    assert server.asked == []


@pytest.mark.parametrize("pattern", ["example.org", "example.org/*", "*.org/Mod", "x,e*"])
def test_a_private_module_is_not_asked_of_a_proxy(http_client: Transport, h1: str, pattern: str):
    with proxy(GOOD) as server, pytest.raises(SourceError) as caught:
        fetched(asking(http_client, server.url, pattern), h1)
    assert caught.value.details[0].startswith("direct: ")
    assert server.asked == []


@pytest.mark.parametrize("pattern", ["example.com", "example.org/Mod/x", "example.or", "*.org/m*"])
def test_other_patterns_do_not_make_it_private(pattern: str):
    settings = GoSettings(proxies=(), private=pattern)
    assert not settings.is_private(MODULE)


def test_a_folder_can_be_a_proxy(http_client: Transport, h1: str, tmp_path: Path):
    where = tmp_path / "my proxy" / ZIP_AT[1:]
    where.parent.mkdir(parents=True)
    url = f"file://{tmp_path}/my%20proxy"
    with proxy(GOOD) as server:
        both = asking(http_client, f"{url},{server.url}")
        fetched(both, h1)
        assert len(server.asked) == 1
        where.write_bytes(GOOD[ZIP_AT])
        fetched(both, h1)
        assert len(server.asked) == 1


@pytest.mark.parametrize("size", range(0, len(GOOD[ZIP_AT]), 97))
def test_a_truncated_zip_is_refused(http_client: Transport, h1: str, size: int):
    with (
        proxy({ZIP_AT: packed(FILES)[:size]}) as server,
        pytest.raises(VerificationError) as caught,
    ):
        fetched(asking(http_client, server.url), h1)
    assert server.url in str(caught.value.where)


@pytest.mark.parametrize(
    "names",
    [
        ["../evil.go"],
        ["a//b.go"],
        ["./a.go"],
        ["sub/go.mod"],
        ["sub/Go.Mod"],
        ["GO.MOD"],
        ["a.go", "A.go"],
        ["Dir/x.go", "dir/y.go"],
        ["dir/x.go", "Dir/x.go"],
        ["a.go", "a.go/b.go"],
        ["con.go"],
        ["x/LPT1/y.go"],
        ["dots..."],
        ["x./y.go"],
        ["back\\slash.go"],
        ["star*.go"],
        ["colon:.go"],
        ["new\nline.go"],
        ["esc\x1b[31m.go"],
        ["rtl\u202e.go"],
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_go_refuses_are_refused(http_client: Transport, names: list[str]):
    """Even on first use, when there is no hash to compare with."""
    body = packed(dict.fromkeys(names, b"x"))
    with proxy({ZIP_AT: body}) as server, pytest.raises(VerificationError) as caught:
        resolve_h1(asking(http_client, server.url), MODULE, VERSION)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["é/ü.go", "sp ace.go", "a+b=c@d.go", "console.go", "x/.hidden"])
def test_names_that_go_allows_are_allowed(http_client: Transport, name: str):
    with proxy({ZIP_AT: packed({name: b"x"})}) as server:
        assert resolve_h1(asking(http_client, server.url), MODULE, VERSION).startswith("h1:")


@pytest.mark.parametrize("prefix", ["", "example.org/Mod@v1.2.4/", "example.org/mod@v1.2.3/"])
def test_a_foreign_prefix_is_refused(http_client: Transport, prefix: str):
    with (
        proxy({ZIP_AT: packed(FILES, prefix)}) as server,
        pytest.raises(Malformed, match=re.escape(PREFIX)),
    ):
        resolve_h1(asking(http_client, server.url), MODULE, VERSION)


def test_a_link_in_a_zip_is_refused(http_client: Transport):
    to = io.BytesIO()
    with zipfile.ZipFile(to, "w") as archive:
        link = zipfile.ZipInfo(PREFIX + "link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "mod.go")
    with proxy({ZIP_AT: to.getvalue()}) as server, pytest.raises(VerificationError, match="link"):
        resolve_h1(asking(http_client, server.url), MODULE, VERSION)


def test_a_bomb_is_refused(http_client: Transport):
    """One that says it unpacks to more than Go's 500 MiB is not unpacked to see."""
    size, much = len(FILES["LICENSE"]), 501 << 20
    body = packed({"LICENSE": FILES["LICENSE"]})
    told, lie = struct.pack("<2L", size + 2, size), struct.pack("<2L", size + 2, much)
    assert body.count(told) == 2  # the local header and the central directory
    bomb = body.replace(told, lie)
    with (
        proxy({ZIP_AT: bomb}) as server,
        pytest.raises(VerificationError, match="unpacks to more than 524288000"),
    ):
        resolve_h1(asking(http_client, server.url), MODULE, VERSION)


@pytest.mark.parametrize("version", ["v1/../../x", "latest", "", "v1.2.3?x=1"])
def test_a_version_that_is_none_reaches_no_proxy(http_client: Transport, version: str):
    with proxy(GOOD) as server, pytest.raises(LockError):
        resolve_h1(asking(http_client, server.url), MODULE, version)
    assert server.asked == []


def test_a_toolchain_is_a_goroot(http_client: Transport):
    """With the executable bits and the go.mod files that the go command gives it."""
    version = toolchain_version("1.23.6", "linux-amd64")
    files = {
        "bin/go": b"go",
        "pkg/tool/linux_amd64/compile": b"c",
        "lib/wasm/go_js_wasm_exec": b"w",
        "lib/time/zoneinfo.zip": b"z",
        "src/_go.mod": b"module std\n",
        "src/cmd/_go.mod": b"module cmd\n",
        "src/bin/x.go": b"package x\n",
    }
    body = packed(files, f"{TOOLCHAIN}@{version}/")
    with proxy({at(TOOLCHAIN, version, "zip"): body}) as server:
        goproxy = asking(http_client, server.url)
        h1 = resolve_toolchain(goproxy, "1.23.6", "linux-amd64")
        source = GoToolchain(version="1.23.6", platform="linux-amd64", h1=h1)
        sink = DigestSink()
        GoToolchainFetcher(goproxy).fetch(source, sink, quiet)
    found = paths(sink)
    assert {path for path, file in found.items() if file.executable} == {
        "bin/go",
        "pkg/tool/linux_amd64/compile",
        "lib/wasm/go_js_wasm_exec",
    }
    assert set(found) == {*files, "src/go.mod", "src/cmd/go.mod"}
    assert found["src/go.mod"] == found["src/_go.mod"]


def test_go_mod_files_are_laid_out_as_a_module_cache(http_client: Transport, h1: str):
    others = {at(f"example.org/m{n}", "v0.1.0", "mod"): b"module m%d\n" % n for n in range(50)}
    mods = tuple(
        (f"example.org/m{n}", "v0.1.0", hash1_go_mod(b"module m%d\n" % n)) for n in range(50)
    )
    seen: list[tuple[int, int]] = []
    sink = DigestSink()
    with proxy({**GOOD, **others}) as server:
        files = mod_files([(MODULE, VERSION, MOD_H1), *mods], [(MODULE, VERSION, h1)])
        goproxy = asking(http_client, server.url)
        GoModFilesFetcher(GoModReader(goproxy)).fetch(files, sink, lambda *a: seen.append(a))
    found = paths(sink)
    key = "cache/download/example.org/!mod/@v/v1.2.3"
    assert found[f"{key}.info"].digest.size == len('{"Version":"v1.2.3"}')
    assert found[f"{key}.ziphash"].digest.size == len(h1)
    assert len(found) == 51 + 2
    assert seen == [(n, 51) for n in range(1, 52)]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"main": MainModule("it", {"go.mod": b""}.get)}, "not the locked one"),
        ({"modules": ((MODULE, VERSION, MOD_H1),)}, f"does not have {MODULE} {VERSION} as it is"),
        ({"modules": (("example.org/n", VERSION, MOD_H1),)}, "does not have example.org/n"),
    ],
)
def test_a_go_sum_that_is_not_the_locked_one_is_refused(
    http_client: Transport, h1: str, change: dict[str, Any], says: str
):
    """Before anybody is asked for a go.mod file."""
    files = mod_files([(MODULE, VERSION, MOD_H1)], [(MODULE, VERSION, h1)])
    with proxy(GOOD) as server:
        fetcher = GoModFilesFetcher(GoModReader(asking(http_client, server.url)))
        fetcher.fetch(files, DigestSink(), quiet)
        before = len(server.asked)
        with pytest.raises(VerificationError, match=says) as caught:
            fetcher.fetch(evolve(files, **change), DigestSink(), quiet)
    assert len(server.asked) == before
    assert "rvbuild lock" in hint_text(caught.value.hint)


def test_one_missing_go_mod_stops_the_rest(http_client: Transport):
    mods = tuple((f"example.org/m{n}", "v0.1.0", MOD_H1) for n in range(500))
    with proxy({}) as server, pytest.raises(SourceError, match=r"go\.mod"):
        GoModFilesFetcher(GoModReader(asking(http_client, server.url))).fetch(
            mod_files(mods), DigestSink(), quiet
        )
    assert len(server.asked) < 100


# ---- settings


def settings_of(home: Path, **environment: str) -> list[str]:
    given = {"HOME": str(home), "PATH": str(home / "bin"), **environment}
    return [p.url for p in go_settings(given).proxies]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def test_where_the_proxies_come_from(tmp_path: Path):
    """The environment, the go command's file, the installed go; then nobody."""
    env_file = "# x\nGOPROXY=https://file.example,direct\nGOFLAGS=-x\n"
    with pytest.raises(SourceError, match="no Go module proxy") as caught:
        settings_of(tmp_path)
    assert "GOPROXY" in hint_text(caught.value.hint)
    write(tmp_path / "bin/go", "#!/bin/sh\nprintf 'https://installed.example\\n\\n\\n'\n")
    assert settings_of(tmp_path) == ["https://installed.example"]
    write(tmp_path / ".config/go/env", env_file)
    assert settings_of(tmp_path) == ["https://file.example", "direct"]
    write(tmp_path / "other", "GOPROXY=https://other.example\n")
    assert settings_of(tmp_path, GOENV=str(tmp_path / "other")) == ["https://other.example"]
    assert settings_of(tmp_path, GOENV="off") == ["https://installed.example"]
    assert settings_of(tmp_path, GOPROXY="off") == ["off"]


@pytest.mark.parametrize(
    ("script", "detail"),
    [
        ("echo 'go: no such tool' >&2; exit 1", "go: go: no such tool"),
        ("exit 1", "go: it wrote nothing on standard error"),
    ],
)
def test_a_go_command_that_fails_is_quoted(tmp_path: Path, script: str, detail: str):
    write(tmp_path / "bin/go", f"#!/bin/sh\n{script}\n")
    with pytest.raises(SourceError, match="no Go module proxy is configured, and the go") as caught:
        settings_of(tmp_path)
    assert str(caught.value.where) == str(tmp_path / "bin/go")
    assert caught.value.details == (detail,)


@pytest.mark.parametrize(
    ("environment", "private"),
    [
        ({"GOPRIVATE": "a.example/*,b.example"}, "a.example/*,b.example"),
        ({"GOPRIVATE": "a.example", "GONOPROXY": "none"}, "none"),
        ({}, ""),
    ],
)
def test_gonoproxy_goes_before_goprivate(environment: dict[str, str], private: str):
    assert go_settings({"GOPROXY": "https://p.example", **environment}).private == private


def test_the_list_of_proxies():
    text = " https://a.example/x/ | b.example:8/y,,file:///z , direct,https://never.example"
    assert [(p.url, p.on_any_error) for p in parse_proxies(text)] == [
        ("https://a.example/x", True),
        ("https://b.example:8/y", False),
        ("file:///z", False),
        ("direct", False),
    ]


@pytest.mark.parametrize(
    "text",
    [
        *("", ",", " | ", "/a/folder", "word"),
        *(
            "ftp://a.example",
            "https://a b.example",
            "https://a.example:x",
            "file://h/x",
        ),
    ],
)
def test_what_is_no_list_of_proxies_is_refused(text: str):
    with pytest.raises(SourceError):
        parse_proxies(text)
