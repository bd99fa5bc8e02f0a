"""Results in a store, as the engine leaves them, and links to them, as people have them."""

from __future__ import annotations

from pathlib import Path

from rvbuild.core.action import Outcome
from rvbuild.core.digest import Digest
from rvbuild.core.realisation import Realisation
from rvbuild.stores.local import LocalStore


def built(store: LocalStore, name: str, *, accelerated: bool = False) -> Realisation:
    """A result with its tree, log, outcome and realisation; two of them share a file."""
    with store.trees.new_tree() as writer:
        writer.file("bin/run", [name.encode()], executable=True)
        writer.file("doc", [b"doc of ", name.encode()])
        writer.file("shared", [b"in every tree"])
        writer.directory("bin/deep/empty")
        writer.symlink("link", "bin/run")
        root = writer.commit().root
    return register(store, name, root, accelerated=accelerated)


def key_of(name: str) -> bytes:
    """The canonical bytes of a result's derivation, as far as a store looks at them."""
    return f"derivation of {name}".encode()


def register(
    store: LocalStore,
    name: str,
    root: Digest,
    *,
    accelerated: bool = False,
    inputs: tuple[Digest, ...] = (),
) -> Realisation:
    """A result whose output is a tree that the store has."""
    tree = Digest.of(store.trees.tree(root).encode())
    log, action = store.cas.write(f"log of {name}".encode()), Digest.of(f"act {name}".encode())
    outcome = Outcome(exit_code=0, output=root, tree=tree, log=log)
    store.action_cache.record(action, outcome, accelerated=accelerated)
    realisation = Realisation(
        key=store.cas.write(key_of(name)),
        output=root,
        action=action.hash,
        log=log,
        accelerated=accelerated,
        inputs=inputs,
    )
    store.realisations.register(realisation)
    return realisation


def keep(store: LocalStore, name: str, root: Digest) -> str:
    """The derivation of a result that is registered."""
    return register(store, name, root).derivation


def hold(store: LocalStore, link: Path, realisation: Realisation) -> None:
    """Let ``link`` show a result, instead of what it showed before, and keep that."""
    link.unlink(missing_ok=True)
    link.symlink_to(store.mountable.path(realisation.output))
    store.roots.add_root(link.name, realisation.derivation, str(link))
