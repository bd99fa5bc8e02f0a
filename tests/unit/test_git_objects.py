"""Trees as bytes: read strictly, whatever names they have; only some of these may be written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rvbuild.core.errors import VerificationError
from rvbuild.git.commit_reader import CommitReader
from rvbuild.git.objects import DamagedObject, RawEntry, raw_entries, tree_entries
from rvbuild.git.process import Git

LIKES = {"sha1": "1" * 40, "sha256": "2" * 64}
ENTRIES = ((b"100644", b"a b"), (b"40000", b"caf\xe9"), (b"100666", b".git"), (b"160000", b"a b"))


def tree(like: str) -> bytes:
    return b"".join(mode + b" " + name + b"\0" + bytes.fromhex(like) for mode, name in ENTRIES)


@pytest.mark.parametrize("like", LIKES.values(), ids=LIKES)
def test_all_entries_are_read(like: str):
    entries = list(raw_entries(tree(like), like))
    assert entries == [RawEntry(mode, name, like) for mode, name in ENTRIES]
    assert [entry.is_folder for entry in entries] == [False, True, False, False]


@pytest.mark.parametrize("like", LIKES.values(), ids=LIKES)
def test_a_tree_that_is_cut_is_damaged(like: str):
    """But where an entry ends: only the tree's name can tell."""
    data = tree(like)
    ends = [0]
    for mode, name in ENTRIES:
        ends.append(ends[-1] + len(mode) + len(name) + 2 + len(like) // 2)
    for end in range(len(data)):
        if end in ends:
            assert len(list(raw_entries(data[:end], like))) == ends.index(end)
        else:
            with pytest.raises(DamagedObject, match="damaged git tree at byte"):
                list(raw_entries(data[:end], like))


@pytest.mark.parametrize("mode", [b"", b"4000", b"0040000", b"10064x", b"100 644", b"-10644", b"8"])
def test_what_has_no_mode_is_no_entry(mode: bytes):
    like = LIKES["sha1"]
    with pytest.raises(DamagedObject, match="damaged git tree at byte"):
        list(raw_entries(tree(like) + mode + b" a\0" + bytes(20), like))


@pytest.mark.parametrize("entry", [(b"100666", b"a"), (b"100644", b"caf\xe9"), (b"40000", b".git")])
def test_some_entries_may_not_be_written(entry: tuple[bytes, bytes]):
    with pytest.raises(VerificationError):
        list(tree_entries([RawEntry(*entry, LIKES["sha1"])]))


@pytest.mark.parametrize("line", [b"100644 blob 12\ta", b"100644 blob", b"x\n", b""])
def test_a_line_of_ls_tree_that_is_no_file_is_not_passed_over(tmp_path: Path, line: bytes):
    good = b"100644 blob " + LIKES["sha1"].encode() + b"\ta\nb"
    (tmp_path / "listed").write_bytes(b"\0".join([good, line, good, b""]))
    program = tmp_path / "git"
    program.write_text(f"#!/bin/sh\ncat {tmp_path}/listed\n")
    program.chmod(0o755)
    reader = CommitReader(Git(str(program), {"PATH": os.environ["PATH"]}), tmp_path, tmp_path)
    with pytest.raises(DamagedObject, match="lists what is no file"):
        reader.files("HEAD", ["."])
