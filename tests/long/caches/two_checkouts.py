"""Two checkouts share results: what one built, another has from each kind of cache.

    python tests/long/caches/two_checkouts.py --store STORE [--target NAME] [OPTION…]

STORE has NAME (k3s-riscv64) built with ``--release``, or it is built there; OPTIONs are those of
rvbuild, as ``--mirror``. README.md says what is tried. Exit codes: 0 all of it holds, 1 something
does not.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from attrs import frozen
from net import BUCKET, Network, Traffic, enter_own_network, network
from people import Person, sums
from trial import Trial

MOST_BYTES = 1.05


@frozen
class Kind:
    """A cache of a kind, by its name and its address as either person writes it."""

    name: str
    address: str
    is_counted: bool


def kinds(net: Network, folder: Path, servers: str) -> Iterator[Kind]:
    (folder / "shared").mkdir()
    yield Kind("directory", str(folder / "shared"), is_counted=False)
    (net.folder / "team").mkdir()
    yield Kind("http", f"http://{servers}:{net.port}/team", is_counted=True)
    endpoint = f"http://{servers}:{net.bucket_port}"
    yield Kind("s3", f"s3://{BUCKET}/team?endpoint={endpoint}", is_counted=True)


def packed_size(folder: Path, target: str) -> int:
    """Bytes of the packs of a target's output, as its builder said them in a cache's folder."""
    for record in (folder / "records").rglob("realisations/*/*"):
        statement = json.loads(base64.b64decode(json.loads(record.read_text())["payload"]))
        if statement["label"].partition("@")[0] == target:
            packs = statement["outputs"]["out"]["packs"]
            return sum(int(digest.rpartition("/")[2]) for digest, _blobs in packs)
    sys.exit(f"nobody brought {target}")


def counted(traffic: Traffic) -> str:
    return f"{traffic.requests} requests, {traffic.size / 2**20:.2f} MiB"


def edit(person: Person, target: str) -> None:
    """Change one line of the target's recipe: a comment in its script."""
    name = target.rpartition("-")[0]
    recipe = person.checkout / "recipes" / name / "recipe.yaml"
    text = recipe.read_text()
    assert "build: |\n" in text
    recipe.write_text(text.replace("build: |\n", "build: |\n  # one line more\n", 1))


@frozen
class Given:
    """What is shared: a target, the builder's key, and the SHA-256 of each file that was made."""

    target: str
    line: str
    made: Mapping[str, str]
    more: Sequence[str]


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--store", type=Path, required=True, help="of who builds")
    words.add_argument("--target", default="k3s-riscv64")
    options, more = words.parse_known_args()
    enter_own_network()
    trial, target = Trial(), options.target
    with tempfile.TemporaryDirectory() as name, network(Path(name)) as net:
        folder = Path(name)
        builder = Person(folder / "a", net.machine(), options.store.resolve())
        line = builder.new_key("ci")
        builder.trust(line)
        builder.run("build", "--release", target, "-o", str(folder / "made"), *more)
        given = Given(target, line, sums(folder / "made"), more)
        trial.row("built and checked", f"{builder.seconds:.1f} s, {len(given.made)} files")
        for kind in kinds(net, folder, builder.machine.servers):
            share(trial, net, builder, kind, given)
    return trial.end()


def share(trial: Trial, net: Network, builder: Person, kind: Kind, given: Given) -> None:
    """Bring a target into a cache, and take it from there with nothing else at hand."""
    home = builder.home.parent
    net.traffic()
    builder.run("push", given.target, "--cache", f"team=write {kind.address}", *given.more)
    trial.row(f"{kind.name}: push", f"{builder.seconds:.1f} s, {counted(net.traffic())}")

    other = Person(home / f"b-{kind.name}", net.machine(), home / f"store-{kind.name}")
    other.trust(given.line)
    address = kind.address.replace(builder.machine.servers, other.machine.servers)
    cache = ("--cache", f"team={address}")

    plan = other.run("plan", given.target, *cache)
    seen = net.traffic()
    holds = not kind.is_counted or seen.requests == 1
    trial.row(f"{kind.name}: plan", planned(other, plan, seen), holds=holds)

    out = home / f"out-{kind.name}"
    other.run("build", given.target, "-o", str(out), *cache)
    seen = net.traffic()
    trial.row(
        f"{kind.name}: the same files", f"{other.seconds:.1f} s", holds=sums(out) == given.made
    )
    if kind.is_counted:
        ratio = seen.size / packed_size(home / "shared", given.target)
        figure = f"{counted(seen)}: {ratio:.4f} of the packs of its output"
        trial.row(f"{kind.name}: bytes", figure, holds=ratio <= MOST_BYTES)

    edit(other, given.target)
    other.store = home / f"empty-{kind.name}"
    plan = other.run("plan", given.target, *cache)
    seen = net.traffic()
    holds = seen.requests <= 2
    trial.row(f"{kind.name}: plan after an edit", planned(other, plan, seen), holds=holds)


def planned(person: Person, plan: str, traffic: Traffic) -> str:
    """What a plan cost, and its last line."""
    return f"{counted(traffic)}, {person.seconds:.1f} s: {plan.strip().splitlines()[-1]}"


if __name__ == "__main__":
    sys.exit(main())
