"""`--replace` and `--option`: one recipe stands for another, end to end."""

from __future__ import annotations

import pytest
from world import HERE, OTHER, World

pytestmark = pytest.mark.privileged


def test_a_recipe_stands_for_another_until_it_is_no_longer_said(world: World):
    """What was asked for lies where it is asked for, and each answer is remembered apart."""
    world.step("root", 'echo plain > "$out/out.txt"')
    more = "inputs: {target: [root]}\n"
    world.step("whole", 'sed "s/$/ and more/" /in/root/out.txt > "$out/out.txt"', more)
    world.step("app", 'cp /in/root/out.txt "$out/out.txt"', more)
    target, replace = f"app-{HERE}", ("--replace", "root=whole")
    result = world.folder / f"result/{target}/out.txt"
    for options, text in ((), "plain\n"), (replace, "plain and more\n"), ((), "plain\n"):
        world.fine(target, *options)
        assert result.read_text() == text
    assert world.planned(target, *replace)["tasks"] == []
    for word, says in ("root", "not of the form"), ("other=whole", "no target input"):
        ran = world.run(target, "--replace", word)
        assert (ran.code, ran.out) == (2, "")
        ran.said("error: ", "replace", says, "hint: ")


OFFERED = """\
inputs: {target: [root]}
options:
  root: {input: root, choices: {plain: root, whole: whole}}
"""


def test_a_variant_that_a_recipe_offers(world: World):
    """It is the replacement, to the last key; the default is the build without any."""
    world.step("root", 'echo plain > "$out/out.txt"')
    world.step("whole", 'echo whole > "$out/out.txt"')
    world.step("app", 'cp /in/root/out.txt "$out/out.txt"', OFFERED)
    target, whole, plain = f"app-{HERE}", ("--option", "root=whole"), ("--option", "root=plain")
    result = world.folder / f"result/{target}/out.txt"
    for options, text in ((), "plain\n"), (whole, "whole\n"), (plain, "plain\n"):
        world.fine(target, *options)
        assert result.read_text() == text
    for same in ((), plain), (("--replace", "root=whole"), whole):
        keys = [world.fine("show", "--json", target, *words).json["targets"] for words in same]
        assert keys[0] == keys[1]
    assert world.planned(target, *whole)["tasks"] == []
    assert world.fine("log", target, *whole).out == ""


def test_show_tells_the_options_with_their_values(world: World):
    for name in ("root", "whole"):
        world.step(name, 'touch "$out/out.txt"')
    world.step("app", 'touch "$out/out.txt"', OFFERED)
    world.step("user", 'touch "$out/out.txt"', "inputs: {target: [app]}\n")
    shown = world.fine("show", f"user-{HERE}", f"app-{OTHER}", "--option", "root=whole").out
    options = [line.split() for line in shown.splitlines() if line.startswith("  --option")]
    of_each = [
        ["--option", "root=plain", "root:", "root"],
        ["--option", "root=whole", "whole", "(taken):", "whole"],
    ]
    assert options == 2 * of_each
    found = world.fine("show", "--json", f"user-{HERE}").json["options"]
    assert [(each["recipe"], each["value"], each["taken"]) for each in found] == [
        ("app", "plain", True), ("app", "whole", False),
    ]  # fmt: skip


@pytest.mark.parametrize("command", ["build", "check", "plan", "show", "fetch", "log"])
def test_an_option_that_is_none_is_told_with_those_there_are(world: World, command: str):
    for name in ("root", "whole"):
        world.step(name, 'touch "$out/out.txt"')
    world.step("app", 'touch "$out/out.txt"', OFFERED)
    said = (
        (("rot=whole",), "an option 'rot'", "did you mean 'root'? these targets have: root=plain"),
        (("root=hole",), "has no value 'hole'", "did you mean 'whole'?"),
        (("root=whole", "root=plain"), "root is said twice", "say one"),
        (("root",), "not of the form NAME=VALUE", "--option"),
    )
    for words, says, hint in said:
        given = [part for word in words for part in ("--option", word)]
        ran = world.run(command, f"app-{HERE}", *given)
        assert (ran.code, ran.out) == (2, "")
        ran.said("error: ", "option ", says, "hint: ", hint)
    ran = world.run(command, f"app-{HERE}", "--option", "root=plain", "--replace", "root=whole")
    assert ran.code == 2
    ran.said("error: the option root=plain is root, but the replacement root=whole is another")


def test_a_value_is_offered_only_where_it_fits(world: World):
    for name, more in ("root", ""), ("whole", f"architectures: [{OTHER}]\n"):
        world.step(name, 'touch "$out/out.txt"', more)
    world.step("app", 'touch "$out/out.txt"', OFFERED)
    for target, values in (f"app-{HERE}", ["plain"]), (f"app-{OTHER}", ["plain", "whole"]):
        found = world.fine("show", "--json", target).json["options"]
        assert [each["value"] for each in found] == values
    ran = world.run("plan", f"app-{HERE}", "--option", "root=whole")
    assert ran.code == 3
    ran.said(f"whole is not for {HERE}", "app/recipe.yaml:7:")


def test_lock_reads_each_recipe_that_an_option_offers(world: World):
    world.step("root", 'touch "$out/out.txt"')
    world.step("app", 'touch "$out/out.txt"', OFFERED)
    ran = world.run("lock", "app")
    assert ran.code == 3
    ran.said("no recipe called 'whole'", "app/recipe.yaml:7:")
