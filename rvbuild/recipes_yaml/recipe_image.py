"""The key `image` of a recipe, and what outputs have in common with it.

Knows: its words. Must not know: what is packed (core.image, core.image_root).
"""

from __future__ import annotations

from collections.abc import Iterator

from rvbuild.core.errors import RecipeError
from rvbuild.core.recipe import ImageSpec, ImageUser
from rvbuild.recipes_yaml.document import Scalar
from rvbuild.recipes_yaml.fields import Fields, flag, words
from rvbuild.recipes_yaml.recipe_names import variables_of


def image_of(fields: Fields | None) -> ImageSpec | None:
    """What is under `image`."""
    if fields is None:
        return None
    labels = fields.fields("labels")
    spec = ImageSpec(
        name=fields.text("name"),
        tag=fields.text("tag"),
        entrypoint=words(fields, "entrypoint"),
        command=words(fields, "command"),
        user=fields.text("user", ""),
        working_directory=fields.text("working-directory", ""),
        env=variables_of(fields, "env", reserved=()),
        ports=fields.texts("ports"),
        volumes=fields.texts("volumes"),
        labels={name: labels.text(name) for name in labels.node.nodes} if labels else {},
        tls=flag(fields, "tls"),
        stop_signal=fields.text("stop-signal", ""),
        base=_one_or_more(fields, "from"),
        copy=_copy(fields.fields("copy", "/usr/sbin: nginx/sbin/nginx")),
        folders=_folders(fields.fields("folders", "/data: 1777")),
        users=dict(_users(fields.fields("users", "nginx: {id: 101}"))),
        detected=detected_of(fields),
    )
    fields.finish()
    return spec


def _one_or_more(fields: Fields, key: str) -> tuple[str, ...]:
    """A list, or its only word."""
    if isinstance(fields.node.nodes.get(key), Scalar):
        return (fields.text(key),)
    return fields.texts(key)


def _copy(table: Fields | None) -> dict[str, tuple[str, ...]]:
    return {name: _one_or_more(table, name) for name in table.node.nodes} if table else {}


def _folders(table: Fields | None) -> dict[str, str]:
    return {name: table.text(name) for name in table.node.nodes} if table else {}


def _users(table: Fields | None) -> Iterator[tuple[str, ImageUser]]:
    for name, node in table.node.nodes.items() if table else ():
        fields = Fields(node, like="{id: 101}")
        number = fields.text("id")
        user = ImageUser(
            id=number,
            group=fields.text("group", number),
            home=fields.text("home", "/"),
            shell=fields.text("shell", "/bin/false"),
        )
        fields.finish()
        yield name, user


def detected_of(fields: Fields) -> dict[str, str]:
    """Reasons by patterns of functions."""
    table = fields.fields("detected", '"PATTERN*": it asks hwprobe')
    reasons = {name: table.text(name) for name in table.node.nodes} if table else {}
    for name, reason in reasons.items():
        if table and not reason.strip():
            msg = f"{name!r} has no reason"
            hint = "say how it asks what the processor can do"
            raise RecipeError(msg, where=table.at(name), hint=hint)
    return reasons
