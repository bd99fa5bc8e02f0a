"""Clones of earlier runs: damaged, or of a tag that has moved. They have not the last word."""

from __future__ import annotations

import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from git_upstream import KINDS, PATH, VERSION, Upstream, upstream_of

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import SourceError, VerificationError
from rvbuild.core.go_source import GoModule
from rvbuild.kinds.go import fetch as go_fetch


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    with upstream_of(tmp_path) as made:
        yield made


def objects(upstream: Upstream, repository: Path) -> dict[str, list[Path]]:
    """The files of a repository's objects, each of its own, by the kind of object."""
    at = str(repository.relative_to(upstream.root))
    for pack in list(repository.glob("objects/pack/*.pack")):
        data = pack.read_bytes()
        shutil.rmtree(pack.parent)
        upstream.git("--git-dir", ".", "unpack-objects", "-q", at=at, given=data)
    kinds: dict[str, list[Path]] = {}
    for file in sorted(repository.glob("objects/??/*")):
        file.chmod(0o644)
        name = file.parent.name + file.name
        kind = upstream.git("--git-dir", ".", "cat-file", "-t", name, at=at)
        kinds.setdefault(kind, []).append(file)
    return kinds


# ---- damage


def flip(file: Path, _kind: str) -> None:
    data = bytearray(file.read_bytes())
    data[Random(len(data)).randrange(2, len(data))] ^= 16  # noqa: S311 - the same each time
    file.write_bytes(bytes(data))


def replace(file: Path, kind: str) -> None:
    """A whole object of that kind, which has another name."""
    who = "A <a@b.example> 1612325106 +0000"
    texts = {
        "blob": "package other\n",
        "tree": "",
        "commit": f"tree {'4b825dc642cb6eb9a060e54bf8d69288fbee4904'}\nauthor {who}\n"
        f"committer {who}\n\nx\n",
    }
    text = texts[kind]
    file.write_bytes(zlib.compress(f"{kind} {len(text)}\0{text}".encode()))


Damage = Callable[[Path, str], None]
DAMAGES: dict[str, Damage] = {
    "missing": lambda file, _kind: file.unlink(),
    "flipped": flip,
    "another": replace,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("of", ["commit", "tree", "blob"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_clone_is_replaced_in_the_same_run(
    upstream: Upstream, kind: str, of: str, damage: Damage
):
    source = upstream.source(kind)
    right = upstream.fetch(kind, source)
    damage(objects(upstream, upstream.clone())[of][-1], of)
    asked = len(upstream.asked)
    assert upstream.fetch(kind, source) == right
    assert len(upstream.asked) > asked
    assert upstream.fetch(kind, source, offline=True) == right


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("of", ["commit", "blob"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_clone_ends_an_offline_run(
    upstream: Upstream, kind: str, of: str, damage: Damage
):
    """It is named, and stays until a run that is not offline has put another in its place."""
    source = upstream.source(kind)
    right = upstream.fetch(kind, source)
    clone = upstream.clone()
    damage(objects(upstream, clone)[of][0], of)
    with pytest.raises((SourceError, VerificationError)) as caught:
        upstream.fetch(kind, source, offline=True)
    assert str(clone) in "\n".join([str(caught.value), *caught.value.details])
    assert "online" in hint_text(caught.value.hint)
    assert clone.exists()
    assert upstream.fetch(kind, source) == right
    assert upstream.clone() == clone
    assert upstream.fetch(kind, source, offline=True) == right


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("of", ["tree", "blob"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_mirror_is_named(upstream: Upstream, kind: str, of: str, damage: Damage):
    """It stays as it is: whose it is, mends it."""
    source = upstream.source(kind)
    mirror = upstream.root / "mirror"
    upstream.git("clone", "-q", "--bare", "m", "mirror", at=".")
    files = objects(upstream, mirror)
    damage(files[of][-1], of)
    with pytest.raises((SourceError, VerificationError)) as caught:
        upstream.fetch(kind, source, str(mirror), offline=True)
    text = "\n".join([str(caught.value), *caught.value.details])
    assert str(mirror) in text
    assert hint_text(caught.value.hint)
    if kind == "git" and isinstance(caught.value, VerificationError):
        assert "`git fsck`" in hint_text(caught.value.hint)
        assert "--mirror" in hint_text(caught.value.hint)
    assert mirror.is_dir()


def test_a_damaged_mirror_with_other_files_than_its_names_say_is_not_passed_over(
    upstream: Upstream,
):
    """The control: whoever gives other bytes ends the search, also where a server has them."""
    source = upstream.source("git")
    mirror = upstream.root / "mirror"
    upstream.git("clone", "-q", "--bare", "m", "mirror", at=".")
    replace(objects(upstream, mirror)["blob"][0], "blob")
    with pytest.raises(VerificationError, match=str(mirror)):
        upstream.fetch("git", source, str(mirror))


@pytest.mark.parametrize("of", ["commit", "tree", "blob"])
def test_other_files_than_their_names_say_get_into_no_lock(upstream: Upstream, of: str):
    """Nobody pinned a hash of the module yet: only git's own names can tell."""
    upstream.commit()
    right = upstream.h1()
    mirror = upstream.root / "mirror"
    upstream.git("clone", "-q", "--bare", "m", "mirror", at=".")
    made = upstream.client("go", str(mirror), offline=True)
    assert isinstance(made, go_fetch.GoClient)
    assert made.go_module(PATH, VERSION) == right
    for file in objects(upstream, mirror)[of]:
        replace(file, of)
    made = upstream.client("go", str(mirror), offline=True)
    assert isinstance(made, go_fetch.GoClient)
    with pytest.raises((SourceError, VerificationError)) as caught:
        made.go_module(PATH, VERSION)
    assert str(mirror) in "\n".join([str(caught.value), *caught.value.details])


def rename(file: Path) -> None:
    """A whole tree of the same files in order, of which the one of a letter has another name."""
    text = zlib.decompress(file.read_bytes())
    name = re.search(rb" ([a-z])\.go\0", text)
    assert name is not None
    other = text.replace(name[0], b" %c.go\0" % (name[1][0] + 1))
    file.write_bytes(zlib.compress(other))


SUB = "deep/sub"
TREES = {
    "the root": ("", ""),
    "below the root": ("", "deep"),
    "the root, of a module in a folder": (SUB, ""),
    "on the way to a module": (SUB, "deep"),
    "a module's folder": (SUB, SUB),
    "below a module's folder": (SUB, f"{SUB}/more"),
}
"""The module's folder, and that of the tree."""


@pytest.mark.parametrize(("folder", "at"), TREES.values(), ids=TREES)
def test_a_tree_with_other_names_gets_into_no_lock(upstream: Upstream, folder: str, at: str):
    """Git's own commands list and pack it as if nothing was."""
    (upstream.root / "m" / SUB / "more").mkdir(parents=True)
    go_mod = {f"{SUB}/go.mod": f"module {PATH}/{SUB}\n"} if folder else {}
    upstream.commit(**{f"{SUB}/c.go": "package c\n", f"{SUB}/more/d.go": "package d\n"}, **go_mod)
    upstream.git("tag", f"{SUB}/{VERSION}")
    mirror = upstream.root / "mirror"
    upstream.git("clone", "-q", "--bare", "m", "mirror", at=".")

    def h1() -> str:
        made = upstream.client("go", str(mirror), offline=True)
        assert isinstance(made, go_fetch.GoClient)
        return made.go_module(f"{PATH}/{folder}".rstrip("/"), VERSION)

    assert h1().startswith("h1:")
    tree = upstream.git("rev-parse", f"HEAD:{at}")
    (file,) = (
        each for each in objects(upstream, mirror)["tree"] if tree == each.parent.name + each.name
    )
    rename(file)
    with pytest.raises((SourceError, VerificationError)) as caught:
        h1()
    text = "\n".join([str(caught.value), *caught.value.details])
    of_git = not at  # it checks the root of what it lists, and no other tree
    assert ("git ls-tree found nothing" if of_git else f"the git tree {tree} has other") in text
    assert str(mirror) in text


def test_a_damaged_mirror_is_blamed_and_not_the_version(upstream: Upstream):
    source = upstream.source("go")
    mirror = upstream.root / "mirror"
    upstream.git("clone", "-q", "--bare", "m", "mirror", at=".")
    replace(objects(upstream, mirror)["blob"][-1], "blob")
    with pytest.raises(VerificationError, match="has other content") as caught:
        upstream.fetch("go", source, str(mirror), offline=True)
    assert str(mirror) in str(caught.value)
    assert "`git fsck`" in hint_text(caught.value.hint)


# ---- tags that move


def test_a_tag_that_moved(upstream: Upstream):
    old = GoModule(path=PATH, version=VERSION, h1=upstream.h1())
    first = upstream.fetch("go", old)
    upstream.commit(**{"a.go": "package m // later\n"})
    new = GoModule(path=PATH, version=VERSION, h1=upstream.h1())
    assert new != old
    assert upstream.fetch("go", old) == first
    second = upstream.fetch("go", new)
    assert second != first
    assert upstream.fetch("go", new, offline=True) == second
    with pytest.raises(VerificationError, match="is not the pinned one") as caught:
        upstream.fetch("go", old)
    assert "moved upstream" in hint_text(caught.value.hint)


def test_a_moved_tag_is_locked_as_it_is_now(upstream: Upstream):
    """Offline, as it was."""

    def locked(*, offline: bool = False) -> str:
        made = upstream.client("go", offline=offline)
        assert isinstance(made, go_fetch.GoClient)
        return made.go_module(PATH, VERSION)

    before = locked()
    upstream.commit(**{"a.go": "package m // later\n"})
    assert locked(offline=True) == before
    after = locked()
    assert after == upstream.h1() != before
    assert locked(offline=True) == after


def test_a_clone_stays_until_a_newer_one_is_whole(upstream: Upstream):
    before = upstream.fetch("go", source := upstream.source("go"))
    lost = upstream.root / "lost"
    (upstream.root / "m").rename(lost)
    made = upstream.client("go")
    assert isinstance(made, go_fetch.GoClient)
    with pytest.raises(SourceError):
        made.go_module(PATH, VERSION)
    assert upstream.fetch("go", source, offline=True) == before
