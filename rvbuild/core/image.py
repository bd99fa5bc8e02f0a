"""OCI images: what an image's configuration says, and what packs it at the end of its step.

Knows: the image specification's configuration and names; how `oci-pack` is called.
Must not know: layers, files, how packing is done.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping

from attrs import evolve

from rvbuild.core.canonical import Json, encode
from rvbuild.core.errors import RecipeError
from rvbuild.core.image_root import LAST_ID, beginning, check_number, names_in_root
from rvbuild.core.recipe import ImageSpec, Output, Recipe, substitute
from rvbuild.core.step_values import check_date

PACKER = "oci-pack"
"""The recipe of the program that packs."""

ROOT = "/build/root"
VARIABLES = ("root", "image_name", "image_file", "image_config")
"""What the script of an image finds, and no recipe of one can set."""

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What a runtime takes where the configuration has no PATH, too."""

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(
    rf"(?:[a-z0-9-]+(?:\.[a-z0-9-]+)+|localhost|[a-z0-9-]+(?=:))(?::\d+)?(?:/{_PART})+\Z"
)
_LONGEST_NAME = 255  # what registries and runtimes take, the registry's own part included
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")
_FOLDER = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[^/\0]+)+/?\Z")
_SIGNAL = re.compile(r"(?:SIG[A-Z]+[0-9]?(?:[+-][0-9]{1,2})?|[0-9]{1,2})\Z")
LAST_PORT = 65535
_PORT = re.compile(r"[0-9]{1,5}(?:/(?:tcp|udp|sctp))?\Z")

_FIRST = f"mkdir -p {ROOT}; "  # on the script's first line: the shell counts lines in its errors
_LAST = f"""
# what rvbuild adds to the script of an image
/in/{PACKER}/bin/oci-pack --image {ROOT} "$out/image"
/in/{PACKER}/bin/oci-pack --archive "$out/$image_file" "$out/image"
"""


def expanded(recipe: Recipe) -> Recipe:
    """The recipe with all that an image's implies: its packer, the packing, what that leaves.

    Raises:
        RecipeError: it declares an output that every image has.
    """
    if recipe.image is None:
        return recipe
    begin = beginning(recipe, recipe.image, ROOT)
    script = "" if recipe.build is None else recipe.build.rstrip("\n") + "\n"
    in_root = [*names_in_root(recipe, recipe.image)]
    packages = [name for name, _ in in_root if name not in recipe.build_inputs]
    places = {f"inputs.target.{name}": place for name, place in reversed(in_root)}
    implied = {
        name: Output(path=path, kind="image", tls=recipe.image.tls, detected=recipe.image.detected)
        for name, path in (("image", "image"), ("archive", "${image_file}"))
    }
    for name in implied:
        if name in recipe.outputs:
            msg = f"every image has an output {name!r} already"
            where = recipe.at(f"outputs.{name}")
            raise RecipeError(msg, where=where, hint="give it another name")
    return evolve(
        recipe,
        build_inputs=tuple(dict.fromkeys((*recipe.build_inputs, PACKER))),
        target_inputs=tuple(dict.fromkeys((*recipe.target_inputs, *packages))),
        build=_FIRST + begin + script + _LAST,
        outputs={**implied, **recipe.outputs},
        where={f"inputs.build.{PACKER}": recipe.at("image"), **places, **recipe.where},
    )


def environment(recipe: Recipe, spec: ImageSpec, values: Mapping[str, str]) -> dict[str, str]:
    """The variables that the script and the packing find.

    Raises:
        RecipeError: a name, tag, port or date that no image can have.
    """
    say = _substitution(recipe, values)
    name = _fitting(_NAME, say("name", spec.name), "registry.example/team/program", recipe, "name")
    if len(name) > _LONGEST_NAME:
        msg = f"the name of an image has at most {_LONGEST_NAME} characters, not {len(name)}"
        raise RecipeError(msg, where=recipe.at("image.name"), hint="give it a shorter one")
    tag = _fitting(_TAG, say("tag", spec.tag), "1.2.3", recipe, "tag")
    return {
        "root": ROOT,
        "image_name": f"{name}:{tag}",
        "image_file": f"{name.rsplit('/', 1)[1]}-{values['arch']}.tar",
        "image_config": encode(_configuration(recipe, spec, values)).decode(),
    }


_Say = Callable[[str, str], str]


def _substitution(recipe: Recipe, values: Mapping[str, str]) -> _Say:
    return lambda key, text: substitute(text, values, recipe.at(f"image.{key}"))


def _fitting(pattern: re.Pattern[str], text: str, example: str, recipe: Recipe, key: str) -> str:
    if not pattern.match(text):
        msg = f"{text!r} cannot be the {key} of an image"
        raise RecipeError(msg, where=recipe.at(f"image.{key}"), hint=f"for example: {example}")
    return text


def _configuration(recipe: Recipe, spec: ImageSpec, values: Mapping[str, str]) -> Json:
    """The image's configuration but for ``rootfs``, which packing adds: the last of its keys."""
    created = _moment(recipe, values["date"] or "0")
    return {
        "architecture": values["arch"],
        "config": _process(recipe, spec, values),
        "created": created,
        "history": [{"created": created, "created_by": f"rvbuild {recipe.base}-{values['arch']}"}],
        "os": "linux",
    }


def _process(recipe: Recipe, spec: ImageSpec, values: Mapping[str, str]) -> dict[str, Json]:
    say = _substitution(recipe, values)
    given = {name: say(f"env.{name}", text) for name, text in spec.env.items()}
    ports = [_fitting(_PORT, say("ports", port), "53/udp", recipe, "ports") for port in spec.ports]
    for port in ports:
        check_number(port.partition("/")[0], LAST_PORT, recipe.at(f"image.ports.{port}"))
    volumes = [
        _fitting(_FOLDER, say("volumes", v), "/data", recipe, "volumes") for v in spec.volumes
    ]
    stop = say("stop-signal", spec.stop_signal)
    if stop:
        _fitting(_SIGNAL, stop, "SIGQUIT", recipe, "stop-signal")
    folder = say("working-directory", spec.working_directory)
    if folder not in {"", "/"}:
        _fitting(_FOLDER, folder, "/data", recipe, "working-directory")
    user = say("user", spec.user)
    for part in filter(str.isdecimal, user.split(":")):
        check_number(part, LAST_ID, recipe.at("image.user"))
    parts: dict[str, Json] = {
        "Cmd": [say("command", word) for word in spec.command],
        "Entrypoint": [say("entrypoint", word) for word in spec.entrypoint],
        "Env": [
            f"{name}={text}" for name, text in sorted(({"PATH": DEFAULT_PATH} | given).items())
        ],
        "ExposedPorts": {port if "/" in port else f"{port}/tcp": {} for port in ports},
        "Labels": {name: say(f"labels.{name}", text) for name, text in spec.labels.items()},
        "Volumes": {path: {} for path in volumes},
        "StopSignal": stop,
        "User": user,
        "WorkingDir": folder,
    }
    return {key: value for key, value in parts.items() if value}


def _moment(recipe: Recipe, seconds: str) -> str:
    check_date(recipe, seconds)
    return dt.datetime.fromtimestamp(int(seconds), tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
