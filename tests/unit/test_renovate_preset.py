"""Which pins Renovate's preset sees in a recipe, however that is written."""

import re

import pytest
from renovate_preset import BOT, extracted, preset

A, B = "a" * 40, "b" * 40
TEXTS = {
    'version: "1.2"  # so far\nkind: tool\n': {"it/version": "1.2"},
    "kind: source\nversion: v1.9.1-k3s2": {"it/version": "v1.9.1-k3s2"},
    "version: {from: other, line: 1, file: V}\n": {},
    "version:\n  from: other\n  line: 1\n": {},
    'sources: {it: {git: "u", tag: "v${version}"}}\n': {},
    f"sources: {{it: {{git: u, commit: {A}}}}}\n": {"it/it": A},
    f"sources: {{a: {{commit: '{A}', git: u}}, b: {{git: u, tag: v2}}}}\n": {
        "it/a": A,
        "it/b": "v2",
    },
    f"sources:\n  a:\n    git: u\n    tag: v1\n  b:\n    git: u\n    commit: {B}\n": {
        "it/a": "v1",
        "it/b": B,
    },
    'sources:\n  m: {go-module: g/m, version: "v1.2.3"}\n': {"it/m": "v1.2.3"},
    f'per-series:\n  "2": {{commit: {A}, end-of-support: "2027-02-28"}}\n  1: {{commit: {B}}}\n': {
        "it/commit@2": A,
        "it/commit@1": B,
    },
    f"per-series:\n  '1.35':\n    release: v1\n    commit: \"{A}\"\n\n  # old\n  '1.34':\n"
    f"    commit: {B}\n    patches: [a.patch]\nkind: source\n": {
        "it/commit@1.35": A,
        "it/commit@1.34": B,
    },
    f"per-series: {{2: {{commit: {A}}}, 1: {{commit: {B}}}}}\n": {
        "it/commit@2": A,
        "it/commit@1": B,
    },
    f"sources: {{t: {{git: u, commit: '${{commit}}'}}}}\nper-series:\n  2: {{commit: {A}}}\n": {
        "it/commit@2": A
    },
    'per-series:\n  "2":\n    version: "2.1"\n  "1":\n    version: "1.9"\n': {
        "it/version@2": "2.1",
        "it/version@1": "1.9",
    },
    f"version: 1.0\nper-series:\n  2:\n    version: '2.1'\n    commit: {A}\n": {
        "it/version": "1.0",
        "it/version@2": "2.1",
        "it/commit@2": A,
    },
}


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("text", TEXTS)
def test_what_is_seen(text: str, end: str) -> None:
    assert sorted(extracted("it", text.replace("\n", end))) == sorted(TEXTS[text].items())


SHAPES = {
    "1.30.4": ("", "1", "30", "4", None, None),
    "v1.9.1-k3s10": ("v", "1", "9", "1", "3", "10"),
    "v1.32.3+k3s1": ("v", "1", "32", "3", "3", "1"),
    "go1.26": ("go", "1", "26", None, None, None),
    "20250814": ("", "20250814", None, None, None, None),
    "8_1_2": ("", "8", "1", "2", None, None),
    "1.2.3.4": ("", "1", "2", "3", "4", None),
}


@pytest.mark.parametrize("version", SHAPES)
def test_versions_have_an_order(version: str) -> None:
    """By their numbers, whatever stands around them: which ones may be taken is not Renovate's."""
    shape = preset()["customManagers"][0]["versioningTemplate"].partition(":")[2]
    match = re.match(shape.replace("(?<", "(?P<"), version)
    assert match
    names = ("compatibility", "major", "minor", "patch", "build", "revision")
    assert tuple(match[name] for name in names) == SHAPES[version]


def test_no_pattern_looks_around() -> None:
    """Renovate's engine, RE2, knows neither lookahead nor back references."""
    for manager in preset()["customManagers"]:
        for pattern in (*manager["matchStrings"], manager["versioningTemplate"]):
            assert not re.search(r"\(\?<?[=!]|\\[1-9]|\\k<", pattern)


@pytest.mark.parametrize(
    "text", ["{{{", "{{", "{{{{{{x}}}}", "a {{#if b}}", "{ {{", "{", "{a: {b}}"]
)
def test_no_text_of_upstream_is_a_template(text: str) -> None:
    """The bot parts braces, and changes nothing else."""
    change = re.search(r'text\.replace\(/(.*)/g, "(.*)"\)', BOT.read_text())
    assert change
    plain = re.sub(change[1], change[2], text)
    assert "{{" not in plain
    assert plain == text if "{{" not in text else plain.replace(" ", "") == text.replace(" ", "")


SHOWN = {
    "RVBUILD_STORE": True,
    "RVBUILD_SIGNING_KEY": False,
    "GOPROXY": True,
    "GONOSUMDB": True,
    "GOOGLE_APPLICATION_CREDENTIALS": False,
    "PIP_INDEX_URL": True,
    "UV_INDEX": True,
    "UV_PUBLISH_TOKEN": False,
    "CARGO_HOME": True,
    "CARGO_REGISTRIES_OWN_INDEX": True,
    "CARGO_REGISTRIES_OWN_TOKEN": False,
    "CARGO_REGISTRY_TOKEN": False,
    "RENOVATE_TOKEN": False,
}


@pytest.mark.parametrize("name", SHOWN)
def test_variables_that_the_commands_see(name: str) -> None:
    """Those that are read, and none that signs or publishes."""
    block = re.search(r"new RegExp\(`\^\(\$\{\[(.*?)\]\.join", BOT.read_text(), re.DOTALL)
    assert block
    patterns = re.findall(r'"(.*)"', block[1])
    assert bool(re.fullmatch("|".join(patterns), name)) is SHOWN[name]


@pytest.mark.parametrize("version", ["v1.2.3", "-1", "1:2~rc1+k3s1-2"])
def test_the_command_is_one_that_is_allowed(version: str) -> None:
    """Also with a tag that begins as an option does."""
    [command] = preset()["packageRules"][0]["postUpgradeTasks"]["commands"][1:]
    template = re.sub(r"\{\{#if .*\{\{/if\}\}", "VERSION", command)
    text = template.replace("{{{depName}}}", "k3s-source/commit@1.35").replace("VERSION", version)
    assert text == f"rvbuild update k3s-source/commit@1.35 --to={version}"
    [_, allowed] = re.findall(r'^    "(\^.*\$)",$', BOT.read_text(), re.MULTILINE)
    assert re.match(allowed.replace("\\\\", "\\"), text)


def test_the_answer_is_compared_by_the_name_alone() -> None:
    """How a pin is called is what `outdated` says."""
    [first, *_] = preset()["customDatasources"]["rvbuild"]["transformTemplates"]
    assert first == "pins[name = '{{{packageName}}}'][0]"
    assert "function rule({ name, " in BOT.read_text()
