"""Two branches change a lock: what git makes of it is the lock of both."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import pytest
import refs
from attrs import define, evolve, field, frozen
from lock_world import ARCH, Outside

from rvbuild.core.digest import Digest
from rvbuild.core.lock import GoModuleSet, Lock
from rvbuild.core.lock_merge import Merged, merge_locks
from rvbuild.core.locked import Locked
from rvbuild.core.names import SourceRef
from rvbuild.core.question import User
from rvbuild.core.recipe import Recipe
from rvbuild.core.snapshot import Snapshot
from rvbuild.core.source import Source
from rvbuild.core.trace import content_digest
from rvbuild.core.tree import File, Nested
from rvbuild.engine.resolve import Resolver
from rvbuild.engine.source_files import SourceFiles
from rvbuild.kinds.git.source import GitSource
from rvbuild.recipes_yaml.lock import read_lock, write_lock
from rvbuild.recipes_yaml.recipe import read_recipe

PAIRS = 200
BY_GIT = int(os.environ.get("RVBUILD_MERGES", "12"))
H1 = "h1:" + "A" * 43 + "="

KINDS = {
    "url": "sources: {{s: {{url: 'https://e.org/{name}-{n}.tar.gz'}}}}\nbuild: x\n",
    "git": "sources: {{s: {{git: 'https://e.org/{name}', commit: {n:040}}}}}\nbuild: x\n",
    "debian": "kind: tool\nsources: {{s: {{debian: [p{n}, q{name}], suite: s}}}}\nbuild: x\n",
    "module": "sources: {{s: {{go-module: e.org/m{n}, version: v1.{n}.0}}}}\nbuild: x\n",
    "pin": "version: {{from: k, shell: V{n}, file: v.sh}}\nbuild: x\n",
    "set": "inputs: {{build: [go], go-modules: {{from: k, packages: [./{n}{name}]}}}}\nbuild: x\n",
}
GO = "kind: tool\nsources: {go: {go-toolchain: 1.26.1}}\nbuild: x\n"
NAMES = tuple(f"r{number}" for number in range(12))
Texts = Mapping[str, str]


def recipe_text(name: str, chance: Random) -> str:
    return KINDS[chance.choice(sorted(KINDS))].format(name=name, n=chance.randrange(8))


def upstream(commit: int) -> str:
    return f"kind: source\nsources: {{k: {{git: 'https://e.org/k', commit: {commit:040}}}}}\n"


@define
class Trees:
    """Every file of a commit has its number in it."""

    blobs: dict[Digest, bytes] = field(factory=dict)

    def root(self, source: Source) -> Digest:
        return Digest.of(source.commit[-1].encode() if isinstance(source, GitSource) else b"")

    def nested(self, root: Digest) -> Nested:
        commit = next(n for n in range(10) if Digest.of(str(n).encode()) == root)
        sums = (
            f"e.org/m{n} v1.{commit}.0 {H1}\ne.org/m{n} v1.{commit}.0/go.mod {H1}\n"
            for n in range(8)
        )
        pins = "".join(f"V{n}=v{n}.{commit}\n" for n in range(8))
        texts = {"v.sh": pins.encode(), "go.sum": "".join(sums).encode()}
        self.blobs.update((Digest.of(text), text) for text in texts.values())
        return {name: File(Digest.of(text)) for name, text in texts.items()}

    def read(self, blob: Digest) -> bytes:
        return self.blobs[blob]


@frozen
class Project:
    """Recipes by their texts."""

    texts: Texts

    def recipe(self, name: str, _asked_at: str | None = None, _series: str = "") -> Recipe:
        text = GO if name == "go" else self.texts[name]
        return read_recipe(text.encode(), name, f"{name}.yaml")

    def needed(
        self, users: Sequence[User], files: SourceFiles, _whole: GoModuleSet
    ) -> set[tuple[str, str]]:
        """Package N needs module N, and the one that all need."""
        tool = self.recipe("go")
        for name in tool.sources:
            files.source(tool, name, None)
        numbers = {int(package[2]) for _, spec in users for package in spec.packages} | {0}
        commit = int(self.texts["k"].rsplit(": ", 1)[1].rstrip("}\n"))
        return {(f"e.org/m{n}", f"v1.{commit}.0") for n in numbers}

    def lock(self, old: Lock | None = None, outside: Outside | None = None) -> Lock:
        resolver = Resolver(
            recipes=self,
            registries=outside or Outside(),
            trees=Trees(),
            build_arch=ARCH,
            needed=self.needed,
            earlier=(old or Lock(),),
        )
        return resolver.lock([self.recipe(name) for name in sorted(self.texts)])

    def accepts(self, lock: Lock) -> None:
        """Raises LockError if the lock is not one of these recipes."""
        again = read_lock(write_lock(lock).encode(), "rvbuild.lock")
        for name in self.texts:
            for refusal in Locked(again, self, ARCH).refusals(self.recipe(name)):
                raise refusal


@frozen
class Pair:
    """A project, and what two branches make of it."""

    base: Project
    ours: Project
    theirs: Project
    both: Project

    def locks(self) -> tuple[Lock, Lock, Lock]:
        base = self.base.lock()
        return base, self.ours.lock(base), self.theirs.lock(base)

    def merged(self) -> Merged:
        return merge_locks(*self.locks())


def pair(seed: int, *, moved: bool = False) -> Pair:
    """Edits of different recipes; with ``moved``, ours is that of the source that others read."""
    chance = Random(seed)  # noqa: S311 - replayed by its seed
    names = chance.sample(NAMES, len(NAMES))
    base: dict[str, str] = {"k": upstream(1)}
    base |= {name: recipe_text(name, chance) for name in names[: chance.randrange(1, 10)]}
    mine, other = names[: chance.randrange(1, 4)], names[6 : 6 + chance.randrange(1, 4)]
    ours = {**base, "k": upstream(2)} if moved else edited(base, mine, chance)
    theirs = edited(base, other, chance)
    last = {name: ours if theirs.get(name) == base.get(name) else theirs for name in (*NAMES, "k")}
    both = {name: texts[name] for name, texts in last.items() if name in texts}
    return Pair(*map(Project, (base, ours, theirs, both)))


def edited(base: Texts, names: list[str], chance: Random) -> dict[str, str]:
    """Each of the recipes is added, changed or gone."""
    texts = dict(base)
    for name in names:
        if chance.random() < 0.2:
            texts.pop(name, None)
        else:
            texts[name] = recipe_text(name, chance)
    return texts


def same_but_for_spares(lock: Lock, fresh: Lock) -> None:
    """A set may have a module that one side needed no longer, and no set may need ``go``."""
    assert lock.pins == fresh.pins
    assert {**lock.sources, **fresh.sources} == lock.sources
    assert refs.texts(lock.sources.keys() - fresh.sources.keys()) <= {f"go/go@{ARCH}"}
    assert lock.go_modules.keys() == fresh.go_modules.keys()
    for key, held in lock.go_modules.items():
        of_fresh = fresh.go_modules[key]
        assert (held.specs, held.go_sum) == (of_fresh.specs, of_fresh.go_sum)
        assert {*held.modules} >= {*of_fresh.modules}


def test_edits_of_different_recipes_give_the_lock_of_both():
    for seed in range(PAIRS):
        two = pair(seed)
        merged = two.merged()
        assert merged.lost == (), seed
        two.both.accepts(merged.lock)
        same_but_for_spares(merged.lock, two.both.lock())
        base, ours, theirs = two.locks()
        assert merge_locks(base, theirs, ours) == merged


def test_an_edit_that_both_made_is_there_once():
    for seed in range(PAIRS):
        base, ours, _theirs = pair(seed).locks()
        assert merge_locks(base, ours, ours) == Merged(ours, ())


def at(moment: str) -> Outside:
    return Outside(Snapshot.parse(moment) if moment else None)


EARLY, LATE = "20260830T142311Z", "20260901T082311Z"


def test_branches_that_ask_debian_at_different_times_do_not_meet():
    """Not even where two entries have one package."""
    texts = {name: KINDS["debian"].format(n=n, name="q") for n, name in enumerate(NAMES[:2])}
    base, (mine, other) = Project({"k": upstream(1)}), ({name: texts[name]} for name in texts)
    ours = Project({**base.texts, **mine}).lock(base.lock(), at(EARLY))
    theirs = Project({**base.texts, **other}).lock(base.lock(), at(LATE))
    merged = merge_locks(base.lock(), ours, theirs)
    assert merged.lost == ()
    moments = {str(key): str(entry.snapshot) for key, entry in merged.lock.sources.items()}
    assert moments == {"k/k": "None", "r0/s@amd64": EARLY, "r1/s@amd64": LATE}
    text = write_lock(merged.lock)
    assert text.count("  libc6 1:2.0~rc1-1+b1 amd64: ") == 1
    assert read_lock(text.encode(), "rvbuild.lock") == merged.lock


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "both"),
    [
        (None, EARLY, LATE, EARLY),
        (None, "", LATE, LATE),
        ("", "", LATE, LATE),
        ("", LATE, EARLY, EARLY),
    ],
)
def test_the_same_packages_of_two_indexes(base: str | None, ours: str, theirs: str, both: str):
    project = Project({"r0": KINDS["debian"].format(n=1, name="q")})
    before = Lock() if base is None else project.lock(None, at(base))
    mine, other = project.lock(None, at(ours)), project.lock(None, at(theirs))
    merged = merge_locks(before, mine, other)
    assert merged == merge_locks(before, other, mine)
    assert merged == Merged(project.lock(None, at(both)), ())


def test_other_packages_of_two_indexes_are_lost():
    """And so is an entry that one side changed and the other side dropped."""
    texts = ({"r0": KINDS["debian"].format(n=n, name="q")} for n in (1, 2))
    one, other = (Project(text).lock() for text in texts)
    for base, ours in ((Lock(), one), (one, Lock())):
        assert merge_locks(base, ours, other) == Merged(Lock(), ("r0/s@amd64",))
        assert merge_locks(base, other, ours) == Merged(Lock(), ("r0/s@amd64",))


def test_what_was_read_from_a_source_that_moved_is_lost_and_never_stale():
    lost = 0
    for seed in range(PAIRS):
        two = pair(seed, moved=True)
        merged, fresh = two.merged(), two.both.lock()
        for section in ("pins", "sources", "go_modules"):
            has, should = getattr(merged.lock, section), getattr(fresh, section)
            assert {key: should.get(key) for key in has} == has, (seed, section)
            assert refs.texts(should.keys() - has.keys()) <= {*merged.lost}
        assert two.both.lock(merged.lock) == fresh
        lost += len(merged.lost)
    assert lost > PAIRS / 4


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    driver = f"{sys.executable} -m rvbuild lock --merge %O %A %B"
    git(tmp_path, "config", "merge.rvbuild-lock.driver", driver)
    (tmp_path / ".gitattributes").write_text("rvbuild.lock merge=rvbuild-lock\n")
    return tmp_path


def git(folder: Path, *words: str, fine: bool = True) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "x"),
        **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "x"),
    }
    ran = subprocess.run(
        ("git", *words), cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0 or not fine, ran.stderr
    return ran


def commit(repository: Path, branch: str, locks: Mapping[str, Lock]) -> None:
    """A branch from main with a lock for each folder."""
    git(repository, "checkout", "-q", "-B", branch)
    for folder, lock in locks.items():
        path = repository / folder / "rvbuild.lock"
        path.parent.mkdir(exist_ok=True)
        path.write_text(write_lock(lock))
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "--allow-empty", "-m", branch)


def merge_by_git(
    repository: Path, pairs: Mapping[str, Pair]
) -> tuple[subprocess.CompletedProcess[str], dict[str, Lock]]:
    locks = {folder: two.locks() for folder, two in pairs.items()}
    commit(repository, "main", {folder: three[0] for folder, three in locks.items()})
    for number, branch in ((1, "ours"), (2, "theirs")):
        git(repository, "checkout", "-q", "main")
        commit(repository, branch, {folder: three[number] for folder, three in locks.items()})
    git(repository, "checkout", "-q", "ours")
    ran = git(repository, "merge", "-q", "--no-edit", "theirs", fine=False)
    texts = {folder: (repository / folder / "rvbuild.lock").read_bytes() for folder in pairs}
    return ran, {folder: read_lock(text, folder) for folder, text in texts.items()}


def test_git_merges_locks_without_a_conflict(repository: Path):
    """A folder a pair, so that one merge is many."""
    pairs = {f"pair{seed}": pair(seed) for seed in range(BY_GIT)}
    ran, merged = merge_by_git(repository, pairs)
    assert (ran.returncode, ran.stderr) == (0, "")
    for folder, two in pairs.items():
        two.both.accepts(merged[folder])
        same_but_for_spares(merged[folder], two.both.lock())


def test_git_says_what_is_lost_and_leaves_a_lock(repository: Path):
    moved = (pair(seed, moved=True) for seed in range(PAIRS))
    two = next(each for each in moved if each.merged().lost)
    ran, merged = merge_by_git(repository, {"one": two})
    assert ran.returncode == 1
    assert "error: both branches changed what these entries are, or were read from" in ran.stderr
    assert all(key in ran.stderr for key in two.merged().lost)
    assert merged["one"] == two.merged().lock
    assert "UU one/rvbuild.lock" in git(repository, "status", "--short").stdout
    assert two.both.lock(merged["one"]) == two.both.lock()


@pytest.mark.parametrize("commit", [1, 2])
def test_what_a_side_dropped_stays_if_it_was_read_from_what_there_is(commit: int):
    """Ours drops all that reads k, and moves k or does not; theirs reads from what ours dropped."""
    middle = "kind: source\npins: {which: {from: k, shell: V1, file: v.sh}}\n"
    middle += f"sources: {{mid: {{git: 'https://e.org/m', commit: {4:040}}}}}\n"
    reader = "pins: {it: {from: mid, shell: V2, file: v.sh}}\nbuild: x\n"
    texts = {"k": upstream(1), "mid": middle}
    base = Project({**texts, "a": reader})
    ours = Project({"k": upstream(commit)}).lock(base.lock())
    theirs = Project({**base.texts, "b": reader}).lock(base.lock())
    merged = merge_locks(base.lock(), ours, theirs)
    assert merged == merge_locks(base.lock(), theirs, ours)
    both = Project({**texts, "k": upstream(commit), "b": reader})
    assert both.lock(merged.lock) == both.lock()
    has = merged.lock
    for section in ("pins", "sources"):
        should = getattr(both.lock(), section)
        assert {key: should.get(key) for key in getattr(has, section)} == getattr(has, section)
    assert bool(merged.lost) == (commit == 2)


def test_two_moves_of_one_source_lose_what_was_read_from_it():
    """Also the sources: they differ in their traces alone."""
    texts = {"k": upstream(1), "s": KINDS["module"].format(name="s", n=1)}
    texts["summed"] = "sources: {s: {go-module: e.org/m1, version: v1.1.0, go-sum: k}}\nbuild: x\n"
    base = Project(texts).lock()
    sides = [moved_to(base, commit) for commit in ("2", "3")]
    merged = merge_locks(base, *sides)
    assert merged.lost == ("k/k", "summed/s")
    assert refs.texts(merged.lock.sources) == {"s/s"}


def moved_to(lock: Lock, commit: str) -> Lock:
    """The lock after k moved to a commit that has the same files."""
    k = lock.sources[refs.source("k/k")]
    (part,) = k.parts
    assert isinstance(part, GitSource)
    k = evolve(k, spec=k.spec.replace("1", commit), parts=(evolve(part, tree=commit * 40),))
    digest = content_digest(SourceRef("k", "k"), k.spec, k.parts)
    summed = evolve(lock.sources[refs.source("summed/s")], trace=((refs.source("k/k"), digest),))
    return evolve(
        lock, sources={**lock.sources, refs.source("k/k"): k, refs.source("summed/s"): summed}
    )


READS_MID = "version: {from: mid, shell: V1, file: v.sh}\nbuild: x\n"
MID = (
    "kind: source\nversion: {from: k, shell: V2, file: v.sh}\npins: {c: {from: k, git: commit}}\n"
    "sources: {mid: {git: 'https://e.org/mid-${version}', commit: '${c}'}}\n"
)


def test_what_the_other_side_reads_stays_with_all_that_it_was_read_from():
    """Ours drops the only reader of ``mid``, with ``mid`` and ``k``; theirs adds another one."""
    base = Project({"k": upstream(1), "mid": MID, "a": READS_MID})
    theirs = Project({**base.texts, "b": READS_MID})
    merged = merge_locks(base.lock(), Project({}).lock(), theirs.lock(base.lock()))
    assert merged.lost == ()
    left = Project({name: text for name, text in theirs.texts.items() if name != "a"})
    assert merged.lock == left.lock()
    left.accepts(merged.lock)
