"""What pins are called where several are told of: as short as tells them apart.

Knows: what everybody takes for granted of a name. Must not know: what is told of a pin.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from rvbuild.core.names import PinRef

PinNames = Mapping[PinRef, str]
"""By pin, its name for people."""


def pin_names(pins: Iterable[PinRef], whole: Collection[PinRef] = ()) -> PinNames:
    """A name for each pin.

    It is that of its recipe, with the source if that has another name: ``nginx``, ``toolbox
    debian``. Pins that would have one name have their own in it: ``two b``, ``two version``.

    Args:
        pins: All that are told of.
        whole: Those that always have their own: they choose no source.
    """
    lengths = {pin: int(pin in whole) for pin in pins}
    while True:
        names = {pin: _FORMS[length](pin) for pin, length in lengths.items()}
        counts = Counter(names.values())
        alike = [pin for pin, name in names.items() if counts[name] > 1]
        longer = [pin for pin in alike if lengths[pin] + 1 < len(_FORMS)]
        if not longer:
            return names
        lengths.update({pin: lengths[pin] + 1 for pin in longer})


def _short(pin: PinRef) -> str:
    source = _source(pin)
    return pin.recipe if not source or source in pin.recipe else f"{pin.recipe} {source}"


def _own(pin: PinRef) -> str:
    return f"{pin.recipe} {_source(pin) or pin.name}"


def _whole(pin: PinRef) -> str:
    return f"{pin.recipe} {pin.name}"


_FORMS = (_short, _own, _whole)


def _source(pin: PinRef) -> str:
    """The source in which a value stands; empty if it stands in none."""
    return pin.name.split(".")[1] if pin.name.startswith("sources.") else ""
