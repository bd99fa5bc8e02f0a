"""Locks, recipes and substitution over arbitrary texts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import TypeVar

import refs
from hypothesis import example, given
from hypothesis import strategies as st

from rvbuild.core.errors import LockError, RecipeError, RvbuildError
from rvbuild.core.go_mod_changes import GoModChanges, sum_name
from rvbuild.core.go_source import GoModule
from rvbuild.core.gomod import parse_go_mod
from rvbuild.core.gosum import parse_go_sum
from rvbuild.core.lock import GoModuleSet, Lock, LockedSource, PinValue
from rvbuild.core.names import Ref
from rvbuild.core.recipe import Reading, substitute
from rvbuild.core.source import LAST_DATE
from rvbuild.core.spec_text import flow
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.kinds.git.source import GitSource
from rvbuild.kinds.go.source import GoToolchain
from rvbuild.kinds.path.source import PathSource
from rvbuild.kinds.pypi.source import Wheel
from rvbuild.kinds.url.source import DebianFile, UrlSource, file_name
from rvbuild.pin_readers import read_pin
from rvbuild.recipes_yaml.document import Items, Mapping, Node, Scalar, parse
from rvbuild.recipes_yaml.lock import read_lock, write_lock
from rvbuild.recipes_yaml.recipe import read_recipe

Error = TypeVar("Error", bound=RvbuildError)


def refusal(kind: type[Error], read: Callable[[], object]) -> Error | None:
    """The error, if it is of that kind; any other one fails the test."""
    try:
        read()
    except kind as error:
        return error
    return None


def is_placed(error: RvbuildError | None, file: str) -> bool:
    """Nothing was refused, or with a place in the file."""
    return error is None or re.fullmatch(rf"{re.escape(file)}(:\d+)*", str(error.where)) is not None


# ---- the lock

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
KEYS = TEXT
NUMBERS = st.integers(0, 10**18 - 1)
HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
SPECS = st.recursive(
    TEXT, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2)
).map(flow)
DISTINCT = st.lists(TEXT, max_size=3, unique=True).map(tuple)
DEBIAN = st.builds(DebianFile, package=TEXT, file=TEXT).filter(lambda f: f.package != f.file)


def has_name(url: str) -> bool:
    return refusal(RecipeError, lambda: file_name(url)) is None


URL = st.builds("{}{}".format, TEXT, st.sampled_from(["", "/x", "/d/y.tar"])).filter(has_name)
URLS = st.builds(lambda first, rest: tuple(dict.fromkeys((first, *rest))), URL, DISTINCT)


def package(name: str, version: str, architecture: str) -> DebianPackage:
    """One name has one content, as in every lock that agrees with itself."""
    content = f"{name} {version} {architecture}"
    return DebianPackage(
        name=name,
        version=version,
        architecture=architecture,
        pool=content.replace(" ", "/"),
        sha256=hashlib.sha256(content.encode()).hexdigest(),
        size=len(content),
    )


GO_WORDS = st.text("abzA019./-_~+!:#'", min_size=1, max_size=10).filter(lambda word: word[0] != "#")
MODULES = st.builds(
    lambda path, version: GoModule(path=path, version=version, h1=f"h1:{path}:{version}"),
    GO_WORDS,
    GO_WORDS,
)
OWN = st.one_of(
    st.builds(
        UrlSource,
        urls=URLS,
        sha256=HEX,
        strip=NUMBERS,
        unpack=st.booleans(),
        debian=st.none() | DEBIAN,
    ),
    st.builds(
        UrlSource,
        urls=st.just(()),
        sha256=HEX,
        strip=NUMBERS,
        unpack=st.booleans(),
        debian=DEBIAN.filter(lambda debian: has_name(debian.file)),
    ),
    st.builds(
        GitSource, url=TEXT, commit=HEX, tree=HEX, date=st.integers(0, LAST_DATE), paths=DISTINCT
    ),
    st.builds(GoToolchain, version=TEXT, platform=TEXT, h1=TEXT),
    st.builds(Wheel, project=TEXT, version=TEXT, filename=TEXT, sha256=HEX),
    st.builds(PathSource, digest=HEX.map(lambda text: text + "/7")),
)
TRIPLES = st.lists(
    MODULES.map(lambda module: (module.path, module.version, module.h1)), max_size=3, unique=True
).map(tuple)


def unvouched_set(sums: tuple[str, ...], marks: list[bool]) -> GoModuleSet:
    """A set with sums that no go.sum has, of which nobody vouches for some."""
    unvouched = (sum_name(line) for line, mark in zip(sums, marks, strict=False) if mark)
    changes = GoModChanges(statements=("replace a => a v1.0.0",), sums=sums)
    return GoModuleSet(specs=(), modules=(), go_sum="", changes=changes, unvouched=tuple(unvouched))


UNVOUCHED = st.builds(
    unvouched_set,
    st.lists(st.builds("{} {} h1:{}".format, *[GO_WORDS] * 3), max_size=4, unique=True).map(tuple),
    st.lists(st.booleans(), min_size=4, max_size=4),
)


def names(parse: Callable[[str], Ref]) -> st.SearchStrategy[Ref]:
    """Names whose text is whatever follows a slash."""
    texts = KEYS.map(lambda text: f"r/{text}")
    return texts.map(parse).filter(lambda ref: str(parse(str(ref))) == str(ref))


LOCKS = st.builds(
    Lock,
    pins=st.dictionaries(
        names(refs.pin),
        st.builds(PinValue, value=TEXT, spec=SPECS, source=TEXT, file=TEXT, line=NUMBERS),
        max_size=3,
    ),
    sources=st.dictionaries(
        names(refs.source),
        st.builds(
            LockedSource,
            spec=SPECS,
            parts=st.one_of(
                st.lists(parts, min_size=1, max_size=2).map(tuple)
                for parts in (OWN, MODULES, st.builds(package, GO_WORDS, GO_WORDS, GO_WORDS))
            ),
        ),
        max_size=3,
    ),
    go_modules=st.dictionaries(
        names(refs.go_set),
        st.builds(
            GoModuleSet,
            specs=st.lists(SPECS, max_size=3, unique=True).map(tuple),
            modules=TRIPLES,
            go_sum=HEX | st.just(""),
        )
        | UNVOUCHED,
        max_size=2,
    ),
)


@given(LOCKS)
@example(
    Lock(pins={refs.pin("a/\U0001f600\n"): PinValue(value="\x7f\x85\u2028\ufeff\\\"'", spec="''")})
)
@example(
    Lock(
        pins={refs.pin("- a/: b # c"): PinValue(value=" x ", spec="'!&*'", source="null", file="|")}
    )
)
def test_a_lock_survives_its_text(lock: Lock):
    """Whatever is in it; the text ends lines only where it means to."""
    text = write_lock(lock)
    assert read_lock(text.encode(), "rvbuild.lock") == lock
    assert write_lock(read_lock(text.encode(), "rvbuild.lock")) == text
    assert text.splitlines() == text.split("\n")[:-1]


@given(LOCKS, st.integers(0, 10**6), st.binary(max_size=3))
def test_a_damaged_lock_is_read_or_refused(lock: Lock, at: int, put: bytes):
    data = write_lock(lock).encode()
    at %= len(data)
    damaged = data[:at] + put + data[at + len(put) :]
    error = refusal(LockError, lambda: read_lock(damaged, "rvbuild.lock"))
    assert is_placed(error, "rvbuild.lock")


# ---- YAML documents

PIECES = st.sampled_from(
    ["a", "b", ":", ": ", "\n", "\n  ", "- ", "? ", "[", "]", "{", "}", ",", "&x ", "*x", "!!str ",
     "'", '"', "|\n", ">-\n", "#", "---\n", "...\n", "\t", "%YAML 1.1\n", "\\", "\r",
     "\ufeff", "\0"]
)  # fmt: skip
SOUPS = st.lists(PIECES, max_size=30).map("".join).map(str.encode)


def leaves(node: Node) -> list[Node]:
    if isinstance(node, Scalar):
        return [node]
    inner = node.nodes if isinstance(node, Items) else node.nodes.values()
    return [node, *(leaf for each in inner for leaf in leaves(each))]


@given(SOUPS | st.binary(max_size=60))
@example(b"a: " + b"[" * 10_000)
@example(b"{" * 10_000)
@example(b"? " * 500)
@example(b"- " * 500)
@example(b"\xef\xbb\xbfa: 1")
@example(b"a: \xed\xa0\x80")
def test_yaml_is_read_or_refused_with_a_place(data: bytes):
    """Never anything but RecipeError, from document and recipe alike."""
    error = refusal(RecipeError, lambda: parse(data, "r.yaml"))
    assert is_placed(error, "r.yaml")
    if error is None:
        root = parse(data, "r.yaml")
        assert isinstance(root, Mapping)
        assert all(re.fullmatch(r"r\.yaml:\d+:\d+", str(node.where)) for node in leaves(root))
    assert is_placed(refusal(RecipeError, lambda: read_recipe(data, "name", "r.yaml")), "r.yaml")


KNOWN = st.sampled_from(
    ["kind: tool", "version: {from: a, line: 1, file: f}", "sources: {a: {url: u}}", "build: x",
     "inputs: {build: [a]}", "outputs: {a: {path: b}}", "checks: [{run: x}]", "toolbox: none",
     "pins: {a: {first-of: [{literal: x}]}}", "env: {A: b}", "exports: {path: [bin]}",
     "per-architecture: {arm64: {A: b}}", "limits: {timeout: 1}", "date: x",
     "architectures: [arm64]"]
)  # fmt: skip


@given(
    st.lists(KNOWN, unique=True, max_size=8), st.integers(0, 300), st.sampled_from("x[]{}:, \n'-")
)
def test_a_damaged_recipe_is_read_or_refused(lines: list[str], at: int, put: str):
    text = "\n".join(lines)
    at = min(at, len(text))
    damaged = (text[:at] + put + text[at + 1 :]).encode()
    error = refusal(RecipeError, lambda: read_recipe(damaged, "name", "r.yaml"))
    assert is_placed(error, "r.yaml")


# ---- pins' files

READERS = st.sampled_from(["go-module", "yaml", "shell", "line"])


@given(
    READERS, st.sampled_from(["a", "b", "1", "a.b", "a[0]", "@"]), SOUPS | st.binary(max_size=60)
)
@example("yaml", "a", b"a: &a [*a]")
@example("yaml", "a", b"*a")
@example("yaml", "a", b"[" * 100_000)
def test_any_file_gives_a_pin_or_is_refused(reader: str, argument: str, data: bytes):
    reading = Reading(source="s", reader=reader, argument=argument, where="r:1:1")
    try:
        found = read_pin(reading, data, "f")
    except LockError:
        return
    assert 1 <= found.line <= data.count(b"\n") + data.count(b"\r") + 1


GO_PIECES = st.sampled_from(
    ["module ", "require ", "replace ", "(", ")", "\n", "e.org/a", " v1.0.0", " => ", "./x", "//",
     '"', "`", "go 1.2", "h1:" + "A" * 43 + "=", "/go.mod", " "]
)  # fmt: skip


@given(st.lists(GO_PIECES, max_size=20).map("".join))
def test_go_files_are_read_or_refused(text: str):
    assert is_placed(refusal(LockError, lambda: parse_go_mod(text, "f")), "f")
    assert is_placed(refusal(LockError, lambda: parse_go_sum(text, "f")), "f")


# ---- substitution

VALUES = st.dictionaries(st.sampled_from(["a", "b", "arch"]), TEXT, max_size=3)


@given(
    st.lists(st.sampled_from(["${a}", "${b}", "$${", "$", "{", "}", "x", "${", "$$"])).map("".join),
    VALUES,
)
def test_substitution_replaces_known_names_only(text: str, values: dict[str, str]):
    error = refusal(RecipeError, lambda: substitute(text, values, "r:1:1"))
    if error is not None:
        assert str(str(error.where)) == "r:1:1"
        found = re.finditer(r"\$\$\{|\$\{([^}]*)(\}?)", text)
        names = [match.groups() for match in found if match[1] is not None]
        assert any(not end or name not in values for name, end in names)
        return
    found = substitute(text, values, "r:1:1")
    plain = re.split(r"\$\$\{|\$\{[^}]*\}", text)
    rest = found
    for piece in plain:
        assert piece in rest
        rest = rest[rest.index(piece) + len(piece) :]


@given(TEXT, VALUES)
def test_a_value_is_not_substituted_again(value: str, values: dict[str, str]):
    assert substitute("<${v}>", {**values, "v": value}, "r") == f"<{value}>"


@given(TEXT.filter(lambda text: "${" not in text), VALUES)
def test_text_without_names_stays(text: str, values: dict[str, str]):
    assert substitute(text, values, "r") == text
    assert (
        substitute(text.replace("$", "") + "$${a}", values, "r") == text.replace("$", "") + "${a}"
    )
