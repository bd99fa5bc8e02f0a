"""JSON Schemas of recipes and of the lock, for editors and other programs.

Knows: the same constants as the readers beside it. Must not know: files.
`python -m rvbuild.recipes_yaml.schema FOLDER` writes both; a test holds them against the
readers and against docs/schema/.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from rvbuild.core.architecture import ARCHITECTURES
from rvbuild.core.canonical import Json
from rvbuild.core.lock_merge import UPSTREAM
from rvbuild.core.recipe import ACCELERATORS, KINDS, OUTPUT_KINDS
from rvbuild.core.spec import SourceSpec
from rvbuild.core.update_policy import AGE_SCHEMA, REACHES
from rvbuild.core.version_check import WORD as VERSION_CHECK
from rvbuild.kinds import declaration
from rvbuild.kinds.declaration import keys
from rvbuild.kinds.table import SECTIONS, TAGS, kind, spec_of
from rvbuild.recipes_yaml.lock_text import CHANGES, CHECK_DIGITS, VERSION
from rvbuild.recipes_yaml.recipe import MAX_TIMEOUT
from rvbuild.recipes_yaml.recipe_names import NAME, RESERVED
from rvbuild.recipes_yaml.recipe_pins import ALWAYS_THERE, GIT_FACTS, READERS
from rvbuild.recipes_yaml.source import REFERENCE

_DRAFT = "https://json-schema.org/draft/2020-12/schema"

# YAML scalars arrive as text, numbers or truth values, depending on who reads the file.
TEXT_TYPES = ("string", "number", "boolean")
TEXT = declaration.TEXT.schema
FLAG = declaration.FLAG.schema
NUMBER = declaration.NUMBER.schema
TEXTS = declaration.TEXTS.schema
_TIMEOUT: Json = {"allOf": [NUMBER, {"minimum": 1, "maximum": MAX_TIMEOUT}]}
_FOLDERS: Json = {"required": ["kind"], "properties": {"kind": {"enum": ["tree", "image"]}}}
_PATTERNS: dict[str, Json] = {
    "if": _FOLDERS,
    "then": {"properties": {"path": {"not": {"pattern": r"\*"}}}},
}
"""A pattern means files, so that it is no folder."""

_USE: dict[str, Json] = {"writable": FLAG, "patches": TEXTS}
_POLICY: dict[str, Json] = {
    "update": {"enum": list(REACHES)},
    "min-age": {"type": "string", "pattern": AGE_SCHEMA},
}
DAY: Json = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
VARIABLE_FORM: dict[str, Json] = {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}
VARIABLE_NAMES: Json = {**VARIABLE_FORM, "not": {"enum": list(RESERVED)}}
VARIABLES: dict[str, Json] = {
    "type": "object",
    "propertyNames": VARIABLE_NAMES,
    "additionalProperties": TEXT,
}
REASONS: Json = {
    "type": "object",
    "additionalProperties": {"type": list(TEXT_TYPES), "pattern": r"\S"},
}


def _pattern(python: str) -> str:
    return "^" + python.removesuffix(r"\Z") + "$"


def _object(properties: Mapping[str, Json], required: Iterable[str] = ()) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _choices(words: Iterable[str]) -> dict[str, Json]:
    return {"type": "array", "items": {"enum": list(words)}, "uniqueItems": True}


def _ref(name: str) -> Json:
    return {"$ref": f"#/$defs/{name}"}


def _readings(more: Mapping[str, Json] = MappingProxyType({})) -> Json:
    """How a value is read; ``more`` are keys beside, but for a fact of a commit."""
    adjust = {"prefix": TEXT, "strip-prefix": TEXT, "strip-suffix": TEXT}
    forms: list[Json] = [_object({"literal": TEXT, **more}, ["literal"])]
    for reader in READERS:
        is_fact = reader == "git"
        argument: Json = {"enum": list(GIT_FACTS)} if is_fact else TEXT
        required = ["from", reader]
        if reader not in {"git", "go-module"}:
            required.append("file")
        keys = {"from": TEXT, reader: argument, "file": TEXT, **adjust}
        forms.append(_object({**keys, **({} if is_fact else more)}, required))
    return {"oneOf": forms}


def _override() -> Json:
    reasons: Json = {"allOf": [TEXTS, {"minItems": 1}]}
    facts = {"value": TEXT, "because": reasons, "while": TEXT}
    return _object({**facts, "until": DAY}, facts)


def _sources() -> Json:
    """What each kind's declaration says, and a reference to another recipe's source."""
    forms = [form for tag in TAGS for form in _source(spec_of(tag))]
    return {"oneOf": [*forms, _object({REFERENCE: TEXT, **_USE}, [REFERENCE])]}


def _source(spec: type[SourceSpec]) -> Iterator[Json]:
    """The mappings that describe such a source: one, and one for each key that may be missing."""
    declared = keys(spec)
    properties: dict[str, Json] = {each.word: each.form.schema for each in declared} | _USE
    required = [each.word for each in declared if each.required]
    yield _object(properties, required)
    for key in declared:
        if key.unless:
            others = {word: schema for word, schema in properties.items() if word != key.word}
            yield _object(others, [*(word for word in required if word != key.word), key.unless])


def recipe_schema() -> dict[str, Json]:
    """The schema of ``recipe.yaml``."""
    names: Json = {"pattern": _pattern(NAME.pattern)}
    rungs: dict[str, Json] = {"type": "array", "items": _ref("reading"), "minItems": 1}
    instead = {"instead": _ref("override")}
    ladder = _object({"first-of": rungs, "prefer": NUMBER, **instead}, ["first-of"])
    present: Json = {"anyOf": [{"required": [reader]} for reader in ALWAYS_THERE]}
    rung: Json = {"allOf": [_ref("reading"), {"not": present}]}
    alternatives = _object({"one-of": {**rungs, "items": rung}, **instead}, ["one-of"])
    modules = {"from": TEXT, "directory": TEXT, "packages": TEXTS, "tags": TEXTS}
    modules |= {"cgo": FLAG, "workspace": FLAG, "instead": _mapping(_ref("override"))}
    inputs = {"build": TEXTS, "target": TEXTS, "go-modules": _object(modules, ["from"])}
    choices: Json = {**_mapping(TEXT), "propertyNames": names, "minProperties": 2}
    option: dict[str, Json] = {"input": TEXT, "choices": choices}
    output = {
        "path": TEXT,
        "kind": {"enum": list(OUTPUT_KINDS)},
        "static": FLAG,
        "detected": REASONS,
    }
    properties: dict[str, Json] = {
        **dict.fromkeys(("summary", "license", "homepage", "toolbox", "build"), TEXT),
        "kind": {"enum": list(KINDS)},
        "architectures": {**_choices(ARCHITECTURES), "minItems": 1},
        "version": _ref("pin"),
        "date": _ref("pin"),
        "pins": {**_mapping(_ref("pin")), "propertyNames": VARIABLE_NAMES},
        "sources": {**_mapping(_ref("source")), "propertyNames": names},
        "inputs": _object(inputs),
        "options": {**_mapping(_object(option, option)), "propertyNames": names},
        "env": VARIABLES,
        "exports": _object({"path": TEXTS, "env": VARIABLES, "toolbox": TEXT}),
        "per-architecture": _object(dict.fromkeys(ARCHITECTURES, VARIABLES)),
        "per-series": {**_mapping(_series()), "propertyNames": names},
        "go": _go(),
        "autotools": _autotools(),
        "image": _object(_image(), ["name", "tag"]),
        "outputs": _mapping({**_object(output, ["path"]), **_PATTERNS}),
        "checks": _checks(),
        "checked-by": TEXTS,
        **_POLICY,
        "accelerators": _choices(ACCELERATORS),
        "limits": _object({"timeout": _TIMEOUT}, ["timeout"]),
    }
    pin: Json = {"oneOf": [TEXT, _readings(instead), ladder, alternatives]}
    return {
        "$schema": _DRAFT,
        "title": "rvbuild recipe",
        **_object(properties),
        "$defs": {
            "pin": pin,
            "reading": _readings(),
            "source": _sources(),
            "override": _override(),
        },
    }


def _go() -> Json:
    texts = dict.fromkeys(("source", "directory", "package", "toolchain"), TEXT)
    return _object({**texts, "tags": TEXTS, "stamps": _mapping(TEXT)})


def _autotools() -> Json:
    words: Json = {"type": "array", "items": TEXT}
    install = _mapping(TEXTS)
    of_all: dict[str, Json] = {"source": TEXT, "regenerate": FLAG, "install": install}
    return _object({**of_all, "configure": words, "make": words})


def _checks() -> Json:
    """A list of commands, or the word for the one that asks each program."""
    version: Json = {"const": VERSION_CHECK}
    commands: list[Json] = [version, _object({"run": TEXT, "expect": TEXT}, ["run"])]
    return {"oneOf": [version, {"type": "array", "items": {"oneOf": commands}}]}


def _series() -> Json:
    """Of one series: facts, and variables."""
    of_one = _mapping(_ref("override"))
    instead = _object({"pins": of_one, "go-modules": _mapping(of_one)})
    facts: dict[str, Json] = {"release": TEXT, "end-of-support": DAY, "patches": TEXTS, **_POLICY}
    facts["instead"] = instead
    anyone: list[Json] = [{"enum": list(facts)}, VARIABLE_NAMES]
    return {
        "type": "object",
        "properties": facts,
        "propertyNames": {"anyOf": anyone},
        "additionalProperties": TEXT,
    }


def _image() -> dict[str, Json]:
    words: Json = {"type": "array", "items": TEXT}
    some: list[Json] = [TEXT, TEXTS]
    return {
        **dict.fromkeys(("name", "tag", "user", "working-directory", "stop-signal"), TEXT),
        "from": {"anyOf": some},
        "copy": _mapping({"anyOf": some}),
        "folders": _mapping(TEXT),
        "users": _mapping(_object(dict.fromkeys(("id", "group", "home", "shell"), TEXT), ["id"])),
        **dict.fromkeys(("entrypoint", "command"), words),
        "env": {**VARIABLES, "propertyNames": VARIABLE_FORM},
        "ports": TEXTS,
        "volumes": TEXTS,
        "labels": _mapping(TEXT),
        "tls": FLAG,
        "detected": REASONS,
    }


def _mapping(values: Json) -> dict[str, Json]:
    return {"type": "object", "additionalProperties": values}


def _parts() -> Json:
    """What each kind's declaration says; of a shared kind an entry has names, one a line."""
    names: list[Json] = [_object({tag: TEXT}, [tag]) for tag in SECTIONS.values()]
    forms: list[Json] = []
    for declared in map(kind, [tag for tag in TAGS if tag not in SECTIONS.values()]):
        properties: dict[str, Json] = {"kind": {"const": declared.tag}}
        properties |= {fact.name: fact.form.schema for fact in declared.facts}
        optional = {fact.name for fact in declared.facts if fact.optional}
        forms.append(_object(properties, [name for name in properties if name not in optional]))
    own: Json = {"type": "array", "minItems": 1, "items": {"oneOf": forms}}
    return {"oneOf": [own, *names]}


def lock_schema() -> dict[str, Json]:
    """The schema of ``rvbuild.lock``."""
    check: Json = {"type": TEXT_TYPES, "pattern": f"^[0-9a-f]{{{CHECK_DIGITS}}}$"}
    go_sum: Json = {"type": "string", "pattern": "^([0-9a-f]{64})?$"}
    spec: Json = {"type": [*TEXT_TYPES, "object"]}
    pin = {"value": TEXT, "source": TEXT, "file": TEXT, "line": NUMBER, "spec": spec}
    pin |= {"check": check, "trace": TEXT}
    pins = _mapping(_object({**pin, "upstream": TEXT}, pin))
    required_source: dict[str, Json] = {"spec": spec, "parts": _parts(), "check": check}
    of_all = {fact.name: fact.form.schema for tag in TAGS for fact in kind(tag).entry}
    source = {**required_source, **of_all, "trace": TEXT}
    specs: Json = {"type": "array", "items": spec}
    modules: dict[str, Json] = {"specs": specs, "go-sum": go_sum, "modules": TEXT, "check": check}
    modules["trace"] = TEXT
    sets = _mapping(_object({**modules, **dict.fromkeys(CHANGES, TEXT)}, modules))
    required: dict[str, Json] = {
        "lock": {"const": VERSION},
        "pins": pins,
        "sources": _mapping(_object(source, required_source)),
        "module-sets": sets,
    }
    others = _object({name: each for name, each in required.items() if name != "lock"})
    more: dict[str, Json] = {**{name: _mapping(TEXT) for name in SECTIONS}, UPSTREAM: others}
    return {"$schema": _DRAFT, "title": "a lock of rvbuild", **_object(required | more, required)}


def write_schemas(folder: str) -> None:
    """Write ``recipe.schema.json`` and ``lock.schema.json`` into ``folder``."""
    for name, schema in (("recipe", recipe_schema()), ("lock", lock_schema())):
        path = os.path.join(folder, f"{name}.schema.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write(json.dumps(schema, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    write_schemas(sys.argv[1])
