"""Results are audited again by the rules of today, also what an earlier rvbuild accepted."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from made_program import MadeProgram, MadeSymbol, words
from workspaces import workspace

from rvbuild.__main__ import main
from rvbuild.app.audit import AuditView, audit_targets
from rvbuild.app.session import Session
from rvbuild.app.targets import targets_of
from rvbuild.core.errors import AuditFailed, RunFailed, UsageError, VerificationError
from rvbuild.core.events import silent
from rvbuild.core.finding import Weight
from rvbuild.core.graph import Target
from rvbuild.core.realisation import Realisation

GOLDEN = Path(__file__).parents[1] / "golden"
FIT = MadeProgram(code=words(0x00150513, 0x00008067)).write()
UNFIT = MadeProgram(
    code=words(0x60251513, 0x00008067), symbols=(MadeSymbol("count", 0, 8),)
).write()  # cpop a0, a0; ret


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    project = tmp_path / "project"
    shutil.copytree(GOLDEN / "recipes", project / "recipes")
    shutil.copy(GOLDEN / "rvbuild.lock", project)
    for name in [name for name in os.environ if name.startswith("RVBUILD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr("rvbuild.app.workspace.shipped_recipes", lambda: str(project))
    monkeypatch.chdir(project)
    with closing(Session(workspace(str(project)), silent)) as session:
        yield session


@pytest.fixture
def target(session: Session) -> Target:
    return targets_of(session, ["app-riscv64"])[0]


def accept(session: Session, target: Target, data: bytes) -> None:
    """Put a result into the store, as an rvbuild did that did not look into it."""
    _, linked = session.link((target,), checks=False)
    with session.store.trees.new_tree() as writer:
        writer.file("bin/app", [data], executable=True)
        tree = writer.commit()
    key = linked.derivations[linked.results[target]].key
    session.store.realisations.register(Realisation(key=key, output=tree.root))


def audited(session: Session, *targets: Target) -> AuditView:
    reported: list[Target] = []
    view = audit_targets(session, targets, lambda audit: reported.append(audit.target))
    assert reported == [audit.target for audit in view.audits]
    return view


def test_a_fit_result(session: Session, target: Target):
    accept(session, target, FIT)
    view = audited(session, target)
    (audit,) = view.audits
    assert (audit.is_fit, audit.findings, view.failures) == (True, (), ())
    view.refuse_failures()


def test_a_result_that_an_earlier_rvbuild_accepted(session: Session, target: Target):
    accept(session, target, UNFIT)
    view = audited(session, target)
    (finding,) = view.audits[0].findings
    assert (finding.path, finding.weight) == ("bin/app", Weight.FAULT)
    assert finding.what.startswith("it uses zbb beyond rv64gc in count: ")
    with pytest.raises(AuditFailed, match="1 of 1 results are not what they must be") as told:
        view.refuse_failures()
    assert told.value.where == "app-riscv64"
    assert session.lookup()(session.link((target,), checks=False)[1].results[target]) is not None


def test_without_a_result_nothing_is_audited(session: Session, target: Target):
    with pytest.raises(UsageError, match="no result here that could be audited"):
        audited(session, target).refuse_failures()


def test_a_target_without_a_result_does_not_hide_the_others(session: Session, target: Target):
    other = Target("app", "arm64")
    accept(session, target, UNFIT)
    view = audited(session, other, target)
    assert [audit.target for audit in view.audits] == [target]
    with pytest.raises(RunFailed) as caught:
        view.refuse_failures()
    assert [type(failure) for failure in caught.value.failures] == [AuditFailed, UsageError]
    assert caught.value.results == view.audits


def test_the_command(session: Session, target: Target, capsys: pytest.CaptureFixture[str]):
    accept(session, target, UNFIT)
    assert main(["audit", "app-riscv64", "--json"]) == VerificationError.exit_code
    (row,) = json.loads(capsys.readouterr().out)["targets"]
    assert (row["target"], row["fit"]) == ("app-riscv64", False)
    assert [(each["weight"], each["path"]) for each in row["findings"]] == [("fault", "bin/app")]
    accept(session, target, FIT)
    assert main(["audit", "app-riscv64"]) == 0
    assert capsys.readouterr().out == "fit       app-riscv64\n"
    assert main(["audit", "app-arm64", "app-riscv64", "--json"]) == UsageError.exit_code
    answer = json.loads(capsys.readouterr().out)
    assert [row["target"] for row in answer["targets"]] == ["app-riscv64"]
    assert [(row["kind"], row["place"]) for row in answer["failures"]] == [
        ("UsageError", "app-arm64")
    ]
