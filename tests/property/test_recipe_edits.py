"""Odd recipe files: what is edited changes, and not one character else.

The oracle knows nothing of how an edit is made. Whoever wrote the file says where each value
stands, so all before and behind it must be the same characters; and PyYAML's parser in Python,
which rvbuild does not use, reads that value there, as a text.
"""

from __future__ import annotations

import os
import re
from copy import deepcopy
from random import Random

import pytest
import yaml
from odd_recipes import LINES, TEXTS, Model, OddRecipe, Path, odd_recipe

from rvbuild.recipes_yaml.edit import add_entry, remove_entry, set_text

SEEDS = range(int(os.environ.get("RVBUILD_ODD_RECIPES", "240")))
TEXT_TAG = "tag:yaml.org,2002:str"
NUMBER = re.compile("0o[0-7]+|[0-9]+e[0-9]+")  # of YAML 1.2, which PyYAML takes for texts
PLAIN = ("c5b1587989339683f95208ce26e07c3e1ada62c6", "v1.35.1+k3s1")


def for_python(text: str) -> str:
    """The file for a parser that takes no tab between words; the only one in a text is behind Q."""
    return re.sub("(?<!Q)\t", " ", text)


def says(text: str) -> object:
    return yaml.load(for_python(text), Loader=yaml.BaseLoader)  # noqa: S506 - texts only


def tag_at(text: str, path: Path) -> str:
    node = yaml.compose(for_python(text), Loader=yaml.SafeLoader)
    for each in path:
        node = next(value for key, value in node.value if key.value == each)
    return str(node.tag)


def text_at(model: Model, path: Path) -> str:
    value: str | Model = model
    for key in path:
        assert isinstance(value, dict)
        value = value[key]
    assert isinstance(value, str)
    return value


def changed(model: Model, path: Path, value: str | Model) -> Model:
    result = deepcopy(model)
    at = result
    for key in path[:-1]:
        inner = at[key]
        assert isinstance(inner, dict)
        at = inner
    at[path[-1]] = value
    return result


def check_value(recipe: OddRecipe, path: Path, value: str) -> None:
    before, slot = recipe.text, recipe.slots[path]
    after = set_text(recipe.data, "r", path, value).decode()
    head, tail = before[: slot.begin], before[slot.end :]
    assert after.startswith(head)
    assert after.endswith(tail)
    assert len(after) >= len(head) + len(tail)
    assert says(after) == changed(recipe.model, path, value)
    assert tag_at(after, path) in {TEXT_TAG, tag_at(before, path)}
    check_style(before[slot.begin : slot.end], after[slot.begin : len(after) - len(tail)], value)


def check_style(old: str, new: str, value: str) -> None:
    """The style stays where it can hold the value; so does a comment behind ``|``."""
    notes = re.findall(r"\A[|>][-+0-9]* +(#\d+ by)", old)
    assert all(note in new for note in notes)
    if old[:1] == '"' or (old[:1] == "'" and value.isprintable()):
        assert new[0] == old[0]
    elif value in PLAIN:
        assert new == value if old[:1] not in "|>'" else new[0] == old[0]
    elif old[:1] in "|>":
        assert new[0] in "|>" or value not in LINES


def neighbours(text: str) -> dict[str, str]:
    """To which line each comment belongs, by the comment."""
    lines = re.split("\r\n|\r|\n", text)
    found = {}
    for at, line in enumerate(lines):
        for comment, kind in re.findall(r"(#\d+ (of|by|under)).*", line):
            step = {"of": 1, "by": 0, "under": -1}[kind]
            near = at + step
            while step and re.match(r"\s*(#\d+ .*)?\Z", lines[near]):
                near += step
            found[comment] = lines[near]
    return found


def is_within(part: str, whole: str) -> bool:
    """Whether a text has all characters of another in their order."""
    rest = iter(whole)
    return all(character in rest for character in part)


def check_entry(recipe: OddRecipe, path: Path, words: str | Model) -> None:
    before = recipe.text
    after = add_entry(recipe.data, "r", path, words).decode()
    assert says(after) == changed(recipe.model, path, words)
    for value in [words] if isinstance(words, str) else words:
        at = path if isinstance(words, str) else (*path, value)
        beside = {tag_at(before, each) for each in recipe.slots if each[0] == path[0]}
        assert tag_at(after, at) in {TEXT_TAG, *beside}
    assert is_within(before, after)
    old, new = neighbours(before), neighbours(after)
    assert old.keys() == new.keys()
    assert [comment for comment in old if not is_within(old[comment], new[comment])] == []
    assert remove_entry(after.encode(), "r", path).decode() == before


@pytest.mark.parametrize("seed", SEEDS)
def test_a_value_changes_and_nothing_else(seed: int):
    recipe, chance = odd_recipe(seed), Random(seed)  # noqa: S311 - an example, no secret
    assert says(recipe.text) == recipe.model, "the file is not what its writer says"
    for path in chance.sample(sorted(recipe.slots), 4):
        for value in (chance.choice(TEXTS), chance.choice(PLAIN), chance.choice(LINES)):
            if value != text_at(recipe.model, path):
                check_value(recipe, path, value)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_entry_comes_between_others_and_goes_again(seed: int):
    recipe, chance = odd_recipe(seed), Random(seed)  # noqa: S311 - an example, no secret
    commit = f"{chance.getrandbits(160):040x}"
    words: Model = {"commit": commit, "end-of-support": "2041-02-28"}
    number = chance.choice((28, 30, 32, 34, 36, 38, 40))
    check_entry(recipe, ("per-series", f"1.{number}"), words)
    check_entry(recipe, ("sources", "k3s", "tag"), chance.choice(TEXTS))
    check_entry(recipe, ("env", "C"), chance.choice(TEXTS))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_plain_value_that_changes_back_gives_the_same_bytes(seed: int):
    recipe = odd_recipe(seed)
    for path, slot in recipe.slots.items():
        old = text_at(recipe.model, path)
        is_plain = recipe.text[slot.begin : slot.end] == old
        if is_plain and tag_at(recipe.text, path) == TEXT_TAG and not NUMBER.fullmatch(old):
            moved = set_text(recipe.data, "r", path, PLAIN[0])
            assert set_text(moved, "r", path, old) == recipe.data
