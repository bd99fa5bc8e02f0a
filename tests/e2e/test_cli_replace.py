"""`--replace`: one recipe stands for another, end to end."""

from __future__ import annotations

import pytest
from world import HERE, World

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
        ran.said(f"error: --replace {word.split('=', maxsplit=1)[0]}: ", says, "hint: ")
