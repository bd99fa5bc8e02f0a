"""What is at an address of this machine is read by one set of rules, whoever asks for it."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import frozen
from site_of_bytes import client

from rvbuild.core.errors import Interrupted, SourceError, StoreError, WrongContent
from rvbuild.core.ports.callbacks import no_progress
from rvbuild.kinds.crates.cargo_config import Registry
from rvbuild.kinds.crates.fetch import CrateFetcher
from rvbuild.kinds.go.go_proxy import GoProxy
from rvbuild.kinds.go.go_settings import go_settings
from rvbuild.kinds.pypi.listing import listed_by_link, listed_by_page
from rvbuild.transfers.addresses import Address
from rvbuild.transfers.cancellation import Cancellation
from rvbuild.transfers.faults import NotThere
from rvbuild.transfers.local_files import LocalFiles
from rvbuild.transfers.pinned_files import Pin, PinnedFiles

PATIENCE = 30
"""Seconds after which a test gives up what should happen at once."""


def in_time(call: Callable[[], object]) -> BaseException | object:
    """What ``call`` gives or raises, within `PATIENCE`."""
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(call())
        except BaseException as error:  # noqa: BLE001 - looked at by whoever asked
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert outcome, "it hangs"
    return outcome[0]


# ---- the rules


def pipe(path: Path) -> None:
    os.mkfifo(path)


def link_to_zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


NO_FILES = {
    "a pipe": (pipe, SourceError, "not a regular file"),
    "a device": (link_to_zeros, SourceError, "not a regular file"),
    "a folder": (Path.mkdir, SourceError, "cannot be read: Is a directory"),
    "nothing": (lambda _: None, NotThere, "not there"),
    "a circle": (
        lambda path: path.symlink_to(path),
        SourceError,
        "cannot be read: Too many levels",
    ),
}


@pytest.mark.parametrize(("make", "error", "words"), NO_FILES.values(), ids=NO_FILES)
def test_only_files_are_read(
    tmp_path: Path, make: Callable[[Path], object], error: type[SourceError], words: str
):
    path = tmp_path / "it"
    make(path)
    raised = in_time(lambda: LocalFiles(Cancellation()).read(path))
    assert isinstance(raised, error)
    assert words in raised.message
    assert raised.where == str(path)


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big"
    path.write_bytes(b"x" * (5 << 20))
    return path


def test_a_file_is_copied_and_hashed(big: Path):
    to, steps = io.BytesIO(), []
    received = LocalFiles(Cancellation()).copy(
        big, to, expect_size=5 << 20, advance=lambda *step: steps.append(step)
    )
    assert to.getvalue() == big.read_bytes()
    assert received.sha256 == hashlib.sha256(big.read_bytes()).hexdigest()
    assert steps[-1] == (5 << 20, 5 << 20)


def test_the_limit_and_the_size_hold(big: Path):
    files = LocalFiles(Cancellation())
    assert len(files.read(big, limit=5 << 20)) == 5 << 20
    with pytest.raises(SourceError, match=f"more than {1 << 20} bytes"):
        files.read(big, limit=1 << 20)
    for size in (1, (5 << 20) - 1, (5 << 20) + 1):
        with pytest.raises(WrongContent):
            files.copy(big, io.BytesIO(), expect_size=size)


def test_a_cancellation_ends_it_between_two_pieces(big: Path):
    cancellation = Cancellation()
    to = io.BytesIO()
    with pytest.raises(Interrupted):
        LocalFiles(cancellation).copy(big, to, advance=lambda *_: cancellation.cancel())
    assert 0 < len(to.getvalue()) < 5 << 20


def test_what_cannot_be_kept_is_no_fault_of_the_file(big: Path):
    with open("/dev/full", "wb", buffering=0) as to, pytest.raises(StoreError):
        LocalFiles(Cancellation()).copy(big, to)


# ---- the doors


@frozen
class Door:
    """Who reads addresses of this machine: a file below a folder, and what asks for it."""

    file: str
    ask: Callable[[Path], object]


def mirror(folder: Path) -> None:
    with client() as http:
        files = PinnedFiles(transport=http, temp=folder / "temp")
        with files.opened(Pin(label="it", sha256=""), [Address(str(folder / "it"))], no_progress):
            pass


def go_proxy(folder: Path) -> None:
    with client() as http:
        settings = go_settings({"GOPROXY": f"file://{folder}", "GOENV": "off"})
        GoProxy(http, lambda: settings).go_mod("a.example/m", "v1.0.0")


def registry(folder: Path) -> None:
    with client() as http:
        files = PinnedFiles(transport=http, temp=folder / "temp")
        local = Registry(index="", folder=folder, named_by="it")
        CrateFetcher(files=files, registry=lambda: local).resolve("tool", "1.0.0")


def index(folder: Path) -> None:
    with client() as http:
        listed_by_page(http, f"file://{folder}/it")


def find_links(folder: Path) -> None:
    with client() as http:
        listed_by_link(http, str(folder / "it.html"))


DOORS = {
    "a mirror": Door("it", mirror),
    "GOPROXY": Door("a.example/m/@v/v1.0.0.mod", go_proxy),
    "a registry of crates": Door("index/to/ol/tool", registry),
    "an index of wheels": Door("it/index.html", index),
    "a page of find-links": Door("it.html", find_links),
}


@pytest.mark.parametrize("make", [pipe, link_to_zeros])
@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_each_door_reads_files_only(tmp_path: Path, door: Door, make: Callable[[Path], None]):
    path = tmp_path / door.file
    path.parent.mkdir(parents=True, exist_ok=True)
    make(path)
    raised = in_time(lambda: door.ask(tmp_path))
    assert isinstance(raised, SourceError)
    assert "not a regular file" in " ".join([raised.message, *raised.details])
