"""Which of several indexes decides: as pip and uv do it, since public names can be taken."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from index_table import FIRST, GONE, LINUX, NEW, OLD, PIP, SECOND, STRATEGIES, TABLE, Places
from made_wheel import made_wheel
from site_of_bytes import Served, serve

from rvbuild.core.errors import SourceError
from rvbuild.core.events import Event
from rvbuild.core.ports.callbacks import no_progress
from rvbuild.kinds.pypi.fetch import PypiFetcher
from rvbuild.kinds.pypi.indexes import Indexes, Strategy
from rvbuild.transfers.pinned_files import PinnedFiles
from rvbuild.transfers.sinks import DigestSink
from rvbuild.transfers.transport import Patience, Transport
from rvbuild.transfers.urls import Credentials


@pytest.fixture
def resolve(tmp_path: Path) -> Iterator[Callable[..., tuple[str, list[Event]]]]:
    with Transport(
        environment={}, patience=Patience(tries=1), credentials=Credentials({})
    ) as transport:

        def run(site: Served, strategy: Strategy, *links: str) -> tuple[str, list[Event]]:
            """The index whose wheel is taken, and what is said of it."""
            notices: list[Event] = []
            files = PinnedFiles(transport=transport, temp=tmp_path / "temp", report=notices.append)
            urls = tuple(f"{site.url}/{name}" for name in "abc")
            indexes = Indexes(links=links, urls=urls, named_by=("the test",), strategy=strategy)
            fetcher = PypiFetcher(files=files, indexes=lambda: indexes)
            wheel = fetcher.resolve("tool", "1.2", "amd64")
            made = {name: made_wheel(wheel.filename, name) for name in "abcl"}
            places = {hashlib.sha256(data).hexdigest(): name for name, data in made.items()}
            return places.get(wheel.sha256, ""), notices

        yield run


@pytest.mark.parametrize("strategy", Strategy)
@pytest.mark.parametrize("case", TABLE)
def test_whose_wheel_is_taken(
    resolve: Callable[..., tuple[str, list[Event]]], case: str, strategy: Strategy
):
    listed, expected = TABLE[case]
    wheel, asked = dict(zip(STRATEGIES, expected, strict=True))[strategy].split()
    places = Places(dict(zip("abc", listed, strict=True)))
    with serve(places.answer) as site:
        if wheel == "-":
            with pytest.raises(SourceError) as caught:
                resolve(site, strategy)
            told = any("index-strategy" in line for line in caught.value.details)
            assert told is (strategy is not PIP)
        else:
            place, notices = resolve(site, strategy)
            assert place == wheel[0]
            assert bool(notices) is wheel.endswith("!")
    assert places.asked == list(asked)


@pytest.mark.parametrize("strategy", Strategy)
def test_a_folder_has_a_word_whatever_the_indexes_have(
    resolve: Callable[..., tuple[str, list[Event]]], tmp_path: Path, strategy: Strategy
):
    """Its files stand beside the indexes'; of equal ones uv takes them, and pip does not."""
    (tmp_path / SECOND).write_bytes(made_wheel(SECOND, "l"))
    for listed in (NEW, OLD, GONE):
        with serve(Places({"a": listed}).answer) as site:
            is_last = strategy is PIP and listed == NEW
            assert resolve(site, strategy, str(tmp_path))[0] == ("a" if is_last else "l")


def test_a_pinned_wheel_is_looked_for_everywhere(tmp_path: Path):
    """It is known by its content: the index that decides on a lock need not have it any more."""
    places = Places({"a": OLD, "b": "503 Busy", "c": NEW})
    with (
        serve(places.answer) as site,
        Transport(environment={}, patience=Patience(tries=1), credentials=Credentials({})) as http,
    ):
        files = PinnedFiles(transport=http, temp=tmp_path)
        one, all_ = (
            Indexes(urls=tuple(f"{site.url}/{name}" for name in names), strategy=FIRST)
            for names in ("c", "abc")
        )
        wheel = PypiFetcher(files=files, indexes=lambda: one).resolve("tool", "1.2", "amd64")
        PypiFetcher(files=files, indexes=lambda: all_).fetch(wheel, DigestSink(), no_progress)


@pytest.mark.parametrize("case", [name for name in TABLE if "machine" not in name])
def test_pip_itself(tmp_path: Path, case: str):
    """It takes the wheel of the same index; its own machine may be another, so tags are `any`."""
    listed, expected = TABLE[case]
    wheel, asked = expected[-1].split()
    places = Places(
        dict(zip("abc", [NEW if each == LINUX else each for each in listed], strict=True))
    )
    with serve(places.answer) as site:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir"]
        command += ["--isolated", "--retries=0", "--dest", str(tmp_path)]
        command += ["--index-url", f"{site.url}/a"]
        command += [f"--extra-index-url={site.url}/{name}" for name in "bc"]
        ran = subprocess.run([*command, "tool==1.2"], capture_output=True, check=False, text=True)
    assert list(dict.fromkeys(places.asked)) == list(asked), ran.stderr
    files = [path.read_bytes() for path in tmp_path.glob("*.whl")]
    assert files == ([] if wheel == "-" else [made_wheel(SECOND, wheel[0])]), ran.stderr


def test_two_files_of_one_name_are_told(resolve: Callable[..., tuple[str, list[Event]]]):
    """Where the indexes say their hashes, and only if they differ."""
    names = {"a": NEW, "b": NEW}
    for hashes, is_told in (({"a": "1", "b": "1"}, False), ({"a": "1", "b": "2"}, True)):
        with serve(Places(names, hashes={k: v * 64 for k, v in hashes.items()}).answer) as site:
            _, notices = resolve(site, PIP)
            assert (
                any("has other bytes under this name" in str(each) for each in notices) is is_told
            )
