"""The main job, against the same commands run by hand.

    python benchmarks/k3s.py cold --store DIR [--mirror FROM=TO]... [k3s-riscv64]
    python benchmarks/k3s.py edit --store DIR [--mirror FROM=TO]... [k3s-riscv64]

The store must have every source of the target (`rvbuild fetch`). On two idle cores `cold` takes
about half an hour and `edit` half of that. Printed as ratios of one run:

cold  a release build without any result in the store, against every script of it run one after
      another in a bare bubblewrap that sees the same folders, and nothing else: no keys, no
      store, no look at outputs. `--jobs 1` lets rvbuild run one step at a time, too. Who runs
      second finds a warm page cache: `--hand-first` lets it be rvbuild (the target must be built)
edit  with the compile cache, after one changed line in K3s' pkg/util (`--override`): the server's
      step and the whole target, against their times without the cache
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from attrs import evolve, frozen

from rvbuild.app.choices import Choices
from rvbuild.app.services import services_of
from rvbuild.app.session import Session
from rvbuild.app.settings import Settings
from rvbuild.app.targets import targets_of
from rvbuild.app.workspace import Workspace
from rvbuild.cli.options import mirrors
from rvbuild.core.derivation import Step
from rvbuild.core.events import Event, Finished, Phase
from rvbuild.core.link import Linked
from rvbuild.engine.build import build
from rvbuild.engine.realise import Realiser
from rvbuild.executors import bwrap
from rvbuild.executors.inputs import InputTrees
from rvbuild.executors.local_executor import room
from rvbuild.stores.local import LocalStore

EDITED = "pkg/util/file.go"
SERVER = "k3s-server"


class Times:
    """A reporter that keeps how long each step took."""

    def __init__(self) -> None:
        self.steps: dict[str, float] = {}

    def __call__(self, event: Event, /) -> None:
        if isinstance(event, Finished) and event.phase is Phase.BUILD and event.how == "built":
            self.steps[event.label] = event.seconds


def forget(store: LocalStore, digest: str) -> None:
    """Remove a step's results, made with an accelerator or without.

    Raises:
        OSError: one cannot be removed.
    """
    while (found := store.realisations.realisation(digest)) is not None:
        path = store.layout.record("realisations", found.name, accelerated=found.accelerated)
        Path(path).unlink()
        if found.action:
            path = store.layout.record("ac", found.action, accelerated=found.accelerated)
            Path(path).unlink(missing_ok=True)


@frozen
class Job:
    """What is measured, and with which settings."""

    target: str
    settings: Settings
    hand_first: bool


class Bench:
    """One target in one store."""

    def __init__(self, job: Job, choices: Choices) -> None:
        self.times = Times()
        self.session = Session(Workspace(".", job.settings), self.times, choices)
        self.targets = targets_of(self.session, [job.target])
        self.services = services_of(self.session)

    def linked(self) -> Linked:
        """The target's derivations."""
        return self.session.link(self.targets, checks=False)[1]

    def build(self, linked: Linked) -> float:
        """Seconds of a build."""
        began = time.monotonic()
        wanted = linked.results.values()
        jobs = self.session.jobs()
        build(linked.derivations, wanted, self.services, jobs=jobs).refuse_failures()
        return time.monotonic() - began

    def forget(self, linked: Linked) -> None:
        """Remove the results of every step, and nothing that was fetched or merged."""
        for digest, derivation in linked.derivations.items():
            if isinstance(derivation, Step):
                forget(self.session.store, digest)

    def by_hand(self, linked: Linked) -> dict[str, float]:
        """Seconds of each step's script in a bare bubblewrap, one after another."""
        realiser = Realiser(self.services)
        for digest, derivation in linked.derivations.items():
            found = realiser.lookup(digest)
            if found is not None:
                realiser.realised[digest] = found
            elif isinstance(derivation, Step):
                msg = f"{derivation.label} has no result: build the target first, with --release"
                raise SystemExit(msg)
        return {
            derivation.label: self._script(realiser, derivation)
            for derivation in linked.derivations.values()
            if isinstance(derivation, Step)
        }

    def _script(self, realiser: Realiser, step: Step) -> float:
        action = realiser.action(step)
        with tempfile.TemporaryDirectory(dir=self.session.store.layout.tmp) as folder:
            began = time.monotonic()
            for name in ("build/out", "tmp"):
                os.makedirs(os.path.join(folder, name))
            for mount in action.mounts:
                if mount.writable:
                    to = os.path.join(folder, mount.path)
                    source = self.session.store.mountable.path(mount.tree)
                    shutil.copytree(source, to, symlinks=True)
                    subprocess.run(["chmod", "-R", "u+w", to], check=True)
            trees = InputTrees.of(action.mounts, self.session.store.mountable.path)
            options = room(action, folder, evolve(trees, are_laid=True), {}).arguments()
            jobs = ["--setenv", "jobs", str(len(os.sched_getaffinity(0)))]
            command = [bwrap.find(), *options, *jobs, "--", *action.command.arguments]
            run = subprocess.run(command, capture_output=True, check=False)
            if run.returncode:
                raise SystemExit(run.stderr.decode(errors="replace")[-2000:])
            return time.monotonic() - began


@contextmanager
def benched(job: Job, choices: Choices) -> Iterator[Bench]:
    """A bench, closed at the end."""
    bench = Bench(job, choices)
    with closing(bench.session):
        yield bench


def show(title: str, times: Mapping[str, float]) -> None:
    """A row a step, the longest first."""
    print(f"{title}: {sum(times.values()):.0f} s in steps")
    for label, seconds in sorted(times.items(), key=lambda item: -item[1]):
        print(f"  {seconds:7.1f}  {label}")


def cold(job: Job) -> None:
    """A release build from nothing, against the scripts by hand."""
    with benched(job, Choices(release=True)) as bench:
        linked = bench.linked()
        hand = bench.by_hand(linked) if job.hand_first else {}
        bench.forget(linked)
        whole = bench.build(linked)
        hand = hand or bench.by_hand(linked)
        show(f"rvbuild {job.target} --release, {whole:.0f} s", bench.times.steps)
    order = "first" if job.hand_first else "second, on a warm page cache"
    show(f"by hand, {order}", hand)
    print(f"cold: {whole / sum(hand.values()):.3f} x by hand")


def edit(job: Job) -> None:
    """A one-line edit with the compile cache, against the same without."""
    with benched(job, Choices()) as plain:
        derivations = plain.linked().derivations.values()
        source = next(each for each in derivations if each.label.startswith("k3s@"))
        store = plain.session.store
    realised = store.realisations.realisation(source.digest)
    if realised is None:
        msg = "fetch the target's sources first"
        raise SystemExit(msg)
    with tempfile.TemporaryDirectory() as folder:
        tree = os.path.join(folder, "k3s")
        shutil.copytree(store.mountable.path(realised.output), tree, symlinks=True)
        subprocess.run(["chmod", "-R", "u+w", tree], check=True)
        first = _edited(job, tree, "a")
        second = _edited(job, tree, "b")
    server = next(label for label in second[1] if label.startswith(SERVER))
    show(f"first, {first[0]:.0f} s", first[1])
    show(f"after the edit, {second[0]:.0f} s", second[1])
    print(f"server: 1/{first[1][server] / second[1][server]:.1f} of its cold time")
    print(f"whole:  1/{first[0] / second[0]:.1f} of its cold time")


def _edited(job: Job, tree: str, word: str) -> tuple[float, dict[str, float]]:
    with open(os.path.join(tree, EDITED), "a", encoding="utf-8") as file:
        file.write(f'\nvar edited{word} = "{word}"\n')
    with benched(job, Choices(overrides={"k3s-source": tree})) as bench:
        linked = bench.linked()
        if word == "a":  # the first time without anything that an earlier build left
            bench.forget(linked)
            for folder in bench.services.accelerators.values():
                shutil.rmtree(folder, ignore_errors=True)  # there may be none yet
                os.makedirs(folder)
        return bench.build(linked), bench.times.steps


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["cold", "edit"])
    parser.add_argument("target", nargs="?", default="k3s-riscv64")
    parser.add_argument("--store", required=True)
    parser.add_argument("--mirror", action="append", default=[])
    parser.add_argument("--jobs", type=int, help="steps that rvbuild runs at once (all cores)")
    parser.add_argument("--hand-first", action="store_true", help="cold: by hand, then rvbuild")
    arguments = parser.parse_intermixed_args()
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores, rvbuild -j {arguments.jobs or cores}, by hand one step at a time")
    options = {"store": arguments.store, "mirrors": mirrors(arguments.mirror)}
    options |= {"jobs": arguments.jobs} if arguments.jobs else {}
    settings = Settings.of_user(os.environ, options)
    job = Job(arguments.target, settings, hand_first=arguments.hand_first)
    {"cold": cold, "edit": edit}[arguments.what](job)


if __name__ == "__main__":
    main()
