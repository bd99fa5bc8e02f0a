"""Registries that a test makes of one object, with a method for each kind of question.

The kinds' own ``resolve`` asks it, so what they do with an answer is what is tested.
"""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

from rvbuild.core.go_graph import MainModule
from rvbuild.core.go_source import GoModFiles, GoModFilesSpec, SeenLinesSpec
from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.source import Source
from rvbuild.core.spec import SourceSpec
from rvbuild.kinds.table import resolve_module

_METHODS = {"debian": "debian", "git": "git", "path": "path", "pypi": "wheel", "url": "url"}
"""By kind; the two of Go are called as its client's."""


def answer(outside: object, spec: SourceSpec, context: ResolveContext) -> tuple[Source, ...]:
    """What the methods of ``outside`` say, as a port's answer."""
    if isinstance(spec, GoModFilesSpec):
        return (all_of_go_sum(spec.main),)
    if isinstance(spec, SeenLinesSpec):
        return ()
    kind = spec.answer.kind
    method = _METHODS.get(kind)
    client = SimpleNamespace(resolve=getattr(outside, method)) if method else outside
    return resolve_module(kind).resolve(spec, context, client)


def all_of_go_sum(main: MainModule) -> GoModFiles:
    """What a module needs whose go.sum has no line too many."""
    sums = main.sums()
    modules = sorted((*key, h1) for key, h1 in sums.modules.items())
    return GoModFiles(
        go_sum=hashlib.sha256(main.go_sum).hexdigest(),
        modules=tuple(modules),
        changes=main.changes,
    )
