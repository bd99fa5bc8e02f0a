"""A cache of 100,000 realisations in a folder: what it costs to ask it, and to look after it.

Run: ``PYTHONPATH=. python benchmarks/large_cache.py [FOLDER] [--results N]``; FOLDER (default: the
system's temporary folder) needs 1 GB and 250,000 files for the default N.

Each line has the seconds of a process of its own, those of its processor and its peak memory; and
how many of the processor's seconds that is of a bare loop over the same files (walk, stat, read,
decode, unlink) in a process of its own. Half of the realisations are of
closures: 500 targets with 100 steps each. The others are former builds, which a quota removes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rvbuild.caches.budget import StallBudget
from rvbuild.caches.cache_services import CacheServices
from rvbuild.caches.lease import Lease
from rvbuild.caches.member import Member
from rvbuild.caches.names import MARK, MARK_TEXT, object_name, realisation_name, target_name
from rvbuild.caches.push import Pusher
from rvbuild.caches.shipment import Shipment, TargetShipment
from rvbuild.caches.substitutes import CacheSubstitutes, Terms
from rvbuild.caches.table import open_cache
from rvbuild.caches.verifying import VerifyingCache
from rvbuild.core.acceptance import Acceptance
from rvbuild.core.digest import Digest
from rvbuild.core.dsse import Envelope
from rvbuild.core.events import silent
from rvbuild.core.realisation import Realisation
from rvbuild.core.statement import CLOSURE, REALISATION, Closure, Pack, PackedTree, Statement
from rvbuild.stores.local import LocalStore
from rvbuild.transfers.cancellation import Cancellation
from rvbuild.transfers.fetch_services import NoTransport
from rvbuild.trust.keyring import Keyring, KnownKey
from rvbuild.trust.private_key import PrivateKey
from rvbuild.trust.verify import verify_statement

KEY = PrivateKey("ci", b"a benchmark's key".ljust(32, b"\x01"))
KEYRING = Keyring((KnownKey(KEY.public, ()),))
VALID = frozenset({KEY.public.key_id})
STEPS = 100
"""Steps below each target."""
SIZE = 600
"""Bytes of an object."""
PUSHED = 20


# ---- the cache


def content(number: int, kind: str = "pack") -> bytes:
    """An object's bytes."""
    seed = hashlib.sha256(f"{kind} {number}".encode()).digest()
    return (seed * (SIZE // len(seed) + 1))[:SIZE]


def statement(number: int) -> Statement:
    """What is said of a derivation."""
    tree, message = (Digest.of(f"{what} {number}".encode()) for what in ("tree", "message"))
    return Statement(
        derivation=Digest.of(f"derivation {number}".encode()),
        label=f"step-{number}",
        key=KEY.name,
        builder=KEY.name,
        output=PackedTree(
            root=tree,
            message=message,
            size=4 * SIZE,
            files=7,
            packs=(Pack(Digest.of(content(number)), 8),),
        ),
        milliseconds=41_200,
        closure_milliseconds=93_000,
    )


def sign(kind: str, payload: bytes) -> bytes:
    """A record."""
    return Envelope.sign(kind, payload, KEY).encode()


def fill(cache: Path, results: int) -> None:
    """Write a cache as pushes of many months leave it; the former builds are older."""
    put(cache / MARK, MARK_TEXT)
    for number in range(results):
        said = statement(number)
        put(cache / object_name(said.packs[0]), content(number))
        os.utime(cache / object_name(said.packs[0]), (0, 1_700_000_000))
        name = cache / realisation_name(KEY.name, said.derivation.hash)
        put(name, sign(REALISATION, said.encode()))
        if number >= results // 2:
            os.utime(name, (0, 1_700_000_000 + number))
    for target in range(results // 2 // STEPS):
        steps = tuple(statement(target * STEPS + step) for step in range(STEPS))
        pack = content(target, "derivations")
        closure = Closure(
            target=f"target-{target}",
            key=KEY.name,
            derivation=steps[0].derivation.hash,
            statements=steps,
            derivations=Pack(Digest.of(pack), STEPS),
        )
        put(cache / object_name(Digest.of(pack)), pack)
        put(cache / target_name(KEY.name, closure.target), sign(CLOSURE, closure.encode()))


def put(path: Path, data: bytes) -> None:
    """Write a file whose folder may be missing."""
    try:
        path.write_bytes(data)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


# ---- what is measured, each in a process of its own


def opened(folder: Path) -> VerifyingCache:
    """The cache, as a run has it."""
    services = CacheServices(transport=NoTransport(Cancellation()), wait=lambda: 600.0)
    return open_cache(str(folder / "cache"), services)


def verify(data: bytes, payload_type: str, where: str) -> tuple[str, object]:
    """What the key signed."""
    signed = verify_statement(data, payload_type, KEYRING, where)
    return signed.key.key_id, signed.body


def plan(folder: Path) -> None:
    """Ask for one result, as the plan of a target that is there does."""
    member = Member(
        name="team",
        cache=opened(folder),
        budget=StallBudget(60, time.monotonic),
        pause=time.sleep,
    )
    asked = CacheSubstitutes(
        members=[member],
        terms=Terms(keys=("ci",), acceptance=Acceptance(1, ()), valid_ids=VALID),
        verify=verify,
        report=silent,
        clock=time.monotonic,
        stop=lambda: None,
    )
    wanted = statement(7).derivation.hash
    assert list(asked.find([wanted])) == [wanted]  # noqa: S101 - else nothing was measured


def push(folder: Path) -> None:
    """Push a target of 20 small results that were built here."""
    store = LocalStore(str(folder / "store"))
    shipments = tuple(shipment(store, f"{time.time_ns()} {at}") for at in range(PUSHED))
    cache = opened(folder)
    Pusher(
        cache=cache,
        cas=store.cas,
        trees=store.trees,
        key_id=KEY.public.key_id,
        valid_ids=VALID,
        sign=sign,
        open=lambda data, kind, where: verify(data, kind, where)[1],
        pushed=lambda *_: None,
        lease=Lease(cache, "team", time.time, "ci"),
    ).push(
        [
            TargetShipment(
                target="new",
                derivation=shipments[0].realisation.derivation,
                results=shipments,
                derivations=(b"derivation",) * PUSHED,
            )
        ]
    )


def shipment(store: LocalStore, name: str) -> Shipment:
    """A result."""
    with store.trees.new_tree() as writer:
        writer.file("bin/run", [name.encode()], executable=True)
        root = writer.commit().root
    realisation = Realisation(key=Digest.of(name.encode()), output=root, builder="ci")
    return Shipment(label=name, realisation=realisation, checks={})


def store_only(folder: Path) -> None:
    """What `push` does before it pushes."""
    store = LocalStore(str(folder / "store"))
    for at in range(PUSHED):
        shipment(store, f"{time.time_ns()} {at}")


def program(folder: Path, *words: str) -> None:
    """The real command line."""
    environment = {
        **os.environ,
        "RVBUILD_STORE": str(folder / "store"),
        "RVBUILD_CACHES": f"team=read+write {folder / 'cache'}",
        "RVBUILD_SIGNING_NAME": "ci",
    }
    words = (sys.executable, "-m", "rvbuild", "caches", *words)
    os.chdir(folder)
    os.execve(words[0], words, environment)  # noqa: S606 - its memory is what is measured


def walk(folder: Path, kind: str) -> Iterator[os.DirEntry[str]]:
    """All files below a folder of the cache."""
    stack = [str(folder / "cache" / kind)]
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)
                else:
                    yield entry


def stat_all(folder: Path) -> None:
    """The bare loop of `stat`."""
    sum(each.stat().st_size for kind in ("records", "objects") for each in walk(folder, kind))


def read_records(folder: Path) -> None:
    """The bare loop of a collection that removes nothing: read records, list objects."""
    for each in walk(folder, "records"):
        Path(each.path).read_bytes()
    sum(each.stat().st_size for each in walk(folder, "objects"))


def parse_records(folder: Path) -> None:
    """The same, and every record is decoded."""
    for each in walk(folder, "records"):
        envelope = Envelope.decode(Path(each.path).read_bytes())
        decode = Closure.decode if envelope.payload_type == CLOSURE else Statement.decode
        decode(envelope.payload)
    sum(each.stat().st_size for each in walk(folder, "objects"))


def read_all(folder: Path) -> None:
    """The bare loop of `verify`."""
    for kind in ("records", "objects"):
        for each in walk(folder, kind):
            hashlib.sha256(Path(each.path).read_bytes())


def nothing(_folder: Path) -> None:
    """A process with everything imported."""


def collect_bare(folder: Path) -> None:
    """The bare loop of a collection that removes: the same, and as many others are removed."""
    parse_records(folder)
    for each in list(walk(folder, "../spare"))[: sum(1 for _ in walk(folder, "objects")) // 20]:
        os.unlink(each.path)
        fd = os.open(os.path.dirname(each.path), os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)


def quota(folder: Path) -> str:
    """Bytes that let one of ten former builds go."""
    objects = sum(1 for _ in walk(folder, "objects"))
    return str(objects * SIZE * 19 // 20)


WORKS: dict[str, Callable[[Path], None]] = {
    "nothing": nothing,
    "plan": plan,
    "push": push,
    "store_only": store_only,
    "stat": lambda folder: program(folder, "stat", "team"),
    "gc_dry": lambda folder: program(folder, "gc", "team", "--dry-run"),
    "gc_quota": lambda folder: program(folder, "gc", "team", "--max-size", quota(folder)),
    "gc": lambda folder: program(folder, "gc", "team"),
    "verify": lambda folder: program(folder, "verify", "team"),
    "stat_all": stat_all,
    "read_records": read_records,
    "parse_records": parse_records,
    "read_all": read_all,
    "collect_bare": collect_bare,
}
"""What a process of its own does."""

LINES = (
    ("plan a target that is there: one question", "plan", "nothing"),
    ("push 20 results", "push", "store_only"),
    ("push 20 results again", "push", "store_only"),
    ("caches stat", "stat", "stat_all"),
    ("caches gc --dry-run", "gc_dry", "read_records"),
    ("the same, and records are decoded", "gc_dry", "parse_records"),
    ("caches gc --max-size: 5% of the records go", "gc_quota", "collect_bare"),
    ("caches gc: 5% of the objects go", "gc", "collect_bare"),
    ("caches verify", "verify", "read_all"),
)
"""What, by which work, and the bare loop against it."""


def measured(folder: Path, work: str) -> tuple[float, float, int]:
    """Seconds, those of the processor, and MiB of a process."""
    command = [sys.executable, __file__, str(folder), "--do", work]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss >> 10


def main() -> None:
    """Fill a cache, and measure each line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--results", type=int, default=100_000)
    parser.add_argument("--do", choices=WORKS, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.do:
        WORKS[words.do](Path(words.folder))
        return
    with tempfile.TemporaryDirectory(dir=words.folder) as name:
        folder = Path(name)
        fill(folder / "cache", words.results)
        (folder / "rvbuild.lock").touch()
        (folder / "cache/keys").mkdir()
        (folder / "cache/keys/ci.pub").write_text(f"{KEY.public}\n")
        for number in range(words.results // 8):
            put(folder / f"spare/{number % 256:02x}/{number}", content(number))
        os.sync()
        for what, work, bare in LINES:
            seconds, busy, peak = measured(folder, work)
            than, least, low = measured(folder, bare)
            print(
                f"{what:44} {seconds:6.1f} s {busy:6.1f} s {peak:4} MiB  {busy / least:5.1f} x "
                f"{bare} ({than:.1f} s, {least:.1f} s, {low} MiB)",
                flush=True,
            )


if __name__ == "__main__":
    main()
