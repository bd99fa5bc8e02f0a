"""What tests of the sandbox share: an executor over a real store, and this Python inside it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from rvbuild.core.action import Action, Command, Mount, Outcome, input_root
from rvbuild.core.digest import Digest
from rvbuild.core.platform import Platform
from rvbuild.core.ports.mountable import MountableTrees
from rvbuild.executors.limits import Limits
from rvbuild.executors.local_executor import LocalExecutor
from rvbuild.stores.local import LocalStore

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))  # probes import this file
from store_parts import with_parts

PYTHON = os.path.realpath(sys.executable)
HERE = Path(__file__).parent


class HostFolders:
    """``MountableTrees`` that also has folders of this machine, as if they were trees."""

    def __init__(self, trees: MountableTrees) -> None:
        self._trees = trees
        self._folders: dict[Digest, str] = {}

    def lend(self, folder: str) -> Digest:
        digest = Digest.of(b"folder " + folder.encode())
        self._folders[digest] = folder
        return digest

    def path(self, root: Digest) -> str:
        return self._folders.get(root) or self._trees.path(root)

    def refuse_changed(self, root: Digest) -> None:
        self._trees.refuse_changed(root)


@frozen(kw_only=True)
class Bench:
    """An executor, and the mounts with which Python and ``sh`` run inside."""

    store: LocalStore
    executor: LocalExecutor
    mounts: tuple[Mount, ...]
    tmp: Path
    lines: list[str] = field(factory=list)
    kept: list[str] = field(factory=list)

    @classmethod
    def at(cls, folder: Path, limits: Limits | None = None) -> Bench:
        store = LocalStore(str(folder / "store"), durable=False)
        store = with_parts(store, mountable=HostFolders(store.trees))
        executor = LocalExecutor(store, str(folder / "tmp"), limits=limits, keep_failed=True)
        return cls(
            store=store,
            executor=executor,
            mounts=tuple(_python(store)),
            tmp=folder / "tmp",
        )

    def action(self, arguments: tuple[str, ...], **options: object) -> Action:
        """An action with Python inside; see ``run`` for the options."""
        mounts = (*self.mounts, *options.get("mounts", ()))  # type: ignore[misc]
        given = options.get("environment", {})
        assert isinstance(given, Mapping)
        environment = {"PATH": "/usr/bin:/bin", "out": "/build/out", "PLACE": "/build", **given}
        return Action(
            command=Command(
                arguments=arguments, environment=environment, platform=Platform.of("amd64")
            ),
            mounts=mounts,
            input_root=input_root((), None),
            timeout=int(str(options.get("timeout", 60))),
        )

    def run(self, *arguments: str, **options: object) -> Outcome:
        """Run a command inside; ``mounts``, ``environment``, ``timeout``, ``accelerators``."""
        accelerators = options.pop("accelerators", {})
        assert isinstance(accelerators, Mapping)
        action = self.action(arguments, **options)
        outcome = self.executor.run(action, "step", self.lines.append, accelerators)
        self.kept.extend(filter(None, [outcome.folder]))
        return outcome

    def sh(self, script: str, **options: object) -> Outcome:
        return self.run("/bin/sh", "-eu", "-c", script, **options)

    def python(self, script: str, **options: object) -> Outcome:
        return self.run(PYTHON, "-I", "-c", script, **options)

    def log(self, outcome: Outcome) -> str:
        return self.store.cas.read(outcome.log).decode()

    def left_over(self) -> list[str]:
        """The folders of steps that are still there."""
        return os.listdir(self.tmp) if self.tmp.exists() else []


def _python(store: LocalStore) -> list[Mount]:
    """The toolbox: ``/usr`` and what goes with it, and this Python where it is."""
    with store.trees.new_tree() as root:
        for name in ("bin", "lib", "lib64"):
            if os.path.islink(f"/{name}"):
                root.symlink(name, os.readlink(f"/{name}"))
        toolbox = root.commit().root
    folders = ["/usr", os.path.realpath(sys.base_prefix)]
    folders += [f"/{name}" for name in ("bin", "lib", "lib64") if not os.path.islink(f"/{name}")]
    mounts = [Mount("", toolbox), Mount("in/probes", store.mountable.lend(str(HERE)))]
    for folder in folders:
        inside_usr = folder.startswith("/usr/")
        if os.path.isdir(folder) and not inside_usr:
            mounts.append(Mount(folder[1:], store.mountable.lend(folder)))
    return mounts
