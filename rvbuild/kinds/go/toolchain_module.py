"""The module that Go toolchains are.

Knows: its path, and what its versions are called. Must not know: how it is had.
"""

from __future__ import annotations

TOOLCHAIN = "golang.org/toolchain"


def toolchain_version(version: str, platform: str) -> str:
    """The version of the toolchain's module: ``v0.0.1-go1.23.6.linux-amd64``."""
    return f"v0.0.1-go{version}.{platform}"
