"""What a process can be given: the kernel says the same, and a recipe is told with its place."""

from __future__ import annotations

import resource
import subprocess

import pytest

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import RecipeError
from rvbuild.core.graph import RecipeGraph, Target
from rvbuild.core.link import Linker
from rvbuild.core.lock import GoModuleSet
from rvbuild.core.process_limits import MAX_WORD, MAX_WORDS, word_problems
from rvbuild.core.recipe import GoModulesSpec, Recipe
from rvbuild.core.source import Source
from rvbuild.executors.limits import Limits
from rvbuild.kinds.url.source import UrlSource
from rvbuild.recipes_yaml.recipe import read_recipe


def starts(environment: dict[str, str], script: str) -> bool:
    """Whether the kernel starts a process with them, with the stack that a step has."""
    stack = dict(Limits().table())[resource.RLIMIT_STACK]
    try:
        subprocess.run(
            ["/bin/sh", "-c", script],
            env=environment,
            check=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_STACK, (stack, stack)),
        )
    except OSError:
        return False
    return True


def text(size: int) -> str:
    return "#" * size


LONGEST = MAX_WORD - 1
WORDS: dict[str, tuple[dict[str, str], str, str]] = {
    "nothing": ({}, ":", ""),
    "the longest script": ({}, text(LONGEST), ""),
    "a longer script": ({}, text(LONGEST + 1), "build"),
    "a script of two bytes a letter": ({}, "#" + "ä" * (LONGEST // 2), ""),
    "a longer one of these": ({}, "##" + "ä" * (LONGEST // 2), "build"),
    "the longest variable": ({"A": text(LONGEST - 2)}, ":", ""),
    "a longer variable": ({"A": text(LONGEST - 1)}, ":", "A"),
    "many": ({f"A{n}": text(100_000) for n in range(19)}, ":", ""),
    "too many": ({f"A{n}": text(100_000) for n in range(20)} | {"B": text(120_000)}, ":", "B"),
    "far too many": ({f"A{n:06}": "" for n in range(130_000)}, ":", "A000000"),
}


@pytest.mark.parametrize(("environment", "script", "wrong"), WORDS.values(), ids=WORDS)
def test_what_is_too_long(environment: dict[str, str], script: str, wrong: str):
    problems = [name for name, _ in word_problems(environment, {"build": script})]
    assert problems == ([wrong] if wrong else [])


@pytest.mark.parametrize(("environment", "script", "wrong"), WORDS.values(), ids=WORDS)
def test_the_kernel_agrees(environment: dict[str, str], script: str, wrong: str):
    """It takes all that is taken. With pages of more than 4 KiB it takes longer words, too."""
    if not wrong or resource.getpagesize() == 4096:
        total = sum(map(len, environment.values()))
        assert starts(environment, script) == (not wrong or MAX_WORDS < total < 2 << 20)


@pytest.mark.parametrize("environment", [{"A": "a\0b"}, {"A\0": ""}])
def test_a_nul_ends_a_word_for_the_kernel(environment: dict[str, str]):
    (problem,) = word_problems(environment, {})
    assert "NUL" in problem[1]
    with pytest.raises(ValueError, match="null byte"):
        starts(environment, ":")


class Pins:
    """Each pin is long; sources are files."""

    def pin(self, recipe: Recipe, name: str) -> str:
        value = recipe.all_pins[name]
        return value if isinstance(value, str) else "x" * 200_000

    def source(self, recipe: Recipe, name: str) -> tuple[Source, ...]:
        return (UrlSource(urls=(f"{recipe.name}/{name}.tar",), sha256="0" * 64),)

    def modules(self, _recipe: Recipe, _spec: GoModulesSpec) -> GoModuleSet:
        raise NotImplementedError


BOX = "kind: tool\ntoolbox: none\nsources: {box: {url: https://e.org/box.tar}}\n"
APP = "kind: tool\nversion: '1'\nsources: {s: {url: https://e.org/s.tar}}\n"
LONG = "x" * 200_000
TOLD = {
    "env": (f"{APP}env: {{A: {LONG}}}\nbuild: x\n", 4, "variable A"),
    "a reference": (f"{APP}pins: {{l: {LONG}}}\nenv: {{A: '${{l}}'}}\nbuild: x\n", 4, "variable l"),
    "a pin": (f"{APP}pins:\n  l: {LONG}\nbuild: x\n", 5, "variable l"),
    "a pin that was read": (
        f"{APP}pins:\n  l: {{from: s, line: 1, file: f}}\nbuild: x\n", 5, "variable l",
    ),
    "build": (f"{APP}build: |\n  echo {LONG}\n", 4, "the script"),
    "checks": (f"{APP}build: x\nchecks:\n  - run: echo {LONG}\n", 5, "the script"),
}  # fmt: skip


def linked(texts: dict[str, str]) -> None:
    targets = (Target("app", ""),)
    recipes = {n: read_recipe(t.encode(), n, f"{n}/recipe.yaml") for n, t in texts.items()}
    graph = RecipeGraph(
        targets, lambda name, _at=None, _series="": recipes[name], "amd64", checks=True
    )
    Linker(graph, Pins(), "amd64").link(targets, checks=True)


@pytest.mark.parametrize(("recipe", "line", "says"), TOLD.values(), ids=TOLD)
def test_the_recipe_is_told_with_its_place(recipe: str, line: int, says: str):
    with pytest.raises(RecipeError, match=says) as caught:
        linked({"app": recipe, "base-toolbox": BOX})
    assert str(caught.value.where).startswith(f"app/recipe.yaml:{line}:")
    assert "/in/recipe" in hint_text(caught.value.hint)
