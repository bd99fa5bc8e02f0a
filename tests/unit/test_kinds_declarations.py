"""What a kind declares of its keys is what reader, schema and a lock's line do with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
import yaml
from attrs import evolve, frozen
from jsonschema import Draft202012Validator

from rvbuild.core.errors import LockError, RecipeError
from rvbuild.core.lock import Lock
from rvbuild.core.recipe import FromSpec, substitute_spec
from rvbuild.core.source import Files
from rvbuild.core.spec import SourceSpec
from rvbuild.core.spec_text import spec_text
from rvbuild.kinds.declaration import HEX, TEXT, TEXTS, Fact, Form, Key, keys
from rvbuild.kinds.git.source import GitSource
from rvbuild.kinds.git.spec import GitSpec
from rvbuild.kinds.table import SECTIONS, TAGS, kind, spec_of
from rvbuild.recipes_yaml.document import parse
from rvbuild.recipes_yaml.fields import Fields
from rvbuild.recipes_yaml.lock import read_lock, write_lock
from rvbuild.recipes_yaml.lock_facts import values_in
from rvbuild.recipes_yaml.recipe import read_recipe
from rvbuild.recipes_yaml.schema import lock_schema, recipe_schema

SCHEMA = Draft202012Validator(recipe_schema())
SAMPLES = ("text", "v1.2.3", "7", "false", "a" * 40, "a" * 64, "riscv64")
"""Texts of which each form takes one at least, none of them a default."""


def takes(key: Key, text: str) -> bool:
    try:
        key.form.parse(text)
    except ValueError:
        return False
    return not key.form.choices or text in key.form.choices


def sample(key: Key) -> object:
    """What can stand under a key, and is not its default."""
    if key.form.many:
        return ["a", "b"]
    if key.form.members:
        return {member: f"{member}.x" for member in key.form.members}
    return next(text for text in SAMPLES if takes(key, text))


def mappings(tag: str) -> Iterator[dict[str, object]]:
    """Each choice of the keys that need not be there."""
    declared = keys(spec_of(tag))
    needed = {key.word: sample(key) for key in declared if key.required}
    optional = [key for key in declared if not key.required]
    for count in range(len(optional) + 1):
        for chosen in combinations(optional, count):
            yield {**needed, **{key.word: sample(key) for key in chosen}}


def read(source: object) -> SourceSpec:
    recipe = json.dumps({"build": "x", "sources": {"s": source}}).encode()
    return read_recipe(recipe, "x", "x.yaml").sources["s"].spec


def refused(source: object) -> bool:
    with pytest.raises(RecipeError) as caught:
        read(source)
    assert str(caught.value.where).startswith("x.yaml:1:")
    return not SCHEMA.is_valid({"build": "x", "sources": {"s": source}})


def plain(value: object) -> object:
    """As a lock's line has it: a mapping of members is a list there."""
    return list(value.values()) if isinstance(value, dict) else value


@pytest.mark.parametrize("tag", TAGS)
def test_what_is_declared_is_read_and_shown_in_the_same_words(tag: str):
    for source in mappings(tag):
        assert SCHEMA.is_valid({"build": "x", "sources": {"s": source}})
        spec = read(source)
        assert type(spec) is spec_of(tag)
        shown = yaml.load(spec_text(spec), yaml.BaseLoader)  # noqa: S506 - all is text
        assert shown == {word: plain(value) for word, value in source.items()}


@pytest.mark.parametrize("tag", TAGS)
def test_what_is_not_declared_is_refused(tag: str):
    """A key more, a required one less, and something else under each."""
    whole = list(mappings(tag))[-1]
    assert refused({**whole, "no-such-key": "x"})
    for key in keys(spec_of(tag)):
        others = {word: value for word, value in whole.items() if word != key.word}
        if key.required and not key.unless:
            assert refused(others)
        members = dict.fromkeys(key.form.members, "x")
        assert refused({**whole, key.word: {**members, "no-such-member": "x"}})
        for member in members:
            assert refused({**whole, key.word: {k: v for k, v in members.items() if k != member}})
        assert refused({**whole, key.word: "x" if key.form.many or key.form.members else ["x"]})


def test_a_key_may_stand_instead_of_the_one_that_names_the_kind():
    for tag in TAGS:
        for key in keys(spec_of(tag)):
            if key.unless:
                whole = list(mappings(tag))[-1]
                instead = {word: value for word, value in whole.items() if word != key.word}
                assert isinstance(read(instead), spec_of(tag))
                assert refused({w: v for w, v in instead.items() if w != key.unless})


@pytest.mark.parametrize("tag", TAGS)
def test_variables_are_replaced_in_every_text(tag: str):
    """Wherever the form of a key takes ``${…}`` at all."""
    source: dict[str, Any] = list(mappings(tag))[-1]
    for key in keys(spec_of(tag)):
        if takes(key, "${v}") and not key.form.members:
            source[key.word] = ["${v}"] if key.form.many else "${v}"
    spec = substitute_spec(read(source), {"v": "value"}, None)
    assert "${" not in spec_text(spec)
    assert "value" in spec_text(spec)


def test_what_is_of_no_kind_claims_nothing():
    """Files that come with a recipe, and a reference to another recipe's source."""
    files = Files(label="l", files=())
    assert (files.machine, files.folder, files.many, files.contents) == ("", "", "", ())
    assert files.commit_facts == {}
    assert files.with_files(lambda _path: None, ".") is files
    assert files.former_identity == files.identity
    reference = FromSpec(recipe="r")
    assert (reference.reads, reference.machine) == ((), "")
    assert not reference.per_machine
    assert not reference.volatile
    assert list(reference.compare(files, "")) == []


def test_an_answer_is_one_part_where_a_kind_does_not_say_otherwise():
    part = GitSource(url="u", commit="1" * 40, tree="2" * 40, date=0)
    spec = GitSpec(url="u", commit="1" * 40)
    for parts, fits in (((), False), ((part,), True), ((part, part), False)):
        assert all(locked == wanted for _, locked, wanted in spec.compare_all(parts)) is fits


def test_a_kind_that_nobody_uses_leaves_no_trace_in_a_lock():
    """So a new kind changes no lock; the empty sections of older ones are read all the same."""
    text = write_lock(Lock())
    assert [line for line in text.splitlines() if line[0] != "#"] == [
        "lock: 2", "pins: {}", "sources: {}", "module-sets: {}",
    ]  # fmt: skip
    empty = "".join(f"{section}: {{}}\n" for section in SECTIONS)
    assert read_lock(text.encode(), "l") == read_lock((text + empty).encode(), "l")
    assert Draft202012Validator(lock_schema()).is_valid(yaml.safe_load(text))
    assert Draft202012Validator(lock_schema()).is_valid(yaml.safe_load(text + empty))


@pytest.mark.parametrize(("form", "default"), [(TEXT, ""), (HEX, ""), (TEXTS, ())])
def test_a_new_optional_fact_changes_no_lock_that_lacks_it(form: Form, default: object):
    """The source's own default stands for it, whatever the form is."""

    @frozen(kw_only=True)
    class Signed(GitSource):
        signer: Any = default

    declared = kind("git")
    fact = Fact(name="signer", form=form, optional=True)
    newer = evolve(declared, source=Signed, facts=(*declared.facts, fact))
    facts = {"url": "https://e.org/k", "commit": "1" * 40, "tree": "2" * 40, "date": 7}
    text = "".join(f"{name}: '{value}'\n" for name, value in facts.items())
    node = parse(text.encode(), "rvbuild.lock", error=LockError)
    values = values_in(newer.facts, Fields(node, LockError))
    assert newer.show(newer.make(values)) == declared.show(declared.make(values))
