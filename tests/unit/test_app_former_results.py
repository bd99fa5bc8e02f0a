"""Where former results are: links of this store, and what trusted keys brought into a cache."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from cache_places import services
from signing import private_key
from web_caches import static
from workshop import Workshop
from workspaces import workspace

from rvbuild.app.former_result import former_here, names_of
from rvbuild.app.run_caches import signed_record
from rvbuild.app.session import Session
from rvbuild.app.shared_closure import SharedPlace, former_there
from rvbuild.caches.closure_pack import MOST, read_derivations
from rvbuild.caches.lease import Lease
from rvbuild.caches.names import object_name, target_name
from rvbuild.caches.pack import write_pack
from rvbuild.caches.push import Pusher, TargetShipment
from rvbuild.caches.table import open_cache
from rvbuild.core.digest import EMPTY, Digest
from rvbuild.core.dsse import Envelope
from rvbuild.core.errors import CacheMiss, Malformed, UsageError, VerificationError, WrongContent
from rvbuild.core.events import Event, Noticed, silent
from rvbuild.core.graph import Target
from rvbuild.core.realisation import Realisation
from rvbuild.stores.memory import MemoryStore

ROOT = Path(__file__).parents[2]
NOW = 1_800_000_000.0


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that trusts ``ci`` and ``lab``, and has a cache."""
    folder = tmp_path / "project"
    (folder / "recipes").mkdir(parents=True)
    (folder / "cache/keys").mkdir(parents=True)
    (tmp_path / "team").mkdir()
    for name in ("ci", "lab"):
        (folder / f"cache/keys/{name}.pub").write_text(f"{private_key(name).public}\n")
    (folder / "rvbuild.toml").write_text(f"[caches]\nteam = '{tmp_path}/team'\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def session(project: Path) -> Iterator[Session]:
    with closing(Session(workspace(str(project)), silent)) as session:
        yield session


# ---- here


def test_without_a_store_there_is_no_former_result_and_none_is_made(session: Session):
    assert former_here(session, ["app"]) is None
    assert not session.workspace.has_store


def test_the_link_of_this_folder_comes_before_those_of_others(session: Session, project: Path):
    roots = session.store.roots
    roots.add_root("app", "1" * 64, "/elsewhere/result/app")
    roots.add_root("other", "2" * 64, str(project / "result/other"))
    assert former_here(session, ["nothing"]) is None
    former = former_here(session, ["app"])
    assert former is not None
    assert (former.derivation, former.place) == ("1" * 64, "/elsewhere/result/app")
    roots.add_root("app@1", "3" * 64, str(project / "result/app@1"))
    former = former_here(session, ["app", "app@1"])
    assert former is not None
    assert former.derivation == "3" * 64


def test_derivations_are_read_as_far_as_the_store_has_them(session: Session, tmp_path: Path):
    step = Workshop(str(tmp_path / "shop")).step("app", "join x")
    store = session.store
    store.roots.add_root("app", step.digest, "/elsewhere/result/app")
    former = former_here(session, ["app"])
    assert former is not None
    assert former.read(step.digest) is None
    store.realisations.register(Realisation(key=step.key, output=EMPTY))
    assert former.read(step.digest) is None  # its bytes are gone
    store.cas.write(step.encode())
    assert former.read(step.digest) == step.encode()


def test_the_default_series_may_stand_in_the_name_or_not():
    with closing(Session(workspace(str(ROOT)), silent)) as session:
        for name, names in (
            ("k3s-source", ("k3s-source", "k3s-source@1.35")),
            ("k3s-source@1.35", ("k3s-source@1.35", "k3s-source")),
            ("k3s-source@1.34", ("k3s-source@1.34",)),
            ("base-toolbox", ("base-toolbox",)),
        ):
            target = Target(name, "")
            assert names_of(session, session.graph((target,), checks=False), target) == names


# ---- there

NOTHING = "0" * 64
"""The digest of a result that nobody has."""


def bring(folder: Path, key: str, target: str, derivations: Mapping[str, bytes]) -> None:
    """Let a key's holder push a target of which only the derivations matter."""
    folder.mkdir(exist_ok=True)
    with services() as given:
        cache, store = open_cache(str(folder), given), MemoryStore()
        pusher = Pusher(
            cache=cache,
            cas=store.cas,
            trees=store.trees,
            key_id=private_key(key).public.key_id,
            valid_ids=(),
            sign=partial(signed_record, private_key(key)),
            open=lambda data, _kind, _where: json.loads(Envelope.decode(data).payload),
            pushed=lambda *_: None,
            lease=Lease(cache, "team", lambda: NOW, key),
        )
        shipment = TargetShipment(
            target=target,
            derivation=next(iter(derivations)),
            results=(),
            derivations=tuple(derivations.values()),
        )
        pusher.push([shipment])


@pytest.fixture
def app(tmp_path: Path) -> dict[str, bytes]:
    """What the target ``app`` was made of, the result first."""
    shop = Workshop(str(tmp_path / "shop"))
    source = shop.source("source")
    return {each.digest: each.encode() for each in (shop.step("app", "join x", source), source)}


def test_the_closure_is_read_out_of_the_cache(
    session: Session, tmp_path: Path, app: dict[str, bytes]
):
    bring(tmp_path / "team", "ci", "app", app)
    former = former_there(session, ["app"], NOTHING, SharedPlace("team"))
    assert (former.derivation, former.place) == (next(iter(app)), "team/ci")
    assert {digest: former.read(digest) for digest in app} == app
    assert former.read("0" * 64) is None
    assert not session.workspace.has_store


def bring_two(folder: Path, app: dict[str, bytes], later: str) -> None:
    """Two keys' holders push a target, under either of its names; ``later`` is the second."""
    bring(folder, "ci", "app", {"1" * 64: b"{}"})
    bring(folder, "lab", "app@1", app)
    date(folder, later)


def date(folder: Path, later: str) -> None:
    for key, name in (("ci", "app"), ("lab", "app@1")):
        os.utime(folder / target_name(key, name), (0, NOW + (key == later)))


@pytest.mark.parametrize("later", ["ci", "lab"])
def test_the_last_one_is_meant_of_any_key_and_under_any_name(
    session: Session, tmp_path: Path, app: dict[str, bytes], later: str
):
    bring_two(tmp_path / "team", app, later)
    results = {"ci": "1" * 64, "lab": next(iter(app))}
    for place, by in (("team", later), ("team/ci", "ci"), ("team/lab", "lab")):
        former = former_there(session, ["app", "app@1"], NOTHING, SharedPlace.parse(place))
        assert (former.derivation, former.place) == (results[by], f"team/{by}")


@pytest.mark.parametrize("by", ["", "ci", "lab"])
def test_who_cannot_list_gives_what_would_be_built_now_else_the_first(
    project: Path, tmp_path: Path, app: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, by: str
):
    """As after a rotation: the old key wrote a target, and the new one what is built today."""
    bring_two(tmp_path / "served", app, "lab")
    result = {"": NOTHING, "ci": "1" * 64, "lab": next(iter(app))}[by]
    with static(tmp_path) as address:
        monkeypatch.setenv("RVBUILD_CACHES", f"team={address}")
        with closing(Session(workspace(str(project)), silent)) as session:
            former = former_there(session, ["app", "app@1"], result, SharedPlace("team"))
    assert former.place == f"team/{by or 'ci'}"


@pytest.mark.parametrize("is_lie", [False, True])
def test_what_is_lost_or_damaged_is_told_and_the_next_is_taken(
    project: Path, tmp_path: Path, app: dict[str, bytes], *, is_lie: bool
):
    folder, events = tmp_path / "team", list[Event]()
    bring_two(folder, app, "lab")
    if is_lie:
        (folder / target_name("lab", "app@1")).write_bytes(b"{}")
    else:
        bring(folder, "lab", "app@1", {"2" * 64: b"lost"})
        last = max(folder.glob("objects/*/*"), key=lambda path: path.stat().st_mtime_ns)
        last.unlink()
    date(folder, "lab")
    with closing(Session(workspace(str(project)), events.append)) as session:
        former = former_there(session, ["app", "app@1"], NOTHING, SharedPlace("team"))
    assert former.place == "team/ci"
    (said,) = events
    assert isinstance(said, Noticed)
    assert (said.label, said.security) == ("team", is_lie)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("team", "nobody whose word counts brought it into the cache team"),
        ("team/lab", "into the cache team/lab"),
        ("team/eve", "the key 'eve' is not trusted here"),
        ("tame", "there is no cache 'tame'"),
    ],
)
def test_where_nobody_brought_it_that_is_said(session: Session, place: str, said: str):
    with pytest.raises(UsageError, match=said):
        former_there(session, ["app"], NOTHING, SharedPlace.parse(place))


def test_offline_a_cache_that_is_elsewhere_is_out_of_reach(
    project: Path, monkeypatch: pytest.MonkeyPatch
):
    """That is no word about what somebody brought there."""
    monkeypatch.setenv("RVBUILD_CACHES", "far=https://cache.invalid")
    monkeypatch.setenv("RVBUILD_OFFLINE", "1")
    with (
        closing(Session(workspace(str(project)), silent)) as session,
        pytest.raises(UsageError, match="the run is offline, and the cache is not on this machine"),
    ):
        former_there(session, ["app"], NOTHING, SharedPlace("far"))


@pytest.mark.parametrize("moved", [("ci", "other"), ("lab", "app")])
def test_a_record_says_whose_it_is(
    session: Session, tmp_path: Path, app: dict[str, bytes], moved: tuple[str, str]
):
    """One that stands under another target's or key's name is not believed."""
    bring(tmp_path / "team", *moved, app)
    to = tmp_path / "team" / target_name("ci", "app")
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(tmp_path / "team" / target_name(*moved), to)
    with pytest.raises(WrongContent, match="a record of another target or key"):
        former_there(session, ["app"], NOTHING, SharedPlace("team", "ci"))


def test_what_nobody_trusted_signed_is_not_read(
    session: Session, project: Path, tmp_path: Path, app: dict[str, bytes]
):
    bring(tmp_path / "team", "ci", "app", app)
    (project / "cache/keys/ci.pub").write_text(
        f"{private_key('other').public}\n".replace("other", "ci")
    )
    with pytest.raises(VerificationError, match="no trusted key signed this"):
        former_there(session, ["app"], NOTHING, SharedPlace("team"))


def test_a_pack_that_is_gone_or_damaged(session: Session, tmp_path: Path, app: dict[str, bytes]):
    bring(tmp_path / "team", "ci", "app", app)
    (pack,) = (path for path in (tmp_path / "team/objects").glob("*/*"))
    data = pack.read_bytes()
    pack.chmod(0o644)
    pack.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(WrongContent):
        former_there(session, ["app"], NOTHING, SharedPlace("team"))
    pack.unlink()
    with pytest.raises(CacheMiss):
        former_there(session, ["app"], NOTHING, SharedPlace("team"))
    assert object_name(Digest.of(data)).endswith(pack.name)


# ---- the pack


def packed(*blobs: bytes) -> list[bytes]:
    file = io.BytesIO()
    write_pack(blobs, sum(map(len, blobs)), file)
    return [file.getvalue()]


def long(size: int) -> bytes:
    return size.to_bytes(8, "little")


def test_each_derivation_has_the_name_of_its_bytes():
    pack = packed(long(3) + b"one", long(0), long(3) + b"two")
    assert read_derivations(pack, 3) == {Digest.of(b).hash: b for b in (b"one", b"", b"two")}


@pytest.mark.parametrize(
    ("pack", "count", "said"),
    [
        (packed(long(3) + b"one"), 2, "ends too early"),
        (packed(long(4) + b"one"), 1, "ends too early"),
        (packed(b"\3"), 1, "ends too early"),
        (packed(long(3) + b"one", long(0)), 1, "more than was signed"),
        (packed(long(MOST), bytes(1000)), 1, "ends too early"),
        (packed(long(MOST + 1)), 1, "derivations of more than"),
        (packed(long(1) + b"x", long(MOST)), 2, "derivations of more than"),
        (packed(b"\xff" * 8), 1, "derivations of more than"),
        ([b"no pack"], 1, "damaged"),
    ],
)
def test_a_pack_of_another_form_is_malformed(pack: list[bytes], count: int, said: str):
    with pytest.raises(Malformed, match=said):
        read_derivations(pack, count)
