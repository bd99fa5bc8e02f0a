"""`keys`: what is made, trusted, revoked and rotated, and that no secret is shown on the way."""

from __future__ import annotations

import json
import os
import re
import resource
import sys
from pathlib import Path
from typing import Any

import pytest
from attrs import define
from command_place import CommandPlace
from signing import private_key

from rvbuild.__main__ import main
from rvbuild.app.settings import Settings
from rvbuild.app.signing_key import KeyFolders, acceptance, find_signer
from rvbuild.app.workspace import Workspace
from rvbuild.core.acceptance import Acceptance
from rvbuild.core.dsse import Envelope
from rvbuild.core.errors import UsageError
from rvbuild.core.public_key import PublicKey
from rvbuild.trust.verify import signers

CI, LAB = private_key("ci"), private_key("lab")
KIND = "application/x"


@define
class Place(CommandPlace):
    """A project, its keys and those of the user."""

    command = "keys"

    @property
    def team(self) -> Path:
        return self.project / "cache/keys"

    @property
    def own(self) -> Path:
        return self.folder / "config/rvbuild/keys"

    def rows(self) -> dict[str, dict[str, Any]]:
        return {row["name"]: row for row in self.json("list")["keys"]}

    def set_up(self, text: str) -> None:
        (self.folder / "config/rvbuild").mkdir(parents=True, exist_ok=True)
        (self.folder / "config/rvbuild/config.toml").write_text(text)

    def signer(self) -> Any:  # noqa: ANN401 - whatever signs
        workspace = Workspace(os.getcwd(), Settings.of_user(os.environ, {}))
        folders = KeyFolders.of(workspace)
        return find_signer(workspace.settings, folders, folders.keyring())

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Place:
    made = Place(tmp_path, capsys)
    made.begin(monkeypatch)
    return made


# ---- new


def test_a_new_key_is_for_its_owner_and_its_line_for_others(place: Place):
    line = place.fine("new", "ci").strip()
    file = place.own / "ci.key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert PublicKey.read(line.encode(), "x").name == "ci"
    secret = file.read_text().split(":")[1]
    assert secret not in place.out + place.err
    for part in (str(file), f"`rvbuild keys trust '{line}'`", 'signing-key = "ci"'):
        assert part in place.err
    assert not place.team.exists()
    assert place.fine("list").startswith("ci  ")
    assert "not trusted" in place.out
    assert secret not in place.out + place.err


def test_a_key_is_never_written_over(place: Place):
    place.fine("new", "ci")
    before = place.files()
    assert "already" in place.refused("new", "ci")
    assert place.files() == before


def test_a_name_that_the_team_has_is_taken(place: Place):
    place.fine("trust", str(CI.public))
    error = place.refused("new", "ci")
    assert CI.public.key_id in error
    assert not (place.own / "ci.key").exists()


@pytest.mark.parametrize("where", ["here", "trusted", "revoked"])
def test_a_name_that_differs_in_case_only_is_taken(place: Place, where: str):
    """`CI.pub` and `ci.pub` are one file on some systems, and one name for most people."""
    if where == "here":
        place.fine("new", "ci")
    else:
        place.fine("trust", str(CI.public))
    if where == "revoked":
        place.fine("revoke", "ci", "--why", "it was stolen")
        (place.team / "ci.pub").unlink()
    before = place.files()
    assert place.run("new", "CI") == 2
    assert "there is a key called ci, which differs in upper and lower case only" in place.err
    assert place.files() == before


@pytest.mark.parametrize("name", ["../ci", "a/b", ".ci", "é", "a" * 65, "ci\n"])
def test_a_name_that_no_key_can_have(place: Place, name: str):
    before = place.files()
    assert "cannot be called" in place.refused("new", name)
    assert place.files() == before


# ---- trust


@pytest.mark.parametrize("given", ["text", "file", "file of another name", "file in CRLF"])
def test_a_key_is_trusted_by_its_line_or_its_file(place: Place, given: str):
    text = str(CI.public)
    if given != "text":
        file = place.folder / ("ci.pub" if given == "file" else "from-a-friend.txt")
        file.write_bytes(text.encode() + (b"\r\n" if "CRLF" in given else b"\n"))
        text = str(file)
    out = place.fine("trust", text)
    assert out == f"ci  {CI.public.fingerprint}  cache/keys/ci.pub\n"
    assert (place.team / "ci.pub").read_text() == f"{CI.public}\n"
    assert place.rows()["ci"]["trusted"] is True
    before = place.files()
    place.fine("trust", text)
    assert place.files() == before


def test_a_key_can_be_trusted_by_the_user_alone(place: Place):
    place.fine("trust", "--user", str(CI.public))
    assert (place.own / "ci.pub").exists()
    assert not place.team.exists()
    place.fine("trust", str(CI.public))
    assert len(place.rows()["ci"]["files"]) == 2


def test_without_a_project_the_user_trusts(place: Place, monkeypatch: pytest.MonkeyPatch):
    (place.folder / "elsewhere").mkdir()
    monkeypatch.chdir(place.folder / "elsewhere")
    place.fine("trust", str(CI.public), "--store", str(place.folder / "store"))
    assert (place.own / "ci.pub").exists()


def test_another_key_of_a_name_is_refused_with_both_fingerprints(place: Place):
    place.fine("trust", str(CI.public))
    before = place.files()
    other = PublicKey("ci", LAB.public.raw)
    error = place.refused("trust", str(other))
    assert CI.public.key_id in error
    assert other.key_id in error
    assert place.files() == before


def test_another_name_of_a_key_is_refused(place: Place):
    place.fine("trust", str(CI.public))
    error = place.refused("trust", str(PublicKey("lab", CI.public.raw)))
    assert "one key has two names" in error
    assert not (place.team / "lab.pub").exists()


@pytest.mark.parametrize("given", ["text", "file"])
def test_a_private_key_is_not_published(place: Place, given: str):
    (place.folder / "ci.key").write_text(CI.text())
    text = CI.text() if given == "text" else str(place.folder / "ci.key")
    error = place.refused("trust", text)
    assert "private key" in error
    assert CI.text().split(":")[1] not in error + place.out
    assert not place.team.exists()


def test_what_cannot_be_written_is_told(place: Place):
    (place.folder / "project/cache").write_text("in the way")
    assert place.run("trust", "--store", str(place.folder / "s"), str(CI.public)) == 2
    assert "Not a directory" in place.err


def test_a_key_is_written_whole_or_not_at_all(place: Place):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limit[1]))
    try:
        codes = [place.run("new", "ci"), place.run("trust", str(CI.public))]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert codes == [1, 1]
    assert "ulimit -f" in place.err
    assert place.files().keys() == {"project/rvbuild.toml"}
    place.fine("new", "ci")


# ---- revoke


def test_nothing_of_a_revoked_key_is_accepted(place: Place):
    place.set_up('[accept]\nbuild = "2 of [ci, lab]"\n')
    place.fine("trust", str(CI.public))
    place.fine("trust", "--user", str(CI.public))
    place.fine("revoke", "ci", "--why", "the laptop was stolen")
    for folder in (place.team, place.own):
        text = (folder / "ci.revoked").read_text()
        assert re.fullmatch(rf"{re.escape(str(CI.public))}\n\d{{4}}-\d\d-\d\d the .*\n", text)
    assert "accept.build" in place.err
    row = place.rows()["ci"]
    assert (row["trusted"], row["revoked"]["why"]) == (False, "the laptop was stolen")
    assert "revoked on" in place.refused("revoke", "ci", "--why", "again")
    assert "revoked on" in place.refused("rotate", "ci")
    assert "revoked on" in place.refused("trust", str(CI.public))


def test_a_revocation_holds_without_the_keys_file_and_its_name_stays_taken(place: Place):
    place.fine("trust", str(CI.public))
    place.fine("revoke", "ci", "--why", "lost")
    (place.team / "ci.pub").unlink()
    assert place.rows()["ci"]["revoked"]["why"] == "lost"
    assert "revoked" in place.refused("new", "ci")
    assert "revoked" in place.refused("trust", str(PublicKey("ci", LAB.public.raw)))
    assert "revoked" in place.refused("trust", str(PublicKey("lab", CI.public.raw)))


@pytest.mark.parametrize("why", ["", " ", "two\nlines", "é", "a" * 501, "\x1b[2J"])
def test_a_reason_is_one_line(place: Place, why: str):
    place.fine("trust", str(CI.public))
    assert "one line" in place.refused("revoke", "ci", "--why", why)
    assert not (place.team / "ci.revoked").exists()


def test_a_key_that_is_not_there(place: Place):
    place.fine("trust", str(CI.public))
    assert "did you mean 'ci'" in place.refused("revoke", "cii", "--why", "x")
    place.fine("new", "lab")
    for words in (("rotate", "lab"), ("revoke", "lab", "--why", "x")):
        assert "no public key called 'lab'" in place.refused(*words)
        assert "hint: `rvbuild keys list` shows whose word counts" in place.err


# ---- rotate


def test_a_key_is_followed_by_another_and_stays_trusted(place: Place):
    place.set_up('[accept]\nrelease = "ci"\n')
    place.fine("new", "ci")
    place.fine("trust", place.out.strip())
    place.fine("rotate", "ci")
    for part in ("accept.release", "ci-2", str(place.own / "ci-2.key"), "keys revoke ci --why"):
        assert part in place.err
    rows = place.rows()
    assert [rows[name]["trusted"] for name in ("ci", "ci-2")] == [True, True]
    place.fine("rotate", "ci")
    place.fine("rotate", "ci-3")
    assert [*place.rows()] == ["ci", "ci-2", "ci-3", "ci-4"]


def test_a_key_is_followed_where_it_was_trusted(place: Place):
    place.fine("trust", "--user", str(CI.public))
    row = json.loads(place.fine("rotate", "ci", "--json"))
    assert row["follower"]["files"] == [str(place.own / "ci-2.pub")]
    assert not place.team.exists()


def test_a_name_that_would_be_too_long(place: Place):
    name = "a" * 64
    place.fine("trust", str(PublicKey(name, CI.public.raw)))
    assert "too long" in place.refused("rotate", name)


# ---- the command line


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("new",), "wants a NAME"),
        (("trust",), "wants a FILE"),
        (("revoke",), "wants a NAME"),
        (("revoke", "ci"), "wants --why"),
        (("new", "ci", "--why", "x"), "no other does"),
        (("new", "ci", "--user"), "--user is for"),
        (("list", "ci"), "takes no ci"),
        (("list", "--why", "x"), "no other does"),
        (("list", "--user"), "--user is for"),
        (("--user",), "not for list"),
        (("sign",), "invalid choice"),
    ],
)
def test_words_that_do_not_fit(place: Place, words: tuple[str, ...], what: str):
    with pytest.raises(SystemExit) as ended:
        place.run(*words)
    assert ended.value.code == 2
    assert what in place.capture.readouterr().err


def test_no_key(place: Place):
    assert place.fine("list") == ""
    assert place.fine() == ""
    assert "keys new" in place.err
    assert json.loads(place.fine("list", "--json")) == {"version": 1, "keys": []}
    assert place.files().keys() == {"project/rvbuild.toml"}


def test_answers_are_documents(place: Place):
    made = json.loads(place.fine("new", "ci", "--json"))
    assert made["private_file"] == str(place.own / "ci.key")
    place.fine("trust", made["public"], "--json")
    assert json.loads(place.out)["files"] == [str(place.team / "ci.pub")]
    assert place.err == ""
    place.fine("trust", made["public"], "--quiet")
    assert place.err == ""


def test_a_folder_of_keys_that_everybody_may_write(place: Place):
    place.own.mkdir(parents=True)
    place.own.chmod(0o777)
    assert "everybody may write" in place.refused("list")


@pytest.mark.parametrize("umask", [0, 0o077])
def test_others_may_not_write_what_is_made(place: Place, umask: int):
    former = os.umask(umask)
    try:
        place.fine("new", "ci")
        place.fine("trust", place.out.strip())
    finally:
        os.umask(former)
    for path in (place.own, place.own.parent, place.team, place.team.parent, place.team / "ci.pub"):
        assert path.stat().st_mode & 0o022 == 0


# ---- who signs


def test_nobody_signs(place: Place):
    assert place.signer() is None


def test_the_key_of_the_setting_signs(place: Place):
    place.fine("new", "ci")
    place.set_up('signing-key = "ci"\n')
    envelope = Envelope.sign(KIND, b"{}", place.signer())
    assert place.rows()["ci"]["signs"] is True
    place.fine("trust", place.rows()["ci"]["public"])
    workspace = Workspace(os.getcwd(), Settings.of_user(os.environ, {}))
    assert signers(envelope, KIND, KeyFolders.of(workspace).keyring())


def test_the_key_of_the_setting_is_not_here(place: Place):
    place.set_up('signing-key = "ci"\n')
    assert str(place.own / "ci.key") in place.refused("list")
    assert "`rvbuild keys new ci`" in place.err


def test_the_key_in_the_environment_signs(place: Place, monkeypatch: pytest.MonkeyPatch):
    place.set_up('signing-command = "false"\n')
    for end in ("", "\n", "\r\n"):
        monkeypatch.setenv("RVBUILD_SIGNING_KEY", CI.text() + end)
        assert place.signer() == CI
    assert place.rows()["ci"]["signs"] is True
    assert CI.text().split(":")[1] not in place.out + place.err
    place.fine("list")
    assert CI.text().split(":")[1] not in place.out + place.err
    monkeypatch.setenv("RVBUILD_SIGNING_NAME", "ci")
    assert place.signer() == CI
    monkeypatch.setenv("RVBUILD_SIGNING_NAME", "lab")
    with pytest.raises(UsageError, match="the key here is ci"):
        place.signer()


@pytest.mark.parametrize("text", ["ci", "s3cr3t", CI.text()[:-3], CI.text() + " x", "\udcff"])
def test_what_is_no_key_in_the_environment_is_not_quoted(
    place: Place, monkeypatch: pytest.MonkeyPatch, text: str
):
    monkeypatch.setenv("RVBUILD_SIGNING_KEY", text)
    error = place.refused("list")
    assert "RVBUILD_SIGNING_KEY" in error
    for secret in ("s3cr3t", CI.text().split(":")[1], CI.text().split(":")[1][:12]):
        assert secret not in error


AGENT = """\
import base64, sys
sys.path[:0] = [sys.argv[2]]
from signing import private_key
print(base64.b64encode(private_key(sys.argv[1]).sign(sys.stdin.buffer.read())).decode())
"""


def test_the_command_of_the_setting_signs(place: Place, monkeypatch: pytest.MonkeyPatch):
    agent, support = place.folder / "agent.py", Path(__file__).parents[1] / "support"
    agent.write_text(AGENT)
    command = f"'{sys.executable}' {agent} ci {support}"
    monkeypatch.setenv("RVBUILD_SIGNING_COMMAND", command)
    with pytest.raises(UsageError, match="not said which key"):
        place.signer()
    place.set_up('signing-key = "ci"\n')
    with pytest.raises(UsageError, match="no public key ci"):
        place.signer()
    place.fine("trust", str(CI.public))
    assert place.signer().sign(b"x") == CI.sign(b"x")
    monkeypatch.setenv("RVBUILD_SIGNING_COMMAND", command.replace(" ci ", " lab "))
    with pytest.raises(UsageError, match="no signature by the key ci"):
        place.signer().sign(b"x")


def test_a_commands_words_are_not_shown(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("RVBUILD_SIGNING_COMMAND", "agent --pin s3cr3t")
    assert main(["config"]) == 0
    assert main(["config", "--json"]) == 0
    out = "".join(capsys.readouterr())
    assert "s3cr3t" not in out
    assert 'signing-command = "agent …"' in out
    monkeypatch.setenv("RVBUILD_SIGNING_COMMAND", "agent 's3cr3t")
    assert place.run("list") == 2
    assert "s3cr3t" not in place.err


def test_whose_results_a_build_takes(place: Place):
    place.set_up('[accept]\nrelease = "2 of [ci, lab]"\n')
    made = Workspace(os.getcwd(), Settings.of_user(os.environ, {})).settings
    assert acceptance(made, release=True) == Acceptance(2, ("ci", "lab"))
    assert acceptance(made, release=False) == Acceptance()
