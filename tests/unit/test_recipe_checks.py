"""Each program that a recipe makes for the target is run once by one of its checks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from rvbuild.core.output_patterns import is_pattern
from rvbuild.core.recipe import FOR_TARGET, Recipe
from rvbuild.recipes_yaml.collection import RecipeCollection
from rvbuild.recipes_yaml.recipe import read_recipe

FOLDER = RecipeCollection((str(Path(__file__).parents[2] / "recipes"),))


def unrun(recipe: Recipe) -> Iterable[str]:
    """The executable outputs whose name begins no command of any check.

    A command begins a line or follows one of ``| ; & (``. What a pattern means nobody knows before
    it is built: there must be a check at all.
    """
    for output in recipe.outputs.values():
        if is_pattern(output.path):
            if output.kind == "executable" and not recipe.checks:
                yield f"{recipe.name}/{output.path}"
            continue
        name = re.escape(output.path.rsplit("/", 1)[-1])
        begins = re.compile(rf"(?:^|[|;&(])\s*{name}(?=\s|$)", re.MULTILINE)
        if any(check.is_version for check in recipe.checks):
            continue  # it asks all of them
        if output.kind == "executable" and not any(begins.search(c.run) for c in recipe.checks):
            yield f"{recipe.name}/{output.path}"


@pytest.mark.parametrize("name", FOLDER.names())
def test_every_program_for_the_target_is_run(name: str):
    recipe = FOLDER.load(name)
    if recipe.kind in FOR_TARGET:
        assert list(unrun(recipe)) == []


def strangers(recipe: Recipe) -> Iterable[str]:
    """Commands whose answer must have the recipe's version, and that are no program of it.

    The toolbox may have one of that name, with a version of its own.
    """
    names = [output.path.rsplit("/", 1)[-1] for output in recipe.outputs.values()]
    for check in recipe.checks:
        first = check.run.split(None, 1)[0] if check.run else ""
        if "${version}" in (check.expect or "") and first not in names:
            yield first


@pytest.mark.parametrize("name", FOLDER.names())
def test_who_is_asked_for_the_version_is_a_program_of_the_recipe(name: str):
    assert list(strangers(FOLDER.load(name))) == []


def test_a_program_of_the_toolbox_is_a_stranger():
    text = "build: x\noutputs: {it: {path: bin/it, kind: executable}}\nchecks:\n"
    checks = '  - {run: %s --version, expect: "${version}"}\n'
    recipe = read_recipe((text + checks % "it" + checks % "other").encode(), "x", "x.yaml")
    assert [*strangers(recipe)] == ["other"]


def test_a_pattern_wants_a_check():
    text = "build: x\noutputs: {it: {path: 'bin/*', kind: executable}}\n"
    assert [*unrun(read_recipe(text.encode(), "x", "x.yaml"))] == ["x/bin/*"]
    assert not [*unrun(read_recipe(f"{text}checks: [{{run: x}}]".encode(), "x", "x.yaml"))]


@pytest.mark.parametrize(
    ("run", "counts"),
    [
        ("it --version", True),
        ("it", True),
        ("echo x | it -r", True),
        ("true && it", True),
        ("cd /\nit -V", True),
        ("echo it", False),
        ("it-not --version", False),
        ("not-it --version", False),
        ("cat /in/x/bin/it", False),
    ],
)
def test_a_name_that_is_only_spoken_of_does_not_count(run: str, *, counts: bool):
    text = "build: x\noutputs:\n  it: {path: bin/it, kind: executable}\nchecks:\n  - run: |\n"
    text += "".join(f"      {line}\n" for line in run.splitlines())
    found = [*unrun(read_recipe(text.encode(), "x", "x.yaml"))]
    assert found == ([] if counts else ["x/bin/it"])
