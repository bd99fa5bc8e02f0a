"""Which facts of a lock a recipe rules out: one fact changed at a time, beside what fits."""

from __future__ import annotations

from typing import Any

import pytest
import refs
from attrs import evolve

from rvbuild.core.agreement import (
    Rung,
    pin_contradiction,
    set_contradiction,
    source_contradiction,
)
from rvbuild.core.contents import in_agreement, refuse_two_contents
from rvbuild.core.errors import LockError
from rvbuild.core.go_source import GoModule
from rvbuild.core.lock import GoModuleSet, Lock, LockedSource
from rvbuild.core.names import SourceRef
from rvbuild.core.place import Place
from rvbuild.core.question import Question
from rvbuild.core.recipe import Reading
from rvbuild.core.source import Source
from rvbuild.core.spec import SourceSpec
from rvbuild.core.trace import Reads
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.kinds.debian.spec import DebianSpec
from rvbuild.kinds.git.source import GitSource
from rvbuild.kinds.git.spec import GitSpec
from rvbuild.kinds.go.source import GoToolchain
from rvbuild.kinds.go.spec import GoModuleSpec, GoToolchainSpec
from rvbuild.kinds.path.source import PathSource
from rvbuild.kinds.path.spec import PathSpec
from rvbuild.kinds.pypi.source import Wheel
from rvbuild.kinds.pypi.spec import WheelSpec
from rvbuild.kinds.url.source import DebianFile, UrlSource
from rvbuild.kinds.url.spec import UrlSpec

A, B = "ab" * 32, "cd" * 32
H1, H2 = "h1:" + "A" * 43 + "=", "h1:" + "B" * 43 + "="

URL = UrlSpec(url="https://e.org/a.tar", sha256=A, debian=("a", "a.orig.tar"))
URL_PART = UrlSource(
    urls=("https://e.org/a.tar",), sha256=A, debian=DebianFile(package="a", file="a.orig.tar")
)
GIT = GitSpec(url="https://e.org/k", commit="1" * 40, paths=("b", "a"))
GIT_PART = GitSource(
    url="https://e.org/k", commit="1" * 40, tree="2" * 40, date=1, paths=("a", "b")
)
MODULE, MODULE_PART = GoModuleSpec(path="m", version="v1"), GoModule(path="m", version="v1", h1=H1)
GO = GoToolchainSpec(version="1.2")
GO_PART = GoToolchain(version="1.2", platform="linux-amd64", h1=H1)
WHEEL = WheelSpec(project="Zig_Lang", version="1.0")
WHEEL_PART = Wheel(
    project="zig-lang",
    version="1.0",
    filename="zig_lang-1.0-py3-none-manylinux1_x86_64.whl",
    sha256=A,
)
DEBS = DebianSpec(packages=("bash", "make"), suite="s", without=("perl",))
PATH, PATH_PART = PathSpec(path="../there/x"), PathSource(digest="1/1")


def deb(name: str, **facts: Any) -> DebianPackage:  # noqa: ANN401 - a fact's own type
    pool = f"pool/{name}_1-1_amd64.deb"
    base = {"version": "2:1-1", "architecture": "amd64", "pool": pool, "sha256": A, "size": 1}
    return DebianPackage(name=name, **{**base, **facts})


DEB_PARTS = (deb("bash"), deb("libc6"), deb("make"))
FITTING: list[tuple[SourceSpec, tuple[Source, ...]]] = [
    (URL, (URL_PART,)),
    (evolve(URL, sha256=""), (evolve(URL_PART, sha256=B),)),
    (UrlSpec(url="", debian=("a", "b")), (UrlSource(urls=(), sha256=A, debian=DebianFile(package="a", file="b")),)),  # noqa: E501
    (GIT, (GIT_PART,)),
    (MODULE, (MODULE_PART,)),
    (GO, (GO_PART,)),
    (WHEEL, (WHEEL_PART,)),
    (WHEEL, (evolve(WHEEL_PART, filename="zig.lang-1.0.0-3-py3-none-any.whl"),)),
    (WHEEL, (evolve(WHEEL_PART, filename="zig_lang-1-cp311-abi3-linux_x86_64.whl"),)),
    (WHEEL, (evolve(WHEEL_PART, filename="zig_lang-1-py3-none-musllinux_1_2_x86_64.whl"),)),
    (DEBS, DEB_PARTS),
    (DEBS, (deb("bash", architecture="all", pool="pool/bash_2%3a1-1_all.deb"), DEB_PARTS[2])),
    (DEBS, (deb("bash", pool="flat/bash.deb"), DEB_PARTS[2])),
    (evolve(DEBS, architecture="riscv64", packages=()), ()),
    (PATH, (PATH_PART,)),
    (PathSpec(path="."), (PATH_PART,)),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "parts"), FITTING)
def test_what_fits(spec: SourceSpec, parts: tuple[Source, ...]):
    assert source_contradiction(spec, parts, "amd64") is None


def test_a_package_for_a_machine_that_only_a_newer_rvbuild_knows_fits():
    spec = evolve(DEBS, architecture="sparc64")
    parts = tuple(
        deb(part.name, architecture="sparc64", pool=f"pool/{part.name}_1-1_sparc64.deb")
        for part in DEB_PARTS
    )
    assert source_contradiction(spec, parts, "amd64") is None


CHANGED: list[tuple[SourceSpec, tuple[Source, ...], str]] = [
    (URL, (evolve(URL_PART, urls=("https://e.org/b.tar",)),), "urls"),
    (URL, (evolve(URL_PART, urls=(*URL_PART.urls, "https://e.org/b.tar")),), "urls"),
    (URL, (evolve(URL_PART, sha256=B),), "sha256"),
    (evolve(URL, sha256=""), (evolve(URL_PART, sha256="1" * 40),), "sha256"),
    (URL, (evolve(URL_PART, strip=2),), "strip"),
    (URL, (evolve(URL_PART, unpack=False),), "unpack"),
    (URL, (evolve(URL_PART, debian=None),), "debian-source"),
    (URL, (URL_PART, URL_PART), "parts"),
    (URL, (GIT_PART,), "kind"),
    (GIT, (evolve(GIT_PART, url="https://e.org/l"),), "url"),
    (GIT, (evolve(GIT_PART, commit="3" * 40),), "commit"),
    (GIT, (evolve(GIT_PART, tree="2" * 64),), "tree"),
    (GIT, (evolve(GIT_PART, paths=("a",)),), "paths"),
    (MODULE, (evolve(MODULE_PART, path="n"),), "path"),
    (MODULE, (evolve(MODULE_PART, version="v2"),), "version"),
    (MODULE, (evolve(MODULE_PART, h1="h1:x"),), "h1"),
    (GO, (evolve(GO_PART, version="1.3"),), "version"),
    (GO, (evolve(GO_PART, platform="linux-arm64"),), "platform"),
    (GO, (evolve(GO_PART, h1=A),), "h1"),
    (WHEEL, (evolve(WHEEL_PART, project="Zig_Lang"),), "project"),
    (WHEEL, (evolve(WHEEL_PART, version="1.1"),), "version"),
    (WHEEL, (evolve(WHEEL_PART, filename="zig_lang-1.1-py3-none-any.whl"),), "file"),
    (WHEEL, (evolve(WHEEL_PART, filename="other-1.0-py3-none-any.whl"),), "file"),
    (WHEEL, (evolve(WHEEL_PART, filename="zig_lang-1.0.tar.gz"),), "file"),
    (WHEEL, (evolve(WHEEL_PART, filename="zig_lang-1.0-py3-none-linux_aarch64.whl"),), "file"),
    (WHEEL, (evolve(WHEEL_PART, sha256="1" * 40),), "sha256"),
    (DEBS, DEB_PARTS[:2], "parts"),
    (DEBS, (*DEB_PARTS, deb("perl")), "parts"),
    (DEBS, (*DEB_PARTS, deb("make")), "parts"),
    (DEBS, (*DEB_PARTS[1:], DEB_PARTS[0]), "parts"),
    (DEBS, (*DEB_PARTS, URL_PART), "kind"),
    (DEBS, (deb("bash", architecture="arm64"), *DEB_PARTS[1:]), "architecture"),
    (evolve(DEBS, architecture="riscv64"), DEB_PARTS, "architecture"),
    (DEBS, (deb("bash", pool="pool/dash_1-1_amd64.deb"), *DEB_PARTS[1:]), "pool"),
    (DEBS, (deb("bash", version="2:1-2"), *DEB_PARTS[1:]), "pool"),
    (DEBS, (deb("bash", sha256="1" * 40), *DEB_PARTS[1:]), "sha256"),
]


@pytest.mark.parametrize(("spec", "parts", "fact"), CHANGED)
def test_one_changed_fact_is_named(spec: SourceSpec, parts: tuple[Source, ...], fact: str):
    found = source_contradiction(spec, parts, "amd64")
    assert found is not None
    assert found.fact == fact
    assert found.locked != found.wanted


def test_the_error_says_what_differs_and_both_places():
    places = ({"sha256": Place("rvbuild.lock", 9, 9)},)
    held = LockedSource(spec="s", parts=(URL_PART,), where=Place("rvbuild.lock", 5, 3), at=places)
    assert held.place(0, "sha256") == Place("rvbuild.lock", 9, 9)
    assert held.place(0, "urls") == held.place(None, "parts") == held.where
    asked = Question[SourceRef, LockedSource](
        ref=refs.source("a/a"),
        text="s",
        reads=Reads(frozenset()),
        where=Place("r.yaml", 1, 2),
        contradiction=lambda entry: source_contradiction(URL, entry.parts, ""),
    )
    assert asked.refusal(held, {}.get) is None
    refusal = asked.refusal(evolve(held, parts=(evolve(URL_PART, sha256=B),), at=places), {}.get)
    assert refusal is not None
    assert refusal.reason == "with another sha256 than the recipe asks for"
    assert str(refusal.place) == "rvbuild.lock:9:9"
    assert refusal.details == (f"locked: {B}", f"recipe: {A}  r.yaml:1:2")


# ---- pins

LINE = Reading(source="k", reader="line", argument="3", file="VERSION", prefix="v")
FILE = Reading(source="k", reader="shell", argument="X", file="x.sh")
WORD = Reading(source="", reader="literal", argument="v1")
READ, SHELL = Rung(reading=LINE, owner="k"), Rung(reading=FILE, owner="k")
LITERAL = Rung(reading=WORD, owner="me", value="v1")


@pytest.mark.parametrize(
    ("value", "place", "rungs", "prefer"),
    [
        ("v1", ("k", "VERSION", 3), [READ], None),
        ("v1", ("k", "VERSION", 3), [READ, SHELL, LITERAL], None),
        ("2", ("k", "x.sh", 7), [READ, SHELL], 2),
        ("v1", ("me", "", 0), [LITERAL, SHELL], 1),
    ],
)
def test_a_pin_that_fits(
    value: str, place: tuple[str, str, int], rungs: list[Rung], prefer: int | None
):
    assert pin_contradiction(value, place, rungs, prefer) is None


@pytest.mark.parametrize(
    ("value", "place", "rungs", "fact"),
    [
        ("1", ("k", "VERSION", 3), [READ], "value"),
        ("v2", ("k", "VERSION", 3), [READ, LITERAL], "value"),
        ("v1", ("l", "VERSION", 3), [READ], "source"),
        ("v1", ("k", "version", 3), [READ], "file"),
        ("v1", ("k", "VERSION", 4), [READ], "line"),
        ("v1", ("k", "x.sh", 0), [SHELL], "line"),
        ("v1", ("me", "x", 0), [LITERAL], "file"),
        ("v1", ("me", "", 1), [LITERAL], "line"),
    ],
)
def test_a_changed_fact_of_a_pin_is_named(
    value: str, place: tuple[str, str, int], rungs: list[Rung], fact: str
):
    found = pin_contradiction(value, place, rungs, None)
    assert found is not None
    assert found.fact == fact


# ---- sets of Go modules

ONE, TWO = ("e.org/a", "v1.0.0", H1), ("e.org/b", "v1.0.0", H2)


def test_a_set_that_fits():
    assert set_contradiction((ONE, TWO), "0" * 64) is None
    assert set_contradiction((), "0" * 64) is None


@pytest.mark.parametrize(
    ("modules", "go_sum", "fact"),
    [
        ((TWO, ONE), "0" * 64, "modules"),
        ((ONE, ONE), "0" * 64, "modules"),
        ((("e.org/a", "v1.0.0", "h1:x"),), "0" * 64, "modules"),
        ((("../a", "v1.0.0", H1),), "0" * 64, "modules"),
        ((("e.org/a", "latest", H1),), "0" * 64, "modules"),
        ((ONE,), "", "go-sum"),
        ((ONE,), "0" * 40, "go-sum"),
    ],
)
def test_a_set_that_no_go_sum_says(modules: Any, go_sum: str, fact: str):  # noqa: ANN401
    found = set_contradiction(modules, go_sum)
    assert found is not None
    assert found.fact == fact


# ---- one thing, two contents

TWICE: list[tuple[Source, Source]] = [
    (MODULE_PART, evolve(MODULE_PART, h1=H2)),
    (GO_PART, evolve(GO_PART, h1=H2)),
    (WHEEL_PART, evolve(WHEEL_PART, sha256=B)),
    (deb("bash"), deb("bash", sha256=B)),
    (deb("bash"), deb("bash", size=2)),
    (GIT_PART, evolve(GIT_PART, tree="3" * 40)),
    (GIT_PART, evolve(GIT_PART, date=2)),
    (evolve(GIT_PART, tag="v1"), evolve(GIT_PART, tag="v1", commit="4" * 40)),
]


def of(*parts: Source) -> Lock:
    return Lock(
        sources={
            refs.source(f"{name}/x"): LockedSource(spec="s", parts=(part,), where=f"l:{name}")
            for name, part in zip("abc", parts, strict=False)
        }
    )


@pytest.mark.parametrize(("one", "other"), TWICE)
def test_one_thing_has_one_content_in_a_lock(one: Source, other: Source):
    refuse_two_contents(of(one, one, PATH_PART))
    with pytest.raises(LockError, match="with two contents") as caught:
        refuse_two_contents(of(PATH_PART, one, other))
    assert str(caught.value.where) == "l:c"
    assert [line.split(": ")[0] for line in caught.value.details] == ["l:b", "l:c"]
    assert refs.texts(in_agreement(of(PATH_PART, one, other)).sources) == {"a/x"}


def test_tags_of_several_names_or_repositories_are_several_things():
    other = evolve(GIT_PART, tag="v1", commit="4" * 40)
    for one in (GIT_PART, evolve(other, tag="v2", commit="5" * 40), evolve(GIT_PART, url="x")):
        refuse_two_contents(of(evolve(one, tree=other.tree), other))


def test_module_sets_agree_with_each_other_and_with_modules():
    def lock(module: str, part: GoModule) -> Lock:
        one = GoModuleSet(specs=(), modules=(ONE,), go_sum="", where=Place("l", 1))
        two = GoModuleSet(specs=(), modules=((*ONE[:2], module),), go_sum="", where=Place("l", 2))
        sets = {refs.go_set("k/k"): one, refs.go_set("l/l"): two}
        return Lock(
            sources={refs.source("m/m"): LockedSource(spec="", parts=(part,))}, go_modules=sets
        )

    part = GoModule(path=ONE[0], version=ONE[1], h1=H1)
    refuse_two_contents(lock(H1, part))
    for wrong in (lock(H2, part), lock(H1, evolve(part, h1=H2))):
        with pytest.raises(LockError, match="with two contents"):
            refuse_two_contents(wrong)
    agreeing = in_agreement(lock(H2, part))
    assert (agreeing.sources, refs.texts(agreeing.go_modules)) == ({}, {"k/k"})
