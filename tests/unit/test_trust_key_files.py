"""Files of keys: which are read, who may read them, and what must not stand together."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from signing import private_key

from rvbuild.core.errors import UsageError
from rvbuild.core.revocation import Revocation
from rvbuild.trust.key_files import names_in, read_private, refuse_open_folder, write_new
from rvbuild.trust.keyring import Keyring
from rvbuild.trust.private_key import PrivateKey

CI, LAB = private_key("ci"), private_key("lab")
SECRET = CI.text().split(":")[1]


def shown(error: BaseException) -> str:
    """All that anybody could print of an error, and of what it is from."""
    causes = [error, error.__cause__, error.__context__]
    return " ".join(f"{each!r} {each} {getattr(each, '__dict__', '')}" for each in causes)


def test_a_private_key_shows_itself_only_when_it_is_asked_to():
    """Its seed in no form: base64, hex, or as Python writes bytes."""
    seed = base64.b64decode(SECRET)
    text = f"{CI} {CI!r} {CI.public} {CI.public!r} {[CI]}"
    assert text.startswith("PrivateKey(name='ci')")
    for form in (SECRET, seed.hex(), repr(seed)[2:-1], str(list(seed))[1:-1]):
        assert form not in text
    assert PrivateKey.read(f"{CI.text()}\n".encode(), "f") == CI
    assert PrivateKey.new("ci") != PrivateKey.new("ci")


def test_the_text_of_a_private_key_can_be_masked():
    """GitLab masks letters, digits and these; the text had spaces once, which it does not."""
    assert re.fullmatch(r"[A-Za-z0-9_:@+.~=/-]{8,}", private_key("a.b_c-2").text())
    assert PrivateKey.read(CI.text().replace(":", " ").encode(), "f") == CI


WRONG_PRIVATE = {
    "empty": b"",
    "cut short": CI.text()[:-10].encode(),
    "of another kind": CI.text().replace("rvbuild", "ssh").encode(),
    "a public key": str(CI.public).encode(),
    "a byte less": CI.text().replace(SECRET, SECRET[4:]).encode(),
    "a name with a slash": CI.text().replace(":ci", ":../ci").encode(),
    "two keys": f"{CI.text()}\n{LAB.text()}\n".encode(),
    "NUL": CI.text().encode() + b"\0",
    "NUL within": CI.text().encode().replace(b":ci", b"\0ci"),
    "a space and a colon": CI.text().replace(":ci", " ci").encode(),
    "10 MB": CI.text().encode() + b"\n" * 10_000_000,
}


@pytest.mark.parametrize("data", WRONG_PRIVATE.values(), ids=WRONG_PRIVATE)
def test_what_is_no_private_key_is_not_quoted(tmp_path: Path, data: bytes):
    file = tmp_path / "ci.key"
    file.write_bytes(data)
    file.chmod(0o600)
    with pytest.raises(UsageError) as caught:
        read_private(str(file))
    assert str(caught.value.where).startswith(str(file))
    assert SECRET not in shown(caught.value)
    assert SECRET[4:] not in shown(caught.value)
    assert SECRET[:20] not in shown(caught.value)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_its_owner_may_read_it(tmp_path: Path, end: str, mode: int):
    file = tmp_path / "ci.key"
    file.write_bytes((CI.text() + end).encode())
    file.chmod(mode)
    assert read_private(str(file)) == CI
    (tmp_path / "there").symlink_to(file)
    (tmp_path / "ci.key.link").symlink_to("there")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o620, 0o602, 0o610, 0o601, 0o777])
def test_nobody_else_may(tmp_path: Path, mode: int):
    file = tmp_path / "ci.key"
    file.write_text(CI.text())
    file.chmod(mode)
    with pytest.raises(UsageError, match=f"others may read this private key: its mode is {mode:o}"):
        read_private(str(file))


def test_a_private_key_has_its_files_name(tmp_path: Path):
    file = tmp_path / "lab.key"
    write_new(str(file), CI.text(), private=True)
    with pytest.raises(UsageError, match="called ci"):
        read_private(str(file))


def _fifo(file: Path) -> None:
    os.mkfifo(file)


def _folder(file: Path) -> None:
    file.mkdir()


def _device(file: Path) -> None:
    file.symlink_to("/dev/zero")


def _nowhere(file: Path) -> None:
    file.symlink_to("nowhere")


def _round(file: Path) -> None:
    file.symlink_to(file.name)


def _large(file: Path) -> None:
    file.write_bytes(str(CI.public).encode() + b"\n" * 10_000_000)


def _nothing(file: Path) -> None:
    file.write_bytes(b"")


ODD = [_fifo, _folder, _device, _nowhere, _round, _large, _nothing]


@pytest.mark.parametrize("ending", [".pub", ".revoked"])
@pytest.mark.parametrize("make", ODD)
def test_an_odd_file_is_named_and_not_waited_for(
    tmp_path: Path, make: Callable[[Path], None], ending: str
):
    file = tmp_path / f"ci{ending}"
    make(file)
    with pytest.raises(UsageError) as caught:
        Keyring.read([str(tmp_path)])
    assert str(caught.value.where).startswith(str(file))
    assert caught.value.hint
    assert ("too large" in caught.value.message) is (make is _large)


@pytest.mark.parametrize("make", ODD)
def test_an_odd_private_file_is_named_and_not_waited_for(
    tmp_path: Path, make: Callable[[Path], None]
):
    file = tmp_path / "ci.key"
    make(file)
    with pytest.raises(UsageError) as caught:
        read_private(str(file))
    assert str(caught.value.where).startswith(str(file))


def test_a_missing_file(tmp_path: Path):
    with pytest.raises(UsageError, match="No such file"):
        read_private(str(tmp_path / "ci.key"))


def public(folder: Path, name: str, key: PrivateKey, end: str = "\n") -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.pub"
    file.write_bytes((str(key.public) + end).encode())
    return file


def read(*folders: Path) -> Keyring:
    return Keyring.read([str(folder) for folder in folders])


def test_keys_of_all_folders_are_trusted(tmp_path: Path):
    team, mine = tmp_path / "team", tmp_path / "mine"
    one, other = public(team, "ci", CI), public(mine, "ci", CI, end="\r\n")
    public(mine, "lab", LAB, end="")
    (team / "README.md").write_text("x")
    (team / "ci.key").write_text("nobody reads it here")
    keyring = read(team, mine, tmp_path / "missing")
    assert [each.public for each in keyring.known] == [CI.public, LAB.public]
    assert keyring.known[0].files == (str(one), str(other))
    assert keyring.named("ci") == keyring.known[0]
    assert keyring.named("eve") is None
    assert keyring.candidates(LAB.public.key_id) == (LAB.public,)
    assert keyring.candidates("") == (CI.public, LAB.public)
    assert keyring.candidates("lab") == ()
    assert keyring.revocation(CI.public) is None


def test_a_link_is_followed(tmp_path: Path):
    file = public(tmp_path / "elsewhere", "x", CI)
    (tmp_path / "ci.pub").symlink_to(file)
    assert read(tmp_path).named("ci")


def test_two_keys_of_one_name_are_shown(tmp_path: Path):
    team, mine = tmp_path / "team", tmp_path / "mine"
    files = public(team, "ci", CI), public(mine, "ci", PrivateKey("ci", bytes(32)))
    with pytest.raises(UsageError, match="two keys are called ci") as caught:
        read(team, mine)
    assert len(caught.value.details) == 2
    keys = (CI.public, PrivateKey("ci", bytes(32)).public)
    for key, file in zip(keys, files, strict=True):
        assert f"{key.key_id} in {file}" in caught.value.details


def test_one_key_of_two_names_is_no_two_builders(tmp_path: Path):
    public(tmp_path, "ci", CI)
    public(tmp_path, "ci-2", PrivateKey("ci-2", b"ci".ljust(32, b"\x01")))
    with pytest.raises(UsageError, match="one key has two names"):
        read(tmp_path)


def test_the_file_of_a_key_is_called_as_the_key_is(tmp_path: Path):
    file = public(tmp_path, "office", CI)
    with pytest.raises(UsageError, match="called ci") as caught:
        read(tmp_path)
    assert caught.value.where == str(file)
    assert "ci.pub" in str(caught.value.hint)


@pytest.mark.parametrize("where", ["team", "mine"])
def test_a_revocation_holds_in_every_folder_and_under_every_name(tmp_path: Path, where: str):
    revocation = Revocation(private_key("ci").public, "2026-11-29", "lost")
    (tmp_path / "team").mkdir()
    public(tmp_path / "mine", "ci-2", PrivateKey("ci-2", b"ci".ljust(32, b"\x01")))
    write_new(str(tmp_path / where / "ci.revoked"), str(revocation))
    keyring = read(tmp_path / "team", tmp_path / "mine")
    [known] = keyring.known
    assert known.public.name == "ci-2"
    assert keyring.revocation(known.public) == revocation


def test_a_revocation_is_of_the_key_that_it_quotes(tmp_path: Path):
    write_new(str(tmp_path / "ci.revoked"), str(Revocation(CI.public, "2026-11-29", "lost")))
    public(tmp_path, "ci", PrivateKey("ci", bytes(32)))
    keyring = read(tmp_path)
    assert keyring.revocation(CI.public)
    assert keyring.revocation(PrivateKey("ci", bytes(32)).public) is None


def test_a_folder_that_everybody_may_write_is_refused(tmp_path: Path):
    folder = tmp_path / "keys"
    refuse_open_folder(str(folder))
    folder.mkdir(mode=0o755)
    refuse_open_folder(str(folder))
    folder.chmod(0o757)
    with pytest.raises(UsageError, match="everybody may write"):
        refuse_open_folder(str(folder))


def test_what_is_no_folder_is_named(tmp_path: Path):
    (tmp_path / "keys").write_text("")
    with pytest.raises(UsageError, match="Not a directory"):
        names_in(str(tmp_path / "keys"), ".pub")


@pytest.mark.parametrize(("private", "mode"), [(True, 0o600), (False, 0o644)])
def test_a_new_file_has_its_mode_and_stays(tmp_path: Path, mode: int, *, private: bool):
    former = os.umask(0o022)
    try:
        file = tmp_path / "keys/ci.key"
        write_new(str(file), "one", private=private)
    finally:
        os.umask(former)
    assert file.stat().st_mode & 0o777 == mode
    assert file.parent.stat().st_mode & 0o777 == (0o700 if private else 0o755)
    with pytest.raises(UsageError, match="already"):
        write_new(str(file), "two", private=private)
    assert file.read_text() == "one\n"
    assert [each.name for each in file.parent.iterdir()] == ["ci.key"]


def test_a_link_to_nowhere_is_not_written_through(tmp_path: Path):
    (tmp_path / "ci.key").symlink_to("nowhere")
    with pytest.raises(UsageError, match="already"):
        write_new(str(tmp_path / "ci.key"), CI.text(), private=True)
    assert not (tmp_path / "nowhere").exists()
