"""Cargo.lock, in each of its versions, and what of it is no set of crates."""

from __future__ import annotations

import pytest
from made_crates import REGISTRY

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import LockError, RecipeError
from rvbuild.core.place import Place
from rvbuild.kinds.crates.cargo_lock import MAX_BYTES, parse_cargo_lock
from rvbuild.kinds.crates.source import Crate, VendoredCrate

A, B = "a" * 64, "b" * 64
CRATES = (
    VendoredCrate(name="memchr", version="2.7.4", sha256=A),
    VendoredCrate(name="wasi", version="0.11.0+wasi-snapshot-preview1", sha256=B),
)
VERSION_1 = f"""\
[[package]]
name = "program"
version = "0.1.0"
dependencies = [
 "memchr 2.7.4 ({REGISTRY})",
]

[[package]]
name = "wasi"
version = "0.11.0+wasi-snapshot-preview1"
source = "{REGISTRY}"

[[package]]
name = "memchr"
version = "2.7.4"
source = "{REGISTRY}"

[metadata]
"checksum memchr 2.7.4 ({REGISTRY})" = "{A}"
"checksum wasi 0.11.0+wasi-snapshot-preview1 ({REGISTRY})" = "{B}"
"""
VERSION_2 = f"""\
[[package]]
name = "memchr"
version = "2.7.4"
source = "{REGISTRY}"
checksum = "{A}"

[[package]]
name = "program"
version = "0.1.0"
dependencies = ["memchr", "wasi"]

[[package]]
name = "wasi"
version = "0.11.0+wasi-snapshot-preview1"
source = "{REGISTRY}"
checksum = "{B}"
"""
PATCH = '\n[[patch.unused]]\nname = "memchr"\nversion = "9.9.9"\n'


def package(**facts: str) -> bytes:
    """A Cargo.lock with one package, whose head is in line 3."""
    given = {"name": "memchr", "version": "2.7.4", "source": REGISTRY, "checksum": A, **facts}
    lines = "".join(f'{key} = "{value}"\n' for key, value in given.items() if value != "-")
    return f"version = 4\n\n[[package]]\n{lines}".encode()


@pytest.mark.parametrize(
    "text",
    [VERSION_1, VERSION_2, f"version = 3\n{VERSION_2}", f"version = 4\n{VERSION_2}{PATCH}"],
)
def test_the_crates_of_each_version(text: str):
    """The program's own package is none; what no package uses is none."""
    assert parse_cargo_lock(text.encode()) == CRATES


def test_a_program_without_crates():
    assert parse_cargo_lock(package(source="-", checksum="-")) == ()
    assert parse_cargo_lock(b"version = 4\n") == ()


REFUSED = {
    "git": (
        package(source="git+https://example.org/x?tag=v1#0123abc", checksum="-"),
        "the crate memchr 2.7.4 comes from git (https://example.org/x?tag=v1#0123abc), which is",
    ),
    "another registry": (
        package(source="registry+https://example.org/index"),
        "the crate memchr 2.7.4 comes from registry+https://example.org/index: only",
    ),
    "its name as a part": (package(source=f"{REGISTRY}/evil"), "only cargo's default registry"),
    "no checksum": (package(checksum="-"), "the crate memchr 2.7.4 has no checksum"),
    "a checksum of another kind": (package(checksum="d41d8cd9"), "not a SHA-256"),
    "a name that is a path": (package(name="../../x"), "not the name of a crate: '../../x'"),
    "no name": (package(name=""), "not the name of a crate"),
    "a name with a slash": (package(name="a/b"), "not the name of a crate"),
    "a version that is a path": (package(version=".."), "not the version of a crate"),
    "a version with a slash": (package(version="1.0.0-a/../b"), "not the version of a crate"),
    "an endless version": (package(version="1.0.0-" + "a" * 200), "not the version of a crate"),
    "a version of two numbers": (package(version="1.0"), "not the version of a crate"),
    "no package version": (package(version="-"), "'version' of a package of Cargo.lock must be"),
    "a colour in the name": (package(name="\\u001b[31m"), "not the name of a crate: '\\x1b[31m'"),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED)
def test_a_package_that_is_refused(data: bytes, message: str):
    """Each with the line of its package."""
    with pytest.raises(LockError) as caught:
        parse_cargo_lock(data, "app:Cargo.lock")
    assert message in caught.value.message
    assert caught.value.where == Place("app:Cargo.lock", 3)


def test_what_has_a_remedy_names_it():
    with pytest.raises(LockError) as caught:
        parse_cargo_lock(package(source="git+https://example.org/x#1"))
    assert "[patch]" in hint_text(caught.value.hint)


@pytest.mark.parametrize("checksum", [A, B])
def test_a_crate_that_is_there_twice(checksum: str):
    twice = package() + package(checksum=checksum).partition(b"\n")[2]
    with pytest.raises(LockError, match=r"memchr 2\.7\.4 is there twice") as caught:
        parse_cargo_lock(twice)
    assert caught.value.where == Place("Cargo.lock", 9)


def test_two_versions_of_a_crate_are_two_crates():
    both = package() + package(version="1.0.0").partition(b"\n")[2]
    assert [each.version for each in parse_cargo_lock(both)] == ["1.0.0", "2.7.4"]


UNREADABLE = {
    b"version = 5\n": ("has version 5; 1 to 4 are known", Place("Cargo.lock")),
    b"version = true\n": ("has version True", Place("Cargo.lock")),
    b"version = 'new'\n": ("has version new", Place("Cargo.lock")),
    b"a = 1\n\xff": ("not UTF-8", Place("Cargo.lock", 2)),
    b"a = 1\nb = [\n": ("not TOML: ", Place("Cargo.lock")),
    b"a = 1\nb = }\n": ("not TOML: Invalid value", Place("Cargo.lock", 2, 5)),
    b"a = " + b"[" * 100_000: ("not TOML: RecursionError", Place("Cargo.lock")),
    b"a = " + b"1" * 5_000: ("not TOML: ", Place("Cargo.lock")),
    b"package = 1\n": ("'package' of Cargo.lock must be a list", Place("Cargo.lock")),
    b"package = [1]\n": ("must be a table", Place("Cargo.lock")),
    b"metadata = 1\n" + package().partition(b"\n")[2]: ("'metadata' of", Place("Cargo.lock")),
    b"[[package]]\nname = 1\n": ("'name' of a package", Place("Cargo.lock", 1)),
    b"#" * (MAX_BYTES + 1): ("more than 16777216 bytes", Place("Cargo.lock")),
}


@pytest.mark.parametrize(("data", "found"), UNREADABLE.items(), ids=lambda x: repr(x)[:20])
def test_what_is_no_cargo_lock(data: bytes, found: tuple[str, Place]):
    with pytest.raises(LockError) as caught:
        parse_cargo_lock(data)
    message, where = found
    assert message in caught.value.message
    if where != Place("Cargo.lock") or message != "not TOML: ":
        assert caught.value.where == where


def test_no_value_is_a_crate_that_could_leave_its_folder():
    for kind in (Crate, VendoredCrate):
        with pytest.raises(RecipeError, match="not the name of a crate"):
            kind(name="..", version="1.0.0", sha256=A)
        assert kind(name="a", version="1.0.0", sha256=A).top == "a-1.0.0"


def test_a_key_has_name_version_and_checksum():
    """A crate and its vendored folder are two trees of the same bytes."""
    facts = {"name": "memchr", "version": "2.7.4", "sha256": A}
    assert CRATES[0].identity == {"vendored-crate": ["memchr", "2.7.4", A]}
    assert Crate(**facts).identity == {"crate": ["memchr", "2.7.4", A]}
    assert Crate(**facts).contents == CRATES[0].contents
    assert CRATES[0].label == "memchr-2.7.4.crate"
