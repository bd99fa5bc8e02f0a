"""Verifies a step's outputs before anything is registered.

Knows: which file of a tree a rule means. Must not know: what the rules are (core.audit).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from attrs import evolve, frozen

from rvbuild.core.advice import joined
from rvbuild.core.audit import Watched, audit, unused
from rvbuild.core.derivation import OutputRule, Step
from rvbuild.core.digest import Digest
from rvbuild.core.errors import AuditFailed
from rvbuild.core.finding import Finding, Weight
from rvbuild.core.output_patterns import is_pattern, spelled_out
from rvbuild.core.paths import followed
from rvbuild.core.ports.auditor import ImageAudit
from rvbuild.core.ports.callbacks import Wanted
from rvbuild.core.ports.store import TreeStore
from rvbuild.core.tree import File, Nested, Symlink, Tree

BUILD_FOLDERS = (b"/build/src/", b"/build/out/", b"/tmp/go-build")
"""Where steps work. Not all of ``/build/``: Docker's API and kernels have paths like that."""

STEP_FOLDERS = ("/build/", "/in/", "/src/")
"""Where a step has what nobody has who gets its outputs. Others (``/etc``, ``/bin``) may be those
of a file system that is put together in an output."""

_FORMS: Mapping[str, tuple[type, ...]] = {"tree": (dict,), "image": (dict, File)}
"""What outputs are that are more than one file, or more than a file's own bytes."""

_TOP = "\0"
"""A name for the folder that an output lies in, which no target of a link can spell."""

_ANYTHING = OutputRule(name="", path="", kind="file")


@frozen(kw_only=True)
class Inspection:
    """How outputs are looked at.

    Attributes:
        forbidden: Words that no file may hold (this machine's paths).
        audit_image: Looks into images.
        wanted: Called before each part that is read; may raise.
    """

    forbidden: Sequence[bytes]
    audit_image: ImageAudit
    wanted: Wanted


def inspect_outputs(step: Step, store: TreeStore, tree: Tree, how: Inspection) -> list[Finding]:
    """Look at every declared output, and in every file for what must not be inside.

    Args:
        step: Its rules.
        store: Has the content of the tree.
        tree: The step's output.
        how: What else is known.
    """
    nested = tree.nested()
    rules = [*spelled_out(step.outputs, [path for path, _ in tree.walk()])]
    findings = [
        *_of_rules(rules, store, tree.root, nested, how),
        *_of_files(_rules_by_path(rules, nested), store, tree, how),
        *_of_links(_rules_by_path(rules, nested), tree, nested),
    ]
    used = {finding.pattern for finding in findings}
    for rule in step.outputs:
        findings += unused(rule, used)
    return findings


def refuse_faults(step: Step, findings: Sequence[Finding]) -> None:
    """See that nothing that was found in a step's outputs is a fault.

    Raises:
        AuditFailed: something is; each is in ``details``.
    """
    faults = [finding for finding in findings if finding.weight is Weight.FAULT]
    if faults:
        msg = "its outputs are not what they must be"
        details = tuple(f"{fault.path}: {fault.what}" for fault in faults)
        hint = joined(fault.hint for fault in faults)
        raise AuditFailed(msg, where=step.label, details=details, hint=hint)


def _of_rules(
    rules: Sequence[OutputRule], store: TreeStore, root: Digest, nested: Nested, how: Inspection
) -> Iterator[Finding]:
    """What is wrong with declared outputs as wholes."""
    for rule in rules:
        missing = _missing(rule, nested)
        if missing is not None:
            yield missing
        elif rule.kind == "image":
            inside = f"{store.mountable.path(root)}/{rule.path}"
            words = [*how.forbidden, *BUILD_FOLDERS]
            yield from how.audit_image(rule, inside, words, how.wanted)


def _rules_by_path(rules: Sequence[OutputRule], nested: Nested) -> dict[str, OutputRule]:
    """The rule of each output, by its own path and by that of what it leads to, if it is a link."""
    places = {_place(nested, rule) or rule.path: rule for rule in rules}
    return places | {rule.path: rule for rule in rules}


def _of_files(
    rules: Mapping[str, OutputRule], store: TreeStore, tree: Tree, how: Inspection
) -> Iterator[Finding]:
    for path, node in tree.walk():
        if isinstance(node, File) and node.digest.size:
            declared = _rule_for(path, rules)
            words = [*how.forbidden, *(BUILD_FOLDERS if declared else ())]
            with store.cas.view(node.digest) as data:
                yield from audit(declared or _ANYTHING, Watched(data, how.wanted), words, path)


def _of_links(rules: Mapping[str, OutputRule], tree: Tree, nested: Nested) -> Iterator[Finding]:
    """The links in declared trees that lead where only the step was, or above all of its output."""
    tops = [top for top, rule in rules.items() if rule.kind == "tree"]
    for path, node in tree.walk():
        if not isinstance(node, Symlink) or not any(path.startswith(f"{top}/") for top in tops):
            continue
        where = _fault_of_way(path, nested)
        if where:
            what = f"it is a link to {node.target}, {where}"
            yield Finding(path, what, "copy it into $out, or link to what is in there")


def _fault_of_way(path: str, nested: Nested) -> str:
    """Where a link leads that nobody has but the step, however its target is spelled.

    1. The output's own links on the way are followed. What is not there counts as a folder.
    2. Every folder on the way counts: ``/in/../etc`` leads nowhere without ``/in``.

    Example: with ``t/here -> .``, the link ``t/up -> here/../../x`` leads above the output, and
    ``t/go -> /usr/..//in/go`` to the step's folder ``/in/go``.

    Returns:
        What is wrong with it; empty if nothing is.
    """
    outside: list[str] = []
    is_absolute = False

    def look(at: str) -> str | bool:
        nonlocal is_absolute
        top, _, inside = at.partition("/")
        if top != _TOP:
            outside.append(f"/{at}/")
            return True
        node = _at(nested, inside)
        if not isinstance(node, Symlink):
            return True
        is_absolute = is_absolute or node.target.startswith("/")
        return node.target

    end = followed(f"{_TOP}/{path}", look, is_root=True)
    if is_absolute:
        return "which only the step has" if any(map(_is_of_step, outside)) else ""
    return "which is above the step's whole output" if outside or end == "" else ""


def _is_of_step(folder: str) -> bool:
    return folder.startswith(STEP_FOLDERS)


def _rule_for(path: str, rules: Mapping[str, OutputRule]) -> OutputRule | None:
    """The rule of a file: its own, or that of the tree or image which it lies in."""
    at = path
    while at not in rules and "/" in at:
        at = at.rsplit("/", 1)[0]
    found = rules.get(at)
    return evolve(found, kind="file") if found is not None and found.kind in _FORMS else found


def _at(nested: Nested, path: str) -> File | Symlink | Nested | None:
    node: File | Symlink | Nested | None = nested
    for part in path.split("/") if path else ():
        node = node.get(part) if isinstance(node, dict) else None
    return node


def _place(nested: Nested, rule: OutputRule) -> str | None:
    """Where an output is, behind links that stay in the tree; None if it is nowhere in there."""

    def look(path: str) -> str | bool:
        node = _at(nested, path)
        return node.target if isinstance(node, Symlink) else isinstance(node, dict)

    place = followed(rule.path, look, is_root=False)
    return None if place is None or _at(nested, place) is None else place


def _missing(rule: OutputRule, nested: Nested) -> Finding | None:
    node, place = _at(nested, rule.path), _place(nested, rule)
    if isinstance(node, Symlink) and place is None:
        what = f"it is a link to {node.target}, which is not in the output"
        return Finding(rule.path, what, "copy it into $out, or link to what is in there")
    node = None if place is None else _at(nested, place)
    if node is None and is_pattern(rule.path):
        near = ", ".join(islice(_some_paths(nested), 8)) or "nothing"
        return Finding(rule.path, "no file fits it", f"the step left: {near}")
    if node is None:
        near = ", ".join(islice(_some_paths(nested), 8)) or "nothing"
        hint = f"the step left: {near}"
        if rule.kind == "image":
            hint += ". The script of an image must not `exit`: what packs comes after it"
        return Finding(rule.path, "it was declared and is not there", hint)
    if not isinstance(node, _FORMS.get(rule.kind, File)):
        kind = "a folder" if isinstance(node, dict) else "a file"
        return Finding(rule.path, f"it is {kind}", f"the recipe says `kind: {rule.kind}`")
    if rule.kind == "executable" and isinstance(node, File) and not node.executable:
        return Finding(rule.path, "it is not executable", "chmod +x, or install -m 755")
    return None


def _some_paths(nested: Nested) -> Iterator[str]:
    waiting = [("", nested)]
    while waiting:
        prefix, here = waiting.pop()
        for name, node in here.items():
            if isinstance(node, dict):
                waiting.append((f"{prefix}{name}/", node))
            else:
                yield prefix + name
