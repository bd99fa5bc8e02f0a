"""The text of `rvbuild.lock` to a Lock.

Knows: the file's form (docs/format.md), and that no fact changes by itself. Must not know:
recipes, how pins are found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from itertools import chain

from attrs import evolve, field, frozen

from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import LockError, RecipeError
from rvbuild.core.go_mod_changes import GoModChanges, UpstreamModule
from rvbuild.core.lock import AnyEntry, GoModuleSet, Lock, LockedSource, PinValue
from rvbuild.core.lock_merge import UPSTREAM
from rvbuild.core.names import AnyRef, PinRef, Ref, SetRef, SourceRef
from rvbuild.core.place import Place
from rvbuild.core.source import (
    Source,
)
from rvbuild.core.spec_text import Words, flow
from rvbuild.core.trace import DIGITS, Trace
from rvbuild.kinds.declaration import Kind
from rvbuild.kinds.table import SECTIONS, TAGS, kind
from rvbuild.recipes_yaml import document, lock_v1
from rvbuild.recipes_yaml.document import Items, Node, Scalar, parse
from rvbuild.recipes_yaml.fields import Fields, choice
from rvbuild.recipes_yaml.lock_facts import made_of, refs_in, values_in
from rvbuild.recipes_yaml.lock_overrides import pin_override, set_overrides
from rvbuild.recipes_yaml.lock_text import CHANGES, VERSION, check_of, write_lock

__all__ = ["MAX_BYTES", "VERSION", "read_lock", "write_lock"]

Things = dict[str, Scalar]
"""By name: the other facts of a thing that entries share."""
Triple = tuple[str, str, str]
"""A Go module: its path, version and h1."""
Parts = tuple[tuple[Source, ...], tuple[Mapping[str, Place], ...]]
"""The parts of a source, and the places of the facts of each."""
Values = Mapping[str, object]
"""Facts' values by the facts' names."""

MAX_BYTES = 64 << 20
_TAKE_ONE_SIDE = advise(
    "take one side (`git checkout --ours -- rvbuild.lock` or `--theirs`), then ",
    Remedy.LOCK,
    "; docs/format.md tells how git merges locks by itself",
)
_DIGEST = re.compile(f"[0-9a-f]{{{DIGITS}}}")


def read_lock(data: bytes, file: str, *, mend: bool = False, partly: bool = False) -> Lock:
    """Read a lock; an empty file, with which a project can begin, has no facts.

    Args:
        data: The file's bytes.
        file: Its name, for messages.
        mend: Leave out entries that were changed, or lost their check, so that they are found
            again; take a lock without any check, and one of version 1.
        partly: Leave out entries that are damaged, with what is wrong with each.

    Raises:
        LockError: with file, line and column.
    """
    if not data.strip():
        return Lock(file=file)
    try:
        node = parse(data, file, error=LockError, max_bytes=MAX_BYTES, conflict=_TAKE_ONE_SIDE)
        top = Fields(node, LockError)
    except LockError as error:
        if error.hint != _TAKE_ONE_SIDE:
            error.hint = None  # nobody writes a lock by hand
        raise
    version = top.number("lock")
    if version == lock_v1.VERSION:
        if mend:
            return lock_v1.read(top, data, file)
        msg = f"the lock has format {version}, and this rvbuild builds from {VERSION}"
        raise LockError(msg, where=top.at("lock"), hint=advise(Remedy.LOCK, ": it keeps every pin"))
    if version != VERSION:
        msg = f"the lock has format {version}; this rvbuild reads {VERSION}"
        raise LockError(msg, where=top.at("lock"), hint="use the rvbuild that wrote it")
    damaged: dict[Ref, LockError] | None = {} if partly else None
    entries = _Entries(top, mend=mend, checked=_has_checks(top), damaged=damaged)
    things = {tag: _things(top, name) for name, tag in SECTIONS.items()}
    triples = _triples(things["go-module"])
    lock = entries.lock(things, triples)
    upstream = top.fields(UPSTREAM)
    if upstream is not None:
        others = evolve(entries, top=upstream, whole=False, damaged=None if damaged is None else {})
        lock = evolve(lock, upstream=others.lock(things, triples))
        upstream.finish()
    top.finish()
    return evolve(lock, file=file)


def _has_checks(top: Fields) -> bool:
    """Whether any entry has a check; a lock without any is taken anew as a whole."""
    sections = (top.node.nodes.get(name) for name in ("pins", "sources", "module-sets"))
    mappings = (node for node in sections if isinstance(node, document.Mapping))
    entries = chain(*(section.nodes.values() for section in mappings))
    return any(isinstance(e, document.Mapping) and "check" in e.nodes for e in entries)


class _Unknown(LockError):
    """An entry names what no shared line has."""


@frozen
class _Entries:
    """Reads the entries of a lock, and holds each to its check.

    Attributes:
        top: The document.
        mend: See `read_lock`.
        checked: Whether any entry has a check.
        damaged: Takes what is wrong with an entry; None where that ends the reading.
        whole: Whether each section must be there.
    """

    top: Fields
    mend: bool = field(kw_only=True)
    checked: bool = field(kw_only=True)
    damaged: dict[Ref, LockError] | None = field(kw_only=True)
    whole: bool = field(default=True, kw_only=True)

    def lock(self, things: Mapping[str, Things], triples: Mapping[str, Triple]) -> Lock:
        """What the three sections have."""
        return Lock(
            pins=self.read("pins", PinRef.parse, _pin),
            sources=self.read("sources", SourceRef.parse, partial(_source, things)),
            go_modules=self.read("module-sets", SetRef.parse, partial(_set, triples)),
            damaged=self.damaged or {},
        )

    def read(
        self, section: str, parse: Callable[[str], AnyRef], read: Callable[[Fields], AnyEntry]
    ) -> dict[AnyRef, AnyEntry]:
        if section not in self.top and not self.whole:
            return {}
        node = _mapping(self.top, section)
        refs = refs_in(node, parse)
        entries = ((refs[key], self._entry(refs[key], node.nodes[key], read)) for key in refs)
        return {ref: entry for ref, entry in entries if entry is not None}

    def _entry(self, ref: Ref, node: Node, read: Callable[[Fields], AnyEntry]) -> AnyEntry | None:
        """The entry, or None if it is left out."""
        try:
            return self._sound(ref, node, read)
        except LockError as error:
            if self.damaged is None:
                raise
            self.damaged[ref] = error
            return None

    def _sound(self, ref: Ref, node: Node, read: Callable[[Fields], AnyEntry]) -> AnyEntry | None:
        """The entry, or None if it is one to find again."""
        fields = Fields(node, LockError)
        try:
            entry = read(fields)
        except _Unknown:
            if self.mend:
                return None
            raise
        check = fields.maybe("check")
        fields.finish()
        if check == check_of(ref, entry):
            return entry
        if not self.mend:
            hint = "finds it again" if self.checked else "adds it"
            raise _changed(ref, fields.where, check, hint)
        return entry if check is None and not self.checked else None


def _mapping(top: Fields, section: str) -> document.Mapping:
    node = top.require(section)
    if isinstance(node, document.Scalar) and not node.text:  # a person took the last entry out
        return document.Mapping(node.file, node.mark, {}, {})
    if not isinstance(node, document.Mapping):
        msg = f"{section!r} must be a mapping"
        raise LockError(msg, where=node.where)
    return node


def _changed(ref: Ref, where: Place | None, check: str | None, hint: str) -> LockError:
    if check is None:
        msg = f"{ref} has no 'check': it cannot be told from a changed entry"
    else:
        msg = f"{ref} was changed by hand, or by a merge: its 'check' is that of other facts"
    return LockError(
        msg, where=where, hint=advise(Remedy.LOCK, f": it {hint}; look at what changes then")
    )


def _things(top: Fields, section: str) -> Things:
    things: Things = {}
    if top.take(section) is None:  # nobody uses the kind
        return things
    for name, node in _mapping(top, section).nodes.items():
        if not isinstance(node, Scalar):
            msg = f"{name!r} must be one value, not a list or mapping"
            raise LockError(msg, where=node.where)
        things[name] = node
    return things


def _unknown(name: str, where: Place) -> _Unknown:
    msg = f"no line of the lock says what {name} is"
    hint = advise(Remedy.LOCK, ": it finds it again; look at what changes then")
    return _Unknown(msg, where=where, hint=hint)


def _spec(node: Node) -> str:
    return flow(_words(node))


def _words(node: Node) -> Words:
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Items):
        return [_words(each) for each in node.nodes]
    return {key: _words(each) for key, each in node.nodes.items()}


def _pin(fields: Fields) -> PinValue:
    spec = fields.require("spec")
    return PinValue(
        value=fields.text("value"),
        upstream=fields.text("upstream", ""),
        instead=pin_override(spec),
        spec=_spec(spec),
        source=fields.text("source"),
        file=fields.text("file"),
        line=fields.number("line"),
        trace=_trace(fields),
        where=fields.where,
    )


def _trace(fields: Fields) -> Trace:
    """Pairs of words; a mapping for each entry would take longer to read."""
    words = fields.text("trace").split()
    trace = tuple(zip(map(SourceRef.parse, words[::2]), words[1::2], strict=False))
    if len(words) % 2 or not all(map(_DIGEST.fullmatch, words[1::2])):
        msg = "'trace' must be pairs of RECIPE/SOURCE and a digest"
        raise LockError(msg, where=fields.at("trace"))
    return trace


def _items(fields: Fields, key: str) -> list[Node]:
    node = fields.require(key)
    if not isinstance(node, Items):
        msg = f"{key!r} must be a list"
        raise LockError(msg, where=node.where)
    return node.nodes


def _source(things: Mapping[str, Things], fields: Fields) -> LockedSource:
    node = fields.require("parts")
    if isinstance(node, document.Mapping):
        parts, at = _shared_parts(things, Fields(node, LockError), fields)
    elif isinstance(node, Items) and node.nodes:
        parts, at = _own_parts(node.nodes)
    else:
        msg = "'parts' must be a list with at least one source, or have names of one kind"
        raise LockError(msg, where=fields.at("parts"))
    return LockedSource(
        spec=_spec(fields.require("spec")),
        parts=parts,
        trace=_trace(fields) if "trace" in fields else (),
        where=fields.where,
        at=at,
    )


def _own_parts(nodes: list[Node]) -> Parts:
    """Parts whose facts stand here."""
    parts = []
    for node in nodes:
        fields = Fields(node, LockError)
        fields.require("kind")
        declared = kind(
            choice(fields, "kind", [tag for tag in TAGS if tag not in SECTIONS.values()], "")
        )
        parts.append(made_of(declared, values_in(declared.facts, fields), fields))
        fields.finish()
    return tuple(parts), tuple(node.keys for node in nodes if isinstance(node, document.Mapping))


def _shared_parts(things: Mapping[str, Things], fields: Fields, entry: Fields) -> Parts:
    """Parts whose names stand here, one a line, and whose facts stand in the section of the kind.

    A list of as many scalars would take twice as long to read.
    """
    tag = next((tag for tag in things if tag in fields), None)
    if tag is None:
        msg = f"'parts' must have one of {', '.join(things)}"
        raise LockError(msg, where=fields.where)
    declared = kind(tag)
    of_all = values_in(declared.entry, entry)
    where = fields.at(tag)
    names = fields.text(tag).splitlines()
    fields.finish()
    if not names:
        msg = f"{tag!r} must name at least one"
        raise LockError(msg, where=where)
    parts = tuple([_shared_part(declared, name, things[tag], where, of_all) for name in names])
    return parts, ({"kind": where},) * len(parts)


def _shared_part(declared: Kind, name: str, things: Things, where: Place, of_all: Values) -> Source:
    line = things.get(name)
    if line is None:
        raise _unknown(name, where)
    return _from_texts(declared, [*name.split(" "), *line.text.split(" ")], line, of_all)


def _from_texts(declared: Kind, texts: list[str], line: Scalar, of_all: Values) -> Source:
    """A thing whose own facts stand in one line, in order."""
    if len(texts) != len(declared.facts):
        msg = f"not '{' '.join(fact.name.upper() for fact in declared.facts)}': {' '.join(texts)!r}"
        raise LockError(msg, where=line.where)
    values = {**of_all}
    for fact, text in zip(declared.facts, texts, strict=True):
        try:
            values[fact.name] = fact.form.parse(text)
        except ValueError as cause:
            msg = f"{fact.name!r} {cause}"
            raise LockError(msg, where=line.where) from cause
    try:
        return declared.make(values)
    except RecipeError as error:
        raise LockError(error.message, where=line.where) from error


def _set(triples: Mapping[str, Triple], fields: Fields) -> GoModuleSet:
    facts = (tuple(fields.text(key, "").splitlines()) for key in CHANGES)
    upstream, instead, sums, unvouched = facts
    specs = _items(fields, "specs")
    return GoModuleSet(
        specs=tuple(map(_spec, specs)),
        instead=set_overrides(specs) if upstream else {},
        changes=GoModChanges(statements=instead, sums=sums),
        upstream=tuple(map(UpstreamModule.parse, upstream)),
        unvouched=unvouched,
        go_sum=_go_sum(fields),
        modules=_modules(triples, fields),
        trace=_trace(fields),
        where=fields.where,
    )


def _go_sum(fields: Fields) -> str:
    text = fields.text("go-sum")
    if not re.fullmatch(r"(?:[0-9a-f]{64})?", text):
        msg = "'go-sum' must be a SHA-256 in lower-case hex"
        raise LockError(msg, where=fields.at("go-sum"))
    return text


def _triples(things: Things) -> dict[str, Triple]:
    """By name, what sets have of a module; several sets may name one that is read once here."""
    triples = {}
    for name, line in things.items():
        path, _, version = name.partition(" ")
        if not version or " " in version:
            msg = f"not 'PATH VERSION': {name!r}"
            raise LockError(msg, where=line.where)
        triples[name] = path, version, line.text
    return triples


def _modules(triples: Mapping[str, Triple], fields: Fields) -> tuple[Triple, ...]:
    """The triple of each line; a list of as many scalars would take twice as long to read."""
    names = fields.text("modules").splitlines()
    try:
        return tuple([triples[name] for name in names])
    except KeyError as cause:
        raise _unknown(cause.args[0], fields.at("modules")) from None
