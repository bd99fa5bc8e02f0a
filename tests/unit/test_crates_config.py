"""Which registry cargo's configuration names, and what it cannot name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import SourceError
from rvbuild.kinds.crates.cargo_config import Registry, clients_default, find_registry

DEFAULT = "https://default.invalid/index/"
MIRROR = 'registry = "sparse+https://mirror.invalid/crates/"\n'
REPLACED = '[source.crates-io]\nreplace-with = "near"\n'


@pytest.fixture
def found(tmp_path: Path) -> Callable[..., Registry]:
    """The registry that a cargo home with a file and an environment names."""

    def find(text: str, file: str = "config.toml", **more: str) -> Registry:
        home = tmp_path / "home/.cargo"
        home.mkdir(parents=True, exist_ok=True)
        (home / file).write_text(text)
        environment = {"HOME": str(tmp_path / "home"), **more}
        return find_registry(environment, lambda _: DEFAULT)

    return find


NAMED: Mapping[str, tuple[str, str]] = {
    "nothing": ("", DEFAULT),
    "other settings": ("[build]\njobs = 1\n[source.other]\n" + MIRROR, DEFAULT),
    "a replacement": (REPLACED + "[source.near]\n" + MIRROR, "https://mirror.invalid/crates/"),
    "a chain": (
        REPLACED + '[source.near]\nreplace-with = "far"\n[source.far]\n' + MIRROR,
        "https://mirror.invalid/crates/",
    ),
    "a replacement of a source that has an address of its own": (
        '[source.crates-io]\nregistry = "sparse+https://hidden.invalid/"\nreplace-with = "near"\n'
        "[source.near]\n" + MIRROR,
        "https://mirror.invalid/crates/",
    ),
    "an address of its own": ("[source.crates-io]\n" + MIRROR, "https://mirror.invalid/crates/"),
    "a registry by its name": (
        REPLACED + '[registries.near]\nindex = "sparse+https://near.invalid/i"\n',
        "https://near.invalid/i/",
    ),
    "a source before a registry": (
        REPLACED + '[registries.near]\nindex = "sparse+https://no.invalid/"\n[source.near]\n'
        + MIRROR,
        "https://mirror.invalid/crates/",
    ),
    "a port, a user and no slash": (
        REPLACED + '[source.near]\nregistry = "sparse+http://u:p@127.0.0.1:80/a//"\n',
        "http://u:p@127.0.0.1:80/a/",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "index"), NAMED.values(), ids=NAMED)
def test_the_index_that_is_named(found: Callable[..., Registry], text: str, index: str):
    assert found(text).index == index


def test_a_registry_of_the_environment_is_stronger(found: Callable[..., Registry]):
    """As cargo spells the variable; there is none for [source]."""
    text = '[source.crates-io]\nreplace-with = "my-near"\n'
    listed = text + '[registries.my-near]\nindex = "sparse+https://file.invalid/"\n'
    given = {"CARGO_REGISTRIES_MY_NEAR_INDEX": "sparse+https://env.invalid/"}
    assert found(listed, **given).index == "https://env.invalid/"
    assert found(text, **given).index == "https://env.invalid/"
    ignored = {"CARGO_SOURCE_CRATES_IO_REPLACE_WITH": "near"}
    assert found("[source.near]\n" + MIRROR, **ignored).index == DEFAULT


def test_a_local_registry_is_beside_the_folder_of_the_file(
    found: Callable[..., Registry], tmp_path: Path
):
    text = REPLACED + '[source.near]\nlocal-registry = "{}"\n'
    assert found(text.format("crates")).folder == tmp_path / "home/crates"
    assert found(text.format("/srv/crates")).folder == Path("/srv/crates")


def test_the_name_without_an_ending_hides_the_other(found: Callable[..., Registry]):
    found(REPLACED + '[source.near]\nregistry = "sparse+https://no.invalid/"\n')
    assert found("[source.crates-io]\n" + MIRROR, "config").index.startswith("https://mirror")


def test_cargo_home_is_where_the_environment_says(tmp_path: Path):
    (tmp_path / "config.toml").write_text("[source.crates-io]\n" + MIRROR)
    found = find_registry({"CARGO_HOME": str(tmp_path), "HOME": "/nowhere"})
    assert found.index == "https://mirror.invalid/crates/"
    assert found.named_by == str(tmp_path / "config.toml")


@pytest.mark.parametrize(
    ("include", "index"),
    [
        ('include = ["a.toml"]\n', "https://a.invalid/"),
        ('include = "a.toml"\n', "https://a.invalid/"),
        ('include = [{path = "a.toml"}, "deep/b.toml"]\n', "https://b.invalid/"),
        ('include = ["deep/b.toml", "a.toml"]\n', "https://a.invalid/"),
        ('include = [{path = "no.toml", optional = true}]\n', DEFAULT),
        ('include = ["a.toml"]\n[source.near]\n' + MIRROR, "https://mirror.invalid/crates/"),
        ('include = ["c.toml"]\n', "https://c.invalid/"),
    ],
)
def test_a_file_that_is_included_counts(
    found: Callable[..., Registry], tmp_path: Path, include: str, index: str
):
    """The file itself is stronger, and of two that it includes the later one."""
    home = tmp_path / "home/.cargo"
    (home / "deep").mkdir(parents=True)
    for name in ("a", "deep/b", "c"):
        address = f'registry = "sparse+https://{name[-1]}.invalid/"\n'
        (home / f"{name}.toml").write_text(REPLACED + "[source.near]\n" + address)
    (home / "c.toml").write_text('include = ["deep/../a.toml"]\n' + (home / "c.toml").read_text())
    assert found(include).index == index


def test_a_local_registry_of_an_included_file_is_beside_that_ones_folder(
    found: Callable[..., Registry], tmp_path: Path
):
    (tmp_path / "home/.cargo/deep").mkdir(parents=True)
    text = REPLACED + '[source.near]\nlocal-registry = "crates"\n'
    (tmp_path / "home/.cargo/deep/a.toml").write_text(text)
    assert found('include = ["deep/a.toml"]\n').folder == tmp_path / "home/.cargo/crates"


@pytest.mark.parametrize(
    ("text", "file", "message"),
    [
        ('include = ["config.toml"]\n', "config.toml", "includes itself"),
        ('include = ["no.toml"]\n', "no.toml", "No such file"),
        ('include = [{path = "no.toml", optional = false}]\n', "no.toml", "No such file"),
        ("include = [1]\n", "config.toml", "'include' must list paths"),
        ('include = [{file = "a"}]\n', "config.toml", "'include' must list paths"),
        ("include = 1\n", "config.toml", "'include' must list paths"),
    ],
)
def test_what_cannot_be_included(
    found: Callable[..., Registry], tmp_path: Path, text: str, file: str, message: str
):
    with pytest.raises(SourceError, match=message) as caught:
        found(text)
    assert caught.value.where == str(tmp_path / "home/.cargo" / file)


REFUSED = {
    "a circle": (
        REPLACED + '[source.near]\nreplace-with = "far"\n[source.far]\nreplace-with = "near"\n',
        "circle: crates-io → near → far → near",
    ),
    "itself": ('[source.crates-io]\nreplace-with = "crates-io"\n', "circle: crates-io → crates-io"),
    "nobody": (REPLACED, "no source or registry is called 'near'"),
    "a directory": (
        REPLACED + '[source.near]\ndirectory = "vendor"\n',
        "'near' is a directory source: it has no .crate files to check",
    ),
    "an index in git": (
        REPLACED + '[source.near]\nregistry = "https://near.invalid/index"\n',
        "'near' has its index in git",
    ),
    "a git source": (REPLACED + '[source.near]\ngit = "https://a.invalid"\n', "in git"),
    "two locations": (
        REPLACED + '[source.near]\ndirectory = "vendor"\n' + MIRROR,
        "[source.near] has more than one location: registry, directory",
    ),
    "no URL": (
        REPLACED + '[source.near]\nregistry = "sparse+ftp://u:secret@near.invalid"\n',
        "not the address of the index of 'near': 'ftp://near.invalid'",
    ),
    "a number": ("[source.crates-io]\nreplace-with = 1\n", "replace-with must be text"),
    "no table": ("source = 1\n", "[source.crates-io] must be a table"),
    "no table of a source": ("[source]\ncrates-io = 1\n", "[source.crates-io] must be a table"),
    "no TOML": ('[source.crates-io]\na = "secret\n', "not valid in line 2"),
    "brackets": ("a = " + "[" * 100_000, "not valid"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(found: Callable[..., Registry], tmp_path: Path, text: str, message: str):
    """With the file, and nothing that may be a password."""
    with pytest.raises(SourceError) as caught:
        found(text)
    assert message in caught.value.message
    assert caught.value.where == str(tmp_path / "home/.cargo/config.toml")
    assert "secret" not in f"{caught.value} {hint_text(caught.value.hint)} {caught.value.details}"


def test_a_file_that_cannot_be_read(tmp_path: Path):
    (tmp_path / "config.toml").mkdir()
    with pytest.raises(SourceError, match="Is a directory"):
        find_registry({"CARGO_HOME": str(tmp_path)})


# ---- cargo's own default


def program(folder: Path, script: str) -> dict[str, str]:
    """An environment in which ``cargo`` is a shell script."""
    folder.mkdir()
    (folder / "cargo").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "cargo").chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder)}


def test_the_default_is_what_cargo_could_not_reach(tmp_path: Path):
    """It is asked with an empty home and through a port that is closed."""
    script = f"""\
(env; pwd) > {tmp_path}/seen; ls -A "$CARGO_HOME" > {tmp_path}/home
echo 'error: failed to download from `https://default.invalid/i/config.json`' >&2; exit 101"""
    environment = program(tmp_path / "bin", script)
    given = {
        **environment,
        "CARGO_HOME": "/mine",
        "CARGO_REGISTRIES_X_TOKEN": "secret",
        "NO_PROXY": "*",
        "https_proxy": "http://secret.invalid",
    }
    assert clients_default(given) == "https://default.invalid/i/"
    seen = (tmp_path / "seen").read_text()
    assert "CARGO_HTTP_PROXY=http://127.0.0.1:1\n" in seen
    assert "CARGO_NET_RETRY=0\n" in seen
    assert "secret" not in seen
    assert "NO_PROXY" not in seen  # nothing goes past the closed port
    assert seen.endswith("\n/\n")  # above a temporary folder anybody may have a configuration
    assert (tmp_path / "home").read_text() == ""


@pytest.mark.parametrize("script", ["exit 0", "echo 'error: no such command' >&2; exit 101"])
def test_a_cargo_that_names_nothing(tmp_path: Path, script: str):
    with pytest.raises(SourceError, match="no registry of crates is configured") as caught:
        clients_default(program(tmp_path / "bin", script))
    assert "replace-with" in hint_text(caught.value.hint)


def test_of_a_cargo_that_fails_the_first_lines_are_quoted(tmp_path: Path):
    """There it says what is wrong; a backtrace follows."""
    lines = ["error: rustup could not choose a version of cargo to run", "", "help: run this"]
    script = "\n".join(f"echo '{line}' >&2" for line in [*lines, *(f"  {n}: f" for n in range(9))])
    with pytest.raises(SourceError) as caught:
        clients_default(program(tmp_path / "bin", f"{script}\nexit 1"))
    assert caught.value.details == (
        "cargo: error: rustup could not choose a version of cargo to run",
        "cargo: help: run this",
        "cargo:   0: f",
        "cargo:   1: f",
        "cargo:   2: f",
    )


def test_a_cargo_that_cannot_be_run(tmp_path: Path):
    environment = program(tmp_path / "bin", "")
    (tmp_path / "bin/cargo").write_text("#!/no/such/shell\n")
    with pytest.raises(SourceError) as caught:
        clients_default(environment)
    assert caught.value.details[0].startswith("cargo: it cannot be run: ")


def test_no_cargo(tmp_path: Path):
    with pytest.raises(SourceError, match="no cargo is here to name its default"):
        find_registry({"PATH": str(tmp_path), "HOME": str(tmp_path)})
