"""Roots of images: where a path leads inside, and what is told of what cannot run."""

from __future__ import annotations

import pytest
from attrs import evolve

from rvbuild.core.elf import Elf
from rvbuild.core.rootfs import Entry, Folder, Link, Plain, Process, RootFs, plain, unfit

STATIC = Elf(bits=64, little_endian=True, kind=2, machine=243, flags=5)
DYNAMIC = evolve(STATIC, interpreter="/lib/ld.so.1", needed=("libc.so.6",))
RUNS = Plain(mode=0o755, starts=True, elf=STATIC)
SHELL = Process(entrypoint=("/bin/sh",), search=("", "/sbin", "/bin"))


def script(line: bytes, mode: int = 0o755) -> Plain:
    """A script by its first line."""
    return plain(line + b"\nmore\n", mode)


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
    assert root(work=Link("/bin")).find("./sh", "/work") is RUNS
    assert root().find("/loop/x") is None


# ---- what an image needs


@pytest.mark.parametrize(
    ("user", "keeps_out"),
    [
        ("", ()),
        ("0:1000", ()),
        ("root", ()),
        ("1000", ("/opt/others",)),
        ("1000:0", ("/opt/others",)),
        ("1000:1000", ("/opt/others", "/opt/group", "/opt/unread")),
    ],
)
def test_modes_keep_users_out(user: str, keeps_out: tuple[str, ...]):
    """Of files that belong to root and its group."""
    programs = {
        "/opt/others": {"opt__others": evolve(RUNS, mode=0o744)},
        "/opt/group": {"opt__group": evolve(RUNS, mode=0o750)},
        "/opt/unread": {"opt__unread": script(b"#!/bin/sh", 0o751)},
        "/opt/fine": {"opt__fine": script(b"#!/bin/sh")},
    }
    for program, more in programs.items():
        found = root(etc__passwd=plain(b"root:x:0:0:::", 0o644, {"root"}), **more)
        said = whats(found, evolve(SHELL, entrypoint=(program,), user=user))
        what = f"it is to be started by {user!r}, whom the mode of {program} keeps out"
        assert said == ([f"{program}: {what}"] if program in keeps_out else [])


def test_modes_of_folders_and_interpreters_keep_users_out():
    more = {"opt__app": script(b"#!/lib/sh"), "lib__sh": RUNS}
    found = root(**more)
    process = evolve(SHELL, entrypoint=("/opt/app",), user="1000:1000")
    assert whats(found, process) == []
    for folder, called in (("", "it"), ("opt", "it"), ("lib", "its interpreter '/lib/sh'")):
        said = whats(RootFs({**found.entries, folder: Folder(0o700)}), process)
        by = f"is to be started by '1000:1000', whom the mode of /{folder} keeps out"
        assert f"/opt/app: {called} {by}" in said


def test_an_image_that_can_run():
    assert whats(root()) == []


@pytest.mark.parametrize(
    ("program", "more", "says"),
    [
        ("/bin/sh", {}, None),
        ("sh", {}, None),
        ("./sh", {}, None),
        ("/usr/sh", {"usr__sh": Link("/bin/sh")}, None),
        ("/bin/run", {"bin__run": script(b"#! /bin/sh -e")}, None),
        ("/bin/run", {"bin__run": script(b"#!\tsh\t-e")}, None),
        ("/bin/run", {"bin__run": script(b"#!/bin/env sh"), "bin__env": RUNS}, None),
        ("/bin/run", {"bin__run": script(b"#!/bin/env"), "bin__env": RUNS}, None),
        ("/bin/run", {"bin__run": script(b"#!/bin/env -i gone"), "bin__env": RUNS}, None),
        ("/bin/run", {"bin__run": script(b"#!/bin/env -S A=b sh -e"), "bin__env": RUNS}, None),
        ("/bin/a", {"bin__a": script(b"#!/bin/b"), "bin__b": script(b"#!/bin/sh")}, None),
        ("/bin/gone", {}, "it is to be started, and is not there"),
        ("bash", {}, "it is to be started, and is not there"),
        ("text", {"bin__text": Plain()}, "it is to be started, and is not there"),
        ("/bin/text", {"bin__text": Plain()}, "it is to be started, and is not executable"),
        ("/bin", {}, "it is to be started, and is not executable"),
        (
            "/bin/run",
            {"bin__run": script(b"#!/bin/bash")},
            "its interpreter '/bin/bash' is not in the image",
        ),
        (
            "/bin/run",
            {"bin__run": script(b"#!")},
            "its interpreter '' is not in the image",
        ),
        (
            "/bin/run",
            {"bin__run": script(b"#!/bin/sh\r")},
            "its interpreter '/bin/sh\\r' is not in the image",
        ),
        (
            "/bin/run",
            {"bin__run": script(b"#!/bin/env python3"), "bin__env": RUNS},
            "its interpreter 'python3' is not in the image's PATH",
        ),
        (
            "/bin/run",
            {"bin__run": script(b"#!/bin/env sh -e"), "bin__env": RUNS},
            "its interpreter 'sh -e' is not in the image's PATH",
        ),
        (
            "/bin/run",
            {"bin__run": script(b"#!/bin/env -S python3 -u"), "bin__env": RUNS},
            "its interpreter 'python3' is not in the image's PATH",
        ),
        (
            "/bin/loop",
            {"bin__loop": script(b"#!/bin/loop")},
            "its interpreter '/bin/loop' is a script of a script, and so on",
        ),
        (
            "/bin/a",
            {"bin__a": script(b"#!/bin/b"), "bin__b": plain(b"sh\n", 0o755)},
            "its interpreter '/bin/b' is to be started, and is neither an ELF file nor a script",
        ),
        (
            "/bin/text",
            {"bin__text": plain(b"echo\n", 0o755)},
            "it is to be started, and is neither an ELF file nor a script",
        ),
        (
            "empty",
            {"bin__empty": plain(b"", 0o755)},
            "it is to be started, and is neither an ELF file nor a script",
        ),
        ("atroot", {"atroot": RUNS}, "it is to be started, and is not there"),
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
    program = evolve(RUNS, elf=DYNAMIC)
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
    found = root(bin__app=evolve(RUNS, elf=wants), **{path: Plain()})
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
    users, groups = plain(b"app:x:1:1::/:\n", 0o644, {"app", "nobody"}), Link("../opt/group")
    found = root(
        etc__passwd=users, etc__group=groups, opt__group=plain(b"staff:x:1:", 0o644, {"staff"})
    )
    assert whats(found, evolve(SHELL, user=user)) == ([says] if says else [])


def test_a_damaged_program_is_one_all_the_same():
    """The audit of its bytes tells of it."""
    damaged = plain(b"\x7fELF", 0o755)
    assert whats(root(bin__sh=damaged)) == []
    assert damaged.elf is None


def test_without_a_passwd_no_name_is_known():
    assert len(whats(root(), evolve(SHELL, user="root:root"))) == 2


@pytest.mark.parametrize(
    ("text", "there"),
    [(b"-----BEGIN CERTIFICATE-----\n", True), (b"not yet\n", False), (None, False)],
)
def test_tls_needs_a_bundle_of_authorities(text: bytes | None, *, there: bool):
    bundle = plain(text or b"", 0o644)
    more: dict[str, Entry] = {"etc__ssl__cert.pem": Link("/opt/ca"), "opt__ca": bundle}
    more = {} if text is None else more
    said = whats(root(**more), tls=True)
    wanted = "etc/ssl/certs/ca-certificates.crt: the recipe says `tls`, and there is no CA bundle"
    assert said == ([] if there else [wanted])
    assert whats(root(**more)) == []
