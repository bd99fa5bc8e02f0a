"""Sources by tag: what is locked, and what comes of a tag that is not what it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from git_run import git_at
from git_server import serving, smart_http

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import RecipeError, SourceError, WrongContent
from rvbuild.core.lock import Lock, LockedSource
from rvbuild.core.names import SourceRef
from rvbuild.core.place import Place
from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.spec_text import spec_text
from rvbuild.git.clones import Clones
from rvbuild.git.repositories import Repositories
from rvbuild.kinds.git.fetch import GitFetcher
from rvbuild.kinds.git.resolve import resolve
from rvbuild.kinds.git.source import GitSource
from rvbuild.kinds.git.spec import GitSpec, is_tag
from rvbuild.recipes_yaml.lock import read_lock, write_lock
from rvbuild.recipes_yaml.recipe import read_recipe
from rvbuild.transfers.mirrors import Mirrors

FORMATS = ("sha1", "sha256")


def _nothing(_source: str, _file: str) -> bytes:
    return b""


class Upstream:
    """A repository that is changed, and the ways to it: a folder, or a server."""

    def __init__(self, root: Path, object_format: str = "sha1") -> None:
        self.folder = root / "up"
        self.folder.mkdir()
        self.root = root
        self.git("init", "-q", "-b", "main", f"--object-format={object_format}", ".")

    def git(self, *words: str) -> str:
        return git_at(self.folder, 1_700_000_000, *words)

    def commit(self, text: str) -> str:
        (self.folder / "file").write_text(text)
        self.git("add", "file")
        self.git("commit", "-q", "-m", text)
        return self.git("rev-parse", "HEAD")

    def locked(
        self, url: str, tag: str, earlier: GitSource | None = None, **more: str
    ) -> GitSource:
        """What `lock` gets for a tag; ``earlier`` is what the lock had."""
        spec = GitSpec(url=url, tag=tag, **more)
        known = [LockedSource(spec="", parts=(earlier,))] if earlier else []
        mirrors = () if url.startswith("http://127") else ((url, str(self.folder)),)
        home = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
        clones = Clones(folder=self.root / "clones", temp=self.root / "temp")
        client = GitFetcher(
            repositories=Repositories(mirrors=Mirrors(mirrors), clones=clones, environment=home)
        )
        context = ResolveContext(
            build_arch="amd64",
            folder="recipes/a",
            where=Place("recipes/a/recipe.yaml"),
            read=_nothing,
            locked=lambda: known,
        )
        (source,) = resolve(spec, context, client)
        return source


HERE = "https://e.example/up"


@pytest.fixture(params=["a folder", "a server"])
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of the upstream repository."""
    if request.param == "a folder":
        yield HERE
        return
    with serving(smart_http(tmp_path)) as url:
        yield f"{url}/up/.git"


@pytest.mark.parametrize("object_format", FORMATS)
@pytest.mark.parametrize("annotated", [False, True])
def test_a_tag_is_locked_to_its_commit(
    tmp_path: Path, way: str, object_format: str, *, annotated: bool
):
    upstream = Upstream(tmp_path, object_format)
    first = upstream.commit("one")
    upstream.git("tag", *(("-a", "-m", "x") if annotated else ()), "v1.0/final")
    upstream.commit("two")
    source = upstream.locked(way, "v1.0/final")
    assert (source.commit, source.tag) == (first, "v1.0/final")
    assert source.tree == upstream.git("rev-parse", f"{first}^{{tree}}")
    assert source.date == 1700000000


def test_a_packed_tag_is_found(tmp_path: Path):
    upstream = Upstream(tmp_path)
    first = upstream.commit("one")
    upstream.git("tag", "-a", "-m", "x", "v1")
    upstream.commit("two")
    upstream.git("pack-refs", "--all")
    upstream.git("gc", "-q")
    assert upstream.locked(f"{HERE}/packed", "v1").commit == first


def test_a_tag_that_is_a_branch_too_is_the_tag(tmp_path: Path, way: str):
    upstream = Upstream(tmp_path)
    first = upstream.commit("one")
    upstream.git("tag", "v1")
    upstream.git("checkout", "-q", "-b", "v1")
    assert upstream.commit("two") != first
    assert upstream.locked(way, "v1").commit == first


@pytest.mark.parametrize("paths", [(), ("file",)])
def test_a_tag_that_moved_is_an_error_that_shows_both_commits(
    tmp_path: Path, way: str, paths: tuple[str, ...]
):
    upstream = Upstream(tmp_path)
    first = upstream.commit("one")
    upstream.git("tag", "v1")
    before = upstream.locked(way, "v1")
    second = upstream.commit("two")
    upstream.git("tag", "-f", "v1")
    with pytest.raises(WrongContent) as why:
        upstream.locked(way, "v1", before, paths=paths)
    assert why.value.message == "the tag v1 is another commit than the lock has"
    assert why.value.details == (f"the lock has: {first}", f"upstream: {second}")
    assert "say `commit` in its place, or delete its entry from rv" in hint_text(why.value.hint)
    assert upstream.locked(way, "v1").commit == second, "whoever took the entry out"


def test_another_tag_or_another_repository_is_no_moved_tag(tmp_path: Path):
    upstream = Upstream(tmp_path)
    upstream.commit("one")
    upstream.git("tag", "v1")
    before = upstream.locked(HERE, "v1")
    second = upstream.commit("two")
    upstream.git("tag", "v2")
    assert upstream.locked(HERE, "v2", before).commit == second
    upstream.git("tag", "-f", "v1")
    assert upstream.locked("https://fork.example/up", "v1", before).commit == second


def test_a_commit_beside_a_tag_must_be_the_tags(tmp_path: Path):
    upstream = Upstream(tmp_path)
    first = upstream.commit("one")
    upstream.git("tag", "v1")
    second = upstream.commit("two")
    assert upstream.locked(HERE, "v1", commit=first).commit == first
    with pytest.raises(WrongContent, match="is another commit than the recipe says") as why:
        upstream.locked(HERE, "v1", commit=second)
    assert why.value.details == (f"the recipe says: {second}", f"upstream: {first}")
    assert "correct `commit` or `tag` in the recipe" in hint_text(why.value.hint)
    assert "lock" not in hint_text(why.value.hint), "no lock has it"


@pytest.mark.parametrize("what", ["no tag", "of a tree"])
def test_a_tag_without_a_commit_is_no_source(tmp_path: Path, way: str, what: str):
    upstream = Upstream(tmp_path)
    upstream.commit("one")
    if what == "of a tree":
        upstream.git("tag", "v1", upstream.git("rev-parse", "HEAD^{tree}"))
    with pytest.raises(SourceError, match="the tag could not be had") as why:
        upstream.locked(way, "v1")
    assert len(why.value.details) >= 1
    if what == "of a tree" and way == HERE:
        assert "its tag v1 names no commit that it has" in "".join(why.value.details)


@pytest.mark.parametrize(
    "tag",
    [
        *("", "-x", "a b", "a..b", "a~1", "a:b", "x.lock", "a//b", "@", "a."),
        *("refs/tags/v1", "refs/tags/${version}"),
    ],
)
def test_what_cannot_be_a_tag_is_refused_in_the_recipe(tag: str):
    text = f"kind: source\nsources: {{s: {{git: 'https://e.org/r', tag: '{tag}'}}}}\n"
    with pytest.raises(RecipeError, match="must be the name of a tag") as why:
        read_recipe(text.encode(), "r", "r/recipe.yaml")
    assert str(why.value.where) == "r/recipe.yaml:2:39"


def test_what_cannot_be_a_tag_is_refused_when_a_value_is_known(tmp_path: Path):
    for part in ("v" * 256, "é" * 128, f"a/{'v' * 256}/b"):
        assert not is_tag(part)
        assert is_tag(part.replace("v", "", 1).replace("é", "e", 1))
    upstream = Upstream(tmp_path)
    for tag in ("a b", "refs/tags/v1"):
        with pytest.raises(RecipeError, match=f"not the name of a tag: '{tag}'") as why:
            upstream.locked(HERE, tag)
        assert why.value.hint == "without refs/tags/, such as v1.2.3"


def test_a_git_source_needs_a_commit_or_a_tag():
    text = "kind: source\nsources: {s: {git: 'https://e.org/r'}}\n"
    with pytest.raises(RecipeError, match="'commit' or a 'tag', and none is given"):
        read_recipe(text.encode(), "r", "r/recipe.yaml")


def test_the_lock_holds_tag_commit_and_tree(tmp_path: Path):
    upstream = Upstream(tmp_path)
    upstream.commit("one")
    upstream.git("tag", "v1")
    source = upstream.locked(HERE, "v1")
    text = f"kind: source\nversion: v1\nsources: {{s: {{git: '{HERE}', tag: '${{version}}'}}}}\n"
    spec = read_recipe(text.encode(), "r", "r/recipe.yaml").sources["s"].spec
    assert isinstance(spec, GitSpec)
    assert spec_text(spec) == f"{{git: {HERE!r}, tag: '${{version}}'}}"
    entry = LockedSource(spec="x", parts=(source,))
    lock = write_lock(Lock(sources={SourceRef("r", "s"): entry}))
    assert "        tag: v1\n" in lock
    assert f"        commit: {source.commit}\n" in lock
    (again,) = read_lock(lock.encode(), "rvbuild.lock").sources.values()
    assert again.parts == (source,)
