"""No class is a god object: ten public methods at most, what it has of our own classes included."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import rvbuild

MOST = 10


def classes() -> Iterator[type]:
    for module in pkgutil.walk_packages(rvbuild.__path__, "rvbuild."):
        if module.name.endswith(("__main__", "_pb2")):
            continue
        loaded = importlib.import_module(module.name)
        for _, each in inspect.getmembers(loaded, inspect.isclass):
            if each.__module__ == module.name:
                yield each


def methods(each: type) -> set[str]:
    """Public methods and properties, those of our own classes that it inherits from, too."""
    own = [base for base in each.__mro__ if base.__module__.startswith("rvbuild.")]
    return {
        name
        for base in own
        for name, member in vars(base).items()
        if not name.startswith("_")
        and (
            inspect.isfunction(member)
            or isinstance(member, (property, classmethod, staticmethod))
            or hasattr(member, "func")  # a cached property
        )
    }


def test_no_class_has_more_than_ten_public_methods():
    large = {f"{each.__module__}.{each.__name__}": sorted(methods(each)) for each in classes()}
    assert {name: found for name, found in large.items() if len(found) > MOST} == {}


def test_what_is_inherited_counts_and_what_is_private_does_not():
    one = type("One", (), {"__module__": "rvbuild.x", "a": lambda: 0, "_b": lambda: 0})
    two = type("Two", (one,), {"__module__": "rvbuild.x", "c": property(lambda _: 0), "d": 1})
    assert methods(two) == {"a", "c"}
