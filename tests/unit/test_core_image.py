"""Images as recipes declare them: names, configuration, and the step that packs."""

from __future__ import annotations

import json

import pytest
from attrs import evolve

from rvbuild.core.derivation import Step
from rvbuild.core.errors import RecipeError
from rvbuild.core.graph import RecipeGraph, Target
from rvbuild.core.link import Linker
from rvbuild.core.lock import GoModuleSet
from rvbuild.core.recipe import GoModulesSpec, Recipe
from rvbuild.core.source import Source
from rvbuild.kinds.url.source import UrlSource
from rvbuild.recipes_yaml.recipe import read_recipe

TOOLBOX = "kind: tool\ntoolbox: none\nsources: {box: {url: https://e.org/box.tar}}\n"
PROGRAM = 'build: "true"\noutputs: {app: {path: bin/app, kind: executable}}\n'
IMAGE = """\
kind: image
version: "1.0"
date: "86400"
inputs: {target: [app]}
image:
  name: docker.io/team/app-${name}
  tag: "v${version}"
  entrypoint: [/bin/app, --twice, --twice]
  command: ["${version}"]
  user: "1000"
  working-directory: /data
  stop-signal: SIGQUIT
  env: {B: "${arch}", HOME: /root, A: b}
  ports: [53, 53/udp]
  volumes: [/data, "/${name}"]
  labels: {org.example.arch: "${arch}"}
  tls: true
build: |
  cp /in/app/bin/app "$root"
"""


class Pins:
    """Every pin is a literal, every source one URL."""

    def pin(self, recipe: Recipe, name: str) -> str:
        return str(recipe.all_pins[name])

    def source(self, recipe: Recipe, name: str) -> tuple[Source, ...]:
        return (UrlSource(urls=(f"{recipe.name}/{name}",), sha256="0" * 64),)

    def modules(self, recipe: Recipe, spec: GoModulesSpec) -> GoModuleSet:
        raise NotImplementedError


POD = Target("pod", "riscv64")


def linked(target: Target = POD, **changed: str) -> Step:
    """The step of a target; ``changed`` recipe texts by name."""
    texts = {
        "base-toolbox": TOOLBOX,
        "qemu-user": TOOLBOX.replace("kind: tool", "kind: toolchain"),
        "oci-pack": 'kind: tool\nbuild: "true"\n',
        "app": PROGRAM,
        "pod": IMAGE,
        **changed,
    }
    recipes = {
        name: read_recipe(text.encode(), name, f"{name}.yaml") for name, text in texts.items()
    }
    graph = RecipeGraph(
        [target], lambda name, _at=None, _series="": recipes[name], "amd64", checks=True
    )
    found = Linker(graph, Pins(), "amd64").link((target,), checks=True)
    step = found.derivations[found.results[target]]
    assert isinstance(step, Step)
    return step


def configuration(**changed: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(dict(linked(**changed).environment)["image_config"])
    return found


def test_the_configuration_is_what_the_recipe_says():
    assert configuration() == {
        "architecture": "riscv64",
        "config": {
            "Cmd": ["1.0"],
            "Entrypoint": ["/bin/app", "--twice", "--twice"],
            "Env": [
                "A=b",
                "B=riscv64",
                "HOME=/root",
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            ],
            "ExposedPorts": {"53/tcp": {}, "53/udp": {}},
            "Labels": {"org.example.arch": "riscv64"},
            "StopSignal": "SIGQUIT",
            "User": "1000",
            "Volumes": {"/data": {}, "/pod": {}},
            "WorkingDir": "/data",
        },
        "created": "1970-01-02T00:00:00Z",
        "history": [{"created": "1970-01-02T00:00:00Z", "created_by": "rvbuild pod-riscv64"}],
        "os": "linux",
    }


@pytest.mark.parametrize("key", ["pins", "env", "per-architecture"])
def test_what_the_script_of_an_image_finds_is_set_by_rvbuild(key: str):
    """And in no other recipe: there it is a name like any."""
    table = "{riscv64: {root: a}}" if key == "per-architecture" else "{root: a}"
    with pytest.raises(RecipeError, match="'root' is set by rvbuild itself"):
        linked(pod=f"{key}: {table}\n{IMAGE}")
    app = linked(Target("app", "riscv64"), app=f"{key}: {table}\n{PROGRAM}")
    assert dict(app.environment)["root"] == "a"


def test_no_input_of_an_image_exports_what_its_script_finds():
    with pytest.raises(RecipeError, match="'root' is set by rvbuild itself"):
        linked(app=f"exports: {{env: {{root: a}}}}\n{PROGRAM}")


def test_what_is_not_said_is_not_in_the_configuration():
    image = "image: {name: localhost/a, tag: '1', command: [/x], env: {PATH: /x}}\n"
    found = configuration(pod=f"kind: image\n{image}build: x\n")
    assert found["config"] == {"Cmd": ["/x"], "Env": ["PATH=/x"]}
    assert found["created"] == "1970-01-01T00:00:00Z"


def test_the_longest_name_and_the_latest_date():
    text = IMAGE.replace("team", "x" * 237).replace('"86400"', '"99999999999"')
    environment = dict(linked(pod=text).environment)
    assert len(environment["image_name"].partition(":")[0]) == 255
    assert json.loads(environment["image_config"])["created"] == "5138-11-16T09:46:39Z"


@pytest.mark.parametrize("host", ["docker.io", "localhost", "localhost:5000", "registry:5000"])
def test_a_name_begins_with_its_registry(host: str):
    environment = dict(linked(pod=IMAGE.replace("docker.io", host)).environment)
    assert environment["image_name"] == f"{host}/team/app-pod:v1.0"


def test_the_script_fills_the_root_and_then_packs_it():
    step = linked()
    environment = dict(step.environment)
    assert environment["root"] == "/build/root"
    assert environment["image_name"] == "docker.io/team/app-pod:v1.0"
    assert step.script.startswith('mkdir -p /build/root; cp /in/app/bin/app "$root"\n')
    assert step.script.endswith('--archive "$out/$image_file" "$out/image"\n')
    assert [given.path for given in step.inputs_at] == ["", "in/oci-pack", "in/app"]


def test_the_image_and_its_archive_are_outputs():
    outputs = {rule.name: rule for rule in linked().outputs}
    assert outputs["image"].kind == "image"
    assert outputs["image"].architecture == "riscv64"
    assert outputs["image"].tls
    assert outputs["archive"] == evolve(
        outputs["image"], name="archive", path="app-pod-riscv64.tar"
    )
    assert dict(linked().environment)["image_file"] == outputs["archive"].path


def test_the_archive_has_the_last_part_of_the_name_that_the_image_gets():
    text = IMAGE.replace("app-${name}", "${place}").replace("date:", "pins: {place: a/b}\ndate:")
    step = linked(pod=text)
    assert dict(step.environment)["image_name"] == "docker.io/team/a/b:v1.0"
    (archive,) = (rule.path for rule in step.outputs if rule.name == "archive")
    assert archive == dict(step.environment)["image_file"] == "b-riscv64.tar"


def test_a_ca_bundle_to_look_for_is_part_of_the_key():
    assert linked().digest != linked(pod=IMAGE.replace("tls: true", "tls: false")).digest


def test_an_image_is_an_input_for_the_target():
    bundle = "inputs: {build: [oci-pack], target: [pod]}\nbuild: x\n"
    step = linked(Target("all", "arm64"), all=bundle)
    assert [given.path for given in step.inputs_at] == ["", "in/oci-pack", "in/pod"]


def test_an_image_may_name_its_packer_itself():
    text = IMAGE.replace("inputs: {", "inputs: {build: [oci-pack], ")
    assert linked(pod=text).script == linked().script


def test_a_check_of_an_image_is_for_its_target():
    text = IMAGE + "checks: [{run: ls /in/pod/image}]\n"
    assert linked(pod=text).digest == linked().digest


@pytest.mark.parametrize(
    ("was", "becomes", "key", "says"),
    [
        ("docker.io/team/", "team/", "name", "'team/app-pod' cannot be the name of an image"),
        ("docker.io/team/", "docker.io/Team/", "name", "'docker.io/Team/app-pod' cannot be"),
        ("docker.io/team/app-${name}", "docker.io", "name", "'docker.io' cannot be"),
        ("v${version}", "v 1", "tag", "'v 1' cannot be the tag"),
        ("[/data", "[data", "volumes", "'data' cannot be the volumes of an image"),
        ("[/data", "[/../x", "volumes", "'/../x' cannot be the volumes of an image"),
        ("[/data", "[/x/.", "volumes", "'/x/.' cannot be the volumes of an image"),
        ("[/data", "[/", "volumes", "'/' cannot be the volumes of an image"),
        ("SIGQUIT", "QUIT", "stop-signal", "'QUIT' cannot be the stop-signal of an image"),
        ("SIGQUIT", "-9", "stop-signal", "'-9' cannot be the stop-signal of an image"),
        ("53/udp", "53/icmp", "ports", "'53/icmp' cannot be the ports"),
        ("53/udp", "65536/udp", "ports", "65536 cannot be here: the last number is 65535"),
        (
            "directory: /data",
            "directory: data",
            "working-directory",
            "'data' cannot be the working-d",
        ),
        (
            "directory: /data",
            "directory: /..",
            "working-directory",
            "'/..' cannot be the working-d",
        ),
        ('"1000"', '"4294967295"', "user", "4294967295 cannot be here"),
        ('"1000"', '"0:4294967295"', "user", "the last number is 4294967294"),
        ('"86400"', "today", "date", "'today' is not a date in seconds"),
        ('"86400"', "99999999999999999999", "date", "is not a date in seconds"),
        ('"86400"', '" 5 "', "date", "' 5 ' is not a date in seconds"),
        ('"86400"', "1_000", "date", "'1_000' is not a date in seconds"),
        ('"86400"', "\uff11\uff12", "date", "is not a date in seconds"),
        ('"86400"', '"-40000000000"', "date", "is not a date in seconds"),
        ("team", f"{'x' * 238}", "name", "has at most 255 characters, not 256"),
    ],
)
def test_what_no_image_can_have(was: str, becomes: str, key: str, says: str):
    assert was in IMAGE
    with pytest.raises(RecipeError) as caught:
        linked(pod=IMAGE.replace(was, becomes))
    assert says in caught.value.message
    line = 1 + [line.strip().partition(":")[0] for line in IMAGE.splitlines()].index(key)
    assert str(caught.value.where).startswith(f"pod.yaml:{line}:")


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("directory: /data", "directory: /"),
        ("53/udp", "65535/udp"),
        ('"1000"', '"4294967294:4294967294"'),
    ],
)
def test_the_last_that_an_image_can_have(was: str, becomes: str):
    assert linked(pod=IMAGE.replace(was, becomes)) != linked(pod=IMAGE)


def test_what_an_image_declares_holds_for_both_of_its_forms():
    declared = IMAGE.replace("tls: true", 'tls: true\n  detected: {"copy_*": asks hwprobe}')
    step = linked(pod=declared)
    rules = {rule.name: rule for rule in step.outputs}
    assert rules["image"].detected == rules["archive"].detected == (("copy_*", "asks hwprobe"),)
    assert step.digest != linked().digest


def test_a_rule_that_declares_nothing_has_the_identity_that_it_always_had():
    (rule, *_) = linked().outputs
    assert "detected" not in str(rule.identity)
    declared = evolve(rule, detected=(("f", "asks"),))
    assert declared.identity == {**dict(rule.identity), "detected": {"f": "asks"}}
