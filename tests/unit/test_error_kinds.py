"""What a program reads as an error's `kind` is a class that `core.errors` documents."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import rvbuild
from rvbuild.cli.json_text import error_row
from rvbuild.core import errors
from rvbuild.core.errors import RvbuildError

PACKAGE = Path(rvbuild.__file__).parent


def error_classes() -> list[type[RvbuildError]]:
    """Every class of error of the package, wherever it is."""
    for module in pkgutil.walk_packages(rvbuild.__path__, "rvbuild."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    classes = [RvbuildError, *below(RvbuildError)]
    return [each for each in classes if each.__module__.startswith("rvbuild.")]


def below(above: type[RvbuildError]) -> Iterator[type[RvbuildError]]:
    for each in above.__subclasses__():
        yield each
        yield from below(each)


@pytest.mark.parametrize("error", error_classes(), ids=lambda each: each.__qualname__)
def test_the_kind_of_an_error_is_a_documented_class(error: type[RvbuildError]):
    """An adapter's own class counts as the one that it narrows; its exit code is the same."""
    made = error([ValueError()]) if issubclass(error, errors.RunFailed) else error("it broke")
    kind = error_row(made)["kind"]
    documented = getattr(errors, str(kind))
    assert issubclass(error, documented)
    assert issubclass(error, errors.RunFailed) or error.exit_code == documented.exit_code
    assert errors.__doc__ is not None
    assert kind in errors.__doc__


def test_nothing_raises_an_error_that_says_no_more_than_its_family():
    """What somebody does about a `VerificationError` depends on which one it is."""
    vague = {"RvbuildError", "VerificationError"}
    calls = {
        (str(path.relative_to(PACKAGE)), node.func.id)
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in vague
    }
    assert calls == {("cli/messages.py", "RvbuildError")}  # a bug is drawn as one


def test_an_error_of_python_is_its_own_kind():
    assert error_row(ValueError("a bug"))["kind"] == "ValueError"
