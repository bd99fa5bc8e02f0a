"""Modules that are had from another path, as the go.mod in the store says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from attrs import evolve
from workspaces import workspace

from rvbuild.app.diff_replaced import replaced_modules
from rvbuild.app.session import Session
from rvbuild.core.derivation import Fetch
from rvbuild.core.events import silent
from rvbuild.core.go_source import GoModule
from rvbuild.core.lock import GoModuleSet, Lock, LockedSource
from rvbuild.core.lock_diff import compare_locks
from rvbuild.core.module_replacement import ReplacementChange
from rvbuild.core.names import SetRef, SourceRef
from rvbuild.core.realisation import Realisation
from rvbuild.core.side import Side
from rvbuild.kinds.table import kind_of

REPLACED = "module app\nreplace m => fork v2.0.0\n"
FOLDERS = {
    ".": {"go.mod": REPLACED},
    "cmd": {"cmd/go.mod": REPLACED},
    "cmd/go.work": {
        "cmd/go.work": "use ./a\nreplace m => fork v2.0.0\n",
        "cmd/a/go.mod": "module a\n",
    },
    "go.work": {"go.work": "use ./a\n", "a/go.mod": REPLACED},
}
PLAIN = {
    "go.mod": "module app\n",
    "cmd/go.mod": "module cmd\n",
    "cmd/go.work": "use ./a\n",
    "cmd/a/go.mod": "module a\n",
    "go.work": "use ./a\n",
    "a/go.mod": "module a\n",
}


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    (tmp_path / "rvbuild.lock").touch()
    monkeypatch.chdir(tmp_path)
    with closing(Session(workspace(str(tmp_path), str(tmp_path / "store")), silent)) as session:
        yield session


def side(series: str, folder: str, *modules: tuple[str, str]) -> Side:
    ref = SourceRef(f"app@{series}", "app")
    source = GoModule(path="app", version=series, h1="h1:")
    entry = GoModuleSet(specs=(), go_sum="", modules=tuple((*each, "") for each in modules))
    lock = Lock(
        sources={ref: LockedSource(spec="", parts=(source,))},
        go_modules={SetRef(ref, folder): entry},
    )
    return Side(name="", series=series, lock=lock)


def put(session: Session, side: Side, files: dict[str, str]) -> None:
    """Let the store have the source of a side."""
    store = session.store
    with store.trees.new_tree() as writer:
        for path, text in files.items():
            writer.file(path, [text.encode()])
        root = writer.commit().root
    (entry,) = side.lock.sources.values()
    key = store.cas.write(Fetch(source=entry.parts[0]).encode())
    store.realisations.register(Realisation(key=key, output=root))


def changes(session: Session, old: Side, new: Side) -> tuple[ReplacementChange, ...]:
    sets = compare_locks(old, new, lambda source: kind_of(source).component(source)).sets
    return replaced_modules(session, (old, new), sets)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_module_that_is_replaced_since(session: Session, folder: str):
    old, new = side("1", folder, ("m", "v1")), side("2", folder, ("fork", "v2.0.0"))
    put(session, old, PLAIN)
    put(session, new, FOLDERS[folder])
    (change,) = changes(session, old, new)
    assert (change.module, change.old, change.new) == ("m", "m v1", "fork v2.0.0")


def test_what_the_store_lacks_is_not_known(session: Session):
    old, new = side("1", ".", ("m", "v1")), side("2", ".", ("fork", "v2.0.0"))
    assert changes(session, old, new) == ()
    assert not session.workspace.has_store
    put(session, new, FOLDERS["."])
    assert changes(session, old, new) == ()
    put(session, old, {"go.mod": "replace ("})
    assert changes(session, old, new) == ()
    gone = evolve(new, lock=Lock())
    assert changes(session, old, gone) == ()
