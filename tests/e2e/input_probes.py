"""What a step can see of the identity and the size of its inputs, as one JSON object.

``python input_probes.py FOLDER HISTORY…`` does it with a store in FOLDER that has each history.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from attrs import evolve

from rvbuild.core.action import Mount
from rvbuild.core.digest import Digest
from rvbuild.core.ports.callbacks import Wanted
from rvbuild.executors.accelerators import Layer
from rvbuild.executors.inputs import InputTrees
from rvbuild.executors.local_executor import LocalExecutor, _Step
from rvbuild.stores.local import LocalStore

sys.path.insert(0, str(Path(__file__).parent))
from sandboxes import Bench

LICENCE, TOOL = b"licence\n" * 700, b"#!/bin/sh\necho tool\n"
SEEN = "/in/a /in/b /in/again /in/modules /src/s /build/src/w /opt"

SCRIPT = f"""
cd /tmp
pairs() {{ find "$@" -exec stat -c '%d %i' {{}} + | sort | uniq -d | wc -l; }}
packed() {{
  tar --sort=name --owner=0 --group=0 -cf - "$@" 2>/dev/null | sha256sum | cut -c-64
}}
echo "shared $(pairs {SEEN})"
for one in {SEEN}; do
  echo "tar $one $(packed $one)"
done
echo "tar all $(packed {SEEN})"
mkdir copy
cp -a {SEEN} copy 2>/dev/null || echo "failed cp"  # a folder that is there twice
echo "cp $(cd copy; find . -type f -printf '%p %s %m %n %TY\\n' | sort | sha256sum | cut -c-64)"
echo "linked $(find copy -type f -links +1 | wc -l)"
echo "du $(du -cs {SEEN} | tr '\\n\\t' '; ')"
echo "bytes $(du -csb {SEEN} | tr '\\n\\t' '; ')"
echo "files $(find {SEEN} -type f -exec cat {{}} + | wc -c)"
echo "blocks $(find {SEEN} -type f -printf '%b\\n' | sort -n | uniq -c | tr '\\n' ';')"
"""

Layers = Mapping[str, Layer]
Way = tuple[InputTrees, Layers]
History = Callable[[LocalStore], None]


def _made(store: LocalStore, files: dict[str, bytes | tuple[bytes, ...]]) -> Digest:
    with store.trees.new_tree() as writer:
        for path, data in files.items():
            chunks = data if isinstance(data, tuple) else (data,)
            writer.file(path, chunks, executable=path.startswith("bin/"))
        return writer.commit().root


def _a(store: LocalStore) -> Digest:
    files = {"bin/run": TOOL, "bin/again": TOOL, "plain": TOOL, "e1": b"", "e2": b"", "d/e3": b""}
    pieces = (LICENCE[:100], LICENCE[100:])
    return _made(store, {**files, "LICENCE": LICENCE, "d/LICENCE": pieces})


def _b(store: LocalStore) -> Digest:
    return _made(store, {"bin/run": TOOL, "LICENCE": LICENCE, "x/e": b"", "x/own": b"own\n"})


def _toolbox(store: LocalStore) -> Digest:
    """What leads to this machine's programs, and files that inputs have, too."""
    with store.trees.new_tree() as root:
        for name in ("bin", "lib", "lib64"):
            if os.path.islink(f"/{name}"):
                root.symlink(name, os.readlink(f"/{name}"))
        for name in ("one", "two"):
            root.file(f"opt/{name}", [LICENCE])
        root.file("opt/e", [b""])
        return root.commit().root


def inputs(store: LocalStore) -> tuple[Mount, ...]:
    """A toolbox and inputs of which each has what another has."""
    a, b = _a(store), _b(store)
    modules = store.trees.merge([("m@v1", b), ("m@v2", b), ("n@v1", a)]).root
    return (
        Mount("", _toolbox(store)),
        Mount("in/a", a),
        Mount("in/b", b),
        Mount("in/again", b),
        Mount("in/modules", modules),
        Mount("src/s", a),
        Mount("build/src/w", a, writable=True),
    )


# ---- what the store was given before


def _nothing(store: LocalStore) -> None:
    """A fresh store."""


def _elsewhere(store: LocalStore) -> None:
    """The same files came from another tree first, executable ones plain, and so on."""
    _made(store, {"bin/l": LICENCE, "bin/e": b"", "tool": TOOL, "tool2": (TOOL[:5], TOOL[5:])})


def _merged(store: LocalStore) -> None:
    """A merge had them, and the other order."""
    _b(store)
    store.trees.merge([("x", _b(store)), ("y", _a(store))])


def _many_links(store: LocalStore) -> None:
    """Other trees took all links but one of each content."""
    _a(store)
    for content in (b"", LICENCE, TOOL):
        for executable in (False, True):
            _use_up(store, Digest.of(content), executable=executable)


def _use_up(store: LocalStore, blob: Digest, *, executable: bool) -> None:
    path = store.layout.blob(blob.hash, executable=executable)
    folder = Path(store.layout.root).parent / f"links-{blob.hash[:8]}-{executable}"
    if not os.path.exists(path) or os.pathconf(path, "PC_LINK_MAX") > 70_000:
        return
    folder.mkdir()
    for number in range(os.pathconf(path, "PC_LINK_MAX") - os.stat(path).st_nlink - 1):
        os.link(path, folder / str(number))


HISTORIES: dict[str, History] = {
    "fresh": _nothing,
    "elsewhere": _elsewhere,
    "merged": _merged,
    "many links": _many_links,
}


# ---- the ways in which a step gets its inputs


class Laid(LocalExecutor):
    """As where overlays are refused."""

    def _ways(self, step: _Step, layers: Layers, wanted: Wanted) -> Iterator[Way]:
        *_, last = super()._ways(step, layers, wanted)
        return iter((last,))


class Faulty(LocalExecutor):
    """Plain mounts of the store's own files: what shares files there, shares them here."""

    def _ways(self, step: _Step, layers: Layers, wanted: Wanted) -> Iterator[Way]:
        del layers, wanted
        return iter(
            (
                (
                    evolve(
                        InputTrees.of(step.action.mounts, self._store.mountable.path), are_laid=True
                    ),
                    {},
                ),
            )
        )


WAYS = {"overlays": LocalExecutor, "laid": Laid, "faulty": Faulty}


def probe(folder: Path, history: str, way: str = "overlays") -> dict[str, str]:
    """What a step says of its inputs, each by the kind of thing."""
    bench = Bench.at(folder)
    HISTORIES[history](bench.store)
    return said(bench, inputs(bench.store), way)


def said(bench: Bench, mounts: tuple[Mount, ...], way: str) -> dict[str, str]:
    """What the script says with these mounts."""
    lent = tuple(one for one in bench.mounts if one.path)
    bench = evolve(bench, mounts=lent, executor=WAYS[way](bench.store, str(bench.tmp)))
    outcome = bench.sh(SCRIPT, mounts=mounts)
    log = bench.log(outcome)
    assert outcome.exit_code == 0, log
    return dict(_lines(log))


def _lines(log: str) -> Iterator[tuple[str, str]]:
    for line in log.splitlines():
        kind, _, what = line.partition(" ")
        yield (line.rpartition(" ")[0], line) if kind == "tar" else (kind, what)


if __name__ == "__main__":
    top = Path(sys.argv[1])
    seen = {one: probe(top / one.replace(" ", "-"), one) for one in sys.argv[2:]}
    sys.stdout.write(json.dumps(seen))
