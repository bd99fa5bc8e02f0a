"""Recipes: what a folder under ``recipes/`` declares, as values.

Knows: the parts of a recipe and how ``${…}`` is replaced in them.
Must not know: YAML, files, the lock.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Union

from attrs import asdict, evolve, field, frozen

from rvbuild.core.architecture import DEFAULT_ARCHITECTURES
from rvbuild.core.errors import RecipeError
from rvbuild.core.gomod import GO_WORK
from rvbuild.core.names import RecipeName
from rvbuild.core.override import Override, SeriesOverrides
from rvbuild.core.place import Place
from rvbuild.core.source import Source
from rvbuild.core.spec import SourceSpec, word

KINDS = ("package", "image", "toolchain", "tool", "source")
FOR_TARGET = ("package", "image")
"""Kinds whose output is for the target's architecture."""

OUTPUT_KINDS = ("executable", "library", "file", "tree", "image")

RESERVED_NAMES = {
    "go-modules": "the module cache of a step",
    "recipe": "the files beside a recipe",
    "run": "where a check finds the programs that it runs",
}
"""Names that no recipe can have, since it would lie at ``/in/NAME``, and what lies there."""

QEMU = "qemu-user"
"""The recipe of what runs programs of other architectures in checks."""

ACCELERATORS = {"go": "tmp/go-cache"}
"""Compile caches by name, and where each lies in the sandbox with or without acceleration."""

_VARIABLE = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")


@frozen(kw_only=True)
class Reading:
    """A derived pin: one value read out of a source's file.

    ``reader`` is ``go-module``, ``yaml``, ``shell``, ``regex``, ``line`` or ``git``, and
    ``argument`` is what it looks for; or, in a rung of a ladder, it is ``literal``: then
    ``argument`` is the value, and there is no source. ``instead`` is what the recipe has instead of
    the value; no rung has that. ``where`` is the place of the pin in its recipe.
    """

    source: str
    reader: str
    argument: str
    file: str = ""
    prefix: str = ""
    strip_prefix: str = ""
    strip_suffix: str = ""
    instead: Override | None = None
    where: Place | None = field(default=None, eq=False)

    @property
    def rungs(self) -> tuple[Reading, ...]:
        """Every place that the value can be read from: this one."""
        return (self,)

    def adjusted(self, value: str) -> str:
        """The value with what the pin strips and adds."""
        value = value.removeprefix(self.strip_prefix)
        if self.strip_suffix:
            value = re.sub(f"(?:{self.strip_suffix})\\Z", "", value)
        return self.prefix + value


@frozen(kw_only=True)
class Ladder:
    """A derived pin with several places that should agree; ``prefer`` (from 1) wins if not."""

    rungs: tuple[Reading, ...] = field(metadata=word("first-of"))
    prefer: int | None = None
    instead: Override | None = None
    where: Place | None = field(default=None, eq=False)


@frozen(kw_only=True)
class Alternatives:
    """A derived pin with several places of which not every source has each.

    One must have the value, and those that have it must agree. It is read from the first. None is
    a literal or a fact of a commit, which are always there.
    """

    rungs: tuple[Reading, ...] = field(metadata=word("one-of"))
    instead: Override | None = None
    where: Place | None = field(default=None, eq=False)


DerivedPin = Union[Reading, Ladder, Alternatives]
Pin = Union[str, DerivedPin]


@frozen(kw_only=True)
class FromSpec(SourceSpec):
    """The source of a ``kind: source`` recipe: no kind, but a reference to one of any."""

    answer = Source
    recipe: str = field(metadata=word("from"))


@frozen(kw_only=True)
class SourceUse:
    """A source as one recipe uses it; ``patches`` are files beside the recipe, in their order."""

    spec: SourceSpec
    writable: bool = False
    patches: tuple[str, ...] = ()
    where: Place | None = field(default=None, eq=False)


@frozen(kw_only=True)
class GoModulesSpec:
    """The modules that ``packages`` of the module in ``directory`` of a source need.

    ``workspace``: its go.work counts, which the go command finds in ``directory`` or above it.
    ``instead``: by path, the versions that the recipe has of modules instead of go.mod's; or paths
    and versions.
    """

    source: str = field(metadata=word("from"))
    directory: str = "."
    packages: tuple[str, ...] = ("./...",)
    tags: tuple[str, ...] = ()
    cgo: bool = False
    workspace: bool = False
    instead: Mapping[str, Override] = MappingProxyType({})
    where: Place | None = field(default=None, eq=False)

    @property
    def scope(self) -> str:
        """What the module's set is called: ``cmd``, or ``cmd/go.work`` in a workspace."""
        if not self.workspace:
            return self.directory
        return posixpath.normpath(posixpath.join(self.directory, GO_WORK))

    @property
    def files(self) -> tuple[str, ...]:
        """The files of the source that say which modules it needs."""
        names = ("go.mod", "go.sum", *([GO_WORK] if self.workspace else []))
        return tuple(posixpath.normpath(posixpath.join(self.directory, name)) for name in names)


@frozen(kw_only=True)
class Output:
    """A declared output, verified after the step.

    ``tls``: an image must hold a CA bundle. ``detected``: reasons by patterns of functions whose
    instructions beyond the baseline run only after asking the processor.
    """

    path: str
    kind: str
    static: bool = False
    tls: bool = False
    detected: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class ImageUser:
    """A user of an image's root: the numbers of ``/etc/passwd`` and ``/etc/group``, as text."""

    id: str
    group: str
    home: str = "/"
    shell: str = "/bin/false"


@frozen(kw_only=True)
class ImageSpec:
    """An OCI image: what its root begins with, and what its configuration says.

    Attributes:
        name: The whole repository's.
        base: Recipes whose outputs are laid at the root.
        copy: Paths below ``/in`` by the folder that they are copied to.
        folders: Modes by path.
        users: By name.
    """

    name: str
    tag: str
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""
    working_directory: str = ""
    env: Mapping[str, str] = field(factory=dict)
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(factory=dict)
    tls: bool = False
    detected: Mapping[str, str] = field(factory=dict)
    stop_signal: str = ""
    base: tuple[str, ...] = ()
    copy: Mapping[str, tuple[str, ...]] = field(factory=dict)
    folders: Mapping[str, str] = field(factory=dict)
    users: Mapping[str, ImageUser] = field(factory=dict)


@frozen(kw_only=True)
class Check:
    """A command that must succeed, and text that its output must hold.

    ``is_version``: instead, every program is asked for its version (`core.version_check`).
    """

    run: str
    expect: str | None = None
    is_version: bool = False


@frozen(kw_only=True)
class Exports:
    """What a user of the recipe gets: folders for PATH, and variables.

    ``toolbox`` is the root of the step of whoever has it as a build input and names none.
    """

    path: tuple[str, ...] = ()
    env: Mapping[str, str] = field(factory=dict)
    toolbox: str = ""


@frozen(kw_only=True)
class Option:
    """Recipes that a target input may be, by the value that chooses each; one is the input."""

    input: str
    choices: Mapping[str, str]


@frozen(kw_only=True)
class SeriesValues:
    """What a source is in one series.

    Attributes:
        values: What ``${…}`` gives, by name.
        release: The upstream's name of the release that this is; empty if it is none.
        end_of_support: The day (YYYY-MM-DD) on which upstream's support of the series ends.
        patches: Files beside the recipe, applied to the source after those of every series.
        instead: What recipes of the series have instead of upstream's values.
        update: How far its values may move by themselves, a word of `core.update_policy`; empty:
            as the recipe says.
        min_age: For how long a version must have been there, as ``7d``; empty likewise.
    """

    values: Mapping[str, str] = field(factory=dict)
    release: str = ""
    end_of_support: str = ""
    patches: tuple[str, ...] = ()
    instead: SeriesOverrides = field(factory=SeriesOverrides)
    update: str = field(default="", eq=False)
    min_age: str = field(default="", eq=False)


@frozen(kw_only=True)
class Recipe:
    """One recipe. ``files`` are those beside ``recipe.yaml``: path, content, executable bit.

    ``name`` has the series, if the recipe has any: ``k3s@1.34`` (`core.series`). ``base`` is the
    name without it: that of the folder, which other recipes use, and of ``/in/NAME``.
    ``toolbox`` is empty if the recipe names none (`core.toolboxes`), and None if it has no step.
    ``checked_by`` are recipes whose build is a check of this one, too long for every build.
    ``update`` and ``min_age`` say what its pins may move to by themselves, as in `SeriesValues`.
    ``where`` maps a dotted key (``inputs.build``) to its place.
    """

    name: str
    file: str = field(eq=False)
    summary: str = field(default="", eq=False)
    license: str = field(default="", eq=False)
    homepage: str = field(default="", eq=False)
    kind: str = "package"
    architectures: tuple[str, ...] = DEFAULT_ARCHITECTURES
    version: Pin = ""
    pins: Mapping[str, Pin] = field(factory=dict)
    date: Pin = ""
    sources: Mapping[str, SourceUse] = field(factory=dict)
    toolbox: str | None = ""
    build_inputs: tuple[str, ...] = ()
    target_inputs: tuple[str, ...] = ()
    options: Mapping[str, Option] = field(factory=dict, eq=False)
    go_modules: GoModulesSpec | None = None
    env: Mapping[str, str] = field(factory=dict)
    exports: Exports = field(factory=Exports)
    per_architecture: Mapping[str, Mapping[str, str]] = field(factory=dict)
    per_series: Mapping[str, SeriesValues] = field(factory=dict)
    build: str | None = None
    image: ImageSpec | None = None
    outputs: Mapping[str, Output] = field(factory=dict)
    checks: tuple[Check, ...] = ()
    checked_by: tuple[str, ...] = field(default=(), eq=False)
    update: str = field(default="", eq=False)
    min_age: str = field(default="", eq=False)
    accelerators: tuple[str, ...] = ()
    timeout: int = 4 * 3600
    files: tuple[tuple[str, bytes, bool], ...] = ()
    where: Mapping[str, Place] = field(factory=dict, eq=False, repr=False)

    def at(self, key: str) -> Place:
        """The place of a dotted key, or of what it would be a part of, or the file."""
        while key and key not in self.where:
            key = key.rpartition(".")[0]
        return self.where.get(key) or Place(self.file)

    @property
    def base(self) -> str:
        """The recipe's name in every series."""
        return RecipeName.parse(self.name).base

    @property
    def series(self) -> str:
        """The series that the recipe is of; empty if it is the same in all."""
        return RecipeName.parse(self.name).series

    @property
    def in_series(self) -> SeriesValues:
        """What the source is in this series."""
        return self.per_series.get(self.series, SeriesValues())

    @property
    def folder(self) -> str:
        """The folder of the recipe: relative if it is below the working directory."""
        return self.file.rpartition("/")[0]

    @property
    def lent_source(self) -> str:
        """The source that others get: that of its name, or the only one; empty if none is."""
        own = [name for name, use in self.sources.items() if not isinstance(use.spec, FromSpec)]
        return self.base if self.base in own else own[0] if len(own) == 1 else ""

    @property
    def overrides(self) -> tuple[tuple[str, Override], ...]:
        """Each value that it has instead of one of upstream's, by name."""
        pins = ((name, pin) for name, pin in self.all_pins.items() if not isinstance(pin, str))
        of_pins = [(f"{self.name}/{name}", pin.instead) for name, pin in pins if pin.instead]
        modules = self.go_modules.instead if self.go_modules else {}
        return (*of_pins, *((f"{self.name}: {path}", each) for path, each in modules.items()))

    @property
    def all_pins(self) -> dict[str, Pin]:
        """Every pin by the variable that it sets."""
        return {"version": self.version, "date": self.date, **self.pins}


def substitute(text: str, values: Mapping[str, str], where: Place | None) -> str:
    """Replace each ``${name}``; ``$${`` gives a literal ``${``.

    Raises:
        RecipeError: a name has no value, or no end.
    """

    def value(match: re.Match[str]) -> str:
        name, end = match.groups()
        if name is None:
            return "${"
        if not end:
            msg = f"'${{{name}' has no '}}'"
            raise RecipeError(msg, where=where, hint="write '$${' for the characters themselves")
        try:
            return values[name]
        except KeyError:
            msg = f"nothing is called ${{{name}}} here"
            known = ", ".join(sorted(values))
            raise RecipeError(msg, where=where, hint=f"known names: {known}") from None

    return _VARIABLE.sub(value, text)


def used_names(spec: SourceSpec) -> frozenset[str]:
    """The names of ``${…}`` in a source's texts."""
    values = asdict(spec, recurse=False).values()
    texts = [part for value in values for part in (value if isinstance(value, tuple) else [value])]
    matches = (_VARIABLE.finditer(text) for text in texts if isinstance(text, str))
    return frozenset(match[1] for each in matches for match in each if match[1] is not None)


def substitute_spec(spec: SourceSpec, values: Mapping[str, str], where: Place | None) -> SourceSpec:
    """A source with ``${…}`` replaced in each of its texts."""
    changes: dict[str, Any] = {}
    for name, value in asdict(spec, recurse=False).items():
        if isinstance(value, str):
            changes[name] = substitute(value, values, where)
        elif isinstance(value, tuple):
            changes[name] = tuple(substitute(part, values, where) for part in value)
    return evolve(spec, **changes)
