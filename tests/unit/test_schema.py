"""The JSON Schemas say what the readers do."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from rvbuild.core.errors import RecipeError
from rvbuild.core.graph import RecipeGraph, Target, with_checkers
from rvbuild.core.variants import Variants
from rvbuild.kinds.table import TAGS
from rvbuild.recipes_yaml.collection import RecipeCollection
from rvbuild.recipes_yaml.format_page import with_kinds
from rvbuild.recipes_yaml.recipe import read_recipe
from rvbuild.recipes_yaml.schema import lock_schema, recipe_schema, write_schemas

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "recipes").glob("*/recipe.yaml"))


def accepted_by_reader(text: str) -> bool:
    try:
        read_recipe(text.encode(), "x", "x.yaml")
    except RecipeError:
        return False
    return True


def accepted_by_schema(text: str) -> bool:
    return Draft202012Validator(recipe_schema()).is_valid(yaml.safe_load(text))


def test_the_checked_in_page_has_the_generated_kinds():
    """`python -m rvbuild.recipes_yaml.format_page docs/format.md` mends this."""
    page = (ROOT / "docs/format.md").read_text()
    assert page == with_kinds(page)
    assert all(f"\n| `{tag}` | " in page for tag in TAGS)


def test_the_checked_in_schemas_are_the_generated_ones(tmp_path: Path):
    """`python -m rvbuild.recipes_yaml.schema docs/schema` mends this."""
    write_schemas(str(tmp_path))
    for name in ("recipe.schema.json", "lock.schema.json"):
        assert (ROOT / "docs" / "schema" / name).read_text() == (tmp_path / name).read_text()


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.parent.name)
def test_every_shipped_recipe_fits_reader_and_schema(path: Path):
    text = path.read_text()
    RecipeCollection((str(path.parents[1]),)).load(path.parent.name)
    errors = [
        e.message for e in Draft202012Validator(recipe_schema()).iter_errors(yaml.safe_load(text))
    ]
    assert errors == []


def test_every_shipped_recipe_is_checked_by_one_that_fits():
    """For one of its architectures at least: a checker for none would never be asked for."""
    folder = RecipeCollection((str(ROOT / "recipes"),))
    checkers = {
        (name, checker): [
            arch
            for arch in folder.load(name, None).architectures
            if Target(folder.load(checker).name, arch)
            in with_checkers([Target(name, arch)], folder.load)
        ]
        for name in folder.names()
        for checker in folder.load(name, None).checked_by
    }
    assert checkers
    assert all(checkers.values())


def test_every_choice_that_a_shipped_recipe_offers_is_a_recipe():
    """Each for one of its architectures at least, and of a kind that can stand there."""
    folder = RecipeCollection((str(ROOT / "recipes"),))
    for name in folder.names():
        recipe = folder.load(name, None)
        for key, option in recipe.options.items():
            for value in option.choices:
                fits = Variants(options={key: value})
                archs = {*recipe.architectures}
                archs &= {*folder.load(option.choices[value], recipe.file).architectures}
                assert archs
                for arch in archs:
                    RecipeGraph([Target(name, arch)], folder.load, "amd64", variants=fits)


@pytest.mark.parametrize(
    "text",
    [
        "build: x\nbiuld: x\n",
        "build: x\nkind: pakage\n",
        "build: x\narchitectures: [riscv]\n",
        "build: x\npins: {a-b: '1'}\n",
        "build: x\ninputs: {target: [a]}\noptions: {o: {input: a}}\n",
        "build: x\ninputs: {target: [a]}\noptions: {o: {input: a, choices: {x: a}}}\n",
        "build: x\ninputs: {target: [a]}\noptions: {o: {input: a, choices: {x: a, Y: b}}}\n",
        "build: x\ninputs: {target: [a]}\noptions: {O: {input: a, choices: {x: a, y: b}}}\n",
        "build: x\nversion: {from: a}\n",
        "build: x\nversion: {from: a, line: 1}\n",
        "build: x\nversion: {from: a, git: tag}\n",
        "build: x\nsources: {a: {git: u, commit: v1.0}}\n",
        "build: x\nsources: {a: {url: u, sha256: abc}}\n",
        "build: x\nsources: {a: {git: u, url: u}}\n",
        "build: x\nsources: {a: {debian: [p], suite: s, architecture: riscv}}\n",
        "build: x\nsources: {a: {debian: [p], suite: s, architecture: ''}}\n",
        "build: x\nsources: {A: {url: u}}\n",
        "build: x\nlimits: {timeout: -1}\n",
        "build: x\noutputs: {a: {kind: file}}\n",
        "build: x\noutputs: {a: {path: a, detected: [f]}}\n",
        "build: x\noutputs: {a: {path: a, detected: {f: ''}}}\n",
        "build: x\nchecks: {run: a}\n",
        "build: x\noutputs: {a: {path: 'a/*', kind: tree}}\n",
        "build: x\noutputs: {a: {path: 'a*', kind: image}}\n",
        "build: x\nsources: {a: {url: u, patches: a}}\n",
        "build: x\naccelerators: [rust]\n",
        "build: x\nversion: {literal: a, instead: {value: b, because: [x]}}\n",
        "build: x\nversion: {literal: a, instead: {value: b, because: [], while: a}}\n",
        "build: x\nversion: {literal: a, instead: {value: b, because: [x], while: a, until: x}}\n",
        "build: x\nversion: {from: a, git: short, instead: {value: b, because: [x], while: a}}\n",
        "build: x\nversion: {one-of: [{literal: a, instead: {}}]}\n",
    ],
)
def test_what_the_reader_refuses_the_schema_refuses(text: str):
    assert not accepted_by_reader(text)
    assert not accepted_by_schema(text)


def test_the_lock_fits_its_schema():
    lock = ROOT / "rvbuild.lock"
    errors = [
        e.message
        for e in Draft202012Validator(lock_schema()).iter_errors(yaml.safe_load(lock.read_text()))
    ]
    assert errors == []
    json.dumps(lock_schema())
