"""Values instead of upstream's: which pin can have one, and which of a series would be vain."""

from __future__ import annotations

import pytest
from recipe_texts import RecipeTexts

from rvbuild.core.errors import RecipeError
from rvbuild.core.place import Place
from rvbuild.core.recipe import Recipe
from rvbuild.core.series import SeriesRecipes
from rvbuild.recipes_yaml.recipe import read_recipe

ONE = "{value: v1.0.1, because: [x], while: v1.0.0}"
COMMITS = "kind: source\nsources: {s: {git: 'https://e.org/r', commit: '${commit}'}}\n"
READ = "from: tree, line: 1, file: V"
FACT = "from: tree, git: short"


def source(*series: str, instead: str = "") -> str:
    """A source with series, the first of which has something instead of upstream's."""
    first, *others = (f"  {each}: {{commit: {each * 40}" for each in series)
    ends = [f"{first}{f', instead: {instead}' if instead else ''}}}", *(f"{e}}}" for e in others)]
    return "\n".join([f"{COMMITS}per-series:", *ends, ""])


def of_series(recipe: str, instead: str = f"pins: {{app/it: {ONE}}}") -> Recipe:
    """A recipe of the series 1, which has something instead of upstream's."""
    texts = {"tree": source("1", instead=f"{{{instead}}}"), "app": recipe}
    return RecipeTexts({**texts, "base-toolbox": TOOLBOX}).recipe("app@1")


TOOLBOX = "kind: tool\ntoolbox: none\nsources: {s: {url: 'https://e.org/t.tar'}}\n"
WITH_SOURCE = "sources: {s: {from: tree}}\nbuild: x\n"

FORMS = {
    "a place": (READ, ""),
    "a module of a go.mod": ("from: tree, go-module: e.org/a", ""),
    "a literal": ("literal: v1.0.0", ""),
    "several places": (f"first-of: [{{{READ}}}, {{literal: v1.0.0}}]", ""),
    "places of which some lack it": (f"one-of: [{{{READ}}}]", ""),
    "a place among facts": (f"first-of: [{{{FACT}}}, {{literal: v1.0.0}}]", ""),
    "a fact of a commit": (FACT, "it is a fact of a commit, which is no value that another"),
    "a date of a commit": ("from: tree, git: date", "it is a fact of a commit"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("by_recipe", [True, False], ids=["its recipe", "its series"])
def test_which_pin_can_have_one_does_not_depend_on_who_says_it(form: str, *, by_recipe: bool):
    pin, message = FORMS[form]
    own = f", instead: {ONE}" if by_recipe else ""
    text = f"pins: {{it: {{{pin}{own}}}}}\n{WITH_SOURCE}"

    def read() -> Recipe:
        return read_recipe(text.encode(), "app", "app.yaml") if by_recipe else of_series(text)

    if not message:
        ((_, override),) = read().overrides
        assert override.value == "v1.0.1"
        return
    with pytest.raises(RecipeError, match=message.replace("it", "(app/)?it", 1)) as why:
        read()
    assert why.value.hint == "name another commit in the source"
    assert isinstance(why.value.where, Place)
    assert why.value.where.file == ("app.yaml" if by_recipe else "tree.yaml")


def test_a_text_of_a_recipe_can_have_none():
    """There is no upstream that could move; only a series could say it."""
    with pytest.raises(RecipeError, match="app/it is a text of the recipe") as why:
        of_series(f"pins: {{it: v1.0.0}}\n{WITH_SOURCE}")
    assert why.value.hint == "change it there, or say `{literal: v1.0.0}`"


def test_a_version_that_is_not_said_can_have_none():
    with pytest.raises(RecipeError, match="app has no pin called 'version'") as why:
        of_series(f"pins: {{it: {{{READ}}}}}\n{WITH_SOURCE}", f"pins: {{app/version: {ONE}}}")
    assert why.value.hint == "known: it"


# ---- what would change nothing

FAMILY = {
    "base-toolbox": TOOLBOX,
    "other": source("1", "2"),
    "second": source("2"),
    "app": f"version: {{{READ}}}\n{WITH_SOURCE}",
    "solo": "version: {literal: v1.0.0}\nbuild: x\n",
    "alien": "version: {from: other, line: 1, file: V}\nbuild: x\n",
    "late": f"version: {{{READ}}}\nsources: {{a: {{from: tree}}, b: {{from: second}}}}\nbuild: x\n",
    "torn": "sources: {a: {from: third}, b: {from: second}}\ndate: {literal: x}\nbuild: x\n",
    "third": source("3"),
    "program": "inputs: {go-modules: {from: tree, directory: cmd}}\nbuild: x\n",
    "stranger": "inputs: {go-modules: {from: other}}\nbuild: x\n",
}


def family(instead: str, **more: str) -> SeriesRecipes:
    """Recipes of which some are of the series 1 of `tree`."""
    tree = source("1", "2", instead=f"{{{instead}}}")
    return RecipeTexts({**FAMILY, "tree": tree, **more}).series


def pin(name: str) -> str:
    return f"pins: {{{name}: {ONE}}}"


def modules(name: str) -> str:
    return f"go-modules: {{'{name}': {{e.org/a: {ONE}}}}}"


VAIN = {
    "no series": (
        pin("solo/version"),
        "solo/version changes nothing: solo has no series",
        "in its recipe",
    ),
    "another source's": (
        pin("alien/version"),
        "alien has its series from other",
        "the series of other",
    ),
    "another series": (pin("late/version"), "late has no series '1'", "it has 2"),
    "nothing in common": (
        pin("torn/date"),
        "what torn needs has no series in common",
        "the same",
    ),
    "no folder": (modules("tree/s:cdm"), "uses the Go modules tree/s:cdm: nothing", "'tree/s:cmd'"),
    "no user": (
        modules("tree/s"),
        "no recipe of the series uses the Go modules tree/s:",
        "'tree/s:cmd'",
    ),
    "a user of others": (modules("other/s"), "no recipe of the series uses", "known: tree/s:cmd"),
    "no source": (modules("tree/x"), "tree has no source called 'x'", "known: s"),
    "no recipe": (modules("tere/s"), "there is no recipe called 'tere'", "'tree'"),
}


@pytest.mark.parametrize("case", VAIN)
def test_what_would_change_nothing_is_refused_whichever_recipe_is_loaded(case: str):
    instead, message, hint = VAIN[case]
    for name in ("app@1", "tree@1", "program@1"):
        with pytest.raises(RecipeError) as why:
            family(instead).load(name)
        assert message in why.value.message
        assert hint in str(why.value.hint)
        assert isinstance(why.value.where, Place)
        assert why.value.where.file == "tree.yaml"
    assert family(instead).load("app@2").overrides == ()
    assert family(instead).load("solo").overrides == ()


@pytest.mark.parametrize(
    "instead", [pin("app/version"), modules("tree/s:cmd"), modules("lent/s:cmd")]
)
def test_what_changes_something_is_taken(instead: str):
    more = {}
    if "lent" in instead:  # a set of a source of no series, which a recipe of the series uses
        more["lent"] = "kind: source\nsources: {s: {url: 'https://e.org/s.tar'}}\n"
        uses = "inputs: {target: [app], go-modules: {from: lent, directory: cmd}}\nbuild: x\n"
        more["program"] = uses
    names = ("app@1", "program@1")
    taken = [family(instead, **more).load(each).overrides for each in names]
    assert sorted(map(len, taken)) == [0, 1]


BAD = {"below": "version: ["}


@pytest.mark.parametrize(
    ("instead", "more"),
    [
        (pin("solo/version"), {"solo": "version: ["}),
        (
            pin("solo/version"),
            {"solo": "version: {from: below, line: 1, file: V}\nbuild: x\n"} | BAD,
        ),
        (modules("tree/s"), BAD),
        (modules("below/s"), BAD),
        (modules("tree/s"), {"app": f"{FAMILY['app']}inputs: {{go-modules: {{from: gone}}}}\n"}),
    ],
    ids=["it", "one below", "any user", "the owner", "a user's source"],
)
def test_what_cannot_be_read_may_be_the_one(instead: str, more: dict[str, str]):
    """Whoever needs it says what is wrong with it."""
    recipes = family(instead, **more)
    assert recipes.load("app@1").overrides == ()


def test_where_no_recipe_of_the_series_has_modules_the_form_is_told():
    with pytest.raises(RecipeError, match="no recipe of the series uses") as why:
        family(modules("tree/s"), program="build: x\n").load("app@1")
    assert "RECIPE/SOURCE:FOLDER" in str(why.value.hint)


def test_each_series_is_judged_once():
    """A family has a hundred recipes, and each would look at all."""
    recipes = family(modules("tree/s:cmd"))
    reads: list[str] = []
    read = recipes.read

    def counted(name: str, place: Place | None) -> Recipe:
        reads.append(name)
        return read(name, place)

    recipes.read = counted
    recipes.load("app@1")
    first = len(reads)
    recipes.load("app@1")
    assert "alien" in reads[:first]
    assert "alien" not in reads[first:]
