"""Mirrors: where else the bytes of a URL may be had.

Knows: prefix rewriting, as the setting ``mirrors`` has it.
Must not know: how bytes travel, or what they are.
"""

from __future__ import annotations

from attrs import field, frozen


def _rest(url: str, prefix: str) -> str | None:
    """What follows ``prefix`` in ``url``, if it ends there at a path component.

    ``.git`` at the end of either is no difference.
    """
    if url.removesuffix(".git") == prefix.removesuffix(".git").rstrip("/"):
        return ""
    if not url.startswith(prefix):
        return None
    rest = url[len(prefix) :]
    return rest if prefix.endswith("/") or rest.startswith(("/", "?")) else None


@frozen
class Mirrors:
    """Rewriting rules, (from, to), asked in order.

    ``to`` is a URL or a path of this machine. A ``from`` covers whole path components:
    ``https://forge.example/a/k3s`` is no prefix of ``https://forge.example/a/k3s-charts``.
    """

    rules: tuple[tuple[str, str], ...] = field(default=())

    def of(self, url: str) -> tuple[str, ...]:
        """The mirrors' addresses for ``url``, in the order of the rules; without ``url``."""
        addresses = []
        for prefix, target in self.rules:
            rest = _rest(url, prefix)
            if rest is not None:
                address = target.rstrip("/") + "/" + rest.lstrip("/") if rest else target
                addresses.append(address)
        return tuple(dict.fromkeys(addresses))

    def exact(self, url: str) -> tuple[str, ...]:
        """Those addresses of `of` whose rule names ``url`` itself, and not where it begins."""
        return tuple(target for prefix, target in self.rules if _rest(url, prefix) == "")
