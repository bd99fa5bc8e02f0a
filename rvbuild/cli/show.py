"""`show`: draws what targets are, and which recipes there are.

Knows: lines and documents. Must not know: recipes, locks, stores.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing

from rvbuild.app.memo import Memo
from rvbuild.app.recipe_list import RecipeList, list_recipes
from rvbuild.app.session import Session
from rvbuild.app.show import (
    OptionValue,
    OverriddenModule,
    SeriesStatus,
    TargetStatus,
    TargetsView,
    view_targets,
)
from rvbuild.app.source_inventory import SourceStatus
from rvbuild.app.workspace import Workspace
from rvbuild.cli.closure import closure_lines
from rvbuild.cli.json_text import print_answer
from rvbuild.cli.messages import count_text
from rvbuild.cli.words import parse_targets, session_of
from rvbuild.core.events import silent
from rvbuild.core.lock import PinValue
from rvbuild.core.override import Override
from rvbuild.core.printable import printable, printable_line


def show_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild show [TARGET…]`."""
    with closing(session_of(arguments, workspace, silent)) as session:
        if arguments.targets:
            _show_targets(arguments, session)
        else:
            view = list_recipes(session, locked=not arguments.json)
            _show_recipes(view, as_json=arguments.json)
    return 0


# ---- targets


def _show_targets(arguments: argparse.Namespace, session: Session) -> None:
    pins, closure = arguments.pins, arguments.closure
    targets = parse_targets(session, arguments.targets)
    view = view_targets(session, targets, pins=pins, closure=closure)
    if arguments.json:
        print_answer(_document(view, pins=pins, closure=closure))
        return
    if not pins and not closure:
        _write_lines(_target_lines(view))
    _write_lines(line for key, pin in view.pins.items() for line in _pin_lines(key, pin))
    _write_lines(line for each in view.modules for line in _module_lines(each))
    _write_lines(_unvouched_line(*each) for each in view.unvouched.items())
    if pins and not view.pins and not view.modules:
        sys.stderr.write("no version here was read out of another source\n")
    if closure:
        _write_lines(closure_lines(view.closure))


def _document(view: TargetsView, *, pins: bool, closure: bool) -> dict[str, object]:
    document: dict[str, object] = {
        "targets": {str(each.target): each.derivation for each in view.targets},
        "series": {
            str(each.target): _series_entry(each.series) for each in view.targets if each.series
        },
        "recipes": list(view.recipes),
        "options": [_option_entry(option) for option in view.options],
        "sources": [_source_entry(source) for source in view.sources],
    }
    if pins:
        document["pins"] = [_pin_entry(key, pin) for key, pin in view.pins.items()]
        document["modules"] = [_module_entry(each) for each in view.modules]
        document["unvouched"] = {ref: [*modules] for ref, modules in view.unvouched.items()}
    if closure:
        document["closure"] = [_source_entry(source) for source in view.closure.sources]
        document["prebuilt"] = view.closure.prebuilt
    return document


def _series_entry(series: SeriesStatus) -> dict[str, object]:
    return {
        "series": series.name,
        "default": series.default or None,
        "others": list(series.others),
        "upstream": [
            {
                "recipe": each.recipe,
                "release": each.release or None,
                "end-of-support": each.end_of_support or None,
                "ended": each.has_ended,
            }
            for each in series.upstream
        ],
    }


def _source_entry(source: SourceStatus) -> dict[str, object]:
    return {
        "recipe": source.recipe or None,
        "name": source.name or None,
        "kind": source.description.kind,
        "source": source.description.name,
        "digest": source.description.digest or None,
        "tag": source.description.tag or None,
        "places": list(source.description.places),
        "patches": list(source.patches),
        "derivation": source.derivation,
        "stored": source.stored,
        "machine": source.machine or None,
    }


def _option_entry(option: OptionValue) -> dict[str, object]:
    return {
        "recipe": option.recipe,
        "option": option.option,
        "value": option.value,
        "input": option.input,
        "stands-for": option.choice,
        "summary": option.summary,
        "taken": option.is_taken,
    }


def _pin_entry(key: str, pin: PinValue) -> dict[str, object]:
    return {
        "pin": key,
        "value": pin.value,
        "source": pin.source,
        "file": pin.file,
        "line": pin.line,
        "upstream": pin.upstream or None,
        "instead": _override_entry(pin.instead) if pin.instead else None,
    }


def _module_entry(module: OverriddenModule) -> dict[str, object]:
    return {
        "set": module.set,
        "module": module.module,
        "value": module.instead.value,
        "source": module.source,
        "file": module.file,
        "line": module.line,
        "upstream": module.upstream,
        "instead": _override_entry(module.instead),
    }


def _override_entry(override: Override) -> dict[str, object]:
    return {
        "value": override.value,
        "because": list(override.because),
        "while": override.upstream,
        "until": override.until or None,
    }


def _target_lines(view: TargetsView) -> Iterator[str]:
    for each in view.targets:
        yield from _status_lines(each)
        yield f"  needs       {', '.join(map(str, each.needs)) or 'nothing'}"
        yield from dict.fromkeys(map(_option_line, each.options))  # several recipes have the same
        for source in each.sources:
            yield from _source_lines(source)


def _status_lines(status: TargetStatus) -> Iterator[str]:
    recipe = status.recipe
    yield str(status.target)
    yield f"  {recipe.summary}"
    yield f"  license     {recipe.license}"
    yield f"  homepage    {recipe.homepage}"
    yield f"  recipe      {recipe.file}"
    if status.series:
        yield from _series_lines(status.series)
    yield f"  derivation  {status.derivation or f'none yet: {status.problem}'}"


def _series_lines(series: SeriesStatus) -> Iterator[str]:
    marked = [f"{each} (default)" if each == series.default else each for each in series.others]
    own = f"{series.name} (default)" if series.name == series.default else series.name
    yield f"  series      {'; also '.join(filter(None, (own, ', '.join(marked))))}"
    for each in series.upstream:
        release = each.release or "a commit that is no release"
        until = "support ended on" if each.has_ended else "supported until"
        support = f", {until} {each.end_of_support}" if each.end_of_support else ""
        yield f"              {each.recipe}: {release}{support}"


def _option_line(option: OptionValue) -> str:
    mark = " (taken)" if option.is_taken else ""
    words = f"{option.option}={option.value}"
    return f"  --option    {words:<12}  {option.choice}{mark}: {option.summary}"


def _source_lines(status: SourceStatus) -> Iterator[str]:
    source = status.description
    which = source.short if source.digest else source.name
    yield f"  source      {status.name or status.recipe}  {source.kind} {which}"
    yield from (f"              {place}" for place in source.places)
    yield from (f"              patch {patch}" for patch in status.patches)
    instead = f", or `--override {status.name}=FOLDER`" if status.name else ""
    where = f"where such a place can be reached{instead}"
    if status.derivation is None:
        yield f"              not in the lock: `rvbuild lock {status.recipe}` {where}"
    elif not status.stored and not source.here:
        yield f"              not in the store: fetched {where}"


def _pin_lines(key: str, pin: PinValue) -> Iterator[str]:
    if pin.instead is None:
        yield f"{key} = {pin.value}  ({pin.origin})"
        return
    yield f"{key} = {pin.value}  instead of {pin.upstream}  ({pin.origin})"
    yield from _reason_lines(pin.instead)


def _module_lines(module: OverriddenModule) -> Iterator[str]:
    place = f"{module.source} {module.file}:{module.line}"
    values = f"{module.instead.value}  instead of {module.upstream}"
    yield f"{module.set} {module.module} = {values}  ({place})"
    yield from _reason_lines(module.instead)


def _unvouched_line(ref: str, modules: tuple[str, ...]) -> str:
    count = count_text(len(modules), "Go module")
    return f"{ref}: nobody vouches for {count}: {', '.join(modules)}"


def _reason_lines(override: Override) -> Iterator[str]:
    yield f"  because {override.reason}"
    if override.until:
        yield f"  until {override.until}"


def _write_lines(lines: Iterable[str]) -> None:
    sys.stdout.writelines(f"{printable_line(line)}\n" for line in lines)


# ---- recipes


def _show_recipes(view: RecipeList, *, as_json: bool) -> None:
    if as_json:
        rows = [
            {"name": r.base, "kind": r.kind, "summary": r.summary, "license": r.license}
            for r in view.recipes
        ]
        print_answer({"recipes": rows})
    else:
        _write_list(view)
    view.refuse_errors()


def _write_list(view: RecipeList) -> None:
    width = max((len(recipe.base) for recipe in view.recipes), default=0)
    for recipe in view.recipes:
        mark = "  (not in the lock)" if recipe.base in view.unlocked else ""
        text = printable(f"{recipe.kind:<9}  {recipe.summary}{mark}")
        sys.stdout.write(f"{recipe.base:<{width}}  {text}\n")
