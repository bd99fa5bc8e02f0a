"""The core's values: digests, trees, actions and sources, and what they refuse to be."""

from __future__ import annotations

import pytest
from attrs import evolve

from rvbuild._reapi import reapi_pb2 as pb
from rvbuild.core.action import Action, Command, InputRoot, Mount, Outcome, input_root
from rvbuild.core.digest import EMPTY, Digest
from rvbuild.core.errors import RecipeError, RvbuildError, VerificationError
from rvbuild.core.go_source import GoModFiles
from rvbuild.core.graph import RecipeGraph, Target, parse_target
from rvbuild.core.overlay import union
from rvbuild.core.paths import check_name
from rvbuild.core.pinned import Values
from rvbuild.core.platform import Platform
from rvbuild.core.recipe import Recipe
from rvbuild.core.spec_text import spec_text
from rvbuild.core.tree import (
    Directory,
    DirectoryNode,
    File,
    Symlink,
    Tree,
    to_pb,
)
from rvbuild.kinds.path.source import PathSource
from rvbuild.kinds.pypi.source import Wheel
from rvbuild.kinds.url.source import DebianFile, UrlSource, file_name

A, B = Digest.of(b"a"), Digest.of(b"b")


# ---- digests


def test_a_digest_is_sha256_and_size():
    assert str(EMPTY) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/0"
    assert Digest.parse(str(A)) == A


@pytest.mark.parametrize(
    "text",
    ["", "a/1", f"{A.hash}", f"{A.hash}/", f"{A.hash}/-1", f"{A.hash}/x", f"{A.hash.upper()}/1",
     f"{A.hash}\n/1", f"{A.hash}0/1"],
)  # fmt: skip
def test_what_is_no_digest(text: str):
    with pytest.raises(ValueError, match="not"):
        Digest.parse(text)


def test_a_size_is_not_negative():
    with pytest.raises(ValueError, match="negative size"):
        Digest(A.hash, -1)


# ---- trees


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0", "x" * 256, "é" * 128, "\ud800"])
def test_what_is_no_file_name(name: str):
    with pytest.raises(VerificationError):
        check_name(name)
    with pytest.raises(VerificationError):
        Directory({name: File(A)})
    check_name("x" * 255)


def test_a_directory_is_read_back_and_only_from_canonical_bytes():
    found = Directory({"b": File(A, executable=True), "a": Symlink("x"), "c": DirectoryNode(B)})
    assert list(found.entries) == ["a", "b", "c"]
    assert Directory.decode(found.encode()) == found
    backwards = pb.Directory()
    for name in ("b", "a"):
        backwards.files.add(name=name, digest=pb.Digest(hash=A.hash, size_bytes=1))
    with pytest.raises(VerificationError, match="canonical"):
        Directory.decode(backwards.SerializeToString())


def test_messages_that_are_no_trees():
    twice = pb.Directory()
    twice.files.add(name="a", digest=pb.Digest(hash=A.hash, size_bytes=1))
    twice.symlinks.add(name="a", target="x")
    short = pb.Directory()
    short.files.add(name="a", digest=pb.Digest(hash="abc", size_bytes=1))
    same = pb.Directory(files=[twice.files[0], twice.files[0]])
    messages = [each.SerializeToString() for each in (twice, short, same)]
    for data in (*messages, b"\xff\xff", b"\x0a\x05a"):
        with pytest.raises(VerificationError):
            Directory.decode(data)
        with pytest.raises(VerificationError):
            Tree.decode(pb.Tree(root=pb.Directory()).SerializeToString() + b"\x12\x7f" + data)
    with pytest.raises(VerificationError, match="name twice"):
        Directory.decode(twice.SerializeToString())


def test_a_tree_message_holds_all_of_its_directories():
    whole = Tree.of({"a": {"b": {"f": File(A)}}, "c": {"b": {"f": File(A)}}})
    assert Tree.decode(whole.encode()) == whole
    message = pb.Tree.FromString(whole.encode())
    assert len(message.children) == 2
    del message.children[0]
    with pytest.raises(VerificationError, match="lacks the directory"):
        Tree.decode(message.SerializeToString())


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_a_tree_message_is_of_its_directories_in_canonical_form(order: tuple[str, str]):
    """Whatever order and unknown fields it was written with: digests are those of ``Tree.of``."""
    message = pb.Tree()
    for name in order:
        file = message.root.files.add(name=name, digest=to_pb(A))
        file.MergeFromString(b"\x9a\x06\x01x")  # field 99
    message.root.MergeFromString(b"\x9a\x06\x01x")
    assert Tree.decode(message.SerializeToString()) == Tree.of({"a": File(A), "b": File(A)})
    with pytest.raises(VerificationError, match="canonical"):
        Directory.decode(message.root.SerializeToString())


def test_a_tree_is_walked_file_by_file():
    nested = {"b": {"y": File(A), "x": Symlink("y")}, "a": File(B), "e": {}}
    assert dict(Tree.of(nested).walk()) == {"a": File(B), "b/x": Symlink("y"), "b/y": File(A)}


def test_trees_of_ten_thousand_levels_are_no_recursion():
    nested: dict[str, object] = {"f": File(A)}
    for _ in range(10_000):
        nested = {"d": nested}
    tree = Tree.of(nested)  # type: ignore[arg-type]
    assert len(tree.directories) == 10_001
    assert Tree.of(tree.nested()).root == tree.root
    assert union([("", tree), ("", Tree.of({}))]) == tree
    ((path, _),) = tree.walk()
    assert path.count("/") == 10_000


# ---- actions


def test_an_input_root_has_each_mount_at_its_path():
    toolbox = Directory({"bin": DirectoryNode(A), "sh": Symlink("bin/sh")})
    mounts = (Mount("", A), Mount("in/x", A), Mount("in/y", B), Mount("src", A))
    level = Directory({"x": DirectoryNode(A), "y": DirectoryNode(B)})
    expected = Directory(
        {**toolbox.entries, "in": DirectoryNode(Digest.of(level.encode())), "src": DirectoryNode(A)}
    )
    root = input_root(mounts, toolbox)
    assert root.digest == Digest.of(expected.encode())
    assert input_root(tuple(reversed(mounts)), toolbox) == root
    assert input_root((), None).digest == EMPTY
    assert root.made == {Digest.of(made.encode()): made for made in (level, expected)}


def test_mounts_that_meet():
    """The same tree twice is one; another one, or a path that the toolbox has, is refused."""
    assert input_root((Mount("a", A), Mount("a", A)), None) == input_root((Mount("a", A),), None)
    with pytest.raises(VerificationError, match="two inputs at /a"):
        input_root((Mount("a", A), Mount("a", B)), None)
    with pytest.raises(VerificationError, match="the toolbox has /in of its own"):
        input_root((Mount("in/a", A),), Directory({"in": DirectoryNode(B)}))


def test_an_action_is_its_command_root_and_time_limit():
    linux, elsewhere = Platform.of("amd64"), Platform.of("arm64")
    command = Command(arguments=("sh",), environment={"B": "2", "A": "1"}, platform=linux)
    same = Command(arguments=("sh",), environment={"A": "1", "B": "2"}, platform=linux)
    one = Action(command=command, mounts=(), input_root=InputRoot(A, {}), timeout=9)
    assert (
        one.digest == Action(command=same, mounts=(), input_root=InputRoot(A, {}), timeout=9).digest
    )
    others = [
        evolve(one, input_root=InputRoot(B, {})),
        evolve(one, timeout=8),
        evolve(one, command=evolve(command, environment={})),
        evolve(one, command=evolve(command, platform=elsewhere)),
    ]
    assert len({one.digest, *(other.digest for other in others)}) == 5
    message = pb.Command.FromString(command.encode())
    assert [each.name for each in message.environment_variables] == ["A", "B"]
    assert (message.working_directory, list(message.output_paths)) == ("build", ["out"])
    properties = [("ISA", "x86-64"), ("OSFamily", "linux"), ("rvbuild-sandbox", "1")]
    for sent in (message.platform, pb.Action.FromString(one.encode()).platform):
        assert [(each.name, each.value) for each in sent.properties] == properties


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(exit_code=0, output=A, tree=B, log=EMPTY),
        Outcome(exit_code=124, output=None, tree=None, log=A),
    ],
)
def test_an_outcome_is_read_back(outcome: Outcome):
    assert Outcome.decode(outcome.encode()) == outcome


def result(**fields: object) -> bytes:
    return pb.ActionResult(**fields).SerializeToString()  # type: ignore[arg-type]


def unknown(number: int, data: bytes) -> bytes:
    """A field of REAPI's ``ActionResult`` that rvbuild's own description lacks."""
    return bytes([number << 3 | 2, len(data)]) + data


OUT = pb.OutputDirectory(path="out", tree_digest=to_pb(B), root_directory_digest=to_pb(A))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", Outcome(exit_code=0, output=None, tree=None, log=EMPTY)),
        (result(exit_code=1), Outcome(exit_code=1, output=None, tree=None, log=EMPTY)),
        (
            result(output_directories=[OUT]),
            Outcome(exit_code=0, output=A, tree=B, log=EMPTY),
        ),
        (
            result(output_directories=[OUT], stdout_raw=b"said"),
            Outcome(exit_code=0, output=A, tree=B, log=Digest.of(b"said")),
        ),
        (
            result(output_directories=[OUT], stdout_raw=b"x", stdout_digest=to_pb(A)),
            Outcome(exit_code=0, output=A, tree=B, log=A),
        ),
        (
            result(output_directories=[pb.OutputDirectory(path="out", tree_digest=to_pb(B))]),
            Outcome(exit_code=0, output=None, tree=B, log=EMPTY),
        ),
        (
            result(output_directories=[pb.OutputDirectory(path="other", tree_digest=to_pb(B))]),
            Outcome(exit_code=0, output=None, tree=None, log=EMPTY),
        ),
        (  # output_files, output_symlinks, execution_metadata, and what is not invented yet
            result(output_directories=[OUT])
            + unknown(2, unknown(1, b"out"))
            + unknown(12, unknown(1, b"out") + unknown(2, b"elsewhere"))
            + unknown(9, unknown(1, b"worker"))
            + unknown(15, b"new"),
            Outcome(exit_code=0, output=A, tree=B, log=EMPTY),
        ),
    ],
)
def test_answers_of_servers(data: bytes, expected: Outcome):
    assert Outcome.decode(data) == expected


def test_a_log_that_came_with_the_answer_is_kept_with_it():
    """Its blob may be nowhere else; of a log by digest the store is asked."""
    assert Outcome.decode(result(stdout_raw=b"said")).inline_log == b"said"
    assert Outcome.decode(result()).inline_log == b""
    assert Outcome.decode(result(stdout_digest=to_pb(A))).inline_log is None


def test_the_root_of_an_output_is_in_its_tree_message():
    tree = Tree.of({"d": {"f": File(A)}})
    message = tree.encode()
    out = pb.OutputDirectory(path="out", tree_digest=to_pb(Digest.of(message)))
    found = Outcome.decode(result(output_directories=[out])).with_root(message)
    assert (found.output, found.tree) == (tree.root, Digest.of(message))


@pytest.mark.parametrize(
    "data", [b"\xff", result(stdout_digest=pb.Digest(hash="A" * 64)), unknown(6, b"\x0a\x01")]
)
def test_what_is_no_outcome(data: bytes):
    with pytest.raises(VerificationError, match="not an ActionResult"):
        Outcome.decode(data)


# ---- sources


@pytest.mark.parametrize(
    ("source", "label"),
    [
        (UrlSource(urls=("https://e.org/d/a.tar.gz",), sha256="s"), "a.tar.gz"),
        (UrlSource(urls=(), sha256="s", debian=DebianFile(package="p", file="f.xz")), "f.xz"),
        (PathSource(path="/home/me/src/"), "src"),
        (PathSource(path="/"), "/"),
        (Wheel(project="p", version="1", filename="p.whl", sha256="s"), "p.whl"),
        (GoModFiles(go_sum="ab" * 32, modules=()), "go.mod files of go.sum abababababab"),
    ],
)
def test_sources_have_names_for_people(source: UrlSource | PathSource | Wheel, label: str):
    assert source.label == label


def test_how_an_archive_is_unpacked_is_part_of_what_it_is():
    def identity(**facts: object) -> object:
        return UrlSource(urls=("u",), sha256="s", **facts).identity  # type: ignore[arg-type]

    assert identity(strip=1) != identity(strip=0)
    assert identity(unpack=False) != identity(strip=1)
    assert identity(unpack=False, strip=1) == identity(unpack=False, strip=0)


def test_the_name_of_a_file_that_is_not_unpacked_is_in_its_identity():
    """It is in the tree; the rest of the URL is transport."""

    def identity(*urls: str, unpack: bool = False) -> object:
        return UrlSource(urls=urls, sha256="s", unpack=unpack).identity

    assert identity("https://e.org/a") != identity("https://e.org/b")
    assert identity("https://e.org/a%20b") == identity("https://m.org/x/a b?y=c/d#e")
    assert identity("https://e.org/a?y=c/d") != identity("https://e.org/b?y=c/d")
    assert identity("https://e.org/a", unpack=True) == identity("https://e.org/b", unpack=True)
    debian = DebianFile(package="p", file="f.xz")
    mirrored = UrlSource(urls=(), sha256="s", unpack=False, debian=debian)
    assert mirrored.identity == identity("https://e.org/f.xz")


@pytest.mark.parametrize(
    "url",
    ["", "https://h.e/", "https://h.e", "https://h.e/d/", "https://h.e/a/..", "https://h.e/%2E%2e",
     "https://h.e/a%2Fb", "https://h.e/%2f", "https://h.e/a%0ab", "https://[h.e/a"],
)  # fmt: skip
def test_a_url_must_end_in_a_file_name(url: str):
    """Before there is such a source, whether or not its name is in its key."""
    for unpack in (True, False):
        with pytest.raises(RecipeError, match=r"file name|malformed"):
            UrlSource(urls=(url,), sha256="s", unpack=unpack)
    with pytest.raises(RecipeError, match="file name"):
        UrlSource(urls=(), sha256="s")
    assert UrlSource(urls=("https://h.e/d/a%20b?c=/d",), sha256="s").label == "a b"


def test_a_url_in_an_error_has_no_password():
    with pytest.raises(RecipeError) as caught:
        file_name("https://me:s3cret@h.e/d/?token=s3cret")
    assert str(caught.value.where) == "https://h.e/d/"


# ---- the rest


def test_an_error_says_where():
    assert str(RvbuildError("what", where="f:1:2")) == "f:1:2: what"
    assert str(RvbuildError("what")) == "what"


def test_a_pin_that_is_text_is_its_own_description():
    assert spec_text("1.2") == "1.2"


class Silent:
    """Pins that nobody may ask for."""

    def pin(self, _recipe: Recipe, name: str) -> str:
        raise AssertionError(name)


def test_values_are_looked_up_only_when_they_are_named():
    recipe = Recipe(name="r", file="r.yaml", version="1", pins={"a": "x"})
    values = Values(recipe, Silent(), {"arch": "arm64"})  # type: ignore[arg-type]
    assert values["arch"] == "arm64"
    assert (list(values), len(values)) == (["arch", "version", "date", "a"], 4)
    with pytest.raises(KeyError):
        values["nothing"]


def test_a_source_recipe_is_a_target_that_needs_nothing():
    recipe = Recipe(name="src", file="r", kind="source", build_inputs=("gone",))
    graph = RecipeGraph(
        [parse_target("src", lambda _n, _a: recipe)], lambda _n, _a, _s: recipe, "amd64"
    )
    assert graph.order() == [Target("src", "")]


def test_a_recipe_without_checks_brings_nothing_for_them():
    recipe = Recipe(name="r", file="r")
    graph = RecipeGraph([Target("r", "arm64")], lambda _n, _a, _s: recipe, "amd64", checks=True)
    assert graph.order() == [Target("r", "arm64")]


def test_a_cycle_names_the_place_of_the_inputs():
    table = {
        name: Recipe(
            name=name, file=f"{name}.yaml", target_inputs=(other,), where={"inputs": "here"}
        )
        for name, other in (("a", "b"), ("b", "a"))
    }
    with pytest.raises(RecipeError) as caught:
        RecipeGraph([Target("a", "arm64")], lambda name, _at=None, _series="": table[name], "amd64")
    assert str(caught.value.where) == "here"
