"""A source of each kind at a place that the test makes."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import evolve
from fetch_places import Goods, Place, Refusal
from made_crates import cargo_home, crate, registry_pages

from rvbuild.core.digest import Digest
from rvbuild.core.errors import SourceError
from rvbuild.core.go_graph import MainModule
from rvbuild.core.go_source import GoModFiles, GoModule
from rvbuild.core.gosum import hash1, hash1_go_mod
from rvbuild.core.ports.callbacks import no_progress
from rvbuild.core.ports.fetcher import AnyFetcher
from rvbuild.core.tree import File, Nested, Symlink, Tree
from rvbuild.files.removal import remove_tree
from rvbuild.kinds.crates.source import Crate, VendoredCrate
from rvbuild.kinds.debian.fetch import DebianFetcher
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.kinds.git.source import GitSource
from rvbuild.kinds.go.fetch import TOOLCHAIN, toolchain_version
from rvbuild.kinds.go.source import GoToolchain
from rvbuild.kinds.path.source import PathSource
from rvbuild.kinds.pypi.source import Wheel
from rvbuild.kinds.url.source import UrlSource
from rvbuild.transfers.apt_config import Archives

Wares = Mapping[str, bytes]
"""Content of files by path."""

# ---- forms


def _tar(files: Wares, mode: int = 0o644) -> bytes:
    to = io.BytesIO()
    with tarfile.open(fileobj=to, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), mode
            archive.addfile(info, io.BytesIO(data))
    return to.getvalue()


def _zip(files: Wares, prefix: str = "") -> bytes:
    to = io.BytesIO()
    with zipfile.ZipFile(to, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(prefix + name), data)
    return to.getvalue()


def _deb(files: Wares) -> bytes:
    out = b"!<arch>\n"
    members = {"debian-binary": b"2.0\n", "control.tar.gz": _tar({}), "data.tar.gz": _tar(files)}
    for name, data in members.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode() + data
        out += b"\n" * (len(data) % 2)
    return out


def _h1(files: Wares, prefix: str) -> str:
    return hash1({prefix + name: _sha256(data) for name, data in files.items()})


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _file(data: bytes, *, executable: bool = False) -> File:
    return File(Digest.of(data), executable)


FILES = {"a.txt": b"one\n" * 2000, "b.txt": b"two\n"}
OTHER = FILES | {"b.txt": b"tow\n"}
TREE: Nested = {name: _file(data) for name, data in FILES.items()}


def _below(folder: str, files: Wares) -> Wares:
    return {f"{folder}/{name}": data for name, data in files.items()}


# ---- kinds


def url(at: Place) -> Goods:
    data, page = _tar(_below("x-1", FILES)), "/x-1.tar.gz"
    at.site.pages[page] = data
    source = UrlSource(urls=(at.site.url + page,), sha256=_sha256(data))
    return at.site.goods(page, _tar(_below("x-1", OTHER)), source, TREE, at.client("url"))


def url_file(at: Place) -> Goods:
    data, page = FILES["a.txt"], "/x-1.bin"
    at.site.pages[page] = data
    source = UrlSource(urls=(at.site.url + page,), sha256=_sha256(data), unpack=False)
    tree: Nested = {"x-1.bin": _file(data)}
    return at.site.goods(page, data[::-1], source, tree, at.client("url"))


def debian(at: Place) -> Goods:
    data, pool = _deb(FILES), "pool/main/x/x_1_amd64.deb"
    at.site.pages[f"/debian/{pool}"] = data
    source = DebianPackage(
        name="x", version="1", architecture="amd64", pool=pool, sha256=_sha256(data), size=len(data)
    )
    client = at.client("debian")
    assert isinstance(client, DebianFetcher)
    # this machine's own archives stay unasked
    mine = evolve(client, archives=lambda: Archives((f"{at.site.url}/debian",)))
    return at.site.goods(f"/debian/{pool}", _deb(OTHER), source, TREE, mine)


def pypi(at: Place) -> Goods:
    data, name = _zip(FILES), "x-1-py3-none-any.whl"
    rows = [{"filename": name, "url": f"/files/{name}", "hashes": {}}]
    index = {"meta": {"api-version": "1.1"}, "name": "x", "files": rows}
    at.site.pages |= {"/simple/x/": json.dumps(index).encode(), f"/files/{name}": data}
    source = Wheel(project="x", version="1", filename=name, sha256=_sha256(data))
    client = at.client("pypi", PIP_INDEX_URL=f"{at.site.url}/simple", PIP_CONFIG_FILE=os.devnull)
    return at.site.goods(f"/files/{name}", _zip(OTHER), source, TREE, client)


def _crates(at: Place, make: type[Crate | VendoredCrate]) -> Goods:
    made, other = crate("tool", "1.2.3"), crate("tool", "1.2.3", **{"more.rs": ""})
    at.site.pages |= registry_pages([made], at.site.url)
    home = cargo_home(at.folder / "cargo", f'registry = "sparse+{at.site.url}/index/"')
    source = make(name="tool", version="1.2.3", sha256=made.sha256)
    with tarfile.open(fileobj=io.BytesIO(made.data)) as archive:
        read = {m.name.partition("/")[2]: archive.extractfile(m) for m in archive}
        files = {name: file.read() for name, file in read.items() if file}
    tree: Nested = {"Cargo.toml": _file(files["Cargo.toml"])}
    tree["src"] = {"lib.rs": _file(files["src/lib.rs"])}
    if make is VendoredCrate:
        sums = {name: _sha256(data) for name, data in sorted(files.items())}
        listed = json.dumps({"files": sums, "package": made.sha256}, separators=(",", ":"))
        tree = {"tool-1.2.3": tree | {".cargo-checksum.json": _file(listed.encode())}}
    client = at.client(source.kind, CARGO_HOME=str(home))
    return at.site.goods("/dl/tool/1.2.3/download", other.data, source, tree, client)


def crate_alone(at: Place) -> Goods:
    return _crates(at, Crate)


def crate_vendored(at: Place) -> Goods:
    return _crates(at, VendoredCrate)


MODULE, VERSION = "example.org/mod", "v1.2.3"
GO_MOD = b"module example.org/mod\n\ngo 1.21\n"


def _go_client(at: Place, kind: str) -> AnyFetcher:
    return at.client(kind, GOPROXY=at.site.url, GOENV="off")


def go_module(at: Place) -> Goods:
    prefix, page = f"{MODULE}@{VERSION}/", f"/{MODULE}/@v/{VERSION}.zip"
    at.site.pages[page] = _zip(FILES, prefix)
    source = GoModule(path=MODULE, version=VERSION, h1=_h1(FILES, prefix))
    return at.site.goods(page, _zip(OTHER, prefix), source, TREE, _go_client(at, source.kind))


def go_toolchain(at: Place) -> Goods:
    version = toolchain_version("1.23.4", "linux-amd64")
    prefix, page = f"{TOOLCHAIN}@{version}/", f"/{TOOLCHAIN}/@v/{version}.zip"
    files = FILES | {"bin/go": b"program", "src/_go.mod": GO_MOD}
    at.site.pages[page] = _zip(files, prefix)
    source = GoToolchain(version="1.23.4", platform="linux-amd64", h1=_h1(files, prefix))
    tree = TREE | {"bin": {"go": _file(b"program", executable=True)}}
    tree["src"] = {"_go.mod": _file(GO_MOD), "go.mod": _file(GO_MOD)}
    other = _zip(files | OTHER, prefix)
    return at.site.goods(page, other, source, tree, _go_client(at, source.kind))


def go_mod_files(at: Place) -> Goods:
    page, h1 = f"/{MODULE}/@v/{VERSION}.mod", _h1(FILES, f"{MODULE}@{VERSION}/")
    at.site.pages[page] = GO_MOD
    lines = f"{MODULE} {VERSION} {h1}\n{MODULE} {VERSION}/go.mod {hash1_go_mod(GO_MOD)}\n"
    text = lines.encode()
    main = MainModule("it", {"go.sum": text}.get)
    source = GoModFiles(go_sum=_sha256(text), modules=((MODULE, VERSION, h1),), main=main)
    files: Nested = {
        f"{VERSION}.mod": _file(GO_MOD),
        f"{VERSION}.info": _file(b'{"Version":"v1.2.3"}'),
        f"{VERSION}.ziphash": _file(h1.encode()),
    }
    tree: Nested = {"cache": {"download": {"example.org": {"mod": {"@v": files}}}}}
    other = GO_MOD.replace(b"1.21", b"1.22")
    return at.site.goods(page, other, source, tree, _go_client(at, source.kind))


def path(at: Place) -> Goods:
    data, folder = b"some text\n" * 300_000, at.folder / "mine"
    file = folder / "d/big"
    file.parent.mkdir(parents=True)
    file.write_bytes(data)
    (folder / "link").symlink_to("d/big")
    tree: Nested = {"d": {"big": _file(data)}, "link": Symlink("d/big")}
    return Goods(
        source=PathSource(path=str(folder), digest=str(Tree.of(tree).root)),
        tree=tree,
        fetcher=at.client("path"),
        place=str(folder),
        bytes=data,
        other=data[::-1],
        write=file.write_bytes,
        remove=lambda: remove_tree(str(folder)),
        cut=lambda: lambda _done, _total: os.truncate(file, 5),
    )


# ---- git

_AUTHOR = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in {"NAME": "A", "EMAIL": "a@b.example", "DATE": "1700000000 +0000"}.items()
}


def _git(folder: Path, *words: str) -> bytes:
    environment = {"PATH": os.environ["PATH"], "HOME": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", *words], cwd=folder, env=environment | _AUTHOR, check=True, capture_output=True
    )
    return done.stdout


def _commit(folder: Path, address: str) -> tuple[GitSource, str]:
    """A repository with one commit; the source, and the path of a file's object in it."""
    folder.mkdir()
    _git(folder, "init", "-q", ".")
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    _git(folder, "add", "-A")
    _git(folder, "commit", "-q", "-m", "one")
    names = ("HEAD", "HEAD^{tree}", "HEAD:b.txt")
    commit, tree, blob = _git(folder, "rev-parse", *names).decode().split()
    source = GitSource(url=address, commit=commit, tree=tree, date=1_700_000_000)
    return source, f".git/objects/{blob[:2]}/{blob[2:]}"


_OF_GIT: dict[str, Refusal] = {"refusal": SourceError, "unreadable": SourceError}
_OTHER_BLOB = zlib.compress(b"blob 4\0tow\n")


def git_folder(at: Place) -> Goods:
    """A mirror on this machine."""
    address, folder = "https://git.invalid/x", at.folder / "upstream"
    source, blob = _commit(folder, address)
    file = folder / blob
    file.chmod(0o644)
    data = file.read_bytes()
    return Goods(
        source=source,
        tree=TREE,
        fetcher=at.client("git", (address, str(folder)), GIT_SSH_COMMAND="false"),
        place=str(folder),
        bytes=data,
        other=_OTHER_BLOB,
        write=file.write_bytes,
        remove=lambda: remove_tree(str(folder / ".git")),
        cut=lambda: (file.write_bytes(data[: len(data) // 2]), no_progress)[1],
        unreadable=SourceError,
    )


def git_clone(at: Place) -> Goods:
    """A server of files, which git clones from."""
    folder = at.folder / "upstream"
    source, blob = _commit(folder, f"{at.site.url}/x/.git")
    _git(folder, "update-server-info")
    files = [file for file in (folder / ".git").rglob("*") if file.is_file()]
    at.site.pages |= {f"/x/{file.relative_to(folder)}": file.read_bytes() for file in files}
    client = at.client("git")
    goods = at.site.goods(f"/x/{blob}", _OTHER_BLOB, source, TREE, client, **_OF_GIT)
    return evolve(goods, hiccup=None)  # git begins no file again


def git_archive(at: Place) -> Goods:
    """The archive of a forge, which is believed only where it is the commit's tree."""
    address = "https://gitlab.invalid/owner/x"
    source, _ = _commit(at.folder / "upstream", address)
    page = f"/owner/x/-/archive/{source.commit}/x-{source.commit}.tar.gz"
    at.site.pages[page] = _tar(_below("x", FILES))
    client = at.client("git", (address, f"{at.site.url}/owner/x"))
    other = _tar(_below("x", OTHER))
    return at.site.goods(page, other, source, TREE, client, **_OF_GIT)


KINDS: dict[str, dict[str, Callable[[Place], Goods]]] = {
    "crate": {"a registry": crate_alone},
    "crates": {"a registry": crate_vendored},
    "debian": {"an archive": debian},
    "git": {"a folder": git_folder, "a clone": git_clone, "a forge": git_archive},
    "go-module": {"a proxy": go_module},
    "go-mod-files": {"a proxy": go_mod_files},
    "go-toolchain": {"a proxy": go_toolchain},
    "path": {"a folder": path},
    "pypi": {"an index": pypi},
    "url": {"an archive": url, "a file": url_file},
}
"""By kind, each way to its bytes."""
