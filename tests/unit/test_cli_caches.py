"""`caches`: which are set, what they let us do, what they hold, and what is wrong with one."""

from __future__ import annotations

import json
import os
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import define
from cache_places import FolderBehind, folder
from command_place import CommandPlace
from signing import private_key
from site_of_bytes import CLOSED, Asked, Served, head, serve
from team import push
from web_caches import free_port, static
from workshop import Workshop

from rvbuild.__main__ import main
from rvbuild.app.caches import view_inventory
from rvbuild.app.session import Session
from rvbuild.app.settings import Settings
from rvbuild.app.workspace import Workspace
from rvbuild.caches.names import MARK, MARK_TEXT
from rvbuild.core.derivation import Step
from rvbuild.core.dsse import Envelope
from rvbuild.core.events import Noticed
from rvbuild.core.revocation import Revocation
from rvbuild.core.statement import CLOSURE
from rvbuild.trust.private_key import PrivateKey


@define
class Place(CommandPlace):
    """A project with the cache `team`."""

    command = "caches"

    @property
    def cache(self) -> FolderBehind:
        return FolderBehind(self.folder / "cache")

    def rows(self) -> dict[str, dict[str, Any]]:
        return {row["name"]: row for row in self.json("list")["caches"]}

    def settings(self, text: str) -> None:
        (self.project / "rvbuild.toml").write_text(text)

    def fill(self, key: str = "ci", text: str = "hello", *, again: bool = False) -> None:
        """Let a key's owner push the target `app`."""
        shop = Workshop(str(self.folder / f"{key} {text} {again}"))
        below = shop.step("below", f"say below {text}")
        app = shop.step("app", f"say {text}", below)
        steps = [each for each in shop.known.values() if isinstance(each, Step)]
        signer = private_key(key)

        def sign(payload_type: str, payload: bytes) -> bytes:
            return Envelope.sign(payload_type, payload, signer).encode()

        with folder(self.folder) as place:
            push(shop, shop.build(*steps), place.cache, app, key, sign=sign)

    def trust(self, key: str) -> None:
        keys = self.project / "cache/keys"
        keys.mkdir(parents=True, exist_ok=True)
        (keys / f"{key}.pub").write_text(f"{private_key(key).public}\n")


@pytest.fixture
def place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Place:
    made = Place(tmp_path, capsys)
    made.begin(monkeypatch)
    (made.project / "rvbuild.lock").touch()
    made.settings('[caches]\nteam = "read+write ../cache"\n')
    (tmp_path / "cache").mkdir()
    return made


# ---- list


def test_without_caches_it_says_how_to_set_one(place: Place):
    place.settings("")
    assert place.fine() == ""
    assert "rvbuild caches add NAME ADDRESS" in place.err


def test_each_cache_with_its_state(place: Place):
    place.fine("add", "dead", f"http://al:secret@127.0.0.1:{free_port()}/a", "--user")
    place.settings("[caches]\nteam = 'write ../cache'\nother = 'off'\n")
    rows = place.rows()
    assert [(row["state"], row["mode"]) for row in rows.values()] == [
        ("silent", "read"),
        ("empty", "write"),
        ("off", "off"),
    ]
    assert rows["team"]["address"] == str(place.folder / "cache")
    assert "secret" not in place.out
    assert rows["dead"]["problem"]["kind"] == "CacheDown"
    place.fill()
    assert place.rows()["team"]["state"] == "answers"
    assert place.fine("list").count("\n") == 5
    assert not (place.folder / "store").exists(), "who only looks makes no store"


def test_offline_a_server_is_not_asked(place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RVBUILD_OFFLINE", "1")
    place.settings(f"[caches]\nteam = '../cache'\nfar = 'http://127.0.0.1:{free_port()}'\n")
    assert [row["state"] for row in place.rows().values()] == ["empty", "not asked"]
    assert place.run("test", "far") == 2
    assert "offline" in place.err


LOGIN = {
    "AWS_ACCESS_KEY_ID": "canary-id",
    "AWS_SECRET_ACCESS_KEY": "canary-secret",
    "AWS_SESSION_TOKEN": "canary-token",
}


def test_a_server_that_only_a_projects_file_names_sees_no_login(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    """Nor does the file get one sent by what it calls its cache; the user names the server."""
    for name, value in LOGIN.items():
        monkeypatch.setenv(name, value)

    def deny(_asked: Asked, send: Callable[[bytes], None]) -> None:
        send(head("403 Forbidden", "Content-Length: 0", CLOSED))

    def seen(server: Served) -> str:
        server.asked.clear()
        place.run("list")
        place.run("test", "team")
        return "\n".join(str(asked) for asked in server.asked)

    with serve(deny) as server:
        place.settings(f'[caches]\nteam = "write s3://evil/p?region=x&endpoint={server.url}"\n')
        asked = seen(server)
        assert "/evil/p/rvbuild-cache" in asked
        assert "canary" not in asked
        assert "authorization" not in asked
        assert "only the project's file names this server" in place.err
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
        assert "canary-token" in seen(server)
        monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
        assert "canary" not in seen(server)
        place.fine("add", "mine", f"s3://mine?endpoint={server.url}/", "--user")
        assert "canary-token" in seen(server)


# ---- test


def test_a_folder_lets_us_do_all_and_keeps_nothing_of_it(place: Place):
    steps = place.json("test", "team")["steps"]
    names = ["read", "write", "read back", "write a record", "list", "remove"]
    assert [(step["what"], step["works"]) for step in steps] == [(name, True) for name in names]
    assert list(place.cache.files()) == ["rvbuild-cache"]
    place.fill()
    files = place.cache.files()
    assert "ok   read an object: " in place.fine("test", "team")
    assert place.cache.files() == files


def test_what_is_only_read_is_not_written(place: Place):
    place.settings("[caches]\nteam = '../cache'\n")
    place.cache.put(MARK, MARK_TEXT)
    assert [step["what"] for step in place.json("test", "team")["steps"]] == ["read", "list"]
    assert list(place.cache.files()) == [MARK]


def test_who_only_reads_is_told_that_it_is_no_cache(place: Place):
    """A folder of others, one in which nobody wrote, a server that has nothing of that name."""
    (place.folder / "others").mkdir()
    (place.folder / "others/HEAD").write_text("ref: refs/heads/main\n")
    with static(place.folder) as server:
        for address, words in {
            "../cache": "it has no file rvbuild-cache\n",
            "../others": "it has no file rvbuild-cache, and is not empty: HEAD\n",
            f"{server}/nothing": "it has no file rvbuild-cache\n",
        }.items():
            place.settings(f"[caches]\nteam = '{address}'\n")
            assert place.run("test", "team") == 4
            assert place.out.startswith("FAIL read: ")
            assert place.out.endswith(f": this is no cache: {words}")
            assert place.out.count("\n") == 1


def test_who_writes_is_told_that_it_is_no_cache_yet(place: Place):
    first, *others = place.fine("test", "team").splitlines()
    assert first.startswith("ok   read: ")
    assert first.endswith(" ms, and it is no cache yet")
    assert "yet" not in " ".join(others) + place.fine("test", "team")


def test_a_folder_that_is_no_cache_is_not_begun_by_a_trial(place: Place):
    """Nor is what stands there for objects taken to be some."""
    place.cache.put("objects/ab/" + "ab" * 19, b"of git")
    assert place.run("test", "team") == 4
    assert (
        "this is no cache: it has no file rvbuild-cache, and is not empty: objects/ab/" in place.err
    )
    assert list(place.cache.files()) == ["objects/ab/" + "ab" * 19]


def test_a_server_that_takes_nothing_is_told(place: Place):
    with static(place.folder) as address:
        place.settings(f"[caches]\nteam = 'read+write {address}'\n")
        assert place.run("test", "team") == 4
    assert place.out.splitlines()[1].startswith("FAIL write: ")
    assert "the server takes no writes (status 501)" in place.err
    assert "no   list: " in place.out
    assert "remove" not in place.out
    assert place.err.startswith("error: ")


def test_a_cache_that_does_not_answer_is_told(place: Place):
    place.settings(f"[caches]\nteam = 'http://127.0.0.1:{free_port()}'\n")
    assert place.run("test", "team") == 4
    assert place.out.startswith("FAIL read: ")
    assert place.out.count("\n") == 1


@pytest.mark.parametrize("action", ["test", "stat", "gc", "verify"])
def test_one_that_is_not_set_is_an_error(place: Place, action: str):
    assert place.run(action, "tema") == 2
    assert "there is no cache 'tema'" in place.err


# ---- stat, gc

LIST = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"


@contextmanager
def slow_bucket(wait: Callable[[], object]) -> Iterator[str]:
    """An empty cache in a bucket that waits before each list; gives its address."""

    def answer(asked: Asked, send: Callable[[bytes], None]) -> None:
        if "list-type" in asked.path:
            wait()
        body = LIST if "list-type" in asked.path else MARK_TEXT
        send(head("200 OK", f"Content-Length: {len(body)}", CLOSED) + body)

    with serve(answer) as server:
        yield f"s3://team/p?endpoint={server.url}"


LOOKS_AT_ALL = {"stat": ("stat",), "gc": ("gc", "--dry-run"), "verify": ("verify",)}


@pytest.mark.parametrize("action", LOOKS_AT_ALL)
def test_a_list_may_take_longer_than_a_build_waits(
    place: Place, monkeypatch: pytest.MonkeyPatch, action: str
):
    """A build goes on without the cache; here there is nothing else to do."""
    monkeypatch.setenv("RVBUILD_STALL_BUDGET", "1")
    name, *options = LOOKS_AT_ALL[action]
    waits = iter((1.1,))
    with slow_bucket(lambda: threading.Event().wait(next(waits, 0.0))) as address:
        place.settings(f"[caches]\nteam = 'write {address}'\n")
        place.fine(name, "team", *options)


def test_who_waits_for_a_list_is_told(place: Place):
    """The list comes once that is told."""
    is_told = threading.Event()

    def note(event: object) -> None:
        if isinstance(event, Noticed) and "no answer so far; 60 s at most" in event.text:
            is_told.set()

    with slow_bucket(lambda: is_told.wait(60)) as address:
        place.settings(f"[caches]\nteam = '{address}'\n")
        workspace = Workspace(str(place.project), Settings.of_user(os.environ, {}))
        with closing(Session(workspace, note)) as session:
            assert view_inventory(session, "team").objects.files == 0
    assert is_told.is_set()


def test_what_a_cache_holds(place: Place):
    place.fill()
    place.fill("lab")
    answer = place.json("stat", "team")
    assert [(row["key"], row["realisations"]["files"]) for row in answer["keys"]] == [
        ("ci", 2),
        ("lab", 2),
    ]
    assert [row["targets"]["files"] for row in answer["keys"]] == [1, 1]
    objects = [data for name, data in place.cache.files().items() if name.startswith("objects/")]
    assert answer["objects"]["files"] == len(objects)
    assert answer["objects"]["bytes"] == sum(map(len, objects))
    assert answer["leases"] == 0
    assert "ci  2 realisations (" in place.fine("stat", "team")


def test_an_empty_cache_holds_nothing(place: Place):
    (place.folder / "cache" / MARK).write_bytes(MARK_TEXT)
    answer = place.json("stat", "team")
    assert answer["objects"] == {"files": 0, "bytes": 0, "oldest": None, "newest": None}


def test_a_web_server_cannot_be_listed(place: Place):
    with static(place.folder) as address:
        place.settings(f"[caches]\nteam = '{address}'\n")
        for action in ("stat", "gc", "verify"):
            assert place.run(action, "team") == 4
            assert "cannot list" in place.err


def test_a_collection_removes_what_nobody_names(place: Place):
    place.fill()
    place.cache.put("objects/ab/" + "ab" * 32, b"nobody's")
    os.utime(place.folder / "cache/objects/ab" / ("ab" * 32), (0, 0))
    answer = place.json("gc", "team", "--dry-run")
    assert (answer["removed_objects"], answer["dry_run"]) == (1, True)
    assert place.json("gc", "team", "--dry-run") == answer
    assert "removed 0 records and 1 object (8 B); kept 3 records" in place.fine("gc", "team")
    assert place.fine("verify", "team").endswith("0 damaged, 0 missing\n")
    assert place.run("gc", "team", "--max-size", "much") == 2


@pytest.mark.parametrize("address", ["../nowhere", "../decoy", "../empty"])
@pytest.mark.parametrize(
    "action", [("gc",), ("gc", "--dry-run"), ("verify",), ("verify", "--remove"), ("stat",)]
)
def test_what_is_no_cache_is_refused_and_stays(place: Place, action: tuple[str, ...], address: str):
    """A mistyped path does not pass for a cache that has nothing to collect."""
    for name in ("decoy/objects/ab", "empty"):
        (place.folder / name).mkdir(parents=True)
    (place.folder / "decoy/objects/ab/blob").write_bytes(b"of git")
    before = sorted(place.folder.rglob("*"))
    place.settings(f"[caches]\nteam = '{address}'\n")
    assert place.run(action[0], "team", *action[1:]) == 4
    assert "no such folder" in place.err or "this is no cache" in place.err
    assert sorted(place.folder.rglob("*")) == before


def test_a_collection_says_what_only_waits(place: Place):
    place.fill()
    place.cache.put("objects/ab/" + "ab" * 32, b"of a push that has just been killed")
    said = place.fine("gc", "team")
    assert "1 object of these no record names; what is younger than an hour stays" in said
    assert place.json("gc", "team")["young_objects"] == 1


# ---- verify


def _link(path: Path) -> None:
    path.symlink_to("/nowhere")


OTHERS = ("objects/model.obj", "objects/ab/mesh", "objects/notes", "objects/my thesis.pdf",
    f"objects/cd/{'ab' * 32}", "records/README", "records/ci/README", "records/ci/targets/a b",
    f"records/ci/realisations/{'ab' * 32}", "records/ci/other/kind")  # fmt: skip
"""Names below the cache's own folders that are none of the layout."""


def test_files_of_others_are_counted_and_left_alone(place: Place):
    """No damage, and no record that ends a collection; nor are a link, a pipe, a folder."""
    place.trust("ci")
    place.fill()
    held = place.json("stat", "team")
    for name in OTHERS:
        place.cache.put(name, b"somebody's")
    (place.folder / "cache/objects/link").symlink_to("/nowhere")
    os.mkfifo(place.folder / "cache/records/ci/pipe")
    os.mkdir(place.folder / "cache/records/ci/photos")
    before = place.cache.files()
    answer = place.json("verify", "team")
    assert (answer["findings"], answer["records"], answer["others"]) == ([], 3, len(OTHERS) + 2)
    assert f"{len(OTHERS) + 2} files of others, which were not read\n" in place.fine(
        "verify", "team"
    )
    assert place.json("stat", "team") == held
    assert place.json("gc", "team")["records"] == 3
    assert place.cache.files() == before


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("make", [_link, os.mkfifo])
def test_what_stands_in_the_place_of_a_folder_is_damage(
    place: Place, make: Callable[[Path], None], depth: int
):
    """`records/ci`, and what is below it, would be reached through it."""
    place.trust("ci")
    place.fill()
    parts = _record(place, "realisations").split("/")[:depth]
    path = place.folder.joinpath("cache", *parts)
    path.rename(place.folder / "away")
    make(path)
    assert place.run("verify", "team") == 5
    assert f"damaged  {'/'.join(parts)}: it is no folder that can be read\n" in place.out


@pytest.mark.parametrize("make", [_link, os.mkfifo, os.mkdir])
@pytest.mark.parametrize("directory", ["records/", "objects/"])
def test_what_stands_in_the_place_of_a_file_is_damage(
    place: Place, directory: str, make: Callable[[Path], None]
):
    place.trust("ci")
    place.fill()
    name = next(name for name in place.cache.files() if name.startswith(directory))
    place.cache.remove(name)
    make(place.folder / "cache" / name)
    assert place.run("verify", "team") == 5
    assert f"damaged  {name}" in place.out
    assert ": it is no regular file\n" in place.out


def test_a_sound_cache(place: Place):
    place.trust("ci")
    place.fill()
    place.fill("lab")
    assert "6 records, 3 of keys that are not trusted, " in place.fine("verify", "team")
    assert place.json("verify", "team")["findings"] == []


def damage_object(place: Place) -> str:
    name = next(name for name in place.cache.files() if name.startswith("objects/"))
    data = place.cache.files()[name]
    place.cache.put(name, bytes([data[0] ^ 1]) + data[1:])
    return name


def lose_object(place: Place) -> str:
    name = next(name for name in place.cache.files() if name.startswith("objects/"))
    place.cache.remove(name)
    return name


def cut_object(place: Place) -> str:
    name = next(name for name in place.cache.files() if name.startswith("objects/"))
    place.cache.put(name, place.cache.files()[name][:-1])
    return name


def _record(place: Place, kind: str) -> str:
    return next(name for name in place.cache.files() if name.startswith(f"records/ci/{kind}/"))


def edit_record(place: Place) -> str:
    name = _record(place, "realisations")
    envelope = json.loads(place.cache.files()[name])
    envelope["payload"] = envelope["payload"].replace("A", "B", 1)
    place.cache.put(name, json.dumps(envelope).encode())
    return name


def move_record(place: Place) -> str:
    """Signed and true, and not of what its name says."""
    name = _record(place, "realisations")
    other = f"records/ci/realisations/ab/{'ab' * 32}"
    place.cache.put(other, place.cache.files()[name])
    return other


def strange_record(place: Place) -> str:
    place.cache.put("records/ci/notes", b"to do: nothing")
    return "records/ci/notes"


def lie_as_another(place: Place) -> str:
    """A record of a trusted key's folder that another key signed."""
    name = _record(place, "targets")
    envelope = Envelope.decode(place.cache.files()[name])
    forged = Envelope.sign(envelope.payload_type, envelope.payload, private_key("lab"))
    place.cache.put(name, forged.encode())
    return name


def name_no_target(place: Place) -> str:
    """A record of a key that nobody trusts here, of a target that has no name in a cache."""
    closure = {
        "target": "a\nb" * 1000,
        "key": "lab",
        "derivation": "ab" * 32,
        "statements": [],
        "derivations": [f"{'ab' * 32}/1", 1],
    }
    signed = Envelope.sign(CLOSURE, json.dumps(closure).encode(), private_key("lab"))
    place.cache.put("records/lab/targets/app", signed.encode())
    return "records/lab/targets/app"


DAMAGES = {
    damage_object: "damaged",
    lose_object: "missing",
    cut_object: "damaged",
    edit_record: "damaged",
    move_record: "damaged",
    lie_as_another: "damaged",
    name_no_target: "damaged",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_what_is_damaged_or_missing_is_named(place: Place, damage: Any):  # noqa: ANN401
    place.trust("ci")
    place.fill()
    name = damage(place)
    assert place.run("verify", "team", "--json") == 5
    findings = [(each["kind"], each["name"]) for each in json.loads(place.out)["findings"]]
    assert (DAMAGES[damage], name) in findings
    assert {found for _, found in findings} == {name}
    assert place.run("verify", "team") == 5
    assert f"{DAMAGES[damage]}  {name}: " in place.out
    assert "the cache has" in place.err


def test_records_of_another_key_of_a_name_are_no_damage(place: Place):
    """Two projects that share a cache, and both call their key `ci`."""
    place.trust("ci")
    place.fill()
    name = _record(place, "targets")
    envelope = Envelope.decode(place.cache.files()[name])
    other = PrivateKey("ci", b"another project's".ljust(32))
    signed = Envelope.sign(envelope.payload_type, envelope.payload, other)
    place.cache.put(name, signed.encode())
    assert place.run("verify", "team") == 0
    words = f"signed by {other.public.key_id}, another key of that name"
    assert f"untrusted  {name}: {words}\n" in place.out
    assert "3 records, 1 of keys that are not trusted, " in place.out
    assert ": 0 damaged, 0 missing" in place.out
    place.cache.put(name, signed.encode().replace(b"payloadType", b"kind"))
    assert place.run("verify", "team") == 5


def test_records_of_a_revoked_key_are_called_so(place: Place):
    """They are no damage; whoever counts them knows why nobody takes them."""
    for key in ("ci", "lab"):
        place.trust(key)
        place.fill(key)
    place.fill("stranger")
    assert "not trusted: " not in place.fine("verify", "team")
    revocation = Revocation(private_key("lab").public, "2026-11-29", "it was stolen")
    (place.project / "cache/keys/lab.revoked").write_text(str(revocation))
    place.cache.put("records/lab/README", b"of others")
    words = "9 records, 6 of keys that are not trusted (3 of lab, which was revoked), "
    assert words in place.fine("verify", "team")
    assert place.json("verify", "team")["revoked"] == {"lab": 3}


def test_damaged_objects_are_removed_and_pushed_again(place: Place):
    """And nothing else: neither records, which a push writes again, nor others' files."""
    place.trust("ci")
    place.fill()
    before = place.cache.files()
    place.cache.put("objects/zz/notes", b"somebody's")
    strange_record(place)
    name = damage_object(place)
    lacks = place.cache.files()
    assert place.run("verify", "team") == 5
    assert "`rvbuild caches verify team --remove`; then push again" in place.err
    assert place.run("verify", "team", "--remove") == 5
    assert "removed 1 damaged object\n" in place.out
    assert "hint: push again from a store that has the results" in place.err
    assert place.cache.files() == {each: lacks[each] for each in lacks if each != name}
    place.fill(again=True)
    place.cache.remove("objects/zz/notes")
    place.cache.remove("records/ci/notes")
    assert place.cache.files() == before
    assert place.json("verify", "team", "--remove")["removed"] == []


@pytest.mark.parametrize("lease", ["push-12ab", "collection"])
def test_who_removes_keeps_out_of_others_way(place: Place, lease: str):
    place.trust("ci")
    place.fill()
    damage_object(place)
    now = int(time.time())
    place.cache.put(f"leases/{lease}", f"{now} {now} 12ab lab\n".encode())
    before = place.cache.files()
    assert place.run("verify", "team", "--remove") == 4
    assert "by lab since" in place.err
    assert place.cache.files() == before


# ---- add, remove


def test_a_cache_is_set_and_taken_out_again(place: Place):
    text = '# ours\n[caches]\nteam = "read+write ../cache"  # NFS\n\n[accept]\nbuild = "ci"\n'
    place.settings(text)
    assert place.fine("add", "lab", "https://lab.corp/a") == (
        'rvbuild.toml: lab = "https://lab.corp/a"\n'
    )
    assert "rvbuild caches test lab" in place.err
    assert set(tomllib.loads((place.project / "rvbuild.toml").read_text())["caches"]) == {
        "team",
        "lab",
    }
    place.fine("remove", "lab")
    assert (place.project / "rvbuild.toml").read_text() == text


def test_a_path_is_from_the_file_on(place: Place, monkeypatch: pytest.MonkeyPatch):
    (place.project / "sub").mkdir()
    monkeypatch.chdir(place.project / "sub")
    change = place.json("add", "disk", "../../disk", "--write")
    assert change["line"] == 'disk = "read+write ../disk"'
    assert place.rows()["disk"]["address"] == str(place.folder / "disk")
    own = place.json("add", "mine", "disk", "--user")
    assert own["file"] == str(place.folder / "config/rvbuild/config.toml")
    assert place.rows()["mine"]["address"] == str(place.project / "sub/disk")
    place.fine("remove", "mine")
    assert "mine" not in place.rows()


def test_the_users_word_against_a_projects_cache(place: Place):
    place.fine("add", "team", "off", "--user")
    assert place.rows()["team"]["mode"] == "off"
    change = place.json("add", "other", "/mnt/other")
    assert change["stronger"] == ""
    place.fine("add", "other", "off", "--user")
    place.fine("remove", "other", "--project")
    assert "config.toml sets other, too, and is stronger" in place.err
    assert place.json("add", "other", "/mnt/other")["stronger"].endswith("config.toml")


SPACES = ["/{}/a b", "./a  b", "../a b/c", "/{}/a;b", '/{}/a"b', "/{}/a'; x=\\",
    "./off", "./on", "./read", "./write x"]  # fmt: skip


@pytest.mark.parametrize("pattern", SPACES)
def test_a_folder_with_any_letters_is_a_cache(place: Place, pattern: str):
    """It is set, used, shown, switched off and taken out again."""
    address = pattern.format(str(place.folder).strip("/"))
    os.makedirs(os.path.join(place.project, address))
    before = (place.project / "rvbuild.toml").read_text()
    place.fine("add", "spc", address, "--write")
    assert place.rows()["spc"]["address"] == os.path.abspath(address)
    place.fine("test", "spc")
    assert os.path.isfile(os.path.join(address, "rvbuild-cache"))
    assert place.rows()["spc"]["state"] == "answers"
    place.fine("remove", "spc")
    assert (place.project / "rvbuild.toml").read_text() == before


@pytest.mark.parametrize("word", ["off", "on", "read", "write"])
def test_a_folder_with_the_name_of_another_word_is_that_folder(place: Place, word: str):
    place.fine("add", "spc", f"./{word}")
    row = place.rows()["spc"]
    assert (row["mode"], row["address"]) == ("read", str(place.project / word))


def test_a_bucket_with_its_region_has_no_login(place: Place):
    place.fine("add", "far", "s3://bucket/p?region=eu-central-1")
    text = (place.project / "rvbuild.toml").read_text()
    assert 'far = "s3://bucket/p?region=eu-central-1"' in text


WRONG = ('"https://h/a b"', '"reed /mnt"', '"write ON"', '"https://al:pw@h/x"', '""', "5", "true",
    '["https://al:pw@h/x"]', '{u = "https://al:pw@h/x"}', "1979-05-27")  # fmt: skip
"""Values that set no cache."""


@pytest.mark.parametrize("value", WRONG)
def test_what_is_wrong_can_be_taken_out_and_switched_off(place: Place, value: str):
    """However it came there: by hand, or by an rvbuild that looked less closely."""
    place.settings(f'[caches]\nteam = "../cache"\nspc = {value}\n')
    assert place.run("list") == 2
    assert "'caches.spc' " in place.err
    assert place.run("add", "spc", "/x") == 2
    assert "there is a cache spc already" in place.err
    assert "pw" not in place.err
    assert main(["config"]) == 0
    assert "pw" not in "".join(place.capture.readouterr())
    place.fine("add", "spc", "off", "--user")
    assert place.rows()["spc"]["mode"] == "off"
    place.fine("remove", "spc", "--user")
    place.fine("remove", "spc")
    assert list(place.rows()) == ["team"]


@pytest.mark.parametrize("name", ["a b", ".a", "é", "https://al:pw@h/x"])
def test_what_has_a_wrong_name_can_be_taken_out(place: Place, name: str):
    place.settings(f'[caches]\nteam = "../cache"\n"{name}" = "/x"\n')
    assert place.run("list") == 2
    assert "is no name of a cache" in place.err
    assert place.run("remove", "tema") == 2
    assert "pw" not in place.err
    place.fine("remove", name)
    assert list(place.rows()) == ["team"]


@pytest.mark.parametrize(
    ("address", "hint"),
    [
        ("on", "write the address of a cache, or 'off'"),
        ("https://h/a b", "write the address of a cache, or 'off'"),
        ("write /mnt/a", "write the address alone: a mode is set apart"),
        ("read", "write the address alone: a mode is set apart"),
    ],
)
def test_a_hint_fits_what_is_wrong_with_an_address(place: Place, address: str, hint: str):
    assert place.run("add", "spc", address) == 2
    assert f"hint: {hint}\n" in place.err


REFUSED = {
    ("add", "a b", "/x"): "cannot be called",
    ("add", "team", "/x"): "there is a cache team already",
    ("add", "lab", "gopher://x"): "not the address of a cache",
    ("add", "lab", "https://al:secret@lab.corp/a"): "does not belong into a project's file",
    ("add", "spc", "https://h/a b"): "the cache spc has a space",
    ("add", "spc", 'https://h/"; x'): "the cache spc has a space",
    ("add", "spc", "https://h/a\nb"): "the cache spc has a line's end",
    ("add", "spc", "write /tmp/w5", "--write"): "the cache spc has a space",
    ("add", "spc", "/mnt/a "): "the cache spc has a space at an end",
    ("add", "spc", "a b"): "the cache spc has a space",
    ("add", "spc", "OFF"): "a folder of that name is ./OFF",
    ("remove", "tema"): "there is no cache 'tema'",
    ("add", "lab"): "wants an ADDRESS",
    ("remove", "team", "/x"): "takes no ADDRESS",
    ("list", "team"): "takes no team",
    ("gc",): "wants a NAME",
    ("test", "team", "--write"): "--write is for",
    ("stat", "team", "--max-size", "1G"): "--max-size is for",
    ("gc", "team", "--remove"): "--remove is for",
    ("add", "lab", "/x", "--user", "--project"): "say one of them",
}


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_wrong_words_change_nothing(place: Place, words: tuple[str, ...]):
    before = (place.project / "rvbuild.toml").read_text()
    try:
        code = place.run(*words)
    except SystemExit as end:
        code = int(str(end.code))
        place.err = place.capture.readouterr().err
    assert code in {2, 4}
    assert REFUSED[words] in place.err
    assert "secret" not in place.err
    assert (place.project / "rvbuild.toml").read_text() == before


def test_a_file_of_another_form_is_left_to_people(place: Place):
    place.settings('caches = {team = "/mnt/team"}\n')
    assert place.run("add", "lab", "/mnt/lab") == 2
    assert 'let it say, in the table [caches], lab = "/mnt/lab"' in place.err


def test_options_may_stand_before_the_words(place: Place):
    assert place.fine("add", "--write", "lab", "/mnt/lab") == (
        'rvbuild.toml: lab = "read+write /mnt/lab"\n'
    )


def test_outside_of_a_project_a_cache_is_the_users_own(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    (place.folder / "elsewhere").mkdir()
    monkeypatch.chdir(place.folder / "elsewhere")
    assert place.run("add", "lab", "/mnt/lab", "--project") == 2
    file = place.json("add", "lab", "/mnt/lab")["file"]
    assert file == str(place.folder / "config/rvbuild/config.toml")
    assert os.stat(file).st_mode & 0o777 == 0o644
    place.json("add", "other", "https://al:secret@lab.corp/a")
    assert "secret" not in place.out + place.err
    assert "secret" in Path(file).read_text()
