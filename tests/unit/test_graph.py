"""The graph that recipes declare: architectures, cycles, order, suggestions."""

from itertools import pairwise

import pytest

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import RecipeError, UsageError
from rvbuild.core.graph import Load, RecipeGraph, Target, parse_target, target_form, with_checkers
from rvbuild.core.recipe import Recipe
from rvbuild.core.variants import Variants
from rvbuild.recipes_yaml.recipe import read_recipe


def recipes(**texts: str):
    """A loader over recipe texts by name (``_`` stands for ``-``)."""
    table = {
        name.replace("_", "-"): read_recipe(text.encode(), name.replace("_", "-"), f"{name}.yaml")
        for name, text in texts.items()
    }
    table["base-toolbox"] = Recipe(name="base-toolbox", file="b.yaml", kind="tool", toolbox=None)

    def load(name: str, asked_at: str | None = None, _series: str = "") -> Recipe:
        try:
            return table[name]
        except KeyError:
            msg = f"there is no recipe called {name!r}"
            raise (RecipeError(msg, where=asked_at) if asked_at else UsageError(msg)) from None

    return load


def needs(text: str) -> str:
    return f"build: x\ninputs: {text}\n"


def test_inputs_choose_their_architecture():
    """Build inputs run here; a toolchain makes things for the target; a tool is the same."""
    load = recipes(
        app=needs("{build: [tool, cc, gen], target: [lib]}"),
        tool="kind: tool\nbuild: x\n",
        cc="kind: toolchain\nbuild: x\n",
        gen="build: x\n",
        lib="build: x\n",
    )
    graph = RecipeGraph([Target("app", "riscv64")], load, "amd64")
    assert graph.needs(Target("app", "riscv64")) == [
        Target("base-toolbox", ""),
        Target("tool", ""),
        Target("cc", "riscv64"),
        Target("gen", "amd64"),
        Target("lib", "riscv64"),
    ]
    order = graph.order()
    assert order.index(Target("lib", "riscv64")) < order.index(Target("app", "riscv64"))


def test_a_cycle_is_told_as_its_path():
    load = recipes(a=needs("{target: [b]}"), b=needs("{target: [c]}"), c=needs("{target: [a]}"))
    with pytest.raises(RecipeError) as caught:
        RecipeGraph([Target("a", "arm64")], load, "amd64")
    path = caught.value.message.split(": ")[1].split(" → ")
    assert path[0] == path[-1]
    assert len(path) == 4
    following = {"a-arm64": "b-arm64", "b-arm64": "c-arm64", "c-arm64": "a-arm64"}
    assert all(following[user] == given for user, given in pairwise(path))


def test_a_recipe_that_needs_itself():
    with pytest.raises(RecipeError, match="a-arm64 → a-arm64"):
        RecipeGraph([Target("a", "arm64")], recipes(a=needs("{target: [a]}")), "amd64")


def test_a_chain_ten_thousand_deep_is_no_recursion():
    texts = {f"n{i}": needs(f"{{target: [n{i + 1}]}}") for i in range(9999)}
    load = recipes(**texts, n9999="build: x\n")
    graph = RecipeGraph([Target("n0", "riscv64")], load, "amd64")
    assert graph.order()[-1] == Target("n0", "riscv64")
    assert len(graph.order()) == 10001


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{build: [gone]}", "no recipe called 'gone'"),
        ("{target: [tool]}", "'tool' is a tool, not a package"),
        ("{build: [source]}", "is a source"),
        ("{target: [only-arm]}", "only-arm is not for riscv64"),
    ],
)
def test_inputs_that_do_not_fit(text: str, says: str):
    load = recipes(
        app=needs(text),
        tool="kind: tool\nbuild: x\n",
        source="kind: source\nsources: {s: {url: u}}\n",
        only_arm="architectures: [arm64]\nbuild: x\n",
    )
    with pytest.raises(RecipeError, match=says) as caught:
        RecipeGraph([Target("app", "riscv64")], load, "amd64")
    assert str(caught.value.where).startswith("app.yaml:2:")


@pytest.mark.parametrize("text", ["{build: [source]}", "{target: [source]}"])
def test_a_source_is_no_input_and_no_advice_says_so(text: str):
    load = recipes(app=needs(text), source="kind: source\nsources: {s: {url: u}}\n")
    with pytest.raises(RecipeError, match="is a source") as caught:
        RecipeGraph([Target("app", "riscv64")], load, "amd64")
    hint = hint_text(caught.value.hint)
    assert "`sources: {source: {from: source}}`" in hint
    assert "inputs.build" not in hint


@pytest.mark.parametrize(
    ("app", "line"),
    [("toolbox: box\nbuild: x\n", 1), (needs("{build: [box]}"), 2)],
)
def test_a_tool_that_names_architectures_is_for_no_other(app: str, line: int):
    """Who names none is for all: the default is that of what runs on the target."""
    load = recipes(
        app=app, box="kind: tool\ntoolbox: base-toolbox\narchitectures: [riscv64]\nbuild: x\n"
    )
    with pytest.raises(RecipeError, match="box is not for arm64") as caught:
        RecipeGraph([Target("app", "arm64")], load, "amd64")
    assert str(caught.value.where).startswith(f"app.yaml:{line}:")
    assert Target("box", "") in RecipeGraph([Target("app", "riscv64")], load, "amd64").order()


def test_what_needs_what():
    load = recipes(
        a=needs("{target: [b]}"), b=needs("{target: [c]}"), c="build: x\n", d="build: x\n"
    )
    a, b, c, d = (Target(name, "arm64") for name in "abcd")
    graph = RecipeGraph([a, d], load, "amd64")
    box = graph.check_toolbox
    assert graph.needed_by(a) == [box, c, b]
    assert graph.needed_by(d) == [box]


def test_a_recipe_that_stands_for_another():
    load = recipes(
        app=needs("{target: [root]}"),
        root="build: x\n",
        whole=needs("{target: [root]}"),
        tool="kind: tool\nbuild: x\n",
    )
    app, root, whole = (Target(name, "riscv64") for name in ("app", "root", "whole"))
    graph = RecipeGraph([app], load, "amd64", variants=Variants(replace={"root": "whole"}))
    assert (graph.needs(app)[1:], graph.needs(whole)[1:]) == ([whole], [root])
    assert (graph.place(app, whole), graph.place(whole, root)) == ("root", "root")
    assert graph.place(app, Target("base-toolbox", "")) == "base-toolbox"
    with pytest.raises(RecipeError, match="'tool' is a tool, not a package"):
        RecipeGraph([app], load, "amd64", variants=Variants(replace={"root": "tool"}))
    with pytest.raises(RecipeError, match="no recipe called 'gone'"):
        RecipeGraph([app], load, "amd64", variants=Variants(replace={"root": "gone"}))
    with pytest.raises(UsageError, match="the replacement of tool: no target input"):
        RecipeGraph([app], load, "amd64", variants=Variants(replace={"tool": "root"}))


def an_option(choices: str) -> str:
    return needs("{target: [root]}") + f"options: {{root: {{input: root, choices: {choices}}}}}\n"


@pytest.fixture
def offered():
    return recipes(
        app=an_option("{plain: root, whole: whole}"),
        other=an_option("{plain: root, none: empty}"),
        plain=needs("{target: [app, root]}"),
        both=needs("{target: [app, other]}"),
        root="build: x\n",
        whole=needs("{target: [root]}"),
        empty="build: x\n",
    )


def test_an_option_is_a_replacement_for_who_declares_it(offered: Load):
    """The value of the input itself changes nothing; whoever offers nothing keeps its input."""
    app, root, whole, plain = (Target(n, "arm64") for n in ("app", "root", "whole", "plain"))

    def graph(**options: str) -> RecipeGraph:
        return RecipeGraph([plain], offered, "amd64", variants=Variants(options=options))

    for each in (graph(), graph(root="plain")):
        assert (each.needs(app)[1:], each.place(app, root)) == ([root], "root")
        assert whole not in each.order()
    changed = graph(root="whole")
    assert (changed.needs(app)[1:], changed.place(app, whole)) == ([whole], "root")
    assert (changed.needs(whole)[1:], changed.needs(plain)[1:]) == ([root], [app, root])


@pytest.mark.parametrize(
    ("target", "said", "says", "hint"),
    [
        ("app", {"rot": "whole"}, "no recipe of these targets has an option 'rot'", "'root'?"),
        ("app", {"root": "hole"}, "the option 'root' of app has no value 'hole'", "'whole'?"),
        ("app", {"x": "y"}, "an option 'x'", "these targets have: root=plain, root=whole"),
        ("root", {"x": "y"}, "an option 'x'", "these targets have no options"),
        ("both", {"root": "whole"}, "of other has no value", "root=plain, root=whole, root=none"),
    ],
)
def test_what_no_option_has(offered: Load, target: str, said: dict[str, str], says: str, hint: str):
    with pytest.raises(UsageError, match=says) as caught:
        RecipeGraph([Target(target, "arm64")], offered, "amd64", variants=Variants(options=said))
    assert hint in hint_text(caught.value.hint)


def test_an_option_and_a_replacement_must_agree(offered: Load):
    app = [Target("app", "arm64")]
    for choice in ("plain", "whole"):
        two = Variants(options={"root": choice}, replace={"root": "empty"})
        with pytest.raises(UsageError, match="the replacement root=empty is another"):
            RecipeGraph(app, offered, "amd64", variants=two)
    same = Variants(options={"root": "whole"}, replace={"root": "whole"})
    assert Target("whole", "arm64") in RecipeGraph(app, offered, "amd64", variants=same).order()


FILE = "rvbuild.toml"


@pytest.mark.parametrize(
    ("target", "said", "root"),
    [
        ("app", Variants(options={"root": "whole"}, files={"options.root": FILE}), "whole"),
        ("root", Variants(options={"root": "whole"}, files={"options.root": FILE}), None),
        ("other", Variants(options={"root": "whole"}, files={"options.root": FILE}), "root"),
        ("app", Variants(replace={"root": "whole"}, files={"replace.root": FILE}), "whole"),
        ("root", Variants(replace={"root": "whole"}, files={"replace.root": FILE}), None),
        (
            "app",
            Variants(
                options={"root": "whole"}, replace={"root": "empty"}, files={"replace.root": FILE}
            ),
            "whole",
        ),
        (
            "app",
            Variants(
                options={"root": "whole"}, replace={"root": "empty"}, files={"options.root": FILE}
            ),
            "empty",
        ),
    ],
)
def test_a_file_says_it_for_who_has_it(
    offered: Load, target: str, said: Variants, root: str | None
):
    """What is said for one run is strict, and stronger."""
    user = Target(target, "arm64")
    graph = RecipeGraph([user], offered, "amd64", variants=said)
    inputs = [each.recipe for each in graph.needs(user)[1:]]
    assert inputs == ([root] if root else [])


@pytest.mark.parametrize(
    "said",
    [
        {"options": {"root": "whole"}, "replace": {"root": "empty"}},
        {"replace": {"root": "app", "app": "app"}},
        {"replace": {"app": "root"}},
    ],
)
def test_a_file_that_does_not_fit_is_named(offered: Load, said: dict[str, dict[str, str]]):
    files = {f"{table}.{name}": FILE for table, entries in said.items() for name in entries}
    variants = Variants(**said, files=files)
    with pytest.raises(UsageError) as caught:
        RecipeGraph([Target("plain", "arm64")], offered, "amd64", variants=variants)
    assert caught.value.where == FILE


@pytest.mark.parametrize(
    ("table", "entry", "says", "hint"),
    [
        ("options", {"rot": "whole"}, "no recipe has such an option", "'root'? recipes have: root"),
        ("options", {"root": "hole"}, "no recipe has a value 'hole'", "'whole'? recipes have"),
        ("replace", {"rot": "whole"}, "no recipe has such a target input", "'root'?"),
        ("replace", {"x": "whole"}, "no recipe has such a target input", "'inputs.target'"),
    ],
)
def test_what_no_recipe_has_is_told_with_the_file(
    offered: Load, table: str, entry: dict[str, str], says: str, hint: str
):
    recipes = [offered(name, None) for name in ("app", "other", "root")]
    name = next(iter(entry))
    variants = Variants(**{table: entry}, files={f"{table}.{name}": FILE})
    assert variants.absent(recipes) == [f"{table}.{name}"]
    with pytest.raises(UsageError, match=says) as caught:
        variants.refuse_unknown(recipes)
    assert (caught.value.where, hint in hint_text(caught.value.hint)) == (FILE, True)


@pytest.mark.parametrize(
    "variants", [Variants(), Variants(options={"root": "none"}, files={"options.root": FILE})]
)
def test_what_some_recipe_has_is_no_error(offered: Load, variants: Variants):
    """It need not be one of these targets."""
    variants.refuse_unknown([offered("app", None), offered("other", None)])


@pytest.mark.parametrize(
    "said",
    [
        Variants(replace={"root": "empty"}),
        Variants(replace={"root": "whole", "empty": "whole"}),
        Variants(replace={"empty": "whole"}, options={"root": "whole"}),
        Variants(
            replace={"empty": "whole"}, options={"root": "whole"}, files={"options.root": FILE}
        ),
    ],
)
def test_no_recipe_is_two_inputs(said: Variants):
    load = recipes(
        app=needs("{target: [root, empty]}")
        + "options: {root: {input: root, choices: {plain: root, whole: whole}}}\n",
        root="build: x\n",
        empty="build: x\n",
        whole="build: x\n",
    )
    with pytest.raises(UsageError, match="would be two inputs of app: root and empty") as caught:
        RecipeGraph([Target("app", "arm64")], load, "amd64", variants=said)
    assert caught.value.where == next(iter(said.files.values()), None)
    assert "--replace" in hint_text(caught.value.hint)


def test_a_choice_that_does_not_fit_is_blamed_where_it_is_offered():
    load = recipes(
        app=needs("{target: [root]}")
        + "options:\n  root: {input: root, choices: {plain: root, far: far}}\n",
        root="build: x\n",
        far="architectures: [riscv64]\nbuild: x\n",
    )
    app = [Target("app", "arm64")]
    for said, line in ({"options": {"root": "far"}}, 4), ({"replace": {"root": "far"}}, 2):
        with pytest.raises(RecipeError, match="far is not for arm64") as caught:
            RecipeGraph(app, load, "amd64", variants=Variants(**said))
        assert str(caught.value.where).startswith(f"app.yaml:{line}:")


def test_targets():
    load = recipes(app="architectures: [riscv64]\nbuild: x\n", tool="kind: tool\nbuild: x\n")
    assert parse_target("app-riscv64", load) == Target("app", "riscv64")
    assert parse_target("tool", load) == Target("tool", "")
    for text, hint in (("app-arm64", "riscv64"), ("app", "app-riscv64"), ("tool-arm64", "`tool`")):
        with pytest.raises(UsageError) as caught:
            parse_target(text, load)
        assert hint in hint_text(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("app-riscv64", Target("app", "riscv64")),
        ("app", Target("app", "")),
        ("app-mips", Target("app-mips", "")),
        ("-riscv64", Target("", "riscv64")),
    ],
)
def test_the_form_of_a_target_needs_no_recipe(text: str, target: Target):
    assert target_form(text) == target


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("app-riscv63", "no architecture 'riscv63'", "`app-riscv64`"),
        ("app-rv64gc", "no architecture 'rv64gc'", "`app-riscv64`"),
        ("app-x86_64", "no architecture 'x86_64'", "`app-amd64`"),
        ("riscv64", "an architecture alone", "runc-riscv64"),
        ("./recipes/app", "not a path", "`rvbuild show`"),
        ("ap-riscv63", "no recipe called 'ap-riscv63'", ""),
        ("app-nothing", "no recipe called 'app-nothing'", ""),
        ("far-arm46", "no recipe called 'far-arm46'", ""),
    ],
)
def test_what_is_nearly_a_target_is_told_so(text: str, message: str, hint: str):
    load = recipes(app="build: x\n", far="architectures: [riscv64]\nbuild: x\n")
    with pytest.raises(UsageError, match=message) as caught:
        parse_target(text, load)
    assert hint in hint_text(caught.value.hint)


def test_a_target_is_checked_by_others_for_the_same_architecture():
    load = recipes(
        app="build: x\nchecked-by: [machine]\n",
        machine="build: x\nchecked-by: [app, far]\n",
        far="architectures: [riscv64]\nbuild: x\n",
        odd="build: x\nchecked-by: [tool]\n",
        tool="kind: tool\nbuild: x\n",
    )
    app, machine = Target("app", "riscv64"), Target("machine", "riscv64")
    assert with_checkers([app, app], load) == (app, machine, Target("far", "riscv64"))
    app, machine = Target("app", "arm64"), Target("machine", "arm64")
    assert with_checkers([app], load) == (app, machine)
    with pytest.raises(RecipeError, match="'tool' is a tool, not a package") as caught:
        with_checkers([Target("odd", "arm64")], load)
    assert ":" in str(caught.value.where)


def test_a_toolbox_must_be_a_tool():
    load = recipes(app="toolbox: lib\nbuild: x\n", lib="build: x\n")
    with pytest.raises(RecipeError, match="cannot be a toolbox"):
        RecipeGraph([Target("app", "riscv64")], load, "amd64")


def test_the_emulator_of_checks_must_be_a_toolchain():
    """Also where a project has a recipe of its own by that name."""
    load = recipes(app="build: x\nchecks: [{run: app}]\n", qemu_user="build: x\n")
    with pytest.raises(RecipeError, match="'qemu-user' cannot run programs in checks") as caught:
        RecipeGraph([Target("app", "riscv64")], load, "amd64", checks=True)
    assert caught.value.where == load("app", None).at("checks")


def test_checks_bring_the_emulator_only_for_foreign_targets():
    load = recipes(
        app="build: x\nchecks: [{run: app}]\n",
        qemu_user="kind: toolchain\nbuild: x\n",
    )
    foreign = RecipeGraph([Target("app", "riscv64")], load, "amd64", checks=True)
    assert Target("qemu-user", "riscv64") in foreign.order()
    native = RecipeGraph([Target("app", "amd64")], load, "amd64", checks=True)
    assert "qemu-user" not in {each.recipe for each in native.order()}
