"""What tests of several rooms share: trees as plain values, and a sink that trusts blindly."""

from __future__ import annotations

import hashlib
import io
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Union

import pytest
from hypothesis import settings

from rvbuild.archives import unpack
from rvbuild.core.errors import VerificationError
from rvbuild.core.tree import File, Nested, Symlink
from rvbuild.files.removal import remove_tree
from rvbuild.stores.local import LocalStore
from rvbuild.stores.memory import MemoryStore
from rvbuild.stores.top import VERSION_FILE

if "CI" not in os.environ:  # whose profile of hypothesis has no deadline either
    settings.register_profile("busy", deadline=None)
    settings.load_profile("busy")

Content = Union[tuple[bytes, bool], str, None]
"""A file's bytes and executable bit, a symlink's target, or None for a directory."""

Plain = dict[str, Content]


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--regenerate`` is for tests/golden."""
    parser.addoption("--regenerate", action="store_true", help="record what golden tests find")


@pytest.fixture(scope="session", autouse=True)
def _signals_count() -> None:
    """Whoever started the tests may ignore signals (`nohup`, `&`): programs would inherit that."""
    wanted = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    for number, handler in wanted.items():
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.fixture
def tmp_path(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The folder of a test, which goes with the test, unless that failed.

    Pytest removes what older runs left by recursion. That ends the whole run where a test made
    folders deeper than Python's stack.
    """
    failed = request.session.testsfailed
    yield tmp_path
    if request.session.testsfailed == failed:
        remove_tree(str(tmp_path))


def plain_tree(store: MemoryStore, nested: Nested, prefix: str = "") -> Plain:
    """A stored tree as paths and contents."""
    found: Plain = {}
    for name, node in nested.items():
        path = prefix + name
        if isinstance(node, File):
            found[path] = (store.cas.read(node.digest), node.executable)
        elif isinstance(node, Symlink):
            found[path] = node.target
        else:
            found[path] = None
            found.update(plain_tree(store, node, f"{path}/"))
    return found


@pytest.fixture
def unpacked() -> Callable[..., Plain]:
    """Unpacks bytes into a store in memory and gives back what is in it."""

    def run(data: bytes, name: str = "archive", **options: Any) -> Plain:  # noqa: ANN401
        store = MemoryStore()
        with store.trees.new_tree() as writer:
            unpack(io.BytesIO(data), name, writer, **options)
            root = writer.commit().root
        return plain_tree(store, store.trees.tree(root).nested())

    return run


@pytest.fixture
def seen_on_disk() -> Callable[[Path], Plain]:
    """Reads a folder the way that `unpacked` shows a tree."""

    def read(root: Path) -> Plain:
        found: Plain = {}
        for path in root.rglob("*"):
            name = str(path.relative_to(root))
            if path.is_symlink():
                found[name] = os.readlink(path)
            elif path.is_dir():
                found[name] = None
            else:
                found[name] = (path.read_bytes(), path.stat().st_mode & 0o100 != 0)
        return found

    return read


class BlindSink:
    """Writes wherever it is told to, following links: what a reader must never mislead."""

    def __init__(self, root: str) -> None:
        self._root = root

    def _at(self, path: str) -> str:
        at = os.path.join(self._root, path)
        os.makedirs(os.path.dirname(at), exist_ok=True)
        return at

    def directory(self, path: str) -> None:
        os.makedirs(self._at(path), exist_ok=True)

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        sha256 = hashlib.sha256()
        with open(self._at(path), "wb") as file:
            os.fchmod(file.fileno(), 0o755 if executable else 0o644)
            for chunk in chunks:
                sha256.update(chunk)
                file.write(chunk)
        return sha256.hexdigest()

    def symlink(self, path: str, target: str) -> None:
        os.symlink(target, self._at(path))

    def copy(self, path: str, of: str) -> None:
        os.link(self._at(of), self._at(path))


@pytest.fixture
def blind_sink() -> Callable[[str], BlindSink]:
    return BlindSink


def _outside(root: Path, but: Path) -> dict[Path, bytes | None]:
    return {
        path: path.read_bytes() if path.is_file() else None
        for path in sorted(root.rglob("*"))
        if path != but and but not in path.parents
    }


@pytest.fixture(scope="session")
def emptied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store on disk in which nothing is ever registered."""
    return tmp_path_factory.mktemp("deep") / "er/store"


@pytest.fixture
def refused(tmp_path: Path, emptied: Path) -> Callable[..., VerificationError]:
    """Unpacks what must be refused, into three sinks; nothing may appear outside of any.

    The sinks are a store in memory, a store on disk, and one that trusts blindly. Gives
    back the error, which is the same each time.
    """

    def run(data: bytes, **options: Any) -> VerificationError:  # noqa: ANN401
        blind = tmp_path / "a/b/blind"
        blind.mkdir(parents=True)
        (tmp_path / "a/x").write_bytes(b"canary")
        before = _outside(tmp_path, blind)
        local = LocalStore(str(emptied), durable=False)
        began = {path for path in emptied.parents[1].rglob("*") if _has_content(path)}
        errors = []
        with MemoryStore().trees.new_tree() as first, local.trees.new_tree() as second:
            for sink in (first, second, BlindSink(str(blind))):
                with pytest.raises(VerificationError) as caught:
                    unpack(io.BytesIO(data), "evil", sink, **options)
                errors.append(str(caught.value))
        assert {path for path in emptied.parents[1].rglob("*") if _has_content(path)} == began
        assert _outside(tmp_path, blind) == before
        assert len(set(errors)) == 1
        assert errors[0].startswith("evil")
        return caught.value

    return run


def _has_content(path: Path) -> bool:
    """Whether it holds something that is not the store's own word for its format."""
    return path.is_symlink() or (
        path.is_file() and path.stat().st_size > 0 and path.name != VERSION_FILE
    )
