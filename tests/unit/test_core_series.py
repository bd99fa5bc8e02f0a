"""Series: which recipes have them, and which one a name means."""

from __future__ import annotations

from random import Random

import pytest
from attrs import evolve

from rvbuild.core.errors import RecipeError, UsageError
from rvbuild.core.graph import RecipeGraph, Target, parse_target
from rvbuild.core.names import PinRef, RecipeName, SetRef, SourceRef
from rvbuild.core.place import Place
from rvbuild.core.recipe import Recipe
from rvbuild.core.series import SeriesRecipes
from rvbuild.core.variants import Variants
from rvbuild.recipes_yaml.recipe import read_recipe

COMMITS = "sources: {s: {git: 'https://e.org/r', commit: '${commit}'}}\n"
TWO = f"per-series:\n  2: {{commit: {'2' * 40}}}\n  1: {{commit: {'1' * 40}}}\n"
FAMILY = {
    "base-toolbox": "kind: tool\ntoolbox: none\nsources: {s: {url: 'https://e.org/t.tar'}}\n",
    "tree": f"kind: source\n{COMMITS}{TWO}",
    "odd": f"kind: source\n{COMMITS}per-series:\n  3: {{commit: {'3' * 40}}}\n",
    "compiler": "kind: tool\nversion: {from: tree, line: 1, file: V}\nbuild: x\n",
    "zlib": "version: '1'\nbuild: x\n",
    "app": "inputs: {build: [compiler], target: [zlib]}\nchecked-by: [trial]\nbuild: x\n",
    "copy": "sources: {s: {from: tree}}\nbuild: x\n",
    "modules": "inputs: {build: [zlib], go-modules: {from: tree}}\nbuild: x\n",
    "boxed": "toolbox: compiler\nbuild: x\n",
    "rungs": "version: {first-of: [{literal: a}, {from: tree, line: 1, file: V}]}\nbuild: x\n",
    "trial": "inputs: {target: [app]}\nbuild: x\n",
    "torn": "sources: {a: {from: tree}, b: {from: odd}}\nbuild: x\n",
    "other": "inputs: {target: [zlib]}\nbuild: x\n",
    "lost": "inputs: {target: [nowhere]}\nbuild: x\n",
}


DEFAULT = Place("recipes/series.yaml", 1, 1)


def recipes(
    defaults: tuple[str, ...] = ("2",), where: Place | None = DEFAULT, **more: str
) -> SeriesRecipes:
    texts = FAMILY | more

    def read(name: str, place: Place | None) -> Recipe:
        if name not in texts:
            msg = f"there is no recipe called {name!r}"
            raise UsageError(msg) if place is None else RecipeError(msg, where=place)
        return read_recipe(texts[name].encode(), name, f"{name}/recipe.yaml")

    return SeriesRecipes(read, lambda: dict.fromkeys(defaults, where), lambda: texts)


@pytest.mark.parametrize("text", ["k3s", "k3s@1.34"])
def test_the_name_of_a_recipe_is_read_as_it_is_printed(text: str):
    assert str(RecipeName.parse(text)) == text


@pytest.mark.parametrize("text", ["k3s@", "@1.34", "@"])
def test_half_a_name_names_nothing(text: str):
    """Not on the command line, not in a recipe, not in a lock."""
    with pytest.raises(UsageError, match="an '@' stands between a name and its series") as why:
        RecipeName.parse(text)
    assert why.value.where == text
    for place, kind in ((None, UsageError), (Place("app/recipe.yaml", 1, 1), RecipeError)):
        with pytest.raises(kind, match="an '@' stands between a name and its series") as in_recipe:
            recipes().load(text, place)
        assert in_recipe.value.where == (place or text)
    for ref in (PinRef, SourceRef, SetRef):
        assert str(ref.parse(f"{text}/x")) != f"{text}/x"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (SourceRef, "k3s-source@1.34/k3s@amd64"),
        (PinRef, "k3s@1.34/version"),
        (SetRef, "k3s-source@1.34/k3s:cmd"),
    ],
)
def test_the_names_of_a_lock_have_the_series_at_the_recipe(kind: type[SourceRef], text: str):
    ref = kind.parse(text)
    assert str(ref) == text
    recipe = ref.source.recipe if isinstance(ref, SetRef) else ref.recipe
    assert RecipeName.parse(recipe).series == "1.34"


@pytest.mark.parametrize("name", ["compiler", "app", "copy", "modules", "boxed", "rungs", "trial"])
def test_whoever_reads_or_needs_a_source_with_series_has_them(name: str):
    family = recipes()
    assert family.series_of(family.read(name, None)) == ("2", "1")
    assert [each.name for each in family.every(name)] == [f"{name}@2", f"{name}@1"]


@pytest.mark.parametrize("name", ["zlib", "other", "lost", "base-toolbox"])
def test_all_else_is_one_recipe_for_all(name: str):
    family = recipes()
    assert family.series_of(family.read(name, None)) is None
    assert [each.name for each in family.every(name)] == [name]
    assert family.load(name, None, "1").name == name


def test_a_name_means_the_series_of_the_recipe_that_names_it():
    family = recipes()
    assert family.load("compiler", Place("app/recipe.yaml"), "1").name == "compiler@1"
    assert family.load("compiler").name == "compiler@2"
    assert family.load("compiler@1", None, "2").name == "compiler@1"
    assert family.load("tree@1").in_series.values == {"commit": "1" * 40}
    assert family.load("zlib").in_series.values == {}


def test_the_default_is_the_first_that_the_recipe_has():
    assert recipes(("3", "1", "2")).load("app").name == "app@1"
    assert recipes(("3", "1", "2")).load("odd").name == "odd@3"


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("app-riscv64", "app-riscv64@2, app-riscv64@1"),
        ("compiler", "compiler@2, compiler@1"),
        ("few", "few-arm64@2, few-amd64@2, few-arm64@1, few-amd64@1"),
    ],
)
def test_without_a_default_the_command_line_says_the_series(text: str, targets: str):
    few = "architectures: [arm64, amd64]\nsources: {s: {from: tree}}\nbuild: x\n"
    family = recipes(("3",), few=few)
    with pytest.raises(UsageError, match="is the default: 2, 1") as why:
        parse_target(text, family.load)
    default = "name one of them under 'default' in recipes/series.yaml"
    assert (why.value.where, why.value.hint) == (text, f"one of: {targets}; or {default}")
    with pytest.raises(RecipeError, match="none of the series of app is the default") as in_recipe:
        family.load("app", Place("x/recipe.yaml"))
    assert in_recipe.value.hint == default
    assert len(family.every("app")) == 2


def test_a_default_that_no_recipe_has_is_refused_where_it_is_passed_over():
    for wrong, hint in (("22", "did you mean '2'? there are 1, 2, 3"), ("k", "there are 1, 2, 3")):
        family = recipes(("3", wrong, "2"))
        assert family.load("odd").name == "odd@3"
        assert family.load("app@1").name == "app@1"
        for ask in (lambda family=family: family.load("app"), family.refuse_vain_defaults):
            with pytest.raises(RecipeError, match=f"no recipe has the series '{wrong}'") as why:
                ask()
            assert (why.value.where, why.value.hint) == (DEFAULT, hint)
    alone = SeriesRecipes(recipes().read, lambda: {"2": DEFAULT}, lambda: ["zlib"])
    with pytest.raises(RecipeError) as nothing:
        alone.refuse_vain_defaults()
    assert nothing.value.hint == "no recipe has any series"


def test_a_default_may_be_of_a_recipe_that_cannot_be_read_or_came_with_others():
    assert recipes(("k", "2"), broken="kind: [\n").load("app").name == "app@2"
    assert recipes(("k", "2"), None).load("app").name == "app@2"


def test_what_has_no_series_in_common_is_refused():
    family = recipes()
    for ask in (family.load, family.every):
        with pytest.raises(RecipeError, match="has no series in common: tree has 2, 1; odd has 3"):
            ask("torn")
    with pytest.raises(RecipeError, match="what torn needs has no series in common: tree has 2"):
        family.load("torn@2")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("app-riscv64@3", "app has no series '3'", "it has 2, 1"),
        ("app-riscv64@v2.0.1", "app has no series 'v2.0.1'", "it has 2, 1"),
        ("zlib-riscv64@1", "zlib has no series: it is the same in all", "say `zlib-riscv64`"),
        (
            "app-riscv64@",
            "'@' stands between a name and",
            "for example k3s@1.34; of a target, k3s-",
        ),
        ("@1", "'@' stands between a name and", "for example k3s@1.34; of a target, k3s-riscv64"),
        ("app@1", "the target's architecture is missing", "one of: app-riscv64@1, app-arm64@1"),
        ("app-riscv46@1", "there is no architecture 'riscv46'", "did you mean `app-riscv64@1`?"),
        ("compiler-riscv64@1", "compiler is the same for every", "say `compiler@1`"),
        ("app-loong64@1", "app@1 is not for loong64", "it is for riscv64, arm64, amd64"),
    ],
)
def test_behind_the_at_stands_a_series_and_nothing_else(text: str, message: str, hint: str):
    with pytest.raises(UsageError) as why:
        parse_target(text, recipes().load)
    assert message in str(why.value)
    assert str(why.value.hint).startswith(hint)


def test_a_place_that_names_a_series_is_told_with_it():
    """As an input's, for which somebody chose a recipe of another series."""
    family = recipes()
    for name, hint in (("zlib@1", "say `zlib`"), ("app@3", "it has 2, 1")):
        with pytest.raises(RecipeError) as caught:
            family.load(name, DEFAULT)
        assert (caught.value.where, caught.value.hint) == (DEFAULT, hint)


def test_inputs_that_want_different_toolboxes_leave_a_recipe_its_series():
    """The graph refuses it, with the name of the series that was asked for."""
    gives = "kind: tool\nexports: {{toolbox: {0}}}\nbuild: x\n"
    family = recipes(
        one=gives.format("zlib"),
        two=gives.format("other"),
        torn_box="inputs: {build: [compiler, one, two]}\nbuild: x\n",
    )
    assert [each.name for each in family.every("torn_box")] == ["torn_box@2", "torn_box@1"]


@pytest.mark.parametrize("text", ["app-riscv64@1", "app-riscv64", "compiler@1", "zlib-arm64"])
def test_a_target_is_read_as_it_is_printed(text: str):
    assert str(parse_target(text, recipes().load)) == text


def test_a_graph_has_each_series_of_a_recipe_and_shares_the_others():
    targets = [Target("trial@1", "riscv64"), Target("trial", "riscv64")]
    graph = RecipeGraph(targets, recipes().load, "amd64")
    names = [str(each) for each in graph.order()]
    assert sorted(names) == [
        *("app-riscv64@1", "app-riscv64@2", "base-toolbox", "compiler@1", "compiler@2"),
        *("trial-riscv64", "trial-riscv64@1", "zlib-riscv64"),
    ]
    user, given = Target("app@1", "riscv64"), Target("compiler@1", "")
    assert graph.place(user, given) == "compiler"
    assert graph.needs(user)[1:] == [given, Target("zlib", "riscv64")]


@pytest.mark.parametrize(("other", "series"), [("copy", "2"), ("copy@2", "2"), ("copy@1", "1")])
def test_what_stands_in_the_place_of_an_input_may_have_series(other: str, series: str):
    """It lies where the input lies, whether somebody says its series or not."""
    user = Target("other", "riscv64")
    graph = RecipeGraph([user], recipes().load, "amd64", variants=Variants(replace={"zlib": other}))
    given = Target(f"copy@{series}", "riscv64")
    assert given in graph.needs(user)
    assert graph.place(user, given) == "zlib"


def test_an_input_may_be_of_another_series_than_its_user():
    user = Target("trial@2", "riscv64")
    replace = Variants(replace={"app": "app@1"})
    graph = RecipeGraph([user], recipes().load, "amd64", variants=replace)
    assert graph.needs(user)[1:] == [Target("app@1", "riscv64")]
    assert graph.place(user, Target("app@1", "riscv64")) == "app"


def test_a_recipe_of_a_series_that_stands_for_its_own_input_has_it():
    """Else it would need itself."""
    family = recipes(over="sources: {s: {from: tree}}\ninputs: {target: [zlib]}\nbuild: x\n")
    replace = Variants(replace={"zlib": "over@1"})
    graph = RecipeGraph([Target("other", "riscv64")], family.load, "amd64", variants=replace)
    assert graph.needs(Target("over@1", "riscv64"))[1:] == [Target("zlib", "riscv64")]


def test_two_series_of_a_recipe_are_not_two_inputs_of_one():
    family = recipes(both="inputs: {target: [zlib, other]}\nbuild: x\n")
    replace = Variants(replace={"zlib": "copy@1", "other": "copy@2"})
    with pytest.raises(UsageError, match="copy would be two inputs of both: zlib and other"):
        RecipeGraph([Target("both", "riscv64")], family.load, "amd64", variants=replace)


def test_the_walk_needs_no_stack_and_says_what_a_plain_definition_says():
    chain = {f"n{n}": f"inputs: {{target: [n{n + 1}]}}\nbuild: x\n" for n in range(3000)}
    family = recipes(**chain, n3000="sources: {s: {from: tree}}\nbuild: x\n")
    assert family.series_of(family.read("n0", None)) == ("2", "1")
    for seed in range(60):
        _compare_with_the_definition(Random(seed))  # noqa: S311 - replayed by its seed


def test_a_circle_is_told_as_one():
    family = recipes(
        head="inputs: {target: [tail]}\nbuild: x\n",
        tail="sources: {s: {from: tree}}\ninputs: {target: [head]}\nbuild: x\n",
    )
    assert family.series_of(family.read("head", None)) == ("2", "1")
    with pytest.raises(RecipeError, match="need each other in a circle"):
        RecipeGraph([Target("head@1", "riscv64")], family.load, "amd64")


def _compare_with_the_definition(random: Random) -> None:
    """A random graph without cycles; its definition looks at everything below, again and again."""
    count = 12
    own = {n: random.choice([(), (), (), ("a", "b"), ("b", "c", "a")]) for n in range(count)}
    below = {n: random.sample(range(n), min(n, random.randint(0, 3))) for n in range(count)}
    texts = {}
    for n, series in own.items():
        if series:
            table = "".join(f"  {each}: {{commit: {'0' * 40}}}\n" for each in series)
            texts[f"r{n}"] = f"kind: source\n{COMMITS}per-series:\n{table}"
            below[n] = []
        else:
            sources = "".join(f"  s{m}: {{from: r{m}}}\n" for m in below[n] if own[m])
            inputs = ", ".join(f"r{m}" for m in below[n] if not own[m])
            texts[f"r{n}"] = (
                f"sources:\n{sources}  z: {{url: 'https://e.org/z'}}\n"
                f"inputs: {{target: [{inputs}]}}\n"
            )
            texts[f"r{n}"] += "build: x\n"

    def reached(n: int) -> set[int]:
        return {n}.union(*(reached(m) for m in below[n]))

    family = recipes(**texts)
    for n in random.sample(range(count), count):
        sets = [set(own[m]) for m in reached(n) if own[m]]
        there = family.series_of(family.read(f"r{n}", None))
        assert there is None if not sets else set(there or ()) == set.intersection(*sets)


def test_the_closure_of_a_recipe_is_all_that_it_reads_or_needs():
    """One that cannot be read is in it, and whoever is its check is not."""
    assert recipes().closure("app") == {"app", "compiler", "tree", "base-toolbox", "zlib"}
    assert recipes().closure("lost") == {"lost", "nowhere", "base-toolbox"}


# ---- values instead of upstream's

ONE = "{value: v1.0.1, because: [x], while: v1.0.0}"


def with_instead(instead: str, **more: str) -> SeriesRecipes:
    """The family, with what its series 1 has instead."""
    two, one, end = TWO.rpartition(f"commit: {'1' * 40}")
    tree = f"kind: source\n{COMMITS}{two}{one}, instead: {instead}{end}"
    return recipes(tree=tree, **more)


MODULES = (
    "sources: {own: {go-module: e.org/own, version: v1.0.0}, lent: {from: tree}}\n"
    "version: {from: tree, line: 1, file: V}\nbuild: x\n"
)


@pytest.mark.parametrize(
    ("name", "asks"),
    [
        ("tree/s", "go-modules: {from: tree}"),
        ("tree/s", "go-modules: {from: lent}"),
        ("family/own", "go-modules: {from: own}"),
        ("tree/s:cmd", "go-modules: {from: tree, directory: cmd}"),
    ],
)
def test_a_series_has_other_modules_in_the_sets_that_it_names(name: str, asks: str):
    program = f"{MODULES}inputs: {{{asks}}}\n"
    found = with_instead(f"{{go-modules: {{{name}: {{e.org/a: {ONE}}}}}}}", family=program)
    spec = found.load("family@1").go_modules
    assert spec is not None
    assert spec.instead["e.org/a"].value == "v1.0.1"
    other = found.load("family@2").go_modules
    assert other is not None
    assert other.instead == {}
    found.as_upstream = True
    stripped = found.load("family@1")
    assert stripped.overrides == ()
    assert stripped == evolve(recipes(family=program).load("family@1"))


def test_a_set_that_another_recipe_names_has_none():
    """A recipe whose source cannot be read is told of by whoever needs it."""
    instead = f"{{go-modules: {{tree/s: {{e.org/a: {ONE}}}}}}}"
    program = MODULES + "inputs: {go-modules: {from: %s}}\n"
    for source in ("own", "nowhere"):
        spec = with_instead(instead, family=program % source).load("family@1").go_modules
        assert spec is not None
        assert spec.instead == {}


def test_own_modules_stand_beside_those_of_the_series_and_none_is_said_twice():
    instead = f"{{go-modules: {{tree/s: {{e.org/a: {ONE}}}}}}}"
    program = MODULES + "inputs: {go-modules: {from: tree, instead: {e.org/%s: %s}}}\n"
    spec = with_instead(instead, family=program % ("b", ONE)).load("family@1").go_modules
    assert spec is not None
    assert sorted(spec.instead) == ["e.org/a", "e.org/b"]
    with pytest.raises(RecipeError, match=r"instead of upstream's of e.org/a is said twice"):
        with_instead(instead, family=program % ("a", ONE)).load("family@1")


def test_a_pin_below_the_family_has_the_value_of_its_series():
    found = with_instead(f"{{pins: {{app/version: {ONE}}}}}", app=FAMILY["app"] + "version: {from: "
                         "compiler-source, line: 1, file: V}\n", **{
        "compiler-source": "kind: source\nversion: {from: tree, line: 1, file: V}\n"
                           "sources: {c: {url: 'https://e.org/${version}.tar'}}\n",
    })  # fmt: skip
    assert [name for name, _ in found.load("app@1").overrides] == ["app@1/version"]
    assert found.load("app@2").overrides == ()


def test_a_recipe_that_cannot_be_read_may_have_what_is_overridden():
    found = with_instead(f"{{pins: {{zlib/version: {ONE}}}}}", zlib="version: [")
    assert found.load("compiler@1").overrides == ()
