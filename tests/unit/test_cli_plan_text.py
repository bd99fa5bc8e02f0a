"""A plan for people names each step, and hundreds of fetches in one line."""

from __future__ import annotations

from workshop import LINUX

from rvbuild.cli.plan_text import plan_text
from rvbuild.core.derivation import Derivation, Fetch, Input, Merge, Step
from rvbuild.core.go_source import GoModule
from rvbuild.core.plan import make_plan, nothing_realised
from rvbuild.core.source import Source
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.kinds.url.source import UrlSource


def package(name: str) -> DebianPackage:
    return DebianPackage(
        name=name, version="1", architecture="amd64", pool="", sha256=name * 64, size=1
    )


def module(name: str) -> GoModule:
    return GoModule(path=f"e.org/{name}", version="v1", h1=f"h1:{name}")


def planned(*merges: tuple[str, list[Source]], kept: tuple[Source, ...] = ()) -> list[str]:
    """The lines of a plan for a step that takes the merges."""
    derivations: dict[str, Derivation] = {}

    def add(derivation: Derivation) -> str:
        return derivations.setdefault(derivation.digest, derivation).digest

    inputs = []
    for label, sources in merges:
        parts = tuple((f"{at}", add(Fetch(source=each))) for at, each in enumerate(sources))
        merge = Merge(label=label, parts=parts)
        inputs.append(Input(path=label, derivation=add(merge)))
    step = Step(
        label="app-arm64",
        inputs_at=tuple(inputs),
        script="",
        environment=(),
        timeout=1,
        platform=LINUX,
    )
    have = {Fetch(source=each).digest for each in kept}
    plan = make_plan(
        derivations | {step.digest: step},
        [step.digest],
        lambda digest: object() if digest in have else nothing_realised(digest),  # type: ignore[arg-type, return-value]
    )
    return plan_text(plan).splitlines()


def test_packages_and_modules_are_counted_and_all_else_is_named():
    lines = planned(
        ("box/debian", [package("a"), package("b"), package("c")]),
        ("go-modules of k/k", [UrlSource(urls=("u",), sha256=""), module("a"), module("b")]),
    )
    assert lines == [
        "fetch  3 debian packages of box/debian: not in the store",
        "merge  box/debian: not laid together yet; app-arm64 needs it",
        "fetch  u: not in the store; go-modules of k/k needs it",
        "fetch  2 go modules of k/k: not in the store",
        "merge  go-modules of k/k: not laid together yet; app-arm64 needs it",
        "build  app-arm64: no result for this recipe, its pins and its inputs",
        "6 to fetch, 2 to merge, 1 to build, 0 to keep",
    ]


def test_one_of_a_kind_is_named_and_what_two_need_is_counted_once():
    lines = planned(
        ("one", [package("a"), package("b")]),
        ("two", [package("b"), package("c")]),
        kept=(package("a"),),
    )
    assert lines[0] == "fetch  b_1_amd64.deb: not in the store; one needs it"
    assert lines[2] == "fetch  c_1_amd64.deb: not in the store; two needs it"
    assert lines[-1] == "2 to fetch, 2 to merge, 1 to build, 1 to keep"
