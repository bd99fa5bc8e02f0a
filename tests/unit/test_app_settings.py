"""Settings: which of several holds, what a value may be, and that each tells where it is from."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvbuild.app.setting import SETTINGS, bytes_in
from rvbuild.app.settings import Settings, user_file
from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import UsageError
from rvbuild.core.realisation import record_name

LAYERS = ("command line", "RVBUILD_JOBS", "user", "project")


def written(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def settings(
    folder: Path, user: str = "", project: str = "", environment: dict[str, str] | None = None,
    **options: object,
) -> Settings:  # fmt: skip
    """Settings with two files below ``folder``; options have ``_`` for ``-``."""
    variables = {"XDG_CONFIG_HOME": str(folder / "home"), **(environment or {})}
    if user:
        written(Path(user_file(variables)), user)
    if project:
        written(folder / "project/rvbuild.toml", project)
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return Settings.of_user(variables, named).with_project(str(folder / "project"))  # type: ignore[arg-type]


@given(given=st.sets(st.sampled_from(LAYERS)))
def test_the_strongest_layer_that_says_something_holds(
    tmp_path_factory: pytest.TempPathFactory, given: set[str]
):
    number = {layer: index + 1 for index, layer in enumerate(LAYERS)}
    made = settings(
        tmp_path_factory.mktemp("layers"),
        user=f"jobs = {number['user']}\n" if "user" in given else "",
        project=f"jobs = {number['project']}\n" if "project" in given else "",
        environment={"RVBUILD_JOBS": "2"} if "RVBUILD_JOBS" in given else {},
        **({"jobs": 1} if "command line" in given else {}),
    )
    strongest = next((layer for layer in LAYERS if layer in given), None)
    assert made.jobs == (number[strongest] if strongest else None)
    [(name, origin)] = made.origins("jobs")
    assert (name, origin.value) == ("jobs", made.jobs)
    assert origin.where.endswith(
        {"user": "config.toml", "project": "rvbuild.toml", None: "default"}.get(
            strongest, strongest or ""
        )
    )


def test_tables_are_joined_by_entry_the_stronger_first(tmp_path: Path):
    made = settings(
        tmp_path,
        user='[mirrors]\n"https://a/" = "/user/a"\n"https://b/" = ["/user/b1", "/user/b2"]\n',
        project='[mirrors]\n"https://c/" = "/project/c"\n"https://a/" = "/project/a"\n'
        '[options]\nroot = "nft"\n[replace]\nk3s-root = "mine"\n',
        mirrors={"https://b/": ("/mine/b",)},
    )
    assert made.mirrors == (
        ("https://b/", "/mine/b"),
        ("https://a/", "/user/a"),
        ("https://c/", "/project/c"),
    )
    assert (made.options, made.replace) == ({"root": "nft"}, {"k3s-root": "mine"})
    origins = {name: origin.where for name, origin in made.origins("mirrors")}
    assert origins["mirrors.https://b/"] == "command line"
    assert origins["mirrors.https://c/"] == str(tmp_path / "project/rvbuild.toml")


def test_a_path_in_a_file_is_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert settings(tmp_path, project='store = "s/../t"\n').store == str(tmp_path / "project/t")
    assert settings(tmp_path, user='store = "~/s"\n').store == "/home/me/s"
    assert settings(tmp_path, environment={"RVBUILD_STORE": "s"}).store == "s"
    made = settings(tmp_path, user='trust = ["a", "/b"]\n', environment={"RVBUILD_TRUST": "/c:/d"})
    assert made.trust == ("/c", "/d", str(tmp_path / "home/rvbuild/a"), "/b")


def test_what_is_set_for_debians_archives(tmp_path: Path):
    """Addresses and paths of the user's file, and those of the environment; joined as one list."""
    made = settings(
        tmp_path,
        user='debian-keys = ["k.asc"]\ndebian-frozen = ["old"]\n'
        'debian-unchecked = ["http://a.invalid/d", "mirror"]\n',
        environment={
            "RVBUILD_DEBIAN_FROZEN": "/srv/2024",
            "RVBUILD_DEBIAN_KEYS": "/e.asc:/f.asc",
            "RVBUILD_DEBIAN_UNCHECKED": "http://b.invalid/d /srv/d",
        },
    )
    home = tmp_path / "home/rvbuild"
    assert made.debian_variables() == {
        "RVBUILD_DEBIAN_FROZEN": f"/srv/2024 {home}/old",
        "RVBUILD_DEBIAN_KEYS": f"/e.asc:/f.asc:{home}/k.asc",
        "RVBUILD_DEBIAN_UNCHECKED": f"http://b.invalid/d /srv/d http://a.invalid/d {home}/mirror",
    }
    assert settings(tmp_path / "b").debian_variables() == {
        "RVBUILD_DEBIAN_FROZEN": "",
        "RVBUILD_DEBIAN_KEYS": "",
        "RVBUILD_DEBIAN_UNCHECKED": "",
    }


WRONG = [
    ("jbs = 1", "there is no setting 'jbs'", "did you mean 'jobs'?"),
    ("jobs = 0", "'jobs' must be a whole number from 1 on", ""),
    ("jobs = true", "'jobs' must be a whole number", ""),
    ("jobs = 1.5", "'jobs' must be a whole number", ""),
    ("keep-days = -1", "'keep-days' must be a whole number of days", ""),
    ("max-size = 20", "'max-size' must be a size, as 500M or 20GiB", ""),
    ("max-size = '20 Go'", "'max-size' must be a size", ""),
    ("offline = 1", "'offline' must be true or false", ""),
    ("offline = 'yes'", "'offline' must be true or false", ""),
    ("store = ''", "'store' must be a path", ""),
    ("store = 1979-05-27", "'store' must be a path", ""),
    ("store = ['a']", "'store' must be a path", ""),
    (f"store = '{'/é' * 1366}'", "'store' must be a path of this machine, of less than 4096", ""),
    ("store = 'https://al:s3cr@h/'", "'store' must be a path of this machine", ""),
    ("trust = ['/a', 'https://al:s3cr@h/']", "'trust' must be a list of paths of this machine", ""),
    ("debian-keys = ['file:///a']", "'debian-keys' must be a list of paths of this machine", ""),
    (f"max-size = '{'9' * 5000}'", "'max-size' must be a size", ""),
    ("builder = 1", "'builder' must be a name", ""),
    ("builder = ''", "'builder' must be a name", ""),
    ("builder = '-a'", "'builder' must be a name", ""),
    ("builder = 'a/b'", "'builder' must be a name", ""),
    ("builder = 'é'", "'builder' must be a name", ""),
    (f"builder = '{'a' * 65}'", "'builder' must be a name", ""),
    ("signing-key = 'a/b'", "'signing-key' must be a name", ""),
    ("signing-command = ''", "'signing-command' must be a program", ""),
    ("signing-command = ' '", "'signing-command' must be a program", ""),
    ('signing-command = "a \'s3cr"', "'signing-command' must be a program", ""),
    ("signing-command = ['a']", "'signing-command' must be a program", ""),
    ("update = 'minor'", "'update' must be a table of policy and min-age", ""),
    ("update.policy = 'majr'", "'update.policy' must be one of none, patch, minor, major", ""),
    ("update.policy = 1", "'update.policy' must be one of none, patch, minor, major", ""),
    ("update.policy = ''", "'update.policy' must be one of none, patch, minor, major", ""),
    ("update.min-age = '7'", "'update.min-age' must be a time such as 12h, 7d or 2w", ""),
    ("update.min-age = ''", "'update.min-age' must be a time such as 12h, 7d or 2w", ""),
    ("update.age = '7d'", "'update.age' is none: there are policy and min-age", ""),
    ("accept = 'ci'", "'accept' must be a table of build and release", ""),
    ("accept.build = 1", "'accept.build' does not say whose results are taken", ""),
    ("accept.build = ['ci']", "'accept.build' does not say whose results", ""),
    ("accept.build = ''", "'accept.build' does not say whose results", ""),
    ("accept.build = '2 of [ci]'", "'accept.build' does", ""),
    ("accept.build = '2 of [ci]'", "2 of 1 keys can never agree", ""),
    ("accept.build = '2 of [ci, ci]'", "a key is named twice", ""),
    ("accept.bulid = 'ci'", "'accept.bulid' is none: there are build and release", ""),
    ("caches = 'a'", "'caches' must be a table", ""),
    ("caches.a = 1", "'caches.a' must be a text", ""),
    ("caches.a = ''", "'caches.a' must be a text", ""),
    ("caches.a = ['https://al:s3cr@h/']", "'caches.a' must be a text", "write an address"),
    ("caches.a = {b = 'https://al:s3cr@h/'}", "'caches.a' must be a text", ""),
    ("caches.'https://al:s3cr@h/' = 'x'", "'caches.https://h/' is no name of a cache", "another"),
    ("caches.'a b' = '/a'", "'caches.a b' is no name of a cache", ""),
    ("trust = 'a'", "'trust' must be a list of paths", ""),
    ("debian-keys = 'a'", "'debian-keys' must be a list of paths", ""),
    ("debian-unchecked = 'a'", "'debian-unchecked' must be a list of addresses or paths", ""),
    ("trust = ['']", "'trust' must be a list of paths", ""),
    ("mirrors = ['a']", "'mirrors' must be a table", ""),
    ("mirrors.x = 'y'", "'mirrors.x' is not the beginning of a URL", ""),
    ("mirrors.'https://x/' = []", "'mirrors.https://x/' must be a place or a list", ""),
    ("mirrors.'https://al:s3cr@x/' = [[]]", "'mirrors.https://x/' must be a place", ""),
    ("options.root = 1", "'options.root' must be a text", ""),
    ("options.root = ['a']", "'options.root' must be a text", ""),
    ("replace = 'a'", "'replace' must be a table of texts", ""),
    ("jobs = 1\njobs = 2", "is not TOML", ""),
    ("jobs", "is not TOML", ""),
    ("[" * 5000, "is not TOML", ""),
    ("jobs = " + "[" * 5000, "is not TOML", ""),
]


@pytest.mark.parametrize("where", ["user", "project"])
@pytest.mark.parametrize(("text", "what", "hint"), WRONG)
def test_what_is_wrong_in_a_file_is_said_with_its_name(
    tmp_path: Path, where: str, text: str, what: str, hint: str
):
    with pytest.raises(UsageError) as caught:
        _ = settings(tmp_path, **{where: text}).caches  # type: ignore[arg-type]
    assert what in caught.value.message
    assert "s3cr" not in str(caught.value)
    assert str(caught.value.where).startswith(str(tmp_path))
    assert hint in hint_text(caught.value.hint)


WRONG_CACHES = [
    ("https://h/a b", "'caches.a' has a space"),
    ("file:///a b", "'caches.a' has a space"),
    ("https://h/a\nb", "'caches.a' has a line's end"),
    ("write /a\tb", "'caches.a' has a line's end or another control character"),
    ("reed /mnt", "'caches.a' has a space"),
    ("read+write a b", "'caches.a' has a space"),
    ("write", "'caches.a' has no address"),
    ("ON", "'caches.a' is neither an address nor 'off': a folder of that name is ./ON"),
    ("write of", "'caches.a' is neither an address nor 'off'"),
]


@pytest.mark.parametrize("where", ["user", "project"])
@pytest.mark.parametrize(("text", "what"), WRONG_CACHES)
def test_a_wrong_cache_is_named_when_it_counts(tmp_path: Path, where: str, text: str, what: str):
    """Not before: what removes it, or switches it off, reads the file, too."""
    made = settings(tmp_path, **{where: f"caches.a = {json.dumps(text)}"})  # type: ignore[arg-type]
    with pytest.raises(UsageError) as caught:
        _ = made.caches
    assert what in caught.value.message
    assert str(caught.value.where).startswith(str(tmp_path))
    assert "'off'" in hint_text(caught.value.hint)
    off = settings(
        tmp_path / "off",
        environment={"RVBUILD_CACHES": "a=off"},
        **{where: f"caches.a = {json.dumps(text)}"},  # type: ignore[arg-type]
    )
    assert off.caches == {"a": "off"}


def test_a_folder_with_a_space_is_a_cache(tmp_path: Path):
    made = settings(
        tmp_path,
        project="caches = {a = '/mnt/a b', b = 'write ./a  b/c', c = '../d e', d = 'read ~/f g'}",
        environment={"RVBUILD_CACHES": "e=read+write /mnt/x y; f=off", "HOME": "/home/al"},
    )
    assert made.caches["a"] == "/mnt/a b"
    assert made.caches["b"] == f"write {tmp_path}/project/a  b/c"
    assert made.caches["c"] == f"{tmp_path}/d e"
    assert made.caches["d"].endswith("/f g")
    assert made.caches["e"] == "read+write /mnt/x y"


def test_a_variable_with_two_caches_has_a_semicolon(tmp_path: Path):
    with pytest.raises(UsageError, match=r"'caches\.a' has b= within") as caught:
        settings(tmp_path, environment={"RVBUILD_CACHES": "a=/x b=/y"})
    assert (str(caught.value.where), caught.value.hint) == (
        "RVBUILD_CACHES",
        "write ; between two caches",
    )


def test_a_login_is_no_projects_to_say(tmp_path: Path):
    """Whoever has the checkout would have it; one's own file may have it."""
    text = "caches.a = 'write https://al:s3cr@h/team'"
    with pytest.raises(UsageError, match=r"'caches\.a' has a login") as caught:
        _ = settings(tmp_path / "a", project=text).caches
    assert "s3cr" not in str(caught.value)
    assert settings(tmp_path / "b", user=text).caches
    plain = "caches = {a = '/mnt/al@h', b = 'https://h/x@1', c = 's3://b/p?region=eu', d = 'off'}"
    assert len(settings(tmp_path / "c", project=plain).caches) == 4


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "x", "٣"])
def test_a_variable_of_another_kind_is_named(tmp_path: Path, text: str):
    with pytest.raises(UsageError, match="'jobs' must be") as caught:
        settings(tmp_path, environment={"RVBUILD_JOBS": text})
    assert str(caught.value.where) == "RVBUILD_JOBS"


@pytest.mark.parametrize(
    ("variable", "short", "text"),
    [
        ("RVBUILD_STORE", "/y" * 2047, "/y" * 2048),
        ("RVBUILD_TRUST", "/a:/y", "/a:" + "/y" * 2048),
        ("RVBUILD_DEBIAN_KEYS", "/y", "/y" * 65536),
        ("RVBUILD_JOBS", "9" * 18, "9" * 5000),
        ("RVBUILD_KEEP_DAYS", "9" * 18, "9" * 5000),
        ("RVBUILD_MAX_SIZE", "9" * 18 + "GiB", "9" * 5000 + "GiB"),
    ],
)
def test_a_variable_of_any_length_is_named(tmp_path: Path, variable: str, short: str, text: str):
    """No path is that long, and Python reads no such number."""
    settings(tmp_path, environment={variable: short})
    with pytest.raises(UsageError, match="must be") as caught:
        settings(tmp_path, environment={variable: text})
    assert str(caught.value.where) == variable


def test_an_empty_variable_says_nothing(tmp_path: Path):
    empty = {setting.variable: "" for setting in SETTINGS if setting.variable}
    made = settings(tmp_path, environment=empty)
    assert (made.store, made.jobs, made.offline, made.keep_days) == (None, None, False, 14)


SIZES = [
    ("0", 0), ("1000", 1000), ("1000B", 1000), ("5k", 5000), ("5kB", 5000), ("5Ki", 5120),
    ("5KiB", 5120), ("500M", 500_000_000), ("20 GiB", 20 << 30), ("2T", 2 * 10**12),
    ("", None), ("G", None), ("-1", None), ("1.5G", None), ("5K", None), ("5m", None),
    ("5BB", None), ("5iB", None), ("5 G B", None), ("٣", None), ("1_0", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "size"), SIZES)
def test_sizes(tmp_path: Path, text: str, size: int | None):
    assert bytes_in(text) == size
    if size is not None:
        assert settings(tmp_path, environment={"RVBUILD_MAX_SIZE": text}).max_size == size


@pytest.mark.parametrize(("text", "value"), [("1", True), ("TRUE", True), ("no", False)])
def test_a_flag_in_the_environment(tmp_path: Path, text: str, *, value: bool):
    assert settings(tmp_path, environment={"RVBUILD_OFFLINE": text}).offline is value


@pytest.mark.parametrize(
    "text",
    [
        "trust = ['/']",
        "builder = 'me'",
        "signing-key = 'me'",
        "signing-command = 'agent'",
        "debian-keys = ['/k']",
        "debian-frozen = ['/a']",
        "debian-unchecked = ['/a']",
    ],
)
def test_what_is_personal_is_not_a_projects_to_say(tmp_path: Path, text: str):
    with pytest.raises(UsageError, match="may not be set in a project"):
        settings(tmp_path / "a", project=text)
    settings(tmp_path / "b", user=text)


@pytest.mark.parametrize("kind", ["fifo", "folder", "link to nowhere", "latin-1"])
def test_what_is_no_text_file_is_told_and_not_waited_for(tmp_path: Path, kind: str):
    file = tmp_path / "project/rvbuild.toml"
    file.parent.mkdir()
    if kind == "fifo":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    elif kind == "latin-1":
        file.write_bytes(b'store = "caf\xe9"\n')
    else:
        file.symlink_to("nowhere")
    with pytest.raises(UsageError) as caught:
        settings(tmp_path)
    assert str(caught.value.where) == str(file)


def test_acceptance_is_joined_by_entry(tmp_path: Path):
    made = settings(
        tmp_path,
        user='accept.release = "2 of [ci, lab]"\nsigning-command = "agent \'a b\'"\n',
        project='[accept]\nbuild = "ci"\nrelease = "ci"\n',
        environment={"RVBUILD_SIGNING_NAME": "lab"},
    )
    assert made.accept == {"build": "ci", "release": "2 of [ci, lab]"}
    assert (made.signing_key, made.signing_command) == ("lab", ("agent", "a b"))
    assert settings(tmp_path / "none").accept == {}


def test_a_builder_is_the_name_of_a_record(tmp_path: Path):
    made = settings(tmp_path, environment={"RVBUILD_BUILDER": "ci-3.example_x"})
    assert made.builder == "ci-3.example_x"
    assert record_name("a" * 64, made.builder) == f"{'a' * 64}@ci-3.example_x"
