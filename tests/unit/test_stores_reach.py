"""What an object of a store needs: what gc keeps is what verification looks for."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from rvbuild._reapi import reapi_pb2 as pb
from rvbuild.core.action import Outcome
from rvbuild.core.digest import EMPTY, Digest
from rvbuild.core.envelope import seal
from rvbuild.core.ports.roots import Root
from rvbuild.core.realisation import Realisation
from rvbuild.core.tree import File, Symlink, Tree, to_pb
from rvbuild.stores.collect import collect
from rvbuild.stores.findings import Finding
from rvbuild.stores.layout import PLAIN
from rvbuild.stores.local import LocalStore
from rvbuild.stores.reach import (
    Needs,
    failure_needs,
    outcome_needs,
    realisation_needs,
    root_needs,
    tree_blobs,
)
from rvbuild.stores.results import OUTCOME, OUTCOME_VERSION
from rvbuild.stores.shape import AC
from rvbuild.stores.verify import verify

LOG, KEY, MESSAGE = (Digest.of(text) for text in (b"log", b"derivation", b"message"))
ACTION = "a" * 64


@pytest.mark.parametrize(
    ("needs", "expected", "blobs"),
    [
        (
            root_needs(Root(name="x", derivation=KEY.hash, link="/l")),
            Needs(realisation=KEY.hash),
            {},
        ),
        (
            realisation_needs(Realisation(key=KEY, output=EMPTY, action=ACTION, log=LOG)),
            Needs(output=EMPTY, derivation=KEY, log=LOG, action=ACTION),
            {"derivation": KEY, "log": LOG},
        ),
        (
            realisation_needs(Realisation(key=KEY, output=EMPTY)),
            Needs(output=EMPTY, derivation=KEY),
            {"derivation": KEY},
        ),
        (
            outcome_needs(Outcome(exit_code=0, output=EMPTY, tree=MESSAGE, log=LOG)),
            Needs(output=EMPTY, message=MESSAGE, log=LOG),
            {"log": LOG, "Tree message": MESSAGE},
        ),
        (failure_needs(LOG), Needs(log=LOG), {"log": LOG}),
        (failure_needs(None), Needs(), {}),
    ],
)
def test_what_a_record_needs(needs: Needs, expected: Needs, blobs: dict[str, Digest]):
    assert needs == expected
    assert dict(needs.blobs()) == blobs


def test_a_tree_needs_its_message_and_each_content_once():
    one, two = Digest.of(b"one"), Digest.of(b"two")
    tree = Tree.of(
        {"a": File(one), "d": {"a": File(one, executable=True), "b": File(two)}, "l": Symlink("a")}
    )
    assert tree_blobs(tree, MESSAGE) == {one.hash, two.hash, MESSAGE.hash}


def test_an_outcome_that_names_only_a_tree_message_keeps_it(tmp_path: Path):
    """As a server may answer; verification misses the blob where collection has taken it."""
    store = LocalStore(str(tmp_path / "store"), durable=False)
    with store.trees.new_tree() as writer:
        writer.file("a", [b"a"])
        message = Digest.of(store.trees.tree(writer.commit().root).encode())
    answer = pb.ActionResult(stdout_digest=to_pb(store.cas.write(b"log")))
    answer.output_directories.add(path="out", tree_digest=to_pb(message))
    action, result = Digest.of(b"action").hash, base64.b64encode(answer.SerializeToString())
    record = Path(store.layout.record(AC, action, accelerated=False))
    record.parent.mkdir(parents=True, exist_ok=True)
    body = {"action": action, "result": result.decode()}
    record.write_bytes(seal(OUTCOME, OUTCOME_VERSION, body))
    record.chmod(PLAIN)
    collect(store, keep_days=1)
    findings: list[Finding] = []
    verify(store, findings.append)
    assert findings == []
    assert Digest.of(store.cas.read(message)) == message
