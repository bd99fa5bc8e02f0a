"""The key `go` of a recipe.

Knows: its words. Must not know: what they stand for (core.go_build).
"""

from __future__ import annotations

from rvbuild.core.go_build import KEY, TOOLCHAIN, GoProgram
from rvbuild.recipes_yaml.fields import Fields


def go_program_of(top: Fields) -> GoProgram | None:
    """What is under `go`."""
    fields = top.fields(KEY, "package: ./cmd/hello, stamps: {main.version: $version}")
    if fields is None:
        return None
    stamps = fields.fields("stamps", "main.version: $version")
    program = GoProgram(
        source=fields.text("source", ""),
        directory=fields.text("directory", "."),
        package=fields.text("package", "."),
        tags=fields.texts("tags"),
        toolchain=fields.text("toolchain", TOOLCHAIN),
        stamps={name: stamps.text(name) for name in stamps.node.nodes} if stamps else {},
    )
    fields.finish()
    return program
