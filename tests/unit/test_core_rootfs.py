"""Roots of images: where a path leads inside, and what is told of what cannot run."""

from __future__ import annotations

import pytest
from attrs import evolve

from rvbuild.core.elf import Elf
from rvbuild.core.rootfs import Entry, Folder, Link, Plain, Process, RootFs, unfit

STATIC = Elf(bits=64, little_endian=True, kind=2, machine=243, flags=5)
DYNAMIC = evolve(STATIC, interpreter="/lib/ld.so.1", needed=("libc.so.6",))
RUNS = Plain(executable=True, elf=STATIC)
SHELL = Process(entrypoint=("/bin/sh",), search=("", "/sbin", "/bin"))


def root(**more: Entry) -> RootFs:
    """A root with a shell; of keyword names, ``__`` is a slash."""
    entries: dict[str, Entry] = {"": Folder(), "bin": Folder(), "bin/sh": RUNS, "etc": Folder()}
    given = {name.replace("__", "/"): entry for name, entry in more.items()}
    for path in given:
        parts = path.split("/")[:-1]
        entries |= {"/".join(parts[: at + 1]): Folder() for at in range(len(parts))}
    return RootFs(entries | given)


def whats(found: RootFs, process: Process = SHELL, *, tls: bool = False) -> list[str]:
    return [f"{path}: {what}" for path, what, _ in unfit(found, process, tls=tls)]


# ---- paths


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/bin/sh", "bin/sh"),
        ("bin/./sh", "bin/sh"),
        ("/../../bin/sh", "bin/sh"),
        ("/usr/bin/sh", "bin/sh"),
        ("/usr/up/sh", "bin/sh"),
        ("/usr/abs", "bin/sh"),
        ("/", ""),
        ("/gone", "gone"),
        ("/bin/sh/x", None),
        ("/gone/x", None),
        ("/loop", None),
        ("/dangling", "nowhere"),
    ],
)
def test_links_are_followed_inside_of_the_root(path: str, leads_to: str | None):
    found = root(
        usr__bin=Link("../bin"),
        usr__up=Link("../../../bin"),
        usr__abs=Link("/bin/sh"),
        loop=Link("loop"),
        dangling=Link("nowhere"),
    )
    assert found.resolve(path) == leads_to


def test_a_relative_path_starts_where_it_is_said_to():
    assert root().resolve("sh", "/bin") == "bin/sh"
    assert root().resolve("/bin", "/bin") == "bin"
    assert root().find("sh", "bin") is RUNS
    assert root().find("/loop/x") is None


# ---- what an image needs


def test_an_image_that_can_run():
    assert whats(root()) == []


@pytest.mark.parametrize(
    ("program", "more", "says"),
    [
        ("/bin/sh", {}, None),
        ("sh", {}, None),
        ("./sh", {}, None),
        ("/usr/sh", {"usr__sh": Link("/bin/sh")}, None),
        ("/bin/run", {"bin__run": Plain(executable=True, line=b"#! /bin/sh -e")}, None),
        ("/bin/gone", {}, "it is to be started, and is not there"),
        ("bash", {}, "it is to be started, and is not there"),
        ("text", {"bin__text": Plain()}, "it is to be started, and is not there"),
        ("/bin/text", {"bin__text": Plain()}, "it is to be started, and is not executable"),
        ("/bin", {}, "it is to be started, and is not executable"),
        (
            "/bin/run",
            {"bin__run": Plain(executable=True, line=b"#!/bin/bash")},
            "its interpreter '/bin/bash' is not in the image",
        ),
        (
            "/bin/run",
            {"bin__run": Plain(executable=True, line=b"#!")},
            "its interpreter '' is not in the image",
        ),
    ],
)
def test_what_is_started(program: str, more: dict[str, Entry], says: str | None):
    process = evolve(SHELL, entrypoint=(program,), working_directory="/bin")
    assert whats(root(**more), process) == ([f"{program}: {says}"] if says else [])


def test_the_command_is_started_where_there_is_no_entrypoint():
    assert whats(root(), evolve(SHELL, entrypoint=(), command=("sh", "-c", "x"))) == []
    (said,) = whats(root(), evolve(SHELL, entrypoint=()))
    assert said == ": it does not say what to start"


def test_a_dynamic_program_needs_its_interpreter_and_its_libraries():
    program = Plain(executable=True, elf=DYNAMIC)
    assert whats(root(bin__app=program)) == [
        "bin/app: it wants the interpreter /lib/ld.so.1, which is not in the image",
        "bin/app: it needs libc.so.6, which is not in the image",
    ]
    both = {"lib__ld.so.1": RUNS, "lib__libc.so.6": Plain()}
    assert whats(root(bin__app=program, **both)) == []
    (said,) = whats(root(bin__app=program, **{**both, "lib__ld.so.1": Plain()}))
    assert "the interpreter" in said


@pytest.mark.parametrize(
    ("library", "search", "there"),
    [
        ("usr/lib/libc.so.6", (), True),
        ("lib/riscv64-linux-gnu/libc.so.6", (), True),
        ("usr/lib/riscv64-linux-gnu/libc.so.6", (), True),
        ("opt/riscv64-linux-gnu/libc.so.6", (), False),
        ("lib/other/libc.so.6", (), False),
        ("opt/lib/libc.so.6", ("/opt/x:/opt/lib",), True),
        ("bin/../opt/libc.so.6", ("$ORIGIN/../opt",), True),
    ],
)
def test_where_libraries_are_looked_for(library: str, search: tuple[str, ...], *, there: bool):
    path = library.removeprefix("bin/../").replace("/", "__")
    wants = evolve(DYNAMIC, interpreter=None, search=search)
    found = root(bin__app=Plain(executable=True, elf=wants), **{path: Plain()})
    assert (whats(found) == []) is there


@pytest.mark.parametrize(
    ("user", "says"),
    [
        ("", None),
        ("65532", None),
        ("65532:65532", None),
        ("app", None),
        ("app:staff", None),
        ("nobody", "etc/passwd: the image is to run as 'nobody', which is not in it"),
        ("0:wheel", "etc/group: the image is to run as 'wheel', which is not in it"),
    ],
)
def test_the_user_is_a_number_or_known(user: str, says: str | None):
    found = root(etc__passwd=Plain(text=b"app:x:1:1::/:\n"), etc__group=Plain(text=b"staff:x:1:"))
    assert whats(found, evolve(SHELL, user=user)) == ([says] if says else [])


def test_without_a_passwd_no_name_is_known():
    assert len(whats(root(), evolve(SHELL, user="root:root"))) == 2


@pytest.mark.parametrize(
    ("text", "there"),
    [(b"-----BEGIN CERTIFICATE-----\n", True), (b"not yet\n", False), (None, False)],
)
def test_tls_needs_a_bundle_of_authorities(text: bytes | None, *, there: bool):
    more: dict[str, Entry] = {} if text is None else {"etc__ssl__cert.pem": Plain(text=text)}
    said = whats(root(**more), tls=True)
    wanted = "etc/ssl/certs/ca-certificates.crt: the recipe says `tls`, and there is no CA bundle"
    assert said == ([] if there else [wanted])
    assert whats(root(**more)) == []
