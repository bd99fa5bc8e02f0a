"""The kinds `crate` and `crates`: what a recipe says, what a lock holds, what an answer must be."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import refs
from made_crates import cargo_lock, crate

from rvbuild.core.agreement import source_contradiction
from rvbuild.core.errors import LockError
from rvbuild.core.lock import Lock, LockedSource
from rvbuild.core.place import Place
from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.source import Source
from rvbuild.core.spec import SourceSpec
from rvbuild.core.spec_text import spec_text
from rvbuild.kinds.crates.describe import describe_source, describe_spec
from rvbuild.kinds.crates.resolve import resolve
from rvbuild.kinds.crates.source import Crate, VendoredCrate
from rvbuild.kinds.crates.spec import CrateSpec, CratesSpec
from rvbuild.recipes_yaml.document import parse
from rvbuild.recipes_yaml.fields import Fields
from rvbuild.recipes_yaml.lock import read_lock, write_lock
from rvbuild.recipes_yaml.source import read_source

A, B = "a" * 64, "b" * 64
ONE = Crate(name="tool", version="1.0.0", sha256=A)
PARTS = (
    VendoredCrate(name="libc", version="0.2.1", sha256=A),
    VendoredCrate(name="libc", version="1.0.0-alpha.3+b", sha256=B),
)
WHERE = Place("recipe.yaml", 7)


class NoRegistry:
    """Says what it is asked for, and knows one crate."""

    def resolve(self, name: str, version: str) -> Crate:
        return Crate(name=name, version=version, sha256=A)


def context(files: dict[tuple[str, str], str]) -> ResolveContext:
    return ResolveContext(
        build_arch="amd64", folder="recipes/x", where=WHERE,
        read=lambda source, file: files[source, file].encode(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "spec", "line"),
    [
        (
            "{crate: tool, version: 1.0.0}",
            CrateSpec(name="tool", version="1.0.0"),
            "{crate: tool, version: 1.0.0}",
        ),
        ("{crates: it}", CratesSpec(source="it"), "{crates: it}"),
        ("{crates: it, file: Cargo.lock}", CratesSpec(source="it"), "{crates: it}"),
        (
            "{crates: it, file: a/Cargo.lock}",
            CratesSpec(source="it", file="a/Cargo.lock"),
            "{crates: it, file: a/Cargo.lock}",
        ),
    ],
)
def test_what_a_recipe_says(text: str, spec: SourceSpec, line: str):
    assert read_source(Fields(parse(text.encode(), "r"))) == spec
    assert spec_text(spec) == line


def test_a_cargo_lock_is_read_from_the_source_that_is_named():
    """And from no registry; it is read again where that source is another."""
    needs = crate("needs", "1.0.0")
    text = cargo_lock(crate("program", "0.1.0", needs=[needs]))
    spec = CratesSpec(source="it", file="a/Cargo.lock")
    (found,) = resolve(spec, context({("it", "a/Cargo.lock"): text}), NoRegistry())
    assert found == VendoredCrate(name="needs", version="1.0.0", sha256=needs.sha256)
    assert spec.reads == (("it", "a/Cargo.lock"),)
    assert not spec.volatile
    assert not spec.per_machine


def test_a_program_without_crates_needs_no_such_source():
    text = cargo_lock(crate("program", "0.1.0"))
    with pytest.raises(LockError, match=r"it's Cargo\.lock names no crate") as caught:
        resolve(CratesSpec(source="it"), context({("it", "Cargo.lock"): text}), NoRegistry())
    assert caught.value.where == WHERE


def test_what_is_wrong_in_a_cargo_lock_has_its_place():
    with pytest.raises(LockError) as caught:
        resolve(CratesSpec(source="it"), context({("it", "Cargo.lock"): "a = }"}), NoRegistry())
    assert caught.value.where == Place("it:Cargo.lock", 1, 5)


def test_a_crate_of_its_own_is_what_the_registry_says():
    spec = CrateSpec(name="tool", version="1.0.0")
    assert resolve(spec, context({}), NoRegistry()) == (ONE,)
    assert (spec.reads, spec.volatile) == ((), False)


CONTRADICTIONS: dict[str, tuple[SourceSpec, Sequence[Source], str | None]] = {
    "a crate": (CrateSpec(name="tool", version="1.0.0"), [ONE], None),
    "another version": (CrateSpec(name="tool", version="1.0.1"), [ONE], "version"),
    "another crate": (CrateSpec(name="tools", version="1.0.0"), [ONE], "name"),
    "two crates": (CrateSpec(name="tool", version="1.0.0"), [ONE, ONE], "parts"),
    "a vendored one": (CrateSpec(name="libc", version="0.2.1"), PARTS[:1], "kind"),
    "crates": (CratesSpec(source="it"), PARTS, None),
    "another order": (CratesSpec(source="it"), PARTS[::-1], "parts"),
    "one twice": (CratesSpec(source="it"), [*PARTS, PARTS[1]], "parts"),
    "one that is not vendored": (CratesSpec(source="it"), [ONE], "kind"),
}


@pytest.mark.parametrize(("spec", "parts", "fact"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_what_can_be_an_answer(spec: SourceSpec, parts: Sequence[Source], fact: str | None):
    found = source_contradiction(spec, parts, "")
    assert (found and found.fact) == fact


LOCK = Lock(
    sources={
        refs.source("x/crates"): LockedSource(spec="{crates: it}", parts=PARTS),
        refs.source("x/it"): LockedSource(spec="{crate: tool, version: 1.0.0}", parts=(ONE,)),
        refs.source("y/crates"): LockedSource(spec="{crates: it}", parts=PARTS[:1]),
    }
)


def test_a_lock_has_each_crate_once():
    text = write_lock(LOCK)
    assert text.count(f"  libc 0.2.1: {A}\n") == 1
    assert text.count("      crates: |\n        libc 0.2.1\n") == 2
    read = read_lock(text.encode(), "lock")
    assert read.sources[refs.source("x/crates")].parts == PARTS
    assert read.sources[refs.source("x/it")].parts == (ONE,)
    assert write_lock(read) == text


def test_a_lock_without_crates_says_nothing_of_them():
    assert "crate" not in write_lock(Lock())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("libc 0.2.1", "../x 0.2.1", "not the name of a crate: '../x'"),
        ("libc 0.2.1", "libc ..", "not the version of a crate"),
        (A, "a" * 63, "'sha256' must be a digest"),
        (A, "a" * 40, "not a SHA-256"),
    ],
)
def test_a_lock_that_was_made_to_lead_astray(old: str, new: str, message: str):
    text = write_lock(LOCK).replace(old, new)
    with pytest.raises(LockError, match=message) as caught:
        read_lock(text.encode(), "lock")
    assert isinstance(caught.value.where, Place)
    assert caught.value.where.line


def test_what_people_are_told():
    told = describe_source(PARTS[0])
    assert (told.kind, told.name, told.digest) == ("crates", "libc-0.2.1.crate", A)
    assert told.places == ("cargo's registry",)
    assert describe_source(ONE).kind == "crate"
    assert describe_spec(CratesSpec(source="it")).name == "crates of it's Cargo.lock"
    assert describe_spec(CrateSpec(name="tool", version="1.0.0")).name == "tool 1.0.0"
