"""Why a result is another: each kind of difference, its causes, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from attrs import evolve, field, frozen
from workshop import LINUX

from rvbuild.core.canonical import encode
from rvbuild.core.derivation import (
    Derivation,
    Fetch,
    Input,
    Merge,
    OutputRule,
    Step,
)
from rvbuild.core.derivation_diff import Cause, Change, by_derivation, compare
from rvbuild.core.derivation_facts import Aspect, Facts
from rvbuild.core.errors import Malformed
from rvbuild.core.go_source import GoModFiles, GoModule
from rvbuild.core.platform import Platform
from rvbuild.core.source import Files, Source
from rvbuild.kinds.crates.source import VendoredCrate
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.kinds.git.source import GitSource
from rvbuild.kinds.go.source import GoToolchain
from rvbuild.kinds.path.source import PathSource
from rvbuild.kinds.url.source import UrlSource

GIT = GitSource(url="https://e.org/app.git", commit="c" * 40, tree="1" * 40, date=0)
RULE = OutputRule(name="app", path="bin/app", kind="executable")
SCRIPT = "cd /src\nmake\nmake install"


@frozen(kw_only=True)
class Recipes:
    """What the derivations below are made of; a test changes one thing of it."""

    go: str = "1.24.1"
    archive: str = "a" * 64
    lib_script: str = SCRIPT
    lib_name: str = "lib"
    app_script: str = SCRIPT
    flags: Mapping[str, str] = field(factory=dict)
    packages: tuple[str, ...] = ("1", "2", "3")
    modules: tuple[tuple[str, str], ...] = (("e.org/a", "v1"), ("e.org/b", "v1"), ("e.org/c", "v1"))
    source: Source = GIT
    rule: OutputRule = RULE
    platform: Platform = LINUX
    timeout: int = 60
    expect: str | None = None
    place: str = "src/app"
    writable: bool = False
    patched: bool = False


@frozen
class Closure:
    """Derivations by label; the last is the result, a bundle."""

    derivations: tuple[Derivation, ...]

    @property
    def by_digest(self) -> dict[str, Derivation]:
        return {each.digest: each for each in self.derivations}

    @property
    def bytes_of(self) -> dict[str, bytes]:
        return {each.digest: each.encode() for each in self.derivations}

    @property
    def result(self) -> str:
        return self.derivations[-1].digest


def labels(derivations: Iterable[Derivation]) -> list[str]:
    return [each.label for each in derivations]


def step(name: str, script: str, inputs: Mapping[str, Derivation], **more: object) -> Step:
    """A step of a recipe, which sees inputs by their places."""
    facts: dict[str, object] = {
        "environment": (("name", name), ("version", "1")),
        "timeout": 60,
        "platform": LINUX,
        **more,
    }
    seen = tuple(
        Input(path=path.rstrip("!"), derivation=each.digest, writable=path.endswith("!"))
        for path, each in inputs.items()
    )
    return Step(label=f"{name}-riscv64", inputs_at=seen, script=script, **facts)  # type: ignore[arg-type]


def package(sha256: str) -> DebianPackage:
    return DebianPackage(
        name=f"p{sha256}", version="1", architecture="all", pool="", sha256=sha256 * 64, size=1
    )


def link(recipes: Recipes) -> Closure:
    """A bundle of an application, which needs a toolchain, a library, modules and a source."""
    packages = [Fetch(source=package(each)) for each in recipes.packages]
    box = Merge(label="box/debian", parts=tuple(("", each.digest) for each in packages))
    go = Fetch(
        source=GoToolchain(version=recipes.go, platform="linux-amd64", h1=f"h1:{recipes.go}")
    )
    archive = Fetch(source=UrlSource(urls=("https://e.org/lib.tar",), sha256=recipes.archive))
    lib = step(recipes.lib_name, recipes.lib_script, {"": box, "src/lib": archive})
    listed = tuple((path, version, f"h1:{path}{version}") for path, version in recipes.modules)
    files = Fetch(source=GoModFiles(go_sum="0" * 64, modules=listed))
    fetched = [Fetch(source=GoModule(path=p, version=v, h1=h)) for p, v, h in listed]
    at = [(f"{each.source.path}@{each.source.version}", each.digest) for each in fetched]
    modules = Merge(label="go-modules of app", parts=(("", files.digest), *at))
    source: Fetch | Step = Fetch(source=recipes.source)
    below: list[Derivation] = [*packages, box, go, archive, lib, files, *fetched, modules, source]
    if recipes.patched:
        source = step("", "patch", {"": box, "src/app": source}, environment=())
        below.append(source)
    place = f"{recipes.place}!" if recipes.writable else recipes.place
    environment = {"name": "app", "version": "1", **recipes.flags}
    app = step(
        "app",
        recipes.app_script,
        {"": box, "in/go": go, "in/lib": lib, place: source, "in/go-modules": modules},
        environment=tuple(sorted(environment.items())),
        outputs=(recipes.rule,),
        platform=recipes.platform,
        timeout=recipes.timeout,
        expect=recipes.expect,
    )
    bundle = step("bundle", "pack", {"": box, "in/app": app, "in/lib": lib})
    return Closure((*below, app, bundle))


def why(then: Recipes, now: Recipes) -> tuple[Cause, ...]:
    former, closure = link(then), link(now)
    return compare(former.result, closure.result, former.bytes_of.get, closure.by_digest)


def only(then: Recipes, now: Recipes) -> tuple[Change, list[str], list[str]]:
    """The one cause: what changed, where, and what follows."""
    (cause,) = why(then, now)
    return cause.change, labels(cause.places), labels(cause.followers)


PLAIN = Recipes()
APP, BUNDLE = "app-riscv64", "bundle-riscv64"


@pytest.mark.parametrize(
    ("now", "change", "places", "followers"),
    [
        (
            Recipes(go="1.24.2"),
            (
                Aspect.SOURCE,
                "",
                "go-toolchain 1.24.1 linux-amd64 h1:1.24.1",
                "go-toolchain 1.24.2 linux-amd64 h1:1.24.2",
            ),
            ["go1.24.2.linux-amd64"],
            [APP, BUNDLE],
        ),
        (
            Recipes(source=evolve(GIT, tree="2" * 40)),
            (Aspect.SOURCE, "", f"git {'1' * 40}", f"git {'2' * 40}"),
            ["app@cccccccc"],
            [APP, BUNDLE],
        ),
        (
            Recipes(source=PathSource(digest="d" * 64, path="/home/me/app")),
            (Aspect.SOURCE, "", f"git {'1' * 40}", f"path {'d' * 64}"),
            ["app"],
            [APP, BUNDLE],
        ),
        (
            Recipes(archive="b" * 64),
            (Aspect.SOURCE, "", f"strip 1\nurl {'a' * 64}", f"strip 1\nurl {'b' * 64}"),
            ["lib.tar"],
            ["lib-riscv64", APP, BUNDLE],
        ),
        (
            Recipes(flags={"CGO_ENABLED": "1"}),
            (Aspect.ENVIRONMENT, "CGO_ENABLED", None, "1"),
            [APP],
            [BUNDLE],
        ),
        (
            Recipes(flags={"version": "2"}),
            (Aspect.ENVIRONMENT, "version", "1", "2"),
            [APP],
            [BUNDLE],
        ),
        (
            Recipes(platform=Platform.of("arm64")),
            (Aspect.PLATFORM, "ISA", "x86-64", "arm-a64"),
            [APP],
            [BUNDLE],
        ),
        (Recipes(timeout=90), (Aspect.TIMEOUT, "", "60", "90"), [APP], [BUNDLE]),
        (Recipes(expect="fine"), (Aspect.EXPECT, "", None, "fine"), [APP], [BUNDLE]),
        (
            Recipes(lib_name="lib-nft"),  # which the bundle has, too
            (Aspect.INPUT, "in/lib", "lib 1", "lib-nft 1"),
            [APP, BUNDLE],
            [],
        ),
        (
            Recipes(writable=True),
            (Aspect.INPUT, "src/app (writable)", "src/app", "src/app (writable)"),
            [APP],
            [BUNDLE],
        ),
        (
            Recipes(patched=True),
            (Aspect.INPUT, "src/app", f"git {'1' * 40}", "-riscv64"),
            [APP],
            [BUNDLE],
        ),
    ],
)
def test_each_difference_has_its_cause_and_followers(
    now: Recipes, change: tuple[Any, ...], places: list[str], followers: list[str]
):
    assert only(PLAIN, now) == (Change(*change), places, followers)


def test_what_is_equal_has_no_cause_and_nobody_reads_it():
    closure = link(PLAIN)
    assert compare(closure.result, closure.result, pytest.fail, closure.by_digest) == ()


def test_below_what_is_equal_nothing_is_read():
    former, closure = link(PLAIN), link(Recipes(app_script="x"))
    asked: list[str] = []

    def read(digest: str) -> bytes:
        asked.append(digest)
        return former.bytes_of[digest]

    compare(former.result, closure.result, read, closure.by_digest)
    assert labels(former.by_digest[each] for each in asked) == [BUNDLE, APP]


def test_a_line_of_a_script_is_shown_with_its_neighbours():
    change, places, followers = only(PLAIN, Recipes(lib_script="cd /src\nmake V=1\nmake install"))
    assert change.aspect is Aspect.SCRIPT
    assert change.diff == (" cd /src", "-make", "+make V=1", " make install")
    assert (places, followers) == (["lib-riscv64"], [APP, BUNDLE])


def test_lines_that_are_apart_and_a_last_newline():
    then, now = "a\nb\nc\nd\ne", "A\nb\nc\nd\nE"
    assert Change(Aspect.SCRIPT, "", then, now).diff == (
        "-a", "+A", " b", "…", " d", "-e", "+E",
    )  # fmt: skip
    assert Change(Aspect.SCRIPT, "", "a", "a\n").diff == (" a", "+")
    assert Change(Aspect.SCRIPT).diff == ()


def test_the_same_difference_in_two_steps_is_one_cause():
    """A place is none of the followers, although the application is above the library."""
    now = Recipes(lib_script=f"{SCRIPT}\ntrue", app_script=f"{SCRIPT}\ntrue")
    _, places, followers = only(PLAIN, now)
    assert (places, followers) == (["lib-riscv64", APP], [BUNDLE])


def test_two_differences_are_two_causes_in_the_order_of_the_work():
    now = Recipes(app_script="x", archive="b" * 64)
    closure, causes = link(now), why(PLAIN, now)
    assert [labels(each.places) for each in causes] == [["lib.tar"], [APP]]
    assert [labels(each.followers) for each in causes] == [
        ["lib-riscv64", APP, BUNDLE],
        [BUNDLE],
    ]
    named = {closure.by_digest[d].label: each for d, each in by_derivation(causes).items()}
    assert named == {
        "lib.tar": causes[:1],
        "lib-riscv64": causes[:1],
        APP: causes[1:],  # its own is the nearest
        BUNDLE: causes,
    }


def test_a_module_in_another_version_is_named():
    """Its place in the cache has the version, too: that is no cause of its own."""
    now = Recipes(modules=(("e.org/a", "v1"), ("e.org/b", "v2"), ("e.org/c", "v1")))
    causes = why(PLAIN, now)
    assert [(c.change.aspect, c.change.diff, labels(c.places)) for c in causes] == [
        (
            Aspect.SOURCE,
            (
                " e.org/a v1 h1:e.org/av1",
                "-e.org/b v1 h1:e.org/bv1",
                "+e.org/b v2 h1:e.org/bv2",
                " e.org/c v1 h1:e.org/cv1",
            ),
            ["go.mod files of go.sum 000000000000"],
        ),
        (
            Aspect.SOURCE,
            ("-go-module e.org/b v1 h1:e.org/bv1", "+go-module e.org/b v2 h1:e.org/bv2"),
            ["e.org/b@v2"],
        ),
    ]
    assert {tuple(labels(c.followers)) for c in causes} == {("go-modules of app", APP, BUNDLE)}


def test_a_module_more_and_one_less():
    now = Recipes(modules=(("e.org/a", "v1"), ("e.org/c", "v1"), ("e.org/d", "v3")))
    _, *causes = why(PLAIN, now)
    assert [(c.change, labels(c.places)) for c in causes] == [
        (
            Change(Aspect.INPUT, "e.org/b@v1", "go-module e.org/b", None),
            ["go-modules of app"],
        ),
        (Change(Aspect.INPUT, "e.org/d@v3", None, "e.org/d@v3"), ["go-modules of app"]),
    ]


def test_packages_have_no_names_and_are_matched_by_their_order():
    causes = why(PLAIN, Recipes(packages=("1", "4", "5")))
    assert [(c.change.old, labels(c.places)) for c in causes] == [
        (f"deb {'2' * 64}", ["p4_1_all.deb"]),
        (f"deb {'3' * 64}", ["p5_1_all.deb"]),
    ]
    assert labels(causes[0].followers) == ["box/debian", "lib-riscv64", APP, BUNDLE]


def test_packages_that_are_not_as_many_come_and_go():
    causes = why(PLAIN, Recipes(packages=("1", "4")))
    assert [c.change for c in causes] == [
        Change(Aspect.INPUT, "", f"deb {'2' * 64}", None),
        Change(Aspect.INPUT, "", f"deb {'3' * 64}", None),
        Change(Aspect.INPUT, "", None, "p4_1_all.deb"),
    ]
    assert {*map(tuple, (labels(c.places) for c in causes))} == {("box/debian",)}


def crates(*versions: tuple[str, str]) -> Closure:
    fetched = [
        Fetch(source=VendoredCrate(name=name, version=version, sha256=version[0] * 64))
        for name, version in versions
    ]
    merge = Merge(label="crates", parts=tuple(("", each.digest) for each in fetched))
    return Closure((*fetched, merge))


def test_crates_at_one_place_are_matched_by_their_names():
    then, now = crates(("a", "1.0.0"), ("b", "1.0.0")), crates(("b", "2.0.0"), ("a", "3.0.0"))
    causes = compare(then.result, now.result, then.bytes_of.get, now.by_digest)
    assert {labels(c.places)[0]: str(c.change.old).split(" ")[1] for c in causes} == {
        "b-2.0.0.crate": "b",
        "a-3.0.0.crate": "a",
    }


def test_a_result_of_another_kind_is_another_one():
    then, now = link(PLAIN), crates(("a", "1.0.0"))
    (cause,) = compare(then.result, now.result, then.bytes_of.get, now.by_digest)
    assert cause.change == Change(Aspect.INPUT, "", "bundle 1", "crates")
    assert (cause.places, cause.followers) == (now.derivations[-1:], ())


@pytest.mark.parametrize("data", [None, b"[]", b'{"kind":"dream"}', b"\xff"])
def test_what_nobody_knows_any_more_is_one_cause(data: bytes | None):
    """It was collected, or a newer rvbuild wrote it; what else differs is told all the same."""
    former, closure = link(PLAIN), link(Recipes(go="1.24.2", archive="b" * 64, timeout=90))
    lost = [each.digest for each in former.derivations if isinstance(each, Fetch)]
    known = {**former.bytes_of, **dict.fromkeys(lost, data)}
    causes = compare(former.result, closure.result, known.get, closure.by_digest)
    assert [(c.change.aspect, labels(c.places)) for c in causes] == [
        (Aspect.UNKNOWN, ["go1.24.2.linux-amd64", "lib.tar"]),
        (Aspect.TIMEOUT, [APP]),
    ]


def test_an_input_that_nobody_knows_any_more_is_called_by_its_digest():
    then, now = crates(("a", "1.0.0"), ("b", "1.0.0")), crates(("a", "1.0.0"))
    gone = then.derivations[1].digest
    known = {**then.bytes_of, gone: None}
    (cause,) = compare(then.result, now.result, known.get, now.by_digest)
    assert cause.change == Change(Aspect.INPUT, "", gone[:12], None)


def test_what_another_version_says_more_is_told():
    closure = link(PLAIN)
    fetch = closure.derivations[0]
    former = encode({"derivation": 1, "kind": "fetch", "source": {"deb": "1" * 64}, "more": [1]})
    causes = compare("then", fetch.digest, lambda _: former, closure.by_digest)
    assert [c.change for c in causes] == [
        Change(Aspect.OTHER, "format", "1", "2"),
        Change(Aspect.OTHER, "more", "[1]", None),
    ]


def test_a_rule_of_an_output_is_compared_member_by_member():
    rule = evolve(RULE, static=True, detected=(("f*", "asks"),))
    change, _, _ = only(PLAIN, Recipes(rule=rule))
    assert (change.aspect, change.name) == (Aspect.OUTPUT, "app")
    changed = [line for line in change.diff if line[0] in "+-"]
    assert changed == ['+detected {"f*": "asks"}', "-static false", "+static true"]


FORMS: dict[str, Callable[[], Derivation]] = {
    "files": lambda: Fetch(source=Files(label="", files=(("a b", b"", True), ("c", b"", False)))),
    "no files": lambda: Fetch(source=Files(label="", files=())),
    "no modules": lambda: Fetch(source=GoModFiles(go_sum="0" * 64, modules=())),
    "a file as it is": lambda: Fetch(
        source=UrlSource(urls=("https://e.org/f",), sha256="a" * 64, unpack=False)
    ),
}
NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    ("form", "lines"),
    [
        ("files", [f"a b {NOTHING} true", f"c {NOTHING} false"]),
        ("no files", [""]),
        ("no modules", [f"go-mod-files {'0' * 64}"]),
        ("a file as it is", ["name f", f"url {'a' * 64}"]),
    ],
)
def test_a_source_is_said_in_lines(form: str, lines: list[str]):
    facts = Facts.read(FORMS[form]().encode())
    assert facts.texts[Aspect.SOURCE, ""].split("\n") == lines


@pytest.mark.parametrize("data", [b"", b"[", b"{}", b'{"kind": []}', b"[" * 100_000])
def test_bytes_of_no_derivation_are_malformed(data: bytes):
    with pytest.raises(Malformed, match="not a derivation"):
        Facts.read(data)


def test_a_property_may_have_several_values():
    platform = Platform([("a", "2"), ("a", "1")])
    facts = Facts.read(step("x", "", {}, platform=platform).encode())
    assert facts.texts[Aspect.PLATFORM, "a"] == "1, 2"


def two_inputs(*paths: str, **more: object) -> Closure:
    inputs = {path: Fetch(source=package(path)) for path in sorted(paths)}
    app = step("app", SCRIPT, {path: inputs[path] for path in paths}, **more)
    return Closure((*inputs.values(), app))


def two_parts(*labels: str) -> Closure:
    parts = {label: Fetch(source=package(label)) for label in sorted(labels)}
    merge = Merge(label="box", parts=tuple((".", parts[label].digest) for label in labels))
    return Closure((*parts.values(), merge))


@pytest.mark.parametrize("link", [two_inputs, two_parts])
def test_another_order_of_inputs_is_a_cause(link: Callable[..., Closure]):
    """Else a result is said to be as it was although it is made anew."""
    then, now = link("1", "2"), link("2", "1")
    (cause,) = compare(then.result, now.result, then.bytes_of.get, now.by_digest)
    assert (cause.change.aspect, cause.change.name) == (Aspect.INPUT, "order")
    assert len(cause.change.diff) == 3
    assert cause.places == now.derivations[-1:]


OTHER_RULE = evolve(RULE, name="other")


@pytest.mark.parametrize(
    ("then_rules", "now_rules"),
    [((RULE, OTHER_RULE), (OTHER_RULE, RULE)), ((evolve(RULE, path="a"), RULE), (RULE,))],
)
def test_what_no_part_shows_is_a_cause_all_the_same(
    then_rules: tuple[OutputRule, ...], now_rules: tuple[OutputRule, ...]
):
    """Texts of parts are for people, and say less than the canonical bytes."""
    then, now = two_inputs("1", outputs=then_rules), two_inputs("1", outputs=now_rules)
    (cause,) = compare(then.result, now.result, then.bytes_of.get, now.by_digest)
    assert cause.change.aspect is Aspect.OTHER
    assert cause.change.old == then.bytes_of[then.result].decode()
    assert cause.change.new == now.bytes_of[now.result].decode()
